"""People heard of: who is on the other servers of a cluster, as those tell.

Somebody there is a `chatd.chat.model.entities.Person` without sessions: in its rooms, carrying its nick.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chatd.chat.events import Role
from chatd.chat.model.entities import Person, Room
from chatd.chat.text.names import Name
from chatd.cluster.replication.directory import Directory
from chatd.cluster.replication.room_state import role_of
from chatd.cluster.replication.rooms import RoomReplicas
from chatd.cluster.replication.succession import OwnerSuccession

if TYPE_CHECKING:
    from chatd.chat.chat import Chat
    from chatd.cluster.cluster import Cluster

State = dict[str, Any]


@dataclass(slots=True)
class RemoteServer:
    """Another server: its people by their numbers there, and the number of what it said last.

    ``told`` is None until it has told everything, which it did once when it ``was_known``; ``part``
    is how many parts of that came, ``asked`` when it was asked for that, and ``unsaid`` of whom it
    has said nothing yet.  ``called`` is what who runs it calls it, if it has said so.  Times are in
    seconds since the epoch.
    """

    name: str
    heard: float
    asked: float = 0.0
    called: str = ""
    told: int | None = None
    part: int = 0
    was_known: bool = False
    people: dict[int, Person] = field(default_factory=dict)
    unsaid: dict[int, None] = field(default_factory=dict)


class RemotePeople:
    """Everybody on the other ``servers``, and how they come into rooms here, leave and move.

    ``open_room`` makes a room of a name and the name that the store knows it by.
    """

    def __init__(
        self,
        chat: Chat,
        elsewhere: Cluster,
        rooms: RoomReplicas,
        open_room: Callable[[Name, str], Room],
    ) -> None:
        self._chat = chat
        self._elsewhere = elsewhere
        self._rooms = rooms
        self._open_room = open_room
        self.servers: dict[str, RemoteServer] = {}
        self._numbers: dict[Person, int] = {}
        self._directory = Directory()
        self._hidden: dict[str, Person] = {}
        self._outgrown: list[tuple[Person, str]] = []
        self._emptied: dict[Room, None] | None = None
        self._heirs = OwnerSuccession()

    # Who is where ---------------------------------------------------------------------------------

    def owner(self, account: str) -> Person | None:
        """The owner of an account, if they are on another server."""
        return self._directory.find(account, "")

    def number_of(self, person: Person) -> int:
        """The number of somebody elsewhere, at their server."""
        return self._numbers[person]

    def person_of(self, name: str, number: int | None) -> Person | None:
        """Somebody by their number at another server."""
        server = self.servers.get(name)
        return server.people.get(number) if server is not None and number is not None else None

    def where(self, account: str, fingerprint: str) -> list[str]:
        """The server on which somebody is who has an account or a key; of others, all servers."""
        if not (account or fingerprint):
            return list(self.servers)
        person = self._directory.find(account, fingerprint)
        return [person.server] if person is not None else []

    def find(self, account: str, fingerprint: str) -> tuple[int, float]:
        """The number of somebody elsewhere, and when their server was heard last; else zeros."""
        person = self._directory.find(account, fingerprint)
        server = self.servers.get(person.server) if person is not None else None
        if person is None or server is None:
            return 0, 0.0
        return self._numbers[person], server.heard

    # What a server tells --------------------------------------------------------------------------

    def learn(self, server: RemoteServer, said: State) -> None:
        """Learn what a server tells of its people, and of rooms."""
        self._emptied = {}
        for state in said["people"]:  # first: those who come into a room keep it
            if state.get("gone"):
                self.lose(server, state["number"], departs=not state.get("moved"))
            else:
                self._learn_person(server, state)
        for state in said["rooms"]:
            room = self.room(state["key"], state["name"], state["id"])
            self._rooms.learn(server.name, room, state)
            self._emptied[room] = None
        emptied, self._emptied = self._emptied, None
        for room in emptied:
            if not (room.members or room.is_persistent):
                self.drop(room)

    def _learn_person(self, server: RemoteServer, state: State) -> None:
        person = server.people.get(state["number"])
        if person is None:
            person = self._moved_from(state, server.name)
            person = person or Person(Name(state["nick"], state["key"]), state["came"])
            person.server = server.name
            server.people[state["number"]] = person
            self._numbers[person] = state["number"]
        self._called(person, Name(state["nick"], state["key"]))
        person.account, person.operator = state["account"], state["operator"]
        person.away, person.fingerprint = state["away"], state["print"]
        person.address, person.on_behalf_of = state.get("address", ""), state.get("beside")
        person.lost = state.get("lost", False)
        person.last_active = state["active"]
        self._directory.learn(person)
        for key in person.rooms.keys() - state["rooms"].keys():
            self.takes_out(person, person.rooms[key])
        for key, (shown, ident, role, *_) in state["rooms"].items():
            self.puts_in(person, self.room(key, shown, ident), role)
        self._gather(person)

    def _gather(self, person: Person) -> None:
        """Who came here and to another server at once stays at one, by the names of the two."""
        account = self._chat.accounts.get(person.account or "")
        owner = self._chat.entrance.owner_here(account) if account is not None else None
        stays, lines = self._elsewhere.name < person.server or person.lost, self._elsewhere.lines
        if owner is not None and lines is not None and not stays:
            lines.gather(owner, person.server)

    def _moved_from(self, state: State, name: str) -> Person | None:
        """Who somebody was at the server where they were before, if that is remembered here."""
        server, number = state.get("from") or ("", 0)
        if server == self._elsewhere.name:
            person = self._elsewhere.local.here(number)
            if person is not None:
                self._chat.moving.lives_elsewhere(person, name)
            return None
        return self._release(server, number)

    def lose(self, server: RemoteServer, number: int, *, departs: bool = True) -> None:
        """Somebody on another server is there no longer."""
        person = server.people.pop(number, None)
        if person is None:
            return
        self._directory.forget(person)
        for room in tuple(person.rooms.values()):
            self.takes_out(person, room)
        for room in {**person.invited_into, **person.named_in_bans} if departs else ():
            room.departed(person)
            self._elsewhere.touched(room)  # who is invited as they leave is not known everywhere
        for other in person.ignored_by if departs and person.is_guest_nick else ():
            other.ignored.pop(person.name.key, None)
        self._numbers.pop(person, None)
        self.uncover(person)

    def _release(self, name: str, number: int) -> Person | None:
        server = self.servers.get(name)
        return server.people.pop(number, None) if server is not None else None

    def release(self, name: str, number: int) -> Person | None:
        """Let somebody who is on another server be of this one, in their rooms as they are."""
        person = self._release(name, number)
        if person is not None:
            self._directory.forget(person)
            self._numbers.pop(person, None)
            self.uncover(person)
        return person

    # Nicks ----------------------------------------------------------------------------------------

    def _called(self, person: Person, name: Name) -> None:
        """Somebody elsewhere carries this nick, as soon as whoever has it lets go of it."""
        if person.name != name:
            self.uncover(person)
            for other in person.ignored_by:
                other.ignored[name.key] = None
                self._outgrown.append((other, person.name.key))
        person.name = name
        holder = self._chat.people.get(name.key)
        if holder is None:
            self._chat.people.add(person)
        elif holder is not person:
            self._hidden[name.key] = person

    def uncover(self, person: Person) -> None:
        """Somebody lets go of their nick: who has it, and was heard of before, carries it."""
        people, key = self._chat.people, person.name.key
        if self._hidden.get(key) is person:
            del self._hidden[key]
        if people.get(key) is person:
            people.remove(person)
        other = self._hidden.pop(key, None) if people.get(key) is None else None
        if other is not None:
            people.add(other)
            self._elsewhere.ask_again(other.server)  # they may have been taken out of their rooms

    def hide(self, person: Person) -> None:
        """Somebody elsewhere has lost their nick to somebody else."""
        self._hidden[person.name.key] = person

    def forget_outgrown(self) -> None:
        """What was done under a nick that somebody ignored carried before has arrived by now."""
        outgrown, self._outgrown = self._outgrown, []
        for other, key in outgrown:
            person = self._chat.people.get(key)
            if person is None or other not in person.ignored_by:
                other.ignored.pop(key, None)

    # Rooms ----------------------------------------------------------------------------------------

    def room(self, key: str, shown: str, ident: str) -> Room:
        """A room that another server tells of."""
        return self._chat.rooms.get(key) or self._open_room(Name(shown, key), ident)

    def puts_in(self, person: Person, room: Room, role: str) -> None:
        """Somebody elsewhere, or who comes from there, is in a room, where they may do so much."""
        if person not in room.members:
            room.add(person, Role.MEMBER)
            person.rooms[room.name.key] = room
        room.members[person].role = role_of(role)

    def takes_out(self, person: Person, room: Room) -> None:
        """Somebody elsewhere, or who goes there, is in a room no more; nobody is shown that."""
        self._heirs.left(person, room)
        room.remove(person)
        del person.rooms[room.name.key]
        if room.is_persistent:
            return
        if not room.members:
            if self._emptied is None:
                self.drop(room)
            else:  # somebody may come into it by the same message
                self._emptied[room] = None
        elif person.server and not any(each.server == person.server for each in room.members):
            self._tell_again(room)

    def _tell_again(self, room: Room) -> None:
        """A server may have forgotten a room, as its last one left while others came in here."""
        own_name = self._elsewhere.name
        if min(each.server or own_name for each in room.members) == own_name:
            self._rooms.tell_again(room)
            self._elsewhere.touched(room)

    def drop(self, room: Room) -> None:
        """A room is gone, with the last who was in it."""
        if self._chat.rooms.get(room.name.key) is room:
            del self._chat.rooms[room.name.key]
            self._rooms.forget(room)

    def see_to_heirs(self, now: float) -> None:
        """Let rooms whose owner has left elsewhere have another, where that is not done."""
        for room in self._heirs.look(self._elsewhere.name):
            if self._chat.rooms.get(room.name.key) is room:
                self._chat.after_leaving(room, now)
