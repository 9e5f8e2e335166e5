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
from chatd.store.nats.rooms.reading import Found, edited

#: Events of one room that are remembered: what is shown to who joins, and some pages before it.
EVENTS = 200
#: Bytes of all that is remembered of all rooms; the room that was not asked for longest gives way.
BYTES_IN_ALL = 64 * 1024 * 1024
#: What an event costs beside its text.
_EVENT_BYTES = 1000


class Tails:
    """The tails of all rooms: ``events`` each at most, and ``size`` bytes in all.

    What the streams drop after ``age`` seconds is forgotten by then as well.
    """

    def __init__(
        self, age: float | None = None, events: int = EVENTS, size: int = BYTES_IN_ALL
    ) -> None:
        self.age = age
        self.events = events
        self._most = size
        self._size = 0
        self._tails: dict[Tail, None] = {}

    def grew(self, size: int) -> None:
        """Some tail is so much larger, or smaller."""
        self._size += size
        while self._size > self._most and self._tails:
            next(iter(self._tails)).forget()

    def forget(self) -> None:
        """Be sure of nothing any more."""
        for tail in tuple(self._tails):
            tail.forget()

    def used(self, tail: Tail) -> None:
        """A tail was asked for."""
        self._tails.pop(tail, None)
        self._tails[tail] = None

    def ends(self, tail: Tail) -> None:
        """A tail remembers nothing any more."""
        self._tails.pop(tail, None)


class Tail:
    """The newest events of one room: all from ``_from`` on, or None when nothing is known.

    Everything is called in the thread of the loop.
    """

    def __init__(self, tails: Tails) -> None:
        self._tails = tails
        self._found: deque[Found] = deque()
        self._from: int | None = None
        self._reading: object | None = None

    # What happens in the room ---------------------------------------------------------------------

    def forget(self) -> None:
        """Be sure of nothing any more."""
        self._reading = None
        if self._from is not None:
            self._from = None
            self._tails.ends(self)
            self._tails.grew(-sum(map(_size, self._found)))
            self._found.clear()

    def take(self, found: Found, most: int | None) -> None:
        """Something was kept in the room, or changed, and ``most`` events are kept there."""
        event = found.written.event
        if self._from is None:
            return
        if isinstance(event, Change):
            self._change(event)
            return
        if found.kept is not None:
            self._found.append(found)
            self._tails.grew(_size(found))
            self._trim(most)

    def _change(self, change: Change) -> None:
        if self._from is None or change.number < self._from:
            self._reading = None  # it may be read with that or without
            return
        for place, found in enumerate(self._found):
            if found.number == change.number:
                if isinstance(change, Deleted):
                    del self._found[place]
                    self._tails.grew(-_size(found))
                elif isinstance(change, Edited):
                    self._found[place] = edited(found, change.text)
                    self._tails.grew(_size(self._found[place]) - _size(found))
                return

    def _trim(self, most: int | None = None) -> None:
        """Forget what is more than is kept in the room, or than is remembered."""
        while most is not None and len(self._found) > most:
            self._drop()
        while len(self._found) > self._tails.events:
            self._from = self._drop() + 1

    def _drop(self) -> int:
        found = self._found.popleft()
        self._tails.grew(-_size(found))
        return found.number

    # What is read ---------------------------------------------------------------------------------

    def begins(self, last: int) -> object | None:
        """Remember what comes after a place.

        What was before is to be read now, and filled in (`fill`) with what is returned; with None
        somebody else is at it.
        """
        if self._reading is not None:
            return None
        self.forget()
        self._from, self._reading = last + 1, object()
        self._tails.used(self)
        return self._reading

    def fill(self, reading: object, found: Sequence[Found], *, whole: bool) -> None:
        """The newest of the room, or all that it has, were read, since it began."""
        if self._reading is not reading or self._from is None:
            return
        self._reading = None
        older = [each for each in found if each.number < (self._from or 0)]
        self._found.extendleft(reversed(older))
        if whole:
            self._from = 0
        elif older:
            self._from = older[0].number
        self._tails.grew(sum(map(_size, older)))
        self._trim()

    def before(self, number: int | None, count: int) -> list[Found] | None:
        """The last ``count`` events below a number, if they are remembered."""
        start = self._start()
        if start is None:
            return None
        rows = [each for each in self._found if number is None or each.number < number]
        if len(rows) < count and start > 0:
            return None
        return rows[len(rows) - min(count, len(rows)) :]

    def after(self, number: int, count: int) -> list[Found] | None:
        """The first ``count`` events above a number, if they are remembered."""
        start = self._start()
        if start is None or start > number + 1:
            return None
        return [each for each in self._found if each.number > number][:count]

    def newest(self) -> list[Found]:
        """What is remembered, oldest first."""
        return [] if self._start() is None else [*self._found]

    def _start(self) -> int | None:
        """The number from which on everything is known now."""
        if self._from is None or self._reading is not None:
            return None
        self._tails.used(self)
        if self._tails.age is not None:
            oldest = time.time() - self._tails.age
            while self._found and _when(self._found[0]) < oldest:
                self._drop()
        return self._from


def _size(found: Found) -> int:
    return _EVENT_BYTES + len(getattr(found.written.event, "text", ""))


def _when(found: Found) -> float:
    """When the stream took a message, in seconds since the epoch."""
    second, fraction = found.taken
    return datetime.fromisoformat(f"{second}+00:00").timestamp() + int(fraction) / 10**9
