"""Archive: what was said, read back from the store; who may read what is for whoever asks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from chatd.chat.events import Acted, Entry, Refused, RoomEvent, Said, TopicSet
from chatd.chat.limits import PERSONAL_BYTES, ROOM_HISTORY, SEARCH_SHOWN
from chatd.chat.model.entities import Room
from chatd.chat.store import Store
from chatd.chat.text.names import fold
from chatd.chat.text.query import SearchQuery
from chatd.chat.text.sanitizing import cut, safe


class History:
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

    async def count(self, room: Room, above: int, below: int) -> int:
        """How much was said in a room between two numbers."""
        return await self._store.count(room.id, above, below)

    async def find(self, room: Room, number: int) -> Entry | None:
        """What was said in a room under a number, if that is kept."""
        entries = await self.after(room, number - 1, 1)
        return next((entry for entry in entries if entry.number == number), None)

    async def last_by(self, room: Room, nick: str, account: str | None = None) -> Entry | None:
        """The last that somebody said or did in a room: see `chatd.chat.store.Store.last_by`."""
        row = await self._store.last_by(room.id, nick, account)
        return None if row is None else _entry(room, *row)

    def limit(self, room: Room) -> None:
        """Keep as much of a room as its settings say."""
        self._store.limit(room.id, room.settings.history or None)

    async def search(
        self, rooms: Iterable[Room], search: SearchQuery, page: int = 1
    ) -> tuple[tuple[Entry, ...], bool]:
        """One page of what is found in some rooms, the newest on the first, each oldest first.

        Return it, and whether there is more.
        """
        by_id = {room.id: room for room in rooms}
        skip = (page - 1) * SEARCH_SHOWN
        rows = await self._store.search(tuple(by_id), search, skip, SEARCH_SHOWN + 1)
        found = [_entry(by_id[room], number, event) for room, number, event in rows]
        return tuple(reversed(found[:SEARCH_SHOWN])), len(found) > SEARCH_SHOWN


def _entry(room: Room, number: int, event: RoomEvent) -> Entry:
    event = _safe(event)
    return Entry(room.name.shown, number, fold(event.nick), event)


def _safe(event: RoomEvent) -> RoomEvent:
    """What was kept, made safe as it would be today: an older server may have let more through."""
    if not isinstance(event, Said | Acted | TopicSet):
        return event
    text = event.topic if isinstance(event, TopicSet) else event.text
    kept = "\n".join(map(safe, text.split("\n"))) if "\n" in text else safe(text)
    nick = safe(event.nick)
    if kept == text and nick == event.nick:
        return event
    if isinstance(event, TopicSet):
        return replace(event, nick=nick, topic=kept)
    return replace(event, nick=nick, text=kept)


def newest_that_fit(entries: list[Entry]) -> tuple[Entry, ...]:
    """The newest of some entries that may wait for a slow connection."""
    size = 0
    for count, entry in enumerate(reversed(entries)):
        size += len(repr(entry.event).encode())
        if size > PERSONAL_BYTES:
            return tuple(entries[len(entries) - count :])
    return tuple(entries)


def read_limit(value: str) -> int:
    """Read how many messages a room is to keep; 0 is what the server keeps of every room.

    :raises Refused: ``bad-setting``.
    """
    if value.lower() == "off":
        return 0
    if value.isascii() and value.isdigit() and len(value) < 9 and 1 <= int(value) <= ROOM_HISTORY:
        return int(value)
    raise Refused(
        "bad-setting",
        f"history takes a number of messages, 1 to {ROOM_HISTORY}, or off, not"
        f" {cut(value, 40) or 'nothing'}.",
    )
