"""Archive: what was said, read back from the store; who may read what is for whoever asks."""

from __future__ import annotations

from collections.abc import Iterable

from chatd.chat.events import Entry, RoomEvent
from chatd.chat.limits import FOUND_SHOWN, PERSONAL_BYTES
from chatd.chat.people import fold
from chatd.chat.room import Room
from chatd.chat.search import Search
from chatd.chat.store import Store


class Archive:
    """What the store of a chat has of its rooms."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def last(self, room: Room, count: int) -> tuple[Entry, ...]:
        """What was said last in a room, oldest first."""
        rows = await self._store.before(room.id, None, count)
        return tuple(_entry(room, number, event) for number, event in rows)

    async def before(self, room: Room, number: int, count: int) -> tuple[Entry, ...]:
        """What was said last in a room before a number, oldest first."""
        rows = await self._store.before(room.id, number, count)
        return tuple(_entry(room, each, event) for each, event in rows)

    async def after(self, room: Room, number: int, count: int) -> tuple[Entry, ...]:
        """What was said first in a room after a number, oldest first."""
        rows = await self._store.after(room.id, number, count)
        return tuple(_entry(room, number, event) for number, event in rows)

    async def search(
        self, rooms: Iterable[Room], search: Search, page: int = 1
    ) -> tuple[tuple[Entry, ...], bool]:
        """One page of what is found in some rooms, the newest on the first, each oldest first.

        Return it, and whether there is more.
        """
        by_id = {room.id: room for room in rooms}
        skip = (page - 1) * FOUND_SHOWN
        rows = await self._store.search(tuple(by_id), search, skip, FOUND_SHOWN + 1)
        found = [_entry(by_id[room], number, event) for room, number, event in rows]
        return tuple(reversed(found[:FOUND_SHOWN])), len(found) > FOUND_SHOWN


def _entry(room: Room, number: int, event: RoomEvent) -> Entry:
    return Entry(room.name.shown, number, fold(event.nick), event)


def that_fit(entries: list[Entry]) -> tuple[Entry, ...]:
    """The newest of some entries that may wait for a slow connection."""
    size = 0
    for count, entry in enumerate(reversed(entries)):
        size += len(repr(entry.event).encode())
        if size > PERSONAL_BYTES:
            return tuple(entries[len(entries) - count :])
    return tuple(entries)
