"""Elsewhere: who is on the other servers of a cluster, and what this one tells them of its own.

Somebody on another server is a `chatd.chat.people.Person` without sessions: in its rooms, carrying
its nick.  Every server tells the others of its people and of what it changes in rooms, as states
and not as events, numbered: who finds a number missing asks for everything anew, and so does who
hears of a server for the first time.  A server that is silent for too long is gone, with everybody
on it.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chatd.chat import learning
from chatd.chat.asking import Asking
from chatd.chat.directory import Directory
from chatd.chat.events import Left, Role, RoomEvent
from chatd.chat.heirs import Heirs
from chatd.chat.lending import Lines
from chatd.chat.limits import (
    ASKED_AGAIN_SECONDS,
    CALLED_LENGTH,
    MOVED,
    SEEN_AT_ONCE,
    SILENT_SECONDS,
)
from chatd.chat.names import Name
from chatd.chat.neighbours import Neighbours
from chatd.chat.people import Person
from chatd.chat.portions import message, portions
from chatd.chat.room import Room
from chatd.chat.rooms_told import RoomsTold
from chatd.chat.sharing import role_of

if TYPE_CHECKING:
    from chatd.chat.chat import Chat

State = dict[str, Any]


@dataclass(slots=True)
class _Server:
    """Another server: its people by their numbers there, and the number of what it said last.

    ``told`` is None until it has told everything, which it did once when it ``was_known``; ``part``
    is how many parts of that came, ``asked`` when it was asked for that, and ``unsaid`` of whom it
    has said nothing yet.  ``called`` is what who runs it calls it, if it has said so.  Times are in
    seconds since the epoch.
    """

    heard: float
    asked: float = 0.0
    called: str = ""
    told: int | None = None
    part: int = 0
    was_known: bool = False
    people: dict[int, Person] = field(default_factory=dict)
    unsaid: dict[int, None] = field(default_factory=dict)


class Elsewhere:
    """The other servers; without ``neighbours`` there are none, and nothing is told.

    ``schedule`` runs a function at the end of the turn; ``open_room`` makes a room of a name and
    the name that the store knows it by.  ``happens`` shows something to those who are here.
    ``renewed_at`` is when the cluster answered last, in seconds since the epoch.
    """

    def __init__(
        self,
        chat: Chat,
        neighbours: Neighbours | None,
        schedule: Callable[[Callable[[], None]], object],
        open_room: Callable[[Name, str], Room],
    ) -> None:
        self._chat = chat
        self._neighbours = neighbours
        self._schedule = schedule
        self._open_room = open_room
        self._servers: dict[str, _Server] = {}
        self._told = 0
        self._count = 0
        self._numbers: dict[Person, int] = {}
        self._local: dict[int, Person] = {}
        self._sent: dict[Person, State] = {}
        self._rooms = RoomsTold(chat, lambda: self._own_name)
        self._people_touched: dict[Person, None] = {}
        self._rooms_touched: dict[Room, None] = {}
        self._unseen: list[Person] = []
        self.asking = Asking(chat, self, neighbours)
        self._outgrown: list[tuple[Person, str]] = []
        self._emptied: dict[Room, None] | None = None
        self._heirs = Heirs()
        self._origins: dict[Person, tuple[str, int]] = {}
        self._moved: OrderedDict[int, tuple[str, str]] = OrderedDict()
        self._hidden: dict[str, Person] = {}
        self._directory = Directory()
        chat.people.displaced = self._displace
        self._now = 0.0
        self.renewed_at = 0.0
        self.happens: Callable[[Room, RoomEvent], None] = _nobody_sees
        self.lines: Lines | None = None
        if neighbours is not None:
            neighbours.hear(self._heard, self._asked)

    @property
    def is_shared(self) -> bool:
        """Whether there may be other servers."""
        return self._neighbours is not None

    def owner(self, account: str) -> Person | None:
        """The owner of an account, if they are on another server."""
        return self._directory.find(account, "")

    @property
    def called(self) -> str:
        """What who runs this server calls it; empty when there are no others."""
        return self._neighbours.called if self._neighbours is not None else ""

    @property
    def copies(self) -> tuple[int, int]:
        """As `chatd.chat.neighbours.Neighbours.copies`."""
        return self._neighbours.copies if self._neighbours is not None else (0, 0)

    @property
    def servers(self) -> int:
        """How many others there are."""
        return len(self._servers)

    @property
    def names(self) -> list[str]:
        """What they are called."""
        return list(self._servers)

    def others(self) -> list[tuple[str, int, float]]:
        """What each of the others is called, how many are there, and when it was heard of last."""
        return [
            (server.called, len(server.people), server.heard) for server in self._servers.values()
        ]

    # Telling --------------------------------------------------------------------------------------

    def touched(self, room: Room | None, *people: Person) -> None:
        """Something of a room and of some people may be otherwise: the others are to know."""
        if self._neighbours is None:
            return
        if not (self._people_touched or self._rooms_touched):
            self._schedule(self._tell_touched)
        self._people_touched.update((each, None) for each in people if not each.server)
        if room is not None:
            self._rooms_touched[room] = None

    def closed(self, room: Room) -> None:
        """A room is gone here: the others are to know before somebody makes it anew."""
        if self._neighbours is not None:
            self.touched(room)
            self._tell_touched()

    def beat(self, now: float) -> None:
        """Say that this server is here, and what was not told yet; be called every few seconds."""
        if self._neighbours is None:
            return
        if not self._told:
            self._neighbours.tell_all(json.dumps({"hello": 1}))
        self._now = now
        self._tell(self._news_of(self._in_turn()), [])

    def _in_turn(self) -> list[Person]:
        """Some of those of whom something may be otherwise that nobody has said, each in turn."""
        if not self._unseen:
            here = (person for person in self._chat.people.everyone() if not person.server)
            self._unseen = [*dict.fromkeys((*here, *self._sent))]
        some = self._unseen[-SEEN_AT_ONCE:]
        del self._unseen[-SEEN_AT_ONCE:]
        return some

    def look(self, now: float) -> None:
        """See which servers are silent for too long."""
        self._now = now or self._now
        self._forget_outgrown()
        self._rooms.pass_time()
        for room in self._heirs.look(self._own_name):
            if self._chat.rooms.get(room.name.key) is room:
                self._chat.after_leaving(room, self._now)
        for name, server in tuple(self._servers.items()):
            if now - server.heard > SILENT_SECONDS:
                self._gone(name)

    def _forget_outgrown(self) -> None:
        """What was done under a nick that somebody ignored carried before has arrived by now."""
        outgrown, self._outgrown = self._outgrown, []
        for other, key in outgrown:
            person = self._chat.people.get(key)
            if person is None or other not in person.ignored_by:
                other.ignored.pop(key, None)

    def bye(self) -> None:
        """This server ends."""
        if self._neighbours is not None:
            self._neighbours.tell_all(json.dumps({"bye": 1}))

    def _tell_touched(self) -> None:
        people, self._people_touched = self._people_touched, {}
        rooms, self._rooms_touched = self._rooms_touched, {}
        news, states = self._news_of(people), self._rooms.changed(rooms)
        if news or states:
            self._tell(news, states)

    def _tell(self, people: list[State], rooms: list[State]) -> None:
        assert self._neighbours is not None
        for portion in portions(people, rooms):
            self._told += 1
            self._neighbours.tell_all(message({"n": self._told}, portion))

    def _news_of(self, people: Iterable[Person]) -> list[State]:
        """What the others do not know yet of some people."""
        news = []
        for person in people:
            if self._is_here(person):
                state = self.state(person)
                if self._sent.get(person) != state:
                    self._sent[person] = state
                    news.append({**state, "active": person.last_active})
            elif person in self._sent:
                del self._sent[person]
                number = self._numbers.pop(person)
                del self._local[number]
                self._origins.pop(person, None)
                self._uncover(person)
                news.append({"number": number, "gone": True, "moved": number in self._moved})
        return news

    def state(self, person: Person) -> State:
        """Somebody who is here, as the others are told of them."""
        return {
            "number": self._number(person),
            "nick": person.name.shown,
            "key": person.name.key,
            "account": person.account,
            "operator": person.operator,
            "away": person.away,
            "came": person.came,
            "print": person.fingerprint,
            "from": self._origins.get(person),
            "rooms": {
                key: [room.name.shown, room.id, room.members[person].role.value]
                for key, room in person.rooms.items()
            },
            "address": person.address,
            "beside": person.beside,
            "lost": person.is_cut_off,
        }

    def _number(self, person: Person) -> int:
        number = self._numbers.get(person)
        if number is None:
            self._count += 1
            number = self._numbers[person] = self._count
            self._local[number] = person
        return number

    def _tell_everything(self, server: str) -> None:
        """Tell one server all that it has to know of this one."""
        assert self._neighbours is not None
        people = [{**state, "active": each.last_active} for each, state in self._sent.items()]
        mine = {room for person in self._sent for room in person.rooms.values()}
        told = list(portions(people, self._rooms.everything(mine)))
        for part, portion in enumerate(told):
            head = {
                "n": self._told,
                "part": part,
                "called": self.called,
                "first": not part,
                "last": part == len(told) - 1,
            }
            self._neighbours.tell_one(server, message(head, portion))

    # Hearing --------------------------------------------------------------------------------------

    def _heard(self, name: str, text: str) -> None:
        """Another server says something."""
        assert self._neighbours is not None
        said: State = json.loads(text)
        if "bye" in said:
            self._gone(name)
            return
        if "hello" in said or "again" in said:
            self._tell_everything(name)
        if "errand" in said:
            self.asking.heard(name, said)
            return
        if "line" in said:
            if self.lines is not None:
                self.lines.heard(name, said)
            return
        server = self._servers.get(name)
        if server is None:
            server = self._servers[name] = _Server(self._now)
            if "first" not in said:
                self._ask(name)
        server.heard = self._now
        if "first" in said:
            self._learn_everything(server, name, said)
        elif "n" in said:
            self._learn_next(server, name, said)

    def _learn_next(self, server: _Server, name: str, said: State) -> None:
        """Learn what a server says after what it has said, or ask it for everything."""
        if server.told is None:
            if self._now - server.asked >= ASKED_AGAIN_SECONDS:
                self._ask(name)  # not all of the answer came, or nothing
        elif said["n"] == server.told + 1:
            server.told = said["n"]
            self._learn(server, name, said)
        elif said["n"] > server.told:
            server.told = None
            self._ask(name)

    async def _asked(self, name: str, text: str) -> str:
        """Another server asks something; what is not understood here it hears nothing of."""
        said: State = json.loads(text)
        if "errand" in said:
            return json.dumps(await self.asking.answer(name, said))
        if self.lines is not None and ("open" in said or "roll" in said):
            return json.dumps(self.lines.asked(name, said))
        return json.dumps(await self._chat.moving.asked(name, said))

    def tell_server(self, server: str, said: State) -> None:
        """Say something to another server that its `lines` hear."""
        assert self._neighbours is not None
        self._neighbours.tell_one(server, json.dumps(said))

    def hang_up(self, sentence: str) -> None:
        """This server lets go of everybody: lines to other servers, too."""
        if self.lines is not None:
            self.lines.hang_up(sentence)

    async def ask_server(self, server: str, said: State) -> State:
        """Ask another server, and return its answer.

        :raises Refused: ``away``, ``gone``.
        """
        assert self._neighbours is not None
        answer: State = json.loads(await self._neighbours.ask(server, json.dumps(said)))
        return answer

    def _ask(self, server: str) -> None:
        assert self._neighbours is not None
        if server in self._servers:
            self._servers[server].asked = self._now
        self._neighbours.tell_one(server, json.dumps({"again": 1}))

    def _learn_everything(self, server: _Server, name: str, said: State) -> None:
        server.called = str(said.get("called", ""))[:CALLED_LENGTH]
        if said["first"]:
            server.told, server.part = None, 0
            server.unsaid = dict.fromkeys(server.people)
        if said.get("part", server.part) != server.part:
            return  # one before it did not come: everything will be asked for again
        server.part += 1
        for state in said["people"]:
            server.unsaid.pop(state["number"], None)
        if server.was_known:  # something that is not told may have been taken away unheard
            for state in said["rooms"]:
                room = self._chat.rooms.get(state["key"])
                if room is not None:
                    self._rooms.fill_in(room, state)
        if said["last"]:  # they have left unheard
            for number in server.unsaid:
                self._lose(server, number)
        self._learn(server, name, said)
        if said["last"]:
            server.told, server.was_known = said["n"], True

    def _learn(self, server: _Server, name: str, said: State) -> None:
        self._emptied = {}
        for state in said["people"]:  # first: those who come into a room keep it
            if state.get("gone"):
                self._lose(server, state["number"], departs=not state.get("moved"))
            else:
                self._learn_person(server, name, state)
        for state in said["rooms"]:
            room = self.room(state["key"], state["name"], state["id"])
            self._rooms.learn(name, room, state)
            self._emptied[room] = None
        emptied, self._emptied = self._emptied, None
        for room in emptied:
            if not (room.members or room.lasts):
                self.drop(room)

    def room(self, key: str, shown: str, ident: str) -> Room:
        """A room that another server tells of."""
        return self._chat.rooms.get(key) or self._open_room(Name(shown, key), ident)

    def _learn_person(self, server: _Server, name: str, state: State) -> None:
        person = server.people.get(state["number"])
        called = Name(state["nick"], state["key"])
        if person is None:
            person = self._moved_from(state, name) or Person(called, state["came"])
            person.server = name
            server.people[state["number"]] = person
            self._numbers[person] = state["number"]
        if person.name != called:
            self._uncover(person)
            for other in person.ignored_by:
                other.ignored[called.key] = None
                self._outgrown.append((other, person.name.key))
        person.name = called
        holder = self._chat.people.get(called.key)
        if holder is None:
            self._chat.people.add(person)
        elif holder is not person:  # who is not known yet to have let go of it
            self._hidden[called.key] = person
        person.account, person.operator = state["account"], state["operator"]
        person.away, person.fingerprint = state["away"], state["print"]
        person.address, person.beside = state.get("address", ""), state.get("beside")
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
        assert self._neighbours is not None
        account = self._chat.accounts.get(person.account or "")
        owner = self._chat.entrance.owner_here(account) if account is not None else None
        stays = self._neighbours.name < person.server or person.lost
        if owner is not None and self.lines is not None and not stays:
            self.lines.gather(owner, person.server)

    def _moved_from(self, state: State, name: str) -> Person | None:
        """Who somebody was at the server where they were before, if that is remembered here."""
        assert self._neighbours is not None
        server, number = state.get("from") or ("", 0)
        if server == self._neighbours.name:
            person = self._local.get(number)
            if person is not None and self._chat.people.get(person.name.key) is person:
                self._chat.moving.lives_elsewhere(person, name)
            return None
        return self._release(server, number)

    def _uncover(self, person: Person) -> None:
        """Somebody lets go of their nick: who has it, and was heard of before, carries it."""
        people, key = self._chat.people, person.name.key
        if self._hidden.get(key) is person:
            del self._hidden[key]
        if people.get(key) is person:
            people.remove(person)
        other = self._hidden.pop(key, None) if people.get(key) is None else None
        if other is not None:
            people.add(other)
            self._ask(other.server)  # they may have been taken out of their rooms here

    def puts_in(self, person: Person, room: Room, role: str) -> None:
        """Somebody elsewhere, or who comes from there, is in a room, where they may do so much."""
        if person not in room.members:
            room.came(person, Role.MEMBER)
            person.rooms[room.name.key] = room
        room.members[person].role = role_of(role)

    def takes_out(self, person: Person, room: Room) -> None:
        """Somebody elsewhere, or who goes there, is in a room no more; nobody is shown that."""
        self._heirs.left(person, room)
        room.left(person)
        del person.rooms[room.name.key]
        if room.lasts:
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
        if min(each.server or self._own_name for each in room.members) == self._own_name:
            self._rooms.tell_again(room)
            self.touched(room)

    def drop(self, room: Room) -> None:
        """A room is gone, with the last who was in it."""
        if self._chat.rooms.get(room.name.key) is room:
            del self._chat.rooms[room.name.key]
            self._rooms.forget(room)

    def _lose(self, server: _Server, number: int, *, departs: bool = True) -> None:
        """Somebody on another server is there no longer."""
        person = server.people.pop(number, None)
        if person is None:
            return
        self._directory.forget(person)
        for room in tuple(person.rooms.values()):
            self.takes_out(person, room)
        for room in {**person.invited_into, **person.held_in} if departs else ():
            room.departed(person)
            self.touched(room)  # who was invited at once they left is not known to be everywhere
        for other in person.ignored_by if departs and person.is_nameless else ():
            other.ignored.pop(person.name.key, None)
        self._numbers.pop(person, None)
        self._uncover(person)

    def _displace(self, person: Person, by: Person) -> None:
        """Somebody has taken a nick from who is called so on another server, which may be dead."""
        left = Left(self._now, person.nick, "", gone=True)
        for room in tuple(person.rooms.values()):
            self.happens(room, left)
            self.takes_out(person, room)
            if not by.server:
                self._chat.after_leaving(room, self._now)
        self._hidden[person.name.key] = person

    def _gone(self, name: str) -> None:
        """A server is gone, and everybody with it; what it had to itself is forgotten here."""
        if self.lines is not None:
            self.lines.gone(name)
        server = self._servers.pop(name, None)
        if server is None:
            return
        for number, person in tuple(server.people.items()):
            rooms = tuple(person.rooms.values())
            left = Left(self._now, person.nick, "", gone=True)
            for room in rooms:
                self.happens(room, left)
            self._lose(server, number)
            for room in rooms if self._is_first() else ():
                self._chat.after_leaving(room, self._now)

    def _is_first(self) -> bool:
        """Whether it is for this server to do what one of those that are left has to do."""
        assert self._neighbours is not None
        return all(self._neighbours.name < name for name in self._servers)

    def recorded(self, kind: str, key: str, value: str | None) -> None:
        """Another server has changed a record."""
        learning.learn(self._chat, kind, key, value, self._now)

    # Who moves from server to server --------------------------------------------------------------

    def where(self, account: str, fingerprint: str) -> list[str]:
        """The server on which somebody is who has an account or a key; of others, all servers."""
        if not (account or fingerprint):
            return list(self._servers)
        person = self._directory.find(account, fingerprint)
        return [person.server] if person is not None else []

    def find(self, account: str, fingerprint: str) -> tuple[int, float]:
        """The number of somebody elsewhere, and when their server was heard last; else zeros."""
        person = self._directory.find(account, fingerprint)
        server = self._servers.get(person.server) if person is not None else None
        if person is None or server is None:
            return 0, 0.0
        return self._numbers[person], server.heard

    def _release(self, name: str, number: int) -> Person | None:
        server = self._servers.get(name)
        return server.people.pop(number, None) if server is not None else None

    def release(self, name: str, number: int) -> Person | None:
        """Let somebody who is on another server be of this one, in their rooms as they are."""
        person = self._release(name, number)
        if person is not None:
            self._directory.forget(person)
            self._numbers.pop(person, None)
            self._uncover(person)
        return person

    def came_from(self, person: Person, server: str, number: int) -> None:
        """Somebody is here now who had a number at another server: the others are to know."""
        self._origins[person] = (server, number)
        for room in person.rooms.values():
            self._rooms.tell_again(room)
            self.touched(room, person)
        self.touched(None, person)

    def went_to(self, person: Person, server: str) -> None:
        """Somebody is at another server now: what is still asked of them here is to go there."""
        assert self._neighbours is not None
        self._moved[self._number(person)] = (server, person.name.key)
        if len(self._moved) > MOVED:
            self._moved.popitem(last=False)
        self.touched(None, person)
        self._neighbours.give(person.name.key, server)

    # By which numbers servers know people ---------------------------------------------------------

    def number_of(self, person: Person) -> int:
        """The number of somebody elsewhere, at their server."""
        return self._numbers[person]

    def introduce(self, person: Person) -> int:
        """Let the others know of somebody who is here, as they are now, and by which number."""
        self.touched(None, person)
        self._tell_touched()
        return self._number(person)

    def person_of(self, name: str, number: int | None) -> Person | None:
        """Somebody by their number at another server."""
        server = self._servers.get(name)
        return server.people.get(number) if server is not None and number is not None else None

    def here(self, number: int) -> Person | None:
        """Somebody who is here, by their number."""
        person = self._local.get(number)
        return person if person is not None and self._is_here(person) else None

    def gone_to(self, number: int) -> tuple[str, str] | None:
        """To which server somebody who was here has gone, and their folded nick."""
        return self._moved.get(number)

    @property
    def _own_name(self) -> str:
        return self._neighbours.name if self._neighbours is not None else ""

    def _is_here(self, person: Person) -> bool:
        return self._chat.people.get(person.name.key) is person and not person.server


def _nobody_sees(room: Room, event: RoomEvent) -> None:
    """There is no chat yet."""
