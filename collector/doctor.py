"""The doctor: finds out what a source offers, what its token may read and what that costs, and says what to do about it.

Asks about ten requests, all of them reads, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Literal

import msgspec

from quayledger.collector.errors import CollectorError
from quayledger.collector.log.cover import Access, find_access, parse_scopes
from quayledger.collector.log.days import utc_now
from quayledger.collector.quay import discovery, logs
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.errors import QuayError
from quayledger.collector.quay.logs import LONGEST_WINDOW_DAYS
from quayledger.collector.quay.scopes import Scope
from quayledger.settings import SettingsError, SourceSettings

Level = Literal["ok", "note", "warning", "error"]
_CLOCK_TOLERANCE_S = 5.0
# Written only where the registry's configuration says so; their absence must not be read as peace.
_OFF_BY_DEFAULT = ("login_failure", "pull_repo_failed", "push_repo_failed", "delete_tag_failed")


class Check(msgspec.Struct, frozen=True):
    """One finding: what was looked at, how it is, and what to do next ('' where nothing need be done)."""

    name: str
    level: Level
    says: str
    next_step: str = ""


class Diagnosis(msgspec.Struct, frozen=True):
    """All findings about one source, the cover that it proposes, and what finding out cost."""

    source_id: str
    url: str
    checks: tuple[Check, ...]
    cover: tuple[str, ...]
    requests: int
    error: Exception | None = None

    @property
    def healthy(self) -> bool:
        """Whether a sync can work."""
        return self.error is None and all(check.level != "error" for check in self.checks)


async def examine(source_id: str, source: SourceSettings, *, now: Callable[[], datetime] = utc_now) -> Diagnosis:
    """Looks at one source. Never raises for what is wrong with it: that is a finding, with the error beside it."""
    checks: list[Check] = []
    cover: tuple[str, ...] = ()
    failed: Exception | None = None
    requests = 0
    try:
        checks.extend(_settings(source_id, source))
        async with QuayClient(source_id, source) as client:
            try:
                cover = await _examine(client, source_id, source, now(), checks)
            finally:
                requests = client.meter.requests
            checks.append(_pace(client, source))
            checks.append(_exports(source))
    except (QuayError, CollectorError, SettingsError) as error:
        failed = error
        checks.append(Check(type(error).__name__, "error", str(error)))
    return Diagnosis(source_id, source.url, tuple(checks), cover, requests, failed)


def _settings(source_id: str, source: SourceSettings) -> list[Check]:
    source.secret(source_id)
    checks = [Check("token", "ok", "a token is set")]
    if source.url.startswith("http://"):
        checks.append(
            Check("transport", "warning", "http: the token travels in clear", "use https where the Quay offers it")
        )
    elif not source.verify_tls:
        checks.append(
            Check("transport", "warning", "certificates are not checked", "set ca_file and leave verify_tls at true")
        )
    return checks


async def _examine(
    client: QuayClient, source_id: str, source: SourceSettings, now: datetime, checks: list[Check]
) -> tuple[str, ...]:
    offers = await discovery.get_discovery(client, purpose="probe")
    checks.append(
        Check("address", "ok", f"a Quay answers; its public reference lists {len(offers.operations)} operations")
    )
    today = now.date()
    access = await _access(client, source_id, source, today)
    checks.extend(_explain(access))
    for scope in access.scopes[:1]:
        checks.extend(await _look_at(client, scope, today, now))
    return tuple(scope.text for scope in access.scopes)


async def _access(client: QuayClient, source_id: str, source: SourceSettings, today: date) -> Access:
    if source.scopes:
        return Access(None, parse_scopes(source_id, source.scopes), ())
    return await find_access(client, today)


def _explain(access: Access) -> list[Check]:
    names = ", ".join(scope.text for scope in access.scopes[:12])
    more = f" and {len(access.scopes) - 12} more" if len(access.scopes) > 12 else ""
    checks = [Check("cover", "ok", f"reads {names}{more}")]
    checks.extend(Check("refused", "note", f"{scope.text}: {reason}") for scope, reason in access.refused[:12])
    hidden = sorted({kind for scope in access.scopes for kind in scope.hidden_kinds})
    if hidden:
        checks.append(
            Check(
                "hidden kinds",
                "note",
                f"the user's own log never shows {', '.join(hidden)}",
                "a superuser's token sees them",
            )
        )
    return checks


async def _look_at(client: QuayClient, scope: Scope, today: date, now: datetime) -> list[Check]:
    """Counts the last four weeks in one call, and reads one page of today: clock, backend, habits."""
    first = today - timedelta(days=LONGEST_WINDOW_DAYS - 1)
    counts = await logs.aggregate_logs(client, scope, first, today, purpose="probe")
    page = await logs.list_logs(client, scope, today, today, purpose="probe")
    kinds = {kind for by_kind in counts.values() for kind in by_kind}
    total = sum(sum(by_kind.values()) for by_kind in counts.values())
    checks = [Check("counts", "ok", f"{total:,} events of {len(kinds)} kinds in the last {LONGEST_WINDOW_DAYS} days")]
    checks.extend(_rotation(counts))
    if page.served_at is not None:
        checks.append(_clock(page.served_at, now))
    if absent := [kind for kind in _OFF_BY_DEFAULT if kind not in kinds]:
        checks.append(
            Check(
                "failures",
                "note",
                f"not seen in four weeks: {', '.join(absent)}; Quay leaves them out unless its configuration says otherwise",
                "set ACTION_LOG_AUDIT_LOGIN_FAILURES and its siblings in the Quay's configuration to record failed access",
            )
        )
    return checks


def _exports(source: SourceSettings) -> Check:
    """What an export leaves behind is said before anybody allows one."""
    leaves = (
        "each one writes a row with the callback's address into the log that it exports; on a Quay with local storage its file "
        "stays at an address that needs no login"
    )
    if source.exports == "off":
        return Check("exports", "ok", f"off. They could bring what pages lose, but {leaves}")
    return Check("exports", "note", f"{source.exports}: {leaves}", "allow them only where that is acceptable")


def _rotation(counts: dict[date, dict[str, int]]) -> list[Check]:
    held = sorted(day for day, by_kind in counts.items() if by_kind)
    if not held or held[0] == min(counts):
        return []
    return [
        Check("oldest day", "note", f"the source holds nothing before {held[0]}", "what it rotated away before is lost")
    ]


def _clock(served_at: datetime, now: datetime) -> Check:
    offset = (served_at - now).total_seconds()
    if abs(offset) <= _CLOCK_TOLERANCE_S:
        return Check("clock", "ok", f"the clocks agree within {_CLOCK_TOLERANCE_S:.0f} s")
    ahead = "ahead of" if offset > 0 else "behind"
    return Check(
        "clock", "warning", f"the source's clock is {abs(offset):.0f} s {ahead} ours", "check NTP on both machines"
    )


def _pace(client: QuayClient, source: SourceSettings) -> Check:
    slow = client.meter.quantile(0.95)
    says = f"replies take {client.meter.quantile(0.5) * 1000:.0f} ms, one in twenty over {slow * 1000:.0f} ms; "
    return Check(
        "pace", "ok", says + f"the budget is {source.requests_per_second:g} requests a second, {source.chains} chain(s)"
    )
