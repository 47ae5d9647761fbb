"""`python -m quayledger`: the same as the command `quayledger`."""

from quayledger.cli.main import main

main()
