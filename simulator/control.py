"""The simulator's control calls, for tests: POST JSON to `/__simulator__/{name}`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from quayledger.simulator.acts import Act
from quayledger.simulator.api.replies import json_bytes, quay_of, reply
from quayledger.simulator.changes.table import act_of, play
from quayledger.simulator.clock import to_us
from quayledger.simulator.collection import collect
from quayledger.simulator.faults import CONTROL_PATH, Plan
from quayledger.simulator.oidc import OidcLogin, Verifier
from quayledger.simulator.quay import FEATURES, Config, Quay, settings_of
from quayledger.simulator.secret_values import all_secrets
from quayledger.simulator.table import UNPARSABLE, Row


class _ControlFault(Exception):
    """A control call that makes no sense."""


def _faults(quay: Quay, wish: dict[str, Any]) -> Any:
    """Another fault plan: `rates`, `only`, `times`, `retry_after_seconds`, `latency_ms`, `lanes`; {} ends all."""
    quay.faults.follow(msgspec.convert(wish, Plan))
    return {"rates": quay.faults.plan.rates}


def _clock(quay: Quay, wish: dict[str, Any]) -> Any:
    """`advance` seconds, or `now` = an ISO time."""
    if "now" in wish:
        quay.clock.set(datetime.fromisoformat(wish["now"]))
    quay.clock.advance(wish.get("advance", 0))
    return {"now": quay.clock.now().isoformat()}


def _insert(quay: Quay, wish: dict[str, Any]) -> Any:
    """`rows`: objects with kind, namespace, and at will performer, repository, ip, metadata, datetime (ISO; now),
    unparsable (true: the stored metadata is no JSON, so that every page with the row is a 500)."""
    for described in wish["rows"]:
        quay.write(_row(quay, described))
    return {"inserted": len(wish["rows"])}


def _row(quay: Quay, described: dict[str, Any]) -> Row:
    registry = quay.registry
    account = registry.account(described["namespace"])
    if account is None:
        raise _ControlFault(f"no namespace {described['namespace']!r}")
    performer = registry.account(described.get("performer"))
    if performer is None and described.get("performer"):
        raise _ControlFault(f"no account {described['performer']!r}")
    repository = registry.repository(account.name, described.get("repository", ""))
    at = described.get("datetime")
    return Row(
        to_us(datetime.fromisoformat(at)) if at else quay.clock.now_us(),
        described.get("kind", "pull_repo"),
        account.id,
        performer.id if performer else 0,
        repository.id if repository else 0,
        described.get("ip"),
        UNPARSABLE if described.get("unparsable") else json.dumps(described.get("metadata", {})).encode(),
    )


def _rename(quay: Quay, wish: dict[str, Any]) -> Any:
    """`old`, `new`: another name for an account."""
    quay.registry.rename(wish["old"], wish["new"])
    return {}


def _delete(quay: Quay, wish: dict[str, Any]) -> Any:
    """`name`: a robot goes at once; a namespace is marked and gets a UUID for a name, which comes back."""
    account = quay.registry.account(wish["name"])
    if account is not None and account.kind == "robot":
        quay.registry.purge(account.name)
        return {"name": None}
    return {"name": quay.registry.delete_namespace(wish["name"])}


def _act(quay: Quay, wish: dict[str, Any]) -> Any:
    """`kind`, `namespace`, and at will `performer`, `repository`, `metadata`, `more`, `ip`, `datetime` (ISO; now): one
    change with its row; gives the `event` and the `changes` that it made."""
    at = _moment(quay, wish.pop("datetime", None))
    act = msgspec.convert(wish, Act)
    return act_of(quay, act, at)


def _changes(quay: Quay, wish: dict[str, Any]) -> Any:
    """`since`, `until` (ISO; now), `count`: the planted changes, one list entry for each difference that they make."""
    until_us = _moment(quay, wish.get("until"))
    since_us = _moment(quay, wish["since"]) if wish.get("since") else until_us
    if since_us > until_us:
        raise _ControlFault("since lies after until")
    return play(quay, since_us, until_us, wish.get("count"))


def _moment(quay: Quay, text: str | None) -> int:
    return quay.clock.now_us() if text is None else to_us(datetime.fromisoformat(text))


def _secrets(quay: Quay, _: dict[str, Any]) -> Any:
    """All secret values that answers and events hold."""
    return sorted({*all_secrets(quay.registry), *quay.registry_tokens})


def _features(quay: Quay, wish: dict[str, Any]) -> Any:
    """Switches by name (`builds`: false, …), `scanner_state`: up | down | idle, `full_access`; gives how all of them are."""
    if "full_access" in wish:
        quay.registry.full_access = bool(wish.pop("full_access"))
    unknown = set(wish) - {*FEATURES, "scanner_state"}
    if unknown:
        raise _ControlFault(f"no such feature: {', '.join(sorted(unknown))}; there are {', '.join(FEATURES)}")
    quay.config = msgspec.convert(msgspec.to_builtins(quay.config) | wish, Config)
    return settings_of(quay)["features"] | {"scanner_state": quay.config.scanner_state}


def _collect(quay: Quay, _: dict[str, Any]) -> Any:
    """The garbage is collected: what is marked for deletion, tags past their time, manifests without any."""
    return collect(quay.registry, quay.clock.now_us())


def _purge(quay: Quay, wish: dict[str, Any]) -> Any:
    """`name`: an account goes for good, with all that is its."""
    quay.registry.purge(wish["name"])
    return {}


def _rotate(quay: Quay, wish: dict[str, Any]) -> Any:
    """Rows older than `before` (ISO) are deleted, oldest ids first, `limit` at most in each table."""
    before_us, left = to_us(datetime.fromisoformat(wish["before"])), wish.get("limit")
    gone = 0
    for table in quay.logs.tables:
        old = [row for row in range(len(table)) if table.stamps[row] < before_us][:left]
        gone += table.drop(set(old))
    return {"deleted": gone}


def _revoke(quay: Quay, wish: dict[str, Any]) -> Any:
    """`token`: that access token is good no more."""
    quay.registry.tokens.pop(wish["token"], None)
    return {}


def _stats(quay: Quay, _: dict[str, Any]) -> Any:
    """What was asked so far."""
    return quay.stats.report()


def _reset(quay: Quay, _: dict[str, Any]) -> Any:
    """Counting starts anew."""
    quay.stats.clear()
    return {}


def _settings(quay: Quay, _: dict[str, Any]) -> Any:
    """Clock, backend, row counts, tokens."""
    return settings_of(quay)


def _oidc(quay: Quay, wish: dict[str, Any]) -> Any:
    """The login service whose tokens are taken: `issuer`, `audiences`, at will `allowed_clients`, `user_creation`; {}: none."""
    quay.oidc = Verifier(msgspec.convert(wish, OidcLogin)) if wish else None
    return {}


ACTIONS: dict[str, Callable[[Quay, dict[str, Any]], Any]] = {
    "faults": _faults,
    "clock": _clock,
    "insert": _insert,
    "rename": _rename,
    "delete": _delete,
    "purge": _purge,
    "rotate": _rotate,
    "revoke": _revoke,
    "stats": _stats,
    "reset": _reset,
    "settings": _settings,
    "act": _act,
    "changes": _changes,
    "secrets": _secrets,
    "features": _features,
    "collect": _collect,
    "oidc": _oidc,
}


async def _control(request: Request) -> Response:
    name = request.path_params["name"]
    quay = quay_of(request)
    body = await request.body()  # read in any case: a reply before that resets the connection
    if name == "truth":
        return json_bytes(b"[" + b",".join(quay.truth()) + b"]")
    if name not in ACTIONS:
        return reply({"error": f"no such control call; there are {', '.join((*ACTIONS, 'truth'))}"}, 404)
    try:
        return reply(ACTIONS[name](quay, json.loads(body or b"{}")))
    except (_ControlFault, LookupError, TypeError, ValueError) as error:
        return reply({"error": f"{type(error).__name__}: {error}"}, 400)


ROUTES = [Route(CONTROL_PATH + "{name}", _control, methods=["GET", "POST"])]
