"""`pytest --cpu`: what each folder and file of tests costs, in seconds of CPU of the tests and the processes they start.

Wall time says how busy the machine is; CPU time stays the same beside other work."""

from __future__ import annotations

import resource
from collections import defaultdict
from collections.abc import Generator, Mapping
from typing import Any

import pytest

_WORTH_A_LINE_S = 1.0


def _spent() -> float:
    """CPU seconds of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


class CpuTime:
    """Measures every phase of every test where tests run, and sums where the report is made."""

    def __init__(self) -> None:
        self._last = _spent()
        self._by_test: dict[str, float] = {}

    def pytest_collection_finish(self) -> None:
        self._last = _spent()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, Any, Any]:
        report = yield
        now = _spent()
        # An attribute of a report reaches the process that sums, from whichever worker.
        report.cpu_seconds, self._last = now - self._last, now
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = report.nodeid.partition("[")[0]
        self._by_test[test] = self._by_test.get(test, 0.0) + getattr(report, "cpu_seconds", 0.0)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        by_file, by_folder = defaultdict[str, float](float), defaultdict[str, float](float)
        for test, seconds in self._by_test.items():
            name = test.partition("::")[0]
            by_file[name] += seconds
            by_folder[name.rpartition("/")[0]] += seconds
        terminalreporter.section(f"{sum(by_file.values()):.0f} CPU seconds, besides collecting tests")
        for folder, of_folder in _most(by_folder):
            terminalreporter.line(f"{of_folder:7.1f}  {folder}/")
            for name, seconds in _most(by_file):
                if name.rpartition("/")[0] == folder and seconds >= _WORTH_A_LINE_S:
                    terminalreporter.line(f"{'':9}{seconds:7.1f}  {name.rpartition('/')[2]}")
        terminalreporter.line("the costliest tests, with the fixtures that they were the first or last to need:")
        for test, seconds in _most(self._by_test)[:20]:
            terminalreporter.line(f"{seconds:7.1f}  {test}")


def _most(seconds: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(seconds.items(), key=lambda item: -item[1])
