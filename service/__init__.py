"""The service: the clock that puts collector, warehouse and reports together, and the place where work is handed over."""
