"""Paths: names as parts of a URL path. Whatever a name contains, it stays one segment; if that is impossible, every operation
raises the ValueError raised here and sends nothing.
"""

from __future__ import annotations

from urllib.parse import quote

# What a repository's path may end in: lists whose items have paths of their own (`/build/{uuid}`), and everything that is read
# without a further part.
_WITH_ITEMS = frozenset({"build", "trigger", "notification", "manifest", "autoprunepolicy", "immutabilitypolicy"})
_READ = (_WITH_ITEMS - {"manifest"}) | {"tag", "logs", "aggregatelogs", "mirror"}


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


def shadow(name: str, operation: str = "") -> str:
    """The repository that Quay answers for when it is asked for this one, where its name ends in the name of an operation:
    `acme/tools/build` is answered with the builds of `acme/tools`. '' where it is answered for itself. `operation`: the part
    of the path after the repository, such as `mirror`; one that ends in a slash is never mistaken."""
    owner, _, last = name.rpartition("/")
    if "/" not in owner or operation.endswith("/"):
        return ""
    return owner if last in (_WITH_ITEMS if operation else _READ) else ""


def repository_name(name: str) -> str:
    """`namespace/name` with each of its parts encoded. Raises ValueError as `repository` does."""
    if "/" not in name:
        raise ValueError(f"{name!r} is not a repository. Use NAMESPACE/NAME")
    return "/".join(segment(part) for part in name.split("/"))
