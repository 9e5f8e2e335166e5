"""Pacing: one person's lines wait as the flood limit says, and they are told so once in a while."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IDelayedCall

from chatd.chat.events import Notice
from chatd.chat.ratelimit.bucket import TokenBucket
from chatd.transport.host import Host


class Paced(Protocol):
    """Whose lines they are."""

    def advance(self) -> None:
        """The next line may go out."""

    def deliver(self, notice: Notice) -> None:
        """Show them something."""


class FloodControl:
    """Says whether the next line may go out; if it may not, its writer goes on when it may.

    They are told that they are slowed down, once until `calm`.
    """

    __slots__ = ("_host", "_later", "_pace", "_paced", "_warned")

    def __init__(self, host: Host, paced: Paced) -> None:
        self._host = host
        self._paced = paced
        self._pace = TokenBucket(host.flood, host.clock.seconds()) if host.flood else None
        self._later: IDelayedCall | None = None
        self._warned = False

    def must_wait(self) -> bool:
        """Whether the next line has to wait; otherwise it counts as gone."""
        if self._later is not None:
            return True
        wait = self._pace.wait(self._host.clock.seconds()) if self._pace else 0.0
        if not wait:
            return False
        self._later = self._host.clock.callLater(wait, self._waited)
        flood = self._host.flood
        if flood is not None and not self._warned:
            self._warned = True
            told = (
                f"You write fast: your lines go out at {flood.per_second:g} a second now, "
                "and none is lost."
            )
            self._paced.deliver(Notice(told))
        return True

    def _waited(self) -> None:
        self._later = None
        self._paced.advance()

    def calm(self) -> None:
        """No line waits any more."""
        self._warned = False

    def stop(self) -> None:
        """Nothing goes out any more."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
