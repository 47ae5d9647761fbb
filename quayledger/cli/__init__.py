"""The terminal front: the commands, by what they are for. Only this room and `cli.py` print or exit."""
