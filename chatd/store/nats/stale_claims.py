"""Sweep: of the servers that live the first drops what dead ones claim, a part at a time.

A claim of a dead server is in nobody's way; but a nick that nobody wants again would stay for ever.
"""

from __future__ import annotations

from collections.abc import Callable

from chatd.store.nats.claims import Claims
from chatd.store.nats.jetstream.api import JetStream
from chatd.store.nats.jetstream.layout import NICKS

#: Claims that are dropped each time that the lease is renewed: half a second's work.
SWEPT = 1000
_ALL = "$KV.nicks.*"


class StaleClaims:
    """Looks who lives, and sweeps at the start and when one that lived does not any more.

    ``gone`` is called then, on every server.
    """

    def __init__(self, streams: JetStream, claims: Claims, gone: Callable[[], None]) -> None:
        self._streams = streams
        self._claims = claims
        self._gone = gone
        self._living: frozenset[str] = frozenset()
        self._next: int | None = 1

    async def look(self) -> None:
        """See who lives, and sweep if it is for this server and there is something left to do.

        :raises AwayError: when nobody answers; it is done again then.
        """
        living = await self._claims.living()
        if not self._living <= living:
            self._next = 1
            self._gone()
        self._living = living
        if self._claims.lease != min(living, default=""):
            self._next = None  # another does it
        if self._next is not None:
            await self._sweep(self._next, living)

    async def _sweep(self, start: int, living: frozenset[str]) -> None:
        """Drop some of the claims of dead servers, from a place on."""
        dropped = 0
        while dropped < SWEPT:
            messages, more = await self._streams.page(NICKS, _ALL, start)
            for claim in messages:
                start = claim.seq + 1
                dropped += await self._claims.drop_if_dead(claim, living)
                if dropped == SWEPT:
                    break
            else:
                if not more:
                    self._next = None
                    return
        self._next = start
