"""Room history: the chat's reads of rooms, each after earlier posts to the room are stored.

The newest events of a subscribed room are taken from its tail (`chatd.store.nats.rooms.tail_cache`)
instead of the stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from chatd.chat.events import KeptEvent, RoomEvent
from chatd.chat.limits import SEARCH_WAIT_SECONDS
from chatd.chat.store import too_many_searches
from chatd.chat.text.query import SearchQuery
from chatd.store.nats.jetstream.api import JetStream
from chatd.store.nats.rooms import reading, searching
from chatd.store.nats.rooms.room import RoomStream
from chatd.store.nats.rooms.tail_cache import TailCache


class RoomHistory:
    """Reads rooms; ``room_stream`` finds or creates the stream of a room.

    Used in the connection's thread.  Each method raises `UnavailableError` when the cluster does
    not answer in time.
    """

    def __init__(
        self, streams: JetStream, room_stream: Callable[[str], RoomStream], tails: TailCache
    ) -> None:
        self._streams = streams
        self._room_stream = room_stream
        self._tails = tails
        self._searches = asyncio.Semaphore(searching.CONCURRENT_SEARCHES)
        self._author_searches = asyncio.Semaphore(searching.CONCURRENT_SEARCHES)

    async def before(
        self, room: str, number: int | None, count: int, skip: int
    ) -> list[tuple[int, RoomEvent]]:
        """Return the last ``count`` events below ``number`` and before ``skip`` more."""
        if skip:
            rows = await self.before(room, number, count + skip, 0)
            return rows[:-skip]
        stream = await self._drained(room)
        if count == 0:
            return []
        found = stream.tail.before(number, count)
        if found is None and number is None and stream.is_subscribed:
            found = await self._newest(stream, count)
        if found is None:
            found = await reading.last_events(self._streams, stream.subject, number, count)
        return _rows(found)

    async def _newest(self, stream: RoomStream, count: int) -> list[reading.RoomMessage] | None:
        """Read the newest events of a room into its tail; None while that is being done."""
        token = stream.tail.start_fill(stream.last)
        if token is None:
            return None
        wanted = max(count, self._tails.max_events)
        try:
            found = await reading.last_events(self._streams, stream.subject, None, wanted)
        except BaseException:
            stream.tail.clear()
            raise
        stream.tail.fill(token, found, whole=len(found) < wanted)
        return found[len(found) - min(count, len(found)) :]

    async def after(self, room: str, number: int, count: int) -> list[tuple[int, RoomEvent]]:
        """Return the first ``count`` events numbered above ``number``, oldest first."""
        stream = await self._drained(room)
        found = stream.tail.after(number, count)
        if found is None:
            found = await reading.after(self._streams, stream.subject, number, count)
        return _rows(found)

    async def count(self, room: str, above: int, below: int) -> int:
        """Return how many events and changes are numbered between two numbers."""
        stream = await self._drained(room)
        found = stream.tail.after(above, self._tails.max_events)
        if found is not None:
            return sum(each.number < below for each in found)
        return await reading.count(self._streams, stream.subject, above, below)

    async def last_by(
        self, room: str, nick: str, account: str | None
    ) -> tuple[int, KeptEvent] | None:
        """Return the last message of a nick in a room, if it is among the newest there."""
        stream = await self._drained(room)
        for each in reversed(stream.tail.newest()):
            if each.stored_event is not None and reading.is_by(each, nick, account):
                return each.number, each.stored_event
        async with self._author_searches:
            search = searching.for_author(self._streams, stream.subject, nick, account)
            rows = _events(await search.newest(1))
        return rows[0][1:] if rows else None

    async def search(
        self, rooms: Sequence[str], search: SearchQuery, skip: int, count: int
    ) -> list[tuple[str, int, KeptEvent]]:
        """Return matches among the newest events of some rooms, newest first.

        :raises Refused: ``too-slow``, or ``busy`` when it has waited too long for others.
        """
        subjects = [(room, (await self._drained(room)).subject) for room in rooms]
        try:
            async with asyncio.timeout(SEARCH_WAIT_SECONDS):
                await self._searches.acquire()
        except TimeoutError:
            raise too_many_searches() from None
        try:
            matches = searching.for_query(self._streams, subjects, search)
            rows = await matches.newest(skip + count)
        finally:
            self._searches.release()
        return _events(rows)[skip:]

    async def _drained(self, room: str) -> RoomStream:
        """Return a room's stream, once earlier posts to it are stored."""
        stream = self._room_stream(room)
        if not stream.is_idle:
            await stream.drain()
        return stream


def _rows(found: Sequence[reading.RoomMessage]) -> list[tuple[int, RoomEvent]]:
    return [(each.number, each.envelope.event) for each in found]


def _events(rows: Sequence[searching.Row]) -> list[tuple[str, int, KeptEvent]]:
    return [
        (room, each.number, each.stored_event)
        for room, each in rows
        if each.stored_event is not None
    ]
