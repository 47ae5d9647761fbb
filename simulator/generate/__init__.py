"""The simulator's generator: a registry at work, the same for the same seed."""
