"""Lent: this end of a connection that another server runs.  It only passes on.

It knows the connection as somebody who reads and writes there; what its bytes mean is known at the
other end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chatd.transport.net.outbox import Outbox
from chatd.transport.relay.replay import ReplayBuffer
from chatd.transport.relay.stream import LOST, Stream

#: What people are told whose server is gone, or whose line broke.
GONE = "The server that you were on is gone; you go on here."
BROKEN = "The way to your server broke; what you typed last may be lost."


def nothing(*_: object) -> None:
    """What a connection cannot do."""


@dataclass(frozen=True, slots=True)
class EdgeClient:
    """A connection that can be lent.

    ``set_reading`` lets its client send or not; ``come_back`` lets this server run it again, with
    a sentence about why, and what was typed that the other one has not done; ``part`` ends it with
    a sentence.  ``ask`` asks the client for a sign of life; ``write_error`` and ``finish`` are
    those of an ssh client's channel.
    """

    outbox: Outbox
    set_reading: Callable[[bool], None]
    come_back: Callable[[str, bytes], None]
    part: Callable[[str], None]
    finish: Callable[[int], None]
    ask: Callable[[], None] = nothing
    write_error: Callable[[bytes], None] = nothing


class Edge:
    """Passes on what a client sends, and what comes for it, and keeps no more than a window.

    It is a program in a channel (`chatd.transport.channel.Program`) and the listener of a line.
    """

    __slots__ = ("_lender", "_line", "_paused", "_typed", "_untaken")

    def __init__(self, line: Stream, lender: EdgeClient) -> None:
        self._line = line
        self._lender = lender
        self._paused = False
        self._untaken = 0
        self._typed = ReplayBuffer()
        line.silence = self._silence

    def begin(self) -> None:
        """Pass on from now on."""
        self._line.listen(self)

    def _silence(self) -> float:
        unreached = self._lender.outbox.unreached()
        return unreached[1] if unreached is not None else 0.0

    # What the client does -------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """They typed."""
        self._line.write(data)
        self._typed.add(data, self._line.arrived)
        if self._line.pending and not self._paused:
            self._paused = True
            self._lender.set_reading(False)

    def waited(self, text: str) -> None:
        """They had typed a whole line before."""
        self._line.say("line", text)

    def resized(self, columns: int, rows: int) -> None:
        """Their screen has another size."""
        self._line.say("size", columns, rows)

    def interrupted(self) -> None:
        """They want it to stop."""
        self._line.say("interrupt")

    def input_ended(self) -> None:
        """They will type nothing more."""
        self._line.say_last("end")

    def ready(self) -> None:
        """All that was written has been taken."""
        untaken, self._untaken = self._untaken, 0
        self._line.took(untaken)

    def answered(self) -> None:
        """The client has had what it was sent."""
        self._line.say("answered")

    def lost(self) -> None:
        """The connection is gone."""
        outbox = self._lender.outbox
        size, _ = outbox.unreached() or (0, 0.0)
        self._line.say(LOST, size + outbox.pending - self._untaken)
        self._line.end()

    # What comes for it ----------------------------------------------------------------------------

    def came(self, data: bytes) -> None:
        """Write bytes to the client."""
        self._lender.outbox.write(data)
        self._untaken += len(data)
        if not self._lender.outbox.full:
            self.ready()

    def told(self, word: str, values: list[Any]) -> None:
        """The other server wants something beside; what is not known is of a newer one."""
        match word, values:
            case "ask", []:
                self._lender.ask()
            case "error", [str(text)]:
                self._lender.write_error(text.encode())
            case "finish", [int(status)]:
                self._over()
                self._lender.finish(status)
            case "hide", [bool(hidden)]:
                self._typed.hidden = hidden
            case "abort", []:
                self._over()
                self._lender.outbox.abort()
            case "gone", []:
                self._line.fail(dead=True)
            case _:
                pass

    def _over(self) -> None:
        """Nothing more is passed on."""
        self._line.say(LOST, 0)
        self._line.end()

    def roomy(self) -> None:
        """All that was typed is on its way."""
        if self._paused:
            self._paused = False
            self._lender.set_reading(True)

    def broken(self, dead: bool) -> None:
        """Go on here; what a dead server did not do is done here."""
        if dead:
            self._lender.come_back(GONE, self._typed.rest(self._line.arrived))
        else:
            self._lender.come_back(BROKEN, b"")

    def hang_up(self, sentence: str) -> None:
        """This server lets go of everybody."""
        self._over()
        self._lender.part(sentence)
