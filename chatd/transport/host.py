"""What every way in is given: the chat, the clocks and the manners of this server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime

from chatd.chat.chat import Chat
from chatd.chat.limits import Flood

if TYPE_CHECKING:
    from chatd.transport.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Host:
    """One server, as its ways in see it.

    ``clock`` runs timers, ``now`` is the time of day in seconds since the epoch.  ``flood`` is None
    when nobody is slowed down.  ``operators`` are the blobs of the ssh keys of operators.
    """

    chat: Chat
    clock: IReactorTime
    now: Callable[[], float]
    motd: tuple[str, ...] = ()
    flood: Flood | None = field(default_factory=Flood)
    operators: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody at the door.

    ``address`` is the client's, also behind a proxy; ``reached`` are the address and the port at
    which it reached this server, or the proxy.  ``probed`` says that the gate has asked it
    for a terminal type already.  ``become`` hands a conversation, with bytes not yet taken, to
    another way in on the same connection.  ``admit`` decides whether somebody who has proved an
    operator's key, or has not, may stay: it returns a sentence when not.
    """

    address: str
    probed: bool = False
    reached: tuple[str, int] = ("127.0.0.1", 0)
    become: Callable[[str, Conversation, bytes], None] | None = None
    admit: Callable[[bool], str | None] = lambda operator: None
