"""Admission: limits on connections, in total, by address and by rate; no transport and no clock.

Addresses are grouped by /32 in IPv4 and by /64 in IPv6, the usual allocation of a household or a
server.
"""

from __future__ import annotations

from dataclasses import dataclass

from chatd.chat.events import Refused
from chatd.chat.limits import Rate
from chatd.chat.ratelimit.addresses import prefix
from chatd.chat.ratelimit.bucket import BucketTable
from chatd.chat.ratelimit.line_budget import Standing

#: Addresses whose rate is remembered while none of their connections is open.
REMEMBERED = 10_000

#: The sentence for people when the server is full; programs get an answer in their own protocol.
FULL = "The server is full; try again later."

#: The part of each limit that is kept beyond it for those who prove by ssh key that they are
#: operators or own an established account.
RESERVE = 10


@dataclass(frozen=True, slots=True)
class PerAddress:
    """The limits of one address: simultaneous connections, and new ones per minute.

    A class or an office behind one router counts as one address; a flood from it is still bounded.
    """

    concurrent: int = 100
    a_minute: float = 120.0


def _a_minute(number: float) -> Rate:
    return Rate(max(1, int(number)), number / 60)


class Admission:
    """Counts connections.  Times are seconds on any clock that does not go back.

    Beyond ``most`` a tenth as many are for owners of established accounts, and ``reserve`` after
    these for operators; a tenth beyond the limits of each address is for both.  A client that
    connects then has to prove by its ssh key who it is.
    """

    def __init__(self, most: int, per_address: PerAddress | None, reserve: int = 10) -> None:
        self.most = most
        self.reserve = reserve
        self.per_address = per_address
        self.here = 0
        self._closed = ""
        self._counts: dict[str, int] = {}
        limit = per_address or PerAddress()
        self._attempts = BucketTable(_a_minute(limit.a_minute), REMEMBERED)
        self._reserved = BucketTable(_a_minute(limit.a_minute / RESERVE), REMEMBERED)

    @property
    def capacity(self) -> int:
        """How many connections there may be, those of operators included."""
        return self.people + self.reserve

    @property
    def people(self) -> int:
        """How many connections there may be, without those of operators."""
        return self.most + self.most // RESERVE

    def fit(self, people: int) -> None:
        """Admit no more people than this, which the system allows; at least one."""
        if people < self.people:
            self.most = max(1, people * RESERVE // (RESERVE + 1))
            if self.most + 1 + (self.most + 1) // RESERVE <= people:
                self.most += 1

    def enter(self, address: str, now: float) -> Refused | None:
        """Admit a connection; `leave` is its counterpart.

        Return why only a client that proves who it is may stay; None: any client may.  The empty
        address of a Unix socket has no limit of its own.

        :raises Refused: ``closed``, ``full``, ``too-many-connections`` or ``connects-too-often``.
        """
        if self._closed:
            raise Refused("closed", self._closed)
        if self.here >= self.capacity:
            raise Refused("full", FULL)
        network, limit, only_known = prefix(address), self.per_address, None
        count = self._counts.get(network, 0)
        if limit is not None and network:
            only_known = self._limited(network, count, limit, now)
        self._counts[network] = count + 1
        self.here += 1
        return only_known

    def _limited(self, network: str, count: int, limit: PerAddress, now: float) -> Refused | None:
        """Return why only a client that proves who it is may stay, although its address has many.

        :raises Refused: when the reserve of the address is used up as well.
        """
        refused = None
        if count >= limit.concurrent:
            refused = Refused(
                "too-many-connections", "There are too many connections from your address."
            )
            if count >= limit.concurrent + limit.concurrent // RESERVE:
                raise refused
        elif self._attempts.get(network, now).wait(now):
            refused = Refused(
                "connects-too-often", "Your address connects too often; try again in a minute."
            )
        if refused is not None and (
            limit.a_minute < RESERVE or self._reserved.get(network, now).wait(now)
        ):
            raise refused
        return refused

    def leave(self, address: str) -> None:
        """Stop counting an admitted connection that has ended."""
        network = prefix(address)
        self.here -= 1
        left = self._counts[network] - 1
        if left:
            self._counts[network] = left
        else:
            del self._counts[network]

    @property
    def is_closed(self) -> bool:
        """Whether no connection is admitted."""
        return bool(self._closed)

    def close(self, reason: str) -> None:
        """Admit no connection from now on; ``sentence`` tells clients why."""
        self._closed = reason

    def open(self) -> None:
        """Admit connections again."""
        self._closed = ""

    def is_full(self, standing: Standing = Standing.GUEST) -> bool:
        """Whether there is no room for a client of this standing, which is counted already."""
        if standing is Standing.OPERATOR:
            return False
        reserved = self.most // RESERVE if standing is Standing.ACCOUNT else 0
        return self.here > self.most + reserved
