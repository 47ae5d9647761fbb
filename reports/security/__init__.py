"""Reports for security teams. Each answers one question from the log, and from the inventory where it knows more."""
