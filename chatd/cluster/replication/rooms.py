"""Rooms told: what the servers of a cluster know of each other's rooms, and are to know.

What of a room is shared is in `chatd.cluster.replication.room_state`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from chatd.chat.model.entities import Room
from chatd.cluster.replication.clock import LamportClock
from chatd.cluster.replication.room_state import (
    FRESH,
    Parts,
    apply,
    diff,
    merge,
    parts_of,
    snapshot,
)

if TYPE_CHECKING:
    from chatd.chat.chat import Chat

State = dict[str, Any]


class RoomReplicas:
    """What all servers know of rooms, by their folded names; a room that is not here is fresh.

    ``name`` gives what this server is called among them.
    """

    def __init__(self, chat: Chat, name: Callable[[], str]) -> None:
        self._chat = chat
        self._name = name
        self._known: dict[str, Parts] = {}
        self._again: dict[Room, None] = {}
        self._stamps = LamportClock()

    def changed(self, rooms: Iterable[Room]) -> list[State]:
        """What of some rooms was changed here and is to be told; it is known then."""
        states = []
        for room in rooms:
            key = room.name.key
            if self._chat.rooms.get(key) is not room:
                self.forget(room)
                continue
            state = snapshot(room)
            is_told_again = self._again.pop(room, self) is None
            news = diff(FRESH if is_told_again else self._known.get(key, FRESH), state)
            if news:
                self._known[key] = state
                at = self._stamps.stamp(key, news, self._name())
                states.append({**_named(room), "at": at, **news})
        return states

    def everything(self, rooms: Iterable[Room]) -> list[State]:
        """All that is to be known of some rooms."""
        at = self._stamps.number
        return [{**_named(room), "at": at, **diff(FRESH, snapshot(room))} for room in rooms]

    def learn(self, server: str, room: Room, state: State) -> None:
        """Let a room be as another server says, unless it was changed again meanwhile."""
        key = room.name.key
        news = self._stamps.newer(key, parts_of(state), (state.get("at", 0), server))
        apply(self._chat, room, news)
        self._known[key] = merge(self._known.get(key, FRESH), news)

    def fill_in(self, room: Room, state: State) -> None:
        """Say of all that is told of a room as well what is not: it was taken away unheard."""
        news = diff(snapshot(room), merge(FRESH, state))
        state.update(self._stamps.settled(room.name.key, news, parts_of(state)))

    def tell_again(self, room: Room) -> None:
        """Let everything be told of a room, whatever was told before."""
        self._again[room] = None

    def forget(self, room: Room) -> None:
        """A room is gone."""
        self._known.pop(room.name.key, None)
        self._again.pop(room, None)

    def pass_time(self) -> None:
        """Some seconds have passed: see `chatd.cluster.replication.clock.LamportClock.forget`."""
        self._stamps.forget()


def _named(room: Room) -> State:
    """What a room is called, by people and by the store."""
    return {"key": room.name.key, "name": room.name.shown, "id": room.id}
