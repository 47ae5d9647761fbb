"""Seals: what proves that a collected day was not altered since. RFC 6962 trees, C2SP checkpoints, tiles and proofs."""
