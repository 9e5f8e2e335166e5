"""Unread counts: the number of new events in the rooms of a session that do not have its focus.

Events are not counted one by one: a session remembers where each of its rooms was when the focus
left it, and the room's audience knows where it is now.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from chatd.chat.fanout.audience import Audience
from chatd.chat.text.names import Name

#: Rooms that a summary names one by one.
NAMED = 3


class Counted(Protocol):
    """The parts of a room that are needed to count its unread events."""

    @property
    def name(self) -> Name:
        """The room's name."""

    @property
    def audience(self) -> Audience:
        """The room's audience, which counts events."""


@dataclass(frozen=True, slots=True)
class ReadMark:
    """Where a room was when it was last read.

    ``number`` is the store's, which may rise by more than one; ``count`` is how many events there
    had been.  ``mentioned`` says whether the user was mentioned since.
    """

    number: int
    count: int
    mentioned: bool = False


def _now(room: Counted) -> ReadMark:
    return ReadMark(room.audience.number, room.audience.count)


class UnreadCounts:
    """The read marks of one session, for each of its rooms that does not have the focus.

    `forget` is called for every room that the user leaves.
    """

    __slots__ = ("_marks",)

    def __init__(self) -> None:
        self._marks: dict[Counted, ReadMark] = {}

    def __bool__(self) -> bool:
        return bool(self._marks)

    def refocused(
        self, before: Counted | None, focus: Counted | None, rooms: Iterable[Counted]
    ) -> None:
        """Move the focus: events in the other ``rooms`` are unread from now on."""
        if before is focus and focus is not None:
            self._marks.pop(focus, None)
        elif before is not None:
            self._marks[before] = _now(before)
        for room in rooms:
            if room is not focus:
                self._marks.setdefault(room, _now(room))

    def mentioned(self, room: Counted) -> None:
        """Remember that the user was mentioned in a room that does not have the focus."""
        self._marks[room] = replace(self._marks.get(room, _now(room)), mentioned=True)

    def wrote(self, room: Counted) -> None:
        """Count the user's own message as read, unless something before it is unread."""
        before = self._marks.get(room)
        if before is not None and before.count == room.audience.count - 1:
            self._marks[room] = replace(_now(room), mentioned=before.mentioned)

    def forget(self, room: Counted) -> None:
        """Forget the mark of a room that the user has left."""
        self._marks.pop(room, None)

    def take(self, room: Counted) -> tuple[int, int]:
        """Forget the mark of a room that is read now.

        Returns the store's number of the last event that had been read, and how many followed it.
        """
        mark = self._marks.pop(room, _now(room))
        return mark.number, room.audience.count - mark.count

    def counts(self, focus: Counted | None) -> list[tuple[str, int, bool]]:
        """Return the rooms with unread events: name, count, and whether one mentions the user."""
        return [
            (room.name.shown, room.audience.count - mark.count, mark.mentioned)
            for room, mark in self._marks.items()
            if room is not focus and room.audience.count > mark.count
        ]


def summary(counts: list[tuple[str, int, bool]]) -> str:
    """Return counts for a prompt: ``(attic 3!, den 1)``, with ``!`` for a mention."""
    if not counts:
        return ""
    shown = [f"{room} {count}{'!' * mentioned}" for room, count, mentioned in counts[:NAMED]]
    if len(counts) > NAMED:
        more = counts[NAMED:]
        mentioned = any(each for *_, each in more)
        shown.append(f"{sum(count for _, count, _ in more)}{'!' * mentioned} more")
    return f"({', '.join(shown)})"
