"""History: reads a room's stored messages; callers have checked the right to read them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from chatd.chat.delivery.searches import Searches
from chatd.chat.events import Acted, Entry, Refused, RoomEvent, Said, TopicSet
from chatd.chat.limits import PERSONAL_BYTES, ROOM_HISTORY, SEARCH_SHOWN
from chatd.chat.model.entities import Person, Room
from chatd.chat.store import Store
from chatd.chat.text.names import fold
from chatd.chat.text.query import SearchQuery
from chatd.chat.text.sanitizing import cut, safe, safe_lines


class History:
    """The stored messages of rooms, as entries that can be shown."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._searches = Searches()

    async def last(self, room: Room, count: int, skip: int = 0) -> tuple[Entry, ...]:
        """Return the last ``count`` messages of a room before the last ``skip``, oldest first."""
        rows = await self._store.before(room.id, None, count, skip)
        return tuple(_entry(room, number, event) for number, event in rows)

    async def before(self, room: Room, number: int, count: int) -> tuple[Entry, ...]:
        """Return the last ``count`` messages below a number, oldest first."""
        rows = await self._store.before(room.id, number, count)
        return tuple(_entry(room, each, event) for each, event in rows)

    async def after(self, room: Room, number: int, count: int) -> tuple[Entry, ...]:
        """Return the first ``count`` messages above a number, oldest first."""
        rows = await self._store.after(room.id, number, count)
        return tuple(_entry(room, each, event) for each, event in rows)

    async def count(self, room: Room, above: int, below: int) -> int:
        """Return how many messages of a room are between two numbers."""
        return await self._store.count(room.id, above, below)

    async def find(self, room: Room, number: int) -> Entry | None:
        """Return the message of a room with a number, if it is stored."""
        entries = await self.after(room, number - 1, 1)
        return next((entry for entry in entries if entry.number == number), None)

    async def last_by(self, room: Room, nick: str, account: str | None = None) -> Entry | None:
        """Return the last message under a folded nick: see `chatd.chat.store.Store.last_by`."""
        row = await self._store.last_by(room.id, nick, account)
        return None if row is None else _entry(room, *row)

    def limit(self, room: Room) -> None:
        """Make the store keep as many messages of a room as its settings say."""
        self._store.limit(room.id, room.settings.history or None)

    async def search(
        self, rooms: Iterable[Room], search: SearchQuery, page: int, person: Person
    ) -> tuple[tuple[Entry, ...], bool]:
        """Return one page of the matches in some rooms, oldest first, and whether there are more.

        The first page has the newest matches; a page has `SEARCH_SHOWN`.  ``person`` is the one who
        searches.

        :raises Refused: ``busy`` while they, their address or very many others search already, and
            as `chatd.chat.store.Store.search`.
        """
        by_id = {room.id: room for room in rooms}
        skip = (page - 1) * SEARCH_SHOWN
        with self._searches.begin(person):
            rows = await self._store.search(tuple(by_id), search, skip, SEARCH_SHOWN + 1)
        found = [_entry(by_id[room], number, event) for room, number, event in rows]
        return tuple(reversed(found[:SEARCH_SHOWN])), len(found) > SEARCH_SHOWN


def _entry(room: Room, number: int, event: RoomEvent) -> Entry:
    event = _safe(event)
    return Entry(room.name.shown, number, fold(event.nick), event)


def _safe(event: RoomEvent) -> RoomEvent:
    """Return a stored event, sanitized as it would be today.

    An older version of the server may have let more characters through.
    """
    if not isinstance(event, Said | Acted | TopicSet):
        return event
    text = event.topic if isinstance(event, TopicSet) else event.text
    sanitized = "\n".join(safe_lines(text)) if "\n" in text else safe(text)
    nick = safe(event.nick)
    if sanitized == text and nick == event.nick:
        return event
    if isinstance(event, TopicSet):
        return replace(event, nick=nick, topic=sanitized)
    return replace(event, nick=nick, text=sanitized)


def newest_that_fit(entries: list[Entry]) -> tuple[Entry, ...]:
    """Return the newest entries that together fit into `PERSONAL_BYTES`."""
    size = 0
    for count, entry in enumerate(reversed(entries)):
        size += len(repr(entry.event).encode())
        if size > PERSONAL_BYTES:
            return tuple(entries[len(entries) - count :])
    return tuple(entries)


def read_limit(value: str) -> int:
    """Parse how many messages a room is to keep; 0 is the server's default.

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
