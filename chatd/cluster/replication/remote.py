"""Remote people: the people on the other servers of a cluster, as those servers report them.

Such a person is a `chatd.chat.model.entities.Person` without sessions, who has a nick here and is a
member of rooms.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf

from chatd.chat.chat import Chat
from chatd.chat.events import Role
from chatd.chat.model.entities import Person, Room
from chatd.chat.text.names import Name
from chatd.cluster.bus import State
from chatd.cluster.replication.directory import Directory
from chatd.cluster.replication.outgoing import Outgoing
from chatd.cluster.replication.room_state import role_of
from chatd.cluster.replication.succession import OwnerSuccession


@dataclass(slots=True)
class RemoteServer:
    """Another server, its people by their numbers there, and how far this one has followed it.

    ``last_heard`` is when its last message arrived, ``last_asked`` when its full state was last
    requested, in seconds that nobody can set.  ``number`` is that of its last message; None until
    its full state is complete.  ``parts`` counts the parts received so far, ``unconfirmed`` holds
    the people not yet found in them.  ``was_synced`` is True once a full state has been received.
    """

    name: str
    last_heard: float
    last_asked: float = -inf
    display_name: str = ""
    number: int | None = None
    parts: int = 0
    was_synced: bool = False
    people: dict[int, Person] = field(default_factory=dict)
    unconfirmed: dict[int, None] = field(default_factory=dict)


class RemotePeople:
    """The other ``servers``, and their people: how they join rooms, leave and move.

    ``now`` is the time of the last heartbeat or liveness check, in seconds since the epoch;
    ``elapsed`` is the same moment on a clock that nobody can set.
    """

    def __init__(self, chat: Chat, outgoing: Outgoing) -> None:
        self._chat = chat
        self._outgoing = outgoing
        self._rooms = outgoing.rooms
        self.now = 0.0
        self.elapsed = 0.0
        self.servers: dict[str, RemoteServer] = {}
        self._numbers: dict[Person, int] = {}
        self._directory = Directory()
        self._without_nick: dict[str, Person] = {}
        self._former_nicks: list[tuple[Person, str]] = []
        self._emptied: dict[Room, None] | None = None
        self._successions = OwnerSuccession()

    def advance(self, now: float, elapsed: float) -> None:
        """Set the time of day, and the time on a clock that nobody can set."""
        self.now, self.elapsed = now, elapsed

    def request_full_state(self, name: str) -> None:
        """Ask a server for its full state."""
        if name in self.servers:
            self.servers[name].last_asked = self.elapsed
        self._outgoing.request_full_state(name)

    # Lookups --------------------------------------------------------------------------------------

    def owner(self, account: str) -> Person | None:
        """Return the owner of an account, by its folded nick, if they are on another server."""
        return self._directory.find(account, "")

    def number_of(self, person: Person) -> int:
        """Return the number that a remote person has on their server."""
        return self._numbers[person]

    def person_of(self, name: str, number: int | None) -> Person | None:
        """Return the person with a number on another server."""
        server = self.servers.get(name)
        return server.people.get(number) if server is not None and number is not None else None

    def servers_to_ask(self, account: str, fingerprint: str) -> list[str]:
        """Return the server of the owner of an account or a key; all servers when neither is given.

        Only the server that issued a token knows its owner.
        """
        if not (account or fingerprint):
            return list(self.servers)
        person = self._directory.find(account, fingerprint)
        return [person.server] if person is not None else []

    def last_known(self, account: str, fingerprint: str) -> tuple[int, float]:
        """Return the number of the owner of an account or a key, and when their server was heard.

        The time is in seconds since the epoch, as the clock is set now.  Both are zero when the
        owner is on no other server.
        """
        person = self._directory.find(account, fingerprint)
        server = self.servers.get(person.server) if person is not None else None
        if person is None or server is None:
            return 0, 0.0
        return self._numbers[person], self.now - (self.elapsed - server.last_heard)

    # States from a server -------------------------------------------------------------------------

    @contextmanager
    def keeping_empty_rooms(self) -> Iterator[None]:
        """Defer dropping rooms that become empty, as other people may join them meanwhile.

        Otherwise the settings of such a room would be lost.
        """
        self._emptied = {}
        try:
            yield
        finally:
            emptied, self._emptied = self._emptied, None
        for room in emptied:
            if not (room.members or room.is_persistent):
                self.drop_room(room)

    def apply(self, server: RemoteServer, message: State) -> list[Person]:
        """Apply a server's states of people and rooms; return the people that are still present.

        Called within `keeping_empty_rooms`.
        """
        people = []
        for state in message["people"]:  # first: their new members keep rooms open
            if state.get("gone"):
                self.remove(server, state["number"], departs=not state.get("moved"))
            else:
                people.append(self._apply_person(server, state))
        for state in message["rooms"]:
            room = self.open_room(state["key"], state["name"], state["id"])
            self._rooms.apply(server.name, room, state)
            if self._emptied is not None:
                self._emptied[room] = None
        return people

    def _apply_person(self, server: RemoteServer, state: State) -> Person:
        person = server.people.get(state["number"])
        if person is None:
            origin, number = state.get("from") or ("", 0)
            person = self._pop(origin, number)
            person = person or Person(Name(state["nick"], state["key"]), state["came"])
            person.server = server.name
            server.people[state["number"]] = person
            self._numbers[person] = state["number"]
        self._set_nick(person, Name(state["nick"], state["key"]))
        person.account, person.operator = state["account"], state["operator"]
        person.away, person.fingerprint = state["away"], state["print"]
        person.address, person.on_behalf_of = state.get("address", ""), state.get("beside")
        person.registered, person.lost = state.get("registered"), state.get("lost", False)
        person.last_active = state["active"]
        self._directory.update(person)
        for key in person.rooms.keys() - state["rooms"].keys():
            self.remove_from_room(person, person.rooms[key])
        for key, (shown, ident, role, *_) in state["rooms"].items():
            self.add_to_room(person, self.open_room(key, shown, ident), role)
        return person

    def remove(self, server: RemoteServer, number: int, *, departs: bool = True) -> None:
        """Remove a person who has left a server, or (not ``departs``) has moved to another one."""
        person = server.people.pop(number, None)
        if person is None:
            return
        self._directory.remove(person)
        for room in tuple(person.rooms.values()):
            self.remove_from_room(person, room)
        for room in {**person.invited_into, **person.named_in_bans} if departs else ():
            room.departed(person)
            self._outgoing.room_changed(room)  # a concurrent invitation may not be known everywhere
        person.forget_references()
        for other in person.ignored_by if departs and person.is_guest_nick else ():
            other.ignored.pop(person.name.key, None)
        self._numbers.pop(person, None)
        self.release_nick(person)

    def _pop(self, name: str, number: int) -> Person | None:
        server = self.servers.get(name)
        return server.people.pop(number, None) if server is not None else None

    def release(self, name: str, number: int) -> Person | None:
        """Release a person on another server, who moves here; return them, still in their rooms."""
        person = self._pop(name, number)
        if person is not None:
            self._directory.remove(person)
            self._numbers.pop(person, None)
            self.release_nick(person)
        return person

    # Nicks ----------------------------------------------------------------------------------------

    def _set_nick(self, person: Person, name: Name) -> None:
        """Give a person a nick, as soon as its holder here releases it."""
        if person.name != name:
            self.release_nick(person)
            for other in person.ignored_by:
                other.ignored[name.key] = None
                self._former_nicks.append((other, person.name.key))
        person.name = name
        holder = self._chat.people.get(name.key)
        if holder is None:
            self._chat.people.add(person)
        elif holder is not person:
            self._without_nick[name.key] = person

    def release_nick(self, person: Person) -> None:
        """Release a person's nick; it goes to the person who already has it on another server."""
        people, key = self._chat.people, person.name.key
        if self._without_nick.get(key) is person:
            del self._without_nick[key]
        if people.get(key) is person:
            people.remove(person)
        other = self._without_nick.pop(key, None) if people.get(key) is None else None
        if other is not None:
            people.add(other)
            self.request_full_state(other.server)  # they may have been removed from their rooms

    def nick_lost(self, person: Person) -> None:
        """Note that the nick of a person has gone to another person here."""
        self._without_nick[person.name.key] = person

    def forget_former_nicks(self) -> None:
        """Stop ignoring former nicks of ignored people: their events under those have arrived.

        Called about once a second.
        """
        former, self._former_nicks = self._former_nicks, []
        for other, key in former:
            person = self._chat.people.get(key)
            if person is None or other not in person.ignored_by:
                other.ignored.pop(key, None)

    # Rooms ----------------------------------------------------------------------------------------

    def open_room(self, key: str, shown: str, ident: str) -> Room:
        """Return the room of a folded name; open it under this store id if it is not here."""
        return self._chat.rooms.get(key) or self._chat.open_room(Name(shown, key), ident)

    def add_to_room(self, person: Person, room: Room, role: str) -> None:
        """Make a person who is on another server, or comes from one, a member with this role."""
        if person not in room.members:
            room.add(person, Role.MEMBER)
            person.rooms[room.name.key] = room
        room.members[person].role = role_of(role)

    def remove_from_room(self, person: Person, room: Room) -> None:
        """Remove a person who is on another server, or moves to one, without showing it."""
        self._successions.left(person, room)
        room.remove(person)
        del person.rooms[room.name.key]
        if room.is_persistent:
            return
        if not room.members:
            if self._emptied is None:
                self.drop_room(room)
            else:  # the same message may have a new member for it
                self._emptied[room] = None
        elif person.server and not any(each.server == person.server for each in room.members):
            self._resend(room)

    def _resend(self, room: Room) -> None:
        """Resend a room to a server that may have dropped it after its last member there left.

        Other people may have joined it here meanwhile.  The first server, by name, of those with
        members does this.
        """
        own_name = self._outgoing.name
        if min(each.server or own_name for each in room.members) == own_name:
            self._rooms.resend(room)
            self._outgoing.room_changed(room)

    def drop_room(self, room: Room) -> None:
        """Drop a room that is empty."""
        if self._chat.rooms.get(room.name.key) is room:
            del self._chat.rooms[room.name.key]
            self._chat.room_closed(room)
            self._rooms.forget(room)

    def settle_successions(self) -> None:
        """Choose new owners for rooms whose owner left on another server, if still without one."""
        for room in self._successions.due(self._outgoing.name):
            if self._chat.rooms.get(room.name.key) is room:
                self._chat.after_leaving(room, self.now)
