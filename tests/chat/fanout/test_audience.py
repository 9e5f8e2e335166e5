"""A room's events reach its listeners once and in order, whatever their connections take."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from chatd.chat.events import Entry, PersonalEvent
from chatd.chat.fanout import audience
from chatd.chat.fanout.log import ProgramStyle
from chatd.chat.limits import (
    CHUNK_BYTES,
    FLUSH_EVENTS,
    LOG_BYTES,
    LOG_EVENTS,
    RENDERED_CHARACTERS,
    SLICE,
)
from chatd.terminal.style import TextStyle
from tests.support.people import Client, Server


def test_many_events_in_one_turn_are_one_send_to_each_listener() -> None:
    server = Server()
    ada, bob = server.enters("ada"), server.enters("bob")
    server.end_turn()
    before = bob.client.sends
    for number in range(100):
        ada.types(f"line {number}")
    assert bob.sees() == [f"ada: line {number}" for number in range(100)]
    assert bob.client.sends == before + 1


def test_a_long_turn_is_flushed_before_it_ends() -> None:
    server = Server()
    ada, bob = server.enters("ada"), server.enters("bob")
    server.end_turn()
    bob.client.received = b""
    for _ in range(FLUSH_EVENTS):
        ada.types("again")
    assert bob.client.received.count(b"again") == FLUSH_EVENTS


def test_a_client_is_handed_at_most_one_chunk_at_a_time() -> None:
    server = Server()
    ada, bob = server.enters("ada"), server.enters("bob")
    bob.sees()
    for _ in range(FLUSH_EVENTS - 1):
        ada.types("x" * 1000)
    bob.client.capacity = 0
    server.end_turn()
    assert len(bob.client.unsent) <= CHUNK_BYTES
    bob.resumes_reading()
    assert len(bob.sees()) == FLUSH_EVENTS - 1


def test_a_client_that_stops_reading_delays_no_other_and_resumes_where_it_was() -> None:
    server = Server()
    ada, bob, cy = server.enters("ada"), server.enters("bob"), server.enters("cy")
    bob.sees(), cy.sees()
    bob.client.capacity = 3
    ada.types("one"), server.end_turn()
    ada.types("two"), server.end_turn()
    ada.types("three")
    assert cy.sees() == ["ada: one", "ada: two", "ada: three"]
    bob.resumes_reading()
    assert bob.sees() == ["ada: one", "ada: two", "ada: three"]


def test_a_client_that_is_too_far_behind_is_told_how_much_it_missed() -> None:
    server = Server()
    ada, bob = server.enters("ada"), server.enters("bob")
    bob.sees()
    bob.client.capacity = 0
    for number in range(LOG_EVENTS + 500):
        ada.types(f"line {number}"), server.end_turn()
    bob.resumes_reading()
    first, missed, *rest = bob.sees()
    assert first == "ada: line 0"
    count = LOG_EVENTS + 500 - 1 - len(rest)
    assert missed == f"-- You missed {count} messages in lobby: you read too slowly."
    assert rest[-1] == f"ada: line {LOG_EVENTS + 499}"


def test_a_bug_in_one_connection_does_not_affect_the_others() -> None:
    server = Server()
    ada, bob, cy = server.enters("ada"), server.enters("bob"), server.enters("cy")
    cy.sees()

    class Broken(Client):
        def send(self, data: bytes) -> int:
            raise ZeroDivisionError

    broken = Broken()
    bob.session.client = broken
    bob.session.send = broken.send
    bob.session.restyle()
    ada.types("hello")
    assert cy.sees() == ["ada: hello"]
    assert [type(bug) for bug in broken.bugs] == [ZeroDivisionError]


def test_nothing_is_kept_once_every_listener_has_been_sent_it() -> None:
    server = Server()
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.types("hello"), server.end_turn()
    assert server.chat.lobby.audience.backlog == 0
    bob.sees()


@pytest.mark.parametrize("capacity", range(0, 40, 3))
def test_a_short_send_at_any_byte_loses_and_repeats_nothing(capacity: int) -> None:
    server = Server()
    ada, bob = server.enters("ada"), server.enters("bob")
    bob.sees()
    bob.client.capacity = capacity
    ada.types("hello"), server.end_turn()
    ada.types("/dm bob psst"), ada.types("bye"), server.end_turn()
    bob.resumes_reading()
    assert sorted(bob.sees()) == ["[ada -> you] psst", "ada: bye", "ada: hello"]


def test_the_users_own_messages_do_not_count_as_missed() -> None:
    server = Server()
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.sees(), bob.sees()
    ada.client.capacity = 0
    bob.types("one"), server.end_turn()
    ada.session.hold()
    for number in range(LOG_EVENTS + 10):
        ada.types(f"own {number}")
    ada.resumes_reading()
    assert [line for line in ada.sees() if "missed" in line] == []


class Listening(RuleBasedStateMachine):
    """Clients stop and resume reading at any time, and are compared with all that was said."""

    def __init__(self) -> None:
        super().__init__()
        self.server = Server()
        self.speaker = self.server.enters("speaker", client=Client(echoes_input=False))
        self.listeners = [self.server.enters(f"listener{n}") for n in range(3)]
        self.said: list[str] = []
        for listener in self.listeners:
            listener.sees()

    @rule(count=st.integers(1, 5), size=st.sampled_from([1, 10, 3000]))
    def say(self, count: int, size: int) -> None:
        for _ in range(count):
            text = f"{len(self.said)} {'x' * size}"
            self.said.append(text)
            self.speaker.types(text)

    @rule(which=st.integers(0, 2), capacity=st.integers(0, 50))
    def stop_reading(self, which: int, capacity: int) -> None:
        client = self.listeners[which].client
        if not client.full:
            client.capacity = capacity

    @rule(which=st.integers(0, 2), capacity=st.one_of(st.none(), st.integers(0, 5000)))
    def resume_reading(self, which: int, capacity: int | None) -> None:
        if self.listeners[which].client.full:
            self.listeners[which].resumes_reading(capacity)

    @rule(which=st.integers(0, 2))
    def change_filters(self, which: int) -> None:
        listener = self.listeners[which]
        if "nobody" in listener.session.person.ignored:
            listener.session.person.ignored.pop("nobody")
        else:
            listener.session.person.ignored["nobody"] = None
        listener.session.restyle()

    @rule()
    def end_turn(self) -> None:
        self.server.end_turn()

    @rule()
    def end_one_turn(self) -> None:
        self.server.end_one_turn()

    @rule(which=st.integers(0, 2))
    def catch_up(self, which: int) -> None:
        self.listeners[which].session.catch_up()

    @invariant()
    def each_has_received_a_prefix_of_what_was_said(self) -> None:
        for listener in self.listeners:
            received = listener.client.received.decode()
            said = "".join(f"speaker: {text}\r\n" for text in self.said)
            assert said.startswith(received)

    def teardown(self) -> None:
        self.server.end_turn()
        said = "".join(f"speaker: {text}\r\n" for text in self.said)
        for listener in self.listeners:
            listener.client.capacity = None
            while listener.client.full:
                listener.resumes_reading()
            self.server.end_turn()
            assert listener.client.received.decode() == said
        assert self.server.chat.lobby.audience.backlog == 0 or any(
            listener.session.filters for listener in self.listeners
        )


@pytest.mark.parametrize("slice_", [1, 2, SLICE])
def test_a_client_that_stops_and_resumes_reading_gets_everything_once(
    slice_: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience, "SLICE", slice_)
    few = settings(max_examples=60, stateful_step_count=30)
    run_state_machine_as_test(Listening, settings=few)


def test_a_very_large_room_is_served_in_slices_and_in_order() -> None:
    server = Server()
    people = [server.enters(f"p{n}") for n in range(3 * SLICE)]
    while server.end_one_turn():
        pass
    clients = [person.client for person in people]
    for client in clients:
        client.received, client.sends = b"", 0
    people[0].types("one")
    turns = 0
    while server.end_one_turn():
        turns += 1
        sent = sum(client.sends for client in clients)
        assert sent <= SLICE * turns + 1  # p2 leaves, and is sent the last lines before that
        if turns == 1:
            people[1].types("two")  # it is read between two slices, and is sent after them
            people[2].leaves()
    assert turns >= 6
    left = b"-- p2 left\r\n"
    assert clients[0].received == b"p1: two\r\n" + left
    assert clients[1].received == b"p0: one\r\n" + left
    assert {client.received for client in clients[3:]} == {b"p0: one\r\np1: two\r\n" + left}


class _Styled(ProgramStyle):
    """A style that notes what it renders; no two are equal."""

    def __init__(self, rendered: list[int]) -> None:
        self.rendered = rendered

    def render(self, entry: Entry, mentioned: bool = False) -> bytes:
        self.rendered.append(entry.number)
        return b"x"

    def render_personal(self, event: PersonalEvent) -> bytes:
        return b""


@pytest.mark.parametrize("large", [False, True])
def test_long_messages_to_many_styles_are_rendered_in_slices(large: bool) -> None:
    server, rendered = Server(), list[int]()
    room = server.chat.lobby.audience
    ada, *others = [server.enters(f"p{n}") for n in range(40)]
    for other in others:
        room.restyle(other.session, _Styled(rendered))
    while server.end_one_turn():
        pass
    if large:  # somebody is far behind, and the log has reached its bound
        room.hold(others.pop().session)
        for _ in range(2 * LOG_BYTES // 4000):
            ada.types("y" * 4000)
            server.end_turn()
        assert room.backlog <= LOG_BYTES // 4000 + 1
    rendered.clear()
    for _ in range(3):
        ada.types("x" * 4000)
    in_turns = []
    while server.end_one_turn():
        in_turns.append(len(rendered))
        rendered.clear()
    assert sum(in_turns) == 3 * len(others)
    assert max(in_turns) * 4000 // RENDERED_CHARACTERS < SLICE + 3 * 4000 // RENDERED_CHARACTERS


def test_a_log_that_reaches_its_bound_is_flushed_without_slices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audience, "SLICE", 1)
    server = Server()
    ada, *others = [server.enters(f"p{n}") for n in range(5)]
    for number in range(LOG_EVENTS + 10):
        ada.types(f"{number}")
    said = [f"p0: {number}" for number in range(LOG_EVENTS + 10)]
    assert all(other.sees()[-len(said) :] == said for other in others)


def test_a_listener_that_is_up_to_date_misses_nothing_when_the_log_is_full() -> None:
    server = Server()
    people = [server.enters(f"p{n}") for n in range(9)]
    idle = server.enters("idle")
    idle.sees()
    for number in range(90):
        people[number % 9].types(f"{number:02} {'x' * 4000}")
    people[0].types("/topic")
    for number in range(90, 110):
        people[1].types(f"{number:02} {'x' * 4000}")
    received = [line.split()[1] for line in idle.sees()]
    assert received == [f"{number:02}" for number in range(110)]


def test_a_style_that_fails_to_render_affects_no_other_listener() -> None:
    server = Server()
    ada, bob, cy = server.enters("ada"), server.enters("bob"), server.enters("cy")
    for each in (ada, bob, cy):
        each.types("/join attic"), each.sees()

    class Unrenderable(TextStyle):
        def render(self, entry: Entry, mentioned: bool = False) -> bytes:
            raise ZeroDivisionError

    bob.session.person.rooms["lobby"].audience.restyle(bob.session, Unrenderable())
    ada.types("/focus lobby"), ada.types("one"), ada.types("/focus attic"), ada.types("two")
    assert cy.sees() == ["[lobby] ada: one", "ada: two"]
    ada.types("three")
    assert cy.sees() == ["ada: three"]
    assert [type(bug) for bug in bob.client.bugs] == [ZeroDivisionError]


def test_listeners_in_many_time_zones_do_not_shorten_the_log_for_others() -> None:
    server = Server()
    ada, bob = server.enters("ada"), server.enters("bob")
    for number in range(40):
        server.enters(f"zone{number}").types(f"/set timezone Etc/GMT+{number % 12}")
    bob.sees()
    bob.client.capacity = 0
    for number in range(40):
        ada.types(f"{number} {'x' * 1000}"), server.end_turn()
    bob.resumes_reading()
    assert len(bob.sees()) == 40
