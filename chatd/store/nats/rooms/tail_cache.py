"""Tail cache: the newest events of subscribed rooms in memory, identical to the stream's.

They are read whenever a user joins.  A tail begins when it is first read: from then on it follows
new events and changes, and older events are read from the stream (`Tail.start_fill`, `Tail.fill`).
Whenever it may have missed something, it is cleared and read again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from datetime import datetime

from chatd.chat.events import Change, Deleted, Edited
from chatd.store.nats.rooms.reading import RoomMessage, with_text

#: Events of a room that are cached: those shown to a user who joins, and some pages before.
TAIL_EVENTS = 200
#: Bytes of all tails; the least recently used one is cleared first.
MAX_BYTES = 64 * 1024 * 1024
#: Bytes that an event takes besides its text.
_EVENT_BYTES = 1000


class TailCache:
    """The tails of all rooms: at most ``max_events`` each, and ``max_bytes`` in total.

    Events that the streams drop after ``max_age`` seconds are not cached longer.
    """

    def __init__(
        self,
        max_age: float | None = None,
        max_events: int = TAIL_EVENTS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.max_age = max_age
        self.max_events = max_events
        self._max_bytes = max_bytes
        self.size = 0
        self._tails: dict[Tail, None] = {}

    def resize(self, size: int) -> None:
        """Count the bytes by which a tail has grown or shrunk, and clear tails beyond the bound."""
        self.size += size
        while self.size > self._max_bytes and self._tails:
            next(iter(self._tails)).clear()

    def clear(self) -> None:
        """Clear all tails."""
        for tail in tuple(self._tails):
            tail.clear()

    def mark_used(self, tail: Tail) -> None:
        """Make a tail the most recently used one."""
        self._tails.pop(tail, None)
        self._tails[tail] = None

    def discard(self, tail: Tail) -> None:
        """Remove an empty tail."""
        self._tails.pop(tail, None)


class Tail:
    """The newest events of one room: all from ``_first_number`` on, which is None if nothing is
    cached.

    Used in the connection's thread.
    """

    def __init__(self, cache: TailCache) -> None:
        self._cache = cache
        self._messages: deque[RoomMessage] = deque()
        self._first_number: int | None = None
        self._fill_token: object | None = None

    # New events and changes -----------------------------------------------------------------------

    def clear(self) -> None:
        """Forget everything, and the fill that is in progress."""
        self._fill_token = None
        if self._first_number is not None:
            self._first_number = None
            self._cache.discard(self)
            self._cache.resize(-sum(map(_size, self._messages)))
            self._messages.clear()

    def append(self, message: RoomMessage, maximum: int | None) -> None:
        """Add a new event or a change; ``maximum`` is the limit of the room."""
        event = message.envelope.event
        if self._first_number is None:
            return
        if isinstance(event, Change):
            self._change(event)
            return
        if message.stored_event is not None:
            self._messages.append(message)
            self._cache.resize(_size(message))
            self._trim(maximum)

    def _change(self, change: Change) -> None:
        """Apply a change.

        The message may be among those that a fill is reading, with the change or without: such a
        fill is discarded.
        """
        if self._first_number is None or change.number < self._first_number:
            self._fill_token = None  # it may read the message with the change or without
            return
        for index, message in enumerate(self._messages):
            if message.number == change.number:
                if isinstance(change, Deleted):
                    del self._messages[index]
                    self._cache.resize(-_size(message))
                elif isinstance(change, Edited):
                    self._messages[index] = with_text(message, change.text)
                    self._cache.resize(_size(self._messages[index]) - _size(message))
                return

    def _trim(self, maximum: int | None = None) -> None:
        """Drop the oldest events beyond the room's limit, or the cache's."""
        while maximum is not None and len(self._messages) > maximum:
            self._drop_oldest()
        while len(self._messages) > self._cache.max_events:
            self._first_number = self._drop_oldest() + 1

    def _drop_oldest(self) -> int:
        message = self._messages.popleft()
        self._cache.resize(-_size(message))
        return message.number

    # Filling and reading --------------------------------------------------------------------------

    def start_fill(self, last: int) -> object | None:
        """Cache the events after ``last``, and return a token for `fill`.

        The caller then reads the older events.  None: another fill is in progress.
        """
        if self._fill_token is not None:
            return None
        self.clear()
        self._first_number, self._fill_token = last + 1, object()
        self._cache.mark_used(self)
        return self._fill_token

    def fill(self, token: object, messages: Sequence[RoomMessage], *, whole: bool) -> None:
        """Add the newest events that were read since `start_fill`; ``whole``: the room has no
        others.
        """
        if self._fill_token is not token or self._first_number is None:
            return
        self._fill_token = None
        older = [message for message in messages if message.number < (self._first_number or 0)]
        self._messages.extendleft(reversed(older))
        if whole:
            self._first_number = 0
        elif older:
            self._first_number = older[0].number
        self._cache.resize(sum(map(_size, older)))
        self._trim()

    def before(self, number: int | None, count: int) -> list[RoomMessage] | None:
        """Return the last ``count`` events below a number, if they are cached."""
        start = self._complete_from()
        if start is None:
            return None
        rows = [message for message in self._messages if number is None or message.number < number]
        if len(rows) < count and start > 0:
            return None
        return rows[len(rows) - min(count, len(rows)) :]

    def after(self, number: int, count: int) -> list[RoomMessage] | None:
        """Return the first ``count`` events above a number, if they are cached."""
        start = self._complete_from()
        if start is None or start > number + 1:
            return None
        return [message for message in self._messages if message.number > number][:count]

    def newest(self) -> list[RoomMessage]:
        """Return the cached events, oldest first."""
        return [] if self._complete_from() is None else [*self._messages]

    def _complete_from(self) -> int | None:
        """Return the number from which on the room is completely cached."""
        if self._first_number is None or self._fill_token is not None:
            return None
        self._cache.mark_used(self)
        if self._cache.max_age is not None:
            oldest = time.time() - self._cache.max_age
            while self._messages and _stored_at(self._messages[0]) < oldest:
                self._drop_oldest()
        return self._first_number


def _size(message: RoomMessage) -> int:
    return _EVENT_BYTES + len(getattr(message.envelope.event, "text", ""))


def _stored_at(message: RoomMessage) -> float:
    """Return when a message was stored, in seconds since the epoch."""
    second, fraction = message.stored_at
    return datetime.fromisoformat(f"{second}+00:00").timestamp() + int(fraction) / 10**9
