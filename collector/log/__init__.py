"""The log side of the collector: counts, pages, readings, repair and verdicts of one source's days."""
