"""The schemas of frames that enter and leave the warehouse, and the names of the states."""

from __future__ import annotations

from enum import StrEnum

import polars as pl

UTC_MICROSECONDS = pl.Datetime("us", "UTC")

# What Quay stores for good: readings are matched on these.
KEY_COLUMNS = (
    "occurred_at",
    "kind",
    "ip",
    "repository",
    "repository_namespace",
    "tag",
    "digest",
    "user_agent",
    "metadata",
)
# Names that Quay joins when it is read: they only break ties between events whose key is equal.
TIE_COLUMNS = ("namespace", "namespace_kind", "performer", "performer_kind", "extra")

# A normalised event. `repository`, `repository_namespace`, `tag`, `digest`, `user_agent` are metadata's `repo`, `namespace`,
# `tag`, `manifest_digest`, `user-agent` where those are strings; `metadata` is the JSON object of all that is left
# (keys sorted, compact, null where nothing is left). `namespace_kind`: org | user. `performer_kind`: user | robot.
# `extra`: JSON object of everything else the answer said of the event (unknown fields, unusual shapes), avatars aside.
EVENT_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "occurred_at": UTC_MICROSECONDS,
    "kind": pl.String,
    "namespace": pl.String,
    "namespace_kind": pl.String,
    "performer": pl.String,
    "performer_kind": pl.String,
    "ip": pl.String,
    "repository": pl.String,
    "repository_namespace": pl.String,
    "tag": pl.String,
    "digest": pl.String,
    "user_agent": pl.String,
    "metadata": pl.String,
    "extra": pl.String,
}

# A row of an answer that could not be read as an event; `raw` is what came, secrets already cut out.
REJECT_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "kind": pl.String,
    "reason": pl.String,
    "raw": pl.String,
}


class SliceState(StrEnum):
    """What is known of one (source, UTC day). "Nothing collected" is the absence of a slice, never a state of one."""

    OPEN = "open"  # the day is not over
    PROVISIONAL = "provisional"  # the day is over but not yet compared with a count taken after its end
    VERIFIED = "verified"  # stored equals the source's count, by kind
    REPAIRED = "repaired"  # as verified, after more than one way of reading
    WITH_REJECTS = (
        "with rejects"  # every row was seen, but some could not be read as events: stored and rejected equal the count
    )
    SHORT = "short"  # the source counts more of a kind than could be read
    OVER = "over"  # more is stored than the source counts, and it never counted as many
    UNCOUNTABLE = "uncountable"  # the source gives no count to compare with
    TRUNCATED = "truncated"  # the source once counted more than could be read before it rotated the rows away
    # At or before the oldest event that the source still holds: what may have been rotated away cannot be counted.
    ROTATED = "rotated"
    UNAVAILABLE = "unavailable"  # no permission, feature off, search unavailable
    EXCLUDED = "excluded"  # left out by a setting


SEALED_STATES = frozenset({SliceState.VERIFIED, SliceState.REPAIRED, SliceState.WITH_REJECTS})
# Days that are not read again even if they are named; rows that were rejected may be readable by now.
PROVEN_STATES = SEALED_STATES - {SliceState.WITH_REJECTS}
# Nothing more can become known of these days.
FINAL_STATES = SEALED_STATES | {SliceState.ROTATED}

# A stored event: where it belongs, its running number within (source, day), how it came, and the event itself.
STORED_COLUMNS = ("source_id", "day", "event_no", "scope", "reading_id", *EVENT_SCHEMA)

# What readers see of an event, the columns of the view `events`.
EVENT_COLUMNS = (
    "event_id",
    "source_id",
    "day",
    "event_no",
    "occurred_at",
    "kind",
    "category",
    "actor",
    "actor_type",
    "credential",
    "ip",
    "user_agent",
    "client",
    "namespace",
    "namespace_kind",
    "repository",
    "tag",
    "digest",
    "outcome",
    "performer",
    "performer_kind",
    "repository_namespace",
    "stored_ip",
    "stored_user_agent",
    "stored_digest",
    "metadata",
    "extra",
    "scope",
    "reading_id",
)

# Columns that the interpretation may change, so a file keeps what Quay said beside what readers see.
REINTERPRETED_COLUMNS = ("namespace", "repository", "tag", "digest", "ip", "user_agent")
# Columns that the interpretation adds.
INTERPRETED_COLUMNS = tuple(
    name
    for name in EVENT_COLUMNS
    if name not in STORED_COLUMNS and name != "event_id" and not name.startswith("stored_")
)
FILE_COLUMNS = (*STORED_COLUMNS, *INTERPRETED_COLUMNS, *(f"said_{name}" for name in REINTERPRETED_COLUMNS))

# A repository's name with its namespace, over the view `events`.
FULL_NAME = "coalesce(namespace || '/', '') || repository"
