"""The service: the scheduler that runs collector, warehouse and reports, and the inbox for work handed over."""
