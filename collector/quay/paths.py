"""Paths: names as parts of a URL path. Whatever a name contains, it stays one segment; if that is impossible, every operation
raises the ValueError raised here and sends nothing.
"""

from __future__ import annotations

from urllib.parse import quote


def segment(name: str) -> str:
    """One name, percent-encoded. Raises ValueError for what a server would take for another path: the empty name, `.` and `..`."""
    if name in ("", ".", ".."):
        raise ValueError(f"{name!r} cannot be part of a URL path")
    return quote(name, safe="")


def organization(name: str) -> str:
    """The path of an organization below `/api/v1`. Raises ValueError as `segment` does."""
    return f"/organization/{segment(name)}"


def repository(name: str) -> str:
    """The path of a repository, `namespace/name` (the name may contain slashes), below `/api/v1`. Raises ValueError as
    `segment` does, and if there is no namespace."""
    return f"/repository/{repository_name(name)}"


def repository_name(name: str) -> str:
    """`namespace/name` with each of its parts encoded. Raises ValueError as `repository` does."""
    if "/" not in name:
        raise ValueError(f"{name!r} is not a repository. Use NAMESPACE/NAME")
    return "/".join(segment(part) for part in name.split("/"))
