"""Pacing: one person's lines wait as the flood limit says, and they are told so once in a while."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall

from chatd.chat.events import Notice
from chatd.chat.pace import Pace
from chatd.transport.host import Host


class Pacing:
    """Says whether the next line may go out; if it may not, ``go_on`` is called when it may.

    ``warn`` shows somebody that they are slowed down, once until `calm`.
    """

    __slots__ = ("_go_on", "_host", "_later", "_pace", "_warn", "_warned")

    def __init__(
        self, host: Host, go_on: Callable[[], None], warn: Callable[[Notice], None]
    ) -> None:
        self._host = host
        self._go_on = go_on
        self._warn = warn
        self._pace = Pace(host.flood, host.clock.seconds()) if host.flood else None
        self._later: IDelayedCall | None = None
        self._warned = False

    def holds(self) -> bool:
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
                f"You write fast: your lines go out at {flood.a_second:g} a second now, "
                "and none is lost."
            )
            self._warn(Notice(told))
        return True

    def _waited(self) -> None:
        self._later = None
        self._go_on()

    def calm(self) -> None:
        """No line waits any more."""
        self._warned = False

    def stop(self) -> None:
        """Nothing goes out any more."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
