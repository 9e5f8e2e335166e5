"""Disconnect: detects whether a client that closed its input is gone; detaches its session."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.chat.actions.resume import connection_lost
from chatd.chat.model.entities import Session
from chatd.transport.host import Host
from chatd.transport.net.outbox import Outbox

#: Seconds between two checks whether a goodbye has arrived, and the number of checks.
CHECK_SECONDS = 0.02
CHECKS = 50


def detach(host: Host, session: Session) -> None:
    """Detach a session whose connection is lost, if its user can prove their identity."""
    detached = connection_lost(host.chat, session, host.now())
    if detached is not None:
        host.chat.expire_in_time(detached)


class PeerCheck:
    """Waits until the output has arrived, then calls ``done`` with whether the peer is gone.

    A client that only closed its input (``nc -N``) still reads, and receives a goodbye; if the
    client is gone altogether, its machine answers with a reset.
    """

    __slots__ = ("_call", "_checks_left", "_clock", "_done", "_outbox")

    def __init__(self, outbox: Outbox, clock: IReactorTime, done: Callable[[bool], None]) -> None:
        self._outbox = outbox
        self._clock = clock
        self._done = done
        self._checks_left = CHECKS
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """Check now, and repeat until known."""
        self._call = None
        was_reset = self._outbox.was_reset()
        if was_reset is None and self._checks_left:
            self._checks_left -= 1
            self._call = self._clock.callLater(CHECK_SECONDS, self.start)
        else:
            self._done(was_reset is not False)

    def stop(self) -> None:
        """Stop checking: the connection is gone."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
