"""List alerts and decide on them.

Alerts live in `desk.sqlite` beside the ledger: a decision never waits for the collector."""
