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
MAX_USERS, MAX_SERVERS = 6, 3

nicks = st.sampled_from(NICKS)
rooms = st.sampled_from(ROOMS)
indexes = st.integers(0, 11)
Action = tuple[str, int, str]
actions = st.lists(
    st.tuples(st.sampled_from(["say", "join", "leave", "topic"]), indexes, rooms), max_size=6
)

#: What somebody said or did carries a word that nobody else has: w17.
_WORD = re.compile(r"(?<!\S)w\d+(?!\S)")


@dataclass(eq=False)
class ModelUser:
    """Somebody, and the words that they are to be shown of each room, in order."""

    user: User
    server: Server
    nick: str
    rooms: list[str] = field(default_factory=list)
    expected: dict[str, list[str]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    last_words: dict[str, str] = field(default_factory=dict)

    def sees(self) -> list[str]:
        """What is new on the screen; the words in it are remembered."""
        lines = self.user.sees()
        for line in lines:
            if not line.startswith("   "):  # which is a list, or history
                self.seen += _WORD.findall(line)
        return lines

    def expect(self, word: str, room: str) -> None:
        """They are to be shown a word once, after what they were to be shown of a room before."""
        self.expected.setdefault(room, []).append(word)

    def types(self, line: str) -> list[str]:
        """Do something, and see what comes of it at once."""
        self.sees()
        self.user.types(line)
        return self.sees()


class ClusterModel(RuleBasedStateMachine):
    """Rooms as lists of nicks, and what everybody is to be shown."""

    make_cluster: Callable[[int], ChatCluster | NatsCluster] = ChatCluster

    def __init__(self) -> None:
        super().__init__()
        self.users: list[ModelUser] = []
        self.members: dict[str, list[ModelUser]] = {"lobby": []}
        self.topics: dict[str, str] = {}
        self.disconnected: Server | None = None
        self.late: list[tuple[str, str, list[ModelUser]]] = []
        self.topic_candidates: dict[str, set[str]] = {}
        self._words = (f"w{number}" for number in count(1))

    def teardown(self) -> None:
        self.cluster.close()

    @initialize(servers=st.integers(2, MAX_SERVERS))
    def begin(self, servers: int) -> None:
        self.cluster = type(self).make_cluster(servers)

    # Somebody, somewhere --------------------------------------------------------------------------

    def server(self, at: int) -> Server:
        return self.cluster.servers[at % len(self.cluster.servers)]

    def user(self, at: int) -> ModelUser | None:
        return self.users[at % len(self.users)] if self.users else None

    def user_with_nick(self, nick: str) -> ModelUser | None:
        return next((each for each in self.users if each.nick == nick), None)

    def role(self, who: ModelUser, room: str) -> Role:
        there = who.server.chat.rooms[room]
        return there.members[who.user.session.person].role

    def deliver_all(self) -> None:
        self.cluster.deliver_all()

    # What people do -------------------------------------------------------------------------------

    @precondition(lambda self: len(self.people) < MAX_USERS)
    @rule(at=indexes, nick=nicks)
    def enter(self, at: int, nick: str) -> None:
        server = self.server(at)
        who = ModelUser(server.enters(nick), server, nick)
        if self.user_with_nick(nick) is None:
            assert who.user.nick == nick
        else:
            assert self.user_with_nick(who.user.nick) is None
        who.nick = who.user.nick
        who.rooms.append("lobby")
        self.users.append(who)
        self.members["lobby"].append(who)
        self.deliver_all()

    @rule(at=indexes)
    def leave_server(self, at: int) -> None:
        who = self.user(at)
        if who is not None:
            who.user.leaves("bye")
            self.remove_user(who)
            self.deliver_all()

    def remove_user(self, who: ModelUser) -> None:
        self.users.remove(who)
        for room in tuple(who.rooms):
            self.remove_member(who, room)

    def remove_member(self, who: ModelUser, room: str) -> None:
        who.rooms.remove(room)
        who.last_words.pop(room, None)
        for _, where, members in self.late:  # they are gone when it comes
            if where == room and who in members:
                members.remove(who)
        self.members[room].remove(who)
        if not self.members[room] and room != "lobby":
            del self.members[room]
            self.topics.pop(room, None)

    @rule(at=indexes, room=rooms)
    def join(self, at: int, room: str) -> None:
        who = self.user(at)
        if who is None or room in who.rooms:
            return
        opened = room not in self.members
        told = who.types(f"/join {room}")
        if opened:
            assert f"-- You opened {room}; it is yours." in told
        self.members.setdefault(room, []).append(who)
        who.rooms.append(room)
        self.deliver_all()

    @rule(at=indexes, room=rooms)
    def leave_room(self, at: int, room: str) -> None:
        who = self.user(at)
        if who is None:
            return
        told = who.types(f"/leave {room}")
        if room in who.rooms:
            self.remove_member(who, room)
            assert told[0].startswith(f"-- You left {room}")
        elif room in self.members:
            assert told == [f"-- You are not in {room}; /join {room} takes you there."]
        else:
            assert told == [f"-- There is no room {room}; /rooms lists them."]
        self.deliver_all()

    @rule(at=indexes, room=rooms, act=st.booleans())
    def say(self, at: int, room: str, act: bool) -> None:
        who = self.user(at)
        if who is not None and room in who.rooms:
            self.say_a_word(who, room, act=act)
            self.deliver_all()

    def say_a_word(self, who: ModelUser, room: str, *, act: bool = False) -> None:
        word = next(self._words)
        who.types(f"/focus {room}")
        who.types(f"/me {word}" if act else word)
        self.expect_for_members(who, room, word)
        who.last_words[room] = word

    def expect_for_members(self, who: ModelUser, room: str, word: str) -> None:
        others = [member for member in self.members[room] if member is not who]
        if self.disconnected is not None:
            far = [each for each in others if self.disconnected in (who.server, each.server)]
            self.late.append((word, room, far))
            others = [each for each in others if each not in far]
        for member in others:
            member.expect(word, room)

    @rule(at=indexes, room=rooms)
    def edit(self, at: int, room: str) -> None:
        who = self.user(at)
        if who is not None and room in who.last_words and room in who.rooms:
            word = next(self._words)
            who.types(f"/focus {room}")
            assert not any("--" in line for line in who.types(f"/edit {word}"))
            for member in self.members[room]:
                member.expect(word, room)
            self.deliver_all()

    @rule(at=indexes, room=rooms)
    def delete(self, at: int, room: str) -> None:
        who = self.user(at)
        if who is not None and room in who.last_words and room in who.rooms:
            del who.last_words[room]
            who.types(f"/focus {room}")
            others = [member for member in self.members[room] if member is not who]
            for member in others:
                member.sees()
            who.types("/delete")
            self.deliver_all()
            for member in others:
                lines = member.sees()
                assert f"-- {who.nick} deleted a message in {room}" in lines or (
                    f"-- {who.nick} deleted a message" in lines
                )

    @rule(at=indexes, nick=nicks)
    def send_direct(self, at: int, nick: str) -> None:
        who, other = self.user(at), self.user_with_nick(nick)
        if who is None or other is who:
            return
        word = next(self._words)
        told = who.types(f"/dm {nick} {word}")
        if other is None:
            assert told == [f"-- There is nobody called {nick}; /users says who is here."]
            return
        assert told == [f"[you -> {nick}] {word}"]
        who.expect(word, "")
        self.deliver_all()
        assert f"[{who.nick} -> you] {word}" in other.sees()
        other.expect(word, "")

    @rule(at=indexes, nick=nicks)
    def rename(self, at: int, nick: str) -> None:
        who = self.user(at)
        if who is None or who.nick == nick:
            return
        told = who.types(f"/nick {nick}")
        if self.user_with_nick(nick) is not None:
            assert told == [f"-- {nick} is taken, or looks like a nick that is."]
        else:
            assert told == [f"-- You are now known as {nick}."]
            who.nick = nick
        self.deliver_all()

    @rule(at=indexes, nick=nicks, room=rooms)
    def kick(self, at: int, nick: str, room: str) -> None:
        who, other = self.user(at), self.user_with_nick(nick)
        if who is None or other is None or who is other or room not in who.rooms:
            return
        who.types(f"/focus {room}")
        may = self.role(who, room) is not Role.MEMBER
        stronger = other in self.members[room] and self.role(other, room) is not Role.MEMBER
        told = who.types(f"/kick {nick}")
        if not may:
            assert told == [f"-- Only a moderator of {room} may do that."]
        elif room in other.rooms and not stronger:
            self.deliver_all()
            assert any(f"-- You were kicked from {room}" in line for line in other.sees())
            self.remove_member(other, room)
        self.deliver_all()

    @rule(at=indexes, room=rooms)
    def set_topic(self, at: int, room: str) -> None:
        who = self.user(at)
        if who is None or room not in who.rooms:
            return
        topic = f"topic {next(self._words)[1:]}"
        who.types(f"/focus {room}")
        told = who.types(f"/topic {topic}")
        if self.role(who, room) is Role.MEMBER:
            assert told == [f"-- Only a moderator of {room} may do that."]
        else:
            self.topics[room] = topic
        self.deliver_all()

    @rule(at=indexes, nick=nicks, room=rooms)
    def promote(self, at: int, nick: str, room: str) -> None:
        who, other = self.user(at), self.user_with_nick(nick)
        if who is None or other is None or room not in who.rooms or room not in other.rooms:
            return
        if self.role(who, room) is Role.OWNER and self.role(other, room) is Role.MEMBER:
            who.types(f"/focus {room}")
            who.types(f"/op {nick}")
            self.deliver_all()
            assert self.role(other, room) is Role.MODERATOR

    # What servers do ------------------------------------------------------------------------------

    @precondition(lambda self: len(self.cluster.servers) < MAX_SERVERS)
    @rule()
    def start_server(self) -> None:
        self.cluster.add_server()

    @precondition(lambda self: len(self.cluster.servers) > 1)
    @rule(at=indexes)
    def kill_server(self, at: int) -> None:
        server = self.server(at)
        self.cluster.kill(server)
        for who in [each for each in self.users if each.server is server]:
            self.remove_user(who)
        self.cluster.expire_leases()
        self.deliver_all()

    @rule(does=actions)
    def act_at_once(self, does: Sequence[Action]) -> None:
        for doing in does:
            self.act_without_delivery(*doing)
        self.settle_topics()

    @rule(at=indexes, does=actions)
    def act_while_a_server_is_disconnected(self, at: int, does: Sequence[Action]) -> None:
        server = self.server(at)
        self.cluster.disconnect(server)
        # What is said at the server that is cut off comes after what the others say.
        self.disconnected = server
        for cut_off in (False, True):
            for doing in does:
                who = self.user(doing[1])
                if who is not None and (who.server is server) is cut_off:
                    self.act_without_delivery(*doing)
        for word, room, members in self.late:
            for member in members:
                member.expect(word, room)
        self.late.clear()
        self.disconnected = None
        self.cluster.reconnect(server)
        self.settle_topics()

    def act_without_delivery(self, what: str, at: int, room: str) -> None:
        """Do something while others do something of which one has not heard."""
        who = self.user(at)
        if who is None:
            return
        if room not in who.rooms:
            if what == "join":
                who.types(f"/join {room}")
                self.members.setdefault(room, []).append(who)
                who.rooms.append(room)
        elif what == "say":
            self.say_a_word(who, room)
        elif what == "leave":
            who.types(f"/leave {room}")
            self.remove_member(who, room)
        elif what == "topic":
            topic = f"topic {next(self._words)[1:]}"
            who.types(f"/focus {room}")
            who.types(f"/topic {topic}")
            self.topic_candidates.setdefault(room, set()).add(topic)

    def settle_topics(self) -> None:
        """Of several topics that were set at once, one is that of the room; which has an owner."""
        self.deliver_all()
        for _ in range(3):
            self.cluster.advance(5)
        for room, topics in self.topic_candidates.items():
            if room in self.members:
                topic = self.cluster.servers[0].chat.rooms[room].settings.topic
                if topic in topics:
                    self.topics[room] = topic
        self.topic_candidates.clear()

    # What holds -----------------------------------------------------------------------------------

    @invariant()
    def all_servers_know_all_users_and_members(self) -> None:
        for server in self.cluster.servers:
            here = sorted(person.nick for person in server.chat.people.everyone())
            assert here == sorted(who.nick for who in self.users)
            there = {
                name: sorted(person.nick for person in room.members)
                for name, room in server.chat.rooms.items()
            }
            assert there == {
                name: sorted(who.nick for who in members) for name, members in self.members.items()
            }

    @invariant()
    def all_servers_know_topics_and_roles(self) -> None:
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
    def everyone_sees_each_word_once_in_the_order_of_its_room(self) -> None:
        for who in self.users:
            who.sees()
            assert sorted(who.seen) == sorted(chain(*who.expected.values()))
            for words in who.expected.values():
                assert [word for word in who.seen if word in set(words)] == words


def model_settings(examples: int, steps: int) -> settings:
    examples *= int(os.environ.get("CHATD_TEST_CONVERSATIONS", "70"))
    return settings(max_examples=examples // 70, stateful_step_count=steps)


def test_several_servers_behave_as_one() -> None:
    run_state_machine_as_test(ClusterModel, settings=model_settings(60, 30))


def test_several_servers_on_nats_behave_as_one(nats: Nats) -> None:
    class Real(ClusterModel):
        make = staticmethod(lambda servers: NatsCluster(nats.account(), servers))

    run_state_machine_as_test(Real, settings=model_settings(5, 20))
