"""`streamlit run app.py -- --home DIR`: the web pages of the ledger in a folder."""

from quayledger.web.app import main

main()
