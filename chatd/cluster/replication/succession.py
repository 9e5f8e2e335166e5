"""Heirs: rooms whose owner has left on another server, which has to see to it who owns them.

It may have chosen somebody who was leaving as well, or have died.
"""

from __future__ import annotations

from collections.abc import Iterator

from chatd.chat.events import Role
from chatd.chat.model import rules
from chatd.chat.model.entities import Person, Room


class OwnerSuccession:
    """The rooms to look at; ``_lately`` are those since the last time, which may yet be told of."""

    def __init__(self) -> None:
        self._lately: dict[Room, None] = {}
        self._waiting: dict[Room, None] = {}

    def left(self, person: Person, room: Room) -> None:
        """Somebody on another server is about to be in a room no more."""
        if room.members[person].role is Role.OWNER and not room.is_persistent:
            self._lately[room] = None

    def look(self, name: str) -> Iterator[Room]:
        """The rooms that have no owner still, where that is for the server of this name to mend.

        It is for the first, by name, of those that have people in the room.
        """
        rooms, self._waiting, self._lately = self._waiting, self._lately, {}
        for room in rooms:
            if rules.successor(room) is not None and name == min(
                each.server or name for each in room.members
            ):
                yield room
