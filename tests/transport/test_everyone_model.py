"""Users of every way in, in the same rooms, against one simple model of what each of them sees.

The model is lists and dictionaries, and the words of each protocol are written out here, from
docs/protocol.rst.  ``CHATD_TEST_CONVERSATIONS`` asks for more of them, for a longer look.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

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
#: Some of them in another script or in other capitals; the last is the one that all want.
NICKS = ("ada", "bob", "Zoë", "Ада", "Ada", "ada")
ROOMS = ("lobby", "attic", "cellar")
WORDS = ("hello", "grüße, 日本 🙂", "ada: look", "(BOB), ada!", '{"message": "x"}', "CHAT: later?")
#: The most people at a time: more would meet each other too seldom.
CROWD = 9


someone = st.integers(0, CROWD - 1)
kinds = st.sampled_from(KINDS)
nicks = st.sampled_from(NICKS)
rooms = st.sampled_from(ROOMS)
words = st.sampled_from(WORDS)
#: In two pieces, at this byte or, when there are fewer, going round.
cuts = st.integers(1, 300)
#: Whom somebody means: one of those who are here, or perhaps nobody.
whom = st.one_of(someone, st.just("nobody"))
#: What somebody asks for, but for its words and for whom they mean.
asked = st.one_of(
    st.tuples(st.sampled_from(["say", "act", "topic"]), rooms, words),
    st.tuples(st.just("say"), rooms, words),
    st.tuples(st.sampled_from(["join", "leave", "focus"]), rooms, words),
    st.tuples(st.sampled_from(["whisper", "kick"]), whom, words),
    st.tuples(st.just("rename"), nicks, words),
)
Asked = tuple[str, str | int, str]


class Everyone(RuleBasedStateMachine):
    """Users of all kinds, at the server and in the model."""

    def __init__(self) -> None:
        super().__init__()
        self.port = AllProtocolsServer()
        self.model = Model()
        self.said = 0
        self._come_those_who_count()

    def _come_those_who_count(self) -> None:
        """A netcat, a bot and an ssh who are in no room, see nothing, and ask who is here."""
        self.clerk, self.census = Netcat(self.port), JsonClient(self.port, "census", bot=True)
        self.census.send(self.census.login_request() + b'{"leave": "lobby"}')
        self.clerk.send(b"/nick clerk\n/leave lobby\n")
        self.script = Ssh(self.port, "script")
        for each in (self.clerk, self.census):
            each.read_output()

    # Coming

    @initialize(
        kinds=st.permutations(KINDS),
        number=st.integers(5, 7),
        cellar=st.booleans(),
        leaving=st.sets(someone),
    )
    def some_are_here(self, kinds: list[str], number: int, cellar: bool, leaving: set[int]) -> None:
        """Let all be in the attic, some in the lobby, and perhaps in the cellar."""
        nicks = ("ada", "bob", "Zoë", "Ада", "cy", "dee", "eve")
        for kind, nick in zip(kinds[:number], nicks, strict=False):
            self.come(kind, nick, "attic" if kind in ("tail", "tail --json") else "lobby", 0, 0)
            if self.model.people and (newest := self.model.people[-1]).nick == nick:
                self.ask(newest, [Join("cellar")] * cellar + [Join("attic")])
            self.everyone_sees_what_the_model_says()
        for who, person in enumerate(self.model.people):
            if who in leaving:
                self.ask(person, [Leave("lobby")])

    @precondition(lambda self: len(self.model.people) < CROWD)
    @rule(kind=kinds, nick=nicks, room=rooms, cut=cuts, last=st.integers(0, 3))
    def come(self, kind: str, nick: str, room: str, cut: int, last: int) -> None:
        """Connect a user, with a nick that may be taken."""
        if kind in ("line", "telnet"):
            client = Netcat(self.port) if kind == "line" else Telnet(self.port)
            self.greeted(self.enters(kind, client, self.model.free_guest_nick()))
            self.ask(self.model.people[-1], [Rename(nick)], cut)
        elif kind in ("shell", "lines by ssh"):
            shell = Shell(self.port, nick, terminal=kind == "shell")
            self.greeted(self.enters(kind, shell, self.model.free_variant(nick)), nick)
        elif kind == "tcd":
            self.come_by_tcd(nick, room, cut)
        elif kind in ("json", "bot"):
            self.come_by_json(kind, nick, cut)
        else:
            self.come_to_read(kind, nick, room, last)

    def enters(self, kind: str, client: Client, nick: str) -> Person:
        person = Person(nick, RENDERINGS[kind], client)
        self.model.people.append(person)
        self.port.end_turn()
        self.model.now = self.port.clock.seconds()
        return person

    def greeted(self, person: Person, wanted: str = "") -> None:
        if wanted not in ("", person.nick):
            self.model.reply(person, [f"-- {wanted} is taken; you are {person.nick}."])
        lobby = self.model.join(person, "lobby")
        others = members_in_words([other.nick for other in lobby.members if other is not person])
        told = f"-- You are {person.nick} in lobby, {others}; /help says what you can do."
        self.model.reply(person, [told])

    def come_by_tcd(self, nick: str, room: str, cut: int) -> None:
        client = AssignmentClient(self.port, nick, self.ref_of)
        if self.model.person(nick) is not None:
            client.send(client.encode_request(Join(room)) or b"", cut)
            assert client.read_output() == ["ERROR_CODE: 10\nERROR_DESCRIPTION: TEXT\n"]
            client.nick = self.model.free_variant(nick)
        person = Person(client.nick, RENDERINGS["tcd"], client)
        self.model.people.append(person)
        self.ask(person, [Join(room)], cut)

    def come_by_json(self, kind: str, nick: str, cut: int) -> None:
        client = JsonClient(self.port, nick, bot=kind == "bot")
        if self.model.person(nick) is not None:
            client.send(client.login_request(), cut)
            why = f"{nick} is taken, or looks like a nick that is."
            more = {"error": why} if kind == "bot" else {}
            refused: dict[str, object] = {"isConnected": False, "errorCode": 1, **more}
            assert client.read_output() == [to_json(refused)]
            client.nick = self.model.free_variant(nick)
        client.send(client.login_request(), cut)
        person = self.enters(kind, client, client.nick)
        where = {"room": "lobby"} if kind == "bot" else {}
        self.model.reply(person, [to_json({"isConnected": True, "errorCode": -1, **where})])
        self.model.join(person, "lobby")

    def come_to_read(self, kind: str, nick: str, room: str, last: int) -> None:
        client = Tail(self.port, nick, room, objects=kind == "tail --json", last=last)
        there = self.model.room(room)
        if there is None:
            assert client.read_output() == []
            assert client.read_output() == []
            assert client.errors.decode() == f"chatd: There is no room {room}; /rooms lists them.\n"
            assert (client.status, client.closed) == (1, True)
            client.lose_connection()
            return
        person = self.enters(kind, client, self.model.free_variant(nick))
        person.focus = there
        before = there.history[len(there.history) - min(last, len(there.history)) :]
        person.show_personal(
            [line for event in before for line in person.rendering.room_event(event, person)]
        )
        self.model.join(person, room)

    def ref_of(self, room: str) -> int:
        found = self.model.room(room)
        return found.number if found is not None else 999

    # Asking

    def request(self, person: Person, asked: Asked) -> Request:
        """Return a request, with words that have not been said before."""
        kind, what, text = asked
        self.said += 1
        text = f"{self.said} {text}"
        whom = str(what)
        if isinstance(what, int):
            near = person.focus.members if kind == "kick" and person.focus else self.model.people
            whom = near[what % len(near)].nick
        if kind == "say" and isinstance(person.client, AssignmentClient) and self.said % 3 == 0:
            text += "\nand more\nNOTE: the end"
        requests: dict[str, Request] = {
            "join": Join(whom),
            "leave": Leave(whom),
            "focus": Focus(whom),
            "say": Say(whom, text),
            "act": Act(text),
            "topic": SetTopic(whom, text),
            "whisper": DirectMessage(whom, text),
            "kick": Kick(whom, text),
            "rename": Rename(whom),
        }
        return requests[kind]

    def ask(
        self, person: Person, requests: Sequence[Request], cut: int = 0, *, unfinished: bool = False
    ) -> None:
        """Send several requests of a user in one packet, which may be cut in two.

        The end of the last one may be missing; then it counts after a silence.
        """
        clock, client, data = self.port.clock, person.client, b""
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

    def somebody(self, who: int) -> Person:
        return self.model.people[who % len(self.model.people)]

    @precondition(lambda self: self.model.people)
    @rule(who=someone, asked=asked, cut=cuts, unfinished=st.booleans())
    def one_does_something(self, who: int, asked: Asked, cut: int, unfinished: bool) -> None:
        person = self.somebody(who)
        self.ask(person, [self.request(person, asked)], cut, unfinished=unfinished)

    @precondition(lambda self: self.model.people)
    @rule(who=someone, asked=st.lists(asked, min_size=2, max_size=4), cut=cuts, open=st.booleans())
    def one_does_much_at_once(self, who: int, asked: list[Asked], cut: int, open: bool) -> None:
        person = self.somebody(who)
        self.ask(person, [self.request(person, each) for each in asked], cut, unfinished=open)

    @precondition(lambda self: self.model.people)
    @rule(asked=st.lists(st.tuples(someone, asked), min_size=2, max_size=4))
    def several_do_something_in_one_turn(self, asked: list[tuple[int, Asked]]) -> None:
        for who, what in asked:
            if self.model.people:
                person = self.somebody(who)
                self.ask(person, [self.request(person, what)])

    @precondition(lambda self: self.model.people)
    @rule(who=someone, other=someone, text=words, then=asked, leaves=st.booleans())
    def one_speaks_and_another_in_the_room_does_something(
        self, who: int, other: int, text: str, then: Asked, leaves: bool
    ) -> None:
        """Run in one turn, so that messages have not been shown yet."""
        person = self.somebody(who)
        room = person.focus
        if room is None:
            return
        listener = room.members[other % len(room.members)]
        self.ask(person, [self.request(person, ("say", room.name, text))])
        self.ask(listener, [self.request(listener, then), Leave(room.name)][leaves:])

    @precondition(lambda self: self.model.people)
    @rule(who=someone, whom=someone, text=words, cut=cuts)
    def one_writes_to_another_alone(self, who: int, whom: int, text: str, cut: int) -> None:
        writers = [
            person
            for person in self.model.people
            if person.client.encode_request(DirectMessage("x", "x")) is not None
        ]
        if writers:
            writer = writers[who % len(writers)]
            for other in range(whom, whom + 3):
                self.ask(writer, [self.request(writer, ("whisper", other, text))], cut)

    @precondition(lambda self: self.owned())
    @rule(which=someone, whom=someone, reason=words)
    def an_owner_kicks_somebody(self, which: int, whom: int, reason: str) -> None:
        owned = self.owned()
        room = owned[which % len(owned)]
        assert room.owner is not None
        nick = room.members[whom % len(room.members)].nick
        self.ask(room.owner, [Focus(room.name), Kick(nick, reason)])

    def owned(self) -> list[Room]:
        """Return the rooms whose owner can kick."""
        return [
            room
            for room in self.model.rooms.values()
            if room.owner is not None
            and room.owner.client.encode_request(Kick("x", "")) is not None
        ]

    @rule(room=rooms, text=words)
    def a_script_says_something(self, room: str, text: str) -> None:
        """Say something by ``ssh host say ROOM TEXT``, without joins or departures."""
        where = self.model.room(room)
        if where is not None:
            self.said += 1
            self.model.now = self.port.clock.seconds()
            text = f"{self.said} {text}"
            assert self.script.output(f"say {room} '{text}'") == []
            stranger = Person("script", Rendering(), self.script)
            self.model.post_event("said", where, stranger, text)

    # Going

    @precondition(lambda self: self.model.people)
    @rule(who=someone, cut=cuts, before=st.lists(asked, max_size=2))
    def quit(self, who: int, cut: int, before: list[Asked]) -> None:
        """Let a user quit, perhaps in one packet with other requests."""
        person = self.somebody(who)
        client = person.client
        if isinstance(client, Tail):
            client.interrupt()
            self.model.now = self.port.clock.seconds()
            self.model.leave(person)
        else:
            requests = [self.request(person, each) for each in before]
            self.ask(person, [*requests, Quit("good night")], cut)
        self.sees(person)
        if isinstance(client, Ssh):
            assert client.read_output() == []
            assert client.status == (130 if isinstance(client, Tail) else 0)
        assert client.closed
        client.lose_connection()

    @precondition(lambda self: self.model.people)
    @rule(who=someone)
    def be_cut_off(self, who: int) -> None:
        """Lose a connection."""
        person = self.somebody(who)
        self.model.now = self.port.clock.seconds()
        self.model.leave(person)
        person.client.lose_connection()

    # What has to be the same, always

    def sees(self, person: Person) -> None:
        """What somebody saw is what the model says."""
        person.show_pending()
        lines, steps, person.steps = person.client.read_output(), person.steps, []
        assert matches_steps(lines, steps), (person.nick, lines, steps)
        assert person.client.bells == person.bells
        person.bells = 0

    @invariant()
    def nothing_differs(self) -> None:
        self.everyone_sees_what_the_model_says()
        self.who_is_in_no_room_sees_nothing_but_what_they_ask_for()
        self.all_ways_of_asking_say_who_is_where()

    def everyone_sees_what_the_model_says(self) -> None:
        self.port.end_turn()
        while self.model.ended:
            person = self.model.ended.pop()
            self.sees(person)
            assert isinstance(person.client, Tail)
            assert person.client.read_output() == []
            assert (person.client.status, person.client.closed) == (1, True)
            person.client.lose_connection()
        for person in self.model.people:
            self.sees(person)
            client = person.client
            assert not client.closed
            if client.prompt is not None:
                focus = re.escape(person.focus.name) if person.focus else "-"
                assert re.fullmatch(rf"\[{focus}\] (\(.*[0-9]!?\) )?", client.prompt)

    def who_is_in_no_room_sees_nothing_but_what_they_ask_for(self) -> None:
        assert self.clerk.read_output() == []
        assert self.census.read_output() == []

    def all_ways_of_asking_say_who_is_where(self) -> None:
        there = self.model.rooms.values()
        for room in there:
            self.clerk.send(f"/users {room.name}\n".encode())
            self.census.send(to_json({"users": room.name}).encode())
        listed, counted = [], []
        for room in there:
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
        who = [f"{each.nick} {','.join(_names(each))}".rstrip() for each in self.model.people]
        assert sorted(self.script.output("who")) == sorted([*who, "clerk", "census"])
        rows = [f"{room.name} {len(room.members)} {room.topic}".rstrip() for room in there]
        assert sorted(self.script.output("rooms")) == sorted(rows)

    def teardown(self) -> None:
        while self.model.people:
            self.be_cut_off(0)
            self.everyone_sees_what_the_model_says()
        for client in (self.clerk, self.census, self.script):
            client.lose_connection()
        self.port.end_turn()
        assert len(self.port.server.chat.people) == 0
        assert list(self.port.server.chat.rooms) == ["lobby"]
        assert self.port.server.admission.here == 0
        self.port.clock.advance(1)
        assert self.port.clock.getDelayedCalls() == []


def _names(person: Person) -> list[str]:
    return [room.name for room in person.rooms]


TestEveryone = Everyone.TestCase
TestEveryone.settings = settings(
    max_examples=int(os.environ.get("CHATD_TEST_CONVERSATIONS", "70")), stateful_step_count=30
)
