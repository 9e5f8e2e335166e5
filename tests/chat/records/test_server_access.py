"""Who may use the server, as each way in says it: server bans and the allow list."""

from __future__ import annotations

import json

import pytest

from chatd.chat.entry.entrance import Visitor
from chatd.chat.limits import SERVER_BANS
from chatd.chat.model.bans import Ban, Bans, Target, read_target
from chatd.chat.records.server_access import AllowList
from chatd.transport.ssh.keys.public_keys import fingerprint
from tests.support.memory_server import Building, Wire
from tests.support.people import Client, result_of
from tests.support.ssh.clients import Guest, Hall
from tests.support.ssh.peer import USER_KEY

CAFE = "198.51.100.20"
BANNED = "You are banned from this server for good (spam)."
UNINVITED = "This server is for invited people only; come by ssh with a key that it knows."


def ban(building: Building, text: str) -> None:
    target = read_target(text)
    assert isinstance(target, Target)
    building.chat.access.bans.put(Ban(target, text, "op", 0.0, None, "spam"))


def json_answer(sentence: str) -> bytes:
    answer = {"isConnected": False, "errorCode": 13, "error": sentence}
    return json.dumps(answer).encode() + b"\n"


def tcd_answer(sentence: str) -> bytes:
    return f"ERROR_CODE: 11\nERROR_DESCRIPTION: {sentence}\n".encode()


#: What each kind of program sends first, and its refusal.
JOIN = b"JOIN_CHATROOM: attic\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: troll\n"
PROGRAMS = [
    (b'{"username": "troll"}', json_answer),
    (b'{"username": "troll", "version": 2}', json_answer),
    (JOIN, tcd_answer),
]


# At the gate --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        *PROGRAMS,
        (b"hello\n", lambda text: f"{text}\r\n".encode()),
        (b"\xff\xfb\x1f", lambda text: f"{text}\r\n".encode()),
    ],
)
@pytest.mark.parametrize("target", [CAFE, "198.51.0.0/16"])
def test_a_banned_address_is_refused_in_the_clients_own_protocol(
    data: bytes, answer: object, target: str
) -> None:
    building = Building()
    ban(building, target)
    wire = building.connects(CAFE)
    wire.sends(data)
    assert callable(answer)
    assert wire.gets() == answer(BANNED)
    assert wire.closed
    assert len(building.chat.people) == 0
    wire.goes()
    assert building.admission.here == 0
    other = building.connects("203.0.113.1")
    other.sends(b"hello\n")
    assert b"You are guest1 in lobby" in other.gets()


def test_a_silent_client_at_a_banned_address_is_refused_as_well() -> None:
    building = Building()
    ban(building, "2001:db8::1")
    wire = building.connects("2001:db8::2")
    wire.waits()
    assert wire.gets().endswith(f"{BANNED}\r\n".encode())
    assert wire.closed


def test_behind_a_proxy_the_address_of_the_client_counts() -> None:
    building = Building(proxies=("192.0.2.0/24",))
    ban(building, CAFE), ban(building, "192.0.2.1")
    wire = building.connects("192.0.2.1")
    wire.sends(b"PROXY TCP4 %s 192.0.2.1 5 1134\r\nhello\n" % CAFE.encode())
    assert wire.gets() == f"{BANNED}\r\n".encode()
    wire = building.connects("192.0.2.1")
    wire.sends(b"PROXY TCP4 203.0.113.5 192.0.2.1 5 1134\r\nhello\n")
    assert b"You are guest1 in lobby" in wire.gets()


def test_only_an_operator_is_let_in_by_ssh_from_a_banned_address() -> None:
    hall = Hall(operator=USER_KEY)
    ban(hall.building, "192.0.2.0/24")
    late = Guest(hall, b"eve")
    assert late.peer.reason() == BANNED
    assert b"You are ann in lobby" in Guest(hall, key=USER_KEY).opens().gets()


def test_an_address_is_looked_up_once_per_prefix_length_among_ten_thousand_bans() -> None:
    bans = Bans(SERVER_BANS)
    for number in range(SERVER_BANS):
        target = read_target(f"10.{number // 250}.{number % 250}.0/{24 + number % 2}")
        assert target is not None
        bans.put(Ban(target, "", "op", 0.0, None, ""))
    assert bans.prefix_lengths == 2
    assert bans.of_address("10.39.249.9", 0.0) is not None
    assert bans.of_address("10.40.0.9", 0.0) is None


# At the entrance ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "answer"), PROGRAMS)
def test_a_program_whose_nick_is_banned_is_refused_in_its_own_protocol(
    data: bytes, answer: object
) -> None:
    building = Building()
    ban(building, "nick:troll")
    wire = building.connects()
    wire.sends(data)
    assert callable(answer)
    assert wire.gets() == answer(BANNED)
    assert wire.closed
    assert len(building.chat.people) == 0


@pytest.mark.parametrize("declared", ["line", "telnet"])
def test_a_person_who_may_not_come_in_is_told_and_parted_from(declared: str) -> None:
    building = Building(declared, allowed=AllowList)
    wire = building.connects()
    wire.sends(b"hello\n")
    building.clock.advance(1)
    assert f"-- {UNINVITED}\r\n".encode() in wire.gets()
    assert wire.closed
    wire.sends(b"/nick ada\n")
    assert wire.gets() == b""
    assert len(building.chat.people) == 0


def test_a_banned_ssh_key_is_refused_at_the_login() -> None:
    hall = Hall()
    ban(hall.building, fingerprint(USER_KEY.blob()))
    assert Guest(hall, key=USER_KEY).peer.reason() == BANNED


def test_a_user_who_is_banned_between_login_and_shell_is_refused_there() -> None:
    hall = Hall()
    ann = Guest(hall, b"troll")
    ban(hall.building, "nick:troll")
    ann.opens()
    assert ann.gets() == f"-- {BANNED}\r\n".encode()
    assert ann.closed
    bob = Guest(hall, b"bob")
    ban(hall.building, "nick:bob")
    bob.opens(b"xterm")
    assert bob.sees()[0] == f"-- {BANNED}"
    assert bob.closed


def test_an_exec_command_of_a_banned_user_ends_with_the_refusal() -> None:
    hall = Hall()
    ann = Guest(hall, b"troll")
    ban(hall.building, "nick:troll")
    ann.runs(b"say lobby hello"), ann.gets()
    assert (ann.errors, ann.status) == (f"chatd: {BANNED}\n".encode(), 1)


# The allow list -----------------------------------------------------------------------------------


def enter(building: Building, visitor: Visitor) -> None:
    result_of(building.chat.enter(visitor, Client(), 0.0))


def test_only_who_is_invited_comes_in() -> None:
    allowed: list[AllowList] = []
    building = Building(allowed=lambda: allowed[0] if allowed else None)
    entered = result_of(building.chat.enter(Visitor("bob", "", "SHA256:bob"), Client(), 0.0))
    assert isinstance(entered, tuple)
    person = entered[0].person
    result_of(building.chat.entrance.register(person, person.fingerprint, 0.0))
    building.chat.leave(entered[0], "", 0.0)
    guests = AllowList(frozenset({"SHA256:ada"}), frozenset({"bob"}))
    allowed.append(guests)
    for fingerprinted, operator, welcome in (
        ("SHA256:ada", False, True),
        ("SHA256:bob", False, True),
        ("SHA256:cy", False, False),
        (None, False, False),
        (None, True, True),
    ):
        visitor = Visitor("x", "", fingerprinted, operator)
        if welcome:
            enter(building, visitor)
        else:
            with pytest.raises(Exception, match="for invited people only"):
                enter(building, visitor)


@pytest.mark.parametrize(("data", "answer"), PROGRAMS)
def test_a_program_that_is_not_on_the_list_is_refused_in_its_own_protocol(
    data: bytes, answer: object
) -> None:
    building = Building(allowed=AllowList)
    wire: Wire = building.connects()
    wire.sends(data)
    assert callable(answer)
    assert wire.gets() == answer(UNINVITED)
    assert wire.closed


def test_by_ssh_who_is_not_invited_is_told_at_the_login() -> None:
    invited = fingerprint(USER_KEY.blob())
    hall = Hall(allowed=lambda: AllowList(frozenset({invited})))
    assert Guest(hall, b"eve").peer.reason() == UNINVITED
    assert b"You are ann in lobby" in Guest(hall, key=USER_KEY).opens().gets()
