"""The inventory's reports: what was, on any day; what is not known is said and never shown as nothing; names do no harm."""

from __future__ import annotations

import csv as csv_module
import io
import json as json_module
import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from quayledger.reports.errors import UnknownColumn, UnknownFamily, UnknownObject
from quayledger.reports.inventory import changes, object_report
from quayledger.reports.inventory.cascades import with_along
from quayledger.reports.inventory.kinds import KINDS
from quayledger.reports.model import Report, Table
from quayledger.reports.period import whole_days
from quayledger.reports.render import csv, html
from quayledger.warehouse.catalog import FAMILIES
from quayledger.warehouse.inventory.diff_steps import DIFF_SCHEMA
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.publish import publish
from quayledger.warehouse.snapshot import Snapshot
from tests.reports.building import build
from tests.reports.inventory_sample import (
    GRANTED,
    HOSTILE,
    HOSTILE_TEAM,
    MAIN,
    NEW,
    NOW,
    OLD,
    RENAMED,
    build_inventory,
)
from tests.reports.test_report_render import GOLDEN, RENDERERS
from tests.warehouse.sample import begin

FIRST_DAY, LAST_DAY = date(2026, 11, 11), date(2026, 11, 21)
BUILDS: dict[str, Callable[[Snapshot], Report]] = {
    "inventory-user": lambda snapshot: build("inventory", snapshot, kind="user", name="bob"),
    "inventory-robot": lambda snapshot: build("inventory", snapshot, kind="robot", name="acme+ci"),
    "inventory-team": lambda snapshot: build("inventory", snapshot, kind="team", name="acme/developers"),
    "inventory-repository": lambda snapshot: build("inventory", snapshot, kind="repository", name="acme/web"),
    "inventory-organization": lambda snapshot: build("inventory", snapshot, kind="organization", name="acme"),
    "inventory-tag": lambda snapshot: build("inventory", snapshot, kind="tag", name="acme/web:latest"),
    "inventory-changes": lambda snapshot: build(
        "inventory-changes", snapshot, period=whole_days(FIRST_DAY, LAST_DAY, "UTC")
    ),
    "inventory-coverage": lambda snapshot: build("inventory-coverage", snapshot),
}
LISTS: dict[str, Callable[[Snapshot], Report]] = {
    "inventory-users": lambda snapshot: build("inventory-list", snapshot, kind="user", by="idle_days"),
    "inventory-robots": lambda snapshot: build("inventory-list", snapshot, kind="robot"),
    "inventory-teams": lambda snapshot: build("inventory-list", snapshot, kind="team"),
    "inventory-repositories": lambda snapshot: build("inventory-list", snapshot, kind="repository", by="size_bytes"),
    "inventory-organizations": lambda snapshot: build("inventory-list", snapshot, kind="organization"),
    "inventory-tags": lambda snapshot: build("inventory-list", snapshot, kind="tag", within="acme/web"),
}


@pytest.fixture(scope="module")
def inventory_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("inventory")
    build_inventory(home)
    return home


@pytest.fixture
def snapshot(inventory_home: Path) -> Iterator[Snapshot]:
    with Snapshot.open(inventory_home) as opened:
        yield opened


@pytest.fixture(scope="module")
def golden_report(inventory_home: Path) -> Callable[[str], Report]:
    """The report of a golden file, built once for all of its forms."""

    @cache
    def built(name: str) -> Report:
        with Snapshot.open(inventory_home) as snapshot:
            return (BUILDS | LISTS)[name](snapshot)

    return built


@pytest.fixture
def untouched(tmp_path: Path) -> Iterator[Snapshot]:
    """A registry of which nothing was ever looked at."""
    with Ledger.open(tmp_path, command="sample") as ledger:
        begin(ledger, MAIN)
        publish(ledger, keep=3, now=NOW)
    with Snapshot.open(tmp_path) as opened:
        yield opened


def _note(table: Table) -> str:
    return str(table.note or "")


def _notes(report: Report) -> str:
    return "\n".join(note.text for note in report.notes)


def _metric(report: Report, name: str) -> float | None:
    return next(metric.value for metric in report.metrics if metric.name == name)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        *((name, form) for name in BUILDS for form in ("txt", "html", "json")),
        *((name, form) for name in LISTS for form in ("txt", "json")),
    ],
)
def test_what_people_read(name: str, form: str, golden_report: Callable[[str], Report]) -> None:
    told = RENDERERS[form](golden_report(name))
    path = GOLDEN / f"{name}.{form}"
    if os.environ.get("QUAYLEDGER_UPDATE_GOLDEN") == "1":
        path.write_text(told, encoding="utf-8", newline="")
    with path.open(encoding="utf-8", newline="") as file:
        assert told == file.read(), f"{path.name} differs; set QUAYLEDGER_UPDATE_GOLDEN=1 if it should"


def _listed(report: Report) -> list[str]:
    return report.tables[0].frame["name"].to_list()


def test_a_list_holds_what_there_was_on_its_day_under_the_names_that_show_takes(snapshot: Snapshot) -> None:
    assert "acme+old" in _listed(build("inventory-list", snapshot, kind="robot", as_of=LAST_DAY - timedelta(days=6)))
    assert "acme+old" not in _listed(build("inventory-list", snapshot, kind="robot"))
    for kind in KINDS:
        for name in _listed(build("inventory-list", snapshot, kind=kind.name)):
            assert build("inventory", snapshot, kind=kind.name, name=name).title == f"{kind.title} {name}"


def test_a_list_is_narrowed_and_sorted(snapshot: Snapshot) -> None:
    everyone = _listed(build("inventory-list", snapshot, kind="user"))
    assert set(_listed(build("inventory-list", snapshot, kind="user", within="acme"))) < set(everyone)
    assert _listed(build("inventory-list", snapshot, kind="team", within="globex")) == []
    assert _listed(build("inventory-list", snapshot, kind="repository", within="acme/web")) == ["acme/web"]
    tags = build("inventory-list", snapshot, kind="tag", within="acme/web")
    assert _note(tags.tables[0]) == "", "what is unknown of other repositories does not concern this one"
    assert "not read yet" in _note(build("inventory-list", snapshot, kind="tag", within="acme/api").tables[0])
    sizes = build("inventory-list", snapshot, kind="repository", by="size_bytes", top=2)
    shown = sizes.tables[0].frame["size_bytes"].to_list()
    assert len(shown) == 2 < sizes.tables[0].total_rows
    assert shown == sorted(shown, reverse=True)
    with pytest.raises(UnknownColumn, match="idle_days"):
        build("inventory-list", snapshot, kind="robot", by="size")
    with pytest.raises(UnknownObject, match="organization"):
        build("inventory-list", snapshot, kind="planet")


def test_a_list_that_was_not_read_has_no_figures(snapshot: Snapshot, untouched: Snapshot) -> None:
    for kind in KINDS:
        report = build("inventory-list", untouched, kind=kind.name)
        assert {metric.value for metric in report.metrics} == {None}
        assert report.tables[0].empty == ""
        assert "not read yet" in _note(report.tables[0])
    # Roles on other repositories may not be read: so how many there are is not known of a robot that has none.
    robots = build("inventory-list", snapshot, kind="robot")
    assert "Roles of users and robots: unknown for 3 of 4" in _note(robots.tables[0])
    assert robots.tables[0].frame["federated"].to_list() == [None]
    assert "Outside identities that may act as the robot: unknown" in _note(robots.tables[0])


def test_a_role_is_that_of_the_day_that_is_asked_for(snapshot: Snapshot) -> None:
    def role(day: date | None) -> list[tuple[str, datetime]]:
        report = build("inventory", snapshot, kind="user", name="bob", as_of=day)
        found = report.table("permissions").frame
        assert report.table("access").frame.filter(via="direct")["role"].to_list() == found["role"].to_list()
        return list(found.select("role", "from_at").iter_rows())

    assert [name for name, _ in role(date(2026, 11, 12))] == ["write"]
    # An event told of it in the morning of the 13th; the look that saw it was a day later.
    assert role(date(2026, 11, 13)) == role(date(2026, 11, 20)) == role(None) == [("admin", GRANTED)]


def test_a_day_before_the_first_look_is_not_known_rather_than_empty(snapshot: Snapshot) -> None:
    report = build("inventory", snapshot, kind="repository", name="acme/web", as_of=date(2026, 11, 9))
    builds = report.table("builds")
    assert builds.frame.is_empty()
    assert builds.empty == ""
    assert "first read 2026-11-10 06:00:25 UTC" in _note(builds)
    assert "First seen 2026-11-10 06:00:03 UTC, after the requested day: it may be older" in _note(report.tables[0])
    # Quay itself told, a day later, that the tag had been there.
    assert report.table("tags").frame.rows(named=True)[0]["digest"] == OLD
    assert report.trust.level == "bad"
    assert len(report.trust.details) > 1


@pytest.mark.parametrize(
    ("name", "table", "says"),
    [
        ("acme/web", "triggers", "Build triggers: unknown: refused, as of 2026-11-10 06:00:23 UTC"),
        ("globex/base", "access", "Roles of users and robots: unknown: not requested"),
        ("acme/api", "tags", "All tags with their history: unknown: not read yet"),
    ],
)
def test_what_is_not_known_is_never_shown_as_nothing(name: str, table: str, says: str, snapshot: Snapshot) -> None:
    report = build("inventory", snapshot, kind="repository", name=name)
    found = report.table(table)
    assert says in _note(found)
    assert found.empty == ""
    assert says in _notes(report)
    assert "it needs a token with the scope repo:" in _notes(report) or "not read yet" in says
    if table == "tags":
        assert _metric(report, "tags") is None


def test_what_was_looked_at_and_is_not_there_is_none(snapshot: Snapshot) -> None:
    table = build("inventory", snapshot, kind="repository", name="acme/web").table("autoprune")
    assert (table.frame.height, table.note, table.empty) == (0, "", "none")


def test_what_is_gone_is_shown_as_it_was_last(snapshot: Snapshot) -> None:
    nested = build("inventory", snapshot, kind="repository", name="acme/team/nested/app")
    assert nested.table("settings").frame["state"].to_list() == ["NORMAL"]
    assert "Removed 2026-11-20 06:00:03 UTC, after 2026-11-14 06:00:03 UTC" in _note(nested.table("settings"))
    robot = build("inventory", snapshot, kind="robot", name="acme+old")
    assert robot.table("account").frame["description"].to_list() == ["builds"]
    assert robot.table("history").frame["change"].to_list() == ["added"]
    assert robot.table("last_use").frame["evidence"].to_list() == ["quay"]
    there = build("inventory", snapshot, kind="robot", name="acme+old", as_of=date(2026, 11, 15))
    assert "gone" not in _note(there.table("account"))


def test_a_renamed_account_names_the_other(snapshot: Snapshot) -> None:
    when = f"{RENAMED:%Y-%m-%d %H:%M:%S} UTC"
    assert f"dave was renamed to david on {when}: see david" in _notes(
        build("inventory", snapshot, kind="user", name="dave")
    )
    assert f"david was called dave until {when}" in _notes(build("inventory", snapshot, kind="user", name="david"))


def test_who_pushed_is_said_with_how_sure_that_is(snapshot: Snapshot) -> None:
    tags = build("inventory", snapshot, kind="repository", name="acme/web").table("tags").frame
    told = {row["tag"]: (row["actor"], row["confidence"]) for row in tags.iter_rows(named=True)}
    assert told == {"latest": ("acme+ci", "by window"), "v1.0": (None, "ambiguous")}
    latest = build("inventory", snapshot, kind="tag", name="acme/web:latest")
    assert latest.table("digests").frame.select("digest", "actor").rows() == [(NEW, "acme+ci"), (OLD, "bob")]
    assert _metric(latest, "signatures") == 1
    before = build("inventory", snapshot, kind="tag", name="acme/web:latest", as_of=date(2026, 11, 12))
    assert before.table("digests").frame["digest"].to_list() == [OLD]
    assert _metric(before, "signatures") is None


def test_an_account_that_no_list_holds_is_told_by_what_names_it(snapshot: Snapshot) -> None:
    report = build("inventory", snapshot, kind="user", name="eve")
    assert report.table("organizations").frame["relation"].to_list() == ["collaborator"]
    assert "This account is in no list that could be read" in _note(report.table("account"))


def test_no_evidence_is_not_never(snapshot: Snapshot) -> None:
    table = build("inventory", snapshot, kind="user", name="alice").table("last_use")
    assert table.frame["evidence"].to_list() == ["none"]
    assert "Records begin on 2026-11-09. No record does not mean it was never used" in _note(table)


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("user", "alise", "did you mean alice?"),
        ("repository", "acme/nested", "acme/team/nested/app"),
        ("tag", "acme/web:lates", "acme/web:latest"),
        ("team", "developers", "Write it as in acme/developers"),
        ("robot", "ci", "Write it as in acme+ci"),
        ("planet", "x", "'planet' is not a valid kind"),
        ("user", "bob\x1b[31m", r"bob\x1b[31m"),
    ],
)
def test_an_unknown_name_gives_the_nearest(kind: str, name: str, says: str, snapshot: Snapshot) -> None:
    with pytest.raises(UnknownObject) as caught:
        build("inventory", snapshot, kind=kind, name=name)
    assert says in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_names_are_those_of_the_day(snapshot: Snapshot) -> None:
    assert "carol" in object_report.names(snapshot, "user", as_of=date(2026, 11, 15), now=NOW)
    assert "carol" not in object_report.names(snapshot, "user", now=NOW)
    assert object_report.names(snapshot, "organization", now=NOW) == ["acme", "globex"]


def test_names_that_mean_harm_do_none(snapshot: Snapshot) -> None:
    report = build("inventory", snapshot, kind="organization", name="acme")
    assert "<img" not in html.render(report)
    assert "&lt;img src=x" in html.render(report)
    rows = [row for table in report.tables for row in csv_module.reader(io.StringIO(csv.render(report, table.name)))]
    cells = [cell for row in rows for cell in row]
    assert "'=1+1" in cells
    assert f"'{HOSTILE_TEAM}" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "@", "\t", "\r"))]
    person = build("inventory", snapshot, kind="user", name=HOSTILE)
    assert "<img" not in html.render(person)
    assert "\x1b" not in RENDERERS["txt"](report)
    # In JSON every name is as it is.
    tables = json_module.loads(RENDERERS["json"](report))["report"]["tables"]
    assert HOSTILE_TEAM in [row["team"] for table in tables if table["name"] == "teams" for row in table["frame"]]


def test_a_difference_has_each_change_once_and_each_step_if_asked(snapshot: Snapshot) -> None:
    net = build("inventory-changes", snapshot, period=whole_days(FIRST_DAY, LAST_DAY, "UTC"))
    access = net.table("access").frame
    row = access.filter(pl.col("object") == "acme/web user bob").row(0, named=True)
    assert (row["before"], row["after"], row["certainty"]) == ("write", "admin", "from the audit log")
    assert "removed" in net.table("accounts").frame.filter(object="carol")["change"].to_list()
    assert net.table("accounts").frame.filter(change="renamed").select("before", "after").rows() == [("dave", "david")]
    quiet = build("inventory-changes", snapshot, period=whole_days(date(2026, 11, 15), date(2026, 11, 19), "UTC"))
    assert [metric.value for metric in quiet.metrics] == [0, 0, 0, 0, 1, 0]
    every = build("inventory-changes", snapshot, period=whole_days(FIRST_DAY, LAST_DAY, "UTC"), every_step=True)
    assert sum(table.total_rows for table in every.tables) >= sum(table.total_rows for table in net.tables)


def _gone(minute: int, family: str, change: str = "vanished", **key: str | int) -> dict[str, object]:
    at = datetime(2026, 11, 20, 12, minute, tzinfo=UTC)
    row = dict.fromkeys(DIFF_SCHEMA) | {"source_id": "main", "family": family, "change": change, "at": at}
    return row | {"object": " ".join(map(str, key.values())), "key": json_module.dumps(key)}


def test_what_went_with_what_held_it_is_told_apart() -> None:
    acme, web = {"namespace": "acme"}, {"namespace": "acme", "repository": "web"}
    rows = [
        # Somebody took this away before the organization went.
        (_gone(1, "repository_permissions", **web, principal_kind="user", principal="dan"), None),
        (_gone(5, "organizations", organization="acme"), None),
        (_gone(5, "repositories", **web), "organization acme"),
        (_gone(6, "tags", **web, tag="v1", digest="sha256:a"), "organization acme"),
        (_gone(5, "robots", robot="acme+ci"), "organization acme"),
        (_gone(5, "robots", robot="acmes+ci"), None),
        (_gone(7, "vulnerabilities", digest="sha256:a", vulnerability="CVE-1"), "image sha256:a"),
        # Scanned anew: mended, not gone.
        (_gone(6, "tags", **web, tag="v2", digest="sha256:b"), "organization acme"),
        (_gone(7, "vulnerabilities", digest="sha256:b", vulnerability="CVE-1"), None),
        (_gone(7, "scans", "measured", digest="sha256:b"), None),
        (_gone(2, "teams", organization="umbrella", team="qa"), None),
        (
            _gone(
                2, "repository_permissions", namespace="umbrella", repository="x", principal_kind="team", principal="qa"
            ),
            "team umbrella/qa",
        ),
        # A user who is called like that team is another.
        (
            _gone(
                2, "repository_permissions", namespace="umbrella", repository="x", principal_kind="user", principal="qa"
            ),
            None,
        ),
        (_gone(3, "users", username="eve"), None),
        (_gone(3, "team_members", organization="umbrella", team="dev", member="eve"), "user eve"),
        (_gone(3, "team_members", "appeared", organization="umbrella", team="ops", member="eve"), None),
        (_gone(3, "quotas", namespace="umbrella", quota_id=3), None),
        (_gone(3, "quota_limits", namespace="umbrella", quota_id=3, limit_id=1), "quota umbrella/3"),
        (_gone(3, "quota_limits", namespace="umbrella", quota_id=4, limit_id=1), None),
        (_gone(4, "autoprune_policies", **acme, policy="p"), None),
    ]
    found = with_along(pl.DataFrame([row for row, _ in rows], schema=DIFF_SCHEMA))
    assert found["object"].to_list() == [row["object"] for row, _ in rows]
    assert found["along"].to_list() == [along for _, along in rows]
    elsewhere = found.drop("along").with_columns(
        pl.when(pl.col("family") == "organizations").then(pl.lit("other")).otherwise("source_id").alias("source_id")
    )
    assert "organization acme" not in with_along(elsewhere)["along"]


def test_what_changed_by_itself_is_told_above_what_went_along(snapshot: Snapshot) -> None:
    net = build("inventory-changes", snapshot, period=whole_days(FIRST_DAY, LAST_DAY, "UTC"))
    along = {
        table.name: table.frame["after"].str.starts_with("removed with ").fill_null(value=False)
        for table in net.tables
        if "after" in table.frame
    }
    assert sum(one.sum() for one in along.values()) == next(one.value for one in net.metrics if one.name == "along")
    assert any(one.any() for one in along.values())
    assert all(one.is_sorted() for one in along.values())
    # The families that were asked for say so though those that held them were not asked for.
    some = build("inventory-changes", snapshot, period=whole_days(FIRST_DAY, LAST_DAY, "UTC"), families=("content",))
    assert some.table("content").frame.equals(net.table("content").frame)


def test_a_difference_can_be_of_some_families(snapshot: Snapshot) -> None:
    some = build(
        "inventory-changes", snapshot, period=whole_days(FIRST_DAY, LAST_DAY, "UTC"), families=("teams", "sizes")
    )
    assert [table.name for table in some.tables] == ["accounts", "sizes", "unknown"]
    assert set(some.table("accounts").frame["what"]) == {"Teams"}
    with pytest.raises(UnknownFamily, match="nosuch"):
        build("inventory-changes", snapshot, period=whole_days(FIRST_DAY, LAST_DAY, "UTC"), families=("nosuch",))


def test_every_family_has_a_place_among_the_changes() -> None:
    placed = [family for _, _, families in changes.AREAS for family in families]
    assert sorted(placed) == sorted([family.name for family in FAMILIES] + ["sizes", "scans"])


def test_a_difference_says_what_was_not_known(snapshot: Snapshot) -> None:
    early = build("inventory-changes", snapshot, period=whole_days(date(2026, 11, 1), date(2026, 11, 9), "UTC"))
    assert "Nothing had been read by the end of 2026-11-09" in _notes(early)
    across = build("inventory-changes", snapshot, period=whole_days(date(2026, 11, 1), date(2026, 11, 12), "UTC"))
    assert "The inventory was first read 2026-11-10 06:00:00 UTC: changes before that are not known here." in _notes(
        across
    )
    assert "refused" in across.table("unknown").frame["state"].to_list()


def test_coverage_counts_every_target_once(snapshot: Snapshot) -> None:
    report = build("inventory-coverage", snapshot)
    states = report.table("states").frame
    assert (states.select(pl.sum_horizontal(pl.exclude("query", "targets"))).to_series() == states["targets"]).all()
    told = {row["query"]: row for row in states.iter_rows(named=True)}
    assert (told["user_permissions"]["ok"], told["user_permissions"]["refused"]) == (1, 2)
    assert (told["user_permissions"]["not_asked"], told["user_permissions"]["never"]) == (1, 0)
    assert told["team_members"]["never"] == 1
    reasons = report.table("reasons").frame
    assert "repo:admin" in reasons.filter(state="refused")["todo"].item()


def test_nothing_read_yet_says_what_to_do(untouched: Snapshot) -> None:
    with pytest.raises(UnknownObject, match="quayledger inventory sync"):
        build("inventory", untouched, kind="user", name="alice")
    for report in (
        build("inventory-coverage", untouched),
        build("inventory-changes", untouched, period=whole_days(FIRST_DAY, LAST_DAY, "UTC")),
    ):
        assert "quayledger inventory sync" in _notes(report)
        for render in RENDERERS.values():
            assert "quayledger inventory sync" in render(report) or render is RENDERERS["csv"]
