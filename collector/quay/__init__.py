"""The Quay client: typed and read-only, one module per family of the API reference, wire structs beside their URLs."""
