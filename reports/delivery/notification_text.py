"""The words of notifications, in plain text, HTML or Markdown. Pure.

Names come from a registry, where anyone may choose them: they are made visible, cut, kept from being a link or a mention, and
escaped for the form they stand in. A title holds none of them, so that nothing can be put into a mail's headers."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from quayledger.reports import formatting
from quayledger.reports.desk.alerts import Alert
from quayledger.reports.detections.model import Severity

TextForm = Literal["text", "html", "markdown"]
_LONGEST_VALUE = 500
_LONGEST_TITLE = 120
_LISTED = 50
_NAMESPACES = 10
_MARKDOWN = re.compile(r"([\\`*_\[\]<>#|~@&])")
_MENTION = re.compile(r"@(?=(?:everyone|here|channel|room|all|team)\b)", re.IGNORECASE)
_WHAT = {"raised": "New alert", "severity": "More severe", "reopened": "Reopened"}
_REPEAT = "This may have reached you before: the program stopped while it was being sent."


class AlertNews(msgspec.Struct, frozen=True):
    """An alert that a target is told of. `what`: raised | severity | reopened; `is_repeat`: it may have been told before."""

    alert: Alert
    what: str
    namespaces: tuple[str, ...]
    is_repeat: bool


class AlertMessage(msgspec.Struct, frozen=True):
    """A message as it is sent. `title`: one line of harmless characters; `severity`: the highest in it."""

    title: str
    body: str
    form: TextForm
    severity: Severity


class _Entry(msgspec.Struct, frozen=True):
    """A heading of ours, and what is said below it: label and value, where only the values may come from a registry."""

    heading: str
    lines: tuple[tuple[str, str], ...]


def about_alert(news: AlertNews, form: TextForm, most_chars: int, pages_url: str | None) -> AlertMessage:
    """One alert in a message of its own, at most so long."""
    alert = news.alert
    title = _title(f"{alert.severity.upper()}: {alert.title} (alert {alert.alert_id})")
    lines = [("", alert.summary), *_facts(news), ("Look at it", f"quayledger alerts show {alert.alert_id}")]
    if pages_url:
        lines.append(("Page", _page(pages_url, alert.alert_id)))
    if news.is_repeat:
        lines.append(("", _REPEAT))
    entry = _Entry(f"{_WHAT[news.what]}: {alert.title}", tuple(lines))
    return AlertMessage(title, _body([entry], "", form, most_chars), form, alert.severity)


def about_several(
    news: Sequence[AlertNews], dealt_with: int, form: TextForm, most_chars: int, pages_url: str | None
) -> AlertMessage:
    """Many alerts in one message, most serious first, at most so long. `dealt_with`: how many more were resolved or suppressed
    before they could be told."""
    rank = list(Severity)
    ordered = sorted(news, key=lambda one: -rank.index(one.alert.severity))
    severity = ordered[0].alert.severity
    count = formatting.plural(len(ordered), "alert")
    entries = [
        _Entry(
            f"{one.alert.severity.upper()}: {one.alert.title} (alert {one.alert.alert_id})",
            (("", one.alert.summary), ("Last", formatting.moment(one.alert.last_at)), *_where(one)),
        )
        for one in ordered
    ]
    ends = ["All of them: quayledger alerts list" + (f", or {pages_url}/alerts" if pages_url else "")]
    if dealt_with:
        ends.append(f"{formatting.plural(dealt_with, 'more alert')} resolved or suppressed before this was sent.")
    if any(one.is_repeat for one in ordered):
        ends.append(_REPEAT)
    title = _title(f"{severity.upper()}: {count} of quayledger")
    return AlertMessage(title, _body(entries, " ".join(ends), form, most_chars), form, severity)


def about_nothing(target: str, form: TextForm) -> AlertMessage:
    """A test message."""
    entry = _Entry("Test of quayledger", (("", f"Alerts for the target {target} arrive here."),))
    return AlertMessage(_title("Test of quayledger"), _body([entry], "", form, 10_000), form, Severity.INFO)


def _facts(news: AlertNews) -> list[tuple[str, str]]:
    alert = news.alert
    found = [
        ("Severity", alert.severity.value),
        ("Subject", alert.subject),
        ("First", formatting.moment(alert.first_at)),
        ("Last", formatting.moment(alert.last_at)),
        ("Events", formatting.count(alert.events)),
        *_where(news),
        ("Source", alert.source_id),
        ("Rule", f"{alert.rule_id}, version {alert.rule_version}"),
    ]
    return [*found, ("Incomplete", alert.caveat)] if alert.caveat else found


def _where(news: AlertNews) -> list[tuple[str, str]]:
    named = news.namespaces
    if not named:
        return []
    more = f" and {len(named) - _NAMESPACES} more" if len(named) > _NAMESPACES else ""
    return [("Namespaces", ", ".join(named[:_NAMESPACES]) + more)]


def _page(pages_url: str, alert_id: int) -> str:
    return f"{pages_url}/alerts?alert={alert_id}"


def _title(text: str) -> str:
    """One line that no header, no markup and no mention can be made of."""
    return " ".join(re.sub(r"[^\w .,:;+/()'%-]", " ", formatting.visible(text)).split())[:_LONGEST_TITLE]


def _body(entries: Sequence[_Entry], end: str, form: TextForm, most_chars: int) -> str:
    """Entries under each other, as many as there is room for; how many are left out is said."""
    write = _WRITERS[form]
    told: list[str] = []
    room = most_chars - len(write(_Entry(end, ()))) - 100
    for number, entry in enumerate(entries):
        written = write(entry)
        room -= len(written) + 2
        if (room < 0 and told) or number == _LISTED:
            left = len(entries) - number
            told.append(write(_Entry(f"And {left} more.", ())))
            break
        told.append(written if room >= 0 else write(_Entry(entry.heading, entry.lines[:1]))[: max(most_chars - 100, 0)])
    if end:
        told.append(write(_Entry("", (("", end),))))
    return _BETWEEN[form].join(told)


def _safe(value: str) -> str:
    """A registry's text as people may see it: visible, short, and no link."""
    shown = formatting.visible(value)
    shown = shown if len(shown) <= _LONGEST_VALUE else f"{shown[:_LONGEST_VALUE]}…"
    return shown.replace("www.", "www[.]")


def _unlinked(label: str, value: str) -> str:
    """The value of a line; only our own address stays a link."""
    return formatting.visible(value) if label == "Page" else _safe(value).replace("://", "[:]//")


def _text(entry: _Entry) -> str:
    lines = [entry.heading] if entry.heading else []
    for label, value in entry.lines:
        said = _MENTION.sub("(at)", _unlinked(label, value))
        lines.append(f"{label}: {said}" if label else said)
    return "\n".join(lines)


def _html(entry: _Entry) -> str:
    lines = [f"<b>{html.escape(formatting.visible(entry.heading))}</b>"] if entry.heading else []
    for label, value in entry.lines:
        said = html.escape(_unlinked(label, value))
        lines.append(f"{html.escape(label)}: {said}" if label else said)
    return "<p>" + "<br/>\n".join(lines) + "</p>"


def _markdown(entry: _Entry) -> str:
    lines = [f"**{_marked(formatting.visible(entry.heading))}**"] if entry.heading else []
    for label, value in entry.lines:
        said = value if label == "Page" else _marked(_MENTION.sub("(at)", _unlinked(label, value)))
        lines.append(f"{label}: {said}" if label else said)
    return "  \n".join(lines)


def _marked(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)


_WRITERS = {"text": _text, "html": _html, "markdown": _markdown}
_BETWEEN = {"text": "\n\n", "html": "\n", "markdown": "\n\n"}
