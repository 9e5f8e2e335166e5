"""Flood control: limits a user's lines to the flood rate, without losing any."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IDelayedCall

from chatd.chat.events import Notice
from chatd.chat.ratelimit.bucket import TokenBucket
from chatd.transport.host import Host


class Sender(Protocol):
    """The conversation whose lines are limited."""

    def advance(self) -> None:
        """Continue: the next line may be sent."""

    def deliver(self, notice: Notice) -> None:
        """Show a notice to the user."""


class FloodControl:
    """Decides whether the next line may be sent; if not, calls `Sender.advance` when it may.

    It knows its sender only while a line waits: the conversation has it, and not the other way.

    The user is notified of the limit once until `calm`.
    """

    __slots__ = ("_bucket", "_call", "_host", "_warned")

    def __init__(self, host: Host) -> None:
        self._host = host
        self._bucket = TokenBucket(host.flood, host.clock.seconds()) if host.flood else None
        self._call: IDelayedCall | None = None
        self._warned = False

    def must_wait(self, sender: Sender) -> bool:
        """Return whether the next line of a sender has to wait; otherwise it counts as sent."""
        if self._call is not None:
            return True
        wait = self._bucket.wait(self._host.clock.seconds()) if self._bucket else 0.0
        if not wait:
            return False
        self._call = self._host.clock.callLater(wait, self._go_on, sender)
        rate = self._host.flood
        if rate is not None and not self._warned:
            self._warned = True
            warning = (
                f"You write fast: your lines go out at {rate.per_second:g} a second now, "
                "and none is lost."
            )
            sender.deliver(Notice(warning))
        return True

    def _go_on(self, sender: Sender) -> None:
        self._call = None
        sender.advance()

    def calm(self) -> None:
        """Warn again the next time: no line is pending any longer."""
        self._warned = False

    def stop(self) -> None:
        """Stop the timer."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
