"""No secret gets past what a call gives, wherever Quay may have put it."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest

from quayledger.collector.quay import errors, notifications
from quayledger.collector.quay.logs import LogPage
from quayledger.collector.quay.notifications import Notification
from quayledger.collector.quay.redaction import MARK
from tests.quay.calls import recorded_calls
from tests.quay.replaying import outcome, recorded_body
from tests.quay.wire import client, recording, replay

MARKER = "pl4ntedS3cr3t"
KEYS = ("token_code", "client_secret", "status_token", "archive_url", "logs_url", "resource_key", "password")
ADDRESS = f"https://user:{MARKER}@hooks.example:8443/services/{MARKER}?token={MARKER}"
# By what an object is known, what it may hold.
HOLDS: dict[str, dict[str, Any]] = {
    "last_accessed": {"token": MARKER, "token_code": MARKER},
    "client_id": {"client_secret": MARKER},
    "phase": {"archive_url": ADDRESS, "logs_url": ADDRESS, "resource_key": MARKER},
    "kid": {"jwk": {"n": MARKER, "d": MARKER}},
    "sync_status": {"external_registry_password": MARKER},
    "is_free_account": {"status_token": MARKER},
    "upstream_registry": {"upstream_registry_username": MARKER, "upstream_registry_password": MARKER},
}
RECORDED = [
    (operation, name)
    for operation, name in recorded_calls(logs_too=True)
    if recording(name)["status"] in (200, 201, 202) and name != "311_v2_auth_with_api_token"
]


def planted(value: Any, *, more: bool = True) -> Any:
    """The same with a marker wherever a secret is, and, with `more`, wherever one may be."""
    if isinstance(value, str):
        is_public = value.startswith("ssh-rsa")  # it may stand in an event
        return value if is_public and not more else value.replace("REDACTED", MARKER)
    if isinstance(value, list):
        return [planted(item, more=more) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _planted_field(key, item, more) for key, item in value.items()}
    for known_by, fields in HOLDS.items():
        if more and known_by in value:
            found.update(fields)
    return found


def _planted_field(key: str, value: Any, more: bool) -> Any:
    if (key in KEYS or key == "token") and isinstance(value, str | None):
        return MARKER
    if key == "build_source" and isinstance(value, str) and "://" in value:
        return value.replace("://", f"://user:{MARKER}@")
    if key == "external_registry_config":
        return {**value, "proxy": {"https_proxy": f"http://user:{MARKER}@proxy.example"}}
    if more and key == "config" and isinstance(value, dict) and "url" in value:
        return {"url": ADDRESS, "notification_token": MARKER}
    return planted(value, more=more)


def shown(value: object) -> str:
    """All that can be seen of what a call gave: counts of a log have days for keys, which JSON has not."""
    if isinstance(value, LogPage):
        value = (value.body, tuple(bytes(row) for row in value.rows))
    elif isinstance(value, dict):
        value = {day.isoformat() if isinstance(day, date) else day: counts for day, counts in value.items()}
    return f"{value!r} {msgspec.json.encode(value).decode() if not isinstance(value, tuple) else ''}"


@pytest.mark.parametrize(("operation", "name"), RECORDED, ids=lambda text: text[:40])
async def test_a_planted_secret_is_in_nothing_that_is_given(operation: str, name: str) -> None:
    recorded = recorded_body(name)
    is_log = "logs" in recorded["body"] and "Build" not in operation  # an event holds no objects of other families
    value, _ = await outcome(operation, {**recorded, "body": planted(recorded["body"], more=not is_log)})
    if name.startswith(("140", "148")):  # a window that was not asked for
        assert isinstance(value, errors.WrongWindow)
    else:
        assert not isinstance(value, errors.QuayError), value
    said = str(value) if isinstance(value, errors.QuayError) else shown(value)
    assert MARKER not in said


@pytest.mark.parametrize("name", ["081_", "161_", "198_", "254_", "073_", "104_"])
async def test_what_was_cut_out_has_no_field_either(name: str) -> None:
    operation, whole = next(pair for pair in RECORDED if pair[1].startswith(name))
    value, _ = await outcome(operation, {**recording(whole), "body": planted(recording(whole)["body"])})
    assert not isinstance(value, errors.QuayError), value
    assert MARK not in shown(value)


METHODS: list[tuple[str, dict[str, Any], str | None]] = [
    ("webhook", {"url": ADDRESS}, "https://hooks.example:8443"),
    ("webhook", {"url": f"HTTP://[2001:db8::1]:80/{MARKER}"}, "http://[2001:db8::1]:80"),
    ("webhook", {"url": f"https://hooks.example:{MARKER}/"}, None),
    ("webhook", {"url": MARKER}, None),
    ("webhook", {"url": 7}, None),
    ("webhook", {}, None),
    ("email", {"email": "a@example.com"}, "a@example.com"),
    ("email", {"email": MARKER}, None),
    ("quay_notification", {"target": {"kind": "user", "name": "alice"}}, "user:alice"),
    ("quay_notification", {"target": MARKER}, None),
    ("slack", {"url": f"https://hooks.slack.com/services/{MARKER}"}, "slack"),
    ("hipchat", {"notification_token": MARKER, "room_id": MARKER}, "hipchat"),
    ("flowdock", {"flow_api_token": MARKER}, "flowdock"),
]


@pytest.mark.parametrize(("method", "config", "target"), METHODS)
async def test_of_an_address_only_so_much_is_kept_as_names_the_system(
    method: str, config: dict[str, Any], target: str | None
) -> None:
    row = {"uuid": "1", "event": "repo_push", "method": method, "config": config}
    recorded = {"status": 200, "headers": {}, "body": {"notifications": [row]}}
    async with client(lambda _: replay(recorded)) as quay:
        found = await notifications.list_notifications(quay, "acme/web")
    assert found.rows == (Notification("1", "repo_push", method, target=target),)
    assert MARKER not in repr(found)
