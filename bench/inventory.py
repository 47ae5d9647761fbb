"""The bench of the inventory: requests and our own cost of a whole registry, of a day of changes, and of a first hour."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import SecretStr

from bench.measure import Cost, run_child
from bench.results import Table, record
from bench.stand_in import StandIn, running

REPOSITORIES, LARGE = 1_000, 10_000
FIRST_HOUR = 4 * 3600  # requests of an hour at four a second
_KINDS = (
    ("push_repo", 200),
    ("create_tag", 20),
    ("delete_tag", 20),
    ("change_repo_permission", 20),
    ("org_add_team_member", 15),
    ("create_robot", 10),
    ("set_repo_description", 10),
    ("change_repo_visibility", 5),
)


class Run(NamedTuple):
    """One run over the registry: our cost, and what it asked and found."""

    cost: Cost
    said: dict[str, Any]

    @property
    def requests(self) -> int:
        """What the stand-in was asked."""
        return int(self.said["requests"])


def main() -> None:
    """Measures child processes; this process stays small."""
    with tempfile.TemporaryDirectory() as made:
        tables = [*_thousand(Path(made) / "small"), _large(Path(made) / "large")]
    record("inventory", _INTRO, tables)


_INTRO = (
    f"A stand-in Quay with a registry of {REPOSITORIES:,} repositories, and one of {LARGE:,}. The alternative is what a plain script does: "
    "every read operation for every object, once a day. Requests do not depend on the machine; a real Quay spends about 0.25 s of "
    "CPU on each."
)


def _thousand(folder: Path) -> list[Table]:
    folder.mkdir()
    with running(folder, "--scenario", f"registry:{REPOSITORIES}", "--events", "500", "--days", "2") as quay:
        home = folder / "ledger"
        _child(quay, home, "log", 0)
        first = _child(quay, home, "all due", 0)
        again = _child(quay, home, "all due", 0)
        objects = _change(quay)
        _child(quay, home, "log", 0)
        events = _child(quay, home, "all due", 0)
        daily = _child(quay, home, "all due", 25)
        whole = _child(quay, home, "everything", 26)
        # Half a period after everything was read: from then on each run does its share.
        ticks = [_child(quay, home, "tick", 26 + 96 + hour) for hour in range(24)]
    share = sum(run.requests for run in ticks)
    day = events.requests + daily.requests
    head = ("run", "requests", "of a daily snapshot", "looks", "new / changed / gone", "CPU s", "peak MB")
    rows = [
        _row("the whole registry, first", first, whole),
        _row("at once again: nothing is due", again, whole),
        _row(f"after {objects} changes on {_objects(objects)}: what events ask for", events, whole),
        _row("the lists of the next day", daily, whole),
        _row("a daily snapshot of everything (the alternative)", whole, whole),
    ]
    told = [
        f"An event-driven day costs {day:,} requests, {day / whole.requests:.1%} of a daily snapshot of everything.",
        f"A day of the service, 24 runs an hour apart with their share of a round of 7 days and the day's lists: {share:,} requests, "
        f"{share / whole.requests:.1%}.",
    ]
    return [Table(f"{REPOSITORIES:,} repositories", head, rows, told)]


def _large(folder: Path) -> Table:
    folder.mkdir()
    with running(folder, "--scenario", f"registry:{LARGE}", "--events", "500", "--days", "2") as quay:
        run = _child(quay, folder / "ledger", f"requests {FIRST_HOUR}", 0)
    coverage = run.said["coverage"]
    rows = [
        (
            look,
            f"{coverage[look][0]:,}",
            f"{coverage[look][1]:,}",
            f"{coverage[look][0] / max(1, coverage[look][1]):.0%}",
        )
        for look in _SHOWN
    ]
    told = [
        f"{run.requests:,} requests, {run.cost.cpu_s:.1f} s of our CPU ({run.cost.cpu_s / run.requests * 1000:.1f} ms a request), "
        f"peak {run.cost.peak_mb:.0f} MB."
    ]
    return Table(
        f"{LARGE:,} repositories: what is known after {FIRST_HOUR:,} requests, an hour at four a second",
        ("look", "read", "targets", "share"),
        rows,
        told,
    )


_SHOWN = (
    "users",
    "organizations",
    "repositories",
    "organization",
    "robots",
    "members",
    "team_members",
    "team_permissions",
    "user_permissions",
    "tags",
)


def _row(title: str, run: Run, whole: Run) -> tuple[str, ...]:
    said = run.said
    return (
        title,
        f"{run.requests:,}",
        f"{run.requests / whole.requests:.1%}",
        f"{sum(said['states'].values()):,}",
        f"{said['opened']:,} / {said['changed']:,} / {said['closed']:,}",
        f"{run.cost.cpu_s:.1f}",
        f"{run.cost.peak_mb:.0f}",
    )


def _objects(changes: int) -> str:
    return f"{changes} objects at most"


def _change(quay: StandIn) -> int:
    """A day's changes, spread over the registry by a fixed seed."""
    rng = random.Random(11)
    found = {
        "repositories": [
            f"{row['namespace']}/{row['name']}" for row in quay.listed("repository?public=true", "repositories")
        ],
        "users": [row["username"] for row in quay.listed("superuser/users/", "users")],
    }
    done = 0
    for kind, number in _KINDS:
        for count in range(number):
            namespace, repository = rng.choice(found["repositories"]).split("/", 1)
            done += _act(quay, kind, namespace, repository, count, rng, found)
    return done


def _act(
    quay: StandIn, kind: str, namespace: str, repository: str, count: int, rng: random.Random, found: dict[str, Any]
) -> int:
    user = rng.choice(found["users"])
    metadata: dict[str, Any] = {
        "push_repo": {"tag": f"build-{count}"},
        "create_tag": {"tag": f"made-{count}"},
        "delete_tag": {"tag": "latest"},
        "change_repo_permission": {"username": user, "role": "write"},
        "org_add_team_member": {"member": user, "team": "developers"},
        "create_robot": {"robot": f"bench{count}"},
        "set_repo_description": {"description": f"changed {count}"},
        "change_repo_visibility": {"visibility": "public"},
    }[kind]
    on = repository if not kind.startswith("org_") and kind != "create_robot" else ""
    try:
        quay.control("act", kind=kind, namespace=namespace, repository=on, performer="", metadata=metadata)
    except OSError:  # there is no such tag or team here
        return 0
    return 1


def _child(quay: StandIn, home: Path, what: str, later_hours: int) -> Run:
    child = run_child(
        [sys.executable, "-m", "bench.inventory", quay.url, quay.tokens["superuser"], str(home), what, str(later_hours)]
    )
    return Run(child.cost, json.loads(child.out))


def _take(url: str, token: str, home: Path, what: str, later: timedelta) -> dict[str, Any]:
    """What a child does: reads the log, or takes the inventory, at a time that is that much later."""
    from quayledger.collector.inventory.inventory_sync import InventoryRequest
    from quayledger.collector.sync import SyncRequest
    from quayledger.service.jobs import inventory_and_publish, sync_and_publish
    from quayledger.settings import CollectSettings, Settings, SourceSettings
    from quayledger.warehouse.ledger import Ledger

    source = SourceSettings(url=url, token=SecretStr(token), requests_per_second=1000, chains=2)
    chosen = Settings.model_construct().model_copy(
        update={"sources": {"main": source}, "collect": CollectSettings(settle_seconds=0)}
    )
    now: Callable[[], datetime] = lambda: datetime.now(UTC) + later  # noqa: E731 - one line says it
    with Ledger.open(home, command="bench") as ledger:
        if what == "log":
            outcome = asyncio.run(sync_and_publish(ledger, chosen, SyncRequest(), command="bench"))
            return {"requests": outcome.sources[0].requests}
        word, _, number = what.partition(" ")
        request = InventoryRequest(
            everything=word == "everything",
            requests=int(number) if word == "requests" else None,
            tick=timedelta(hours=1) if word == "tick" else None,
        )
        (done,) = asyncio.run(inventory_and_publish(ledger, chosen, request, command="bench", now=now))
        if done.failure is not None:
            raise done.failure
        return {
            "requests": done.requests,
            "states": done.states,
            "opened": done.opened,
            "changed": done.changed,
            "closed": done.closed,
            "coverage": _coverage(ledger),
        }


def _coverage(ledger: Any) -> dict[str, tuple[int, int]]:
    """Targets that were read, of all that there are, by query."""
    from quayledger.collector.inventory.targets import read_targets
    from quayledger.warehouse.catalog.queries import QUERIES

    targets = read_targets(ledger, "main", "superuser", datetime.now(UTC))
    rows = ledger.rows("SELECT look, count(*) FROM looks WHERE state IN ('ok', 'partial') GROUP BY look")
    read = {look: int(number) for look, number in rows}
    return {kind.name: (read.get(kind.name, 0), len(targets.of(kind))) for kind in QUERIES}


if __name__ == "__main__":
    if len(sys.argv) > 2:
        url, token, home, what, hours = sys.argv[1:]
        print(json.dumps(_take(url, token, Path(home), what, timedelta(hours=int(hours)))))
    else:
        main()
