"""The interface between a program and the channel that it runs in: `Program` and `Channel`.

Channels are SSH channels or relayed connections.  This module contains only values and interfaces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from chatd.transport.net.outbox import Outbox
from chatd.transport.net.turns import PIECE_BYTES

#: Characters of a terminal's name.
MAX_TERMINAL_NAME = 64

#: The sizes that a terminal may have, and the size of one that reports 0 x 0.
COLUMNS = range(20, 500 + 1)
ROWS = range(5, 300 + 1)
USUAL_COLUMNS = 80
USUAL_ROWS = 24


@dataclass(frozen=True, slots=True)
class TerminalInfo:
    """A terminal: its type (``TERM``) and its size in characters."""

    name: str
    columns: int
    rows: int


def take_piece(pending: list[bytes]) -> bytes:
    """Remove the first `PIECE_BYTES` of pending input and return them.

    A program that pauses its input, after lines that have to wait, is not sent the rest.
    """
    data = b"".join(pending)
    pending[:] = [data[PIECE_BYTES:]] if len(data) > PIECE_BYTES else []
    return data[:PIECE_BYTES]


class Program(Protocol):
    """A program that runs in a channel: a shell, a command, or the edge of a relayed connection."""

    def data_received(self, data: bytes) -> None:
        """Handle input."""

    def resized(self, columns: int, rows: int) -> None:
        """Handle a new size of the terminal."""

    def interrupted(self) -> None:
        """Stop: the client sent the signal INT, or a break."""

    def input_ended(self) -> None:
        """Handle the end of the input."""

    def ready(self) -> None:
        """Continue writing: the outbox has room again."""

    def answered(self) -> None:
        """Handle the client's answer to `Channel.ask`."""

    def lost(self) -> None:
        """End: the channel is closed or the connection gone.  Called once, and last."""


class Ended:
    """The program of a connection that is lost: it does nothing.

    It takes the place of the real one, which refers to its connection: without a reference back,
    both are freed at once, and the garbage collector has nothing to find.
    """

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        """Do nothing: nobody is there."""

    def resized(self, columns: int, rows: int) -> None:
        """Do nothing: nobody is there."""

    def interrupted(self) -> None:
        """Do nothing: nobody is there."""

    def input_ended(self) -> None:
        """Do nothing: nobody is there."""

    def ready(self) -> None:
        """Do nothing: nobody is there."""

    def answered(self) -> None:
        """Do nothing: nobody is there."""

    def lost(self) -> None:
        """Do nothing: the real program was told."""

    def hand_over(self) -> bytes:
        """Return nothing: no input is unfinished."""
        return b""


ENDED = Ended()


class ChannelOutbox(Outbox, Protocol):
    """The outbox of a channel; ``on_sent`` is called before ``send`` sends anything."""

    on_sent: Callable[[], None] | None

    def is_idle(self) -> bool:
        """Return whether data sent now would leave immediately, with nothing pending before it."""


class Connection(Protocol):
    """A conversation's view of its connection, whatever protocol or server it arrived by."""

    @property
    def outbox(self) -> Outbox:
        """The output to the client."""

    def pause(self) -> None:
        """Pause input."""

    def resume(self) -> None:
        """Resume input."""

    def pass_to(self, program: Program) -> None:
        """Replace the program of this connection by another."""


class Channel(Protocol):
    """A channel as the program in it sees it, on this server or relayed by another."""

    @property
    def outbox(self) -> ChannelOutbox:
        """The program's output."""

    @property
    def terminal(self) -> TerminalInfo | None:
        """The client's terminal; None without one."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables of the client's environment."""

    def write_error(self, data: bytes) -> None:
        """Write to standard error; output beyond its bound is dropped."""

    def finish(self, status: int) -> None:
        """Send what is pending and the exit status, then close."""

    def ask(self) -> None:
        """Ask the client for a sign of life; `Program.answered` is called for the answer."""

    def pause(self) -> None:
        """Pause input."""

    def resume(self) -> None:
        """Resume input."""

    def pass_to(self, program: Program) -> None:
        """Replace the program of this channel by another."""


def measure(name: bytes, columns: int, rows: int) -> TerminalInfo:
    """Return a terminal as its client describes it, within bounds.

    :param name: its type; anything but short printable ASCII counts as "dumb".
    :param columns: its width; 0 if the client does not know it (RFC 4254 section 6.2).
    :param rows: its height, likewise.
    """
    return TerminalInfo(
        name=printable_ascii(name, MAX_TERMINAL_NAME) or "dumb",
        columns=_clamp(columns, COLUMNS, USUAL_COLUMNS),
        rows=_clamp(rows, ROWS, USUAL_ROWS),
    )


def _clamp(number: int, bounds: range, usual: int) -> int:
    """Return a size within bounds; 0 means that it is unknown."""
    if number == 0:
        return usual
    return min(max(number, bounds[0]), bounds[-1])


def printable_ascii(raw: bytes, limit: int) -> str | None:
    """Return at most ``limit`` bytes of printable ASCII as text; None for anything else."""
    if len(raw) > limit or any(not 0x20 <= byte < 0x7F for byte in raw):
        return None
    return raw.decode("ascii")
