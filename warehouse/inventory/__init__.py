"""The warehouse's inventory: what exists in a registry, who may do what in it and how big it is, over time."""
