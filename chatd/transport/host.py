"""Host: the parts of the server that every protocol is passed: chat, clocks, limits, settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from twisted.internet.interfaces import IReactorTime

from chatd.chat.chat import Chat
from chatd.chat.entry.entrance import Visitor
from chatd.chat.limits import Rate
from chatd.chat.ratelimit.line_budget import LineBudgets, Standing, rate_of_address
from chatd.cluster.bus import State
from chatd.transport.net.turns import Turns
from chatd.transport.relay.stream import Stream
from chatd.transport.relay.streams import StartProgram


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
    the input of all connections, and ``budgets`` are how fast the lines of people and of addresses
    are accepted.  ``operators`` are the blobs
    of the ssh keys of operators.  ``relay`` is None on a server without a cluster, and for
    connections that must not be relayed again.
    """

    chat: Chat
    clock: IReactorTime
    now: Callable[[], float]
    turns: Turns
    motd: tuple[str, ...] = ()
    budgets: LineBudgets = field(
        default_factory=lambda: LineBudgets(Rate(), rate_of_address(Rate()))
    )
    operators: frozenset[bytes] = frozenset()
    relay: Relay | None = None

    def standing(self, account: str, *, operator: bool) -> Standing:
        """Return how somebody stands who has proved an account (its folded nick, or empty)."""
        if operator:
            return Standing.OPERATOR
        found = self.chat.accounts.get(account) if account else None
        established = found is not None and found.is_established(self.now())
        return Standing.ACCOUNT if established else Standing.GUEST
