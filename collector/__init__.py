"""The collector: Quay's room. Its API, its habits, when to ask for what; the only place that speaks HTTP to a registry."""
