"""Turns: how the input of all connections is rationed, so that none makes the others wait.

Twisted hands a protocol up to 64 KiB at a time.  Some bytes take microseconds each (commands of
telnet, broken JSON, keys in a long line), and twenty connections that send those would stop the
server for seconds.  So input is handled in pieces, and after ``TURN_SECONDS`` of it the reactor
does everything else before it goes on.

It knows no bytes and no protocols; the time comes from the clock that it is given.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

#: Seconds of input that are handled in one turn of the reactor, of all connections together.
TURN_SECONDS = 0.005

#: The part of the server's time that one connection may use before it has to wait behind others
#: that use less: 5 ms of each second, some ten lines.  Of a hundred that flood, each uses more.
LIGHT_SHARE = 1 / 200
#: The most seconds that a busy connection may have to wait for those that use less.
PATIENCE_SECONDS = 1.0

#: Bytes of input that are handled before other connections have their turn: the most expensive ones
#: take some milliseconds.
PIECE_BYTES = 1024


class Work(Protocol):
    """Input that is handled piece by piece: that of a connection, or of the screen on one.

    ``due`` orders those that wait, the earliest first.  It is a time, which lies in the future
    while the work has used more than its share; it is 0 at first, and only `Turns` changes it.
    """

    due: float

    def step(self) -> bool:
        """Handle one piece, in some milliseconds at most; return whether there is another."""

    def failed(self) -> None:
        """End the connection after a bug in `step`, which has been logged."""


class Turns:
    """The order in which input is handled: at once while it is little, else in later turns.

    Whoever has used the least goes first, so a client that sends a line now and then does not
    notice how many others flood the server.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._waiting: list[tuple[float, int, Work]] = []
        self._queued: set[Work] = set()
        self._numbers = count()
        self._has_next_turn = False
        self._rested_at = 0.0

    def begin(self, work: Work) -> None:
        """Do all steps of a work: now while there is time and nobody waits, else later."""
        now, more = self._clock.seconds(), work not in self._queued
        while more and not self._waiting and self._has_time(now):
            more, now = self._do(work, now)
        if more:
            self._wait(work, now)

    def begin_later(self, work: Work) -> None:
        """Do all steps of a work in later turns: the caller is in the middle of its own work."""
        if work not in self._queued:
            self._wait(work, self._clock.seconds())

    def _has_time(self, now: float) -> bool:
        """Return whether a work may be done immediately: on average half of the time, but for a
        burst of ``TURN_SECONDS``.  A clock that was set back makes nobody wait.
        """
        return not TURN_SECONDS <= self._rested_at - now <= 2 * TURN_SECONDS

    def _do(self, work: Work, began: float) -> tuple[bool, float]:
        """Do one step; return whether there is another, and the time."""
        more = work.step()
        now = self._clock.seconds()
        used = max(now - began, 0.0)  # a clock may be set back
        self._rested_at = min(max(self._rested_at, began) + 2 * used, now + 2 * TURN_SECONDS)
        work.due = max(work.due, began) + used / LIGHT_SHARE
        return more, now

    def _wait(self, work: Work, now: float) -> None:
        work.due = min(max(work.due, now), now + PATIENCE_SECONDS)
        self._queued.add(work)
        heappush(self._waiting, (work.due, next(self._numbers), work))
        if not self._has_next_turn:
            self._has_next_turn = True
            self._clock.callLater(0, self._take_turn)

    def _take_turn(self) -> None:
        """Do the first of those that wait, until the time of this turn is used up."""
        began = now = self._clock.seconds()
        while self._waiting and abs(now - began) < TURN_SECONDS:
            _, _, work = heappop(self._waiting)
            self._queued.discard(work)
            with self._log.failuresHandled("handling input failed") as handling:
                more, now = self._do(work, now)
                if more:
                    self._wait(work, now)
            if handling.failed:
                now = self._clock.seconds()
                with self._log.failuresHandled("ending a connection failed"):
                    work.failed()
        self._has_next_turn = bool(self._waiting)
        if self._waiting:
            self._clock.callLater(0, self._take_turn)
