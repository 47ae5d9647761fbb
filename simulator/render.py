"""The simulator's words for events: a log row as Quay shows it, with the names that hold when it is read."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from quayledger.simulator.clock import rfc_822
from quayledger.simulator.entities.accounts import Account
from quayledger.simulator.registry import Registry
from quayledger.simulator.table import Table

_COLORS = ("#98df8a", "#7f7f7f", "#a55194", "#aec7e8", "#31a354", "#8c564b", "#e7ba52", "#b5cf6b", "#c7c7c7", "#17becf")


def avatar(name: str, kind: str) -> dict[str, str]:
    """An avatar's description; the color follows from the name."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return {"name": name, "hash": digest, "color": _COLORS[int(digest[:2], 16) % len(_COLORS)], "kind": kind}


class Renderer:
    """Makes JSON text of rows. Keeps the text of names until one of them changes."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._version = -1
        self._performers: dict[int, bytes] = {}
        self._namespaces: dict[int, bytes] = {}

    def event(self, table: Table, row: int, *, namespace: bool, missing_ip: str | None = None) -> bytes:
        """One event as a JSON object; `namespace` as in the superuser's log."""
        if self._version != self._registry.version:
            self._performers, self._namespaces = {}, {}
            self._version = self._registry.version
        ip = table.ips[row] or missing_ip
        text = b'{"kind": "%b", "metadata": %b, "ip": %b, "datetime": "%b"%b%b}' % (
            table.kind_names[table.kinds[row]].encode(),
            table.metadata[row],
            json.dumps(ip).encode() if ip else b"null",
            rfc_822(table.stamps[row]).encode(),
            self._performer(table.performers[row]),
            self._namespace(table.accounts[row]) if namespace else b"",
        )
        changed = table.changed.get(row)
        return text if changed is None else _merged(text, changed)

    def _performer(self, account_id: int) -> bytes:
        text = self._performers.get(account_id)
        if text is None:
            account = self._registry.accounts.get(account_id)
            text = self._performers[account_id] = b"" if account is None else _member("performer", _performer(account))
        return text

    def _namespace(self, account_id: int) -> bytes:
        text = self._namespaces.get(account_id)
        if text is None:
            account = self._registry.accounts.get(account_id)
            text = self._namespaces[account_id] = b"" if account is None else _member("namespace", _namespace(account))
        return text


def _performer(account: Account) -> dict[str, Any]:
    robot = account.kind == "robot"
    mark = avatar(account.name, "robot" if robot else "user")
    return {"kind": "user", "name": account.name, "is_robot": robot, "avatar": mark}


def _namespace(account: Account) -> dict[str, Any]:
    kind = "org" if account.kind == "org" else "user"
    return {"kind": kind, "name": account.name, "avatar": avatar(account.name, kind)}


def _merged(text: bytes, changed: bytes) -> bytes:
    """RFC 7396 at the top level."""
    members = {**json.loads(text), **json.loads(changed)}
    return json.dumps({key: value for key, value in members.items() if value is not None or key == "ip"}).encode()


def _member(key: str, value: dict[str, Any]) -> bytes:
    return f', "{key}": {json.dumps(value)}'.encode()
