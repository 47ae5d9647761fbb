"""The browser front: pages of layout and interaction. What they show is built by the reports, never here."""
