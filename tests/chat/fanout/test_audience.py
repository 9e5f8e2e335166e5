"""How a room's events reach its listeners: once, in order, whatever their connections take."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from chatd.chat.events import Entry
from chatd.chat.fanout import audience
from chatd.chat.limits import CHUNK_BYTES, FLUSH_EVENTS, LOG_EVENTS, SLICE
from chatd.terminal.style import TextStyle
from tests.support.people import Client, Server


def test_a_flood_leaves_as_one_send_a_listener() -> None:
    server = Server()
    ada, bob = server.enters("ada"), server.enters("bob")
    server.end_turn()
    before = bob.reader.sends
    for number in range(100):
        ada.types(f"line {number}")
    assert bob.sees() == [f"ada: line {number}" for number in range(100)]
    assert bob.reader.sends == before + 1


def test_a_turn_that_never_ends_is_flushed_all_the_same() -> None:
    server = Server()
    ada, bob = server.enters("ada"), server.enters("bob")
    server.end_turn()
    bob.reader.received = b""
    for _ in range(FLUSH_EVENTS):
        ada.types("again")
    assert bob.reader.received.count(b"again") == FLUSH_EVENTS


def test_nobody_is_handed_more_than_one_chunk_at_a_time() -> None:
    server = Server()
    ada, bob = server.enters("ada"), server.enters("bob")
    bob.sees()
    for _ in range(FLUSH_EVENTS - 1):
        ada.types("x" * 1000)
    bob.reader.room = 0
    server.end_turn()
    assert len(bob.reader.kept) <= CHUNK_BYTES
    bob.drains()
    assert len(bob.sees()) == FLUSH_EVENTS - 1


def test_a_reader_that_stopped_delays_nobody_and_resumes_where_it_was() -> None:
    server = Server()
    ada, bob, cy = server.enters("ada"), server.enters("bob"), server.enters("cy")
    bob.sees(), cy.sees()
    bob.reader.room = 3
    ada.types("one"), server.end_turn()
    ada.types("two"), server.end_turn()
    ada.types("three")
    assert cy.sees() == ["ada: one", "ada: two", "ada: three"]
    bob.drains()
    assert bob.sees() == ["ada: one", "ada: two", "ada: three"]


def test_a_reader_that_is_too_far_behind_is_told_what_it_missed() -> None:
    server = Server()
    ada, bob = server.enters("ada"), server.enters("bob")
    bob.sees()
    bob.reader.room = 0
    for number in range(LOG_EVENTS + 500):
        ada.types(f"line {number}"), server.end_turn()
    bob.drains()
    first, missed, *rest = bob.sees()
    assert first == "ada: line 0"
    count = LOG_EVENTS + 500 - 1 - len(rest)
    assert missed == f"-- You missed {count} messages in lobby: you read too slowly."
    assert rest[-1] == f"ada: line {LOG_EVENTS + 499}"


def test_a_bug_in_one_connection_does_not_silence_the_next() -> None:
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


def test_nothing_is_kept_of_a_room_that_everyone_has_read() -> None:
    server = Server()
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.types("hello"), server.end_turn()
    assert len(server.chat.lobby.audience._log) == 0
    bob.sees()


@pytest.mark.parametrize("room", range(0, 40, 3))
def test_a_cut_at_any_byte_loses_and_repeats_nothing(room: int) -> None:
    server = Server()
    ada, bob = server.enters("ada"), server.enters("bob")
    bob.sees()
    bob.reader.room = room
    ada.types("hello"), server.end_turn()
    ada.types("/dm bob psst"), ada.types("bye"), server.end_turn()
    bob.drains()
    assert sorted(bob.sees()) == ["[ada -> you] psst", "ada: bye", "ada: hello"]


def test_what_one_said_oneself_is_not_missed() -> None:
    server = Server()
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.sees(), bob.sees()
    ada.reader.room = 0
    bob.types("one"), server.end_turn()
    ada.session.hold()
    for number in range(LOG_EVENTS + 10):
        ada.types(f"own {number}")
    ada.drains()
    assert [line for line in ada.sees() if "missed" in line] == []


class Listening(RuleBasedStateMachine):
    """Readers that stop and go on at any time, against what was said while they were there."""

    def __init__(self) -> None:
        super().__init__()
        self.server = Server()
        self.speaker = self.server.enters("speaker", reader=Client(echoes_input=False))
        self.listeners = [self.server.enters(f"listener{n}") for n in range(3)]
        self.said: list[str] = []
        self.heard: list[list[str]] = [[] for _ in self.listeners]
        for listener in self.listeners:
            listener.sees()

    @rule(count=st.integers(1, 5), size=st.sampled_from([1, 10, 3000]))
    def say(self, count: int, size: int) -> None:
        for _ in range(count):
            text = f"{len(self.said)} {'x' * size}"
            self.said.append(text)
            self.speaker.types(text)

    @rule(which=st.integers(0, 2), room=st.integers(0, 50))
    def stop_reading(self, which: int, room: int) -> None:
        reader = self.listeners[which].reader
        if not reader.full:
            reader.room = room

    @rule(which=st.integers(0, 2), room=st.one_of(st.none(), st.integers(0, 5000)))
    def go_on(self, which: int, room: int | None) -> None:
        if self.listeners[which].reader.full:
            self.listeners[which].drains(room)

    @rule(which=st.integers(0, 2))
    def hear_otherwise(self, which: int) -> None:
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
    def what_was_heard_is_the_beginning_of_what_was_said(self) -> None:
        for listener in self.listeners:
            heard = listener.reader.received.decode()
            told = "".join(f"speaker: {text}\r\n" for text in self.said)
            assert told.startswith(heard)

    def teardown(self) -> None:
        self.server.end_turn()
        told = "".join(f"speaker: {text}\r\n" for text in self.said)
        for listener in self.listeners:
            listener.reader.room = None
            while listener.reader.full:
                listener.drains()
            self.server.end_turn()
            assert listener.reader.received.decode() == told
        assert len(self.server.chat.lobby.audience._log) == 0 or any(
            listener.session.filters for listener in self.listeners
        )


@pytest.mark.parametrize("slice_", [1, 2, SLICE])
def test_who_stops_and_goes_on_hears_everything_once(
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
    readers = [person.reader for person in people]
    for reader in readers:
        reader.received, reader.sends = b"", 0
    people[0].types("one")
    turns = 0
    while server.end_one_turn():
        turns += 1
        sent = sum(reader.sends for reader in readers)
        assert sent <= SLICE * turns + 1  # one goes, and is shown the last before that
        if turns == 1:
            people[1].types("two")  # it is read meanwhile, and comes after
            people[2].goes()
    assert turns >= 6
    left = b"-- p2 left\r\n"
    assert readers[0].received == b"p1: two\r\n" + left
    assert readers[1].received == b"p0: one\r\n" + left
    assert {reader.received for reader in readers[3:]} == {b"p0: one\r\np1: two\r\n" + left}


def test_a_log_that_is_large_does_not_wait_for_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience, "SLICE", 1)
    server = Server()
    ada, *others = [server.enters(f"p{n}") for n in range(5)]
    for number in range(LOG_EVENTS + 10):
        ada.types(f"{number}")
    heard = [f"p0: {number}" for number in range(LOG_EVENTS + 10)]
    assert all(other.sees()[-len(heard) :] == heard for other in others)


def test_nobody_who_is_up_to_date_loses_a_line_to_the_bound_of_the_log() -> None:
    server = Server()
    people = [server.enters(f"p{n}") for n in range(9)]
    idle = server.enters("idle")
    idle.sees()
    for number in range(90):
        people[number % 9].types(f"{number:02} {'x' * 4000}")
    people[0].types("/topic")
    for number in range(90, 110):
        people[1].types(f"{number:02} {'x' * 4000}")
    heard = [line.split()[1] for line in idle.sees()]
    assert heard == [f"{number:02}" for number in range(110)]


def test_a_style_that_cannot_be_rendered_silences_nobody_else() -> None:
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
    assert [type(bug) for bug in bob.reader.bugs] == [ZeroDivisionError]


def test_readers_in_many_zones_do_not_shorten_what_is_kept_for_others() -> None:
    server = Server()
    ada, bob = server.enters("ada"), server.enters("bob")
    for number in range(40):
        server.enters(f"zone{number}").types(f"/set timezone Etc/GMT+{number % 12}")
    bob.sees()
    bob.reader.room = 0
    for number in range(40):
        ada.types(f"{number} {'x' * 1000}"), server.end_turn()
    bob.drains()
    assert len(bob.sees()) == 40
