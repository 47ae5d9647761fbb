"""The doctor: checks what a source offers, what its token may read and what that costs, and what to do about it.

Sends about ten requests, all of them reads, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Literal

import msgspec

from quayledger.collector.errors import CollectorError
from quayledger.collector.exports.download import private_hosts
from quayledger.collector.log.cover import Access, find_access, parse_scopes
from quayledger.collector.log.days import utc_now
from quayledger.collector.quay import discovery, installation, logs, users
from quayledger.collector.quay.client import QuayClient
from quayledger.collector.quay.credentials import credential_of
from quayledger.collector.quay.errors import Forbidden, NotAQuay, NotFound, QuayError
from quayledger.collector.quay.logs import LONGEST_WINDOW_DAYS
from quayledger.collector.quay.scopes import Scope
from quayledger.settings import CallbackSettings, SettingsError, SourceSettings
from quayledger.warehouse.catalog import recorded_kinds

Level = Literal["ok", "note", "warning", "error"]
_CLOCK_TOLERANCE_S = 5.0


class Check(msgspec.Struct, frozen=True):
    """One finding: what was checked, the result, and what to do next ('' if nothing)."""

    name: str
    level: Level
    says: str
    next_step: str = ""


class Diagnosis(msgspec.Struct, frozen=True):
    """All findings about one source, the cover that it proposes, and the number of requests."""

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


async def examine(
    source_id: str,
    source: SourceSettings,
    callbacks: CallbackSettings | None = None,
    *,
    now: Callable[[], datetime] = utc_now,
    reads_config: bool = False,
) -> Diagnosis:
    """Checks one source, and the settings for its exports. Never raises for what is wrong with it: that is a finding, with the
    error beside it. `reads_config`: the settings let Quay's configuration be asked for what its log records."""
    checks: list[Check] = []
    cover: tuple[str, ...] = ()
    failed: Exception | None = None
    requests = 0
    try:
        checks.extend(_settings(source_id, source))
        async with QuayClient(source_id, source) as client:
            try:
                checks.extend(await _credential(client, source))
                cover = await _examine(client, source_id, source, now(), checks, reads_config=reads_config)
            finally:
                requests = client.meter.requests
            checks.append(_pace(client, source))
            checks.append(_exports(source))
            if source.exports != "off":
                checks.append(await _callbacks(source, callbacks or CallbackSettings()))
    except (QuayError, CollectorError, SettingsError) as error:
        failed = error
        checks.append(Check(type(error).__name__, "error", str(error)))
    return Diagnosis(source_id, source.url, tuple(checks), cover, requests, failed)


def _settings(source_id: str, source: SourceSettings) -> list[Check]:
    credential_of(source_id, source)
    if source.url.startswith("http://"):
        return [Check("transport", "warning", "http: the token is sent unencrypted", "Use https if the Quay offers it")]
    if not source.verify_tls:
        says = "certificates are not checked"
        return [Check("transport", "warning", says, "Set ca_file and remove verify_tls = false")]
    return []


async def _credential(client: QuayClient, source: SourceSettings) -> list[Check]:
    """What the requests are sent with; a provider's token is checked here before Quay sees it."""
    if source.auth == "token":
        return [
            Check(
                "credential",
                "ok",
                f"an OAuth application token is set; each request takes about {source.request_cpu_seconds:g} s of Quay's CPU",
                "If Quay logs people in with an OIDC provider, auth = oidc takes a sixteenth of that; see docs/oidc.md",
            )
        ]
    claims = await client.read_claims()
    if claims is None:
        return []
    where = "from token_file" if source.token_file is not None else "by client credentials"
    says = f"a token of the OIDC provider {claims.issuer} {where}, for {claims.account}"
    return [Check("credential", "ok", says), await _account(client, source, claims.account)]


async def _account(client: QuayClient, source: SourceSettings, named: str) -> Check:
    """Whom Quay takes the token for. A superuser would be too much: the token may do all that its user may."""
    user = await users.get_logged_in_user(client, purpose="probe")
    says = f"Quay takes the token for {user.username}"
    if user.super_user:
        step = "Use an account of GLOBAL_READONLY_SUPER_USERS: a token of the provider may do all that its user may"
        return Check("account", "warning", f"{says}, who is a superuser", step)
    if source.oidc_username:
        return Check("account", "ok", f"{says}, as oidc_username says")
    if user.username != named:
        step = "Quay may have created this account by itself. Delete it, and link the right account to the provider"
        return Check("account", "warning", f"{says}; the token itself names {named}", step)
    step = f"Set oidc_username = {user.username}, so that another account is noticed before anything is read"
    return Check("account", "note", says, step)


async def _examine(
    client: QuayClient,
    source_id: str,
    source: SourceSettings,
    now: datetime,
    checks: list[Check],
    *,
    reads_config: bool,
) -> tuple[str, ...]:
    address, operations = await _address(client)
    checks.append(address)
    today = now.date()
    access = await _access(client, source_id, source, today)
    checks.extend(_explain(access))
    for scope in access.scopes[:1]:
        found, kinds = await _look_at(client, scope, today, now)
        config = await _log_config(client) if reads_config else None
        checks.extend([*found, *_recorded(kinds, operations, config)])
    return tuple(scope.text for scope in access.scopes)


async def _address(client: QuayClient) -> tuple[Check, frozenset[str]]:
    """A Quay behind a proxy that hides its API reference can be read all the same."""
    try:
        offers = await discovery.get_discovery(client, purpose="probe")
    except (NotFound, Forbidden, NotAQuay) as error:
        step = "If the checks below succeed, this does no harm; otherwise check the address and any proxy on the way"
        return Check("address", "note", f"the API reference cannot be read ({error.says})", step), frozenset()
    says = f"a Quay answers; its API reference lists {len(offers.operations)} operations"
    return Check("address", "ok", says), frozenset(offers.operations)


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
                f"a user's own log never shows {', '.join(hidden)}",
                "A superuser's token can read them",
            )
        )
    return checks


async def _look_at(client: QuayClient, scope: Scope, today: date, now: datetime) -> tuple[list[Check], frozenset[str]]:
    """Counts the last four weeks with one request, and reads one page of today; with the kinds that were counted."""
    first = today - timedelta(days=LONGEST_WINDOW_DAYS - 1)
    counts = await logs.aggregate_logs(client, scope, first, today, purpose="probe")
    page = await logs.list_logs(client, scope, today, today, purpose="probe")
    kinds = {kind for by_kind in counts.values() for kind in by_kind}
    total = sum(sum(by_kind.values()) for by_kind in counts.values())
    checks = [Check("counts", "ok", f"{total:,} events of {len(kinds)} kinds in the last {LONGEST_WINDOW_DAYS} days")]
    checks.extend(_rotation(counts))
    if page.served_at is not None:
        checks.append(_clock(page.served_at, now))
    return checks, frozenset(kinds)


async def _log_config(client: QuayClient) -> dict[str, object] | None:
    """Quay's settings of what its log records, where it lets them be read."""
    try:
        found = await installation.get_log_config(client, purpose="probe")
    except (Forbidden, NotFound, NotAQuay):
        return None
    return {name.upper(): value for name, value in msgspec.structs.asdict(found).items() if value is not None}


def _recorded(kinds: frozenset[str], operations: frozenset[str], config: dict[str, object] | None) -> list[Check]:
    """What this Quay does not record: the absence of such events must not be read as peace."""
    checks, switched = [], {kind for switch in recorded_kinds.SWITCHES for kind in switch.kinds}
    for one in recorded_kinds.gaps(recorded_kinds.recordings(kinds, operations, config)):
        if one.state == "not known" and (one.setting or one.kinds[0] in switched):
            continue  # the switch, or the line below, says it
        says = f"{one.what}: {one.state} ({one.why})"
        step = ""
        if one.state in ("switched off", "off by default"):
            step = f"Set {one.setting} in Quay's configuration to record them"
        elif one.state == "not recorded by this version of Quay":
            step = f"Quay records them since {one.since:%Y-%m}: upgrade it to record them"
        checks.append(Check("recorded", "note", says, step))
    if config is None:
        says = "Quay's configuration was not read, so which events it leaves out is inferred"
        step = "Add log_config to [inventory] extra; Quay needs FEATURE_SUPERUSER_CONFIGDUMP, and only settings of its log are kept"
        checks.append(Check("recorded", "note", says, step))
    return checks


def _exports(source: SourceSettings) -> Check:
    """What an export leaves behind, before anybody allows one."""
    leaves = (
        "each one adds a row with the callback address to the log that it exports; if Quay uses local storage, the file stays "
        "at an address that needs no login"
    )
    if source.exports == "off":
        return Check("exports", "ok", f"off. Exports could bring events that pages skip, but {leaves}")
    return Check("exports", "note", f"{source.exports}: {leaves}", "Allow exports only if that is acceptable")


async def _callbacks(source: SourceSettings, callbacks: CallbackSettings) -> Check:
    """Where Quay is to call back, and from where files are taken."""
    if not callbacks.public_url:
        step = "Set it to the address under which the Quay reaches this machine; docs/deployment.md says how"
        return Check("callbacks", "warning", "callbacks.public_url is not set, so no export is asked for", step)
    says = f"Quay is asked to call {callbacks.public_url}; this machine listens on {callbacks.address}:{callbacks.port}"
    if private := await private_hosts(source, callbacks):
        step = "Set callbacks.allow_private_addresses = true if that is meant; until then no export is asked for"
        return Check("callbacks", "warning", f"{says}; {private} has an address of a private network", step)
    if hosts := callbacks.allowed_storage_hosts:
        return Check("callbacks", "ok", f"{says}; files are taken from the Quay's own host and {', '.join(hosts)}")
    step = "If the Quay keeps files in object storage, name its host in callbacks.allowed_storage_hosts"
    return Check("callbacks", "note", f"{says}; files are taken from the Quay's own host alone", step)


def _rotation(counts: dict[date, dict[str, int]]) -> list[Check]:
    held = sorted(day for day, by_kind in counts.items() if by_kind)
    if not held or held[0] == min(counts):
        return []
    return [
        Check(
            "oldest day",
            "note",
            f"the source has no events before {held[0]}",
            "Events that Quay already deleted are lost",
        )
    ]


def _clock(served_at: datetime, now: datetime) -> Check:
    offset = (served_at - now).total_seconds()
    if abs(offset) <= _CLOCK_TOLERANCE_S:
        return Check("clock", "ok", f"the clocks agree within {_CLOCK_TOLERANCE_S:.0f} s")
    ahead = "ahead of" if offset > 0 else "behind"
    says = f"the clock of the source is {abs(offset):.0f} s {ahead} the clock here"
    return Check("clock", "warning", says, "Check NTP on both machines")


def _pace(client: QuayClient, source: SourceSettings) -> Check:
    half, most = client.meter.quantile(0.5) * 1000, client.meter.quantile(0.95) * 1000
    share = source.most_cpu
    limit = f"at most {client.rate_limit.rate:.2g} requests per second"
    if share is not None:
        limit += f", so that they take {share:g} of a core of Quay's CPU"
    return Check("pace", "ok", f"half of the replies come within {half:.0f} ms, 95 % within {most:.0f} ms; {limit}")
