"""Library: what the chat looks up in rooms, once what was posted there before is kept.

What is remembered of a room that is heard here (`chatd.store.nats.rooms.tail_cache`) is not read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from chatd.chat.events import KeptEvent, RoomEvent
from chatd.chat.text.query import SearchQuery
from chatd.store.nats.jetstream.api import JetStream
from chatd.store.nats.rooms import reading, searching
from chatd.store.nats.rooms.room import RoomStream
from chatd.store.nats.rooms.tail_cache import Tails


class RoomHistory:
    """What the rooms have; ``line`` finds one, or makes it.

    Everything is called in the thread of the loop.

    :raises AwayError: each method, when nobody answers in time.
    """

    def __init__(self, streams: JetStream, line: Callable[[str], RoomStream], tails: Tails) -> None:
        self._streams = streams
        self._line = line
        self._tails = tails
        self._searches = asyncio.Semaphore(searching.SEARCHES)

    async def before(
        self, room: str, number: int | None, count: int
    ) -> list[tuple[int, RoomEvent]]:
        """Return the last ``count`` events numbered below ``number``, oldest first."""
        line = await self._settled(room)
        if count == 0:
            return []
        found = line.tail.before(number, count)
        if found is None and number is None and line.listens:
            found = await self._newest(line, count)
        if found is None:
            found = await reading.last(self._streams, line.spot, number, count)
        return _rows(found)

    async def _newest(self, line: RoomStream, count: int) -> list[reading.Found] | None:
        """The newest of a room, which are remembered from now on; None while that is being done."""
        begun = line.tail.begins(line.last)
        if begun is None:
            return None
        wanted = max(count, self._tails.events)
        try:
            found = await reading.last(self._streams, line.spot, None, wanted)
        except BaseException:
            line.tail.forget()
            raise
        line.tail.fill(begun, found, whole=len(found) < wanted)
        return found[len(found) - min(count, len(found)) :]

    async def after(self, room: str, number: int, count: int) -> list[tuple[int, RoomEvent]]:
        """Return the first ``count`` events numbered above ``number``, oldest first."""
        line = await self._settled(room)
        found = line.tail.after(number, count)
        if found is None:
            found = await reading.after(self._streams, line.spot, number, count)
        return _rows(found)

    async def count(self, room: str, above: int, below: int) -> int:
        """Return how many events and changes are numbered between two numbers."""
        line = await self._settled(room)
        found = line.tail.after(above, self._tails.events)
        if found is not None:
            return sum(each.number < below for each in found)
        return await reading.count(self._streams, line.spot, above, below)

    async def last_by(
        self, room: str, nick: str, account: str | None
    ) -> tuple[int, KeptEvent] | None:
        """Return the last message of somebody in a room, if it is among the newest there."""
        line = await self._settled(room)
        for each in reversed(line.tail.newest()):
            if each.kept is not None and reading.is_by(each, nick, account):
                return each.number, each.kept
        async with self._searches:
            looking = searching.for_author(self._streams, line.spot, nick, account)
            rows = await looking.newest(1)
        return next(((each.number, each.kept) for _, each in rows if each.kept is not None), None)

    async def search(
        self, rooms: Sequence[str], search: SearchQuery, skip: int, count: int
    ) -> list[tuple[str, int, KeptEvent]]:
        """Return what is found among the newest of some rooms, what was kept last first."""
        spots = [(room, (await self._settled(room)).spot) for room in rooms]
        async with self._searches:
            rows = await searching.for_words(self._streams, spots, search).newest(skip + count)
        found = [(room, each.number, each.kept) for room, each in rows if each.kept is not None]
        return found[skip:]

    async def _settled(self, room: str) -> RoomStream:
        """A room, once what was posted to it before is kept."""
        line = self._line(room)
        if not line.idle:
            await line.settled()
        return line


def _rows(found: Sequence[reading.Found]) -> list[tuple[int, RoomEvent]]:
    return [(each.number, each.written.event) for each in found]
