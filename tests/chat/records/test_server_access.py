"""Who may come in at all, as each way in tells it: bans at the door, and who is invited."""

from __future__ import annotations

import json

import pytest

from chatd.chat.entry.entrance import Visitor
from chatd.chat.limits import SERVER_BANS
from chatd.chat.model.bans import Ban, Bans, Target, read_target
from chatd.chat.records.server_access import AllowList
from chatd.transport.ssh.keys.public_keys import fingerprint
from tests.support.people import Client, finished
from tests.support.ssh.guests import Guest, Hall
from tests.support.ssh.peer import USER_KEY
from tests.support.wires import Building, Wire

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


#: What each program sends first, and the words in which it is turned away.
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
        (b"hello\n", lambda told: f"{told}\r\n".encode()),
        (b"\xff\xfb\x1f", lambda told: f"{told}\r\n".encode()),
    ],
)
@pytest.mark.parametrize("target", [CAFE, "198.51.0.0/16"])
def test_an_address_that_is_banned_is_told_so_in_its_own_words(
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


def test_who_is_silent_at_a_banned_address_is_told_too() -> None:
    building = Building()
    ban(building, "2001:db8::1")
    wire = building.connects("2001:db8::2")
    wire.waits()
    assert wire.gets().endswith(f"{BANNED}\r\n".encode())
    assert wire.closed


def test_behind_a_proxy_the_address_is_that_of_who_is_there() -> None:
    building = Building(proxies=("192.0.2.0/24",))
    ban(building, CAFE), ban(building, "192.0.2.1")
    wire = building.connects("192.0.2.1")
    wire.sends(b"PROXY TCP4 %s 192.0.2.1 5 1134\r\nhello\n" % CAFE.encode())
    assert wire.gets() == f"{BANNED}\r\n".encode()
    wire = building.connects("192.0.2.1")
    wire.sends(b"PROXY TCP4 203.0.113.5 192.0.2.1 5 1134\r\nhello\n")
    assert b"You are guest1 in lobby" in wire.gets()


def test_by_ssh_an_operator_comes_in_from_a_banned_address_and_nobody_else() -> None:
    hall = Hall(operator=USER_KEY)
    ban(hall.building, "192.0.2.0/24")
    late = Guest(hall, b"eve")
    assert late.peer.reason() == BANNED
    assert b"You are ann in lobby" in Guest(hall, key=USER_KEY).opens().gets()


def test_an_address_is_found_among_ten_thousand_bans_by_a_look_for_each_length() -> None:
    bans = Bans(SERVER_BANS)
    for number in range(SERVER_BANS):
        target = read_target(f"10.{number // 250}.{number % 250}.0/{24 + number % 2}")
        assert target is not None
        bans.put(Ban(target, "", "op", 0.0, None, ""))
    assert len(bans._networks) == 2
    assert bans.of_address("10.39.249.9", 0.0) is not None
    assert bans.of_address("10.40.0.9", 0.0) is None


# At the entrance ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "answer"), PROGRAMS)
def test_a_program_whose_nick_is_banned_is_told_in_its_own_words(
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


def test_by_ssh_a_key_that_is_banned_gets_no_further_than_the_login() -> None:
    hall = Hall()
    ban(hall.building, fingerprint(USER_KEY.blob()))
    assert Guest(hall, key=USER_KEY).peer.reason() == BANNED


def test_who_is_banned_while_at_the_door_of_a_shell_is_told_there() -> None:
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


def test_a_pipe_for_which_somebody_comes_in_ends_with_the_sentence() -> None:
    hall = Hall()
    ann = Guest(hall, b"troll")
    ban(hall.building, "nick:troll")
    ann.runs(b"say lobby hello"), ann.gets()
    assert (ann.errors, ann.status) == (f"chatd: {BANNED}\n".encode(), 1)


# Who is invited -----------------------------------------------------------------------------------


def enter(building: Building, visitor: Visitor) -> None:
    finished(building.chat.enter(visitor, Client(), 0.0))


def test_only_who_is_invited_comes_in() -> None:
    allowed: list[AllowList] = []
    building = Building(allowed=lambda: allowed[0] if allowed else None)
    entered = finished(building.chat.enter(Visitor("bob", "", "SHA256:bob"), Client(), 0.0))
    assert isinstance(entered, tuple)
    person = entered[0].person
    finished(building.chat.entrance.register(person, person.fingerprint, 0.0))
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
def test_a_program_that_is_not_invited_is_told_in_its_own_words(
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
