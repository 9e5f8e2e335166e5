"""Edge: the program of a connection that another server runs; it only forwards bytes.

It knows how to read from and write to the connection; only the other end interprets the bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chatd.transport.net.outbox import Outbox
from chatd.transport.relay.replay import ReplayBuffer
from chatd.transport.relay.stream import Stream

#: The sentence for users whose server is gone, or whose stream has failed.
GONE = "The server that you were on is gone; you go on here."
BROKEN = "The way to your server broke; what you typed last may be lost."


def nothing(*_: object) -> None:
    """Do nothing: the connection has no such thing."""


def never() -> bool:
    """Return False: the connection has no such thing."""
    return False


@dataclass(frozen=True, slots=True)
class EdgeClient:
    """A connection that can be relayed.

    - ``set_reading`` resumes or pauses reading from its client;
    - ``come_back`` lets this server run it again: with a sentence that says why, the input that the
    other server did not process, and whether the client has ended its input;
    - ``disconnect`` ends it with a sentence, ``finish`` with an exit status;
    - ``lost`` and ``resized`` notify its own program, which is not running;
    - ``ask`` asks the client for a sign of life; ``take_answer`` handles an answer to a question of
    its own program, and returns whether it was one;
    - ``write_error`` writes to standard error.
    """

    outbox: Outbox
    set_reading: Callable[[bool], None]
    come_back: Callable[[str, bytes, bool], None]
    disconnect: Callable[[str], None]
    finish: Callable[[int], None]
    lost: Callable[[], None] = nothing
    resized: Callable[[int, int], None] = nothing
    ask: Callable[[], None] = nothing
    take_answer: Callable[[], bool] = never
    write_error: Callable[[bytes], None] = nothing


class Edge:
    """Forwards bytes from and to a client, and keeps no more than a window of them.

    It is the program of a connection (`chatd.transport.channel.Program`) and the listener of a
    stream.
    """

    __slots__ = ("_client", "_ended", "_paused", "_replay", "_stream", "_unconsumed")

    def __init__(self, stream: Stream, client: EdgeClient) -> None:
        self._stream = stream
        self._client = client
        self._paused = False
        self._ended = False
        self._unconsumed = 0
        self._replay = ReplayBuffer()

    def begin(
        self, lines: Sequence[str] = (), typed: bytes = b"", *, input_ended: bool = False
    ) -> None:
        """Begin to forward: first the pending lines, then the unfinished input, then the rest."""
        for text in lines:
            self._stream.send_word("line", text)
        if typed:
            self.data_received(typed)
        if input_ended:
            self.input_ended()
        self._stream.listen(self)
        if not self._paused:
            self._client.set_reading(True)

    # Program: from the client ---------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Forward bytes; pause reading while some of them are queued."""
        self._stream.write(data)
        self._replay.add(data, self._stream.acknowledged)
        if self._stream.pending and not self._paused:
            self._paused = True
            self._client.set_reading(False)

    def resized(self, columns: int, rows: int) -> None:
        """Forward the size of the client's terminal, in cells."""
        self._client.resized(columns, rows)
        self._stream.send_word("size", columns, rows)

    def interrupted(self) -> None:
        """Forward an interrupt."""
        self._stream.send_word("interrupt")

    def input_ended(self) -> None:
        """Forward the end of the client's input."""
        self._ended = True
        self._stream.send_last_word("end")

    def ready(self) -> None:
        """Count all written bytes as consumed: the connection has taken them."""
        size, self._unconsumed = self._unconsumed, 0
        self._stream.consumed(size)

    def answered(self) -> None:
        """Forward a sign of life, if the other server asked for it."""
        if not self._client.take_answer():
            self._stream.send_word("answered")

    def lost(self) -> None:
        """Tell the other server how much of its output has not reached the client."""
        outbox = self._client.outbox
        size, _ = outbox.unreached() or (0, 0.0)
        self._stream.give_up(size + outbox.pending - self._unconsumed)
        self._client.lost()

    # Listener: from the other server --------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Write bytes to the client."""
        self._client.outbox.write(data)
        self._unconsumed += len(data)
        if not self._client.outbox.full:
            self.ready()

    def control(self, word: str, values: list[Any]) -> None:
        """Carry out a request of the other server; unknown words, of newer servers, are ignored."""
        match word, values:
            case "ask", []:
                self._client.ask()
            case "error", [str(text)]:
                self._client.write_error(text.encode())
            case "finish", [int(status)]:
                self._stream.give_up()
                self._client.finish(status)
            case "hide", [bool(hidden)]:
                self._replay.hidden = hidden
            case "abort", []:
                self._stream.give_up()
                self._client.outbox.abort()
            case "gone", []:
                self._stream.fail(dead=True)
            case _:
                pass

    def writable(self) -> None:
        """Resume reading: all input has been sent."""
        if self._paused:
            self._paused = False
            self._client.set_reading(True)

    def failed(self, dead: bool) -> None:
        """Run the connection here again, with the input that a dead server did not process."""
        if dead:
            typed = self._replay.rest(self._stream.acknowledged)
            self._client.come_back(GONE, typed, self._ended)
        else:
            self._client.come_back(BROKEN, b"", self._ended)

    def hang_up(self, sentence: str) -> None:
        """End the connection: this server closes all of them."""
        self._stream.give_up()
        self._client.disconnect(sentence)

    def silence(self) -> float:
        """Return for how many seconds the client has not acknowledged its output."""
        unreached = self._client.outbox.unreached()
        return unreached[1] if unreached is not None else 0.0
