"""Make and show the key that signs the log of sealed days."""
