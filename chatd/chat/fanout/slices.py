"""Slices: the part of a large audience that a broadcast has not reached yet.

A send costs about 4 us, so one loop over 10,000 listeners would stop the reactor from reading any
input for 40 ms, and so would rendering some long messages for a hundred styles.  A broadcast to
many listeners, or in many styles, is therefore cut into slices, one for each turn of the reactor.
 It reaches the listeners in their order, and later events wait until it has reached
all of them; otherwise some would be at one position and some at the next, and the audience would
need a cursor for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from chatd.chat.fanout.listener import Group, Listener
from chatd.chat.fanout.log import Style


class Slices:
    """Groups of listeners that are still at a position ``start``, to be brought to ``end``.

    ``rendering`` is what rendering that for one style costs, as a number of sends.
    """

    __slots__ = ("_waiting", "end", "rendering", "start")

    def __init__(self) -> None:
        self.start = self.end = self.rendering = 0
        self._waiting: list[tuple[Style, Group]] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __contains__(self, listener: object) -> bool:
        return any(listener in group for _, group in self._waiting)

    def styles(self) -> Iterator[Style]:
        """Return the styles of the waiting listeners."""
        return (style for style, _ in self._waiting)

    def begin(self, groups: dict[Style, Group], start: int, end: int, rendering: int) -> None:
        """Begin a broadcast: take over all groups, and leave ``groups`` empty."""
        self.start, self.end, self.rendering = start, end, rendering
        self._waiting = [(style, group) for style, group in groups.items() if group]
        groups.clear()

    def take_out(self, listener: Listener) -> Style | None:
        """Remove a listener; return its style, or None if it was not waiting here."""
        for style, group in self._waiting:
            if group.pop(listener, None) is not None:
                return style
        return None

    def take_slice(self, count: int) -> tuple[Style, Group]:
        """Take up to ``count`` waiting listeners of one style; at least one has to be waiting."""
        style, group = self._waiting[0]
        if len(group) <= count:
            del self._waiting[0]
            return style, group
        taken = dict(islice(group.items(), count))
        for listener in taken:
            del group[listener]
        return style, taken
