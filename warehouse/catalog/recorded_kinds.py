"""What a Quay records in its log at all: since when its code writes which kinds, and which settings turn kinds off. Pure.

The absence of an event means something only where such events are recorded. Dates are those of the change in Quay's source; the
version that runs is not told by its API, but the operations that it offers bound it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Literal

import msgspec

State = Literal[
    "recorded", "not recorded by this version of Quay", "switched off", "off by default", "in part", "not known"
]


class RecordedSince(msgspec.Struct, frozen=True):
    """Kinds that Quay's code writes since a day. `what`: what happens, in words; `kinds`: their names in the log."""

    what: str
    kinds: tuple[str, ...]
    since: date


class Switch(msgspec.Struct, frozen=True):
    """A setting of Quay that keeps events out of its log. `recorded_if`: the value with which it keeps none out; `default`: what
    holds where it is not set."""

    what: str
    setting: str
    kinds: tuple[str, ...]
    recorded_if: bool
    default: bool


class Milestone(msgspec.Struct, frozen=True):
    """An operation of Quay's API and the day since which its code has it. `is_always_listed`: no feature hides it, so a Quay
    whose API reference lacks it is older."""

    operation: str
    since: date
    is_always_listed: bool = False


class Recording(msgspec.Struct, frozen=True):
    """Whether something is recorded. `is_certain`: known from Quay's configuration, from its API reference or from an event,
    else inferred; `why`: how it is known, or why not; `since`: None for settings."""

    what: str
    kinds: tuple[str, ...]
    state: State
    is_certain: bool
    why: str
    since: date | None = None
    setting: str = ""


QUOTA_KINDS = (
    "org_create_quota",
    "org_change_quota",
    "org_delete_quota",
    "org_create_quota_limit",
    "org_change_quota_limit",
    "org_delete_quota_limit",
)
RECORDED_SINCE: tuple[RecordedSince, ...] = (
    RecordedSince("sign-ins and sign-outs", ("login_success", "logout_success"), date(2023, 5, 17)),
    RecordedSince(
        "failed sign-ins, pulls, pushes and deletions",
        ("login_failure", "pull_repo_failed", "push_repo_failed", "delete_tag_failed"),
        date(2024, 1, 16),
    ),
    RecordedSince("OAuth tokens assigned to other users", ("oauth_token_assigned",), date(2024, 7, 16)),
    RecordedSince("exports of the log", ("export_logs_success", "export_logs_failure"), date(2024, 10, 3)),
    RecordedSince(
        "changes of storage quotas",
        QUOTA_KINDS,
        date(2025, 12, 9),
    ),
    RecordedSince(
        "mirrors of whole organizations",
        (
            "org_mirror_enabled",
            "org_mirror_disabled",
            "org_mirror_config_changed",
            "org_mirror_repo_created",
            "org_mirror_repo_creation_failed",
            "org_mirror_sync_started",
            "org_mirror_sync_success",
            "org_mirror_sync_failed",
            "org_mirror_sync_cancelled",
            "org_mirror_sync_now_requested",
        ),
        date(2026, 2, 1),
    ),
    # Its kind is older: an organization's own administrators left it before.
    RecordedSince("organizations deleted by a superuser", ("org_delete",), date(2026, 8, 6)),
)
# Older kinds say nothing about the newest entry, whose kind was written for other reasons before.
_KIND_IS_OLDER = frozenset({"org_delete"})

SWITCHES: tuple[Switch, ...] = (
    Switch("sign-ins", "ACTION_LOG_AUDIT_LOGINS", ("login_success", "logout_success"), recorded_if=True, default=True),
    Switch("failed sign-ins", "ACTION_LOG_AUDIT_LOGIN_FAILURES", ("login_failure",), recorded_if=True, default=False),
    Switch("refused pulls", "ACTION_LOG_AUDIT_PULL_FAILURES", ("pull_repo_failed",), recorded_if=True, default=False),
    Switch("refused pushes", "ACTION_LOG_AUDIT_PUSH_FAILURES", ("push_repo_failed",), recorded_if=True, default=False),
    Switch(
        "refused deletions", "ACTION_LOG_AUDIT_DELETE_FAILURES", ("delete_tag_failed",), recorded_if=True, default=False
    ),
    Switch(
        "pulls in free namespaces",
        "FEATURE_DISABLE_PULL_LOGS_FOR_FREE_NAMESPACES",
        ("pull_repo",),
        recorded_if=False,
        default=False,
    ),
)
# Settings that name namespaces of which nothing, or no pull, is recorded.
LEFT_OUT: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("everything in these namespaces", "DISABLED_FOR_AUDIT_LOGS", ()),
    ("pulls in these namespaces", "DISABLED_FOR_PULL_LOGS", ("pull_repo",)),
)

MILESTONES: tuple[Milestone, ...] = (
    Milestone("listRepositoryAutoPrunePolicies", date(2024, 2, 27)),
    Milestone("getTagPullStatistics", date(2025, 10, 27)),
    Milestone("getRegistryCapabilities", date(2026, 1, 16), is_always_listed=True),
    Milestone("getOrgMirrorConfig", date(2026, 2, 1)),
    Milestone("getSuperUserRepositoryMirrorHealth", date(2026, 5, 8)),
    Milestone("listOrganizationApplicationTokens", date(2026, 7, 10), is_always_listed=True),
    Milestone("listOrgNotifications", date(2026, 7, 14)),
)


def version_bounds(operations: Collection[str]) -> tuple[Milestone | None, Milestone | None]:
    """The newest milestone that a Quay with these operations has, and the oldest that it certainly lacks. Without any operation,
    as where its API reference cannot be read, nothing is known."""
    if not operations:
        return None, None
    has = [one for one in MILESTONES if one.operation in operations]
    lacks = [one for one in MILESTONES if one.is_always_listed and one.operation not in operations]
    newest = max(has, key=lambda one: one.since, default=None)
    # A proxy that hides some operations is no older Quay.
    lacks = [one for one in lacks if newest is None or one.since > newest.since]
    return newest, min(lacks, key=lambda one: one.since, default=None)


def recordings(
    seen_kinds: Collection[str], operations: Collection[str], config: Mapping[str, object] | None
) -> list[Recording]:
    """What a Quay records and what not. `seen_kinds`: those of which an event was held or counted; `operations`: of its API
    reference (empty: not read); `config`: its settings by name (None: not readable)."""
    return [
        *(_since(one, seen_kinds, operations) for one in RECORDED_SINCE),
        *(_switched(one, seen_kinds, config) for one in SWITCHES),
        *(_left_out(config) if config is not None else ()),
    ]


def gaps(found: Iterable[Recording]) -> list[Recording]:
    """Those whose events are missing, or may be."""
    return [one for one in found if one.state != "recorded"]


def _since(one: RecordedSince, seen: Collection[str], operations: Collection[str]) -> Recording:
    newest, lacking = version_bounds(operations)

    def said(state: State, why: str, *, is_certain: bool) -> Recording:
        return Recording(one.what, one.kinds, state, is_certain, why, one.since)

    if held := [kind for kind in one.kinds if kind in seen and kind not in _KIND_IS_OLDER]:
        return said("recorded", f"events of {held[0]} were seen", is_certain=True)
    if newest is not None and newest.since >= one.since:
        return said("recorded", f"this Quay offers {newest.operation}, which is newer", is_certain=True)
    if lacking is not None and lacking.since <= one.since:
        why = f"this Quay lacks {lacking.operation}, which every Quay has since {lacking.since:%Y-%m}"
        return said("not recorded by this version of Quay", why, is_certain=True)
    why = f"no such event was seen, and this Quay may be older than {one.since:%Y-%m}"
    return said("not known", why, is_certain=False)


def _switched(one: Switch, seen: Collection[str], config: Mapping[str, object] | None) -> Recording:
    def said(state: State, why: str, *, is_certain: bool) -> Recording:
        return Recording(one.what, one.kinds, state, is_certain, why, setting=one.setting)

    if config is not None:
        value = config.get(one.setting)
        is_on = value if isinstance(value, bool) else one.default
        why = f"{one.setting} is {is_on}" + ("" if isinstance(value, bool) else ", the default")
        if is_on == one.recorded_if:
            return said("recorded", why, is_certain=True)
        return said("switched off", why, is_certain=True)
    held = next((kind for kind in one.kinds if kind in seen), None)
    if held is not None and one.recorded_if:
        return said("recorded", f"events of {held} were seen", is_certain=False)
    if one.default == one.recorded_if:
        return said("not known", f"Quay's configuration was not read; {one.setting} may be set", is_certain=False)
    why = f"no such event was seen, and Quay records them only where {one.setting} is set"
    return said("off by default", why, is_certain=False)


def _left_out(config: Mapping[str, object]) -> list[Recording]:
    found = []
    for what, setting, kinds in LEFT_OUT:
        names = config.get(setting)
        if isinstance(names, list | tuple) and names:
            named = ", ".join(str(name) for name in names[:20]) + (
                f" and {len(names) - 20} more" if len(names) > 20 else ""
            )
            found.append(Recording(what, kinds, "in part", True, f"{setting} names {named}", setting=setting))
    return found
