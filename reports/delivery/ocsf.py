"""Events and alerts in the Open Cybersecurity Schema Framework, OCSF 1.8 (https://schema.ocsf.io/1.8.0). Pure.

`metadata.uid` is the event's permanent id, so that whoever takes a record twice can tell. What OCSF has no attribute for is in
`unmapped`: nothing of an event is lost."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
import polars as pl

import quayledger
from quayledger.reports.delivery.ocsf_kinds import (
    ACCESS,
    ACCOUNT,
    API,
    CLASS_NAMES,
    ENTITY,
    FINDING,
    LOGIN,
    OCSF_KINDS,
    OTHER,
    TEAM,
    UNKNOWN_KIND,
)
from quayledger.reports.desk.alerts import Alert, AlertState
from quayledger.reports.detections.model import Severity

OCSF_VERSION = "1.8.0"
Record = dict[str, Any]
_SUCCESS, _FAILURE = 1, 2
_INFORMATIONAL, _LOW = 1, 2
_SEVERITY_ID = {severity: number for number, severity in enumerate(Severity, 1)}  # info is 1, critical is 5
_FINDING_STATUS = {
    AlertState.NEW: 1,
    AlertState.ACKNOWLEDGED: 2,
    AlertState.IN_PROGRESS: 2,
    AlertState.SUPPRESSED: 3,
    AlertState.RESOLVED: 4,
}
_USER, _SERVICE = 1, 4
_UNKNOWN = "unknown"
_PRODUCT = {"name": "Quay", "vendor_name": "Red Hat"}
_OWN_PRODUCT = {"name": "quayledger", "vendor_name": "quayledger", "version": quayledger.__version__}
_UNMAPPED = ("category", "namespace", "repository", "tag", "digest", "credential", "client")
# The columns of the view `events` that a record is made of.
OCSF_COLUMNS = (
    *("event_id", "source_id", "occurred_at", "kind", "actor", "actor_type", "ip", "user_agent", "outcome", "metadata"),
    *_UNMAPPED,
)
_MOST_EVIDENCE = 100
# The id of an entity, by what its events name it with.
_ENTITY_UIDS = ("client_id", "kid", "notification_id", "trigger_id", "policy_uuid", "quota_id")


def of_events(frame: pl.DataFrame) -> Iterator[Record]:
    """The events of a frame (OCSF_COLUMNS at least) as records, in its order, one at a time: thousands of records that are held
    together cost more in Python's garbage collection than in making."""
    chosen = frame.select(OCSF_COLUMNS).with_columns(pl.col("occurred_at").dt.timestamp("ms"))
    return map(_of_event, chosen.iter_rows(named=True))


def _of_event(event: Mapping[str, Any]) -> Record:
    """One event, its time in milliseconds since 1970."""
    kind, source_id = event["kind"], event["source_id"]
    known = OCSF_KINDS.get(kind, UNKNOWN_KIND)
    told = _parsed(event["metadata"])
    place = _place(event, told)
    actor, user_agent = event["actor"], event["user_agent"]
    record = _classified(known.class_uid, known.activity_id, kind).copy()
    record["time"] = event["occurred_at"]
    record["message"] = " ".join(filter(None, (kind, place, f"by {actor}" if actor else "")))
    record["actor"] = _actor(actor, event["actor_type"], event["credential"])
    record["metadata"] = {"uid": event["event_id"], **_logged(kind, source_id)}
    if event["outcome"] == "failure":
        record["severity_id"], record["status_id"] = _LOW, _FAILURE
        detail = told.get("message") or told.get("error")
        if isinstance(detail, str) and detail:
            record["status_detail"] = detail
    else:
        record["severity_id"], record["status_id"] = _INFORMATIONAL, _SUCCESS
    if (endpoint := _endpoint(event["ip"])) is not None:
        record["src_endpoint"] = endpoint
    if user_agent:
        record["http_request"] = {"user_agent": user_agent}
    record |= _OF_CLASS[known.class_uid](event, told, place, known.entity)
    unmapped = {name: value for name in _UNMAPPED if (value := event[name]) is not None}
    if told:
        unmapped["metadata"] = told
    record["unmapped"] = unmapped
    return record


def of_alert(alert: Alert, change: int, changed_at: datetime, evidence: Sequence[str]) -> Record:
    """An alert after one of its changes. `change`: its running number in the desk, 0 for the state as it is; `evidence`: ids of
    events."""
    closed = alert.state is AlertState.RESOLVED
    activity = 3 if closed else 1 if alert.changed_at == alert.raised_at else 2  # Close, Create, Update
    events = [{"uid": event_id, "type": "Quay audit log event"} for event_id in evidence[:_MOST_EVIDENCE]]
    return {
        **_classified(FINDING, activity, ""),
        "time": _milliseconds(changed_at),
        "start_time": _milliseconds(alert.first_at),
        "end_time": _milliseconds(alert.last_at),
        "count": max(alert.events, 1),
        "severity_id": _SEVERITY_ID[alert.severity],
        "status_id": _FINDING_STATUS[alert.state],
        "is_alert": True,
        "message": alert.summary,
        "metadata": {
            "version": OCSF_VERSION,
            "uid": f"alert-{alert.alert_id}-{change}",
            "event_code": alert.rule_id,
            "log_name": "alerts",
            "log_provider": alert.source_id,
            "product": _OWN_PRODUCT,
        },
        "finding_info": {
            "uid": f"alert-{alert.alert_id}",
            "title": alert.title,
            "desc": alert.summary,
            "first_seen_time": _milliseconds(alert.first_at),
            "last_seen_time": _milliseconds(alert.last_at),
            "created_time": _milliseconds(alert.raised_at),
            "modified_time": _milliseconds(changed_at),
            "analytic": {"uid": alert.rule_id, "name": alert.title, "type_id": 1, "version": str(alert.rule_version)},
            "related_events_count": max(alert.events, len(events)),
            "related_events": events,
        },
        "resources": [{"name": alert.subject or _UNKNOWN}],
        "unmapped": {
            "state": alert.state.value,
            "owner": alert.owner,
            "related": list(alert.related),
            "caveat": alert.caveat,
        },
    }


@lru_cache(maxsize=4096)
def _logged(kind: str, source_id: str) -> Record:
    """Where a record is from. Shared: not to be changed."""
    return {
        "version": OCSF_VERSION,
        "event_code": kind,
        "log_name": "audit log",
        "log_provider": source_id,
        "product": _PRODUCT,
    }


@lru_cache(maxsize=4096)
def _classified(class_uid: int, activity_id: int, kind: str) -> Record:
    """Class and activity; an activity that the class has no word for is named by Quay's own. Shared: to be copied."""
    found: Record = {
        "class_uid": class_uid,
        "class_name": CLASS_NAMES[class_uid],
        "category_uid": class_uid // 1000,
        "activity_id": activity_id,
        "type_uid": class_uid * 100 + activity_id,
    }
    if activity_id == OTHER:
        found["activity_name"] = kind
    return found


def _of_login(event: Mapping[str, Any], told: Mapping[str, Any], _place: str, _entity: str) -> Record:
    name = event["actor"] or told.get("robot") or _UNKNOWN
    return {"user": _user(str(name)), "service": {"name": "Quay"}}


def _of_account(event: Mapping[str, Any], told: Mapping[str, Any], _place: str, _entity: str) -> Record:
    """Whose account was changed: a robot or user that the event names, else who acted."""
    robot, user = told.get("robot"), told.get("username")
    if isinstance(robot, str):
        whole = robot if "+" in robot else f"{event['namespace'] or _UNKNOWN}+{robot}"
        return {"user": _user(whole)}
    return {"user": _user(user if isinstance(user, str) and user else event["actor"] or _UNKNOWN)}


def _of_access(event: Mapping[str, Any], told: Mapping[str, Any], place: str, _entity: str) -> Record:
    """Who was given what on which repository; a default permission is for repositories to come. A team stands as a user of type
    Team, so that all permissions are in one class."""
    role = told.get("role")
    found: Record = {"privileges": [role if isinstance(role, str) and role else _UNKNOWN]}
    prototype = event["kind"].endswith("prototype_permission")
    team = told.get("delegate_team" if prototype else "team")
    user = told.get("delegate_user" if prototype else "username")
    if isinstance(team, str) and team:
        found["user"] = {"name": team, "type_id": OTHER, "type": "Team", "groups": [{"name": team}]}
    else:
        found["user"] = _user(user if isinstance(user, str) and user else _UNKNOWN)
    found["resources"] = [{"name": place or _UNKNOWN, "type": "Namespace" if prototype else "Repository"}]
    return found


def _of_team(event: Mapping[str, Any], told: Mapping[str, Any], _place: str, _entity: str) -> Record:
    team, member, role = told.get("team"), told.get("member") or told.get("user"), told.get("role")
    found: Record = {"group": {"name": team if isinstance(team, str) and team else _UNKNOWN, "type": "Team"}}
    if event["namespace"]:
        found["group"]["domain"] = event["namespace"]
    if isinstance(member, str) and member:
        found["user"] = _user(member)
    if isinstance(role, str) and role:
        found["privileges"] = [role]
    return found


def _of_entity(event: Mapping[str, Any], told: Mapping[str, Any], place: str, entity: str) -> Record:
    name = told.get("application_name") or (told.get("name") if entity == "Service key" else None) or place or _UNKNOWN
    uid = next((told[key] for key in _ENTITY_UIDS if told.get(key) is not None), None)
    found: Record = {"name": str(name), "type": entity, "type_id": OTHER}
    if uid is not None:
        found["uid"] = str(uid)
    return {"entity": found}


def _of_api(event: Mapping[str, Any], _told: Mapping[str, Any], place: str, _entity: str) -> Record:
    """What was done with images. The class wants to know from where: what Quay did by itself came from Quay."""
    found: Record = {"api": {"operation": event["kind"], "service": {"name": "Quay"}}}
    if _endpoint(event["ip"]) is None:
        found["src_endpoint"] = {"svc_name": "Quay"} if event["actor_type"] == "system" else {"name": _UNKNOWN}
    if place:
        resource: Record = {"name": place, "type": "Repository" if event["repository"] else "Namespace"}
        if event["digest"]:
            resource["uid"] = event["digest"]
        if event["namespace"]:
            resource["namespace"] = event["namespace"]
        found["resources"] = [resource]
    return found


_OF_CLASS: dict[int, Callable[[Mapping[str, Any], Mapping[str, Any], str, str], Record]] = {
    LOGIN: _of_login,
    ACCOUNT: _of_account,
    ACCESS: _of_access,
    TEAM: _of_team,
    ENTITY: _of_entity,
    API: _of_api,
}


@lru_cache(maxsize=65_536)
def _actor(name: str | None, kind: str, credential: str | None) -> Record:
    """Who acted. Shared: not to be changed."""
    if name:
        return {"user": _user(name)}
    if kind == "token":
        return {"app_name": credential or "access token"}
    if kind == "system":
        return {"app_name": "Quay"}
    return {"user": {"name": "anonymous", "type_id": 0}}


def _user(name: str) -> Record:
    """A user or robot by its name; only robots have a + in theirs."""
    return {"name": name, "type_id": 0 if name == _UNKNOWN else _SERVICE if "+" in name else _USER}


def _place(event: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    """`namespace/repository:tag`, as far as there is one."""
    repository = event["repository"] or told.get("repo")
    name = "/".join(part for part in (event["namespace"], repository) if isinstance(part, str) and part)
    return f"{name}:{event['tag']}" if event["tag"] else name


@lru_cache(maxsize=65_536)
def _endpoint(ip: str | None) -> Record | None:
    """Where from; what is no address is a name."""
    if not ip:
        return None
    try:
        return {"ip": str(ipaddress.ip_address(ip))}
    except ValueError:
        return {"name": ip}


def _parsed(metadata: str | None) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(metadata) if metadata else {}
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
