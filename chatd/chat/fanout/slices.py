"""Sweeps: the part of a large audience that a broadcast has not reached yet.

A broadcast to very many listeners goes on over several turns, so that reading is not held up.  It
is in the order of the listeners, and what happens meanwhile waits until it has reached everyone.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from chatd.chat.fanout.listener import Group, Listener
from chatd.chat.fanout.log import Style


class Slices:
    """Groups of listeners that are still at a position ``start``, to be brought to ``end``."""

    __slots__ = ("_waiting", "end", "start")

    def __init__(self) -> None:
        self.start = self.end = 0
        self._waiting: list[tuple[Style, Group]] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __contains__(self, listener: object) -> bool:
        return any(listener in group for _, group in self._waiting)

    def styles(self) -> Iterator[Style]:
        """The styles of those who wait."""
        return (style for style, _ in self._waiting)

    def begin(self, groups: dict[Style, Group], start: int, end: int) -> None:
        """Take whole groups, which are left empty."""
        self.start, self.end = start, end
        self._waiting = list(groups.items())
        groups.clear()

    def take_out(self, listener: Listener) -> Style | None:
        """Let somebody not wait here any more; return their style, or None if they did not."""
        for style, group in self._waiting:
            if group.pop(listener, None) is not None:
                return style
        return None

    def part(self, count: int) -> tuple[Style, Group]:
        """Take the next few of those who wait; there have to be some groups."""
        style, group = self._waiting[0]
        if len(group) <= count:
            del self._waiting[0]
            return style, group
        some = dict(islice(group.items(), count))
        for listener in some:
            del group[listener]
        return style, some
