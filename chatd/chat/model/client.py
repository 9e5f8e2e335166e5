"""Client: what a way in gives the chat for each connection, and what the chat learns from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from chatd.chat.fanout.log import Style
from chatd.chat.limits import DEAD_SECONDS
from chatd.chat.model.preferences import Preferences


@dataclass(frozen=True, slots=True)
class Position:
    """How far a connection has been sent what happens.

    ``read`` has the store's number of the last event in each room, by `Room.id`;
    ``private_count`` is how many private messages there were.
    """

    read: Mapping[str, int]
    private_count: int


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """How much of what was sent has arrived, as far as the connection can tell.

    ``position`` is how far the client has acknowledged (None: nothing else is known than
    ``unreached``), ``unreached`` how many bytes of the last have not arrived, ``owing`` for how
    many seconds the other end has not answered what it should have.
    """

    position: Position | None = None
    unreached: int = 0
    owing: float = 0.0

    @property
    def is_dead(self) -> bool:
        """Whether nobody seems to be at the other end any more."""
        return self.owing >= DEAD_SECONDS


#: The report of a connection of which nothing is known but that it takes what it is sent.
ALIVE = DeliveryReport()


class Client(Protocol):
    """The chat's side of a connection: where bytes go, and how they should look.

    While ``full`` is false ``send`` may be called, and says how many bytes it took.  Any answer but
    ``len(data)``, or an ``OSError``, is followed by ``stalled(data, taken)`` (0 after an error),
    which keeps the rest and makes the client full.  When there is room again the way in calls
    `chatd.chat.model.entities.Session.release`.
    """

    @property
    def send(self) -> Callable[[bytes], int]:
        """Take bytes for the connection and return how many were taken."""

    @property
    def echoes_input(self) -> bool:
        """Whether users see on their own screens already what they send (netcat does)."""

    @property
    def copy_per_room(self) -> bool:
        """Whether an event in several rooms is shown in each of them, as programs want it.

        People are shown it once.
        """

    @property
    def closes_on_gap(self) -> bool:
        """Whether going on after missed events makes no sense: a program starts anew."""

    @property
    def resumable(self) -> bool:
        """Whether the session is kept when the connection is lost; a program begins anew."""

    @property
    def full(self) -> bool:
        """Whether the connection takes nothing now."""

    @property
    def is_gone(self) -> bool:
        """Whether the connection is lost, and nothing that is shown now is seen."""

    @property
    def pending_bytes(self) -> int:
        """How many bytes wait for the connection."""

    def style(self, preferences: Preferences) -> Style:
        """Return how events are rendered for a user with these preferences."""

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep the part of ``data`` that ``send`` did not take."""

    def write(self, data: bytes) -> None:
        """Send or keep; the caller has checked ``pending``, as nothing bounds it here."""

    def refocused(self) -> None:
        """Show the new focus where there is a prompt."""

    @property
    def shows_pending(self) -> bool:
        """Whether pending lines are announced in words, as the screen does not show them."""

    def pending_changed(self) -> None:
        """Draw `Session.pending_lines` as it is now, where the screen shows it."""

    def delivery_report(self) -> DeliveryReport:
        """Return how much of what was sent has arrived."""

    async def ask(self, question: str, *, secret: bool) -> tuple[str, float]:
        """Ask for one line that is no command; return it, and when it came.

        It is empty when the user would rather not say, or when the connection is gone.  A
        ``secret`` answer is not shown while it is typed, where that can be helped.
        """

    def close(self) -> None:
        """Send what is pending and end the connection."""

    def broken(self, bug: Exception) -> None:
        """Log a bug of ours that came up in sending, and end this connection later."""


#: Relays a connection to a server where the owner of an account (by folded nick) is connected.
#: Returns whether that server runs it now; if not, nothing has changed.
RelayTo = Callable[[str, str], Awaitable[bool]]


class Relayed(Exception):  # noqa: N818 - no error, but the end of what is done here
    """Raised when another server runs a connection from now on."""
