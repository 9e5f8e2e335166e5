"""Parting: whether somebody whose input has ended leaves, or was cut off; and their place then."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.chat.actions.resume import connection_lost
from chatd.chat.model.entities import Session
from chatd.transport.host import Host
from chatd.transport.net.outbox import Outbox

#: Seconds between two looks at whether a goodbye has arrived, and how many looks there are.
GLANCE_SECONDS = 0.02
GLANCES = 50


def detach(host: Host, session: Session) -> None:
    """Keep the place of somebody whose connection is lost, if they could prove it is theirs."""
    place = connection_lost(host.chat, session, host.now())
    if place is not None:
        host.chat.expire_in_time(place)


class PeerCheck:
    """Waits until what was sent has arrived, and then tells whether anybody is there.

    Who only sends nothing more (``nc -N``) still reads, and takes a goodbye; the machine of a
    client that is gone altogether answers it with a reset.
    """

    __slots__ = ("_call", "_clock", "_glances", "_outbox", "_tell")

    def __init__(self, outbox: Outbox, clock: IReactorTime, tell: Callable[[bool], None]) -> None:
        self._outbox = outbox
        self._clock = clock
        self._tell = tell
        self._glances = GLANCES
        self._call: IDelayedCall | None = None

    def wait(self) -> None:
        """Look now, and later as long as it is not known."""
        self._call = None
        was_reset = self._outbox.was_reset()
        if was_reset is None and self._glances:
            self._glances -= 1
            self._call = self._clock.callLater(GLANCE_SECONDS, self.wait)
        else:
            self._tell(was_reset is not False)

    def stop(self) -> None:
        """The connection is gone; nobody waits any more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
