"""Memory store: everything in memory, for as long as the process runs."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Awaitable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from heapq import merge
from itertools import islice
from operator import attrgetter
from sys import getsizeof

from chatd.chat.events import Acted, Change, Edited, KeptEvent, RoomEvent, Said
from chatd.chat.limits import (
    HISTORY_BYTES,
    HISTORY_BYTES_IN_ALL,
    HISTORY_EVENTS,
    MESSAGE_IDS,
    SEARCHED_EVENTS,
)
from chatd.chat.store import Record, StoreObserver, Written
from chatd.chat.store_health import StoreHealth
from chatd.chat.text.names import fold
from chatd.chat.text.query import SearchQuery, text_of
from chatd.store.claims import Claims
from chatd.store.threads.main_thread import MainThread

#: Approximate bytes that an event takes besides its text.
EVENT_BYTES = 200
#: Events that a search scans in one turn of the main thread: half a millisecond.
SEARCH_SLICE = 250


class _RoomLog:
    """The stored events of one room, in the order of their numbers.

    At most ``maximum`` events and ``HISTORY_BYTES``; the oldest are dropped.
    """

    __slots__ = ("events", "last", "maximum", "size")

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self.last = 0
        self.size = 0
        self.events: deque[tuple[int, KeptEvent, int, str]] = deque()

    def append(self, event: KeptEvent, position: int, author: str) -> None:
        """Append an event, the ``position``-th of the store, and drop what exceeds the bounds."""
        self.last += 1
        self.events.append((self.last, event, position, author))
        self.size += _cost(event)
        self.trim()

    def apply(self, change: Change) -> None:
        """Apply an edit or a deletion, if the event is still here."""
        numbers = [row[0] for row in self.events]
        index = bisect_left(numbers, change.number)
        if numbers[index : index + 1] != [change.number]:
            return
        number, event, position, author = self.events[index]
        if not isinstance(change, Edited):
            self.size -= _cost(event)
            del self.events[index]
        elif isinstance(event, Said | Acted):
            changed = replace(event, text=change.text, edited=True)
            self.size += _cost(changed) - _cost(event)
            self.events[index] = (number, changed, position, author)
            self.trim()

    def trim(self) -> None:
        """Drop the oldest events beyond the bounds."""
        while len(self.events) > self.maximum or self.size > HISTORY_BYTES:
            self.drop_oldest()

    def drop_oldest(self) -> None:
        """Drop the oldest event."""
        self.size -= _cost(self.events.popleft()[1])


def _cost(event: KeptEvent) -> int:
    """Return the approximate number of bytes that an event takes."""
    return getsizeof(text_of(event)) + EVENT_BYTES


def _newest_first(room: str, log: _RoomLog) -> Iterator[tuple[int, str, int, KeptEvent]]:
    """Yield the events of a room, newest first, with keys that order the events of all rooms.

    They are those of now, whatever happens to the room before they are read.
    """
    events = list(islice(reversed(log.events), SEARCHED_EVENTS))
    return ((-position, room, number, event) for number, event, position, _ in events)


class _Completed:
    """An awaitable that is done."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


class MemoryStore:
    """`chatd.chat.store.Store` in memory: everything is stored immediately and lost with the
    process.

    It keeps the last ``events`` of each room.  With a ``main_thread``, a search waits for a turn of
    that thread after each `SEARCH_SLICE`, so that several searches do not block it together.
    """

    def __init__(self, events: int = HISTORY_EVENTS, main_thread: MainThread | None = None) -> None:
        self.health = StoreHealth()
        self._events = events
        self._main_thread = main_thread
        self._observer: StoreObserver | None = None
        self._logs: dict[str, _RoomLog] = {}
        self._limits: dict[str, int] = {}
        self._size = 0
        self._count = 0
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._claims = Claims()
        self._records: dict[str, dict[str, str]] = {}

    def open(self, observer: StoreObserver) -> None:
        """Notify this observer from now on."""
        self._observer = observer

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        """Number an event and deliver it immediately."""
        if self._observer is None:
            raise RuntimeError("the store is not open")
        log = self._logs.get(room)
        if isinstance(event, KeptEvent | Change):
            if log is None:
                maximum = min(self._events, self._limits.get(room, self._events))
                log = self._logs[room] = _RoomLog(maximum)
            if message_id in self._seen:
                return
            self._seen[message_id] = None
            if len(self._seen) > MESSAGE_IDS:
                self._seen.popitem(last=False)
            self._append(log, event, author)
        self._observer.stored(room, message_id, log.last if log else 0, event)

    def _append(self, log: _RoomLog, event: KeptEvent | Change, author: str) -> None:
        self._size -= log.size
        if isinstance(event, Change):
            log.apply(event)
        else:
            self._count += 1
            log.append(event, self._count, author)
        self._size += log.size
        while self._size > HISTORY_BYTES_IN_ALL:
            largest = max(self._logs.values(), key=attrgetter("size"))
            self._size -= largest.size
            for _ in range(1 + len(largest.events) // 2):
                largest.drop_oldest()
            self._size += largest.size

    def subscribe(self, room: str) -> None:
        """Do nothing: no other server posts."""

    def unsubscribe(self, room: str) -> None:
        """Do nothing: no other server posts."""

    async def before(
        self, room: str, number: int | None, count: int, skip: int = 0
    ) -> Sequence[tuple[int, RoomEvent]]:
        """Return the last ``count`` events below ``number`` and before ``skip`` more."""
        log = self._logs.get(room)
        if log is None:
            return []
        newest_first = (
            row[:2] for row in reversed(log.events) if number is None or row[0] < number
        )
        return list(islice(newest_first, skip, skip + count))[::-1]

    async def after(self, room: str, number: int, count: int) -> Sequence[tuple[int, RoomEvent]]:
        """Return the first ``count`` events numbered above ``number``, oldest first."""
        log = self._logs.get(room)
        if log is None:
            return []
        return list(islice((row[:2] for row in log.events if row[0] > number), count))

    async def count(self, room: str, above: int, below: int) -> int:
        """Return how many events are numbered between two numbers."""
        log = self._logs.get(room)
        return sum(above < row[0] < below for row in log.events) if log is not None else 0

    async def last_by(
        self, room: str, nick: str, account: str | None = None
    ) -> tuple[int, KeptEvent] | None:
        """Return the last message of a nick in a room."""
        log = self._logs.get(room)
        for number, event, _, author in reversed(log.events if log else ()):
            is_by_nick = isinstance(event, Said | Acted) and fold(event.nick) == nick
            if is_by_nick and account in (None, author):
                return number, event
        return None

    async def search(
        self, rooms: Sequence[str], search: SearchQuery, skip: int, count: int
    ) -> Sequence[tuple[str, int, KeptEvent]]:
        """Return matches in the newest ``SEARCHED_EVENTS`` of some rooms, newest first.

        The bound is all that it needs: with it, no search takes too long.
        """
        await self._next_turn()
        existing = [room for room in rooms if room in self._logs]
        newest = merge(*(_newest_first(room, self._logs[room]) for room in existing))
        found: list[tuple[str, int, KeptEvent]] = []
        left = SEARCHED_EVENTS
        while left > 0 and len(found) < skip + count:
            events = list(islice(newest, min(left, SEARCH_SLICE)))
            if not events:
                break
            found += [row[1:] for row in events if search.finds(row[3])]
            left -= len(events)
            await self._next_turn()
        return found[skip : skip + count]

    async def _next_turn(self) -> None:
        """Let other steps of the main thread run, if it is known."""
        if self._main_thread is not None:
            promise = self._main_thread.promise()
            self._main_thread.call_soon(partial(promise.resolve, None))
            await promise

    async def claim(self, nick: str, holder: str, *, owner: bool = False) -> bool:
        """Claim a nick; return False if another holds it, unless the claim is for its ``owner``."""
        return self._claims.claim(nick, holder, owner=owner)

    def release(self, nick: str, holder: str) -> None:
        """Release a nick, if this holder has it."""
        self._claims.release(nick, holder)

    def put_all(self, records: Sequence[Record]) -> Awaitable[None]:
        """Put records in place of those with their keys, or (None) drop those."""
        for record in records:
            of_kind = self._records.setdefault(record.kind, {})
            if record.value is None:
                of_kind.pop(record.key, None)
            else:
                of_kind[record.key] = record.value
        return _Completed()

    def put_quietly(self, record: Record, written: Written) -> None:
        """Put a record that nobody waits for."""
        self.put_all([record])
        written(None)

    async def records(self, kind: str) -> Mapping[str, str]:
        """Return the records of a kind, by their keys."""
        return dict(self._records.get(kind, {}))

    def limit(self, room: str, maximum: int | None) -> None:
        """Keep at most so many events of a room; None: as many as of other rooms."""
        self._limits.pop(room, None)
        if maximum is not None:
            self._limits[room] = maximum
        log = self._logs.get(room)
        if log is not None:
            self._size -= log.size
            log.maximum = min(self._events, self._limits.get(room, self._events))
            log.trim()
            self._size += log.size

    def drop_room(self, room: str) -> None:
        """Drop the events of a room."""
        self._limits.pop(room, None)
        log = self._logs.pop(room, None)
        if log is not None:
            self._size -= log.size

    def drop_rooms_but(self, rooms: Collection[str]) -> None:
        """Drop the events of all rooms but these."""
        for room in (self._logs.keys() | self._limits.keys()) - set(rooms):
            self.drop_room(room)

    async def close(self) -> None:
        """Do nothing: nothing outlives the process."""
