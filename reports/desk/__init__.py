"""The desk: what people decided, in a SQLite file of its own, so that no decision waits for the collector."""
