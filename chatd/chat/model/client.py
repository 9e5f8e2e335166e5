"""Client: the chat's interface to a connection, whichever way in it came by."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from chatd.chat.fanout.log import Style
from chatd.chat.limits import DEAD_SECONDS
from chatd.chat.model.preferences import Preferences


@dataclass(frozen=True, slots=True)
class Position:
    """How far a connection has been sent events.

    ``read`` has the store's number of the last event in each room, by `Room.id`;
    ``private_count`` is how many private messages it has been sent.
    """

    read: Mapping[str, int]
    private_count: int


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """How much of the sent data has arrived, as far as the connection can tell.

    ``position`` is how far the client has acknowledged (None: only ``unreached`` is known),
    ``unreached`` how many of the last bytes have not arrived, ``owing`` for how many seconds the
    other end has owed an answer.
    """

    position: Position | None = None
    unreached: int = 0
    owing: float = 0.0

    @property
    def is_dead(self) -> bool:
        """Whether the other end appears to be gone."""
        return self.owing >= DEAD_SECONDS


#: The report of a connection with no known delivery problem.
ALIVE = DeliveryReport()


class Client(Protocol):
    """The chat's side of a connection: where bytes go, and how they should look.

    While ``full`` is false ``send`` may be called, and returns how many bytes it took.  Any other
    return value than ``len(data)``, or an ``OSError``, is followed by ``stalled(data, taken)`` (0
    after an error), which keeps the rest and makes the client full.  When there is room again, the
    way in calls `chatd.chat.model.entities.Session.release`.
    """

    @property
    def send(self) -> Callable[[bytes], int]:
        """Take bytes for the connection and return how many were taken."""

    @property
    def echoes_input(self) -> bool:
        """Whether users already see their own input on their screens (as in netcat)."""

    @property
    def copy_per_room(self) -> bool:
        """Whether an event in several rooms is shown in each of them, as programs need.

        People are shown it once.
        """

    @property
    def closes_on_gap(self) -> bool:
        """Whether to close after a gap, so that the client (a program) resyncs."""

    @property
    def resumable(self) -> bool:
        """Whether the session is kept when the connection is lost; a program starts afresh."""

    @property
    def full(self) -> bool:
        """Whether the connection takes no more data now."""

    @property
    def is_gone(self) -> bool:
        """Whether the connection is lost, so that the user sees no more output."""

    @property
    def pending_bytes(self) -> int:
        """How many bytes are queued for the connection."""

    def style(self, preferences: Preferences) -> Style:
        """Return how events are rendered for a user with these preferences."""

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep the part of ``data`` that ``send`` did not take."""

    def write(self, data: bytes) -> None:
        """Send data or queue it, unbounded: the caller has checked ``pending_bytes``."""

    def refocused(self) -> None:
        """Show the new focus in the prompt, if there is one."""

    @property
    def shows_pending(self) -> bool:
        """Whether pending lines have to be announced in words, as the screen cannot mark them."""

    def pending_changed(self) -> None:
        """Redraw `Session.pending_lines`, where the screen shows it."""

    def delivery_report(self) -> DeliveryReport:
        """Return how much of the sent data has arrived."""

    async def ask(self, question: str, *, secret: bool) -> tuple[str, float]:
        """Ask for one line that is not taken as a command; return it, and when it was entered.

        It is empty when the user declines, or when the connection is gone.  A ``secret`` answer is
        not shown while it is typed, where that is possible.
        """

    def close(self) -> None:
        """Send what is pending and end the connection."""

    def abort(self) -> None:
        """End this connection without sending what is pending."""

    def broken(self, bug: Exception) -> None:
        """Log a bug of ours in rendering or sending, and end this connection later."""


#: Relays a connection to a server where the owner of an account (by folded nick) is connected.
#: Returns whether that server runs it now; if not, nothing has changed.
RelayTo = Callable[[str, str], Awaitable[bool]]


class Relayed(Exception):  # noqa: N818 - not an error: another server continues
    """Raised when another server runs a connection from now on."""
