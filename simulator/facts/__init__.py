"""The simulator's facts: what a whole inventory of the registry would hold, in an inventory's own words."""
