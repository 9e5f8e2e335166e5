"""Export: the rooms of a database, and the events of one of them, line by line.

It knows the tables of rooms and events; `TextStyle` and `EventStyle` render the lines.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from chatd.chat.events import Entry, Refused
from chatd.chat.text import names
from chatd.chat.text.names import fold
from chatd.store.sqlite.jobs import EVENT, event_from
from chatd.store.sqlite.store import StoreError
from chatd.terminal.style import TextStyle
from chatd.wire.json.events import EventStyle

#: Events of one read.  No transaction is open between two reads: the server can truncate its log,
#: however slowly a user pages through the output.
READ_EVENTS = 500
#: The separator between the name of a room and the suffix that makes it unique.
_SUFFIX = "@"


@dataclass(frozen=True, slots=True)
class RoomSummary:
    """The stored data of a room.  Times are seconds since the epoch; None without events."""

    room: str
    messages: int
    first: float | None
    last: float | None

    def line(self, width: int, zone: ZoneInfo) -> str:
        """Return the summary as a row of a table."""
        days = [_day(time, zone) for time in (self.first, self.last)]
        return f"{self.room:<{width}}  {self.messages:>9}  {'  '.join(days)}\n"


def _day(time: float | None, zone: ZoneInfo) -> str:
    return "-" if time is None else datetime.fromtimestamp(time, zone).strftime("%Y-%m-%d")


def room_summaries(database: sqlite3.Connection) -> list[RoomSummary]:
    """Return the summaries of all rooms, by name."""
    query = (
        "SELECT room.name, count(event.id), min(event.time), max(event.time) FROM room"
        " LEFT JOIN event ON event.room = room.id WHERE room.name IS NOT NULL"
        " GROUP BY room.id ORDER BY room.name"
    )
    return [RoomSummary(*row) for row in database.execute(query)]


def find_room(database: sqlite3.Connection, text: str) -> str:
    """Return the store's name of a room, given that name or the room's own.

    :raises StoreError: when there is none, or several rooms have had this name.
    """
    known: list[str] = [
        name for (name,) in database.execute("SELECT name FROM room WHERE name IS NOT NULL")
    ]
    try:
        key: str = text if text in known else names.room(text).key
    except Refused as refused:
        raise StoreError(refused.sentence.rstrip(".")) from None
    if key in known:
        return key
    found = sorted(name for name in known if name.partition(_SUFFIX)[0] == key)
    if not found:
        raise StoreError(
            f"nothing is kept of a room {key}; chatd-admin rooms lists those there are"
        )
    if len(found) > 1:
        raise StoreError(f"several rooms were called {key}: {', '.join(found)}")
    return found[0]


def entries(
    database: sqlite3.Connection, room: str, since: float | None, until: float | None
) -> Iterator[Entry]:
    """Read the events of a room in order, from ``since`` up to, not including, ``until``.

    :raises StoreError: when an event cannot be read.
    """
    tests = [("time >= ?", since), ("time < ?", until)]
    times = [(test, time) for test, time in tests if time is not None]
    query = (
        f"SELECT {EVENT} FROM event WHERE room = (SELECT id FROM room WHERE name = ?)"
        f" AND number > ?{''.join(f' AND {test}' for test, _ in times)} ORDER BY number LIMIT ?"
    )
    bounds = [time for _, time in times]
    last = -1
    while rows := database.execute(query, (room, last, *bounds, READ_EVENTS)).fetchall():
        for row in rows:
            last = int(row[0])
            yield _entry(room, row)


def _entry(room: str, row: tuple[object, ...]) -> Entry:
    try:
        number, event = event_from(row)
        author = fold(event.nick)
    except (KeyError, TypeError, ValueError):
        raise StoreError(f"number {row[0]} of {room} is no event that this chatd knows") from None
    return Entry(room.partition(_SUFFIX)[0], number, author, event)


def render(read: Iterator[Entry], zone: str, *, json: bool) -> Iterator[bytes]:
    """Render events for people, with day and time in the time zone ``zone``, or as JSON.

    :raises StoreError: for an event that cannot be shown, such as one with an impossible time.
    """
    style = EventStyle() if json else TextStyle(days=True, timestamps="HH:MM", timezone=zone)
    for entry in read:
        try:
            line = style.render(entry)
        except (ArithmeticError, AttributeError, OSError, TypeError, ValueError):
            raise StoreError(f"number {entry.number} of {entry.room} cannot be shown") from None
        yield line.replace(b"\r\n", b"\n")
