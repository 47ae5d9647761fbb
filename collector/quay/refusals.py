"""Refusals: what a reply that is no 200 says, and which member of the error family it becomes. No I/O."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import httpx
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
from quayledger.collector.quay.times import moment

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
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


def kind_of(response: httpx.Response) -> type[QuayError]:
    """The class of error that a reply other than the good ones stands for."""
    status = response.status_code
    if status != 429 and status >= 500:
        return ServerFailure
    if "json" not in response.headers.get("content-type", ""):
        if status < 400:
            return NotAQuay
        if status == 404:
            return NotOffered
    return _KINDS.get(status, BadRequest)


def said(response: httpx.Response) -> str:
    """What the API itself says of the error: its detail, with its type; an HTML page is only named."""
    kind = response.headers.get("content-type", "no content type").partition(";")[0]
    if "json" not in kind:
        page = _page(kind, response)
        return f"it answers with {page}" if kind_of(response) in (NotAQuay, NotOffered) else page
    try:
        error = msgspec.json.decode(response.content, type=_Error)
    except UNREADABLE:
        return "JSON that is no error of Quay's"
    if isinstance(error.errors, list) and error.errors:
        return _registry_said(error.errors[0])
    told = error.detail or error.error_message or error.message or error.error
    if isinstance(told, dict):
        told = "; ".join(f"{key}: {text}" for key, text in told.items())
    return _typed(told, error.error_type)


def retry_after(response: httpx.Response) -> float:
    """Seconds that the server asks to be left alone for; 1 where it does not say."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_PAUSE_S)
    try:
        until = moment(text)
    except ValueError:
        return 1.0
    begin = served_at(response) or datetime.now(UTC)
    return min(max((until - begin).total_seconds(), 0.0), _LONGEST_PAUSE_S)


def served_at(response: httpx.Response) -> datetime | None:
    """The server's clock, aware UTC; None where it gave none."""
    try:
        return moment(response.headers["date"])
    except (KeyError, ValueError):
        return None


def _registry_said(error: Any) -> str:
    """The registry's form: a list of `{code, message, detail}`."""
    if not isinstance(error, dict):
        return "JSON that is no error of Quay's"
    return _typed(str(error.get("message") or "")[:200], error.get("code"))


def _typed(told: Any, kind: Any) -> str:
    text = redaction.redact_text(str(told)) if told else "no reason given"
    return f"{text} [{kind}]" if kind else text


def _page(kind: str, response: httpx.Response) -> str:
    title = _TITLE.search(response.content[:4096])
    named = " ".join(title[1].decode("utf-8", "replace").split()) if title else ""
    return f"a page of {kind}" + (f", titled {named[:80]!r}" if named else "")
