"""Shells by ssh in the chat: terminals, plain lines, user names, keys, ends.

The clients come through the gate, in memory.
"""

import re

import pytest

from chatd.chat.limits import LINE_BYTES, Rate
from chatd.chat.text.sanitizing import safe
from chatd.wire.ssh import string, uint32
from tests.support.displays import TIPS
from tests.support.ssh import peer as ssh_peer
from tests.support.ssh.clients import GREETED, GREETING, Guest, Hall
from tests.support.ssh.peer import CLOSE, FAILURE, SUCCESS, USER_KEY

# On a terminal ------------------------------------------------------------------------------------


def test_a_user_with_a_terminal_has_their_user_name_as_nick_and_a_prompt() -> None:
    ann = Guest(Hall()).opens(b"xterm")
    assert ann.sees() == [*GREETED, "[lobby]"]
    assert ann.display.cursor == (8, len(GREETED))


def test_the_shell_request_is_confirmed_before_any_output() -> None:
    ann = Guest(Hall())
    ann.channel = ann.peer.open()
    assert ann.peer.request(ann.channel, b"shell") == [SUCCESS]
    assert ann.gets().decode() == f"{GREETING}\r\n"


def test_a_typed_line_is_shown_once_and_sent_to_the_others() -> None:
    hall = Hall()
    ann, bob = Guest(hall).opens(b"xterm"), Guest(hall, b"bob").opens()
    ann.gets(), bob.gets()
    ann.types("hal"), bob.types("one\n")
    assert ann.sees()[-2:] == ["bob: one", "[lobby] hal"]
    ann.types("f\r")
    assert ann.sees()[-3:] == ["bob: one", "ann: half", "[lobby]"]
    assert bob.gets() == b"ann: half\r\n"


def test_a_new_terminal_size_redraws_the_line() -> None:
    ann = Guest(Hall()).opens(b"xterm")
    ann.types("x" * 60), ann.gets()
    ann.asks(b"window-change", uint32(100) + uint32(30) + 2 * uint32(0))
    ann.display.screen.resize(30, 100)
    assert ann.sees() == [*GREETED, "[lobby] " + "x" * 60]
    ann.types("y" * 30)
    assert ann.sees() == [*GREETED, "[lobby] " + "x" * 60 + "y" * 30]
    ann.asks(b"window-change", uint32(100) + uint32(30) + 2 * uint32(0))
    assert ann.gets() == b""


@pytest.mark.parametrize(
    ("terminal", "environment", "colour"),
    [
        (b"xterm-256color", (), b"\x1b[38;5;67m"),
        (b"tmux-256color", (), b"\x1b[38;5;67m"),
        (b"screen", (), b"\x1b[36m"),
        (b"linux", (), b"\x1b[36m"),
        (b"xterm-kitty", (), b"\x1b[38;2;95;140;175m"),
        (b"xterm-256color", ((b"COLORTERM", b"truecolor"),), b"\x1b[38;2;95;140;175m"),
    ],
)
def test_a_terminal_gets_the_colours_that_it_has(
    terminal: bytes, environment: tuple[tuple[bytes, bytes], ...], colour: bytes
) -> None:
    assert colour + b"[lobby]" in Guest(Hall()).opens(terminal, environment=environment).gets()


@pytest.mark.parametrize("terminal", [b"vt100", b"vt220", b"VT102", b"unknown"])
def test_terminals_without_colours_are_drawn_on_without_colours(terminal: bytes) -> None:
    ann = Guest(Hall()).opens(terminal)
    ann.types("hello"), ann.gets()
    ann.types("\x7f")
    text = ann.gets()
    assert b"\x1b[K" in text
    assert not re.search(rb"\x1b\[[0-9;]*m", text)
    assert ann.display.lines == [*GREETED, "[lobby] hell"]


@pytest.mark.parametrize("terminal", [b"dumb", b""])
def test_a_dumb_terminal_gets_no_escape_sequence(terminal: bytes) -> None:
    hall = Hall()
    ann, bob = Guest(hall).opens(terminal), Guest(hall, b"bob").opens()
    ann.gets()
    ann.types("helo\x7flo"), bob.types("one\n")
    text = ann.gets()
    assert b"\x1b" not in text
    assert ann.display.lines[-2:] == ["bob: one", "[lobby] hello"]


def test_no_color_is_respected() -> None:
    ann = Guest(Hall()).opens(b"xterm", environment=((b"NO_COLOR", b"1"),))
    assert not re.search(rb"\x1b\[[0-9;]*m", ann.gets())
    ann.types("hi\r")
    assert not re.search(rb"\x1b\[[0-9;]*m", ann.gets())
    assert ann.display.lines == [*GREETED, "ann: hi", "[lobby]"]


def test_an_empty_no_color_is_ignored() -> None:
    ann = Guest(Hall()).opens(b"xterm", environment=((b"NO_COLOR", b""),))
    assert b"\x1b[36m" in ann.gets()


@pytest.mark.parametrize("key", ["\x04", "/quit\r"])
def test_quitting_restores_the_screen_and_exits_with_status_0(key: str) -> None:
    ann = Guest(Hall()).opens(b"xterm")
    ann.gets()
    ann.types(key)
    assert ann.sees() == [*GREETED, "-- Goodbye."]
    assert ann.display.cursor == (0, len(GREETED) + 1)
    assert ann.closed
    assert ann.status == 0


@pytest.mark.parametrize("kind", [b"signal", b"break"])
def test_an_interrupt_signal_or_a_break_clears_the_line(kind: bytes) -> None:
    ann = Guest(Hall()).opens(b"xterm")
    ann.types("hal")
    ann.asks(kind, string(b"INT") if kind == b"signal" else uint32(500))
    assert ann.sees() == [*GREETED, "[lobby]"]


# Without a terminal -------------------------------------------------------------------------------


def test_without_a_terminal_there_are_plain_lines_and_no_prompt() -> None:
    hall = Hall()
    ann, bob = Guest(hall).opens(), Guest(hall, b"bob").opens()
    assert ann.gets().decode() == f"{GREETING}\r\n-- bob joined lobby\r\n"
    bob.gets()
    ann.types("hel"), ann.types("lo\r\n")
    assert ann.gets() == b""
    assert bob.gets() == b"ann: hello\r\n"


def test_a_plain_line_that_is_too_long_is_cut_and_its_sender_told() -> None:
    hall = Hall()
    ann, bob = Guest(hall).opens(), Guest(hall, b"bob").opens()
    ann.gets(), bob.gets()
    ann.types("x" * (LINE_BYTES + 10) + "\nnext\n")
    assert ann.gets().startswith(b"-- That line was too long;")
    assert bob.gets() == b"ann: " + b"x" * LINE_BYTES + b"\r\nann: next\r\n"


def test_a_window_change_without_a_terminal_is_refused() -> None:
    ann = Guest(Hall()).opens()
    ann.gets()
    ann.asks(b"window-change", uint32(100) + uint32(30) + 2 * uint32(0), reply=True)
    assert ann.gets() == b""
    assert ann.numbers[-1] == FAILURE


def test_an_interrupt_without_a_terminal_ends_the_shell() -> None:
    ann = Guest(Hall()).opens()
    ann.asks(b"signal", string(b"INT"))
    ann.gets()
    assert ann.closed


def test_waiting_lines_are_posted_after_the_end_of_the_input() -> None:
    hall = Hall(flood=Rate(2, 1))
    bob = Guest(hall, b"bob").opens()
    ann = Guest(hall).opens()
    bob.gets()
    ann.types("one\ntwo\nthree\nfour"), ann.ends()
    assert bob.gets() == b"ann: one\r\nann: two\r\n"
    ann.gets()
    assert not ann.closed
    hall.clock.pump([1, 1])
    assert bob.gets().startswith(b"ann: three\r\nann: four\r\n")
    ann.gets()
    assert ann.closed
    assert ann.status == 0


@pytest.mark.parametrize("terminal", [None, b"xterm"])
def test_input_right_after_the_shell_request_is_posted_after_the_greeting(
    terminal: bytes | None,
) -> None:
    hall = Hall()
    bob = Guest(hall, b"bob").opens()
    bob.gets()
    ann = Guest(hall).opens(terminal)
    ann.types("early\r\n")
    ann.gets()
    assert bob.gets() == b"-- ann joined lobby\r\nann: early\r\n"


def test_input_that_ends_before_the_shell_is_confirmed_is_still_posted() -> None:
    hall = Hall()
    bob = Guest(hall, b"bob").opens()
    bob.gets()
    ann = Guest(hall)
    ann.channel = ann.peer.open()
    ann.types("early"), ann.ends()
    assert SUCCESS in ann.peer.request(ann.channel, b"shell")
    ann.gets()
    assert bob.gets().startswith(b"-- ann joined lobby\r\nann: early\r\n")
    assert ann.closed


# Nicks and keys -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "nick"), [(b"grace", "grace"), ("Zoë".encode(), "Zoë"), (b"lobby-1", "lobby-1")]
)
def test_the_user_name_is_the_nick(user: bytes, nick: str) -> None:
    guest = Guest(Hall(), user).opens()
    assert guest.gets().decode().startswith(f"-- You are {nick} in lobby")


def test_a_user_whose_name_is_taken_gets_a_similar_nick_and_is_told() -> None:
    hall = Hall()
    Guest(hall).opens()
    other = Guest(hall).opens()
    notice = other.gets().decode().split("\r\n")[0]
    assert notice.startswith("-- ann is taken; you are ")


@pytest.mark.parametrize(
    "user",
    [
        b"\xff\xfe",
        b"",
        b"a b",
        b"x" * 1000,
        b"--",
        b"\x1b[2J",
        "\u202eann\x9b1m".encode(),
    ],
)
def test_a_user_name_that_is_no_valid_nick_is_replaced(user: bytes) -> None:
    hall = Hall()
    guest = Guest(hall, user).opens()
    text = guest.gets().decode()
    assert " in lobby, alone so far" in text
    assert all(safe(line) == line for line in text.split("\r\n"))
    assert len(hall.building.chat.people) == 1


def test_an_operator_is_recognised_by_their_key() -> None:
    hall = Hall(operator=USER_KEY)
    Guest(hall, key=USER_KEY).opens().gets()
    person = hall.building.chat.people.find("ann")
    assert person is not None
    assert person.operator
    assert person.fingerprint
    Guest(hall, b"bob").opens().gets()
    bob = hall.building.chat.people.find("bob")
    assert bob is not None
    assert not bob.operator
    assert bob.fingerprint is None


def test_a_user_whose_key_is_not_listed_is_no_operator() -> None:
    hall = Hall(operator=ssh_peer.HOST_KEY)
    Guest(hall, key=USER_KEY).opens().gets()
    person = hall.building.chat.people.find("ann")
    assert person is not None
    assert not person.operator
    assert person.fingerprint


def test_when_the_server_is_full_only_operators_come_in() -> None:
    hall = Hall(most=1, operator=USER_KEY)
    Guest(hall, b"bob").opens()
    late = Guest(hall, b"eve")
    assert late.peer.reason() == "The server is full; try again later."
    ann = Guest(hall, key=USER_KEY).opens()
    assert b"You are ann in lobby" in ann.gets()


# Commands -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [b"ls", b"", b"\xff"])
def test_an_unknown_command_fails_with_a_sentence_and_a_status(command: bytes) -> None:
    hall = Hall()
    ann = Guest(hall)
    ann.channel = ann.peer.open()
    assert ann.peer.request(ann.channel, b"exec", string(command))[0] == SUCCESS
    assert ann.gets() == b""
    there_are = b"there are who, rooms, say, tail, search, help."
    assert ann.errors == b"chatd: there is no such command; %s\n" % there_are
    assert ann.status == 64
    assert ann.closed
    assert len(hall.building.chat.people) == 0


def test_input_and_requests_to_a_finished_command_do_no_harm() -> None:
    ann = Guest(Hall())
    ann.channel = ann.peer.open(window=0)
    assert ann.peer.request(ann.channel, b"exec", string(b"cat"))[0] == SUCCESS
    ann.types("hello")
    ann.asks(b"window-change", uint32(100) + uint32(30) + 2 * uint32(0))
    ann.asks(b"signal", string(b"INT"))
    ann.ends()
    ann.gets()
    assert not ann.closed
    ann.peer.send(ssh_peer.ADJUST, uint32(ann.channel) + uint32(1000))
    ann.gets()
    assert ann.errors.startswith(b"chatd: there is no such command")
    assert ann.status == 64


# Ends ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("terminal", [None, b"xterm"])
def test_a_user_who_closes_the_channel_leaves(terminal: bytes | None) -> None:
    hall = Hall()
    bob = Guest(hall, b"bob").opens()
    ann = Guest(hall).opens(terminal)
    bob.gets()
    ann.types("hal\x1b"), ann.peer.send(CLOSE, uint32(ann.channel))
    assert bob.gets() == b"-- ann left\r\n"


@pytest.mark.parametrize("terminal", [None, b"xterm"])
def test_a_lost_connection_leaves_nothing_behind(terminal: bytes | None) -> None:
    hall = Hall()
    ann = Guest(hall).opens(terminal)
    ann.types("hal\x1b")
    ann.peer.hang_up()
    hall.clock.advance(0)
    assert len(hall.building.chat.people) == 0
    assert hall.building.admission.here == 0
    hall.clock.advance(1)
    assert hall.clock.getDelayedCalls() == []


def test_a_client_that_is_gone_before_the_shell_begins_never_joins() -> None:
    hall = Hall()
    bob = Guest(hall, b"bob").opens()
    bob.gets()
    ann = Guest(hall)
    ann.channel = ann.peer.open()
    ann.peer.request(ann.channel, b"shell")
    ann.peer.hang_up()
    assert bob.gets() == b""


def test_two_shells_on_one_connection_are_two_users() -> None:
    hall = Hall()
    ann = Guest(hall).opens()
    ann.gets()
    first = ann.channel
    second = ann.peer.open(mine=8)
    assert second != first
    assert SUCCESS in ann.peer.request(second, b"shell")
    hall.building.turn()
    assert len(hall.building.chat.people) == 2


# A small window -----------------------------------------------------------------------------------


def test_a_small_window_loses_nothing() -> None:
    hall = Hall()
    bob = Guest(hall, b"bob").opens()
    ann = Guest(hall).opens(b"xterm", window=100)
    ann.types("hal")
    bob.gets()
    bob.types("".join(f"{n}\n" for n in range(20)))
    bob.gets()
    for _ in range(40):
        ann.gets()
        ann.peer.send(ssh_peer.ADJUST, uint32(ann.channel) + uint32(100))
    assert ann.sees()[-21:] == [*(f"bob: {n}" for n in range(20)), "[lobby] hal"]


def test_a_user_name_can_carry_preferences() -> None:
    hall = Hall()
    ann, bob = Guest(hall, b"ann+plain").opens(b"xterm-256color"), Guest(hall, b"bob").opens()
    bob.gets()
    bob.types("hi ann\n")
    lines = [GREETING, *TIPS, "bob mentions you: hi ann\a"]
    assert ann.gets().decode().replace("\x1b[?2004h", "") == "".join(f"{x}\r\n" for x in lines)
    cy = Guest(hall, b"cy+light").opens(b"xterm-256color")
    assert b"\x1b[38;5;24m[lobby]" in cy.gets()
