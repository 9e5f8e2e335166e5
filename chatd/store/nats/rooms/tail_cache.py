"""Tail: the newest events of a room that is heard here, in memory, as the stream has them.

A tail begins when it is first asked for: from then on it is told what comes and what changes, and
what was there before is read from the stream.  Whatever it cannot be sure of, it forgets.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from datetime import datetime

from chatd.chat.events import Change, Deleted, Edited
from chatd.store.nats.rooms.reading import RoomMessage, with_text

#: Events of one room that are remembered: what is shown to who joins, and some pages before it.
TAIL_EVENTS = 200
#: Bytes of all that is remembered of all rooms; the room that was not asked for longest gives way.
MAX_BYTES = 64 * 1024 * 1024
#: What an event costs beside its text.
_EVENT_BYTES = 1000


class TailCache:
    """The tails of all rooms: ``events`` each at most, and ``size`` bytes in all.

    What the streams drop after ``age`` seconds is forgotten by then as well.
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
        """Some tail is so much larger, or smaller."""
        self.size += size
        while self.size > self._max_bytes and self._tails:
            next(iter(self._tails)).clear()

    def clear(self) -> None:
        """Be sure of nothing any more."""
        for tail in tuple(self._tails):
            tail.clear()

    def mark_used(self, tail: Tail) -> None:
        """A tail was asked for."""
        self._tails.pop(tail, None)
        self._tails[tail] = None

    def discard(self, tail: Tail) -> None:
        """A tail remembers nothing any more."""
        self._tails.pop(tail, None)


class Tail:
    """The newest events of one room: all from ``_from`` on, or None when nothing is known.

    Everything is called in the thread of the loop.
    """

    def __init__(self, cache: TailCache) -> None:
        self._cache = cache
        self._messages: deque[RoomMessage] = deque()
        self._first_number: int | None = None
        self._fill_token: object | None = None

    # What happens in the room ---------------------------------------------------------------------

    def clear(self) -> None:
        """Be sure of nothing any more."""
        self._fill_token = None
        if self._first_number is not None:
            self._first_number = None
            self._cache.discard(self)
            self._cache.resize(-sum(map(_size, self._messages)))
            self._messages.clear()

    def append(self, message: RoomMessage, maximum: int | None) -> None:
        """Something was kept in the room, or changed, and ``most`` events are kept there."""
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
        if self._first_number is None or change.number < self._first_number:
            self._fill_token = None  # it may be read with that or without
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
        """Forget what is more than is kept in the room, or than is remembered."""
        while maximum is not None and len(self._messages) > maximum:
            self._drop_oldest()
        while len(self._messages) > self._cache.max_events:
            self._first_number = self._drop_oldest() + 1

    def _drop_oldest(self) -> int:
        message = self._messages.popleft()
        self._cache.resize(-_size(message))
        return message.number

    # What is read ---------------------------------------------------------------------------------

    def start_fill(self, last: int) -> object | None:
        """Remember what comes after a place.

        What was before is to be read now, and filled in (`fill`) with what is returned; with None
        somebody else is at it.
        """
        if self._fill_token is not None:
            return None
        self.clear()
        self._first_number, self._fill_token = last + 1, object()
        self._cache.mark_used(self)
        return self._fill_token

    def fill(self, token: object, messages: Sequence[RoomMessage], *, whole: bool) -> None:
        """The newest of the room, or all that it has, were read, since it began."""
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
        """The last ``count`` events below a number, if they are remembered."""
        start = self._complete_from()
        if start is None:
            return None
        rows = [message for message in self._messages if number is None or message.number < number]
        if len(rows) < count and start > 0:
            return None
        return rows[len(rows) - min(count, len(rows)) :]

    def after(self, number: int, count: int) -> list[RoomMessage] | None:
        """The first ``count`` events above a number, if they are remembered."""
        start = self._complete_from()
        if start is None or start > number + 1:
            return None
        return [message for message in self._messages if message.number > number][:count]

    def newest(self) -> list[RoomMessage]:
        """What is remembered, oldest first."""
        return [] if self._complete_from() is None else [*self._messages]

    def _complete_from(self) -> int | None:
        """The number from which on everything is known now."""
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
    """When the stream took a message, in seconds since the epoch."""
    second, fraction = message.stored_at
    return datetime.fromisoformat(f"{second}+00:00").timestamp() + int(fraction) / 10**9
