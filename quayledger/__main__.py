"""`python -m quayledger`: the same as the command `quayledger`."""

from quayledger.cli._main import main

main()
