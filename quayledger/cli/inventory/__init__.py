"""What exists, who may do what, how big it is, over time."""
