"""A change without an event is as serious as what is known of why there is none."""

from __future__ import annotations

from quayledger.reports.detections.model import Severity
from quayledger.reports.detections.rules.changed_without_event import RULE, Params, detect


def test_only_what_quay_is_known_not_to_record_is_low() -> None:
    cases = {case.name: case.inputs() for case in RULE.fixtures}
    given = {
        name: [(one.severity or RULE.severity) for one in detect(inputs, Params())] for name, inputs in cases.items()
    }
    assert given["a permission"] == [Severity.HIGH]
    assert given["not recorded"] == [Severity.LOW]
    assert given["perhaps not recorded"] == [Severity.MEDIUM]
    left = {name: list(detect(inputs, Params(ignore_explained=True))) for name, inputs in cases.items()}
    assert [name for name, found in left.items() if found] == ["a permission", "a role", "perhaps not recorded"]
