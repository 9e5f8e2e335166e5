"""Room replicas: the shared state of each room as all servers know it, and the changes to send.

The state itself is in `chatd.cluster.replication.room_state`.
"""

from __future__ import annotations

from collections.abc import Iterable

from chatd.chat.chat import Chat
from chatd.chat.model.entities import Room
from chatd.cluster.bus import State
from chatd.cluster.replication.clock import LamportClock
from chatd.cluster.replication.room_state import (
    FRESH,
    Tables,
    apply,
    diff,
    merge,
    snapshot,
    tables_in,
)


class RoomReplicas:
    """The room states that all servers know, by folded name.

    A missing room has the default state.  ``server`` is the name of this one on the bus.
    """

    def __init__(self, chat: Chat, server: str) -> None:
        self._chat = chat
        self._server = server
        self._known: dict[str, Tables] = {}
        self._resent: dict[Room, None] = {}
        self._clock = LamportClock()

    def changes_of(self, rooms: Iterable[Room]) -> list[State]:
        """Return the changes to some rooms since they were last sent, and record them as sent."""
        states = []
        for room in rooms:
            key = room.name.key
            if self._chat.rooms.get(key) is not room:
                self.forget(room)
                continue
            tables = snapshot(room)
            known = self._known.get(key, FRESH)
            if room in self._resent:
                del self._resent[room]
                known = FRESH
            changes = diff(known, tables)
            if changes:
                self._known[key] = tables
                at = self._clock.stamp(key, changes, self._server)
                states.append({**_names(room), "at": at, **changes})
        return states

    def full_state(self, rooms: Iterable[Room]) -> list[State]:
        """Return the whole state of some rooms."""
        at = self._clock.number
        return [{**_names(room), "at": at, **diff(FRESH, snapshot(room))} for room in rooms]

    def apply(self, server: str, room: Room, state: State) -> None:
        """Apply another server's changes to a room, unless there have been later ones."""
        key = room.name.key
        changes = self._clock.winning(key, tables_in(state), (state.get("at", 0), server))
        apply(self._chat, room, changes)
        self._known[key] = merge(self._known.get(key, FRESH), changes)

    def restore_deletions(self, room: Room, state: State) -> None:
        """Add to a full state the deletions that its server sent in messages that were lost.

        A full state has only the existing entries.
        """
        differences = diff(snapshot(room), merge(FRESH, state))
        state.update(self._clock.settled(room.name.key, differences, tables_in(state)))

    def resend(self, room: Room) -> None:
        """Send the whole state of a room with its next changes, whatever was sent before."""
        self._resent[room] = None

    def forget(self, room: Room) -> None:
        """Forget a room that has been dropped."""
        self._known.pop(room.name.key, None)
        self._resent.pop(room, None)

    def expire_stamps(self) -> None:
        """See `chatd.cluster.replication.clock.LamportClock.expire`."""
        self._clock.expire()


def _names(room: Room) -> State:
    """Return the names of a room: folded, as it is shown, and as the store knows it."""
    return {"key": room.name.key, "name": room.name.shown, "id": room.id}
