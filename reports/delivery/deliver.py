"""Delivers what is new to those who want to know: in order, in their hours, again until it is taken, as one message where it is
much. At least once: a message that was under way when the process died is sent again, and says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from pydantic import SecretStr

from quayledger.reports.delivery import apprise_sender, notification_text, routes
from quayledger.reports.delivery.apprise_sender import SendFailed
from quayledger.reports.delivery.notification_text import AlertMessage, AlertNews
from quayledger.reports.delivery.sole_process import sole_process
from quayledger.reports.desk import alerts, outbox
from quayledger.reports.desk.alerts import Alert, AlertState
from quayledger.reports.desk.outbox import OutboxItem
from quayledger.reports.desk.store import Desk
from quayledger.settings import NotifyTarget, Settings, SettingsError
from quayledger.warehouse.log import events
from quayledger.warehouse.snapshot import Snapshot

BURST = 5  # more alerts than this at a time are one message
LOCK_NAME = "notify.lock"
_CLOSED = (AlertState.RESOLVED, AlertState.SUPPRESSED)
Send = Callable[[SecretStr, AlertMessage], None]


class Delivered(msgspec.Struct, frozen=True):
    """What a round did: messages that were taken; by target, why it did not take one now (`failures`), or did not the last time and is
    left alone until it is tried again (`away`); and whether another process was at it, so that nothing was done."""

    sent: int = 0
    failures: Mapping[str, str] = {}
    away: Mapping[str, str] = {}
    is_busy: bool = False


def begin(home: Path, settings: Settings) -> None:
    """Marks where telling begins, the first time that there is a target. To be called before days are judged. Raises DeskError."""
    if settings.notify:
        with Desk.open(home) as desk:
            outbox.begin(desk)


def deliver(
    home: Path, settings: Settings, now: Callable[[], datetime], *, send: Send = apprise_sender.send
) -> Delivered:
    """Tells each target what is due, as far as another process is not at it. A target that fails is tried again later and holds up
    no other. Raises DeskError, WarehouseError."""
    if not settings.notify:
        return Delivered()
    with sole_process(home / LOCK_NAME) as is_alone:
        if not is_alone:
            return Delivered(is_busy=True)
        with Desk.open(home) as desk:
            outbox.begin(desk)
            outbox.release_interrupted(desk, now())
            _collect(home, desk, settings, now())
            return _send_all(home, desk, settings, now, send)


def send_test(home: Path, settings: Settings, target_id: str, now: Callable[[], datetime]) -> str:
    """Sends a test message at once. Returns why it failed, '' where it was taken. Raises DeskError."""
    begun_at, title, failure = now(), "Test of quayledger", ""
    try:
        url = settings.notify[target_id].secret_url(target_id)
        form, _ = apprise_sender.form_of(url)
        apprise_sender.send(url, notification_text.about_nothing(target_id, form))
    except (SendFailed, SettingsError) as error:
        failure = str(error)
    with Desk.open(home) as desk:
        outbox.record_test(desk, target_id, title, begun_at, now(), failure)
    return failure


def _collect(home: Path, desk: Desk, settings: Settings, now: datetime) -> None:
    """Puts what is new into the outbox of the targets that take it."""
    fresh, mark = outbox.fresh_news(desk)
    found = {alert.alert_id: alert for alert in alerts.list_alerts(desk, now)} if fresh else {}
    places = _namespaces(home, desk, [found[news.alert_id] for news in fresh if news.alert_id in found])
    told = [
        (target_id, news)
        for news in fresh
        if (alert := found.get(news.alert_id)) is not None
        for target_id, target in settings.notify.items()
        if routes.takes(target, alert, places.get(alert.alert_id, ()))
    ]
    outbox.enqueue(desk, told, mark, now)


def _namespaces(home: Path, desk: Desk, chosen: Sequence[Alert]) -> dict[int, tuple[str, ...]]:
    """By alert, the namespaces that its events are in."""
    if not chosen:
        return {}
    found: dict[int, tuple[str, ...]] = {}
    with Snapshot.open(home) as snapshot:
        for alert in chosen:
            ids = alerts.evidence(desk, alert.alert_id)
            named = events.by_ids(snapshot, ids)["namespace"].drop_nulls().unique().sort() if ids else ()
            found[alert.alert_id] = tuple(named)
    return found


def _send_all(home: Path, desk: Desk, settings: Settings, now: Callable[[], datetime], send: Send) -> Delivered:
    sent, failures, away = 0, dict[str, str](), dict[str, str]()
    for target_id, target in settings.notify.items():
        if not target.enabled:
            continue
        if not outbox.may_try(desk, target_id, now(), routes.retry_after):
            away[target_id] = outbox.target_state(desk, target_id).reason
            continue
        number, failure = _send_to(home, desk, settings, target_id, target, now, send)
        sent += number
        if failure:
            failures[target_id] = failure
    return Delivered(sent, failures, away)


def _send_to(
    home: Path,
    desk: Desk,
    settings: Settings,
    target_id: str,
    target: NotifyTarget,
    now: Callable[[], datetime],
    send: Send,
) -> tuple[int, str]:
    """Sends what is due to one target, in order, as far as it is taken: the number of messages, and why the last one failed."""
    waiting = outbox.waiting(desk, target_id)
    if not waiting:
        return 0, ""
    found = {alert.alert_id: alert for alert in alerts.list_alerts(desk, now())}
    due = [item for item in waiting if routes.is_due(target, found[item.alert_id].severity, item.made_at, now())]
    over = [item for item in due if found[item.alert_id].state in _CLOSED]
    open_items = [item for item in due if found[item.alert_id].state not in _CLOSED]
    outbox.skip(desk, over)
    if not open_items:
        return 0, ""
    places = _namespaces(home, desk, list({item.alert_id: found[item.alert_id] for item in open_items}.values()))
    pages_url, sent = settings.app.public_url, 0
    for batch in _batches(target, open_items, found):
        news = _news(batch, found, places)
        dealt_with = len({item.alert_id for item in over}) if not sent else 0
        message_id, failure = 0, ""
        try:
            url = target.secret_url(target_id)
            form, most = apprise_sender.form_of(url)
            if len(news) == 1 and not (target.delivery == "digest" and not _any_urgent(target, news)):
                notification = notification_text.about_alert(news[0], form, most, pages_url)
            else:
                notification = notification_text.about_several(news, dealt_with, form, most, pages_url)
            message_id = outbox.claim(desk, target_id, notification.title, batch, now())
            send(url, notification)
        except (SendFailed, SettingsError) as error:
            failure = str(error)
            message_id = message_id or outbox.claim(desk, target_id, "", batch, now())
        outbox.settle(desk, message_id, now(), failure)
        if failure:
            return sent, failure
        sent += 1
    return sent, ""


def _any_urgent(target: NotifyTarget, news: Sequence[AlertNews]) -> bool:
    return any(routes.is_urgent(target, one.alert.severity) for one in news)


def _batches(
    target: NotifyTarget, items: Sequence[OutboxItem], found: Mapping[int, Alert]
) -> Iterator[Sequence[OutboxItem]]:
    """What goes into one message each. Where many alerts wait, as after a mail server was away, they are one message."""
    if target.delivery == "digest":
        urgent = [item for item in items if routes.is_urgent(target, found[item.alert_id].severity)]
        rest = [item for item in items if item not in urgent]
        yield from _singly(urgent)
        if rest:
            yield rest
    else:
        yield from _singly(items)


def _singly(items: Sequence[OutboxItem]) -> Iterator[Sequence[OutboxItem]]:
    by_alert: dict[int, list[OutboxItem]] = {}
    for item in items:
        by_alert.setdefault(item.alert_id, []).append(item)
    if len(by_alert) > BURST:
        yield items
    else:
        yield from by_alert.values()


def _news(
    batch: Sequence[OutboxItem], found: Mapping[int, Alert], places: Mapping[int, tuple[str, ...]]
) -> list[AlertNews]:
    """One entry per alert: what it was first told for, and whether any of it may have arrived before."""
    told: dict[int, AlertNews] = {}
    for item in batch:
        held = told.get(item.alert_id)
        told[item.alert_id] = AlertNews(
            found[item.alert_id],
            held.what if held else item.what,
            places.get(item.alert_id, ()),
            item.is_repeat or (held is not None and held.is_repeat),
        )
    return list(told.values())
