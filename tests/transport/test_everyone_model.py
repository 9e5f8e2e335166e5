"""Model test of all ways in: users of every kind of client, in the same rooms.

The model is lists and dictionaries, without any of chatd's code; the expected output of each
protocol is written out again from docs/protocol.rst.  ``CHATD_TEST_CONVERSATIONS`` sets the number
of examples.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.all_clients.clients import (
    Act,
    AllProtocolsServer,
    AssignmentClient,
    Client,
    DirectMessage,
    Focus,
    Join,
    JsonClient,
    Kick,
    Leave,
    Netcat,
    Quit,
    Rename,
    Request,
    Say,
    SetTopic,
    Shell,
    Ssh,
    Tail,
    Telnet,
    to_json,
)
from tests.support.all_clients.model import Model, matches_steps
from tests.support.all_clients.renderings import RENDERINGS, Rendering, members_in_words
from tests.support.all_clients.world import Person, Room

KINDS = ("line", "telnet", "shell", "lines by ssh", "tcd", "json", "bot", "tail", "tail --json")
#: Some are in another script or in other capitals; the last is taken most of the time.
NICKS = ("ada", "bob", "Zoë", "Ада", "Ada", "ada")
ROOMS = ("lobby", "attic", "cellar")
WORDS = ("hello", "grüße, 日本 🙂", "ada: look", "(BOB), ada!", '{"message": "x"}', "CHAT: later?")
#: Users at a time, at most: more would meet each other too rarely.
MAX_PEOPLE = 9


indexes = st.integers(0, MAX_PEOPLE - 1)
kinds = st.sampled_from(KINDS)
nicks = st.sampled_from(NICKS)
rooms = st.sampled_from(ROOMS)
words = st.sampled_from(WORDS)
#: Where a packet is cut in two, modulo its length.
cuts = st.integers(1, 300)
#: The target of a request: the index of a user, or a nick that nobody has.
targets = st.one_of(indexes, st.just("nobody"))
#: A request, before its target and its text are filled in: kind, argument, text.
request_parts = st.one_of(
    st.tuples(st.sampled_from(["say", "act", "topic"]), rooms, words),
    st.tuples(st.just("say"), rooms, words),
    st.tuples(st.sampled_from(["join", "leave", "focus"]), rooms, words),
    st.tuples(st.sampled_from(["whisper", "kick"]), targets, words),
    st.tuples(st.just("rename"), nicks, words),
)
RequestParts = tuple[str, str | int, str]


class AllClients(RuleBasedStateMachine):
    """Users of all kinds, at the server and in the model."""

    def __init__(self) -> None:
        super().__init__()
        self.server = AllProtocolsServer()
        self.model = Model()
        self.message_count = 0
        self._connect_observers()

    def _connect_observers(self) -> None:
        """Connect a netcat, a bot and an ssh that are in no room and request lists of members."""
        self.clerk, self.census = Netcat(self.server), JsonClient(self.server, "census", bot=True)
        self.census.send(self.census.login_request() + b'{"leave": "lobby"}')
        self.clerk.send(b"/nick clerk\n/leave lobby\n")
        self.script = Ssh(self.server, "script")
        for each in (self.clerk, self.census):
            each.read_output()

    # Connecting -----------------------------------------------------------------------------------

    @initialize(
        kinds=st.permutations(KINDS),
        number=st.integers(5, 7),
        cellar=st.booleans(),
        leaving=st.sets(indexes),
    )
    def connect_several(
        self, kinds: list[str], number: int, cellar: bool, leaving: set[int]
    ) -> None:
        """Connect users that are all in the attic, some of them in the lobby or the cellar."""
        nicks = ("ada", "bob", "Zoë", "Ада", "cy", "dee", "eve")
        for kind, nick in zip(kinds[:number], nicks, strict=False):
            self.connect(kind, nick, "attic" if kind in ("tail", "tail --json") else "lobby", 0, 0)
            if self.model.people and (newest := self.model.people[-1]).nick == nick:
                self.send_requests(newest, [Join("cellar")] * cellar + [Join("attic")])
            self.check_all_outputs()
        for index, person in enumerate(self.model.people):
            if index in leaving:
                self.send_requests(person, [Leave("lobby")])

    @precondition(lambda self: len(self.model.people) < MAX_PEOPLE)
    @rule(kind=kinds, nick=nicks, room=rooms, cut=cuts, last=st.integers(0, 3))
    def connect(self, kind: str, nick: str, room: str, cut: int, last: int) -> None:
        """Connect a user, with a nick that may be taken."""
        if kind in ("line", "telnet"):
            client = Netcat(self.server) if kind == "line" else Telnet(self.server)
            self.expect_greeting(self.add_person(kind, client, self.model.free_guest_nick()))
            self.send_requests(self.model.people[-1], [Rename(nick)], cut)
        elif kind in ("shell", "lines by ssh"):
            shell = Shell(self.server, nick, terminal=kind == "shell")
            self.expect_greeting(self.add_person(kind, shell, self.model.free_variant(nick)), nick)
        elif kind == "tcd":
            self.connect_tcd(nick, room, cut)
        elif kind in ("json", "bot"):
            self.connect_json(kind, nick, cut)
        else:
            self.connect_tail(kind, nick, room, last)

    def add_person(self, kind: str, client: Client, nick: str) -> Person:
        person = Person(nick, RENDERINGS[kind], client)
        self.model.people.append(person)
        self.server.end_turn()
        self.model.now = self.server.clock.seconds()
        return person

    def expect_greeting(self, person: Person, wanted: str = "") -> None:
        if wanted not in ("", person.nick):
            self.model.reply(person, [f"-- {wanted} is taken; you are {person.nick}."])
        lobby = self.model.join(person, "lobby")
        others = members_in_words([other.nick for other in lobby.members if other is not person])
        greeting = f"-- You are {person.nick} in lobby, {others}; /help says what you can do."
        self.model.reply(person, [greeting])

    def connect_tcd(self, nick: str, room: str, cut: int) -> None:
        client = AssignmentClient(self.server, nick, self.ref_of)
        if self.model.person(nick) is not None:
            client.send(client.encode_request(Join(room)) or b"", cut)
            assert client.read_output() == ["ERROR_CODE: 10\nERROR_DESCRIPTION: TEXT\n"]
            client.nick = self.model.free_variant(nick)
        person = Person(client.nick, RENDERINGS["tcd"], client)
        self.model.people.append(person)
        self.send_requests(person, [Join(room)], cut)

    def connect_json(self, kind: str, nick: str, cut: int) -> None:
        client = JsonClient(self.server, nick, bot=kind == "bot")
        if self.model.person(nick) is not None:
            client.send(client.login_request(), cut)
            reason = f"{nick} is taken, or looks like a nick that is."
            more = {"error": reason} if kind == "bot" else {}
            refused: dict[str, object] = {"isConnected": False, "errorCode": 1, **more}
            assert client.read_output() == [to_json(refused)]
            client.nick = self.model.free_variant(nick)
        client.send(client.login_request(), cut)
        person = self.add_person(kind, client, client.nick)
        where = {"room": "lobby"} if kind == "bot" else {}
        self.model.reply(person, [to_json({"isConnected": True, "errorCode": -1, **where})])
        self.model.join(person, "lobby")

    def connect_tail(self, kind: str, nick: str, room: str, last: int) -> None:
        client = Tail(self.server, nick, room, objects=kind == "tail --json", last=last)
        found = self.model.room(room)
        if found is None:
            assert client.read_output() == []
            assert client.read_output() == []
            assert client.errors.decode() == f"chatd: There is no room {room}; /rooms lists them.\n"
            assert (client.status, client.closed) == (1, True)
            client.lose_connection()
            return
        person = self.add_person(kind, client, self.model.free_variant(nick))
        person.focus = found
        before = found.history[len(found.history) - min(last, len(found.history)) :]
        person.show_personal(
            [line for event in before for line in person.rendering.room_event(event, person)]
        )
        self.model.join(person, room)

    def ref_of(self, room: str) -> int:
        found = self.model.room(room)
        return found.ref or 999 if found is not None else 999

    # Requests -------------------------------------------------------------------------------------

    def make_request(self, person: Person, parts: RequestParts) -> Request:
        """Return a request, with a text that was not sent before."""
        kind, argument, text = parts
        self.message_count += 1
        text = f"{self.message_count} {text}"
        target = str(argument)
        if isinstance(argument, int):
            candidates = (
                person.focus.members if kind == "kick" and person.focus else self.model.people
            )
            target = candidates[argument % len(candidates)].nick
        if (
            kind == "say"
            and isinstance(person.client, AssignmentClient)
            and self.message_count % 3 == 0
        ):
            text += "\nand more\nNOTE: the end"
        requests: dict[str, Request] = {
            "join": Join(target),
            "leave": Leave(target),
            "focus": Focus(target),
            "say": Say(target, text),
            "act": Act(text),
            "topic": SetTopic(target, text),
            "whisper": DirectMessage(target, text),
            "kick": Kick(target, text),
            "rename": Rename(target),
        }
        return requests[kind]

    def send_requests(
        self, person: Person, requests: Sequence[Request], cut: int = 0, *, unfinished: bool = False
    ) -> None:
        """Send several requests of a user in one packet, which may be cut in two.

        With ``unfinished`` the last one has no end; then the server handles it after a silence.
        """
        clock, client, data = self.server.clock, person.client, b""
        self.model.now = clock.seconds()
        *first, last = requests
        for each in first:
            if (piece := client.encode_request(each)) is not None:
                data += piece
                self.model.handle(person, each)
        unfinished = unfinished and isinstance(client, AssignmentClient)
        piece = client.encode_request(last)
        if unfinished:
            data += (piece or b"").rstrip(b"\n")
            client.send(data, cut % (len(data) + 1))
            self.model.end_turn()
            clock.advance(0.3)
            self.model.now = clock.seconds()
        else:
            data += piece or b""
            client.send(data, cut % (len(data) + 1))
        if piece is not None:
            self.model.handle(person, last)

    def person(self, index: int) -> Person:
        return self.model.people[index % len(self.model.people)]

    @precondition(lambda self: self.model.people)
    @rule(index=indexes, parts=request_parts, cut=cuts, unfinished=st.booleans())
    def send_one_request(self, index: int, parts: RequestParts, cut: int, unfinished: bool) -> None:
        person = self.person(index)
        self.send_requests(person, [self.make_request(person, parts)], cut, unfinished=unfinished)

    @precondition(lambda self: self.model.people)
    @rule(
        index=indexes,
        parts=st.lists(request_parts, min_size=2, max_size=4),
        cut=cuts,
        open=st.booleans(),
    )
    def send_several_requests_at_once(
        self, index: int, parts: list[RequestParts], cut: int, open: bool
    ) -> None:
        person = self.person(index)
        self.send_requests(
            person, [self.make_request(person, each) for each in parts], cut, unfinished=open
        )

    @precondition(lambda self: self.model.people)
    @rule(parts=st.lists(st.tuples(indexes, request_parts), min_size=2, max_size=4))
    def act_in_one_turn(self, parts: list[tuple[int, RequestParts]]) -> None:
        for index, each in parts:
            if self.model.people:
                person = self.person(index)
                self.send_requests(person, [self.make_request(person, each)])

    @precondition(lambda self: self.model.people)
    @rule(index=indexes, other=indexes, text=words, then=request_parts, leaves=st.booleans())
    def speak_while_another_acts(
        self, index: int, other: int, text: str, then: RequestParts, leaves: bool
    ) -> None:
        """Let two members act in one turn, so that the message has not been shown yet."""
        person = self.person(index)
        room = person.focus
        if room is None:
            return
        other_member = room.members[other % len(room.members)]
        self.send_requests(person, [self.make_request(person, ("say", room.name, text))])
        self.send_requests(
            other_member, [self.make_request(other_member, then), Leave(room.name)][leaves:]
        )

    @precondition(lambda self: self.model.people)
    @rule(index=indexes, first_other=indexes, text=words, cut=cuts)
    def send_direct_messages(self, index: int, first_other: int, text: str, cut: int) -> None:
        writers = [
            person
            for person in self.model.people
            if person.client.encode_request(DirectMessage("x", "x")) is not None
        ]
        if writers:
            writer = writers[index % len(writers)]
            for other in range(first_other, first_other + 3):
                self.send_requests(
                    writer, [self.make_request(writer, ("whisper", other, text))], cut
                )

    @precondition(lambda self: self.rooms_with_owner())
    @rule(which=indexes, member=indexes, reason=words)
    def kick_as_owner(self, which: int, member: int, reason: str) -> None:
        owned = self.rooms_with_owner()
        room = owned[which % len(owned)]
        assert room.owner is not None
        nick = room.members[member % len(room.members)].nick
        self.send_requests(room.owner, [Focus(room.name), Kick(nick, reason)])

    def rooms_with_owner(self) -> list[Room]:
        """Return the rooms whose owner can kick."""
        return [
            room
            for room in self.model.rooms.values()
            if room.owner is not None
            and room.owner.client.encode_request(Kick("x", "")) is not None
        ]

    @rule(room=rooms, text=words)
    def say_by_script(self, room: str, text: str) -> None:
        """Say something by ``ssh host say ROOM TEXT``, without joins or departures."""
        found = self.model.room(room)
        if found is not None:
            self.message_count += 1
            self.model.now = self.server.clock.seconds()
            text = f"{self.message_count} {text}"
            assert self.script.output(f"say {room} '{text}'") == []
            author = Person("script", Rendering(), self.script)
            self.model.post_event("said", found, author, text)

    # Leaving --------------------------------------------------------------------------------------

    @precondition(lambda self: self.model.people)
    @rule(index=indexes, cut=cuts, before=st.lists(request_parts, max_size=2))
    def quit(self, index: int, cut: int, before: list[RequestParts]) -> None:
        """Let a user quit, perhaps in one packet with other requests."""
        person = self.person(index)
        client = person.client
        if isinstance(client, Tail):
            client.interrupt()
            self.model.now = self.server.clock.seconds()
            self.model.leave(person)
        else:
            requests = [self.make_request(person, each) for each in before]
            self.send_requests(person, [*requests, Quit("good night")], cut)
        self.check_output(person)
        if isinstance(client, Ssh):
            assert client.read_output() == []
            assert client.status == (130 if isinstance(client, Tail) else 0)
        assert client.closed
        client.lose_connection()

    @precondition(lambda self: self.model.people)
    @rule(index=indexes)
    def lose_connection(self, index: int) -> None:
        """Lose a connection."""
        person = self.person(index)
        self.model.now = self.server.clock.seconds()
        self.model.leave(person)
        person.client.lose_connection()

    # Checks ---------------------------------------------------------------------------------------

    def check_output(self, person: Person) -> None:
        """Compare the output of a client with the expected one."""
        person.show_pending()
        lines, steps, person.steps = person.client.read_output(), person.steps, []
        assert matches_steps(lines, steps), (person.nick, lines, steps)
        assert person.client.bells == person.bells
        person.bells = 0

    @invariant()
    def server_matches_model(self) -> None:
        self.check_all_outputs()
        self.check_observers_see_nothing()
        self.check_lists_of_members()

    def check_all_outputs(self) -> None:
        self.server.end_turn()
        while self.model.ended:
            person = self.model.ended.pop()
            self.check_output(person)
            assert isinstance(person.client, Tail)
            assert person.client.read_output() == []
            assert (person.client.status, person.client.closed) == (1, True)
            person.client.lose_connection()
        for person in self.model.people:
            self.check_output(person)
            client = person.client
            assert not client.closed
            if client.prompt is not None:
                focus = re.escape(person.focus.name) if person.focus else "-"
                assert re.fullmatch(rf"\[{focus}\] (\(.*[0-9]!?\) )?", client.prompt)

    def check_observers_see_nothing(self) -> None:
        assert self.clerk.read_output() == []
        assert self.census.read_output() == []

    def check_lists_of_members(self) -> None:
        existing = self.model.rooms.values()
        for room in existing:
            self.clerk.send(f"/users {room.name}\n".encode())
            self.census.send(to_json({"users": room.name}).encode())
        listed, counted = [], []
        for room in existing:
            listed.append(f"-- {room.name}: {len(room.members)} here")
            marks = {person: " (owner)" * (person is room.owner) for person in room.members}
            listed += [f"   {person.nick}{mark}" for person, mark in marks.items()]
            users = [
                {"nick": person.nick, "role": role, "away": None, "muted": False}
                for person in room.members
                for role in ["owner" if person is room.owner else "member"]
            ]
            fields = {"ok": True, "room": room.name, "count": len(room.members), "users": users}
            counted.append(to_json(fields))
        assert self.clerk.read_output() == listed
        assert self.census.read_output() == counted
        members = [f"{each.nick} {','.join(_names(each))}".rstrip() for each in self.model.people]
        assert sorted(self.script.output("who")) == sorted([*members, "clerk", "census"])
        rows = [f"{room.name} {len(room.members)} {room.topic}".rstrip() for room in existing]
        assert sorted(self.script.output("rooms")) == sorted(rows)

    def teardown(self) -> None:
        while self.model.people:
            self.lose_connection(0)
            self.check_all_outputs()
        for client in (self.clerk, self.census, self.script):
            client.lose_connection()
        self.server.end_turn()
        assert len(self.server.memory_server.chat.people) == 0
        assert list(self.server.memory_server.chat.rooms) == ["lobby"]
        assert self.server.memory_server.admission.here == 0
        self.server.clock.advance(1)
        assert self.server.clock.getDelayedCalls() == []


def _names(person: Person) -> list[str]:
    return [room.name for room in person.rooms]


TestAllClients = pytest.mark.usefixtures("no_pauses")(AllClients.TestCase)
TestAllClients.settings = settings(
    max_examples=int(os.environ.get("CHATD_TEST_CONVERSATIONS", "70")), stateful_step_count=30
)
