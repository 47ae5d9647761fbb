"""Reports on the inventory: what exists in a registry, who may do what in it, and how that changed."""
