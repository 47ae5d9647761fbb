"""Sends notifications by Apprise: mail, Slack, Teams, PagerDuty, webhooks and some hundred more. The only module that reaches out
besides the collector, and only to the URLs that somebody set. A URL is a secret: it is in no log, no error and no record."""

from __future__ import annotations

import functools
import logging
import re
from typing import Any
from urllib.parse import unquote

from pydantic import SecretStr

from quayledger.reports.delivery.notification_text import AlertMessage, TextForm
from quayledger.reports.detections.model import Severity

_MOST_CHARS = 20_000
_LONGEST_REASON = 300
_SHORTEST_SECRET = 4
# What it would write may hold a URL: nothing of it goes into a log of ours.
_CHATTY = ("apprise", "requests", "urllib3", "oauthlib", "requests_oauthlib")


class SendFailed(Exception):
    """A notification was not taken; the text says why, without the target's URL."""


def send(url: SecretStr, notification: AlertMessage) -> None:
    """Sends one notification; returns when the service took it. Takes a minute at most. Raises SendFailed."""
    apprise = _apprise()
    server = _server(url)
    sender = apprise.Apprise(asset=_asset())
    sender.add(server)
    kinds = {Severity.CRITICAL: "failure", Severity.HIGH: "failure", Severity.MEDIUM: "warning"}
    result = sender.notify(
        body=notification.body,
        title=notification.title,
        notify_type=kinds.get(notification.severity, "info"),
        body_format=notification.form,
        log_level=logging.WARNING,
    )
    if not result:
        told = [str(entry.message) for entry in result.logs()]
        raise SendFailed(_reason(url, " ".join(told) or str(result.status.name).lower()))


def service_name(url: SecretStr) -> str:
    """What the URL leads to, such as `E-Mail`; '' where it is none that can be used."""
    try:
        return str(getattr(_server(url), "service_name", ""))
    except SendFailed:
        return ""


def form_of(url: SecretStr) -> tuple[TextForm, int]:
    """In which form the service wants its text, and how many characters it takes. Raises SendFailed for a URL that is none."""
    server = _server(url)
    declared = server.notify_format
    forms = {
        str(getattr(one, "value", one)) for one in (declared if isinstance(declared, (tuple, list)) else (declared,))
    }
    most = min(int(server.body_maxlen or _MOST_CHARS), _MOST_CHARS)
    # Webhooks take any form and want data, not markup.
    if forms >= {"text", "html", "markdown"}:
        return "text", most
    return ("html" if "html" in forms else "markdown" if "markdown" in forms else "text"), most


def _server(url: SecretStr) -> Any:
    apprise = _apprise()
    server = apprise.Apprise.instantiate(url.get_secret_value(), asset=_asset(), suppress_exceptions=True)
    if server is None:
        raise SendFailed(
            "the URL is not one that Apprise knows, or something is missing in it; docs/notifications.md has examples"
        )
    return server


@functools.cache
def _apprise() -> Any:
    """Loaded when it is needed: it takes a third of a second."""
    import apprise

    for name in _CHATTY:
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.setLevel(logging.WARNING)
        logger.addHandler(logging.NullHandler())
    return apprise


@functools.cache
def _asset() -> Any:
    """Nothing on disk, no pictures from elsewhere, no redirects, one after the other."""
    return _apprise().AppriseAsset(
        app_id="quayledger",
        app_desc="quayledger",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        async_mode=False,
        http_redirects=False,
        pgp_autogen=False,
        pem_autogen=False,
        storage_mode="memory",
        secure_logging=True,
        allow_templates=False,
        language="en",
        service_timeout=60,
    )


def _reason(url: SecretStr, told: str) -> str:
    """What the service said, without any part of the URL that is long enough to be a secret."""
    whole = url.get_secret_value()
    parts = {part for text in (whole, unquote(whole)) for part in re.split(r"[/?&=@:,#\s]+", text.partition("://")[2])}
    for part in sorted({whole, unquote(whole), *parts}, key=len, reverse=True):
        if len(part) >= _SHORTEST_SECRET:
            told = told.replace(part, "***")
    told = " ".join(told.split())
    return told if len(told) <= _LONGEST_REASON else f"{told[:_LONGEST_REASON]}…"
