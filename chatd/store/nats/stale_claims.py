"""Stale claims: the first of the living servers drops those of dead servers, a few at a time.

A stale claim obstructs no user, as it can be replaced; but a claim on a nick that is never used
again would stay for ever.
"""

from __future__ import annotations

from collections.abc import Callable

from chatd.store.nats.claims import Claims
from chatd.store.nats.jetstream.api import JetStream
from chatd.store.nats.jetstream.layout import NICKS

#: Claims that are dropped each time the lease is renewed: half a second's work.
DROPPED_AT_ONCE = 1000
_ALL = "$KV.nicks.*"


class StaleClaims:
    """Checks which servers live, and drops stale claims at the start and whenever a server has
    died.

    ``on_death`` is called on every server when a server has died.
    """

    def __init__(self, streams: JetStream, claims: Claims, on_death: Callable[[], None]) -> None:
        self._streams = streams
        self._claims = claims
        self._on_death = on_death
        self._live_leases: frozenset[str] = frozenset()
        self._next_sequence: int | None = 1

    async def check(self) -> None:
        """Check which servers live; drop stale claims if that is this server's task.

        :raises UnavailableError: when the cluster does not answer; the next call tries again.
        """
        live_leases = await self._claims.live_leases()
        if not self._live_leases <= live_leases:
            self._next_sequence = 1
            self._on_death()
        self._live_leases = live_leases
        if self._claims.lease != min(live_leases, default=""):
            self._next_sequence = None  # another server does it
        if self._next_sequence is not None:
            await self._drop_some(self._next_sequence, live_leases)

    async def _drop_some(self, start: int, live_leases: frozenset[str]) -> None:
        """Drop claims of dead servers, from a sequence number on."""
        dropped = 0
        while dropped < DROPPED_AT_ONCE:
            messages, more = await self._streams.page(NICKS, _ALL, start)
            for claim in messages:
                start = claim.seq + 1
                dropped += await self._claims.drop_if_dead(claim, live_leases)
                if dropped == DROPPED_AT_ONCE:
                    break
            else:
                if not more:
                    self._next_sequence = None
                    return
        self._next_sequence = start
