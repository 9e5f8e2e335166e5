"""Everybody on several servers against one simple model: one order, one list of who is where.

The model knows rooms, who is in them, and what each member is to be shown of what is said there.
In every step somebody does something at some server, or several do so at once, or a server comes,
dies, or is cut off for a while; then what the servers tell each other arrives, and all of them have
to agree with the model.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain, count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chatd.chat.events import Role
from tests.support.cluster.chat_cluster import ChatCluster
from tests.support.cluster.nats import Nats
from tests.support.cluster.nats_cluster import NatsCluster
from tests.support.people import Server, User

NICKS = ("ada", "bob", "cy", "dee")
ROOMS = ("lobby", "attic", "cellar")
#: People, and servers, at a time.
CROWD, SERVERS = 6, 3

nicks = st.sampled_from(NICKS)
rooms = st.sampled_from(ROOMS)
places = st.integers(0, 11)
Doing = tuple[str, int, str]
doings = st.lists(
    st.tuples(st.sampled_from(["say", "join", "leave", "topic"]), places, rooms), max_size=6
)

#: What somebody said or did carries a word that nobody else has: w17.
_WORD = re.compile(r"(?<!\S)w\d+(?!\S)")


@dataclass(eq=False)
class Who:
    """Somebody, and the words that they are to be shown of each room, in order."""

    someone: User
    server: Server
    nick: str
    rooms: list[str] = field(default_factory=list)
    words: dict[str, list[str]] = field(default_factory=dict)
    shown: list[str] = field(default_factory=list)
    last: dict[str, str] = field(default_factory=dict)

    def sees(self) -> list[str]:
        """What is new on the screen; the words in it are remembered."""
        lines = self.someone.sees()
        for line in lines:
            if not line.startswith("   "):  # which is a list, or history
                self.shown += _WORD.findall(line)
        return lines

    def is_to_see(self, word: str, room: str) -> None:
        """They are to be shown a word once, after what they were to be shown of a room before."""
        self.words.setdefault(room, []).append(word)

    def does(self, line: str) -> list[str]:
        """Do something, and see what comes of it at once."""
        self.sees()
        self.someone.types(line)
        return self.sees()


class Towns(RuleBasedStateMachine):
    """Rooms as lists of nicks, and what everybody is to be shown."""

    make: Callable[[int], ChatCluster | NatsCluster] = ChatCluster

    def __init__(self) -> None:
        super().__init__()
        self.people: list[Who] = []
        self.members: dict[str, list[Who]] = {"lobby": []}
        self.topics: dict[str, str] = {}
        self.cut_off: Server | None = None
        self.waiting: list[tuple[str, str, list[Who]]] = []
        self.wanted: dict[str, set[str]] = {}
        self._words = (f"w{number}" for number in count(1))

    def teardown(self) -> None:
        self.cluster.close()

    @initialize(servers=st.integers(2, SERVERS))
    def begin(self, servers: int) -> None:
        self.cluster = type(self).make(servers)

    # Somebody, somewhere --------------------------------------------------------------------------

    def server(self, at: int) -> Server:
        return self.cluster.servers[at % len(self.cluster.servers)]

    def who(self, at: int) -> Who | None:
        return self.people[at % len(self.people)] if self.people else None

    def carries(self, nick: str) -> Who | None:
        return next((each for each in self.people if each.nick == nick), None)

    def role(self, who: Who, room: str) -> Role:
        there = who.server.chat.rooms[room]
        return there.members[who.someone.session.person].role

    def settle(self) -> None:
        self.cluster.deliver_all()

    # What people do -------------------------------------------------------------------------------

    @precondition(lambda self: len(self.people) < CROWD)
    @rule(at=places, nick=nicks)
    def comes(self, at: int, nick: str) -> None:
        server = self.server(at)
        who = Who(server.enters(nick), server, nick)
        if self.carries(nick) is None:
            assert who.someone.nick == nick
        else:
            assert self.carries(who.someone.nick) is None
        who.nick = who.someone.nick
        who.rooms.append("lobby")
        self.people.append(who)
        self.members["lobby"].append(who)
        self.settle()

    @rule(at=places)
    def goes(self, at: int) -> None:
        who = self.who(at)
        if who is not None:
            who.someone.leaves("bye")
            self.is_gone(who)
            self.settle()

    def is_gone(self, who: Who) -> None:
        self.people.remove(who)
        for room in tuple(who.rooms):
            self.is_out(who, room)

    def is_out(self, who: Who, room: str) -> None:
        who.rooms.remove(room)
        who.last.pop(room, None)
        for _, where, members in self.waiting:  # they are gone when it comes
            if where == room and who in members:
                members.remove(who)
        self.members[room].remove(who)
        if not self.members[room] and room != "lobby":
            del self.members[room]
            self.topics.pop(room, None)

    @rule(at=places, room=rooms)
    def joins(self, at: int, room: str) -> None:
        who = self.who(at)
        if who is None or room in who.rooms:
            return
        opened = room not in self.members
        told = who.does(f"/join {room}")
        if opened:
            assert f"-- You opened {room}; it is yours." in told
        self.members.setdefault(room, []).append(who)
        who.rooms.append(room)
        self.settle()

    @rule(at=places, room=rooms)
    def parts(self, at: int, room: str) -> None:
        who = self.who(at)
        if who is None:
            return
        told = who.does(f"/leave {room}")
        if room in who.rooms:
            self.is_out(who, room)
            assert told[0].startswith(f"-- You left {room}")
        elif room in self.members:
            assert told == [f"-- You are not in {room}; /join {room} takes you there."]
        else:
            assert told == [f"-- There is no room {room}; /rooms lists them."]
        self.settle()

    @rule(at=places, room=rooms, act=st.booleans())
    def says(self, at: int, room: str, act: bool) -> None:
        who = self.who(at)
        if who is not None and room in who.rooms:
            self.speaks(who, room, act=act)
            self.settle()

    def speaks(self, who: Who, room: str, *, act: bool = False) -> None:
        word = next(self._words)
        who.does(f"/focus {room}")
        who.does(f"/me {word}" if act else word)
        self.is_shown(who, room, word)
        who.last[room] = word

    def is_shown(self, who: Who, room: str, word: str) -> None:
        others = [member for member in self.members[room] if member is not who]
        if self.cut_off is not None:
            far = [each for each in others if self.cut_off in (who.server, each.server)]
            self.waiting.append((word, room, far))
            others = [each for each in others if each not in far]
        for member in others:
            member.is_to_see(word, room)

    @rule(at=places, room=rooms)
    def edits(self, at: int, room: str) -> None:
        who = self.who(at)
        if who is not None and room in who.last and room in who.rooms:
            word = next(self._words)
            who.does(f"/focus {room}")
            assert not any("--" in line for line in who.does(f"/edit {word}"))
            for member in self.members[room]:
                member.is_to_see(word, room)
            self.settle()

    @rule(at=places, room=rooms)
    def deletes(self, at: int, room: str) -> None:
        who = self.who(at)
        if who is not None and room in who.last and room in who.rooms:
            del who.last[room]
            who.does(f"/focus {room}")
            others = [member for member in self.members[room] if member is not who]
            for member in others:
                member.sees()
            who.does("/delete")
            self.settle()
            for member in others:
                lines = member.sees()
                assert f"-- {who.nick} deleted a message in {room}" in lines or (
                    f"-- {who.nick} deleted a message" in lines
                )

    @rule(at=places, nick=nicks)
    def tells(self, at: int, nick: str) -> None:
        who, other = self.who(at), self.carries(nick)
        if who is None or other is who:
            return
        word = next(self._words)
        told = who.does(f"/dm {nick} {word}")
        if other is None:
            assert told == [f"-- There is nobody called {nick}; /users says who is here."]
            return
        assert told == [f"[you -> {nick}] {word}"]
        who.is_to_see(word, "")
        self.settle()
        assert f"[{who.nick} -> you] {word}" in other.sees()
        other.is_to_see(word, "")

    @rule(at=places, nick=nicks)
    def renames(self, at: int, nick: str) -> None:
        who = self.who(at)
        if who is None or who.nick == nick:
            return
        told = who.does(f"/nick {nick}")
        if self.carries(nick) is not None:
            assert told == [f"-- {nick} is taken, or looks like a nick that is."]
        else:
            assert told == [f"-- You are now known as {nick}."]
            who.nick = nick
        self.settle()

    @rule(at=places, nick=nicks, room=rooms)
    def kicks(self, at: int, nick: str, room: str) -> None:
        who, other = self.who(at), self.carries(nick)
        if who is None or other is None or who is other or room not in who.rooms:
            return
        who.does(f"/focus {room}")
        may = self.role(who, room) is not Role.MEMBER
        stronger = other in self.members[room] and self.role(other, room) is not Role.MEMBER
        told = who.does(f"/kick {nick}")
        if not may:
            assert told == [f"-- Only a moderator of {room} may do that."]
        elif room in other.rooms and not stronger:
            self.settle()
            assert any(f"-- You were kicked from {room}" in line for line in other.sees())
            self.is_out(other, room)
        self.settle()

    @rule(at=places, room=rooms)
    def sets_topic(self, at: int, room: str) -> None:
        who = self.who(at)
        if who is None or room not in who.rooms:
            return
        topic = f"topic {next(self._words)[1:]}"
        who.does(f"/focus {room}")
        told = who.does(f"/topic {topic}")
        if self.role(who, room) is Role.MEMBER:
            assert told == [f"-- Only a moderator of {room} may do that."]
        else:
            self.topics[room] = topic
        self.settle()

    @rule(at=places, nick=nicks, room=rooms)
    def promotes(self, at: int, nick: str, room: str) -> None:
        who, other = self.who(at), self.carries(nick)
        if who is None or other is None or room not in who.rooms or room not in other.rooms:
            return
        if self.role(who, room) is Role.OWNER and self.role(other, room) is Role.MEMBER:
            who.does(f"/focus {room}")
            who.does(f"/op {nick}")
            self.settle()
            assert self.role(other, room) is Role.MODERATOR

    # What servers do ------------------------------------------------------------------------------

    @precondition(lambda self: len(self.cluster.servers) < SERVERS)
    @rule()
    def a_server_comes(self) -> None:
        self.cluster.add_server()

    @precondition(lambda self: len(self.cluster.servers) > 1)
    @rule(at=places)
    def a_server_dies(self, at: int) -> None:
        server = self.server(at)
        self.cluster.kill(server)
        for who in [each for each in self.people if each.server is server]:
            self.is_gone(who)
        self.cluster.expire_leases()
        self.settle()

    @rule(does=doings)
    def several_do_something_at_once(self, does: Sequence[Doing]) -> None:
        for doing in does:
            self.does_at_once(*doing)
        self.agrees()

    @rule(at=places, does=doings)
    def a_server_is_cut_off(self, at: int, does: Sequence[Doing]) -> None:
        server = self.server(at)
        self.cluster.disconnect(server)
        # What is said at the server that is cut off comes after what the others say.
        self.cut_off = server
        for cut_off in (False, True):
            for doing in does:
                who = self.who(doing[1])
                if who is not None and (who.server is server) is cut_off:
                    self.does_at_once(*doing)
        for word, room, members in self.waiting:
            for member in members:
                member.is_to_see(word, room)
        self.waiting.clear()
        self.cut_off = None
        self.cluster.reconnect(server)
        self.agrees()

    def does_at_once(self, what: str, at: int, room: str) -> None:
        """Do something while others do something of which one has not heard."""
        who = self.who(at)
        if who is None:
            return
        if room not in who.rooms:
            if what == "join":
                who.does(f"/join {room}")
                self.members.setdefault(room, []).append(who)
                who.rooms.append(room)
        elif what == "say":
            self.speaks(who, room)
        elif what == "leave":
            who.does(f"/leave {room}")
            self.is_out(who, room)
        elif what == "topic":
            topic = f"topic {next(self._words)[1:]}"
            who.does(f"/focus {room}")
            who.does(f"/topic {topic}")
            self.wanted.setdefault(room, set()).add(topic)

    def agrees(self) -> None:
        """Of several topics that were set at once, one is that of the room; which has an owner."""
        self.settle()
        for _ in range(3):
            self.cluster.advance(5)
        for room, topics in self.wanted.items():
            if room in self.members:
                topic = self.cluster.servers[0].chat.rooms[room].settings.topic
                if topic in topics:
                    self.topics[room] = topic
        self.wanted.clear()

    # What holds -----------------------------------------------------------------------------------

    @invariant()
    def all_servers_know_who_is_where(self) -> None:
        for server in self.cluster.servers:
            here = sorted(person.nick for person in server.chat.people.everyone())
            assert here == sorted(who.nick for who in self.people)
            there = {
                name: sorted(person.nick for person in room.members)
                for name, room in server.chat.rooms.items()
            }
            assert there == {
                name: sorted(who.nick for who in members) for name, members in self.members.items()
            }

    @invariant()
    def all_servers_know_what_a_room_is_like(self) -> None:
        for name in self.members:
            seen = {
                (
                    server.chat.rooms[name].settings.topic,
                    *sorted(
                        (person.nick, member.role.value)
                        for person, member in server.chat.rooms[name].members.items()
                    ),
                )
                for server in self.cluster.servers
            }
            [(topic, *roles)] = seen
            assert topic == self.topics.get(name, "")
            owners = [nick for nick, role in roles if role == "owner"]
            assert bool(owners) == (name != "lobby")  # who open one at once both own it

    @invariant()
    def everybody_is_shown_everything_once_in_the_order_of_the_rooms(self) -> None:
        for who in self.people:
            who.sees()
            assert sorted(who.shown) == sorted(chain(*who.words.values()))
            for words in who.words.values():
                assert [word for word in who.shown if word in set(words)] == words


def chosen(examples: int, steps: int) -> settings:
    examples *= int(os.environ.get("CHATD_TEST_CONVERSATIONS", "70"))
    return settings(max_examples=examples // 70, stateful_step_count=steps)


def test_several_servers_behave_as_one() -> None:
    run_state_machine_as_test(Towns, settings=chosen(60, 30))


def test_several_servers_on_nats_behave_as_one(nats: Nats) -> None:
    class Real(Towns):
        make = staticmethod(lambda servers: NatsCluster(nats.account(), servers))

    run_state_machine_as_test(Real, settings=chosen(5, 20))
