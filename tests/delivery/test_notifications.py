"""Notifications: to those who want them, in their hours, again until they are taken, never twice in silence, and harmless."""

from __future__ import annotations

import json
import logging
import shutil
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from quayledger.cli._main import app
from quayledger.reports.delivery import apprise_sender, deliver, notification_text, routes
from quayledger.reports.delivery.apprise_sender import SendFailed
from quayledger.reports.delivery.notification_text import AlertMessage, AlertNews
from quayledger.reports.delivery.notify_targets import target_lines
from quayledger.reports.desk import alerts, outbox
from quayledger.reports.desk.alerts import AlertState
from quayledger.reports.desk.store import Desk
from quayledger.reports.detections.model import Severity, Signal
from quayledger.settings import AppSettings, NotifyTarget, Settings
from quayledger.warehouse.ledger import Ledger
from quayledger.warehouse.publish import publish
from tests.delivery.conftest import MailServer, Webhook
from tests.warehouse.sample import NOW, begin, event, store

DAY = date(2026, 10, 5)
HOSTILE = (
    "<script>alert(1)</script>@everyone [pay](http://evil.example) *x* <!channel>\r\nBcc: all@example.org\x1b[2J\u202e"
)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger whose events are in two namespaces: numbers 1 to 30 in acme, those above in globex."""
    folder = tmp_path_factory.mktemp("ledger")
    with Ledger.open(folder, command="sample") as ledger:
        begin(ledger)
        rows = [
            event(n, namespace="acme" if n <= 30 else "globex", namespace_kind="org", repository="web")
            for n in range(1, 61)
        ]
        store(ledger, rows, day=DAY)
        publish(ledger, keep=3, now=NOW)
    return folder


@pytest.fixture
def home(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "ledger"))


def _raise(home: Path, number: int, severity: Severity = Severity.HIGH, **values: Any) -> None:
    """Raises an alert whose evidence is the event of that number."""
    given: dict[str, Any] = {
        "subject": f"subject {number}",
        "summary": f"Summary {number}.",
        "event_ids": (f"main-20261005-{number}",),
        **values,
    }
    at = datetime(2026, 10, 5, tzinfo=UTC) + timedelta(days=number)
    signal = Signal(
        rule_id="D1", rule_version=1, severity=severity, source_id="main", first_at=at, last_at=at, count=1, **given
    )
    with Desk.open(home) as desk:
        alerts.record(desk, [signal], NOW, titles={"D1": "Brute force"}, merge_within={})


def _settings(url: str, **values: Any) -> Settings:
    return Settings(notify={"ops": NotifyTarget(target_url=SecretStr(url), **values)})


class Receiver:
    """Takes notifications in the place of Apprise; `broken`: what it says instead."""

    def __init__(self) -> None:
        self.taken: list[AlertMessage] = []
        self.broken = ""

    def __call__(self, _url: SecretStr, notification: AlertMessage) -> None:
        if self.broken:
            raise SendFailed(self.broken)
        self.taken.append(notification)


ANY = "json://127.0.0.1/x"


def test_mails_arrive_in_order_and_after_a_day_without_a_server_as_one(
    home: Path, mail_server: MailServer, clock: Clock
) -> None:
    settings = _settings(mail_server.url)
    deliver.begin(home, settings)
    _raise(home, 1, subject=HOSTILE, summary=f"Many failures of {HOSTILE}.")
    assert deliver.deliver(home, settings, clock).sent == 1
    assert deliver.deliver(home, settings, clock) == deliver.Delivered(), "nothing is told twice"
    (first,) = mail_server.mails()
    assert first["Subject"] == "HIGH: Brute force (alert 1)"
    assert first["Bcc"] is None
    assert "Bcc" not in str(first["To"])
    page = first.get_body(("html",))
    assert page is not None
    assert "<script>" not in page.get_content()
    assert "&lt;script&gt;" in page.get_content()
    assert "http://evil" not in page.get_content()
    mail_server.stop()
    for number in range(2, 10):
        _raise(home, number, Severity.CRITICAL if number == 7 else Severity.HIGH)
    for _ in range(5):
        done = deliver.deliver(home, settings, clock)
        assert {*done.failures, *done.away} == {"ops"}
        clock.now += timedelta(minutes=1)
    with Desk.open(home) as desk:
        tries = [one.begun_at - NOW for one in outbox.messages(desk) if one.state == "failed"]
    assert sorted(tries) == [timedelta(minutes=n) for n in (0, 1, 3)], "after one minute, then two, then four"
    clock.now += timedelta(days=1)
    _raise(home, 10)
    with Desk.open(home) as desk:
        alerts.set_state(desk, 3, AlertState.RESOLVED, "alice", clock.now, note="a test of ours")
    mail_server.start()
    assert deliver.deliver(home, settings, clock).sent == 1
    _, digest = mail_server.mails()
    assert digest["Subject"] == "CRITICAL: 8 alerts of quayledger"
    text = digest.get_body(("plain",))
    assert text is not None
    told = text.get_content()
    assert told.index("alert 7") < told.index("alert 2")
    assert "1 more alert resolved or suppressed" in " ".join(told.split())
    assert "alert 3)" not in told
    assert deliver.deliver(home, settings, clock).sent == 0


def test_a_webhook_is_told_and_its_url_is_nowhere(
    home: Path, webhook: Webhook, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = _settings(webhook.url)
    deliver.begin(home, settings)
    _raise(home, 1)
    webhook.status = 500
    (failure,) = deliver.deliver(home, settings, clock).failures.values()
    assert "500" in failure
    webhook.status = 200
    clock.now += timedelta(minutes=1)
    assert deliver.deliver(home, settings, clock).sent == 1
    (post,) = webhook.posts
    assert post["title"] == "HIGH: Brute force (alert 1)"
    assert "Namespaces: acme" in post["message"]
    with Desk.open(home) as desk:
        told = [(one.state, one.title) for one in outbox.messages(desk)]
        (line,) = target_lines(desk, settings)
    assert told == [("sent", "HIGH: Brute force (alert 1)"), ("failed", "HIGH: Brute force (alert 1)")]
    assert (line.service, line.waiting, line.sent, line.failures) == ("JSON", 0, 1, 0)
    everything = (
        caplog.text + failure + repr(line) + repr(settings) + (home / "desk.sqlite").read_bytes().decode("latin1")
    )
    assert "T0KEN" not in everything


def test_routes_by_severity_namespace_source_and_rule(home: Path, clock: Clock) -> None:
    for values, expected in (
        ({}, {1, 2, 4}),
        ({"severity": "low"}, {1, 2, 3, 4}),
        ({"severity": "critical"}, {4}),
        ({"namespaces": ("acme",)}, {1}),
        ({"namespaces": ("glob*", "acme"), "severity": "low"}, {1, 2, 3}),
        ({"sources": ("other",)}, set()),
        ({"rules": ("D1",)}, {1, 2, 4}),
    ):
        folder = home.with_name(f"desk {len(list(home.parent.iterdir()))}")
        shutil.copytree(home, folder)
        receiver, settings = Receiver(), _settings(ANY, **values)
        deliver.begin(folder, settings)
        _raise(folder, 1)
        _raise(folder, 31)
        _raise(folder, 32, Severity.LOW)
        _raise(folder, 2, Severity.CRITICAL, event_ids=())  # in no namespace
        deliver.deliver(folder, settings, clock, send=receiver)
        told = {int(one.title.split("alert ")[1].rstrip(")")) for one in receiver.taken}
        assert told == expected, values


def test_what_becomes_more_severe_is_told_and_growth_alone_is_not(home: Path, clock: Clock) -> None:
    receiver, settings = Receiver(), _settings(ANY)
    deliver.begin(home, settings)
    _raise(home, 1, Severity.LOW)
    deliver.deliver(home, settings, clock, send=receiver)
    assert receiver.taken == []
    _raise(home, 1, Severity.MEDIUM)
    _raise(home, 1, Severity.MEDIUM, event_ids=("main-20261005-2",))
    deliver.deliver(home, settings, clock, send=receiver)
    assert [one.body.splitlines()[0] for one in receiver.taken] == ["More severe: Brute force"]
    with Desk.open(home) as desk:
        alerts.set_state(desk, 1, AlertState.RESOLVED, "alice", NOW, note="ours")
        alerts.set_state(desk, 1, AlertState.NEW, "alice", NOW)
    deliver.deliver(home, settings, clock, send=receiver)
    assert receiver.taken[-1].body.startswith("Reopened: Brute force")


def test_quiet_hours_and_digest_in_their_time_zone(home: Path, clock: Clock) -> None:
    receiver = Receiver()
    settings = _settings(ANY, quiet_from=time(22), quiet_until=time(6, 30), time_zone="Europe/Berlin")
    deliver.begin(home, settings)
    clock.now = datetime(2026, 10, 24, 20, 30, tzinfo=UTC)  # 22:30 in Berlin, the night in which its summer time ends
    _raise(home, 1)
    _raise(home, 2, Severity.CRITICAL)
    deliver.deliver(home, settings, clock, send=receiver)
    assert [one.title for one in receiver.taken] == ["CRITICAL: Brute force (alert 2)"]
    clock.now = datetime(2026, 10, 25, 5, 29, tzinfo=UTC)
    assert deliver.deliver(home, settings, clock, send=receiver).sent == 0
    clock.now = datetime(2026, 10, 25, 5, 30, tzinfo=UTC)
    assert deliver.deliver(home, settings, clock, send=receiver).sent == 1
    daily = _settings(ANY, delivery="digest", digest_at=time(7), time_zone="Europe/Berlin")
    _raise(home, 3)
    _raise(home, 4)
    assert deliver.deliver(home, daily, clock, send=receiver).sent == 0
    clock.now = datetime(2026, 10, 25, 6, 0, tzinfo=UTC)  # 7:00 in Berlin
    assert deliver.deliver(home, daily, clock, send=receiver).sent == 1
    assert receiver.taken[-1].title == "HIGH: 2 alerts of quayledger"


def test_old_alerts_are_not_told_to_a_first_target(home: Path, clock: Clock) -> None:
    receiver, settings = Receiver(), _settings(ANY)
    _raise(home, 1)
    deliver.begin(home, settings)
    _raise(home, 2)
    deliver.deliver(home, settings, clock, send=receiver)
    assert [one.title for one in receiver.taken] == ["HIGH: Brute force (alert 2)"]


def test_a_death_while_sending_sends_again_and_says_so(home: Path, clock: Clock) -> None:
    receiver, settings = Receiver(), _settings(ANY)
    deliver.begin(home, settings)
    _raise(home, 1)

    def die(url: SecretStr, notification: AlertMessage) -> None:
        receiver(url, notification)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver.deliver(home, settings, clock, send=die)
    assert deliver.deliver(home, settings, clock, send=receiver).sent == 1
    assert ["may have reached you before" in one.body for one in receiver.taken] == [False, True]
    with Desk.open(home) as desk:
        assert [one.state for one in outbox.messages(desk)] == ["sent", "unknown"]


def test_one_sender_at_a_time_and_no_target_holds_up_another(home: Path, clock: Clock) -> None:
    receiver = Receiver()
    target = NotifyTarget(target_url=SecretStr(ANY))
    settings = Settings(
        notify={"broken": NotifyTarget(), "off": target.model_copy(update={"enabled": False}), "ops": target}
    )
    deliver.begin(home, settings)
    _raise(home, 1)

    def beside(url: SecretStr, notification: AlertMessage) -> None:
        assert deliver.deliver(home, settings, clock, send=receiver).is_busy
        receiver(url, notification)

    done = deliver.deliver(home, settings, clock, send=beside)
    assert done.sent == 1
    assert "QUAYLEDGER_NOTIFY__BROKEN__TARGET_URL" in done.failures["broken"]
    with Desk.open(home) as desk:
        assert [(one.target, one.waiting) for one in target_lines(desk, settings)] == [
            ("broken", 1),
            ("off", 1),
            ("ops", 0),
        ]


@pytest.mark.parametrize("form", ["text", "html", "markdown"])
def test_hostile_names_do_no_harm_in_any_form(home: Path, form: notification_text.TextForm) -> None:
    _raise(home, 1, subject=HOSTILE, summary=HOSTILE * 200)
    with Desk.open(home) as desk:
        (alert,) = alerts.list_alerts(desk, NOW)
    news = AlertNews(alert, "raised", (HOSTILE,) * 99, is_repeat=False)
    many = [news] * 500
    for most in (1000, 20_000):
        for told in (
            notification_text.about_alert(news, form, most, "https://ledger.example.com"),
            notification_text.about_several(many, 3, form, most, None),
        ):
            assert len(told.body) <= most
            assert told.title.isprintable() and "<" not in told.title
            assert "\x1b" not in told.body and "\u202e" not in told.body and "\r" not in told.body
            assert "http://evil" not in told.body
            assert form == "html" or "@everyone" not in told.body
            assert form != "html" or "<script" not in told.body
            assert form != "markdown" or (
                "[pay](" not in told.body and "<!channel>" not in told.body and "*x*" not in told.body
            )


def test_slack_gets_no_command_out_of_a_name(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """What Apprise makes of it for Slack, without Slack: the last step before the wire is replaced."""
    posted: list[Any] = []

    def reply(*_: object, **more: Any) -> Any:
        posted.append(more)
        return SimpleNamespace(status_code=200, content=b"ok", text="ok", headers={})

    monkeypatch.setattr("requests.Session.request", reply)
    url = SecretStr("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#alerts")
    _raise(home, 1, subject=HOSTILE, summary=HOSTILE)
    with Desk.open(home) as desk:
        (alert,) = alerts.list_alerts(desk, NOW)
    form, most = apprise_sender.form_of(url)
    apprise_sender.send(url, notification_text.about_alert(AlertNews(alert, "raised", (), False), form, most, None))
    sent = json.dumps([str(one.get("data")) for one in posted])
    assert "Brute force" in sent
    assert "<!channel>" not in sent and "<script>" not in sent


def test_what_is_said_of_a_failure_holds_no_secret() -> None:
    url = SecretStr("json://someone:hunter22@127.0.0.1:1/hooks/T0KEN%2Dsecret?key=abcd1234")
    with pytest.raises(SendFailed) as failed:
        apprise_sender.send(url, notification_text.about_nothing("ops", "text"))
    assert not any(part in str(failed.value) for part in ("hunter22", "T0KEN", "abcd1234"))
    assert apprise_sender.service_name(SecretStr("nonsense")) == ""


def test_backoff_doubles_to_an_hour_and_a_clock_that_was_set_back_lengthens_nothing(home: Path) -> None:
    assert [routes.retry_after(n).total_seconds() / 60 for n in (1, 2, 3, 7, 900)] == [1, 2, 4, 60, 60]
    with Desk.open(home) as desk:
        outbox.record_test(desk, "ops", "Test", NOW, NOW, "no")
        assert not outbox.may_try(desk, "ops", NOW, routes.retry_after)
        assert outbox.may_try(desk, "ops", NOW - timedelta(days=1), routes.retry_after)


def test_the_commands(home: Path, webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, [*words, "--home", str(home)])
        return (
            result.exit_code if result.exception is None or isinstance(result.exception, SystemExit) else -1
        ), result.output

    assert "No targets are set" in run("notify", "list")[1]
    monkeypatch.setenv("QUAYLEDGER_NOTIFY__OPS__TARGET_URL", webhook.url)
    assert run("notify", "test")[0] == 0
    assert webhook.posts[0]["title"] == "Test of quayledger"
    code, told = run("notify", "list")
    assert code == 0 and "ops  JSON, medium and above, at once" in told
    assert "T0KEN" not in told
    assert "Test of quayledger" in run("notify", "sent")[1]
    webhook.status = 403
    assert run("notify", "test", "ops")[0] == -1, "an error of ours, which the program turns into its exit code"
    assert "403" in run("notify", "list")[1]


def test_pages_are_linked_where_their_address_is_set(home: Path, clock: Clock) -> None:
    receiver = Receiver()
    settings = _settings(ANY).model_copy(update={"app": AppSettings(public_url="https://ledger.example.com")})
    deliver.begin(home, settings)
    _raise(home, 1)
    deliver.deliver(home, settings, clock, send=receiver)
    assert "https://ledger.example.com/alerts?alert=1" in receiver.taken[0].body
