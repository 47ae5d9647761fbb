"""Paths: names as parts of a path. Whatever a name holds, it stays one name; where it cannot, every operation raises the
ValueError that is raised here, and asks nothing.
"""

from __future__ import annotations

from urllib.parse import quote


def segment(name: str) -> str:
    """One name, percent-encoded. Raises ValueError for what a server would take for another path: nothing, `.` and `..`."""
    if name in ("", ".", ".."):
        raise ValueError(f"{name!r} is no name that a path can hold")
    return quote(name, safe="")


def organization(name: str) -> str:
    """The path of an organisation below `/api/v1`. Raises ValueError as `segment` does."""
    return f"/organization/{segment(name)}"


def repository(name: str) -> str:
    """The path of a repository, `namespace/name` (the name may hold slashes), below `/api/v1`. Raises ValueError as
    `segment` does, and where there is no namespace."""
    return f"/repository/{repository_name(name)}"


def repository_name(name: str) -> str:
    """`namespace/name` with each of its parts encoded. Raises ValueError as `repository` does."""
    if "/" not in name:
        raise ValueError(f"{name!r} is no repository: write NAMESPACE/NAME")
    return "/".join(segment(part) for part in name.split("/"))
