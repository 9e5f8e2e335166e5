"""Model test of several servers: they behave as one, for every user and in every room.

The model knows rooms, their members, and what each member is to be shown of the messages there.
In every step users act on some server, one at a time or several at once, or a server starts, dies
or is disconnected for a while; then the messages between the servers are delivered, and all servers
have to agree with the model.
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

#: Every message contains a word of its own, such as w17.
_WORD = re.compile(r"(?<!\S)w\d+(?!\S)")


@dataclass(eq=False)
class ModelUser:
    """A user in the model.

    ``expected`` has the words that they are to be shown in each room, in order, under "" those of
    direct messages; ``seen`` has the words that they were shown, ``last_words`` the word of their
    last message in each room.
    """

    chat_user: User
    server: Server
    nick: str
    rooms: list[str] = field(default_factory=list)
    expected: dict[str, list[str]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    last_words: dict[str, str] = field(default_factory=dict)

    def sees(self) -> list[str]:
        """Return the new lines, and note the words in them."""
        lines = self.chat_user.sees()
        for line in lines:
            if not line.startswith("   "):  # as lists and the history do
                self.seen += _WORD.findall(line)
        return lines

    def expect(self, word: str, room: str) -> None:
        """Expect a word once, after the words expected in the room so far."""
        self.expected.setdefault(room, []).append(word)

    def types(self, line: str) -> list[str]:
        """Type a line; return the lines that it causes at once."""
        self.sees()
        self.chat_user.types(line)
        return self.sees()


class ClusterModel(RuleBasedStateMachine):
    """Users, the members and topics of rooms, and what each user is to be shown.

    ``late`` has the words that arrive once the server ``disconnected`` is connected again, each
    with its room and the members who are to be shown it.  ``topic_candidates`` has the topics of
    each room that were set at once: one of them is to hold.
    """

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

    # Users and servers ----------------------------------------------------------------------------

    def server(self, index: int) -> Server:
        return self.cluster.servers[index % len(self.cluster.servers)]

    def user(self, index: int) -> ModelUser | None:
        return self.users[index % len(self.users)] if self.users else None

    def user_with_nick(self, nick: str) -> ModelUser | None:
        return next((each for each in self.users if each.nick == nick), None)

    def role(self, user: ModelUser, room: str) -> Role:
        members = user.server.chat.rooms[room].members
        return members[user.chat_user.session.person].role

    def deliver_all(self) -> None:
        self.cluster.deliver_all()

    # Actions of users -----------------------------------------------------------------------------

    @precondition(lambda self: len(self.users) < MAX_USERS)
    @rule(index=indexes, nick=nicks)
    def enter(self, index: int, nick: str) -> None:
        server = self.server(index)
        user = ModelUser(server.enters(nick), server, nick)
        if self.user_with_nick(nick) is None:
            assert user.chat_user.nick == nick
        else:
            assert self.user_with_nick(user.chat_user.nick) is None
        user.nick = user.chat_user.nick
        user.rooms.append("lobby")
        self.users.append(user)
        self.members["lobby"].append(user)
        self.deliver_all()

    @rule(index=indexes)
    def leave_server(self, index: int) -> None:
        user = self.user(index)
        if user is not None:
            user.chat_user.leaves("bye")
            self.remove_user(user)
            self.deliver_all()

    def remove_user(self, user: ModelUser) -> None:
        self.users.remove(user)
        for room in tuple(user.rooms):
            self.remove_member(user, room)

    def remove_member(self, user: ModelUser, room: str) -> None:
        user.rooms.remove(room)
        user.last_words.pop(room, None)
        for _, late_room, members in self.late:  # they have left when it arrives
            if late_room == room and user in members:
                members.remove(user)
        self.members[room].remove(user)
        if not self.members[room] and room != "lobby":
            del self.members[room]
            self.topics.pop(room, None)

    @rule(index=indexes, room=rooms)
    def join(self, index: int, room: str) -> None:
        user = self.user(index)
        if user is None or room in user.rooms:
            return
        opened = room not in self.members
        answer = user.types(f"/join {room}")
        if opened:
            assert f"-- You opened {room}; it is yours." in answer
        self.members.setdefault(room, []).append(user)
        user.rooms.append(room)
        self.deliver_all()

    @rule(index=indexes, room=rooms)
    def leave_room(self, index: int, room: str) -> None:
        user = self.user(index)
        if user is None:
            return
        answer = user.types(f"/leave {room}")
        if room in user.rooms:
            self.remove_member(user, room)
            assert answer[0].startswith(f"-- You left {room}")
        elif room in self.members:
            assert answer == [f"-- You are not in {room}; /join {room} takes you there."]
        else:
            assert answer == [f"-- There is no room {room}; /rooms lists them."]
        self.deliver_all()

    @rule(index=indexes, room=rooms, act=st.booleans())
    def say(self, index: int, room: str, act: bool) -> None:
        user = self.user(index)
        if user is not None and room in user.rooms:
            self.say_a_word(user, room, act=act)
            self.deliver_all()

    def say_a_word(self, user: ModelUser, room: str, *, act: bool = False) -> None:
        word = next(self._words)
        user.types(f"/focus {room}")
        user.types(f"/me {word}" if act else word)
        self.expect_for_members(user, room, word)
        user.last_words[room] = word

    def expect_for_members(self, user: ModelUser, room: str, word: str) -> None:
        others = [member for member in self.members[room] if member is not user]
        if self.disconnected is not None:
            far = [each for each in others if self.disconnected in (user.server, each.server)]
            self.late.append((word, room, far))
            others = [each for each in others if each not in far]
        for member in others:
            member.expect(word, room)

    @rule(index=indexes, room=rooms)
    def edit(self, index: int, room: str) -> None:
        user = self.user(index)
        if user is not None and room in user.last_words and room in user.rooms:
            word = next(self._words)
            user.types(f"/focus {room}")
            assert not any("--" in line for line in user.types(f"/edit {word}"))
            for member in self.members[room]:
                member.expect(word, room)
            self.deliver_all()

    @rule(index=indexes, room=rooms)
    def delete(self, index: int, room: str) -> None:
        user = self.user(index)
        if user is not None and room in user.last_words and room in user.rooms:
            del user.last_words[room]
            user.types(f"/focus {room}")
            others = [member for member in self.members[room] if member is not user]
            for member in others:
                member.sees()
            user.types("/delete")
            self.deliver_all()
            for member in others:
                lines = member.sees()
                assert f"-- {user.nick} deleted a message in {room}" in lines or (
                    f"-- {user.nick} deleted a message" in lines
                )

    @rule(index=indexes, nick=nicks)
    def send_direct(self, index: int, nick: str) -> None:
        user, other = self.user(index), self.user_with_nick(nick)
        if user is None or other is user:
            return
        word = next(self._words)
        answer = user.types(f"/dm {nick} {word}")
        if other is None:
            assert answer == [f"-- There is nobody called {nick}; /users says who is here."]
            return
        assert answer == [f"[you -> {nick}] {word}"]
        user.expect(word, "")
        self.deliver_all()
        assert f"[{user.nick} -> you] {word}" in other.sees()
        other.expect(word, "")

    @rule(index=indexes, nick=nicks)
    def rename(self, index: int, nick: str) -> None:
        user = self.user(index)
        if user is None or user.nick == nick:
            return
        answer = user.types(f"/nick {nick}")
        if self.user_with_nick(nick) is not None:
            assert answer == [f"-- {nick} is taken, or looks like a nick that is."]
        else:
            assert answer == [f"-- You are now known as {nick}."]
            user.nick = nick
        self.deliver_all()

    @rule(index=indexes, nick=nicks, room=rooms)
    def kick(self, index: int, nick: str, room: str) -> None:
        user, other = self.user(index), self.user_with_nick(nick)
        if user is None or other is None or user is other or room not in user.rooms:
            return
        user.types(f"/focus {room}")
        is_moderator = self.role(user, room) is not Role.MEMBER
        is_protected = other in self.members[room] and self.role(other, room) is not Role.MEMBER
        answer = user.types(f"/kick {nick}")
        if not is_moderator:
            assert answer == [f"-- Only a moderator of {room} may do that."]
        elif room in other.rooms and not is_protected:
            self.deliver_all()
            assert any(f"-- You were kicked from {room}" in line for line in other.sees())
            self.remove_member(other, room)
        self.deliver_all()

    @rule(index=indexes, room=rooms)
    def set_topic(self, index: int, room: str) -> None:
        user = self.user(index)
        if user is None or room not in user.rooms:
            return
        topic = f"topic {next(self._words)[1:]}"
        user.types(f"/focus {room}")
        answer = user.types(f"/topic {topic}")
        if self.role(user, room) is Role.MEMBER:
            assert answer == [f"-- Only a moderator of {room} may do that."]
        else:
            self.topics[room] = topic
        self.deliver_all()

    @rule(index=indexes, nick=nicks, room=rooms)
    def promote(self, index: int, nick: str, room: str) -> None:
        user, other = self.user(index), self.user_with_nick(nick)
        if user is None or other is None or room not in user.rooms or room not in other.rooms:
            return
        if self.role(user, room) is Role.OWNER and self.role(other, room) is Role.MEMBER:
            user.types(f"/focus {room}")
            user.types(f"/op {nick}")
            self.deliver_all()
            assert self.role(other, room) is Role.MODERATOR

    # Servers --------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.cluster.servers) < MAX_SERVERS)
    @rule()
    def start_server(self) -> None:
        self.cluster.add_server()

    @precondition(lambda self: len(self.cluster.servers) > 1)
    @rule(index=indexes)
    def kill_server(self, index: int) -> None:
        server = self.server(index)
        self.cluster.kill(server)
        for user in [each for each in self.users if each.server is server]:
            self.remove_user(user)
        self.cluster.expire_leases()
        self.deliver_all()

    @rule(chosen=actions)
    def act_at_once(self, chosen: Sequence[Action]) -> None:
        for action in chosen:
            self.act_without_delivery(*action)
        self.settle_topics()

    @rule(index=indexes, chosen=actions)
    def act_while_a_server_is_disconnected(self, index: int, chosen: Sequence[Action]) -> None:
        server = self.server(index)
        self.cluster.disconnect(server)
        # Messages of the disconnected server are stored after those of the others.
        self.disconnected = server
        for is_disconnected in (False, True):
            for action in chosen:
                user = self.user(action[1])
                if user is not None and (user.server is server) is is_disconnected:
                    self.act_without_delivery(*action)
        for word, room, members in self.late:
            for member in members:
                member.expect(word, room)
        self.late.clear()
        self.disconnected = None
        self.cluster.reconnect(server)
        self.settle_topics()

    def act_without_delivery(self, kind: str, index: int, room: str) -> None:
        """Let a user act before what others did has arrived."""
        user = self.user(index)
        if user is None:
            return
        if room not in user.rooms:
            if kind == "join":
                user.types(f"/join {room}")
                self.members.setdefault(room, []).append(user)
                user.rooms.append(room)
        elif kind == "say":
            self.say_a_word(user, room)
        elif kind == "leave":
            user.types(f"/leave {room}")
            self.remove_member(user, room)
        elif kind == "topic":
            topic = f"topic {next(self._words)[1:]}"
            user.types(f"/focus {room}")
            user.types(f"/topic {topic}")
            self.topic_candidates.setdefault(room, set()).add(topic)

    def settle_topics(self) -> None:
        """Let the servers agree, and take over the topics on which they did."""
        self.deliver_all()
        for _ in range(3):
            self.cluster.advance(5)
        for room, topics in self.topic_candidates.items():
            if room in self.members:
                topic = self.cluster.servers[0].chat.rooms[room].settings.topic
                if topic in topics:
                    self.topics[room] = topic
        self.topic_candidates.clear()

    # Invariants -----------------------------------------------------------------------------------

    @invariant()
    def all_servers_know_all_users_and_members(self) -> None:
        for server in self.cluster.servers:
            nicks_here = sorted(person.nick for person in server.chat.people.everyone())
            assert nicks_here == sorted(user.nick for user in self.users)
            members_here = {
                name: sorted(person.nick for person in room.members)
                for name, room in server.chat.rooms.items()
            }
            assert members_here == {
                name: sorted(user.nick for user in members)
                for name, members in self.members.items()
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
            assert bool(owners) == (name != "lobby")  # users who open a room at once all own it

    @invariant()
    def everyone_sees_each_word_once_in_the_order_of_its_room(self) -> None:
        for user in self.users:
            user.sees()
            assert sorted(user.seen) == sorted(chain(*user.expected.values()))
            for words in user.expected.values():
                assert [word for word in user.seen if word in set(words)] == words


def model_settings(examples: int, steps: int) -> settings:
    examples *= int(os.environ.get("CHATD_TEST_CONVERSATIONS", "70"))
    return settings(max_examples=examples // 70, stateful_step_count=steps)


def test_several_servers_behave_as_one() -> None:
    run_state_machine_as_test(ClusterModel, settings=model_settings(60, 30))


def test_several_servers_on_nats_behave_as_one(nats: Nats) -> None:
    class NatsClusterModel(ClusterModel):
        make_cluster = staticmethod(lambda servers: NatsCluster(nats.account(), servers))

    run_state_machine_as_test(NatsClusterModel, settings=model_settings(5, 20))
