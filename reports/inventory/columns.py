"""The columns of the inventory's tables: labels, and how values are written, by name and type. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from quayledger.reports.model import Column, ColumnKind, Table

# Names whose label is not the name itself: label and unit.
_LABELS: dict[str, tuple[str, str]] = {
    "source_id": ("Source", ""),
    "organization": ("Organization", ""),
    "from_at": ("Since", "when it is first known to have held; what the first reading found may be older"),
    "to_at": ("Until", ""),
    "known_since": ("Known since", "when it was first read, or first named by an event"),
    "share": ("Used", "of the limit"),
    "email": ("E-mail", ""),
    "readonly_superuser": ("Read-only superuser", ""),
    "is_synced": ("Synced", "with an outside directory"),
    "invited": ("Invited", "an invitation that is not accepted yet"),
    "told_by": ("Listed in", "the list that names it"),
    "via": ("Via", "team, direct permission, ownership, …"),
    "through": ("Through", "which team or rule"),
    "limit_percent": ("Limit, %", "of the quota"),
    "size_bytes": ("Size", "layers are shared: sizes do not add up"),
    "layers_compressed_bytes": ("Layers' size", "compressed"),
    "tag_expiration_s": ("Tag expiration, s", "how long deleted tags can be restored"),
    "sync_interval_s": ("Interval, s", "between two runs of the mirror"),
    "expiration_s": ("Expiration, s", "how long tags stay cached"),
    "distinct_ips_30d": ("IPs in 30 days", "distinct addresses in the log"),
    "idle_days": ("Idle days", "since the last recorded use; if never used, since it was created"),
    "never_used": ("Never used", "as far as Quay and the audit log know"),
    "last_used_at": ("Quay's last use", "as recorded by Quay"),
    "last_event_at": ("Last event", "in the log"),
    "last_event_kind": ("Kind of last event", ""),
    "last_use_at": ("Last use", "the later of Quay's own record and the audit log"),
    "evidence_from": ("Records begin", "use before this day would not be known"),
    "client_id": ("Client id", ""),
    "application_uri": ("Address", ""),
    "redirect_uri": ("Redirects to", ""),
    "uuid": ("Id", ""),
    "build_id": ("Build", ""),
    "trigger_id": ("Trigger", ""),
    "trigger_kind": ("Started by", ""),
    "manual_user": ("Started by", ""),
    "tag_pattern_matches": ("Pattern matches", "false: the policy is for tags that do not match"),
    "policy_value": ("Value", ""),
    "repository_kind": ("Kind", ""),
    "member_kind": ("Kind", ""),
    "delegate_kind": ("Kind", ""),
    "principal_kind": ("Kind", ""),
    "is_manifest_list": ("Manifest list", ""),
    "verify_tls": ("Verify TLS", ""),
    "user_agent": ("User agent", ""),
    "ip": ("IP address", ""),
    "actor_type": ("Type", ""),
    "pushed_at": ("Pushed", ""),
    "measured_at": ("Measured", ""),
    "last_modified_at": ("Newest change", ""),
    "calculated_at": ("Calculated", ""),
    "backfill": ("Backfill", "only complete or empty ones are whole sizes"),
    "disabled_reason": ("Disabled because", ""),
    "quota_id": ("Quota", ""),
    "prototype_id": ("Id", ""),
    "fixed_by": ("Fixed by", ""),
    "label_value": ("Value", ""),
    "source_type": ("From", ""),
    "referrer_digest": ("Referrer", ""),
    "event_id": ("Event", ""),
    "certainty": ("Confidence", "how the time is known; times are UTC"),
    "exists": ("Exists", ""),
}
_AMOUNTS = (pl.Int64, pl.Int32, pl.UInt32, pl.UInt64)


def table(
    name: str,
    title: str,
    frame: pl.DataFrame,
    names: Sequence[str],
    *,
    top: int = 0,
    note: str = "",
    empty: str = "none",
    labels: dict[str, str] | None = None,
) -> Table:
    """These columns of a frame as a table; `top`: how many rows (0: all); `empty`: what to say where there are none;
    `labels`: where a column is called otherwise in this table."""
    chosen = frame.select(names)
    shown = chosen.head(top) if top else chosen
    columns = tuple(column(one, kind, (labels or {}).get(one, "")) for one, kind in chosen.schema.items())
    return Table(name, title, columns, shown, chosen.height, note=note, empty=empty)


def column(name: str, kind: pl.DataType, label: str = "") -> Column:
    """One column by its name and type."""
    known, unit = _LABELS.get(name, (_plain(name), ""))
    return Column(name, label or known, _kind(name, kind), unit)


def _plain(name: str) -> str:
    words = name.removeprefix("is_").removesuffix("_at").removesuffix("_bytes").replace("_", " ")
    return words[:1].upper() + words[1:]


def _kind(name: str, kind: pl.DataType) -> ColumnKind:
    if kind == pl.Boolean:
        return "flag"
    if name == "share":
        return "share"
    if isinstance(kind, pl.Datetime):
        return "time"
    if kind == pl.Date:
        return "day"
    if kind.is_float():
        return "ratio"
    if kind in _AMOUNTS:
        return "bytes" if name.endswith("_bytes") else "text" if name.endswith("_id") else "count"
    return "text"
