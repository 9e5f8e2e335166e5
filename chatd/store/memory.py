"""A store that keeps everything in memory, for as long as the process runs."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Awaitable, Collection, Generator, Iterator, Mapping, Sequence
from functools import partial
from heapq import merge
from itertools import islice
from operator import attrgetter
from sys import getsizeof

from chatd.chat.events import KeptEvent, RoomEvent
from chatd.chat.limits import (
    HISTORY_BYTES,
    HISTORY_BYTES_IN_ALL,
    HISTORY_EVENTS,
    MESSAGE_IDS,
    SEARCHED_EVENTS,
)
from chatd.chat.search import Search, text_of
from chatd.chat.store import Keeper
from chatd.store.claims import Claims
from chatd.store.turn import Turn

#: What an event costs beside its text, about, in bytes.
EVENT_BYTES = 200


class _Shelf:
    """The kept events of one room, numbered without a gap.

    At most ``HISTORY_EVENTS`` of them and ``HISTORY_BYTES``; the oldest give way.
    """

    __slots__ = ("events", "last", "size")

    def __init__(self) -> None:
        self.last = 0
        self.size = 0
        self.events: deque[tuple[int, KeptEvent, int]] = deque()

    def put(self, event: KeptEvent, place: int, most: int) -> None:
        """Take an event, the ``place``-th of the store, and let go of what has no room."""
        self.last += 1
        self.events.append((self.last, event, place))
        self.size += _cost(event)
        while len(self.events) > most or self.size > HISTORY_BYTES:
            self.drop()

    def drop(self) -> None:
        """Let go of the oldest event."""
        _, event, _ = self.events.popleft()
        self.size -= _cost(event)


def _cost(event: KeptEvent) -> int:
    """The bytes that an event holds, about."""
    return getsizeof(text_of(event)) + EVENT_BYTES


def _newest(room: str, shelf: _Shelf) -> Iterator[tuple[int, str, int, KeptEvent]]:
    """The events of a room, the last first, by their places in the store."""
    return ((-place, room, number, event) for number, event, place in reversed(shelf.events))


class _Done:
    """What need not be waited for."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


class MemoryStore:
    """`chatd.chat.store.Store` in memory: everything is kept at once and lost with the process.

    Of each room it keeps the last ``events``.  A search waits for a ``turn`` of its own.
    """

    def __init__(self, events: int = HISTORY_EVENTS, turn: Turn | None = None) -> None:
        self._events = events
        self._turn = turn
        self._keeper: Keeper | None = None
        self._shelves: dict[str, _Shelf] = {}
        self._size = 0
        self._places = 0
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._claims = Claims()
        self._records: dict[str, dict[str, str]] = {}

    def open(self, keeper: Keeper) -> None:
        """Begin, and tell this keeper from now on."""
        self._keeper = keeper

    def post(self, room: str, message_id: str, event: RoomEvent) -> None:
        """Give the event its number and hand it back at once."""
        if self._keeper is None:
            raise RuntimeError("the store is not open")
        shelf = self._shelves.get(room)
        if isinstance(event, KeptEvent):
            if shelf is None:
                shelf = self._shelves[room] = _Shelf()
            if message_id in self._seen:
                return
            self._seen[message_id] = None
            if len(self._seen) > MESSAGE_IDS:
                self._seen.popitem(last=False)
            self._put(shelf, event)
        self._keeper.kept(room, message_id, shelf.last if shelf else 0, event)

    def _put(self, shelf: _Shelf, event: KeptEvent) -> None:
        self._size -= shelf.size
        self._places += 1
        shelf.put(event, self._places, self._events)
        self._size += shelf.size
        while self._size > HISTORY_BYTES_IN_ALL:
            largest = max(self._shelves.values(), key=attrgetter("size"))
            self._size -= largest.size
            for _ in range(1 + len(largest.events) // 2):
                largest.drop()
            self._size += largest.size

    async def before(
        self, room: str, number: int | None, count: int
    ) -> Sequence[tuple[int, RoomEvent]]:
        """Return the last ``count`` events numbered below ``number``, oldest first."""
        shelf = self._shelves.get(room)
        if shelf is None:
            return []
        newest_first = (
            row[:2] for row in reversed(shelf.events) if number is None or row[0] < number
        )
        return list(islice(newest_first, count))[::-1]

    async def after(self, room: str, number: int, count: int) -> Sequence[tuple[int, RoomEvent]]:
        """Return the first ``count`` events numbered above ``number``, oldest first."""
        shelf = self._shelves.get(room)
        if shelf is None:
            return []
        return list(islice((row[:2] for row in shelf.events if row[0] > number), count))

    async def search(
        self, rooms: Sequence[str], search: Search, skip: int, count: int
    ) -> Sequence[tuple[str, int, KeptEvent]]:
        """Return what is found in the newest ``SEARCHED_EVENTS`` of some rooms, newest first."""
        if self._turn is not None:  # several searches are not one long turn
            answer = self._turn.answer()
            self._turn.soon(partial(answer.give, None))
            await answer
        known = [room for room in rooms if room in self._shelves]
        newest = merge(*(_newest(room, self._shelves[room]) for room in known))
        found = (row[1:] for row in islice(newest, SEARCHED_EVENTS) if search.finds(row[3]))
        return list(islice(found, skip, skip + count))

    async def claim(self, nick: str, holder: str) -> bool:
        """Take a nick for a holder; False when another holds it."""
        return self._claims.claim(nick, holder)

    def release(self, nick: str, holder: str) -> None:
        """Give a nick back, if this holder has it."""
        self._claims.release(nick, holder)

    def put(self, kind: str, key: str, value: str | None) -> Awaitable[None]:
        """Keep a record in the place of the one with this key, or (None) drop that."""
        records = self._records.setdefault(kind, {})
        if value is None:
            records.pop(key, None)
        else:
            records[key] = value
        return _Done()

    async def records(self, kind: str) -> Mapping[str, str]:
        """Every record of a kind, by its key."""
        return dict(self._records.get(kind, {}))

    def forget(self, room: str) -> None:
        """Drop the events of a room."""
        shelf = self._shelves.pop(room, None)
        if shelf is not None:
            self._size -= shelf.size

    def retain(self, rooms: Collection[str]) -> None:
        """Drop the events of all other rooms."""
        for room in self._shelves.keys() - set(rooms):
            self.forget(room)

    async def close(self) -> None:
        """Nothing is left to do: nothing outlives the process."""
