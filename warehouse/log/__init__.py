"""The log side of the warehouse: events, readings, slices, counts and what readers ask of them."""
