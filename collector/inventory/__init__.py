"""The collector's inventory: reads what exists in a registry, and reads it again where events or age say so."""
