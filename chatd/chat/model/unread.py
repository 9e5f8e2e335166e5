"""Tally: what has happened in the rooms of a session that do not have its focus.

Nothing is counted when it happens: a session remembers where each of its rooms was when the focus
left it, and the room knows where it is now.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatd.chat.model.entities import Session
    from chatd.chat.model.rules import Room

#: Rooms whose counts are told one by one.
TOLD = 3


@dataclass(frozen=True, slots=True)
class ReadMark:
    """Where a room was when somebody read it last.

    ``number`` is the store's, which may rise by more than one; ``count`` how much had happened
    there.  ``is_meant`` says whether they are mentioned since.
    """

    number: int
    count: int
    is_meant: bool = False


def _now(room: Room) -> ReadMark:
    return ReadMark(room.audience.number, room.audience.count)


def refocused(session: Session, before: Room | None) -> None:
    """The focus has left a room, or was nowhere: what happens elsewhere from now on is not read."""
    focus = session.focus
    if before is focus and focus is not None:
        session.unread.pop(focus, None)
    elif before is not None:
        session.unread[before] = _now(before)
    for room in session.person.rooms.values():
        if room is not focus:
            session.unread.setdefault(room, _now(room))


def mentioned(session: Session, room: Room) -> None:
    """Somebody is mentioned in a room."""
    if room is not session.focus:
        session.unread[room] = replace(session.unread.get(room, _now(room)), is_meant=True)


def said_oneself(session: Session, room: Room) -> None:
    """What one said oneself, just now, is read, unless there is something unread before it."""
    before = session.unread.get(room)
    if before is not None and before.count == room.audience.count - 1:
        session.unread[room] = replace(_now(room), is_meant=before.is_meant)


def take_up(session: Session, room: Room) -> tuple[int, int]:
    """The focus is on a room again: return after which number nothing was read, and how much."""
    place = session.unread.pop(room, _now(room))
    return place.number, room.audience.count - place.count


def counts(session: Session) -> list[tuple[str, int, bool]]:
    """The rooms in which there is something unread, how much, and whether one is mentioned."""
    found = []
    for room, place in tuple(session.unread.items()):
        if session.person.rooms.get(room.name.key) is not room:
            del session.unread[room]
        elif room is not session.focus and room.audience.count > place.count:
            found.append((room.name.shown, room.audience.count - place.count, place.is_meant))
    return found


def in_short(session: Session) -> str:
    """The same for a prompt: ``(attic 3!, den 1)``; with ``!`` where one is mentioned."""
    found = counts(session) if session.unread else []
    if not found:
        return ""
    told = [f"{room} {count}{'!' * is_meant}" for room, count, is_meant in found[:TOLD]]
    if len(found) > TOLD:
        more = found[TOLD:]
        told.append(f"{sum(count for _, count, _ in more)}{'!' * any(m for *_, m in more)} more")
    return f"({', '.join(told)})"
