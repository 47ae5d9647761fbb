"""The reports on the log: usage, overview, events and collection completeness."""
