"""Error replies: which error class a reply stands for, and its explanation. No I/O."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from quayledger.collector.quay import redaction
from quayledger.collector.quay.errors import (
    BadRequest,
    Forbidden,
    NotAQuay,
    NotFound,
    NotOffered,
    QuayError,
    ServerFailure,
    Throttled,
    Unauthenticated,
)
from quayledger.collector.quay.http_reply import HttpReply
from quayledger.collector.quay.lenient_json import UNREADABLE
from quayledger.collector.quay.times import moment

_LONGEST_PAUSE_S = 900.0
_TITLE = re.compile(rb"(?is)<title[^>]*>(.*?)</title>")
_KINDS: dict[int, type[QuayError]] = {401: Unauthenticated, 403: Forbidden, 404: NotFound, 429: Throttled}


class _Error(msgspec.Struct):
    detail: Any = None
    error_message: Any = None
    message: Any = None
    error: Any = None
    error_type: Any = None
    errors: Any = None


def error_class(response: HttpReply) -> type[QuayError]:
    """The error class for an unsuccessful reply."""
    status = response.status_code
    if status != 429 and status >= 500:
        return ServerFailure
    if "json" not in response.headers.get("content-type", ""):
        if status < 400:
            return NotAQuay
        if status == 404:
            return NotOffered
    return _KINDS.get(status, BadRequest)


def explanation(response: HttpReply) -> str:
    """The API's own explanation of the error: its detail and type. An HTML page is only named."""
    kind = response.headers.get("content-type", "no content type").partition(";")[0]
    if "json" not in kind:
        page = _page(kind, response)
        return f"it answers with {page}" if error_class(response) in (NotAQuay, NotOffered) else page
    try:
        error = msgspec.json.decode(response.content, type=_Error)
    except UNREADABLE:
        return "JSON that is not one of Quay's error messages"
    if isinstance(error.errors, list) and error.errors:
        return _registry_explanation(error.errors[0])
    told = error.detail or error.error_message or error.message or error.error
    if isinstance(told, dict):
        told = "; ".join(f"{key}: {text}" for key, text in told.items())
    return _typed(told, error.error_type)


def retry_after(response: HttpReply) -> float:
    """Seconds to wait before the next request, from Retry-After; 1 if the header is missing."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_PAUSE_S)
    try:
        until = moment(text)
    except ValueError:
        return 1.0
    begin = served_at(response) or datetime.now(UTC)
    return min(max((until - begin).total_seconds(), 0.0), _LONGEST_PAUSE_S)


def served_at(response: HttpReply) -> datetime | None:
    """The server's clock from its Date header, aware UTC; None if missing."""
    try:
        return moment(response.headers["date"])
    except (KeyError, ValueError):
        return None


def _registry_explanation(error: Any) -> str:
    """The registry's error format: a list of `{code, message, detail}`."""
    if not isinstance(error, dict):
        return "JSON that is not one of Quay's error messages"
    return _typed(str(error.get("message") or "")[:200], error.get("code"))


def _typed(told: Any, kind: Any) -> str:
    text = redaction.redact_text(str(told)) if told else "no reason given"
    return f"{text} [{kind}]" if kind else text


def _page(kind: str, response: HttpReply) -> str:
    title = _TITLE.search(response.content[:4096])
    named = " ".join(title[1].decode("utf-8", "replace").split()) if title else ""
    return f"a page of type {kind}" + (f", titled {named[:80]!r}" if named else "")
