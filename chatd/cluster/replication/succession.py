"""Owner succession: rooms whose owner left on another server, and which have no new owner yet.

The server of the owner chooses a successor.  It may have died, or have chosen a member who was
simultaneously leaving on another server.
"""

from __future__ import annotations

from collections.abc import Iterator

from chatd.chat.events import Role
from chatd.chat.model import rules
from chatd.chat.model.entities import Person, Room


class OwnerSuccession:
    """The rooms to check.

    Rooms are checked from the second pass on, as a choice may still be in flight.
    """

    def __init__(self) -> None:
        self._recent: dict[Room, None] = {}
        self._due: dict[Room, None] = {}

    def left(self, person: Person, room: Room) -> None:
        """Note that a person on another server is about to be removed from a room."""
        if room.members[person].role is Role.OWNER and not room.is_persistent:
            self._recent[room] = None

    def due(self, server: str) -> Iterator[Room]:
        """Return the rooms that still have no owner, and for which this server has to choose one.

        The first server, by name, of those with members in the room chooses.
        """
        rooms, self._due, self._recent = self._due, self._recent, {}
        for room in rooms:
            if rules.successor(room) is not None and server == min(
                member.server or server for member in room.members
            ):
                yield room
