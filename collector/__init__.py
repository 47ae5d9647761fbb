"""The collector: Quay's API, its quirks, and what to request when; the only place that speaks HTTP to a registry."""
