"""The simulator's entities: what a registry is made of, as plain structs without rules."""
