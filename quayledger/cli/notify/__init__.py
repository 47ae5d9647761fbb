"""See who is notified of alerts, and try it.

Targets are in the settings, under `[notify.<id>]`; docs/notifications.md has examples."""
