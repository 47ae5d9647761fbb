"""Health: whether the work is done. The monotonic clock is the test's."""

from __future__ import annotations

from quayledger.service.health import Health

EVERY_S = {"sync": 900.0, "close": 86_400.0, "inventory": 900.0}
LANES = {"sync": "log", "close": "log", "inventory": "inventory"}


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def states(health: Health) -> dict[str, str]:
    return {name: job.state for name, job in health.jobs().items()}


def run(health: Health, name: str, error: str | None) -> None:
    health.started(LANES[name], name)
    health.ended(LANES[name], error)


def test_a_job_that_succeeds_is_well_and_one_that_only_fails_becomes_overdue() -> None:
    seconds = Seconds()
    health = Health(EVERY_S, LANES, monotonic=seconds)
    for _ in range(5):
        run(health, "inventory", "")
        run(health, "sync", "the token was revoked")
        seconds.now += 900
        health.polled()
    assert states(health) == {"sync": "overdue", "close": "waiting", "inventory": "waiting"}
    assert health.jobs()["sync"].error == "the token was revoked"
    run(health, "sync", "")
    assert states(health)["sync"] == "waiting"
    run(health, "sync", "once")
    assert states(health)["sync"] == "failing"
    run(health, "sync", None)  # stopped: nothing is known
    assert states(health)["sync"] == "failing"
    assert health.faults() == []


def test_a_job_that_never_runs_is_overdue() -> None:
    seconds = Seconds()
    health = Health(EVERY_S, LANES, monotonic=seconds)
    seconds.now += 31 * 3600
    assert set(states(health).values()) == {"overdue"}


def test_long_work_that_goes_on_is_well_and_holds_up_its_lane_without_blame() -> None:
    seconds = Seconds()
    health = Health(EVERY_S, LANES, monotonic=seconds)
    health.started("log", "sync")
    for _ in range(40):
        seconds.now += 1700
        health.progressed("log")
        health.polled()
        run(health, "inventory", "")
    assert states(health) == {"sync": "running", "close": "waiting", "inventory": "waiting"}
    assert health.faults() == []


def test_work_without_progress_and_a_loop_that_stands_still_are_faults() -> None:
    seconds = Seconds()
    health = Health(EVERY_S, LANES, patience_s=600, monotonic=seconds)
    health.started("log", "sync")
    seconds.now += 2300
    health.polled()
    assert health.faults() == []
    seconds.now += 200
    assert [fault.split(" has ")[0] for fault in health.faults()] == ["sync", "the service's loop"]
    health.ended("log", None)
    health.polled()
    assert health.faults() == []
