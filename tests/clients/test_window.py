"""chatd-window: what its model shows, the requests that it sends, and the real window."""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from chatd.clients.window.connection import GOODBYE_SECONDS, LONGEST_PAUSE_SECONDS, Connection
from chatd.clients.window.conversation import MAX_LINES, Conversation
from chatd.clients.window.json_lines import JsonLines
from chatd.clients.window.lines import Kind, Line, describe, shown
from chatd.clients.window.model import Model
from chatd.clients.window.program import NO_TKINTER, main, port
from chatd.clients.window.requests import HISTORY, HISTORY_MISSED, MESSAGE_BYTES, PENDING_REQUESTS
from chatd.clients.window.rooms import MAX_ROOMS
from chatd.clients.window.status import DialogKind, Phase
from chatd.wire.json.objects import BadObject, Object
from tests.support.callers import Netcat
from tests.support.memory_server import ClientConnection, FakeTransport, MemoryServer
from tests.support.served import PATIENCE, Served


class Person:
    """A user's model of a window, connected to a server in memory."""

    def __init__(self, server: MemoryServer, nick: str, *, connected: bool = True) -> None:
        self.server = server
        self.model = Model(nick, lambda: 0.0)
        self.rooms = self.model.rooms
        if connected:
            self.connects()

    def connects(self) -> None:
        self.connection: ClientConnection = self.server.connects()
        self._codec = JsonLines()
        self.sends(self.model.connected())

    def loses_the_connection(self) -> None:
        self.connection.loses_connection()
        self.model.lost("The server has closed the connection.", 3.0)

    def sends(self, requests: list[dict[str, object]] | None) -> None:
        """Send requests, and those that follow from their answers."""
        self.connection.sends(b"".join(json.dumps(each).encode() for each in requests or []))
        self.hears()

    def hears(self) -> None:
        while data := self.connection.receives():
            for value in self._codec.receive_data(data):
                assert isinstance(value, Object), value
                requests = self.model.received(value.fields)
                self.connection.sends(b"".join(json.dumps(each).encode() for each in requests))

    def types(self, text: str, to: str = "") -> None:
        self.sends(self.model.type(text, to))

    def sees(self, room: str | None = None) -> list[str]:
        """Return the lines of a room, or of the shown conversation."""
        self.hears()
        conversation = self.rooms.shown if room is None else self.rooms[room]
        return [line.text for line in conversation.lines]

    def people(self, room: str = "lobby") -> list[str]:
        self.hears()
        return self.rooms[room].sorted_members()


@pytest.fixture
def server() -> MemoryServer:
    return MemoryServer()


# The model, with a real server in memory ----------------------------------------------------------


def test_a_new_user_enters_the_lobby_and_sees_its_members(server: MemoryServer) -> None:
    server.enters("bob")
    ada = Person(server, "ada")
    assert ada.model.status.phase is Phase.JOINED
    assert (ada.rooms.names, ada.rooms.current) == (["lobby"], "lobby")
    assert ada.people() == ["ada", "bob"]


def test_the_lobby_may_have_another_name(server: MemoryServer) -> None:
    ada = Person(server, "ada", connected=False)
    ada.model.connected()
    requests = ada.model.received({"isConnected": True, "errorCode": -1})
    assert requests == [{"history": "lobby", "count": 1, "id": 1}]
    assert ada.model.received({"error": "There is no room lobby.", "errorCode": 11, "id": 1}) == []
    assert not ada.rooms.shown.lines
    joined = {"event": "joined", "nick": "bob", "room": "salon", "seq": 4}
    assert ada.model.received(joined) == [{"history": "salon", "count": 1, "id": 2}]
    assert ada.model.received(joined) == []
    [join] = ada.model.received({"ok": True, "id": 2, "room": "salon", "events": []})
    assert join == {"join": "salon", "id": 3}
    ada.model.received({"ok": True, "id": 3, "room": "salon", "topic": "Tea"})
    assert (ada.rooms.current, ada.rooms["salon"].topic) == ("salon", "Tea")


def test_an_own_message_is_shown_once_and_sent_to_the_others(server: MemoryServer) -> None:
    ada, bob = Person(server, "ada"), Person(server, "bob")
    ada.types("hello"), bob.types("hi")
    assert bob.sees() == ["ada: hello", "bob: hi"]
    assert ada.sees() == ["-- bob joined", "ada: hello", "bob: hi"]
    assert [line.kind for line in ada.rooms["lobby"].lines] == [Kind.NOTICE, Kind.OWN, Kind.SAID]


def test_history_is_shown_in_its_order(server: MemoryServer) -> None:
    bob = server.enters("bob")
    bob.sends(b"one\n/me waves\n")
    ada = Person(server, "ada")
    assert ada.sees() == ["bob: one", "* bob waves"]


def test_late_history_is_inserted_before_newer_events() -> None:
    model = Model("ada", lambda: 0.0)
    model.rooms.enter("lobby")
    said = {"event": "said", "sender": "bob", "room": "lobby", "time": "2026-01-02T03:04:05.678Z"}
    model.rooms.add_event({**said, "message": "three", "seq": 3}, "ada")
    earlier = [{**said, "message": text, "seq": at} for at, text in [(2, "two"), (3, "three")]]
    model.rooms.add_history("lobby", earlier, "ada")
    conversation = model.rooms["lobby"]
    assert [line.text for line in conversation.lines] == ["bob: two", "bob: three"]
    assert (conversation.appended, conversation.inserted) == (1, 1)


def test_the_echo_of_an_acknowledged_message_is_not_shown_again() -> None:
    model = Model("ada", lambda: 0.0)
    model.rooms.enter("lobby")
    said = {"event": "said", "sender": "ada", "message": "hi", "room": "lobby"}
    model.rooms.add_own_message("lobby", "ada", "hi", 1)
    model.rooms.add_event({**said, "seq": 1}, "ada")
    model.rooms.add_event({**said, "seq": 2}, "ada")
    model.rooms.add_own_message("lobby", "ada", "hi", 2)
    assert len(model.rooms["lobby"].lines) == 2


def test_a_private_message_is_marked_and_goes_to_one_user(server: MemoryServer) -> None:
    ada, bob, cy = (Person(server, nick) for nick in ("ada", "bob", "cy"))
    ada.types("psst", to="bob")
    assert ada.sees()[-1] == "[private] you -> bob: psst"
    assert bob.sees()[-1] == "[private] ada -> you: psst"
    assert bob.rooms["lobby"].lines[-1].kind is Kind.PRIVATE
    assert not any("psst" in line for line in cy.sees())
    ada.types("psst", to="nobody")
    assert ada.sees()[-1] == "!! There is nobody called nobody; /users says who is here."


def test_the_list_of_members_follows_the_events(server: MemoryServer) -> None:
    ada = Person(server, "ada")
    ned = server.enters("ned")
    assert ada.people() == ["ada", "ned"]
    ned.sends(b"/nick fred\n")
    assert ada.people() == ["ada", "fred"]
    assert ada.sees()[-1] == "-- ned is now fred"
    ned.sends(b"/join attic\n/leave lobby\n")
    assert ada.people() == ["ada"]
    ned.sends(b"/join lobby\n"), ned.loses_connection()
    assert ada.people() == ["ada"]
    assert ada.sees()[-1].startswith("-- fred is gone")


def test_rooms_are_joined_shown_and_left(server: MemoryServer) -> None:
    ada, bob = Person(server, "ada"), Person(server, "bob")
    ada.types("/join attic")
    assert (ada.rooms.current, ada.people("attic")) == ("attic", ["ada"])
    bob.types("anyone?")
    ada.hears()
    assert ada.rooms["lobby"].unread == 1
    ada.types("/join LOBBY")  # one is there already
    assert (ada.rooms.current, ada.rooms["lobby"].unread) == ("lobby", 0)
    ada.sends(ada.model.leave("attic"))
    assert ada.rooms.names == ["lobby"]
    ada.types("/leave")
    assert (ada.rooms.names, ada.rooms.current) == ([], None)
    ada.types("hello")
    assert ada.sees() == ["!! You are in no room; /join ROOM takes you into one."]
    bob.types("gone?")
    assert len(ada.sees()) == 1


def test_a_topic_is_set_and_shown(server: MemoryServer) -> None:
    ada = Person(server, "ada")
    ada.types("/join attic"), ada.types("/topic Old books")
    assert ada.sees()[-1] == "-- ada set the topic: Old books"
    bob = Person(server, "bob")
    bob.types("/join attic")
    assert bob.rooms["attic"].topic == ada.rooms["attic"].topic == "Old books"


def test_a_kicked_user_sees_why_and_the_room_is_closed(server: MemoryServer) -> None:
    ned = server.enters("ned")
    ned.sends(b"/join attic\n")
    ada, bob = Person(server, "ada"), Person(server, "bob")
    ada.types("/join attic"), bob.types("/join attic")
    ned.sends(b"/kick ada too loud\n")
    assert ada.sees()[-1] == "!! You were kicked from attic by ned: too loud"
    assert ada.rooms.names == ["lobby"]
    assert bob.sees()[-1] == "-- ada was kicked by ned: too loud"
    assert bob.people("attic") == ["ned", "bob"]


def test_a_taken_nick_opens_the_dialog_for_another_one(server: MemoryServer) -> None:
    server.enters("ada")
    other = Person(server, "ada")
    asking = other.model.status.dialog
    assert asking is not None
    assert asking.kind is DialogKind.NAME
    assert asking.sentence == "The name ada is taken, or looks like one that is."
    other.sends(other.model.choose_nick(" eve "))
    assert (other.model.status.phase, other.model.status.dialog) == (Phase.JOINED, None)
    assert other.people() == ["ada", "eve"]


def test_after_a_reconnect_the_user_is_in_the_same_rooms_and_reads_missed_messages(
    server: MemoryServer,
) -> None:
    ada, bob = Person(server, "ada"), Person(server, "bob")
    for person in (ada, bob):
        person.types("/join attic"), person.types(f"I am {person.model.nick}")
    ada.hears(), ada.loses_the_connection()
    assert ada.model.status.dialog is not None
    assert ada.model.type("hello?") is None
    bob.types("where is she?")
    ada.connects()
    assert ada.rooms.names == ["lobby", "attic"]
    assert ada.model.status.dialog is None
    assert ada.sees("attic") == [
        "ada: I am ada",
        "-- bob joined",
        "bob: I am bob",
        "-- The server has closed the connection.",
        "!! You are not connected.",
        "bob: where is she?",
    ]


def test_a_notice_says_that_more_was_missed_than_the_history_shows(server: MemoryServer) -> None:
    ada, bob = Person(server, "ada"), Person(server, "bob")
    ada.types("I am off")
    ada.loses_the_connection()
    for number in range(HISTORY_MISSED + 1):
        bob.types(str(number))
    ada.connects()
    assert ada.sees()[-2:] == ["bob: 199", "-- More was said meanwhile than is shown here."]


def test_a_closed_dialog_does_not_reopen_at_every_attempt() -> None:
    status = Model("ada", lambda: 0.0).status
    status.lost("No.", 1), status.lost("Still no.", 2)
    assert status.dialog is not None
    assert status.dialog.sentence == "Still no. Trying again in 2 s."
    status.dismiss(), status.lost("No.", 4)
    assert status.dialog is None
    status.accepted("ada"), status.lost("No.", 1)
    assert status.dialog is not None


def test_unacknowledged_messages_are_listed_when_the_connection_is_lost(
    server: MemoryServer,
) -> None:
    ada = Person(server, "ada")
    ada.model.type("are you there?")
    ada.loses_the_connection()
    assert ada.sees()[-1] == "!! Perhaps not delivered: are you there?"


def test_text_that_cannot_be_sent_stays_in_the_field(server: MemoryServer) -> None:
    ada = Person(server, "ada")
    assert ada.model.type("a" * (MESSAGE_BYTES + 1)) is None
    assert ada.sees()[-1] == "!! A message has at most 4096 bytes."
    assert ada.model.type("/nonsense") is None
    assert ada.model.type("  ") == []
    ada.types("a" * MESSAGE_BYTES), ada.types("//slashed"), ada.types("/help")
    assert "ada: /slashed" in ada.sees()
    for _ in range(PENDING_REQUESTS):
        assert ada.model.type("more")
    assert ada.model.type("one more") is None


def test_errors_notices_and_missed_counts_are_shown_as_lines() -> None:
    model = Model("ada", lambda: 0.0)
    model.rooms.enter("lobby")
    for fields in (
        {"error": "Too fast.", "errorCode": 14},
        {"event": "notice", "text": "Rooms:", "rows": ["attic", "lobby"]},
        {"event": "invited", "by": "bob", "room": "attic"},
        {"event": "missed", "room": "lobby", "count": 7},
        {"event": "refused", "text": "No."},
        {"event": "never heard of"},
        {"disconnect": True},
        {"ok": True, "id": 99},
    ):
        assert model.received(fields) == []
    assert [line.text for line in model.rooms["lobby"].lines] == [
        "!! Too fast.",
        *("-- Rooms:", "-- attic", "-- lobby"),
        "-- bob invites you: /join attic",
        "-- You missed 7 messages.",
        "!! No.",
    ]


_VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=2)
_KEYS = ["isConnected", "errorCode", "event", "error", "ok", "id", "room", "seq", "time", "nick"]
_KEYS += ["new", "sender", "message", "rows", "events", "users", "count", "topic", "text", "role"]
_EVENTS = ["said", "joined", "left", "renamed", "kicked", "role", "topic", "setting", "put out"]


@given(
    st.lists(
        st.dictionaries(st.sampled_from(_KEYS), _VALUES)
        | st.builds(
            lambda event, fields: {**fields, "event": event, "room": "lobby", "seq": 1},
            st.sampled_from(_EVENTS),
            st.dictionaries(st.sampled_from(_KEYS), _VALUES),
        ),
        max_size=8,
    )
)
def test_no_object_of_the_server_raises(objects: list[Mapping[str, object]]) -> None:
    model = Model("ada", lambda: 0.0)
    model.connected()
    model.rooms.enter("lobby")
    model.received({"isConnected": True})
    for fields in objects:
        model.received(fields)


# Bounds, and what is inert ------------------------------------------------------------------------


def test_a_conversation_keeps_only_its_last_lines() -> None:
    conversation = Conversation("lobby")
    for number in range(MAX_LINES + 1):
        conversation.add(Line(Kind.SAID, "12:00", str(number)), number)
    assert len(conversation.lines) == MAX_LINES
    assert conversation.lines[0].text == "1"
    conversation.add(Line(Kind.SAID, "12:00", "before all"), 0, kept=True)
    assert conversation.lines[0].text == "1"
    conversation.add(Line(Kind.SAID, "12:00", "within"), 3, kept=True)
    assert [line.text for line in conversation.lines][:3] == ["2", "within", "3"]
    assert len(conversation.lines) == MAX_LINES


def test_a_server_cannot_open_any_number_of_rooms() -> None:
    model = Model("ada", lambda: 0.0)
    assert all(model.rooms.enter(str(number)) for number in range(MAX_ROOMS))
    assert model.rooms.enter("one more") is None
    assert model.rooms.enter("0") is not None


def test_text_of_others_is_made_safe() -> None:
    hostile = "a\x1b[31m\u202eb\u2066c\x07\nd\u200be\ud800"
    assert shown(hostile) == "a[31mbc de"
    assert shown("👩\u200d🚀 日本") == "👩\u200d🚀 日本"
    assert describe({"event": "said", "sender": "b\u202eob", "message": "x\x9by"}) == "bob: xy"
    assert len(shown("a" * 100_000)) == 5000


# Bytes and the connection -------------------------------------------------------------------------


def test_lines_become_objects_and_invalid_ones_are_reported() -> None:
    codec = JsonLines(40)
    assert codec.receive_data(b'{"a": 1}\r\n\n{"b"') == [Object({"a": 1})]
    assert codec.held == 4
    assert codec.receive_data(b": 2}\nThe server is full.\r\n") == [
        Object({"b": 2}),
        BadObject("The server says: The server is full."),
    ]
    [bad] = codec.receive_data(b'{"c": "' + b"x" * 40)
    assert isinstance(bad, BadObject)
    assert (codec.held, codec.receive_data(b'x"}\n{"d": 4}\n')) == (0, [Object({"d": 4})])
    [deep] = JsonLines().receive_data(b'{"a":' + b"[" * 100_000 + b"\n")
    assert isinstance(deep, BadObject)


@given(st.binary(max_size=60) | st.just(b'{"a": "\xc3\xa9"}\n[1]\n{}\n{"b": {}}\n'), st.data())
def test_any_cutting_gives_the_same_objects(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data)))
    codec, whole = JsonLines(20), JsonLines(20)
    values = codec.receive_data(data[:at]) + codec.receive_data(data[at:])
    assert values == whole.receive_data(data)


class Endpoint:
    """An endpoint whose attempts succeed or fail as the test decides."""

    def __init__(self) -> None:
        self.attempts: list[tuple[Any, Deferred[Any]]] = []

    def connect(self, factory: Any) -> Deferred[Any]:
        attempt: Deferred[Any] = Deferred()
        self.attempts.append((factory, attempt))
        return attempt

    def refuses(self) -> None:
        self.attempts[-1][1].errback(Failure(ConnectionRefusedError()))

    def accepts(self) -> FakeTransport:
        factory, attempt = self.attempts[-1]
        self.protocol, transport = factory.buildProtocol(None), FakeTransport()
        self.protocol.makeConnection(transport)
        attempt.callback(self.protocol)
        return transport

    def sends(self, *objects: Mapping[str, object]) -> None:
        self.protocol.dataReceived(b"".join(json.dumps(each).encode() + b"\n" for each in objects))

    def hangs_up(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionDone()))


class Attempts:
    """A model that connects through an endpoint of the test."""

    def __init__(self) -> None:
        self.clock, self.endpoint = Clock(), Endpoint()
        self.model = Model("ada", self.clock.seconds)
        where: Any = self.endpoint
        self.connection = Connection(self.model, where, "localhost port 1134", self.clock)

    @property
    def phase(self) -> Phase:
        return self.model.status.phase

    @property
    def made(self) -> int:
        """Return how many attempts there have been."""
        return len(self.endpoint.attempts)

    def come_in(self) -> FakeTransport:
        """Connect, and let the server accept the nick."""
        self.connection.connect()
        transport = self.endpoint.accepts()
        self.endpoint.sends({"isConnected": True, "errorCode": -1})
        assert self.phase is Phase.JOINED
        return transport


def objects(transport: FakeTransport) -> list[dict[str, Any]]:
    """Return what was written since the last call."""
    lines = transport.value().splitlines()
    transport.clear()
    return [json.loads(line) for line in lines]


def test_the_first_object_has_the_nick() -> None:
    ada = Attempts()
    ada.connection.connect()
    assert ada.model.status.sentence == "Connecting to localhost port 1134 …"
    transport = ada.endpoint.accepts()
    assert objects(transport) == [{"username": "ada", "version": 2}]
    ada.endpoint.sends({"isConnected": True, "errorCode": -1})
    assert objects(transport) == [{"history": "lobby", "count": 1, "id": 1}]
    ada.endpoint.sends({"ok": True, "id": 1, "room": "lobby", "events": []})
    ada.endpoint.sends({"ok": True, "id": 2, "room": "lobby", "topic": ""})
    assert objects(transport) == [
        {"join": "lobby", "id": 2},
        {"users": "lobby", "id": 3},
        {"history": "lobby", "count": HISTORY, "id": 4},
    ]


def test_failed_connections_are_retried_after_growing_pauses() -> None:
    ada = Attempts()
    ada.connection.connect()
    pauses = []
    for tried in range(2, 12):
        ada.endpoint.refuses()
        assert ada.phase is Phase.WAITING
        [call] = ada.clock.getDelayedCalls()
        pauses.append(call.getTime() - ada.clock.seconds())
        ada.clock.advance(pauses[-1])
        assert ada.made == tried
    assert 0.5 < pauses[0] < 2 < 10 < pauses[4]
    assert max(pauses) < LONGEST_PAUSE_SECONDS * 2
    assert ada.model.status.dialog is not None
    assert ada.model.status.dialog.kind is DialogKind.GONE


def test_reconnect_does_not_wait_and_makes_one_connection() -> None:
    ada = Attempts()
    ada.come_in()
    ada.endpoint.hangs_up()
    assert ada.phase is Phase.WAITING
    ada.connection.connect(), ada.connection.connect()
    assert (ada.made, ada.clock.getDelayedCalls()) == (2, [])
    ada.endpoint.accepts()
    ada.connection.connect()
    assert ada.made == 2


def test_disconnecting_says_goodbye_and_ends_the_retries() -> None:
    ada = Attempts()
    transport = ada.come_in()
    transport.clear()
    ended = ada.connection.disconnect()
    assert objects(transport) == [{"disconnect": True}]
    assert transport.disconnecting
    ada.endpoint.sends({"disconnect": True})
    assert not ended.called
    ada.endpoint.hangs_up()
    assert ended.called
    assert (ada.phase, ada.clock.getDelayedCalls()) == (Phase.OFF, [])


def test_a_server_that_does_not_close_after_the_goodbye_is_aborted() -> None:
    ada = Attempts()
    transport = ada.come_in()
    ada.connection.disconnect()
    ada.connection.connect()  # impatiently
    assert not transport.aborted
    ada.clock.advance(GOODBYE_SECONDS)
    assert transport.aborted
    ada.endpoint.hangs_up()
    assert ada.made == 2


def test_disconnecting_cancels_an_attempt_or_a_pause() -> None:
    ada = Attempts()
    ada.connection.connect()
    assert ada.connection.disconnect().called
    assert ada.phase is Phase.OFF
    ada.connection.connect()
    ada.endpoint.refuses()
    assert ada.connection.disconnect().called
    assert (ada.phase, ada.clock.getDelayedCalls(), ada.made) == (Phase.OFF, [], 2)


def test_plain_text_of_a_server_is_shown() -> None:
    ada = Attempts()
    ada.connection.connect()
    ada.endpoint.accepts()
    ada.endpoint.protocol.dataReceived(b"The server is full; try again later.\r\n")
    [line] = ada.model.rooms.shown.lines
    assert line.text == "!! The server says: The server is full; try again later."


# The program --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["0", "65536", "x", "", "-1", "１１３４"])
def test_an_invalid_port_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        port(text)
    assert port("1134") == 1134


def test_without_tkinter_a_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tkinter", None)
    assert main(["ada"]) == 1
    assert capsys.readouterr().err == f"{NO_TKINTER}\n"


class Display:
    """An X server of its own, with windows in it that xdotool types into."""

    def __init__(self, xvfb: str, xdotool: str) -> None:
        self._xdotool = xdotool
        self._windows: list[subprocess.Popen[str]] = []
        reading, writing = os.pipe()
        command = [xvfb, "-displayfd", str(writing), "-screen", "0", "1400x1000x24"]
        self._server = subprocess.Popen(
            [*command, "-nolisten", "tcp"], pass_fds=[writing], stderr=subprocess.DEVNULL
        )
        os.close(writing)
        with os.fdopen(reading) as told:
            self._environment = {**os.environ, "DISPLAY": f":{told.readline().strip()}"}

    def opens(self, nick: str, at: int) -> subprocess.Popen[str]:
        """Start a window."""
        program = str(Path(sys.executable).with_name("chatd-window"))
        window = subprocess.Popen(
            [program, nick, "--host", "127.0.0.1", "--port", str(at)],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._windows.append(window)
        return window

    def does(self, *words: str) -> str:
        """Run xdotool, which must succeed."""
        command = [self._xdotool, *words]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=PATIENCE
        )
        return done.stdout

    def finds(self, title: str, seconds: float = PATIENCE) -> str | None:
        """Wait for a window with this title, a regular expression; return the window, if any.

        Asked again and again: a search that meets a window as it closes finds nothing at all.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.does("search", "--onlyvisible", "--name", title).split()
            if found:
                return found[0]
            time.sleep(0.05)
        return None

    def shows(self, title: str) -> str:
        """Wait for a window with this title and return it."""
        window = self.finds(title)
        assert window is not None, f"No window {title!r}, but {self.titles()}"
        return window

    def titles(self) -> list[str]:
        """Return the titles of all windows."""
        windows = self.does("search", "--onlyvisible", "--name", ".").split()
        return [self.does("getwindowname", window).strip() for window in windows]

    def looks_at(self, window: str) -> None:
        """Give a window the keyboard focus."""
        deadline = time.monotonic() + PATIENCE
        while self.does("getwindowfocus").strip() != window and time.monotonic() < deadline:
            self.does("windowfocus", window)

    def types(self, window: str, text: str) -> None:
        """Type a line into a window, as a keyboard would."""
        self.looks_at(window)
        self.does("type", "--delay", "10", text)
        self.does("key", "Return")

    def presses(self, window: str, key: str) -> None:
        """Press a key in a window."""
        self.looks_at(window)
        self.does("key", key)

    def answers(self, dialog: str, text: str, then: str) -> None:
        """Type over what a dialog has in its field until there is a window with a title.

        Without a window manager a key may be lost while the dialog opens: then it asks again.
        """
        for _ in range(PATIENCE):
            if (open_ := self.finds(dialog, 1)) is not None:
                self.presses(open_, "ctrl+slash")  # selects it all
                self.types(open_, text)
            if self.finds(then, 1) is not None:
                return
        raise AssertionError(f"No window {then!r}, but {self.titles()}")

    def ends(self) -> None:
        for window in self._windows:
            window.terminate()
            window.communicate(timeout=PATIENCE)
        self._server.terminate()
        self._server.wait(PATIENCE)


def ended(window: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the program's end; return its status and output."""
    printed, _ = window.communicate(timeout=PATIENCE)
    return window.returncode, printed


@pytest.fixture
def display(client: Callable[[str], str]) -> Iterator[Display]:
    client("tkinter")
    display = Display(client("Xvfb"), client("xdotool"))
    yield display
    display.ends()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path, options=("--per-address", "none")) as server:
        yield server


def test_two_users_talk_and_one_of_them_uses_the_window(display: Display, served: Served) -> None:
    window = display.opens("ada", served.port())
    ada = display.shows("^ada in lobby - chatd$")
    with Netcat(served.port()) as bob:
        bob.greeted()
        display.types(ada, "hello from a window")
        bob.hears("ada: hello from a window")
        display.types(ada, "/join attic")
        display.shows("^ada in attic - chatd$")
        bob.says("hello from a netcat")
        display.shows(r"^ada in attic \(1\) - chatd$")
        display.types(ada, "/join lobby")
        display.shows("^ada in lobby - chatd$")
        display.types(ada, "so I see")
        bob.hears("ada: so I see")
        display.presses(ada, "ctrl+q")
        bob.hears("ada left")
    assert ended(window) == (0, "")


def test_a_taken_nick_opens_a_dialog_that_accepts_another(display: Display, served: Served) -> None:
    with Netcat(served.port()) as bob:
        bob.greeted()
        bob.says("/nick ada")
        bob.hears("now known as ada")
        window = display.opens("ada", served.port())
        display.shows("^chatd: another name$")
        display.answers("^chatd: another name$", "ada2", then="^ada2 in lobby - chatd$")
        bob.hears("ada2 joined lobby")
    window.terminate()
    assert ended(window) == (0, "")


def test_the_window_reconnects_to_a_restarted_server(display: Display, tmp_path: Path) -> None:
    with Served(tmp_path, options=("--per-address", "none")) as served:
        at = served.port()
        window = display.opens("ada", at)
        display.shows("^ada in lobby - chatd$")
    display.shows("^chatd: the server is gone$")
    with listening_again(at) as listener:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(PATIENCE)
            assert json.loads(connection.recv(1000)) == {"username": "ada", "version": 2}
            connection.sendall(b'{"isConnected": true, "errorCode": -1}\n')
            display.shows("^ada in lobby - chatd$")
    window.terminate()
    assert ended(window) == (0, "")


def listening_again(at: int) -> socket.socket:
    """Listen on a port that was just closed."""
    listener = socket.create_server(("127.0.0.1", at))
    listener.settimeout(PATIENCE)
    return listener


def test_without_a_display_the_program_ends_with_a_sentence(client: Callable[[str], str]) -> None:
    client("tkinter")
    program = str(Path(sys.executable).with_name("chatd-window"))
    ran = subprocess.run(
        [program, "ada"],
        env={**os.environ, "DISPLAY": ":none"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("chatd-window cannot open a window: ")
    assert ran.stderr.count("\n") == 1
