"""Tally: what has happened in the rooms of a session that do not have its focus.

Nothing is counted when it happens: a session remembers where each of its rooms was when the focus
left it, and the room knows where it is now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatd.chat.room import Room
    from chatd.chat.session import Session

#: Rooms whose counts are told one by one.
TOLD = 3


def refocused(session: Session, before: Room | None) -> None:
    """The focus has left a room, or was nowhere: what happens elsewhere from now on is not read."""
    focus = session.focus
    if before is focus and focus is not None:
        session.tally.pop(focus, None)
    elif before is not None:
        session.tally[before] = (before.audience.number, False)
    for room in session.person.rooms.values():
        if room is not focus:
            session.tally.setdefault(room, (room.audience.number, False))


def mentioned(session: Session, room: Room) -> None:
    """Somebody is mentioned in a room."""
    if room is not session.focus:
        number, _ = session.tally.get(room, (room.audience.number, True))
        session.tally[room] = (number, True)


def said_oneself(session: Session, room: Room, number: int) -> None:
    """What one said oneself is read, unless there is something unread before it."""
    before = session.tally.get(room)
    if before is not None and before[0] == number - 1:
        session.tally[room] = (number, before[1])


def take_up(session: Session, room: Room) -> int:
    """The focus is on a room again: return after which number nothing was read there."""
    number, _ = session.tally.pop(room, (room.audience.number, False))
    return number


def counts(session: Session) -> list[tuple[str, int, bool]]:
    """The rooms in which there is something unread, how much, and whether one is mentioned."""
    found = []
    for room, (number, is_meant) in tuple(session.tally.items()):
        if session.person.rooms.get(room.name.key) is not room:
            del session.tally[room]
        elif room is not session.focus and room.audience.number > number:
            found.append((room.name.shown, room.audience.number - number, is_meant))
    return found


def in_short(session: Session) -> str:
    """The same for a prompt: ``(attic 3!, den 1)``; with ``!`` where one is mentioned."""
    found = counts(session) if session.tally else []
    if not found:
        return ""
    told = [f"{room} {count}{'!' * is_meant}" for room, count, is_meant in found[:TOLD]]
    if len(found) > TOLD:
        more = found[TOLD:]
        told.append(f"{sum(count for _, count, _ in more)}{'!' * any(m for *_, m in more)} more")
    return f"({', '.join(told)})"
