"""The rooms that one is in at a server of the socket assignment, and how what is said looks.

It knows replies and names; it must not know a connection or a screen.
"""

from __future__ import annotations

from dataclasses import dataclass

from chatd.wire.tcd.replies import Chat, Joined

#: Rooms that are kept in mind, those that were left included: what is said in one may still come.
#: Beyond it the oldest is forgotten; chatd lets nobody into more than a twentieth of it.
ROOMS = 1000


@dataclass(frozen=True, slots=True)
class JoinedRoom:
    """A room that one is in."""

    room: str
    ref: str
    join_id: str


class Rooms:
    """Finds places by the names that people type, and names by the numbers that servers send."""

    __slots__ = (
        "_joined",
        "_names",
    )

    def __init__(self) -> None:
        self._joined: dict[str, JoinedRoom] = {}
        self._names: dict[str, str] = {}

    def add(self, joined: Joined, asked: str) -> JoinedRoom:
        """Take in that one is in a room now; ``asked`` is its name as one typed it."""
        place = JoinedRoom(joined.room or asked or joined.ref, joined.ref, joined.join_id)
        self.remove(place.ref)
        for name in (place.room, asked or place.room):
            self._joined[name] = place
        self._names.pop(place.ref, None)
        self._names[place.ref] = place.room
        if len(self._names) > ROOMS:
            self.remove(oldest := next(iter(self._names)))
            del self._names[oldest]
        return place

    def remove(self, ref: str) -> None:
        """Take in that one is not in a room any more."""
        for name in [name for name, place in self._joined.items() if place.ref == ref]:
            del self._joined[name]

    def name_of(self, ref: str) -> str:
        """Return how a room is called."""
        return self._names.get(ref) or (f"room {ref}" if ref else "a room")

    def find(self, name: str) -> JoinedRoom | None:
        """Return the place of a name; capitals matter only where two names differ by them."""
        if name in self._joined:
            return self._joined[name]
        alike = {
            place for known, place in self._joined.items() if known.casefold() == name.casefold()
        }
        return alike.pop() if len(alike) == 1 else None

    def split(self, typed: str) -> tuple[str, str]:
        """Return the room that something typed begins with, and what follows it.

        It is the first word, unless one is in a room whose name has several.
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


def message_rows(room: str, said: Chat) -> list[str]:
    """Return what somebody said as rows; several lines stand in a block under who said them."""
    first, *more = said.lines or ("",)
    if not more and not said.cut:
        comes_or_goes = (
            f"{said.nick} has joined this chatroom.",
            f"{said.nick} has left this chatroom.",
        )
        who = "" if first in comes_or_goes else f"{said.nick}: "
        return [f"[{room}] {who}{first}".rstrip()]
    rest = ["    (there was more, and it was too long)"] if said.cut else []
    return [f"[{room}] {said.nick}:", *(f"    {line}" for line in (first, *more)), *rest]
