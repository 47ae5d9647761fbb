"""Delivery: who is told of what, when, in which words; and that nobody is forgotten or told twice without saying so."""
