"""The simulator's operations: one module for each family of Quay's API reference."""
