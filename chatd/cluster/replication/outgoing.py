"""Outgoing replication: sends this server's people and rooms to the others of its cluster.

It sends states, not events, and numbers its messages: a server that misses a number requests the
full state, as does one that hears from this server for the first time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from chatd.chat.model.entities import Person, Room
from chatd.cluster.bus import Bus, State
from chatd.cluster.replication.batches import batches, message
from chatd.cluster.replication.local import LocalPeople
from chatd.cluster.replication.rooms import RoomReplicas


class Outgoing:
    """Sends the states of ``local`` people and of ``rooms`` over the bus.

    ``schedule`` calls a function at the end of the reactor's turn.
    """

    def __init__(
        self,
        bus: Bus,
        schedule: Callable[[Callable[[], None]], object],
        local: LocalPeople,
        rooms: RoomReplicas,
    ) -> None:
        self._bus = bus
        self._schedule = schedule
        self._local = local
        self.rooms = rooms
        self._count = 0
        self._changed_people: dict[Person, None] = {}
        self._changed_rooms: dict[Room, None] = {}

    @property
    def name(self) -> str:
        """The name of this server on the bus."""
        return self._bus.name

    # Messages -------------------------------------------------------------------------------------

    def send(self, server: str, content: State) -> None:
        """Send a message to another server."""
        self._bus.send(server, json.dumps(content))

    def broadcast(self, content: State) -> None:
        """Send a message to every other server."""
        self._bus.broadcast(json.dumps(content))

    async def request(self, server: str, content: State) -> State:
        """Send a request to another server, and return its reply.

        :raises Refused: ``away``, ``gone``.
        """
        reply: State = json.loads(await self._bus.request(server, json.dumps(content)))
        return reply

    def goodbye(self) -> None:
        """Tell the others that this server stops."""
        self.broadcast({"bye": 1})

    # Changes --------------------------------------------------------------------------------------

    def person_changed(self, *people: Person) -> None:
        """Send the changes of some people, if they are here, at the end of the turn."""
        self._schedule_changes()
        self._changed_people.update((each, None) for each in people if not each.server)

    def room_changed(self, room: Room, *, closed: bool = False) -> None:
        """Send the changes of a room at the end of the turn, or immediately if it has closed."""
        self._schedule_changes()
        self._changed_rooms[room] = None
        if closed:
            self._send_changes()

    def _schedule_changes(self) -> None:
        if not (self._changed_people or self._changed_rooms):
            self._schedule(self._send_changes)

    def _send_changes(self) -> None:
        changed_people, self._changed_people = self._changed_people, {}
        changed_rooms, self._changed_rooms = self._changed_rooms, {}
        people = self._local.changes_of(changed_people)
        rooms = self.rooms.changes_of(changed_rooms)
        if people or rooms:
            self._send_states(people, rooms)

    def _send_states(self, people: Iterable[State], rooms: Iterable[State]) -> None:
        for batch in batches(people, rooms):
            self._count += 1
            self._bus.broadcast(message({"n": self._count}, batch))

    # Full state -----------------------------------------------------------------------------------

    def heartbeat(self) -> None:
        """Tell the others that this server is alive; called every few seconds.

        Includes unreported changes, for a batch of people per call.
        """
        if not self._count:
            self.broadcast({"hello": 1})
        self._send_states(self._local.changes_of(self._local.next_to_check()), [])

    def send_full_state(self, server: str) -> None:
        """Send another server the full state of this one."""
        people, rooms = self._local.full_state()
        parts = list(batches(people, self.rooms.full_state(rooms)))
        for part, batch in enumerate(parts):
            head = {
                "n": self._count,
                "part": part,
                "called": self._bus.display_name,
                "first": not part,
                "last": part == len(parts) - 1,
            }
            self._bus.send(server, message(head, batch))

    def request_full_state(self, server: str) -> None:
        """Ask another server for its full state."""
        self.send(server, {"again": 1})

    # People named in calls, and migrations --------------------------------------------------------

    def introduce(self, person: Person) -> int:
        """Send the others a local person's current state now; return the person's number."""
        self.person_changed(person)
        self._send_changes()
        return self._local.number(person)

    def moved_here(self, person: Person, server: str, number: int) -> None:
        """Tell the others that a person is here now who had a number on another server."""
        self._local.moved_here(person, server, number)
        for room in person.rooms.values():
            self.rooms.resend(room)
            self.room_changed(room)
        self.person_changed(person)

    def moved_away(self, person: Person, server: str) -> None:
        """Tell the others that a person is on another server now, and give it their nick."""
        self._local.moved_away(person, server)
        self.person_changed(person)
        self._bus.hand_over_nick(person.name.key, server)
