"""JSON programs: events and answers for the first clients and for bots."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from unittest.mock import ANY

import pytest

from chatd.chat.limits import LOG_EVENTS, Rate
from chatd.chat.ratelimit.reports import TurnedAway
from chatd.transport.conversation.program import REQUEST_BYTES
from chatd.transport.json import BOT, WRITE_SECONDS
from chatd.wire.json.messages import OBJECT_BYTES
from tests.support.full_store import REASON, FullStore
from tests.support.memory_server import ClientConnection, MemoryServer


class Program:
    """A connection that sends objects and gets objects."""

    def __init__(self, server: MemoryServer, nick: str = "", version: int = 1) -> None:
        self.server = server
        self.version = version
        self.connection: ClientConnection = server.connects()
        if nick:
            first = {"username": nick} | ({"version": version} if version != 1 else {})
            room = {"room": "lobby"} if version != 1 else {}
            assert self.asks(first) == [{"isConnected": True, "errorCode": -1} | room]

    def sends(self, *objects: Mapping[str, object]) -> None:
        """Send objects back to back, as the first clients do."""
        self.connection.sends(b"".join(json.dumps(each).encode() for each in objects))

    def receives(self) -> list[dict[str, Any]]:
        """Return the objects that come until no more are written."""
        lines: list[bytes] = []
        while more := self.connection.receives().splitlines():
            lines += more
            self.server.clock.advance(0 if self.version == BOT else WRITE_SECONDS)
        return [json.loads(line) for line in lines]

    def asks(self, *objects: Mapping[str, object]) -> list[dict[str, Any]]:
        self.sends(*objects)
        return self.receives()


@pytest.fixture
def server() -> MemoryServer:
    return MemoryServer()


TIME = "1970-01-01T00:00:00.400Z"


def message(text: str, sender: str, seq: int, room: str = "lobby") -> dict[str, object]:
    return {"message": text, "sender": sender, "dm": None, "room": room, "seq": seq, "time": ANY}


def test_the_first_clients_talk_to_everyone_else(server: MemoryServer) -> None:
    bob = server.enters("bob")
    ada = Program(server, "ada")
    assert bob.receives() == b"-- ada joined lobby\r\n"
    assert ada.asks({"message": "hi", "sender": "ada", "dm": None}) == []
    assert bob.receives() == b"ada: hi\r\n"
    bob.sends(b"hello\n/me waves\n")
    assert ada.receives() == [message("hello", "bob", 2), message("* bob waves", "bob", 3)]
    cy = Program(server, "cy")
    assert ada.receives() == [message("User has connected", "cy", 3)]
    assert cy.asks({"message": "psst", "sender": "cy", "dm": "ada"}) == []
    assert ada.receives() == [{"message": "psst", "sender": "cy", "dm": "ada", "time": ANY}]
    assert cy.asks({"disconnect": True, "sender": "cy"}) == [{"disconnect": True}]
    assert cy.connection.closed
    assert ada.receives() == [message("cy is offline", "cy", 3)]


def test_the_first_clients_get_each_object_in_a_write_of_its_own(server: MemoryServer) -> None:
    bob = server.enters("bob")
    ada = Program(server, "ada")
    bob.sends(b"one\ntwo\nthree\n")
    writes = []
    for _ in range(6):
        writes.append(ada.connection.receives())
        server.clock.advance(WRITE_SECONDS / 2)
    assert [write.count(b"\n") for write in writes] == [1, 0, 1, 0, 1, 0]


def test_the_first_clients_get_a_long_message_in_objects_that_they_can_read(
    server: MemoryServer,
) -> None:
    bob, ada = server.enters("bob"), Program(server, "ada")
    text = '\N{GRINNING FACE}\u00e9 \\ "tea" ' * 250
    bob.sends(text.strip().encode() + b"\n")
    lines: list[bytes] = []
    while more := ada.connection.receives().splitlines(keepends=True):
        lines += more
        server.clock.advance(WRITE_SECONDS)
    assert len(lines) > 2
    assert max(map(len, lines)) <= OBJECT_BYTES
    parts = [json.loads(line) for line in lines]
    assert {(part["sender"], part["seq"]) for part in parts} == {("bob", parts[0]["seq"])}
    assert " ".join(part["message"] for part in parts) == text.strip()


def test_an_error_is_a_message_to_the_first_clients(server: MemoryServer) -> None:
    ada = Program(server, "ada")
    [answer] = ada.asks({"message": "hi", "sender": "ada", "dm": "nobody"})
    assert answer == {
        "error": answer["message"],
        "errorCode": 4,
        "message": "There is nobody called nobody; /users says who is here.",
        "sender": "server",
        "dm": None,
    }


def test_the_first_clients_speak_in_their_own_name_whatever_they_send(
    server: MemoryServer,
) -> None:
    bob, ada = server.enters("bob"), Program(server, "ada")
    bob.receives()
    assert ada.asks({"message": "hi", "sender": "bob", "dm": None}) == []
    assert bob.receives() == b"ada: hi\r\n"
    bot = Program(server, "bot", version=2)
    [answer] = bot.asks({"message": "hi", "sender": "bob", "dm": None})
    assert answer["errorCode"] == 10


@pytest.mark.parametrize(
    ("nick", "code"), [("bob", 1), ("BOB", 1), ("b0b", 1), ("a:b", 3), ("server", 3)]
)
def test_a_name_that_is_not_allowed_is_refused(server: MemoryServer, nick: str, code: int) -> None:
    server.enters("bob"), server.enters("b0b")
    ada = Program(server)
    assert ada.asks({"username": nick}) == [{"isConnected": False, "errorCode": code}]
    assert ada.asks({"username": "ada"}) == [{"isConnected": True, "errorCode": -1}]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"message": "hi", "sender": "ada", "dm": "nobody"}, 4),
        ({"message": 5, "sender": "ada", "dm": None}, 7),
        ({"username": "eve"}, 9),
        ({"what": "ever"}, 6),
    ],
)
def test_a_malformed_request_is_answered_and_has_no_other_effect(
    server: MemoryServer, asked: dict[str, object], code: int
) -> None:
    bob = server.enters("bob")
    ada = Program(server, "ada")
    bob.receives()
    [answer] = ada.asks(asked)
    assert (answer["errorCode"], bool(answer["error"])) == (code, True)
    assert bob.receives() == b""
    ada.sends({"message": "hi", "sender": "ada", "dm": None})
    assert bob.receives() == b"ada: hi\r\n"


def test_a_request_before_the_username_is_out_of_turn(server: MemoryServer) -> None:
    ada = Program(server)
    [answer] = ada.asks({"message": "hi", "sender": "ada", "dm": None})
    assert answer["errorCode"] == 9


def test_a_bot_does_what_a_person_can(server: MemoryServer) -> None:
    bob = server.enters("bob")
    bot = Program(server, "bot", 2)
    assert bot.asks({"join": "attic", "id": 1}) == [
        {"ok": True, "id": 1, "room": "attic", "topic": ""}
    ]
    bob.sends(b"/join attic\nhello\n/nick rob\n")
    # What happens in two rooms in one turn may come in either order.
    assert sorted(bot.receives(), key=lambda each: (each["event"], each["room"] != "lobby")) == [
        {"event": "joined", "nick": "bob", "room": "attic", "seq": 0, "time": TIME},
        {"event": "renamed", "nick": "bob", "new": "rob", "room": "lobby", "seq": 0, "time": TIME},
        {"event": "renamed", "nick": "bob", "new": "rob", "room": "attic", "seq": 1, "time": TIME},
        {
            "event": "said",
            "sender": "bob",
            "message": "hello",
            "room": "attic",
            "seq": 1,
            "time": TIME,
        },
    ]
    assert bot.asks({"message": "hi", "room": "attic", "id": "x"}) == [
        {"ok": True, "id": "x", "seq": 2}
    ]
    assert bob.receives().endswith(b"bot: hi\r\n")
    assert bot.asks({"topic": "tea", "room": "attic", "id": 2}) == [
        {"ok": True, "id": 2, "room": "attic"},
        {"event": "topic", "nick": "bot", "topic": "tea", "room": "attic", "seq": 3, "time": TIME},
    ]
    [history] = bot.asks({"history": "attic", "after": 1, "id": 3})
    assert [each["seq"] for each in history["events"]] == [2, 3]
    [users] = bot.asks({"users": "attic", "id": 4})
    assert [(each["nick"], each["role"]) for each in users["users"]] == [
        ("bot", "owner"),
        ("rob", "member"),
    ]
    assert bot.asks({"ping": 7, "id": 5}) == [{"ok": True, "id": 5, "pong": 7}]
    assert bot.asks({"leave": "attic", "id": 6}) == [{"ok": True, "id": 6, "room": "attic"}]
    [refused] = bot.asks({"message": "hi", "room": "attic", "id": 7})
    assert (refused["errorCode"], refused["id"]) == (12, 7)


def test_a_bot_gets_direct_messages(server: MemoryServer) -> None:
    bob = server.enters("bob")
    bot = Program(server, "bot", 2)
    bob.sends(b"/dm bot psst\n")
    [private] = bot.receives()
    assert (private["event"], private["sender"], private["message"]) == ("private", "bob", "psst")


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_conversation_cut_anywhere_is_the_same(server: MemoryServer, cut: int) -> None:
    bob = server.enters("bob")
    connection = server.connects()
    sent = b'{"username": "ada"}{"message": "{}", "sender": "ada", "dm": null}{"disconnect": true}'
    connection.sends(sent[:cut]), connection.sends(sent[cut:])
    assert connection.receives() == b'{"isConnected": true, "errorCode": -1}\n'
    assert not connection.closed
    server.clock.advance(WRITE_SECONDS)
    assert connection.receives() == b'{"disconnect": true}\n'
    assert connection.closed
    assert bob.receives() == b"-- ada joined lobby\r\nada: {}\r\n-- ada left\r\n"


def test_objects_above_the_flood_limit_are_delayed_and_none_is_lost() -> None:
    server = MemoryServer(flood=Rate(2, 1))
    ada = Program(server, "ada", 2)
    pongs = [{"ok": True, "pong": n} for n in range(4)]
    heard = ada.asks(*({"ping": n} for n in range(4)))
    for _ in range(4):
        server.clock.advance(1)
        heard += ada.receives()
    assert heard == pongs


def test_a_person_may_begin_a_line_with_a_brace(server: MemoryServer) -> None:
    bob = server.enters("bob")
    connection = server.connects()
    connection.sends(b"{hello\n"), connection.sends(b'{"username": "eve"}\n')
    assert bob.receives().endswith(b'guest1: {hello\r\nguest1: {"username": "eve"}\r\n')


def test_a_bot_is_told_when_the_lobby_is_private(server: MemoryServer) -> None:
    server.chat.lobby.settings.private = True
    bot = Program(server)
    assert bot.asks({"username": "bot", "version": 2}) == [
        {"isConnected": True, "errorCode": -1, "room": None}
    ]


def test_a_program_proves_its_account_by_a_password(server: MemoryServer) -> None:
    person = server.enters("bot")
    person.sends(b"/register correct horse\n"), person.receives(), person.loses_connection()
    bot = Program(server)
    told = {"isConnected": False, "errorCode": 16}
    wrong = {"username": "bot", "version": 2, "password": "correct house"}
    assert bot.asks(wrong) == [told | {"error": "That is not the password of bot."}]
    assert bot.asks({"username": "bot", "password": "x"}) == [told]
    nobody = {"username": "ada", "version": 2, "password": "x"}
    assert bot.asks(nobody) == [told | {"error": "That is not the password of ada."}]
    assert bot.asks({"username": "bot"}) == [{"isConnected": False, "errorCode": 1}]
    right = wrong | {"password": "correct horse"}
    assert bot.asks(right) == [{"isConnected": True, "errorCode": -1, "room": "lobby"}]
    found = server.chat.people.find("bot")
    assert found is not None
    assert found.account == "bot"
    also = Program(server)
    assert also.asks(right) == [{"isConnected": True, "errorCode": -1, "room": "lobby"}]
    assert len(found.sessions) == 2


def test_a_program_does_not_resume_the_detached_session_of_its_owner(
    server: MemoryServer,
) -> None:
    ada = server.enters("ada")
    ada.sends(b"/register correct horse\n/join attic\n"), ada.receives(), ada.loses_connection()
    bot = Program(server)
    right = {"username": "ada", "version": 2, "password": "correct horse"}
    assert bot.asks(right) == [{"isConnected": True, "errorCode": -1, "room": "lobby"}]
    back = server.connects()
    back.stays_silent(), back.sends(b"/login ada correct horse\n")
    assert b"-- Welcome back, ada.\r\n" in back.receives()


def test_a_program_that_guesses_passwords_is_throttled(server: MemoryServer) -> None:
    person = server.connects("203.0.113.1")
    person.stays_silent(), person.sends(b"/nick bot\n/register correct horse\n"), person.receives()
    bot = Program(server)
    wrong = {"username": "bot", "version": 2, "password": "x"}
    assert [answer["errorCode"] for answer in bot.asks(*[wrong] * 5)] == [16, 16, 16, 14, 14]


def test_an_unknown_version_is_refused_like_a_name(server: MemoryServer) -> None:
    bot = Program(server)
    assert bot.asks({"username": "bot", "version": 3}) == [{"isConnected": False, "errorCode": 7}]


@pytest.mark.parametrize(("version", "ended"), [(1, False), (2, True)])
def test_a_bot_that_missed_something_is_told_and_disconnected(
    server: MemoryServer, version: int, ended: bool
) -> None:
    bob, ada = server.enters("bob"), Program(server, "ada", version)
    ada.connection.transport.stops_reading()
    for number in range(LOG_EVENTS + 200):
        bob.sends(b"%d\n" % number), server.end_turn()
    ada.connection.transport.resumes_reading()
    told = ada.receives()
    assert "missed" in str(told[-1] if ended else told)
    assert ada.connection.closed is ended
    if ended:
        assert (told[-1]["event"], told[-1]["room"]) == ("missed", "lobby")
    else:
        assert told[-1]["message"] == str(LOG_EVENTS + 199)
    bob.sends(b"one more\n"), server.end_turn()


def test_a_room_with_a_key_is_joined_with_it(server: MemoryServer) -> None:
    owner, bot = server.enters("owner"), Program(server, "bot", version=2)
    owner.sends(b"/join attic\n/room key open sesame\n"), owner.receives()
    assert bot.asks({"join": "attic", "id": 1}) == [
        {"error": "attic needs a key: /join attic KEY.", "errorCode": 13, "id": 1}
    ]
    assert bot.asks({"join": "attic", "key": "barley"}) == [
        {"error": "That is not the key of attic.", "errorCode": 13}
    ]
    assert bot.asks({"join": "attic", "key": 7})[0]["errorCode"] == 7
    assert bot.asks({"join": "attic", "key": "open sesame"}) == [
        {"ok": True, "room": "attic", "topic": ""}
    ]


def test_bans_and_disconnections_are_sent_as_typed_events_or_messages(
    server: MemoryServer,
) -> None:
    olga = server.enters("olga")
    person = server.chat.people.find("olga")
    assert person is not None
    person.sessions[0].operator = True
    person.sessions_changed()
    first, bot = Program(server, "ada"), Program(server, "bot", version=2)
    olga.sends(b"/server say tea\n/mute bot 1m caps\n/ban bot 1h spam\n"), olga.receives()
    time = bot.receives()
    events = [{k: v for k, v in each.items() if k not in ("time", "seq", "until")} for each in time]
    assert events == [
        {"event": "announced", "by": "olga", "message": "tea"},
        {
            "event": "muted",
            "nick": "bot",
            "by": "olga",
            "muted": True,
            "reason": "caps",
            "room": "lobby",
        },
        {"event": "put out", "room": "lobby", "by": "olga", "reason": "spam", "banned": True},
    ]
    assert all("until" in each for each in time[1:])
    assert [each["message"] for each in first.receives()] == [
        "User has connected",
        "tea",
        "bot was banned",
    ]
    olga.sends(b"/server kick ada\n/server ban bot\n")
    assert first.receives() == [
        {"message": "You were kicked from this server.", "sender": "olga", "dm": None}
    ]
    [told] = bot.receives()
    assert (told["event"], told["room"], told["until"]) == ("put out", None, None)
    assert first.connection.closed
    assert bot.connection.closed


def test_programs_get_an_event_for_each_of_many_joins(server: MemoryServer) -> None:
    bot, netcat = Program(server, "bot", version=2), server.enters("ada")
    bot.receives()
    for number in range(9):
        Program(server).sends({"username": f"p{number}"})
    assert [event.get("nick") for event in bot.receives()] == [f"p{number}" for number in range(9)]
    assert netcat.receives() == b"-- 9 people joined lobby\r\n"


def test_a_program_that_sends_64_kib_of_refused_json_is_answered_and_closed() -> None:
    server = MemoryServer("json", flood=Rate(10, 2))
    program = Program(server)
    program.sends({"ping": 1}), program.connection.sends(b'{"a":[' * 20_000)
    answers = program.receives()
    assert [answer.get("errorCode") for answer in answers] == [None, 5, 5]
    assert "64 KiB" in answers[-1]["error"]
    assert program.connection.closed
    assert server.reports == [TurnedAway("192.0.2.1", "json", "too-much-broken-json")]


def test_pending_requests_are_bounded_by_their_bytes() -> None:
    server = MemoryServer("json", flood=Rate(1, 1))
    program = server.connects()
    request = b'{"a":[' + b"{}," * 5000 + b"{}]}\n"
    for _ in range(REQUEST_BYTES // len(request)):
        program.sends(request)
        assert not program.transport.paused
    program.sends(request * 3)
    assert program.transport.paused
    server.clock.pump([1.0] * 10), server.end_turn()
    assert not program.transport.paused


def test_on_a_full_disk_no_request_is_answered_with_ok() -> None:
    store = FullStore(is_full=False)
    server = MemoryServer(store=store)
    bot, bob = Program(server, "bot", version=2), server.enters("bob")
    bot.asks({"join": "attic", "id": 1})
    bob.receives()
    store.is_full = True
    for request in (
        {"message": "hi", "room": "attic", "id": 2},
        {"topic": "tea", "room": "attic", "id": 3},
    ):
        [answer] = bot.asks(request)
        assert answer == {
            "error": f"That was not delivered: {REASON}",
            "errorCode": 15,
            "id": request["id"],
        }
    assert server.chat.rooms["attic"].settings.topic == ""
    assert bob.receives() == b""
