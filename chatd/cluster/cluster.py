"""Elsewhere: the other servers of a cluster, what this one tells them, and what they tell.

Every server tells the others of its people and of what it changes in rooms, as states and not as
events, numbered: who finds a number missing asks for everything anew, and so does who hears of a
server for the first time.  A server that is silent for too long is gone, with everybody on it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chatd.chat.events import Left, RoomEvent
from chatd.chat.limits import (
    ASKED_AGAIN_SECONDS,
    CALLED_LENGTH,
    LEAPT_SECONDS,
    OUT_OF_TOUCH_SECONDS,
    SILENT_SECONDS,
)
from chatd.chat.model.entities import Person, Room
from chatd.chat.text.names import Name
from chatd.cluster import records
from chatd.cluster.bus import Bus
from chatd.cluster.calls import Calls
from chatd.cluster.replication.batches import batches, message
from chatd.cluster.replication.local import LocalPeople
from chatd.cluster.replication.remote import RemotePeople, RemoteServer
from chatd.cluster.replication.rooms import RoomReplicas
from chatd.cluster.streams import StreamRouter

if TYPE_CHECKING:
    from chatd.chat.chat import Chat

State = dict[str, Any]


class Cluster:
    """The other servers; without ``neighbours`` there are none, and nothing is told.

    ``schedule`` runs a function at the end of the turn; ``open_room`` makes a room of a name and
    the name that the store knows it by.  ``told`` is what they know of the people here, ``heard``
    who is there.  ``happens`` shows something to those who are here.  ``renewed_at`` is when the
    cluster answered last, in seconds since the epoch.
    """

    def __init__(
        self,
        chat: Chat,
        neighbours: Bus | None,
        schedule: Callable[[Callable[[], None]], object],
        open_room: Callable[[Name, str], Room],
    ) -> None:
        self._chat = chat
        self._neighbours = neighbours
        self._schedule = schedule
        self._count = 0
        self._rooms = RoomReplicas(chat, lambda: self.name)
        self.remote = RemotePeople(chat, self, self._rooms, open_room)
        self.local = LocalPeople(chat, self.remote.uncover)
        self._people_touched: dict[Person, None] = {}
        self._rooms_touched: dict[Room, None] = {}
        self.asking = Calls(chat, self, neighbours)
        chat.people.displaced = self._displace
        self._now = self._looked = 0.0
        self.renewed_at = 0.0
        self.happens: Callable[[Room, RoomEvent], None] = _nobody_sees
        self.lines: StreamRouter | None = None
        if neighbours is not None:
            neighbours.hear(self._heard, self._asked)

    @property
    def is_clustered(self) -> bool:
        """Whether there may be other servers."""
        return self._neighbours is not None

    @property
    def is_in_touch(self) -> bool:
        """Whether what is known here of the others is so: while the cluster answers."""
        return not self.renewed_at or self._now - self.renewed_at <= OUT_OF_TOUCH_SECONDS

    @property
    def name(self) -> str:
        """What this server is called among them; empty when there are none."""
        return self._neighbours.name if self._neighbours is not None else ""

    @property
    def display_name(self) -> str:
        """What who runs this server calls it; empty when there are no others."""
        return self._neighbours.display_name if self._neighbours is not None else ""

    @property
    def replicas(self) -> tuple[int, int]:
        """As `chatd.cluster.bus.Bus.copies`."""
        return self._neighbours.replicas if self._neighbours is not None else (0, 0)

    @property
    def rank(self) -> int:
        """How many of the others come before this server, by their names."""
        return sum(name < self.name for name in self.remote.servers)

    @property
    def names(self) -> list[str]:
        """By which names they are known among each other."""
        return list(self.remote.servers)

    def others(self) -> list[tuple[str, int, float]]:
        """What each of the others is called, how many are there, and when it was heard of last."""
        servers = self.remote.servers.values()
        return [(server.called, len(server.people), server.heard) for server in servers]

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

    def heartbeat(self, now: float) -> None:
        """Say that this server is here, and what was not told yet; be called every few seconds."""
        if self._neighbours is None:
            return
        if not self._count:
            self._neighbours.broadcast(json.dumps({"hello": 1}))
        self._now = now
        self._tell(self.local.news_of(self.local.in_turn()), [])

    def check_liveness(self, now: float) -> None:
        """See which servers are silent for too long."""
        passed, self._looked = now - self._looked, now
        leapt = not -1.0 < passed <= LEAPT_SECONDS
        self._now = now or self._now
        self.remote.forget_outgrown()
        self._rooms.pass_time()
        self.remote.see_to_heirs(self._now)
        for server in tuple(self.remote.servers.values()):
            if not self.is_in_touch:  # it is this server that hears nothing
                server.heard = now
            elif leapt:  # no silence of theirs
                server.heard += passed
            if now - server.heard > SILENT_SECONDS:
                self._gone(server.name)

    def bye(self) -> None:
        """This server ends."""
        if self._neighbours is not None:
            self._neighbours.broadcast(json.dumps({"bye": 1}))

    def _tell_touched(self) -> None:
        people, self._people_touched = self._people_touched, {}
        rooms, self._rooms_touched = self._rooms_touched, {}
        news, states = self.local.news_of(people), self._rooms.changed(rooms)
        if news or states:
            self._tell(news, states)

    def _tell(self, people: list[State], rooms: list[State]) -> None:
        assert self._neighbours is not None
        for portion in batches(people, rooms):
            self._count += 1
            self._neighbours.broadcast(message({"n": self._count}, portion))

    def _tell_everything(self, server: str) -> None:
        """Tell one server all that it has to know of this one."""
        assert self._neighbours is not None
        people, rooms = self.local.everything()
        told = list(batches(people, self._rooms.everything(rooms)))
        for part, portion in enumerate(told):
            head = {
                "n": self._count,
                "part": part,
                "called": self.display_name,
                "first": not part,
                "last": part == len(told) - 1,
            }
            self._neighbours.send(server, message(head, portion))

    def introduce(self, person: Person) -> int:
        """Let the others know of somebody who is here, as they are now, and by which number."""
        self.touched(None, person)
        self._tell_touched()
        return self.local.number(person)

    def came_from(self, person: Person, server: str, number: int) -> None:
        """Somebody is here now who had a number at another server: the others are to know."""
        self.local.came_from(person, server, number)
        for room in person.rooms.values():
            self._rooms.tell_again(room)
            self.touched(room, person)
        self.touched(None, person)

    def went_to(self, person: Person, server: str) -> None:
        """Somebody is at another server now, and so is their nick."""
        assert self._neighbours is not None
        self.local.went_to(person, server)
        self.touched(None, person)
        self._neighbours.hand_over_nick(person.name.key, server)

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
        server = self.remote.servers.get(name)
        if server is None:
            server = self.remote.servers[name] = RemoteServer(name, self._now)
            if "first" not in said:
                self.ask_again(name)
        server.heard = self._now
        if "first" in said:
            self._learn_everything(server, said)
        elif "n" in said:
            self._learn_next(server, said)

    def _learn_next(self, server: RemoteServer, said: State) -> None:
        """Learn what a server says after what it has said, or ask it for everything."""
        if server.told is None:
            if self._now - server.asked >= ASKED_AGAIN_SECONDS:
                self.ask_again(server.name)  # not all of the answer came, or nothing
        elif said["n"] == server.told + 1:
            server.told = said["n"]
            self.remote.learn(server, said)
        elif said["n"] > server.told:
            server.told = None
            self.ask_again(server.name)

    async def _asked(self, name: str, text: str) -> str:
        """Another server asks something; what is not understood here it hears nothing of."""
        said: State = json.loads(text)
        if "errand" in said:
            return json.dumps(await self.asking.answer(name, said))
        if self.lines is not None and ("open" in said or "roll" in said):
            return json.dumps(self.lines.asked(name, said))
        return json.dumps(await self._chat.moving.on_request(name, said))

    def tell_server(self, server: str, said: State) -> None:
        """Say something to another server that its `lines` hear."""
        assert self._neighbours is not None
        self._neighbours.send(server, json.dumps(said))

    def hang_up(self, sentence: str) -> None:
        """This server lets go of everybody: lines to other servers, too."""
        if self.lines is not None:
            self.lines.hang_up(sentence)

    async def ask_server(self, server: str, said: State) -> State:
        """Ask another server, and return its answer.

        :raises Refused: ``away``, ``gone``.
        """
        assert self._neighbours is not None
        answer: State = json.loads(await self._neighbours.request(server, json.dumps(said)))
        return answer

    def ask_again(self, server: str) -> None:
        """Ask another server to tell everything."""
        assert self._neighbours is not None
        if server in self.remote.servers:
            self.remote.servers[server].asked = self._now
        self._neighbours.send(server, json.dumps({"again": 1}))

    def _learn_everything(self, server: RemoteServer, said: State) -> None:
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
                self.remote.lose(server, number)
        self.remote.learn(server, said)
        if said["last"]:
            server.told, server.was_known = said["n"], True

    # Who is gone ----------------------------------------------------------------------------------

    def _displace(self, person: Person, by: Person) -> None:
        """Somebody has taken a nick from who is called so on another server, which may be dead."""
        left = Left(self._now, person.nick, "", gone=True)
        for room in tuple(person.rooms.values()):
            self.happens(room, left)
            self.remote.takes_out(person, room)
            if not by.server:
                self._chat.after_leaving(room, self._now)
        self.remote.hide(person)

    def _gone(self, name: str) -> None:
        """A server is gone, and everybody with it; what it had to itself is forgotten here."""
        if self.lines is not None:
            self.lines.gone(name)
        server = self.remote.servers.pop(name, None)
        if server is None:
            return
        for number, person in tuple(server.people.items()):
            rooms = tuple(person.rooms.values())
            left = Left(self._now, person.nick, "", gone=True)
            for room in rooms:
                self.happens(room, left)
            self.remote.lose(server, number)
            for room in rooms if self._is_first() else ():
                self._chat.after_leaving(room, self._now)

    def _is_first(self) -> bool:
        """Whether it is for this server to do what one of those that are left has to do."""
        return all(self.name < name for name in self.remote.servers)

    def record_changed(self, kind: str, key: str, value: str | None) -> None:
        """Another server has changed a record."""
        records.apply_change(self._chat, kind, key, value, self._now)


def _nobody_sees(room: Room, event: RoomEvent) -> None:
    """There is no chat yet."""
