"""List, test and run the detection rules."""
