"""The clock watch logs a doubt about the time of day once, and that it is over once."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from chatd.chat.believed_time import BelievedTime
from chatd.chat.records.last_time import KIND
from chatd.store.memory import MemoryStore
from chatd.transport.services.clock_watch import CHECK_SECONDS, ClockWatch
from tests.support.people import Server, records, result_of

DAY = 86400.0


def test_a_doubt_is_logged_once_and_so_is_its_end() -> None:
    clock, store, now = Clock(), MemoryStore(), 1e9
    server = Server(store, believed=BelievedTime(clock.seconds))
    result_of(server.chat.load(now))
    watch = ClockWatch(server.chat, clock, lambda: now + clock.seconds())
    with capturedLogs() as logged:
        watch.startService()
        assert records(store, KIND) == {"believed": str(1e9)}
        for leap in (400 * DAY, -400 * DAY, -3600.0, 3600.0):
            now += leap
            clock.pump([CHECK_SECONDS] * 3)
        watch.stopService()
    said = [formatEvent(event) for event in logged]
    assert said == [
        "clock: the clock says 2002-10-14, and it should be 2001-09-09: nothing ends or is deleted"
        " for its age before 24 hours have passed",
        "clock: the time is believed again",
    ]
    assert not clock.getDelayedCalls()
