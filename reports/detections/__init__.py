"""Detections: what looks wrong in the record, found by rules that are one file each."""
