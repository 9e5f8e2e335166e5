"""Admission: how many may be here, from where, and how often; no transport and no clock.

Addresses count by /32 in IPv4 and by /64 in IPv6, which is what one household or one server has.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from chatd.chat.limits import Rate
from chatd.chat.ratelimit.addresses import prefix
from chatd.chat.ratelimit.bucket import TokenBucket

#: Addresses whose rate is remembered while nobody from there is connected.
REMEMBERED = 10_000

#: What people are told when the server is full; programs are told in their own words.
FULL = "The server is full; try again later."


@dataclass(frozen=True, slots=True)
class PerAddress:
    """What one address may: connections at once, and new ones a minute.

    A class or an office behind one router is one address; a flood from one is still bounded.
    """

    concurrent: int = 100
    a_minute: float = 120.0


class Admission:
    """Counts connections.  Times are seconds on any clock that does not go back.

    Nobody is let in while it is ``closed``, which is the sentence that says why.
    ``reserve`` connections beyond ``most`` are for operators: who comes then has to prove that
    they are one.
    """

    def __init__(self, most: int, per_address: PerAddress | None, reserve: int = 10) -> None:
        self.most = most
        self.reserve = reserve
        self.per_address = per_address
        self.here = 0
        self.closed = ""
        self._counts: dict[str, int] = {}
        self._paces: OrderedDict[str, TokenBucket] = OrderedDict()

    def close(self, reason: str) -> None:
        """Let nobody in any more; people are told this sentence."""
        self.closed = reason

    def open(self) -> None:
        """Let people in again."""
        self.closed = ""

    def enter(self, address: str, now: float) -> str | None:
        """Let a connection in, or say in a sentence why not; who is in has to `leave`.

        An empty address, that of a Unix socket, has no limit of its own.
        """
        if self.closed:
            return self.closed
        if self.here >= self.most + self.reserve:
            return FULL
        place, limit = prefix(address), self.per_address
        if limit is not None and place:
            if self._counts.get(place, 0) >= limit.concurrent:
                return "There are too many connections from your address."
            if self._pace(place, limit, now).wait(now):
                return "Your address connects too often; try again in a minute."
        self._counts[place] = self._counts.get(place, 0) + 1
        self.here += 1
        return None

    def _pace(self, place: str, limit: PerAddress, now: float) -> TokenBucket:
        pace = self._paces.get(place)
        if pace is None:
            rate = Rate(max(1, int(limit.a_minute)), limit.a_minute / 60)
            pace = self._paces[place] = TokenBucket(rate, now)
            if len(self._paces) > REMEMBERED:
                self._paces.popitem(last=False)
        else:
            self._paces.move_to_end(place)
        return pace

    def leave(self, address: str) -> None:
        """A connection that was let in has ended."""
        place = prefix(address)
        self.here -= 1
        left = self._counts[place] - 1
        if left:
            self._counts[place] = left
        else:
            del self._counts[place]

    def is_full(self) -> bool:
        """Whether only operators may stay."""
        return self.here > self.most
