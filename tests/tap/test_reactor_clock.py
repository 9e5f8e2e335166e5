"""The reactor's clock: what is scheduled waits its time, however the time of day is set."""

from __future__ import annotations

import time

import pytest
from twisted.internet.base import ReactorBase

from chatd.tap.reactor_clock import since_boot, use_monotonic_clock


class Reactor(ReactorBase):
    """A reactor without events of its own."""

    def installWaker(self) -> None:  # noqa: N802 - Twisted calls this
        """There are no other threads."""

    def wakeUp(self) -> None:  # noqa: N802 - Twisted calls this
        """There is nothing to wake."""


@pytest.mark.parametrize("days", [-400, -1 / 24, 1 / 24, 400])
def test_what_is_scheduled_waits_its_time_although_the_time_of_day_is_set(
    monkeypatch: pytest.MonkeyPatch, days: float
) -> None:
    reactor, ran = Reactor(), list[str]()
    passed = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: passed)
    use_monotonic_clock(reactor)
    reactor.callLater(10, ran.append, "later")
    monkeypatch.setattr(time, "time", lambda: 1e9 + days * 86400)
    passed += 9
    reactor.runUntilCurrent()
    assert not ran
    assert reactor.timeout() == pytest.approx(1)
    passed += 1
    reactor.runUntilCurrent()
    assert ran == ["later"]


def test_the_clock_of_leases_counts_on() -> None:
    first = since_boot()
    assert since_boot() >= first >= 0
