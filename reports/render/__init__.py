"""Renderers. Each turns a report into text or bytes of one form; none computes, opens or asks
anything."""
