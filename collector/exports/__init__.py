"""Exports: asking a Quay for a file of its log, hearing that it is done, and loading it."""
