"""Admission: limits on connections, in total, by address and by rate; no transport and no clock.

Addresses are grouped by /32 in IPv4 and by /64 in IPv6, the usual allocation of a household or a
server.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from chatd.chat.limits import Rate
from chatd.chat.ratelimit.addresses import prefix
from chatd.chat.ratelimit.bucket import TokenBucket

#: Addresses whose rate is remembered while none of their connections is open.
REMEMBERED = 10_000

#: The sentence for people when the server is full; programs get an answer in their own protocol.
FULL = "The server is full; try again later."


@dataclass(frozen=True, slots=True)
class PerAddress:
    """The limits of one address: simultaneous connections, and new ones per minute.

    A class or an office behind one router counts as one address; a flood from it is still bounded.
    """

    concurrent: int = 100
    a_minute: float = 120.0


class Admission:
    """Counts connections.  Times are seconds on any clock that does not go back.

    ``reserve`` connections beyond ``most`` are for operators: a client that connects then has to
    prove that it is an operator's.
    """

    def __init__(self, most: int, per_address: PerAddress | None, reserve: int = 10) -> None:
        self.most = most
        self.reserve = reserve
        self.per_address = per_address
        self.here = 0
        self._closed = ""
        self._counts: dict[str, int] = {}
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def enter(self, address: str, now: float) -> str | None:
        """Admit a connection, or return a sentence that says why not; `leave` is its counterpart.

        The empty address of a Unix socket has no limit of its own.
        """
        if self._closed:
            return self._closed
        if self.here >= self.most + self.reserve:
            return FULL
        network, limit = prefix(address), self.per_address
        if limit is not None and network:
            if self._counts.get(network, 0) >= limit.concurrent:
                return "There are too many connections from your address."
            if self._bucket(network, limit, now).wait(now):
                return "Your address connects too often; try again in a minute."
        self._counts[network] = self._counts.get(network, 0) + 1
        self.here += 1
        return None

    def _bucket(self, network: str, limit: PerAddress, now: float) -> TokenBucket:
        bucket = self._buckets.get(network)
        if bucket is None:
            rate = Rate(max(1, int(limit.a_minute)), limit.a_minute / 60)
            bucket = self._buckets[network] = TokenBucket(rate, now)
            if len(self._buckets) > REMEMBERED:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(network)
        return bucket

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

    def is_full(self) -> bool:
        """Whether only operators may stay."""
        return self.here > self.most
