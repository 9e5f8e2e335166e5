"""What every way in is given: the chat, the clocks and the manners of this server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatd.chat.chat import Chat
from chatd.chat.events import Refused
from chatd.chat.limits import Rate

if TYPE_CHECKING:
    from chatd.transport.conversation.conversation import Conversation
    from chatd.transport.relay.streams import Streams

_log = Logger()


@dataclass(frozen=True, slots=True)
class Host:
    """One server, as its ways in see it.

    ``clock`` runs timers, ``now`` is the time of day in seconds since the epoch.  ``flood`` is None
    when nobody is slowed down.  ``operators`` are the blobs of the ssh keys of operators.
    ``exchange`` has the lines to the other servers of a cluster; without it no line is lent.
    """

    chat: Chat
    clock: IReactorTime
    now: Callable[[], float]
    motd: tuple[str, ...] = ()
    flood: Rate | None = field(default_factory=Rate)
    operators: frozenset[bytes] = frozenset()
    exchange: Streams | None = None


def log_wrong_password(refused: Refused, address: str) -> None:
    """Log where a wrong password came from, for whoever keeps such addresses out."""
    if refused.code == "wrong-password":
        _log.info("{address} gave a wrong password", address=address or "somebody here")


class Doorkeeper(Protocol):
    """What the gate goes on doing for somebody whom it has handed to a way in."""

    def reached(self) -> tuple[str, int]:
        """The address and the port at which they reached this server, or the proxy."""

    def become(self, name: str, conversation: Conversation, data: bytes) -> None:
        """Hand a conversation, with bytes not yet taken, to another way in."""

    def admit(self, operator: bool) -> str | None:
        """A sentence when somebody, who proved an operator's key or did not, may not stay."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody at the door.

    ``address`` is the client's, also behind a proxy.  ``probed`` says that the gate has asked it
    for a terminal type already.
    """

    address: str
    door: Doorkeeper
    probed: bool = False
