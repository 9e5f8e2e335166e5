"""Who may use the server, as each way in says it: server bans and the allow list."""

from __future__ import annotations

import json

import pytest

from chatd.chat.entry.entrance import Visitor
from chatd.chat.limits import SERVER_BANS
from chatd.chat.model.bans import Ban, Bans, Target, read_target
from chatd.chat.records.server_access import AllowList
from chatd.transport.ssh.keys.public_keys import fingerprint
from tests.support.memory_server import ClientConnection, MemoryServer
from tests.support.people import Client, result_of
from tests.support.ssh.clients import SshClient, SshServer
from tests.support.ssh.peer import USER_KEY

CAFE = "198.51.100.20"
BANNED = "You are banned from this server for good (spam)."
UNINVITED = "This server is for invited people only; come by ssh with a key that it knows."


def ban(server: MemoryServer, text: str) -> None:
    target = read_target(text)
    assert isinstance(target, Target)
    server.chat.access.bans.restore(Ban(target, text, "op", 0.0, None, "spam"))


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
    server = MemoryServer()
    ban(server, target)
    connection = server.connects(CAFE)
    connection.sends(data)
    assert callable(answer)
    assert connection.receives() == answer(BANNED)
    assert connection.closed
    assert len(server.chat.people) == 0
    connection.loses_connection()
    assert server.admission.here == 0
    other = server.connects("203.0.113.1")
    other.sends(b"hello\n")
    assert b"You are guest1 in lobby" in other.receives()


def test_a_silent_client_at_a_banned_address_is_refused_as_well() -> None:
    server = MemoryServer()
    ban(server, "2001:db8::1")
    connection = server.connects("2001:db8::2")
    connection.stays_silent()
    assert connection.receives().endswith(f"{BANNED}\r\n".encode())
    assert connection.closed


def test_behind_a_proxy_the_address_of_the_client_counts() -> None:
    server = MemoryServer(proxies=("192.0.2.0/24",))
    ban(server, CAFE), ban(server, "192.0.2.1")
    connection = server.connects("192.0.2.1")
    connection.sends(b"PROXY TCP4 %s 192.0.2.1 5 1134\r\nhello\n" % CAFE.encode())
    assert connection.receives() == f"{BANNED}\r\n".encode()
    connection = server.connects("192.0.2.1")
    connection.sends(b"PROXY TCP4 203.0.113.5 192.0.2.1 5 1134\r\nhello\n")
    assert b"You are guest1 in lobby" in connection.receives()


def test_only_an_operator_is_let_in_by_ssh_from_a_banned_address() -> None:
    server = SshServer(operator=USER_KEY)
    ban(server.memory_server, "192.0.2.0/24")
    late = SshClient(server, b"eve")
    assert late.peer.reason() == BANNED
    assert b"You are ann in lobby" in SshClient(server, key=USER_KEY).opens_shell().receives()


def test_an_address_is_looked_up_once_per_prefix_length_among_ten_thousand_bans() -> None:
    bans = Bans(SERVER_BANS)
    for number in range(SERVER_BANS):
        target = read_target(f"10.{number // 250}.{number % 250}.0/{24 + number % 2}")
        assert target is not None
        bans.put(Ban(target, str(target), "op", 0.0, None, ""))
    assert bans.prefix_lengths == 2
    assert bans.of_address("10.39.249.9", 0.0) is not None
    assert bans.of_address("10.40.0.9", 0.0) is None


# At the entrance ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "answer"), PROGRAMS)
def test_a_program_whose_nick_is_banned_is_refused_in_its_own_protocol(
    data: bytes, answer: object
) -> None:
    server = MemoryServer()
    ban(server, "nick:troll")
    connection = server.connects()
    connection.sends(data)
    assert callable(answer)
    assert connection.receives() == answer(BANNED)
    assert connection.closed
    assert len(server.chat.people) == 0


@pytest.mark.parametrize("declared", ["line", "telnet"])
def test_a_person_who_may_not_come_in_is_told_and_parted_from(declared: str) -> None:
    server = MemoryServer(declared, allowed=AllowList)
    connection = server.connects()
    connection.sends(b"hello\n")
    server.clock.advance(1)
    assert f"-- {UNINVITED}\r\n".encode() in connection.receives()
    assert connection.closed
    connection.sends(b"/nick ada\n")
    assert connection.receives() == b""
    assert len(server.chat.people) == 0


def test_a_banned_ssh_key_is_refused_at_the_login() -> None:
    server = SshServer()
    ban(server.memory_server, fingerprint(USER_KEY.blob()))
    assert SshClient(server, key=USER_KEY).peer.reason() == BANNED


def test_a_user_who_is_banned_between_login_and_shell_is_refused_there() -> None:
    server = SshServer()
    ann = SshClient(server, b"troll")
    ban(server.memory_server, "nick:troll")
    ann.opens_shell()
    assert ann.receives() == f"-- {BANNED}\r\n".encode()
    assert ann.closed
    bob = SshClient(server, b"bob")
    ban(server.memory_server, "nick:bob")
    bob.opens_shell(b"xterm")
    assert bob.sees()[0] == f"-- {BANNED}"
    assert bob.closed


def test_an_exec_command_of_a_banned_user_ends_with_the_refusal() -> None:
    server = SshServer()
    ann = SshClient(server, b"troll")
    ban(server.memory_server, "nick:troll")
    ann.runs(b"say lobby hello"), ann.receives()
    assert (ann.errors, ann.status) == (f"chatd: {BANNED}\n".encode(), 1)


# The allow list -----------------------------------------------------------------------------------


def enter(server: MemoryServer, visitor: Visitor) -> None:
    result_of(server.chat.enter(visitor, Client(), 0.0))


def test_only_who_is_invited_comes_in() -> None:
    allowed: list[AllowList] = []
    server = MemoryServer(allowed=lambda: allowed[0] if allowed else None)
    entered = result_of(server.chat.enter(Visitor("bob", "", "SHA256:bob"), Client(), 0.0))
    assert isinstance(entered, tuple)
    person = entered[0].person
    result_of(server.chat.entrance.register(person, person.fingerprint, 0.0))
    server.chat.leave(entered[0], "", 0.0)
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
            enter(server, visitor)
        else:
            with pytest.raises(Exception, match="for invited people only"):
                enter(server, visitor)


@pytest.mark.parametrize(("data", "answer"), PROGRAMS)
def test_a_program_that_is_not_on_the_list_is_refused_in_its_own_protocol(
    data: bytes, answer: object
) -> None:
    server = MemoryServer(allowed=AllowList)
    connection: ClientConnection = server.connects()
    connection.sends(data)
    assert callable(answer)
    assert connection.receives() == answer(UNINVITED)
    assert connection.closed


def test_by_ssh_who_is_not_invited_is_told_at_the_login() -> None:
    invited = fingerprint(USER_KEY.blob())
    server = SshServer(allowed=lambda: AllowList(frozenset({invited})))
    assert SshClient(server, b"eve").peer.reason() == UNINVITED
    assert b"You are ann in lobby" in SshClient(server, key=USER_KEY).opens_shell().receives()
