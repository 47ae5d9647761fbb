"""Exports: requests a file of Quay's log, waits for the callback, and loads it."""
