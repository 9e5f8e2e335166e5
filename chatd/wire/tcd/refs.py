"""ROOM_REFs: the numbers by which clients of the socket assignment know rooms.

A room gets the next number when the first such client joins it, from 1, and keeps it by its name
while the server runs: clients with a fixed 1 reach the room that was joined first.
"""

from __future__ import annotations

from collections.abc import Callable

from chatd.chat.events import Refused
from chatd.chat.text import names

#: Rooms that have a ROOM_REF; beyond that the numbers of rooms that are closed are forgotten.
MAX_REFS = 10_000


class RoomRefs:
    """The ROOM_REFs of a server's rooms, by their folded names.

    :param is_open: returns whether there is a room with a folded name now.
    """

    def __init__(self, is_open: Callable[[str], bool]) -> None:
        self._is_open = is_open
        self._refs: dict[str, int] = {}
        self._given = 0
        self._bound = MAX_REFS

    def of(self, key: str) -> int:
        """Return the ROOM_REF of a room; 0 if it has none."""
        return self._refs.get(key, 0)

    def of_name(self, text: str) -> int:
        """Return the ROOM_REF of a room by its name as it is shown or typed; 0 if it has none."""
        try:
            return self.of(names.room(text).key)
        except Refused:
            return 0

    def joined(self, key: str) -> int:
        """Return the ROOM_REF of a room that a client has joined; a new one if it has none."""
        ref = self._refs.get(key)
        if ref is None:
            if len(self._refs) >= self._bound:
                self._forget()
            self._given += 1
            ref = self._refs[key] = self._given
        return ref

    def _forget(self) -> None:
        """Forget the numbers of closed rooms, and look again when there are twice as many."""
        self._refs = {key: ref for key, ref in self._refs.items() if self._is_open(key)}
        self._bound = max(MAX_REFS, 2 * len(self._refs))

    def was_given(self, ref: int) -> bool:
        """Return whether any room has, or had, this number."""
        return 1 <= ref <= self._given
