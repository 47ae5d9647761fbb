"""What a Quay records: from its configuration, its API reference and its events, and never more than those tell."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

import pytest

from quayledger.warehouse.catalog.recorded_kinds import (
    LEFT_OUT,
    MILESTONES,
    RECORDED_SINCE,
    SWITCHES,
    Recording,
    gaps,
    recordings,
    version_bounds,
)

_ROOT = Path(__file__).resolve().parents[2]
_ALL = frozenset(one.operation for one in MILESTONES)
_ALWAYS = frozenset(one.operation for one in MILESTONES if one.is_always_listed)


def states(found: list[Recording]) -> dict[str, tuple[str, bool]]:
    return {one.setting or one.what: (one.state, one.is_certain) for one in found}


def test_the_declaration_is_of_kinds_and_operations_that_quay_has() -> None:
    with (_ROOT / "warehouse/seeds/log_kinds.csv").open(encoding="utf-8") as file:
        known = {row["kind"] for row in csv.DictReader(file)}
    kinds = {kind for since in RECORDED_SINCE for kind in since.kinds}
    kinds |= {kind for switch in SWITCHES for kind in switch.kinds} | {
        kind for _, _, names in LEFT_OUT for kind in names
    }
    assert kinds - known == set()
    recorded = json.loads((_ROOT / "tests/recordings/314_discovery.json").read_text())
    paths = recorded.get("body", recorded)["paths"]
    listed = {
        operation["operationId"]
        for path in paths.values()
        for operation in path.values()
        if isinstance(operation, dict)
    } - {None}
    assert listed >= _ALWAYS, "a Quay of 2026-08 lists what is said to be always listed"


def test_operations_bound_the_version() -> None:
    assert version_bounds(()) == (None, None), "an API reference that was not read says nothing"
    newest, lacking = version_bounds({"listTags"})
    assert newest is None
    assert lacking is not None
    assert lacking.operation == "getRegistryCapabilities"
    newest, lacking = version_bounds({"listTags", "getOrgMirrorConfig"})
    assert newest is not None
    assert lacking is not None
    assert (newest.since, lacking.since) == (date(2026, 2, 1), date(2026, 7, 10))
    newest, lacking = version_bounds(_ALL)
    assert newest is not None
    assert (newest.operation, lacking) == ("listOrgNotifications", None)


@pytest.mark.parametrize(
    ("seen", "operations", "expected"),
    [
        (frozenset(), frozenset(), ("not known", False)),
        (frozenset(), frozenset({"listTags"}), ("not recorded by this version of Quay", True)),
        (frozenset(), _ALL, ("recorded", True)),
        (frozenset({"org_mirror_enabled"}), frozenset({"listTags"}), ("recorded", True)),
    ],
)
def test_a_kind_is_recorded_where_something_proves_it(
    seen: frozenset[str], operations: frozenset[str], expected: tuple[str, bool]
) -> None:
    assert states(recordings(seen, operations, None))["mirrors of whole organizations"] == expected


def test_an_organization_deleted_by_its_own_administrator_proves_nothing() -> None:
    found = states(recordings({"org_delete"}, {"listTags"}, None))
    assert found["organizations deleted by a superuser"] == ("not recorded by this version of Quay", True)
    assert states(recordings({"org_delete"}, _ALL, None))["organizations deleted by a superuser"] == (
        "not known",
        False,
    )


def test_switches_are_certain_only_with_the_configuration() -> None:
    inferred = states(recordings((), (), None))
    assert inferred["ACTION_LOG_AUDIT_LOGIN_FAILURES"] == ("off by default", False)
    assert inferred["ACTION_LOG_AUDIT_LOGINS"] == ("not known", False)
    assert states(recordings({"login_failure"}, (), None))["ACTION_LOG_AUDIT_LOGIN_FAILURES"] == ("recorded", False)
    config: dict[str, object] = {
        "ACTION_LOG_AUDIT_LOGINS": False,
        "ACTION_LOG_AUDIT_PULL_FAILURES": True,
        "DISABLED_FOR_PULL_LOGS": ["scratch", "ci"],
        "DISABLED_FOR_AUDIT_LOGS": [],
    }
    known = states(recordings({"login_success"}, (), config))
    assert known["ACTION_LOG_AUDIT_LOGINS"] == ("switched off", True), "a setting of now beats an event of then"
    assert known["ACTION_LOG_AUDIT_LOGIN_FAILURES"] == ("switched off", True), (
        "the default of a setting that is not set"
    )
    assert known["ACTION_LOG_AUDIT_PULL_FAILURES"] == ("recorded", True)
    assert known["DISABLED_FOR_PULL_LOGS"] == ("in part", True)
    assert "DISABLED_FOR_AUDIT_LOGS" not in known
    assert {one.setting for one in gaps(recordings((), _ALL, config)) if one.setting} == {
        "ACTION_LOG_AUDIT_LOGINS",
        "ACTION_LOG_AUDIT_LOGIN_FAILURES",
        "ACTION_LOG_AUDIT_PUSH_FAILURES",
        "ACTION_LOG_AUDIT_DELETE_FAILURES",
        "DISABLED_FOR_PULL_LOGS",
    }
