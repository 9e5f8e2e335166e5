"""A line: bytes both ways between two servers, in order, with a bound, or not at all.

Messages between servers may be lost, and come in order otherwise.  Each of a line has a number, so
that one which is missing ends it; bytes are acknowledged once the other end has taken them, and
only so many are under way.  It knows neither whose bytes they are nor how messages travel.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any, Protocol

#: Bytes under way in one direction, as a connection has them in the kernel.
WINDOW_BYTES = 64 * 1024
#: Bytes in one message; NATS takes 1 MB of JSON.
MESSAGE_BYTES = 32 * 1024
#: Bytes that were taken and are acknowledged at once; of fewer the other end hears by and by.
DUE_BYTES = WINDOW_BYTES // 4

#: What the server of a client says last whose connection is gone.
LOST = "lost"

State = dict[str, Any]


class Listener(Protocol):
    """Who is at one end of a line."""

    def came(self, data: bytes) -> None:
        """Bytes came; `Line.took` says that they were taken."""

    def told(self, word: str, values: list[Any]) -> None:
        """The other end says something beside."""

    def roomy(self) -> None:
        """All that waited is on its way, and there is room for more."""

    def broken(self, dead: bool) -> None:
        """The line is no more: something was lost, or the other server is ``dead`` for certain."""

    def hang_up(self, sentence: str) -> None:
        """This server lets go of everybody; end it, with these words if a person reads them."""


class StreamOwner(Protocol):
    """Where the lines of a server come together."""

    def tell(self, line: Stream, said: State) -> None:
        """Say something to the server at the other end."""

    def owes(self, line: Stream) -> None:
        """A line has something to acknowledge, by and by."""

    def ended(self, line: Stream) -> None:
        """A line is over."""


class Stream:
    """One end of a line, which is over once anything is lost.

    ``sent`` and ``heard`` are the numbers of the last messages.  ``owing`` is for how many seconds
    the client at the other end has not answered its server, ``silence`` tells it of one here.
    """

    __slots__ = (
        "_acknowledged",
        "_arrived",
        "_came",
        "_early",
        "_last",
        "_listener",
        "_office",
        "_out",
        "_rest",
        "_taken",
        "heard",
        "name",
        "over",
        "owing",
        "pending",
        "sent",
        "server",
        "silence",
    )

    def __init__(
        self,
        name: str,
        server: str,
        office: StreamOwner,
    ) -> None:
        self.name = name
        self.server = server
        self._office = office
        self._listener: Listener | None = None
        self._early: list[State] = []
        self.sent = self.heard = 0
        self._out = self._arrived = 0
        self._came = self._taken = self._acknowledged = 0
        self._rest: list[bytes] = []
        self._last: tuple[str, tuple[Any, ...]] | None = None
        self.pending = 0
        self.owing = 0.0
        self.silence: Callable[[], float] = float
        self.over = False

    # Out ------------------------------------------------------------------------------------------

    @property
    def under_way(self) -> int:
        """Bytes that were sent and not taken yet, as far as is known."""
        return self._out - self._arrived

    @property
    def arrived(self) -> int:
        """Bytes that the other end has taken in all, as far as is known."""
        return self._arrived

    @property
    def full(self) -> bool:
        """Whether nothing would be sent at once."""
        return self.over or bool(self._rest) or self.under_way >= WINDOW_BYTES

    def send(self, data: bytes) -> int:
        """Send what can be sent at once, and return how many bytes that was."""
        at = 0
        while at < len(data) and not self.full:
            part = data[at : at + min(MESSAGE_BYTES, WINDOW_BYTES - self.under_way)]
            self._out += len(part)
            self._say({"data": b64encode(part).decode("ascii")})
            at += len(part)
        return at

    def write(self, data: bytes) -> None:
        """Send what can be sent, and keep the rest."""
        taken = self.send(data)
        if taken < len(data) and not self.over:
            self._rest.append(data[taken:])
            self.pending += len(data) - taken

    def say(self, word: str, *values: Any) -> None:
        """Say something beside the bytes, at once: it may overtake what waits."""
        if not self.over:
            self._say({"word": word, "with": values})

    def say_last(self, word: str, *values: Any) -> None:
        """Say something once all that waits is on its way."""
        if self._rest:
            self._last = (word, values)
        else:
            self.say(word, *values)

    def _say(self, said: State) -> None:
        self.sent += 1
        self._acknowledged = self._taken
        said = {"line": self.name, "n": self.sent, "took": self._taken, **said}
        self._office.tell(self, said)

    # In -------------------------------------------------------------------------------------------

    def listen(self, listener: Listener) -> None:
        """Let somebody hear what comes, and what came already."""
        self._listener = listener
        early, self._early = self._early, []
        for said in early:
            self._take(listener, said)

    def take(self, said: State) -> None:
        """Take a message of the other end."""
        if self.over:
            return
        if said["n"] != self.heard + 1:
            self.fail()
            return
        self.heard += 1
        if self._listener is None:
            self._early.append(said)
        else:
            self._take(self._listener, said)

    def _take(self, listener: Listener, said: State) -> None:
        if said.get("word") == LOST:  # there is no room any more, whatever has been taken
            self._arrived = said["took"]
        else:
            self._arrive(said["took"])
        if "data" in said and not self.over:
            data = b64decode(said["data"])
            self._came += len(data)
            if self._came - self._taken > WINDOW_BYTES:
                self.fail()
                return
            listener.came(data)
        elif "word" in said and not self.over:
            listener.told(said["word"], said["with"])

    def _arrive(self, taken: int) -> None:
        """So many bytes have been taken in all."""
        if taken <= self._arrived or self.over:
            return
        was_full, self._arrived = self.full, taken
        rest, self._rest, self.pending = self._rest, [], 0
        if rest:
            self.write(b"".join(rest))
        if self._last is not None and not self._rest:
            (word, values), self._last = self._last, None
            self.say(word, *values)
        if was_full and not self.full and self._listener is not None:
            self._listener.roomy()

    def took(self, size: int) -> None:
        """So many bytes that came have been taken."""
        if self.over or not size:
            return
        self._taken += size
        if self._taken - self._acknowledged >= DUE_BYTES:
            self._say({})
        else:
            self._office.owes(self)

    def acknowledge(self) -> None:
        """Let the other end know what has been taken, unless it does."""
        if not self.over and self._taken > self._acknowledged:
            self._say({})

    # The end --------------------------------------------------------------------------------------

    def fail(self, *, dead: bool = False) -> None:
        """Something is lost: nothing more can be said here."""
        if not self.over:
            self.end()
            if self._listener is not None:
                self._listener.broken(dead)

    def end(self) -> None:
        """Nothing more is said."""
        if not self.over:
            self.over = True
            self._rest, self._early = [], []
            self._office.ended(self)

    def hang_up(self, sentence: str) -> None:
        """This server lets go of everybody."""
        if self._listener is not None and not self.over:
            self._listener.hang_up(sentence)
