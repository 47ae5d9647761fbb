"""The script that `quayledger app` gives to Streamlit: what `app.py` is in a checkout."""

from quayledger.web.app import main

main()
