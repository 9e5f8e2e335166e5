"""Paced input: a Twisted protocol whose input is handled in pieces, when it is its turn.

It knows bytes and turns; what the bytes mean is known to its subclass, the gate.
"""

from __future__ import annotations

from twisted.internet.protocol import Protocol

from chatd.transport.net.outbox import as_stream
from chatd.transport.net.turns import PIECE_BYTES, Turns


class PacedInput(Protocol):
    """A connection whose input is handled by `handle` and `handle_end`, in order.

    While some of it waits, or a way in has paused it, nothing is read from the transport: at most
    one read of it, 64 KiB, is held.
    """

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.due = 0.0  # for `Turns`
        self._input = b""  # what has not been handled yet
        self._input_ended = False  # and nothing follows it
        self._handling = False
        self._paused = False
        self._reading = True

    def handle(self, data: bytes) -> None:
        """Handle a piece of the input."""

    def handle_end(self) -> None:
        """Handle the end of the input, after the last piece."""

    def pause(self) -> None:
        """Pause input."""
        self._paused = True
        self._set_reading()

    def resume(self) -> None:
        """Resume input, in a later turn: a way in may be in the middle of its own work."""
        self._paused = False
        if (self._input or self._input_ended) and not self._handling:
            self._turns.begin_later(self)
        self._set_reading()

    def _set_reading(self) -> None:
        """Read from the transport, or stop."""
        reading = not (self._input or self._paused)
        if reading != self._reading and not getattr(self.transport, "disconnecting", False):
            self._reading = reading
            transport = as_stream(self.transport)
            transport.resumeProducing() if reading else transport.pauseProducing()

    # Work -----------------------------------------------------------------------------------------

    def step(self) -> bool:
        """Handle a piece; return whether there is another."""
        if getattr(self.transport, "disconnecting", False):
            self.forget_input()  # nothing follows what closed the connection
        if self._paused:
            return False
        self._handling = True
        piece = self._take_piece()
        if piece:
            self.handle(piece)
        if self._input_ended and not (self._input or self._paused):
            self._input_ended = False
            self.handle_end()
        self._handling = False
        self._set_reading()
        return bool(self._input or self._input_ended) and not self._paused

    def _take_piece(self) -> bytes:
        """Remove and return the next piece, which ends with a whole line if it has one.

        Codecs are slower with lines and objects that come in two pieces.
        """
        data = self._input
        if len(data) <= PIECE_BYTES:
            self._input = b""
            return data
        end = data.rfind(b"\n", 0, PIECE_BYTES) + 1 or PIECE_BYTES
        self._input = data[end:]
        return data[:end]

    def failed(self) -> None:
        """Close the connection: a protocol had a bug."""
        as_stream(self.transport).abortConnection()

    # Twisted --------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Take bytes, and handle them when it is their turn, which it mostly is."""
        self._input += data
        if not self._paused:
            self._turns.begin(self)
        self._set_reading()

    def readConnectionLost(self) -> None:
        """Take the end of the input."""
        self._input_ended = True
        if not self._paused:
            self._turns.begin(self)

    def forget_input(self) -> None:
        """Drop what has not been handled: the connection is gone."""
        self._input, self._input_ended = b"", False
