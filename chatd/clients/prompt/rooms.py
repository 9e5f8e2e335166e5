"""Joined rooms of a server of the socket assignment, and how their messages are shown.

It knows replies and names; it must not know a connection or a screen.
"""

from __future__ import annotations

from dataclasses import dataclass

from chatd.wire.tcd.replies import Chat, Joined

#: Rooms whose names are remembered, also of rooms that were left: messages may still arrive.
#: The oldest is dropped beyond it; chatd lets a user join no more than a twentieth of it.
ROOMS = 1000


@dataclass(frozen=True, slots=True)
class JoinedRoom:
    """A room that the user is in."""

    room: str
    ref: str
    join_id: str


class Rooms:
    """Finds joined rooms by the names that users type, and names by the numbers of the server."""

    __slots__ = (
        "_joined",
        "_names",
    )

    def __init__(self) -> None:
        self._joined: dict[str, JoinedRoom] = {}
        self._names: dict[str, str] = {}

    def add(self, reply: Joined, typed: str) -> JoinedRoom:
        """Add a joined room; ``typed`` is its name as the user typed it."""
        joined = JoinedRoom(reply.room or typed or reply.ref, reply.ref, reply.join_id)
        self.remove(joined.ref)
        for name in (joined.room, typed or joined.room):
            self._joined[name] = joined
        self._names.pop(joined.ref, None)
        self._names[joined.ref] = joined.room
        if len(self._names) > ROOMS:
            self.remove(oldest := next(iter(self._names)))
            del self._names[oldest]
        return joined

    def remove(self, ref: str) -> None:
        """Remove a room that was left."""
        for name in [name for name, joined in self._joined.items() if joined.ref == ref]:
            del self._joined[name]

    def name_of(self, ref: str) -> str:
        """Return the name of a room."""
        return self._names.get(ref) or (f"room {ref}" if ref else "a room")

    def find(self, name: str) -> JoinedRoom | None:
        """Return the joined room of a name; case matters only where two names differ by case."""
        if name in self._joined:
            return self._joined[name]
        alike = {
            joined for known, joined in self._joined.items() if known.casefold() == name.casefold()
        }
        return alike.pop() if len(alike) == 1 else None

    def split(self, typed: str) -> tuple[str, str]:
        """Split typed text into the room that it begins with, and the rest.

        The room is the first word, unless the user is in a room whose name has several words.
        """
        folded = typed.casefold()
        several = [
            name
            for name in self._joined
            if " " in name and (folded + " ").startswith(name.casefold() + " ")
        ]
        if several:
            room = max(several, key=len)
            return room, typed[len(room) :].strip()
        room, _, text = typed.partition(" ")
        return room, text.strip()


def message_rows(room: str, message: Chat) -> list[str]:
    """Return the rows that show a message; several lines are a block below the sender's nick."""
    nick = message.nick
    first, *more = message.lines or ("",)
    if not more and not message.cut:
        joined, left = f"{nick} has joined this chatroom.", f"{nick} has left this chatroom."
        sender = "" if first in (joined, left) else f"{nick}: "
        return [f"[{room}] {sender}{first}".rstrip()]
    rest = ["    (there was more, and it was too long)"] if message.cut else []
    return [f"[{room}] {nick}:", *(f"    {line}" for line in (first, *more)), *rest]
