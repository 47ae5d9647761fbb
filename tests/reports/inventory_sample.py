"""A small registry whose inventory was taken three times: what changed, what went, what was renamed, what may not be read, and
names that mean harm."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from quayledger.warehouse.catalog import FAMILY, SERIES_BY_NAME
from quayledger.warehouse.inventory.store import FamilyRows, Fetch, FetchState, SeriesRows, note_rename, record_fetches
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.publish import publish
from quayledger.warehouse.runs import finish_run, start_run
from tests.warehouse.sample import begin, event, seal, store

MAIN = "main"
FIRST, SECOND, THIRD = (datetime(2026, 11, day, 6, 0, tzinfo=UTC) for day in (10, 14, 20))
NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
GRANTED, RENAMED, PUSHED = (datetime(2026, 11, *when, tzinfo=UTC) for when in ((13, 9), (16, 12), (13, 10)))
OLD, NEW, RELEASE = (f"sha256:{letter * 64}" for letter in "abc")
HOSTILE = "</script><img src=x onerror=alert(1)>"
HOSTILE_TEAM = "=cmd|' /C calc'!A0"
HOSTILE_TEXT = "[red]deploys\x1b[31m\u202e everything"
REFUSED = "main: listRepoUserPermissions (403): Unauthorized [insufficient_scope]. Give the token the scope"
_AGENT = "docker/27.3.1 go/go1.22.7 os/linux arch/amd64"
Row = Sequence[Any]


class Taken:
    """The fetches of one time, gathered and then recorded."""

    def __init__(self, at: datetime) -> None:
        self._at = at
        self.fetches: list[Fetch] = []

    def fetch(
        self,
        name: str,
        target: str,
        brought: Sequence[tuple[str, dict[str, Any], Iterable[Row]]] = (),
        measured: Sequence[tuple[str, Iterable[Row]]] = (),
        *,
        state: FetchState = "ok",
        reason: str = "",
        caused_at: datetime | None = None,
    ) -> None:
        """One fetch, a second after the one before."""
        moment = self._at + timedelta(seconds=len(self.fetches))
        parts = tuple(FamilyRows(family, told, _frame(FAMILY[family].schema, rows)) for family, told, rows in brought)
        points = tuple(SeriesRows(series, _frame(SERIES_BY_NAME[series].schema, rows)) for series, rows in measured)
        self.fetches.append(Fetch(MAIN, name, target, state, reason, moment, 1, 0, caused_at, parts, points))


def _frame(schema: Any, rows: Iterable[Row]) -> pl.DataFrame:
    return pl.DataFrame([tuple(row) for row in rows], schema=dict(schema), orient="row")


def build_inventory(home: Path) -> None:
    """Fill and publish a ledger in `home`."""
    with Ledger.open(home, command="sample") as ledger:
        begin(ledger, MAIN)
        _events(ledger)
        for at, take in ((FIRST, _first), (SECOND, _second), (THIRD, _third)):
            run_id = start_run(ledger, "inventory", "sample", at)
            taken = Taken(at)
            take(taken)
            if at == THIRD:
                note_rename(ledger, MAIN, "user", "dave", "david", RENAMED, "user_change_name", run_id)
            record_fetches(ledger, run_id, taken.fetches)
            finish_run(ledger, run_id, at + timedelta(minutes=5), "done", "", ())
        publish(ledger, keep=3, now=NOW)


def _events(ledger: Ledger) -> None:
    """What the log tells: pushes, one of them by two at once, and what people did otherwise."""
    web = {"namespace": "acme", "namespace_kind": "org", "repository": "web", "repository_namespace": "acme"}
    ci = {"performer": "acme+ci", "performer_kind": "robot", "ip": "10.0.0.7", "user_agent": _AGENT}
    bob = {"performer": "bob", "performer_kind": "user", "ip": "10.0.0.9", "user_agent": "skopeo/1.9.3"}
    days = {
        date(2026, 11, 9): [event(8 * 3600, "push_repo", day=date(2026, 11, 9), tag="latest", **web, **bob)],
        date(2026, 11, 13): [
            event(10 * 3600 + 1, "push_repo", day=date(2026, 11, 13), tag="latest", **web, **ci),
            event(11 * 3600, "push_repo", day=date(2026, 11, 13), tag="v1.0", **web, **ci),
            event(11 * 3600 + 2, "push_repo", day=date(2026, 11, 13), tag="v1.0", **web, **bob),
        ],
        date(2026, 11, 18): [event(7 * 3600, "pull_repo", day=date(2026, 11, 18), tag="latest", **web, **ci)],
    }
    for day, rows in days.items():
        store(ledger, rows, source_id=MAIN, day=day)
        seal(ledger, day, source_id=MAIN)


def _accounts(taken: Taken, names: Sequence[str], *, bob_enabled: bool = True) -> None:
    rows = [
        (name, f"{name[:5]}@example.com", bob_enabled or name != "bob", True, name == "root", name == "david")
        for name in names
    ]
    told = {"namespace_kind": "user"}
    brought: list[tuple[str, dict[str, Any], Iterable[Row]]] = [
        ("users", {}, rows),
        ("quotas", told, [("bob", 7, "user", 10_000_000)]),
        ("quota_limits", told, [("bob", 7, 1, "user", "Warning", 80)]),
    ]
    sizes = [("namespace", "bob", "", 5_000_000, 10_000_000, "complete", None, None, None)]
    taken.fetch("users", "", brought, [("sizes", sizes)])
    taken.fetch("organizations", "", [("organizations", {}, [("acme", "ops@example.com"), ("globex", None)])])
    tokens = [("t-1", "laptop", None, datetime(2026, 3, 1, tzinfo=UTC), None)]
    taken.fetch("app_tokens", "", [("app_tokens", {}, tokens)])


def _repositories(taken: Taken, names: Sequence[tuple[str, str]], size: int) -> None:
    rows = [(namespace, name, "image", "NORMAL", name == "api", None) for namespace, name in names]
    changed = datetime(2026, 11, 13, 11, tzinfo=UTC)
    sizes = [("repository", namespace, name, size, None, "", 3.5, changed, None) for namespace, name in names]
    taken.fetch("repositories", "", [("repositories", {}, rows)], [("sizes", sizes)])


def _organization(taken: Taken, developers_role: str, robots: Sequence[str]) -> None:
    """What one organization is asked for."""
    acme, within = {"organization": "acme"}, {"namespace": "acme"}
    teams = [
        ("acme", "owners", "admin", "", False),
        ("acme", "developers", developers_role, HOSTILE_TEXT, False),
        ("acme", HOSTILE_TEAM, "member", "", True),
    ]
    taken.fetch(
        "organization",
        "acme",
        [("organization_settings", acme, [("acme", 1_209_600, False, None)]), ("teams", acme, teams)],
        [("sizes", [("namespace", "acme", "", 80_000_000, None, "complete", None, None, None)])],
    )
    made, used = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 11, 12, tzinfo=UTC)
    taken.fetch(
        "robots",
        "acme",
        [("robots", within, [(name, "acme", "builds", made) for name in robots])],
        [("last_uses", [("robot", name, used, None) for name in robots])],
    )
    for fetch, relation, people in (
        ("members", "member", ("alice", "bob")),
        ("collaborators", "collaborator", ("eve",)),
    ):
        told = [("acme", name, relation) for name in people]
        taken.fetch(fetch, "acme", [("organization_members", acme | {"relation": relation}, told)])
    prototypes = [("acme", "p-1", None, "developers", "team", "write")]
    taken.fetch("default_permissions", "acme", [("default_permissions", acme, prototypes)])
    applications = [("acme", "C1", "Deployer", HOSTILE, "https://deploy.example.com", None)]
    taken.fetch("applications", "acme", [("applications", acme, applications)])
    policies = [("acme", "", "u-1", "number_of_tags", "20", None, True)]
    taken.fetch("namespace_autoprune", "acme", [("autoprune_policies", within | {"repository": ""}, policies)])
    taken.fetch("proxy_cache", "*", state="not_offered", reason="main: getProxyCacheConfig (404): a page of text/html")


def _teams(taken: Taken, developers: Sequence[str], role: str) -> None:
    """Who is in the teams, and what these may do; the third was never asked for."""
    for team, names in (("owners", ("alice",)), ("developers", developers)):
        told = {"organization": "acme", "team": team}
        rows = [("acme", team, name, "robot" if "+" in name else "user", False) for name in names]
        taken.fetch("team_members", f"acme/{team}", [("team_members", told, rows)])
        rights = [("acme", "web", "team", team, role)] if team == "developers" else []
        held = {"namespace": "acme", "principal_kind": "team", "principal": team}
        taken.fetch("team_permissions", f"acme/{team}", [("repository_permissions", held, rights)])


def _permissions(taken: Taken, bob: str, caused_at: datetime | None = None) -> None:
    """Roles on `acme/web`; elsewhere they may not be read."""
    where = {"namespace": "acme", "repository": "web"}
    brought: list[tuple[str, dict[str, Any], Iterable[Row]]] = [
        ("repository_permissions", where | {"principal_kind": kind}, [("acme", "web", kind, name, role)])
        for kind, name, role in (("user", "bob", bob), ("robot", "acme+ci", "write"))
    ]
    taken.fetch("user_permissions", "acme/web", brought, caused_at=caused_at)
    taken.fetch("user_permissions", "globex/*", state="not_asked", reason=REFUSED)
    for name in ("api", "=1+1"):
        taken.fetch("user_permissions", f"acme/{name}", state="refused", reason=REFUSED)


def _web(taken: Taken, tags: Sequence[Row]) -> None:
    """What is in `acme/web` and set up around it."""
    where, place = {"namespace": "acme", "repository": "web"}, ("acme", "web")
    taken.fetch("tags", "acme/web", [("tags", where, [(*place, *row) for row in tags])])
    settings = [("repository_settings", where, [(*place, 1_209_600, False)])]
    taken.fetch("repository", "acme/web", settings)
    target = (*place, "n-1", HOSTILE_TEXT, "repo_push", "webhook", "hooks.example.com", "{}")
    taken.fetch("notifications", "acme/web", [("notifications", where, [target])])
    taken.fetch("triggers", "acme/web", state="refused", reason=REFUSED.replace("RepoUserPermissions", "BuildTriggers"))
    taken.fetch("repository_autoprune", "acme/web", [("autoprune_policies", where, [])])
    builds = [(*place, "b-1", "complete", datetime(2026, 11, 12, tzinfo=UTC), None, None, "bob")]
    taken.fetch("builds", "acme/web", [("builds", where, builds)])


def _nested(taken: Taken, settings: Sequence[Row], state: FetchState = "ok") -> None:
    """What goes along with `acme/team/nested/app`."""
    where = dict(zip(("namespace", "repository"), _NESTED, strict=True))
    taken.fetch("repository", "/".join(_NESTED), [("repository_settings", where, settings)], state=state)


def _manifest(taken: Taken, digest: str) -> None:
    """What is said of one manifest."""
    place, target = ("acme", "web", digest), f"acme/web@{digest}"
    where = dict(zip(("namespace", "repository", "digest"), place, strict=True))
    kind, empty = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.empty.v1+json"
    taken.fetch("manifest", target, [("manifests", where, [(*place, kind, empty, None, False, 4, 21_000_000)])])
    labels = [(*place, "l-1", "org.opencontainers.image.vendor", HOSTILE, "manifest", "text/plain")]
    taken.fetch("labels", target, [("manifest_labels", where, labels)])
    signature = "application/vnd.dev.cosign.artifact.sig.v1+json"
    signatures = [(*place, f"sha256:{'d' * 64}", kind, signature, 512)]
    taken.fetch("referrers", target, [("referrers", where, signatures)])
    found = [
        (digest, "openssl", "3.0.1", "CVE-2026-0002", "High", "3.0.9", "https://cve.example.com/2"),
        (digest, "zlib", "1.2.11", "CVE-2026-0001", "Critical", None, None),
    ]
    points = [(digest, "acme", "web", "scanned", 1, 1, 0, 0, 0, 1, 140)]
    taken.fetch("scan", target, [("vulnerabilities", {"digest": digest}, found)], [("scans", points)])


_WEB, _API, _NESTED, _SUM, _BASE = (
    ("acme", "web"),
    ("acme", "api"),
    ("acme", "team/nested/app"),
    ("acme", "=1+1"),
    ("globex", "base"),
)
_BEGUN, _RELEASED = datetime(2026, 11, 9, 8, tzinfo=UTC), datetime(2026, 11, 13, 11, 0, 1, tzinfo=UTC)


def _first(taken: Taken) -> None:
    _accounts(taken, ("root", "alice", "bob", "carol", "dave", HOSTILE))
    _repositories(taken, (_WEB, _API, _NESTED, _SUM), 60_000_000)
    _organization(taken, "member", ("acme+ci", "acme+old"))
    _teams(taken, ("bob",), "read")
    _permissions(taken, "write")
    _web(taken, [("latest", _BEGUN, OLD, 0, None, False, False, 20_000_000, False)])
    _nested(taken, [(*_NESTED, 604_800, False)])


def _second(taken: Taken) -> None:
    """An event at GRANTED told that `bob` was made administrator of `acme/web`."""
    _accounts(taken, ("root", "alice", "bob", "carol", "dave", HOSTILE))
    _repositories(taken, (_WEB, _API, _NESTED, _SUM, _BASE), 75_000_000)
    _organization(taken, "creator", ("acme+ci", "acme+old"))
    _teams(taken, ("bob", "acme+ci"), "read")
    _permissions(taken, "admin", GRANTED)
    _web(taken, _tags())
    _manifest(taken, NEW)


def _third(taken: Taken) -> None:
    """`carol`, `acme+old` and `acme/team/nested/app` are gone, `dave` is `david` now."""
    _accounts(taken, ("root", "alice", "bob", "david", HOSTILE), bob_enabled=False)
    _repositories(taken, (_WEB, _API, _SUM, _BASE), 75_000_000)
    _organization(taken, "creator", ("acme+ci",))
    _teams(taken, ("bob", "acme+ci"), "write")
    _web(taken, _tags())
    _nested(taken, [], "gone")


def _tags() -> list[Row]:
    return [
        ("latest", _BEGUN, OLD, 0, PUSHED, False, False, 20_000_000, False),
        ("latest", PUSHED, NEW, 0, None, False, False, 21_000_000, False),
        ("v1.0", _RELEASED, RELEASE, 0, None, False, False, 21_500_000, True),
    ]
