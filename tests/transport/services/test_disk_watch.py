"""Disk watch: the log and the operators hear of a disk that takes nothing, and that it is back."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import LogEvent, capturedLogs, formatEvent

from chatd.transport.services.disk_watch import (
    CHECK_SECONDS,
    REPORT_SECONDS,
    RETRY_SECONDS,
    STEADY_SECONDS,
    DiskWatch,
)
from tests.support.full_store import FullStore
from tests.support.people import Server, User, records

STOPPED = "-- The server stores nothing at present: the server's disk is full."


class Watched:
    """A chat on a disk that can be full, with an operator and somebody else."""

    def __init__(self) -> None:
        self.store = FullStore(is_full=False)
        self.server = Server(self.store)
        self.clock = Clock()
        self.watch = DiskWatch(self.server.chat, self.clock)
        self.watch.startService()
        self.op = self.server.enters("op", operator=True)
        self.ada = self.server.enters("ada")
        self.clear()

    def clear(self) -> None:
        self.op.sees(), self.ada.sees()

    def runs(self, seconds: float) -> list[str]:
        """Let time pass; return what is logged meanwhile, with its level."""
        with capturedLogs() as logged:
            for _ in range(round(seconds / CHECK_SECONDS)):
                self.clock.advance(CHECK_SECONDS)
        return [f"{event['log_level'].name} {shown(event)}" for event in logged]


def shown(event: LogEvent) -> str:
    return str(formatEvent(event))


def last(user: User) -> str:
    return user.sees()[-1]


def test_a_full_disk_is_reported_at_once_then_once_a_minute_and_when_it_is_over() -> None:
    watched = Watched()
    store, ada, op = watched.store, watched.ada, watched.op
    assert watched.runs(REPORT_SECONDS) == []
    store.is_full = True
    ada.types("one")
    cannot = "error disk: cannot keep what is said: database or disk is full"
    assert watched.runs(CHECK_SECONDS) == [f"{cannot}; 1 line refused"]
    assert last(op) == STOPPED
    assert not any("stores" in row for row in ada.sees())
    op.types("/server stats")
    assert last(op) == "   disk the server's disk is full"
    assert watched.runs(10) == []
    ada.types("two")
    assert watched.runs(REPORT_SECONDS - 10 - CHECK_SECONDS) == []
    [again] = watched.runs(2 * CHECK_SECONDS)
    assert again.startswith(f"{cannot}; 2 lines and ")
    store.is_full = False
    [over] = watched.runs(RETRY_SECONDS + STEADY_SECONDS + CHECK_SECONDS)
    assert over.startswith("info disk: keeps again after 6")
    assert over.endswith(" were refused")
    assert "The server stores everything again, after 6" in last(op)
    op.types("/server stats")
    assert last(op) == "   disk ok"
    assert watched.runs(2 * REPORT_SECONDS) == []


def test_a_disk_that_takes_some_and_refuses_some_is_one_trouble() -> None:
    watched = Watched()
    logged = []
    for _ in range(10):
        watched.store.is_full = True
        watched.ada.types("hello")
        logged += watched.runs(STEADY_SECONDS / 2)
        watched.store.is_full = False
        watched.ada.types("hello")
        logged += watched.runs(STEADY_SECONDS / 2)
    assert len(logged) == 1
    assert len([row for row in watched.op.sees() if "nothing at present" in row]) == 1
    assert len(watched.runs(STEADY_SECONDS)) == 1


def test_what_nobody_waits_for_is_written_when_the_disk_takes_it_again() -> None:
    watched = Watched()
    store, op = watched.store, watched.op
    store.is_full = True
    for text in ("one", "two"):
        op.types(f"/server say {text}")
    watched.runs(RETRY_SECONDS)
    assert records(store, "audit") == {}
    store.is_full = False
    watched.runs(2 * RETRY_SECONDS + STEADY_SECONDS)
    assert len(records(store, "audit")) == 2
    before = len(store.quiet)
    watched.runs(60)
    assert len(store.quiet) == before


def test_the_newest_value_is_the_one_that_is_written_later() -> None:
    store = FullStore()
    chat = Server(store).chat
    for value in ("1", "2"):
        chat.records.keep_quietly("audit", "a", value)
    store.is_full = False
    chat.records.keep_quietly("audit", "b", "3")
    chat.records.retry()
    assert records(store, "audit") == {"a": "2", "b": "3"}
    chat.records.keep_quietly("audit", "a", None)
    chat.records.retry()
    assert records(store, "audit") == {"b": "3"}


def test_a_slow_disk_is_logged_while_it_is_slow_and_at_most_once_a_minute() -> None:
    watched = Watched()
    health = watched.store.health
    health.begun(14)
    assert watched.runs(1) == []
    assert watched.runs(1) == ["warn disk: has not kept 14 lines for 1.5 s"]
    health.ended(3.21)
    assert watched.runs(1) == []
    watched.runs(REPORT_SECONDS)
    health.begun(14), health.ended(0.9)
    assert watched.runs(1) == []
    health.begun(1), health.ended(3.21)
    health.begun(2), health.ended(2.0)
    assert watched.runs(1) == ["warn disk: took 3.2 s to keep 1 line"]
