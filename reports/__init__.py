"""The readers' room: questions that people put to the record, answered as values and rendered for a terminal, a page or
a file."""
