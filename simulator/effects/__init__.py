"""The simulator's effects: what each kind of event means for what exists."""
