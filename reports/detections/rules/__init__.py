"""The rules, one file each: metadata, parameters, a pure function over frames, and examples that it must judge correctly."""
