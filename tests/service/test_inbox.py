"""The inbox: orders that vanish, and commands that never wait for ever."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from quayledger.service import inbox
from quayledger.warehouse import service_status
from quayledger.warehouse.errors import LockHolder
from quayledger.warehouse.ledger import Ledger, holder
from quayledger.warehouse.service_status import ServiceStatus


def service_of(home: Path) -> LockHolder:
    found = holder(home)
    assert found is not None
    return found


def test_orders_that_their_commands_withdraw_meanwhile_are_passed_over(tmp_path: Path) -> None:
    ended = threading.Event()

    def lay_and_withdraw() -> None:
        while not ended.is_set():
            for order in [inbox.hand_over(tmp_path, None, None, ()) for _ in range(20)]:
                (tmp_path / "inbox" / f"{order.order_id}.order.json").unlink(missing_ok=True)

    threads = [threading.Thread(target=lay_and_withdraw) for _ in range(2)]
    for thread in threads:
        thread.start()
    taken = withdrawn = 0
    try:
        until = time.monotonic() + 60
        while withdrawn < 3 and time.monotonic() < until:
            for order in inbox.waiting(tmp_path):
                if inbox.take(tmp_path, order):
                    taken += 1
                else:
                    withdrawn += 1
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert withdrawn >= 3


def test_what_is_no_order_is_put_aside_and_the_others_are_seen(tmp_path: Path) -> None:
    order = inbox.hand_over(tmp_path, None, None, ("main",))
    (tmp_path / "inbox" / "x.order.json").write_text("{")
    (tmp_path / "inbox" / "folder.order.json").mkdir()
    assert inbox.waiting(tmp_path) == [order]
    assert (tmp_path / "inbox" / "x.order.bad").exists()


def test_an_answer_is_followed_to_its_end_and_tidied_up(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, command="serve"):
        order = inbox.hand_over(tmp_path, None, None, ())
        followed = inbox.follow(tmp_path, order, service_of(tmp_path))
        assert inbox.take(tmp_path, order)
        for state in ("running", "done"):
            inbox.answer(tmp_path, inbox.Answer(order.order_id, state))
            assert next(followed).state == state
        assert list(followed) == []
    assert list((tmp_path / "inbox").iterdir()) == []


@pytest.mark.parametrize("taken", [False, True])
def test_a_service_that_ended_is_not_waited_for(tmp_path: Path, taken: bool) -> None:
    with Ledger.open(tmp_path, command="serve"):
        order = inbox.hand_over(tmp_path, None, None, ())
        service = service_of(tmp_path)
        if taken:
            inbox.take(tmp_path, order)
            inbox.answer(tmp_path, inbox.Answer(order.order_id, "running"))
    with (
        Ledger.open(tmp_path, command="serve"),
        pytest.raises(inbox.NoAnswer, match=r"ended.*run the same command again"),
    ):
        list(inbox.follow(tmp_path, order, service))  # another service holds it now, which knows nothing of the work
    assert list((tmp_path / "inbox").iterdir()) == []


def test_a_service_that_hangs_is_given_up(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, command="serve") as ledger:
        service = service_of(tmp_path)
        order = inbox.hand_over(tmp_path, None, None, ())
        with pytest.raises(inbox.NoAnswer, match="has not taken the work over within 0 s"):
            list(inbox.follow(tmp_path, order, service, patience_s=0.3))
        status = ServiceStatus(
            service.pid, ledger.since, busy=True, next_runs={"sync": datetime(2028, 1, 1, tzinfo=UTC)}
        )
        service_status.write(tmp_path, status)
        order = inbox.hand_over(tmp_path, None, None, ())
        inbox.take(tmp_path, order)
        begun = time.monotonic()
        beats = 5

        def beat() -> None:
            for _ in range(beats):
                time.sleep(0.3)
                service_status.beat(tmp_path)

        thread = threading.Thread(target=beat)
        thread.start()
        with pytest.raises(inbox.NoAnswer, match="no sign of life"):
            list(inbox.follow(tmp_path, order, service, patience_s=1.2))
        thread.join()
        assert time.monotonic() - begun > beats * 0.3
