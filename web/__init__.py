"""The web pages: layout and interaction alone. What they show is built by the reports, never here."""
