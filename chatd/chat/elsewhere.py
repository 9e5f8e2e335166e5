"""Elsewhere: who is on the other servers of a cluster, and what this one tells them of its own.

Somebody on another server is a `chatd.chat.people.Person` without sessions: in its rooms, carrying
its nick.  Every server tells the others of its people and of what it changes in rooms, as states
and not as events, numbered: who finds a number missing asks for everything anew, and so does who
hears of a server for the first time.  A server that is silent for too long is gone, with everybody
on it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chatd.chat import errands, learning
from chatd.chat.events import Left, Refused, RoomEvent
from chatd.chat.limits import SILENT_SECONDS, TOLD_AT_ONCE
from chatd.chat.names import Name
from chatd.chat.neighbours import Neighbours
from chatd.chat.people import Person
from chatd.chat.room import Room
from chatd.chat.sharing import FRESH, apply, difference, merged, shared

if TYPE_CHECKING:
    from chatd.chat.chat import Chat

State = dict[str, Any]


@dataclass(slots=True)
class _Server:
    """Another server: its people by their numbers there, and the number of what it said last.

    ``told`` is None until it has told everything, which it did once when it ``was_known``;
    ``heard`` is in seconds since the epoch.  While it tells everything ``unsaid`` are those of whom
    it has said nothing yet.
    """

    heard: float
    told: int | None = None
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
        self._rooms: dict[str, State] = {}
        self._people_touched: dict[Person, None] = {}
        self._rooms_touched: dict[Room, None] = {}
        self._outgrown: list[tuple[Person, str]] = []
        self._displaced: dict[str, str] = {}
        chat.people.displaced = self._displace
        self._now = 0.0
        self.renewed_at = 0.0
        self.happens: Callable[[Room, RoomEvent], None] = _nobody_sees
        if neighbours is not None:
            neighbours.hear(self._heard, self._asked)

    @property
    def is_shared(self) -> bool:
        """Whether there may be other servers."""
        return self._neighbours is not None

    def owner(self, account: str) -> Person | None:
        """The owner of an account, if they are on another server."""
        people = (each for server in self._servers.values() for each in server.people.values())
        return next((person for person in people if person.account == account), None)

    @property
    def servers(self) -> int:
        """How many others there are."""
        return len(self._servers)

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

    def beat(self, now: float) -> None:
        """Say that this server is here, and what was not told yet; be called every few seconds."""
        if self._neighbours is None:
            return
        if not self._told:
            self._neighbours.tell_all(json.dumps({"hello": 1}))
        self._now = now
        everyone = [person for person in self._chat.people.everyone() if not person.server]
        self._tell(self._news_of({*everyone, *self._sent}), [])

    def look(self, now: float) -> None:
        """See which servers are silent for too long."""
        self._now = now or self._now
        self._forget_outgrown()
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
        news, states = self._news_of(people), self._changed(rooms)
        if news or states:
            self._tell(news, states)

    def _tell(self, people: list[State], rooms: list[State]) -> None:
        assert self._neighbours is not None
        chunks = range(0, max(len(people), 1), TOLD_AT_ONCE)
        for start in chunks:
            self._told += 1
            text = {"n": self._told, "people": people[start : start + TOLD_AT_ONCE], "rooms": rooms}
            self._neighbours.tell_all(json.dumps(text))
            rooms = []

    def _news_of(self, people: Iterable[Person]) -> list[State]:
        """What the others do not know yet of some people."""
        news = []
        for person in people:
            if self._chat.people.get(person.name.key) is person:
                state = self._state(person)
                if self._sent.get(person) != state:
                    self._sent[person] = state
                    news.append({**state, "active": person.last_active})
            elif person in self._sent:
                del self._sent[person]
                number = self._numbers.pop(person)
                del self._local[number]
                news.append({"number": number, "gone": True})
        return news

    def _state(self, person: Person) -> State:
        return {
            "number": self._number(person),
            "nick": person.name.shown,
            "key": person.name.key,
            "account": person.account,
            "operator": person.operator,
            "away": person.away,
            "came": person.came,
            "print": person.fingerprint,
            "address": person.address,
            "beside": person.beside,
            "lost": person.is_cut_off,
            "rooms": {key: [room.name.shown, room.id] for key, room in person.rooms.items()},
        }

    def _number(self, person: Person) -> int:
        number = self._numbers.get(person)
        if number is None:
            self._count += 1
            number = self._numbers[person] = self._count
            self._local[number] = person
        return number

    def _changed(self, rooms: Iterable[Room]) -> list[State]:
        """What was changed here in some rooms."""
        states = []
        for room in rooms:
            key = room.name.key
            if self._chat.rooms.get(key) is not room:
                self._rooms.pop(key, None)
                continue
            state = shared(room)
            news = difference(self._rooms.get(key, FRESH), state)
            if news:
                self._rooms[key] = state
                states.append({**_named(room), **news})
        return states

    def _tell_everything(self, server: str) -> None:
        """Tell one server all that it has to know of this one."""
        assert self._neighbours is not None
        people = [{**state, "active": each.last_active} for each, state in self._sent.items()]
        mine = {room for person in self._sent for room in person.rooms.values()}
        rooms = [{**_named(room), **difference(FRESH, shared(room))} for room in mine]
        chunks = max(len(people), len(rooms), 1)
        for start in range(0, chunks, TOLD_AT_ONCE):
            text = {
                "n": self._told,
                "first": not start,
                "last": start + TOLD_AT_ONCE >= chunks,
                "people": people[start : start + TOLD_AT_ONCE],
                "rooms": rooms[start : start + TOLD_AT_ONCE],
            }
            self._neighbours.tell_one(server, json.dumps(text))

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
            self._errand(name, said)
            return
        server = self._servers.get(name)
        if server is None:
            server = self._servers[name] = _Server(self._now)
            if "first" not in said:
                self._ask(name)
        server.heard = self._now
        if "first" in said:
            self._learn_everything(server, name, said)
        elif "n" in said and server.told is not None:
            if said["n"] == server.told + 1:
                server.told = said["n"]
                self._learn(server, name, said)
            elif said["n"] > server.told:
                server.told = None
                self._ask(name)

    async def _asked(self, name: str, text: str) -> str:
        """Another server asks something; what is not understood here it hears nothing of."""
        said: State = json.loads(text)
        if "errand" in said:
            return json.dumps(await self._answer(name, said))
        return json.dumps({})

    def _ask(self, server: str) -> None:
        assert self._neighbours is not None
        self._neighbours.tell_one(server, json.dumps({"again": 1}))

    def _learn_everything(self, server: _Server, name: str, said: State) -> None:
        if said["first"]:
            server.unsaid = dict.fromkeys(server.people)
        for state in said["people"]:
            server.unsaid.pop(state["number"], None)
        if server.was_known:  # something that is not told may have been taken away unheard
            for state in said["rooms"]:
                room = self._chat.rooms.get(state["key"])
                if room is not None:
                    state.update(difference(shared(room), merged(FRESH, state)))
        if said["last"]:  # they have left unheard
            for number in server.unsaid:
                self._lose(server, number)
        self._learn(server, name, said)
        if said["last"]:
            server.told, server.was_known = said["n"], True

    def _learn(self, server: _Server, name: str, said: State) -> None:
        for state in said["rooms"]:
            self._learn_room(state)
        for state in said["people"]:
            if state.get("gone"):
                self._lose(server, state["number"])
            else:
                self._learn_person(server, name, state)
        for state in said["rooms"]:
            room = self._chat.rooms[state["key"]]
            if not (room.members or room.lasts):  # whoever was in it is gone meanwhile
                self.drop(room)

    def _learn_room(self, state: State) -> None:
        room = self._room(state["key"], state["name"], state["id"])
        apply(self._chat, room, state)
        self._rooms[room.name.key] = merged(self._rooms.get(room.name.key, FRESH), state)

    def _room(self, key: str, shown: str, ident: str) -> Room:
        return self._chat.rooms.get(key) or self._open_room(Name(shown, key), ident)

    def _learn_person(self, server: _Server, name: str, state: State) -> None:
        person = server.people.get(state["number"])
        called = Name(state["nick"], state["key"])
        people = self._chat.people
        if person is None:
            person = Person(called, state["came"])
            person.server = name
            server.people[state["number"]] = person
            self._numbers[person] = state["number"]
        elif person.name != called and people.get(person.name.key) is person:
            people.remove(person)
            for other in person.ignored_by:
                other.ignored[called.key] = None
                self._outgrown.append((other, person.name.key))
            self._is_free(person.name.key)
        person.name = called
        there = people.get(called.key)
        if there is None or there.server:
            people.add(person)
        person.account, person.operator = state["account"], state["operator"]
        person.away, person.fingerprint = state["away"], state["print"]
        person.address, person.beside = state.get("address", ""), state.get("beside")
        person.lost = state.get("lost", False)
        person.last_active = state["active"]
        for key in person.rooms.keys() - state["rooms"].keys():
            self._leaves(person, person.rooms[key])
        for key, (shown, ident) in state["rooms"].items():
            if key not in person.rooms:
                self._comes(person, self._room(key, shown, ident))

    def _comes(self, person: Person, room: Room) -> None:
        known = self._rooms.get(room.name.key, {}).get("roles", {})
        room.came_from_elsewhere(person, known.get(person.name.key))
        person.rooms[room.name.key] = room

    def _leaves(self, person: Person, room: Room) -> None:
        room.left(person)
        del person.rooms[room.name.key]
        if not (room.members or room.lasts):
            self.drop(room)

    def drop(self, room: Room) -> None:
        """A room is gone, with the last who was in it."""
        del self._chat.rooms[room.name.key]
        self._rooms.pop(room.name.key, None)

    def _lose(self, server: _Server, number: int, *, departs: bool = True) -> None:
        """Somebody on another server is there no longer."""
        person = server.people.pop(number, None)
        if person is None:
            return
        for room in tuple(person.rooms.values()):
            self._leaves(person, room)
        for room in {**person.invited_into, **person.held_in} if departs else ():
            room.departed(person)
        for other in person.ignored_by if departs and person.is_nameless else ():
            other.ignored.pop(person.name.key, None)
        self._numbers.pop(person, None)
        if self._chat.people.get(person.name.key) is person:
            self._chat.people.remove(person)
            self._is_free(person.name.key)

    def _displace(self, person: Person, by: Person) -> None:
        """Somebody has taken a nick from who is called so on another server, which may be dead."""
        self._displaced[person.name.key] = person.server
        left = Left(self._now, person.nick, "", gone=True)
        for room in tuple(person.rooms.values()):
            self.happens(room, left)
            self._leaves(person, room)
            if not by.server:
                self._chat.after_leaving(room, self._now)

    def _is_free(self, key: str) -> None:
        """A nick is free: who was displaced may have it after all, as servers talk at once."""
        server = self._displaced.pop(key, "")
        if server in self._servers:
            self._ask(server)

    def _gone(self, name: str) -> None:
        """A server is gone, and everybody with it; what it had to itself is forgotten here."""
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

    # Errands --------------------------------------------------------------------------------------

    def send(self, person: Person, by: Person | None, errand: str, *values: object) -> None:
        """Let the server of somebody do something there, in somebody's name."""
        assert self._neighbours is not None
        text = {
            "errand": errand,
            "to": self._numbers[person],
            "by": self._number(by) if by is not None else None,
            "with": values,
        }
        if by is not None:
            self.touched(None, by)
            self._tell_touched()  # they have to know there who that is
        self._neighbours.tell_one(person.server, json.dumps(text))

    def send_all(self, by: Person, errand: str, *values: object) -> None:
        """Let every other server do something to everybody there, in somebody's name."""
        if self._neighbours is not None:
            self.touched(None, by)
            self._tell_touched()
            text = {"errand": errand, "to": None, "by": self._number(by), "with": values}
            self._neighbours.tell_all(json.dumps(text))

    async def ask(self, person: Person, by: Person, errand: str, *values: object) -> State:
        """Let the server of somebody do something there, and return what it answers.

        :raises Refused: as it says, or ``away``.
        """
        assert self._neighbours is not None
        self.touched(None, by)
        self._tell_touched()
        text = {
            "errand": errand,
            "to": self._numbers[person],
            "by": self._number(by),
            "with": values,
        }
        answer: State = json.loads(await self._neighbours.ask(person.server, json.dumps(text)))
        if answer.get("gone"):
            raise Refused("nobody", f"{person.nick} is gone.")
        if "refused" in answer:
            raise Refused(*answer["refused"])
        return answer

    async def _answer(self, name: str, said: State) -> State:
        person, by = self._local.get(said["to"]), self._person_of(name, said["by"])
        if person is None or self._chat.people.get(person.name.key) is not person:
            return {"gone": True}
        try:
            return await errands.answer(self._chat, person, by, said["errand"], said["with"])
        except Refused as refused:
            return {"refused": [refused.code, refused.sentence]}

    def _person_of(self, name: str, number: int | None) -> Person | None:
        """Somebody by their number at another server."""
        server = self._servers.get(name)
        return server.people.get(number) if server is not None and number is not None else None

    def _errand(self, name: str, said: State) -> None:
        by = self._person_of(name, said["by"])
        if said["to"] is None:
            errands.run_for_all(self._chat, by, said["errand"], said["with"])
            return
        person = self._local.get(said["to"])
        if person is not None and self._chat.people.get(person.name.key) is person:
            errands.run(self._chat, person, by, said["errand"], said["with"])


def _named(room: Room) -> State:
    """What a room is called, by people and by the store."""
    return {"key": room.name.key, "name": room.name.shown, "id": room.id}


def _nobody_sees(room: Room, event: RoomEvent) -> None:
    """There is no chat yet."""
