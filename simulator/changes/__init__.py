"""The simulator's planted changes: a script of everything that an inventory should notice, and the list of what it was."""
