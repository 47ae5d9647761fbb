"""The simulator's script of planted changes, in the order in which they are done, and how it is played."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable
from typing import Any

from quayledger.simulator.acts import Act
from quayledger.simulator.changes import accounts, content, newer, unlogged
from quayledger.simulator.changes.entries import net
from quayledger.simulator.changes.planner import Missing, Planner
from quayledger.simulator.quay import Quay

Step = Callable[[Planner], None]
# What needs something that was there comes before what brings such things; whole namespaces go
# late, and people after them.
STEPS: tuple[Step, ...] = (
    content.mirror_changed,
    content.trigger_switched_off,
    content.trigger_deleted,
    content.repository_policy_changed,
    content.notification_deleted,
    content.label_deleted,
    content.scan_changed,
    accounts.app_token_revoked,
    newer.immutability_ended,
    newer.mirrored_repository_failed,
    newer.oauth_token_revoked,
    accounts.application_deleted,
    accounts.default_permission_deleted,
    accounts.namespace_policy_deleted,
    accounts.robot_deleted,
    accounts.service_key_deleted,
    accounts.message_taken_down,
    accounts.quota_changed,
    accounts.quota_deleted,
    accounts.quota_created,
    content.permission_granted,
    content.permission_changed,
    content.permission_removed,
    content.team_permission_granted,
    unlogged.permission_slipped_in,
    unlogged.member_slipped_in,
    unlogged.repository_opened_quietly,
    unlogged.robot_slipped_in,
    accounts.team_created,
    accounts.team_member_added,
    accounts.team_member_removed,
    accounts.team_member_invited,
    accounts.team_role_changed,
    accounts.team_deleted,
    accounts.robot_created,
    accounts.robot_federated,
    content.repository_created,
    content.repository_deleted,
    content.repository_made_public,
    content.repository_described,
    content.repository_made_read_only,
    content.repository_trusted,
    newer.organization_made_immutable,
    newer.repository_made_immutable,
    newer.organization_mirrored,
    newer.oauth_token_made,
    newer.alert_set_up,
    newer.sparse_manifests_supported,
    content.tag_pushed,
    content.tag_overwritten,
    content.tag_moved,
    content.tag_deleted,
    content.tag_to_expire,
    content.tag_locked,
    content.label_added,
    content.referrer_pushed,
    content.notification_added,
    content.trigger_set_up,
    content.repository_policy_created,
    content.robot_used,
    content.repository_starred,
    content.size_grown,
    content.actions_counted,
    content.operation_offered,
    accounts.application_created,
    accounts.application_changed,
    accounts.app_token_created,
    accounts.default_permission_created,
    accounts.default_permission_changed,
    accounts.proxy_cache_set,
    accounts.namespace_policy_created,
    accounts.service_key_created,
    accounts.message_shown,
    accounts.organization_created,
    accounts.organization_email_changed,
    accounts.organization_settings_changed,
    accounts.organization_renamed,
    accounts.organization_deleted,
    accounts.user_created,
    accounts.user_disabled,
    accounts.user_email_changed,
    accounts.user_renamed,
    accounts.user_deleted,
)


def act_of(quay: Quay, act: Act, at_us: int) -> dict[str, Any]:
    """One act: the event as the superuser's log shows it, and what it made otherwise."""
    planner = Planner(quay, 0)
    planner.at_us = at_us
    rename = None
    if act.kind == "org_change_name":
        rename = (str(act.metadata.get("old_name")), str(act.metadata.get("new_name")))
    elif act.kind == "user_change_name":
        rename = (str(act.metadata.get("old_username")), str(act.more.get("username")))
    planner.perform(act, rename)
    table = quay.logs.tables[0]
    text = quay.renderer.event(table, len(table) - 1, namespace=True)
    return {"event": json.loads(text), "changes": [entry.told() for entry in planner.entries]}


def play(quay: Quay, since_us: int, until_us: int, count: int | None = None) -> list[dict[str, Any]]:
    """Does the first `count` changes (default: each once; more: over again with other objects), spread over the time, and
    tells what is otherwise at the end. What this registry has nothing for is left out."""
    planner = Planner(quay, quay.played)
    quay.played += 1
    steps = list(itertools.islice(itertools.cycle(STEPS), len(STEPS) if count is None else count))
    gap_us = max(1000, (until_us - since_us) // max(1, len(steps)))
    for number, step in enumerate(steps):
        planner.at_us = until_us - (len(steps) - 1 - number) * gap_us
        with contextlib.suppress(Missing):
            step(planner)
    return [entry.told() for entry in net(planner.entries)]
