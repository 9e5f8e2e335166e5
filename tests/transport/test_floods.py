"""Floods: what one person, one connection and one address may do, whatever they connect with."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from chatd.chat.limits import ESTABLISHED_SECONDS, FLOOD_LINES, LOGIN_TRIES, WAVE_GUESTS, Rate
from chatd.chat.model.bans import Kind
from chatd.chat.ratelimit.reports import Flood, TurnedAway, WrongSecret
from chatd.chat.records.accounts import Account, Key
from chatd.chat.text.names import Name
from chatd.transport.gate.admission import Admission, PerAddress
from chatd.transport.ssh.keys.public_keys import fingerprint
from chatd.transport.ssh.shell import CHANNELS_AT_ONCE
from chatd.wire.ssh import string, uint32
from tests.support.memory_server import ClientConnection, MemoryServer
from tests.support.ssh.clients import SshClient, SshServer
from tests.support.ssh.peer import CLOSE, SUCCESS, USER_KEY

PERSON, ADDRESS = Rate(10, 2), Rate(40, 8)
#: A day after the epoch, when accounts made then are established.
LATER = ESTABLISHED_SECONDS + 1.0


def limited() -> SshServer:
    return SshServer(flood=PERSON, flood_per_address=ADDRESS)


def listener(server: MemoryServer) -> ClientConnection:
    """Return somebody elsewhere who hears what is said in the lobby."""
    return server.enters("ear", address="203.0.113.9")


def said(ear: ClientConnection, word: bytes = b"flood") -> int:
    """Return how many lines with a word were heard since the last call."""
    return ear.receives().count(word)


def has_account(server: MemoryServer, nick: str, *, made: float = 0.0) -> None:
    """Register an account with the key of the tests' ssh client."""
    keys = (Key(fingerprint(USER_KEY.blob()), "", made),)
    account = Account(Name(nick, nick), keys, made)
    server.chat.accounts.apply_change(nick, account.encoded())


def run(client: SshClient, command: bytes) -> int:
    """Run a command in a new channel of a client; return the channel, or -1 if it is refused."""
    channel = client.peer.open()
    if channel >= 0:
        assert SUCCESS in client.peer.request(channel, b"exec", string(command))
    return channel


def close(client: SshClient, channel: int) -> None:
    client.peer.send(CLOSE, uint32(channel))


def run_and_close(client: SshClient, command: bytes, times: int) -> None:
    """Run commands one after another in channels of one connection, without waiting for them."""
    for _ in range(times):
        channel = run(client, command)
        if channel >= 0:
            client.server.memory_server.end_turn()
            close(client, channel)


# One person ---------------------------------------------------------------------------------------


def test_all_commands_of_an_ssh_connection_together_are_one_person() -> None:
    server = limited()
    ear = listener(server.memory_server)
    eve = SshClient(server, b"eve")
    run_and_close(eve, b"say lobby flood", 30)
    assert said(ear) == PERSON.burst


def test_a_command_waits_for_its_turn_and_is_done_then() -> None:
    server = limited()
    ear = listener(server.memory_server)
    eve = SshClient(server, b"eve")
    run_and_close(eve, b"who", PERSON.burst)
    eve.channel = run(eve, b"say lobby flood")
    assert said(ear) == 0
    server.clock.advance(0.5)
    assert said(ear) == 1
    eve.receives()
    assert eve.status == 0


@pytest.mark.parametrize("command", [b"who", b"rooms", b"search x", b"help", b"tail lobby", b"no"])
def test_every_command_counts_as_a_line(command: bytes) -> None:
    server = limited()
    ear = listener(server.memory_server)
    eve = SshClient(server, b"eve")
    run_and_close(eve, command, PERSON.burst)
    run(eve, b"say lobby flood")
    assert said(ear) == 0


def test_the_text_of_say_and_its_first_line_of_input_count_once() -> None:
    server = limited()
    ear = listener(server.memory_server)
    eve = SshClient(server, b"eve").runs(b"say lobby")
    eve.types("flood\n" * 20)
    assert said(ear) == PERSON.burst


def test_shells_and_commands_of_a_connection_share_its_budget() -> None:
    server = limited()
    ear = listener(server.memory_server)
    eve = SshClient(server, b"eve").opens_shell()
    eve.receives()
    eve.types("flood\n" * 6)
    run_and_close(eve, b"say lobby flood", 10)
    assert said(ear) == PERSON.burst
    another = eve.peer.open()
    eve.peer.request(another, b"shell")
    server.memory_server.end_turn()
    eve.peer.type(another, b"flood\n")
    assert said(ear) == 0


def test_the_first_shell_of_a_connection_costs_nothing_and_each_further_one_a_line() -> None:
    server = limited()
    ear = listener(server.memory_server)
    eve = SshClient(server, b"eve")
    for _ in range(30):
        channel = eve.peer.open()
        eve.peer.request(channel, b"shell")
        server.memory_server.end_turn()
        close(eve, channel)
    assert said(ear, b"joined") == PERSON.burst + 1
    server.clock.advance(1)
    late = SshClient(server, b"late").opens_shell()
    late.receives(), said(ear)
    late.types("flood\n" * 20)
    assert said(ear) == PERSON.burst


def test_a_shell_that_waits_for_its_turn_keeps_what_is_typed() -> None:
    server = limited()
    ear = listener(server.memory_server)
    eve = SshClient(server, b"eve").opens_shell()
    eve.receives()
    run_and_close(eve, b"who", PERSON.burst)
    eve.opens_shell()
    eve.types("flood\n")
    assert said(ear) == 0
    server.clock.advance(0.5)
    server.clock.advance(0.5)
    assert said(ear) == 1


def test_an_account_has_one_budget_over_connections_and_protocols() -> None:
    server = limited()
    memory = server.memory_server
    ear = listener(memory)
    account = Account(Name("ann", "ann"), (), 0.0, "kept:correct horse")
    memory.chat.accounts.apply_change("ann", account.encoded())
    screens = [memory.enters(address=f"198.51.100.{number}") for number in range(3)]
    for screen in screens:
        screen.sends(b"/login ann correct horse\n")
        assert b"ann" in screen.receives()
    said(ear)
    for screen in screens:
        screen.sends(b"flood\n" * 10)
    assert said(ear) == PERSON.burst
    bot = memory.connects("198.51.100.4")
    first = {"username": "ann", "version": 2, "password": "correct horse"}
    bot.sends(json.dumps(first).encode())
    bot.receives()
    bot.sends(json.dumps({"message": "flood", "sender": "ann", "dm": None}).encode())
    assert said(ear) == 0


def test_one_person_still_writes_ten_lines_at_once_and_then_two_a_second() -> None:
    server = limited().memory_server
    ear = listener(server)
    eve = server.enters("eve")
    server.clock.advance(60)
    eve.sends(b"flood\n" * 15)
    assert said(ear) == 10
    for _ in range(4):
        server.clock.advance(0.5)
        assert said(ear) == 1


# One connection -----------------------------------------------------------------------------------


def test_a_connection_opens_so_many_channels_at_once_and_then_two_a_second() -> None:
    server = limited()
    eve = SshClient(server, b"eve")

    def opened(tries: int) -> int:
        count = 0
        for _ in range(tries):
            channel = eve.peer.open()
            if channel >= 0:
                close(eve, channel)
                count += 1
        return count

    assert opened(CHANNELS_AT_ONCE + 50) == CHANNELS_AT_ONCE
    server.clock.advance(1)
    assert opened(10) == 2


def test_a_channel_that_closes_gives_back_the_line_that_it_waited_for() -> None:
    server = limited()
    eve = SshClient(server, b"eve")
    run_and_close(eve, b"who", CHANNELS_AT_ONCE)
    server.clock.advance(0.5)
    ear = listener(server.memory_server)
    run(eve, b"say lobby flood")
    assert said(ear) == 1, "fifty commands that were called off delay nobody"


# One address --------------------------------------------------------------------------------------


def by_line(server: MemoryServer, number: int) -> Callable[[], None]:
    connection = server.enters(address="192.0.2.1")
    return lambda: connection.sends(b"flood\n" * 10)


def by_telnet(server: MemoryServer, number: int) -> Callable[[], None]:
    connection = server.connects("192.0.2.1")
    connection.sends(b"\xff\xfb\x1f")
    server.clock.advance(1)
    return lambda: connection.sends(b"flood\r\n" * 10)


def by_json(server: MemoryServer, number: int) -> Callable[[], None]:
    connection = server.connects("192.0.2.1")
    connection.sends(json.dumps({"username": f"bot{number}", "version": 2}).encode())
    message = {"message": "flood", "sender": f"bot{number}", "dm": None}
    return lambda: connection.sends(json.dumps(message).encode() * 10)


def by_tcd(server: MemoryServer, number: int) -> Callable[[], None]:
    connection = server.connects("192.0.2.1")
    join = f"JOIN_CHATROOM: lobby\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: tcd{number}\n"
    connection.sends(join.encode())
    answers = dict(
        line.split(": ", 1) for line in connection.receives().decode().splitlines() if ": " in line
    )
    ref, ident = answers["ROOM_REF"], answers["JOIN_ID"]
    chat = f"CHAT: {ref}\nJOIN_ID: {ident}\nCLIENT_NAME: tcd{number}\nMESSAGE: flood\n\n"
    return lambda: connection.sends(chat.encode() * 10)


@pytest.mark.parametrize("way", [by_line, by_telnet, by_json, by_tcd])
def test_guests_of_one_address_post_four_times_what_one_may(
    way: Callable[[MemoryServer, int], Callable[[], None]],
) -> None:
    server = limited().memory_server
    ear = listener(server)
    floods = [way(server, number) for number in range(20)]
    other = server.enters(address="198.51.100.1")
    server.clock.advance(60)
    said(ear)
    for flood in floods:
        flood()
    assert said(ear) == ADDRESS.burst
    server.clock.advance(1)
    assert said(ear) == ADDRESS.per_second
    other.sends(b"flood\n")
    assert said(ear) == 1, "another address is not delayed"


def test_guests_are_told_that_it_is_their_address_and_lines_go_round() -> None:
    server = limited().memory_server
    ear = listener(server)
    guests = [server.enters(f"eve{number}") for number in range(5)]
    server.clock.advance(60)
    for guest in guests:
        guest.receives(), guest.sends(b"flood\n" * 9)
    told = b"-- Much is written from your address: lines from there go out at 8 a second now"
    assert guests[4].receives().startswith(told)
    assert said(ear) == ADDRESS.burst
    guests[0].sends(b"flood\n")
    server.clock.advance(5)
    assert said(ear) == 6, "none is lost"


def test_guests_do_not_delay_an_established_account_or_an_operator_of_their_address() -> None:
    server = SshServer(flood=PERSON, flood_per_address=ADDRESS, operator=USER_KEY)
    memory = server.memory_server
    server.clock.advance(LATER)
    ear = listener(memory)
    for nick, made in (("old", 0.0), ("new", LATER)):
        account = Account(Name(nick, nick), (), made, "kept:correct horse")
        memory.chat.accounts.apply_change(nick, account.encoded())
    owners = {nick: memory.enters(address="192.0.2.1") for nick in ("old", "new")}
    for nick, owner in owners.items():
        owner.sends(f"/login {nick} correct horse\n".encode()), owner.receives()
    guests = [memory.enters(address="192.0.2.1") for _ in range(10)]
    for guest in guests:
        guest.sends(b"noise\n" * 10)
    said(ear)
    owners["new"].sends(b"flood\n")
    assert said(ear) == 0, "an account that was made today is no better than a guest"
    owners["old"].sends(b"flood\n")
    assert said(ear) == 1
    run(SshClient(server, key=USER_KEY), b"say lobby flood")
    assert said(ear) == 1


# Keys of rooms ------------------------------------------------------------------------------------


def room_with_key(server: MemoryServer) -> ClientConnection:
    """Return the owner of a room called den whose key is sesame."""
    owner = server.enters("owner", address="203.0.113.1")
    owner.sends(b"/join den\n/room key sesame\n"), owner.receives()
    return owner


def test_wrong_keys_of_a_room_are_counted_slowed_and_reported_as_wrong_passwords_are() -> None:
    server = MemoryServer()
    room_with_key(server)
    eve = server.enters("eve")
    eve.sends(b"/join den guess\n" * (LOGIN_TRIES + 1))
    assert eve.receives() == (
        b"-- That is not the key of den.\r\n" * LOGIN_TRIES
        + b"-- There were too many wrong keys; try again in 1 s.\r\n"
    )
    assert server.reports == [WrongSecret("192.0.2.1", "line", room="den")] * LOGIN_TRIES + [
        TurnedAway("192.0.2.1", "line", "too-many-wrong-keys")
    ]
    server.clock.advance(1)
    eve.sends(b"/join den guess\n/join den sesame\n")
    assert b"try again in 2 s" in eve.receives(), "the right one has to wait as well"
    another = server.enters("mallory")
    another.sends(b"/join den sesame\n")
    assert b"try again in 2 s" in another.receives(), "it is the address that waits"
    server.clock.advance(2)
    another.sends(b"/join den sesame\n")
    assert b"You are in den" in another.receives()


def test_json_programs_guess_keys_no_faster() -> None:
    server = MemoryServer()
    room_with_key(server)
    bot = server.connects()
    bot.sends(json.dumps({"username": "bot", "version": 2}).encode()), bot.receives()
    guess = json.dumps({"join": "den", "key": "guess"}).encode()
    bot.sends(guess * 10)
    answers = bot.receives()
    assert answers.count(b"That is not the key of den.") == LOGIN_TRIES
    assert answers.count(b"too many wrong keys") == 10 - LOGIN_TRIES
    assert server.reports.count(WrongSecret("192.0.2.1", "json", room="den")) == LOGIN_TRIES


def test_shells_of_one_ssh_connection_guess_keys_no_faster() -> None:
    server = SshServer()
    memory = server.memory_server
    room_with_key(memory)
    eve = SshClient(server, b"eve")
    for _ in range(10):
        channel = eve.peer.open()
        eve.peer.request(channel, b"shell")
        memory.end_turn()
        eve.peer.type(channel, b"/join den guess\n")
        close(eve, channel)
    reports = [each for each in memory.reports if isinstance(each, WrongSecret)]
    assert len(reports) == LOGIN_TRIES
    assert {each.way for each in reports} == {"ssh"}


def test_whoever_may_enter_without_the_key_is_never_slowed() -> None:
    server = MemoryServer()
    owner = room_with_key(server)
    eve = server.enters("eve")
    eve.sends(b"/join den guess\n" * 10), eve.receives()
    owner.sends(b"/invite eve\n"), owner.receives()
    eve.receives(), eve.sends(b"/join den guess\n")
    assert b"You are in den" in eve.receives()


def test_an_address_that_has_given_the_right_key_is_not_slowed_by_guesses_from_elsewhere() -> None:
    server = MemoryServer()
    room_with_key(server)
    bob = server.enters("bob", address="198.51.100.2")
    bob.sends(b"/join den sesame\n/leave den\n"), bob.receives()
    for number in range(10):
        eve = server.enters(address=f"192.0.2.{number}")
        eve.sends(b"/join den guess\n")
    cy = server.enters("cy", address="198.51.100.2")
    cy.sends(b"/join den sesame\n")
    assert b"You are in den" in cy.receives()


# Who is let in when it is tight -------------------------------------------------------------------


def test_the_last_connections_are_for_accounts_and_the_very_last_for_operators() -> None:
    admission = Admission(20, None, reserve=1)
    assert admission.capacity == 23
    server = SshServer(max_connections=20)
    memory = server.memory_server
    server.clock.advance(LATER)
    has_account(memory, "ann")
    guests = [memory.enters(address=f"192.0.2.{number}") for number in range(20)]
    late = memory.connects("198.51.100.1")
    late.stays_silent()
    assert late.receives().endswith(b"The server is full; try again later.\r\n")
    late.loses_connection()
    SshClient(server, b"eve").receives()
    assert TurnedAway("192.0.2.7", "ssh", "full") in memory.reports
    ann = SshClient(server, key=USER_KEY).opens_shell()
    assert b"You are ann in lobby" in ann.receives()
    assert len(guests) == 20


def test_a_new_account_waits_with_the_guests() -> None:
    server = SshServer(max_connections=1)
    memory = server.memory_server
    server.clock.advance(LATER)
    has_account(memory, "ann", made=LATER)
    memory.enters()
    eve = SshClient(server, key=USER_KEY)
    assert eve.peer.is_gone()


def test_an_owner_comes_in_although_guests_hold_all_connections_of_the_address() -> None:
    server = SshServer()
    memory = server.memory_server
    memory.admission.per_address = PerAddress(10, 1000)
    server.clock.advance(LATER)
    has_account(memory, "ann")
    for _ in range(10):
        memory.connects("1.2.3.4").stays_silent()
    guest = memory.connects("1.2.3.4")
    guest.stays_silent()
    assert guest.receives().endswith(b"There are too many connections from your address.\r\n")
    assert guest.closed
    assert memory.reports[-1] == TurnedAway("1.2.3.4", "line", "too-many-connections")
    guest.loses_connection()
    ann = SshClient(server, key=USER_KEY, address="1.2.3.4").opens_shell()
    assert b"You are ann in lobby" in ann.receives()
    another = memory.connects("1.2.3.4")
    assert another.closed, "the reserve has an end"


# Operators are warned -----------------------------------------------------------------------------


def operator_of(server: SshServer) -> SshClient:
    root = SshClient(server, b"root", key=USER_KEY).opens_shell()
    root.receives()
    return root


def test_operators_are_warned_once_of_an_address_that_floods() -> None:
    server = SshServer(flood=PERSON, flood_per_address=ADDRESS, operator=USER_KEY)
    memory = server.memory_server
    root = operator_of(server)
    guests = [memory.enters(address="198.51.100.7") for _ in range(20)]
    server.clock.advance(60), root.receives()
    for guest in guests:
        guest.sends(b"noise\n" * 10)
    warning = (
        b"-- A flood from 198.51.100.7: 20 people write from there, more than one address may. "
        b"/server ban 198.51.100.7 10m ends it.\r\n"
    )
    heard = root.receives()
    for _ in range(FLOOD_LINES):
        server.clock.advance(0.25)
        heard += root.receives()
    assert heard.count(warning) == 1
    assert memory.reports == [Flood("198.51.100.7", "lines", 20)]
    assert all(b"A flood from" not in guest.receives() for guest in guests)
    root.types("/server ban 198.51.100.7 10m\n")
    assert any(ban.target.kind is Kind.ADDRESS for ban in memory.chat.access.bans)


def test_operators_are_warned_of_a_wave_of_guests() -> None:
    server = SshServer(operator=USER_KEY)
    memory = server.memory_server
    root = operator_of(server)
    server.clock.advance(1000)
    for number in range(WAVE_GUESTS - 1):
        memory.connects(f"192.0.2.{number % 9}").sends(b"hello\n")
        memory.end_turn()
    assert b"A wave" not in root.receives()
    memory.connects("198.51.100.7").sends(b"hello\n")
    heard = root.receives()
    assert heard.count(b"-- A wave of guests: 100 came in within a minute, most of them from") == 1
    assert [each for each in memory.reports if isinstance(each, Flood)] == [
        Flood("192.0.2.0", "guests", WAVE_GUESTS)
    ]
