"""The reports: questions about the ledger, answered as values and rendered for a terminal, a page or
a file."""
