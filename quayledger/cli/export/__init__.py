"""Ask Quay to export its own log."""
