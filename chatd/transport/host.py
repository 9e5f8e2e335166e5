"""Host: the parts of the server that every protocol is passed: chat, clocks, limits, settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatd.chat.chat import Chat
from chatd.chat.entry.entrance import Visitor
from chatd.chat.events import Refused
from chatd.chat.limits import Rate
from chatd.cluster.bus import State
from chatd.transport.net.turns import Turns
from chatd.transport.relay.stream import Stream
from chatd.transport.relay.streams import StartProgram

_log = Logger()


class Relay(Protocol):
    """Runs connections of this server at other servers, and theirs here.

    ``programs`` are the programs that other servers may start here, by name.
    """

    programs: dict[str, StartProgram]

    @property
    def rank(self) -> int:
        """The number of servers of the cluster that are ordered before this one."""

    async def open(self, server: str, visitor: Visitor, program: str, how: State) -> Stream | None:
        """Ask a server to run a program for a visitor; return its stream, or None if it refuses."""


@dataclass(frozen=True, slots=True)
class Host:
    """A server, as its ways in see it.

    ``clock`` runs timers, ``now`` is the time of day in seconds since the epoch.  ``turns`` ration
    the input of all connections.  ``flood`` is the rate at which a client's lines are accepted;
    None: without a limit.  ``operators`` are the blobs
    of the ssh keys of operators.  ``relay`` is None on a server without a cluster, and for
    connections that must not be relayed again.
    """

    chat: Chat
    clock: IReactorTime
    now: Callable[[], float]
    turns: Turns
    motd: tuple[str, ...] = ()
    flood: Rate | None = field(default_factory=Rate)
    operators: frozenset[bytes] = frozenset()
    relay: Relay | None = None


def log_wrong_password(refused: Refused, address: str) -> None:
    """Log the address behind a wrong password, for tools that block such addresses."""
    if refused.code == "wrong-password":
        _log.info("{address} gave a wrong password", address=address or "somebody here")
