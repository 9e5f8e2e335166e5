"""Telnet: negotiation with real clients, and what they are shown."""

import re

import pytest

from chatd.chat.ratelimit.reports import TurnedAway
from chatd.transport.gate.gate import SILENCE_SECONDS
from chatd.transport.telnet import SETTLE_SECONDS, TOO_MANY_COMMANDS
from chatd.wire.telnet import codec
from chatd.wire.telnet.codec import PROBE
from tests.support.displays import TIPS, Display
from tests.support.memory_server import ClientConnection, MemoryServer

IAC, DONT, DO, WONT, WILL, SB, SE, IP, EOF, AYT = 255, 254, 253, 252, 251, 250, 240, 244, 236, 246
BINARY, ECHO, SGA, TTYPE, NAWS, TSPEED, LFLOW, LINEMODE, ENVIRON, STATUS = (
    0, 1, 3, 24, 31, 32, 33, 34, 39, 5,
)  # fmt: skip

#: Anything that telnet says beside the text.
COMMANDS = re.compile(rb"\xff(?:[\xfb-\xfe].|\xfa.*?\xff\xf0|[\xec-\xf9])", re.DOTALL)

EC, EL = 247, 248

GREETING = "-- You are guest1 in lobby, alone so far; /help says what you can do."
#: What is on the screen of a terminal.
GREETED = [GREETING, *TIPS]


def says(verb: int, *options: int) -> bytes:
    """Return WILL, WONT, DO or DONT for each option."""
    return b"".join(bytes((IAC, verb, option)) for option in options)


def window(columns: int, rows: int) -> bytes:
    """Return a negotiation of the window size, with its 255s doubled."""
    size = (columns.to_bytes(2, "big") + rows.to_bytes(2, "big")).replace(b"\xff", b"\xff\xff")
    return bytes((IAC, SB, NAWS)) + size + bytes((IAC, SE))


def name(terminal: bytes) -> bytes:
    """Return a negotiation of the terminal name."""
    return bytes((IAC, SB, TTYPE, 0)) + terminal + bytes((IAC, SE))


ALL_EIGHT_BITS = says(DO, BINARY) + says(WILL, BINARY)
LETS_US_ECHO = says(DO, ECHO, SGA) + says(WILL, SGA)

#: What clients say of themselves, before and after they are asked for their terminal's name.
INETUTILS = (
    says(WILL, TTYPE, NAWS) + window(80, 24) + LETS_US_ECHO + ALL_EIGHT_BITS,
    name(b"XTERM-256COLOR") * 2,
)
NETKIT = (
    says(WILL, TTYPE) + says(WILL, NAWS) + window(80, 24) + LETS_US_ECHO + ALL_EIGHT_BITS,
    name(b"xterm-256color"),
)
#: On its own port netkit's speaks first, and of much that we do not.
NETKIT_FIRST = (
    says(DO, SGA) + says(WILL, TTYPE, NAWS, TSPEED, LFLOW, LINEMODE, ENVIRON) + says(DO, STATUS)
    + window(80, 24) + says(DO, ECHO) + says(WILL, SGA) + ALL_EIGHT_BITS,
    name(b"xterm"),
)  # fmt: skip
PLINK = (
    says(WILL, NAWS, TSPEED, TTYPE, ENVIRON) + says(DO, ECHO) + says(WILL, SGA) + says(DO, SGA)
    + window(80, 24) + ALL_EIGHT_BITS,
    name(b"XTERM") * 2,
)  # fmt: skip
TINTIN = (
    says(WILL, TTYPE, NAWS) + window(80, 24) + LETS_US_ECHO + ALL_EIGHT_BITS,
    name(b"TINTIN++") + name(b"xterm") + name(b"MTTS 2831") * 2,
)
CLIENTS = {
    "inetutils": INETUTILS,
    "netkit": NETKIT,
    "netkit first": NETKIT_FIRST,
    "plink": PLINK,
    "tt++": TINTIN,
}
REFUSES_ALL = says(WONT, TTYPE, NAWS, SGA, BINARY) + says(DONT, ECHO, SGA, BINARY)


class Telnet:
    """A telnet client and its screen."""

    def __init__(self, connection: ClientConnection, columns: int = 80, rows: int = 24) -> None:
        self.connection = connection
        self.display = Display(columns, rows)
        self.text = b""
        self.commands = b""

    def sends(self, *data: bytes) -> None:
        """Send pieces, each received on its own."""
        for piece in data:
            self.connection.sends(piece)

    def receives(self) -> bytes:
        """Return the text sent since the last time, without commands, and show it."""
        data = self.connection.receives()
        self.commands += b"".join(COMMANDS.findall(data))
        text = COMMANDS.sub(b"", data)
        assert b"\xff" not in text
        self.text += text
        self.display.feed(text)
        return text

    def sees(self) -> list[str]:
        """Return the rows of the screen."""
        self.receives()
        return self.display.lines

    def answer_times_out(self) -> None:
        """Advance the clock by the time that a client has to answer."""
        self.connection.server.clock.advance(SETTLE_SECONDS)


def connect(client: tuple[bytes, bytes], server: MemoryServer | None = None) -> Telnet:
    """Return a client that connects to a port for telnet."""
    telnet = Telnet((server or MemoryServer("telnet")).connects())
    telnet.sends(*client)
    return telnet


def netcat(server: MemoryServer) -> ClientConnection:
    """Return a user of plain lines on the same port."""
    connection = server.connects("192.0.2.9")
    server.clock.advance(SETTLE_SECONDS)
    connection.sends(b"/nick bob\n")
    connection.receives()
    return connection


# Clients that let us draw -------------------------------------------------------------------------


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_a_telnet_is_greeted_as_soon_as_it_has_answered_and_has_a_prompt(
    client: tuple[bytes, bytes],
) -> None:
    telnet = connect(client)
    assert telnet.sees() == [*GREETED, "[lobby]"]
    assert telnet.display.cursor == (8, len(GREETED))
    telnet.sends(b"h", b"i")
    assert telnet.receives() == b"hi"
    telnet.sends(b"\r\0")
    assert telnet.sees() == [*GREETED, "guest1: hi", "[lobby]"]
    telnet.answer_times_out()
    assert telnet.receives() == b""


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_a_telnet_that_waits_for_the_server_is_found_on_the_one_port(
    client: tuple[bytes, bytes],
) -> None:
    server = MemoryServer()
    telnet = Telnet(server.connects())
    server.clock.advance(SILENCE_SECONDS)
    assert telnet.receives() == COMMANDS.sub(b"", PROBE)
    telnet.sends(says(WILL, TTYPE), *client)
    assert telnet.sees() == [*GREETED, "[lobby]"]
    assert telnet.commands.count(bytes((IAC, DO, TTYPE))) == 1
    telnet.sends(b"hi\r\n")
    assert telnet.sees() == [*GREETED, "guest1: hi", "[lobby]"]


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_a_telnet_that_speaks_first_is_found_on_the_one_port(client: tuple[bytes, bytes]) -> None:
    telnet = connect(client, MemoryServer())
    assert telnet.sees() == [*GREETED, "[lobby]"]
    assert PROBE[3:] not in telnet.text


@pytest.mark.parametrize("declared", ["telnet", None])
@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_a_conversation_cut_anywhere_is_the_same(
    client: tuple[bytes, bytes], declared: str | None
) -> None:
    sent = b"".join(client) + b"hal" + window(60, 20) + "lo 日\x7f本\r\0".encode() + b"\r\nbye\r\n"
    seen = []
    for cut in range(1, len(sent) + 1):
        telnet = connect((sent[:cut], sent[cut:]), MemoryServer(declared))
        seen.append((telnet.sees(), telnet.display.cursor))
    screen = [*GREETED, "guest1: hallo 本", "guest1: bye", "[lobby]"]
    assert seen == [(screen, (8, len(screen) - 1))] * len(sent)


def test_a_conversation_byte_by_byte_is_the_same() -> None:
    sent = b"".join(INETUTILS) + "hállo\r\0".encode()
    telnet = Telnet(MemoryServer("telnet").connects())
    telnet.sends(*(sent[at : at + 1] for at in range(len(sent))))
    assert telnet.sees() == [*GREETED, "guest1: hállo", "[lobby]"]


def test_a_telnet_that_names_no_terminal_is_greeted_after_a_timeout() -> None:
    telnet = connect((says(WONT, TTYPE) + LETS_US_ECHO, b""))
    assert telnet.receives() == b""
    telnet.answer_times_out()
    assert telnet.sees() == [*GREETED, "[lobby]"]


def test_a_terminal_name_without_colours_takes_them_away() -> None:
    assert b"\x1b[38;5;" in (colourful := connect(INETUTILS)).receives() + colourful.text
    telnet = connect((INETUTILS[0], name(b"VT100")))
    assert telnet.sees() == [*GREETED, "[lobby]"]
    assert b"\x1b[38;5;" not in telnet.text


def test_a_late_terminal_name_still_counts() -> None:
    telnet = connect((INETUTILS[0], b""))
    telnet.answer_times_out()
    assert b"\x1b[36m[lobby]" in telnet.receives()
    telnet.sends(name(b"xterm-256color"))
    assert b"\x1b[38;5;67m[lobby]" in telnet.receives()
    telnet.sends(name(b"vt220"))
    telnet.sends(b"hi\r\0")
    assert not re.search(rb"\x1b\[[0-9;]*m", telnet.receives())


@pytest.mark.parametrize("terminal", [b"dumb", b"DUMB", b"unknown", b"network"])
def test_a_terminal_that_knows_no_sequences_is_sent_none(terminal: bytes) -> None:
    telnet = connect((INETUTILS[0], name(terminal)))
    telnet.sends(b"hi\x7f\r\0")
    telnet.receives()
    assert b"\x1b" not in telnet.text


# Windows ------------------------------------------------------------------------------------------


def test_a_line_is_wrapped_as_wide_as_the_window_is() -> None:
    server = MemoryServer("telnet")
    telnet = Telnet(server.connects(), 40, 10)
    telnet.sends(INETUTILS[0].replace(window(80, 24), window(40, 10)), INETUTILS[1])
    telnet.sends(b"x" * 40)
    assert telnet.sees()[-2:] == ["[lobby] " + "x" * 32, "x" * 8]


def test_a_window_that_changes_during_typing_redraws_the_line() -> None:
    telnet = connect(INETUTILS)
    telnet.sends(b"x" * 40)
    telnet.receives()
    telnet.display.screen.resize(24, 100)
    telnet.sends(window(100, 24) + b"y" * 50)
    assert telnet.sees() == [*GREETED, "[lobby] " + "x" * 40 + "y" * 50]
    telnet.sends(window(100, 24))
    assert telnet.receives() == b""


def test_a_window_may_have_255_columns() -> None:
    telnet = Telnet(MemoryServer("telnet").connects(), 255, 24)
    telnet.sends(INETUTILS[0].replace(window(80, 24), window(255, 24)), INETUTILS[1])
    telnet.sends(b"x" * 250)
    assert telnet.sees()[len(GREETED) :] == ["[lobby] " + "x" * 247, "xxx"]


# Clients that do not ------------------------------------------------------------------------------


def test_a_client_that_answers_nothing_is_greeted_after_a_timeout_and_gets_lines() -> None:
    server = MemoryServer("telnet")
    telnet = Telnet(server.connects())
    assert telnet.receives() == b""
    server.clock.advance(SETTLE_SECONDS * 0.99)
    assert telnet.receives() == b""
    server.clock.advance(SETTLE_SECONDS * 0.01)
    assert telnet.receives().decode() == f"{GREETING}\r\n"
    bob = netcat(server)
    telnet.receives()
    telnet.sends(b"hel", b"lo\r\n")
    assert telnet.receives() == b"", "it has its own echo"
    assert bob.receives() == b"guest1: hello\r\n"


def test_a_client_that_speaks_is_greeted_at_once() -> None:
    telnet = Telnet(MemoryServer("telnet").connects())
    telnet.sends(b"h")
    assert telnet.receives().decode() == f"{GREETING}\r\n"
    telnet.answer_times_out()
    assert telnet.receives() == b""


def test_a_client_that_refuses_everything_gets_lines_and_echoes_itself() -> None:
    server = MemoryServer("telnet")
    telnet = Telnet(server.connects())
    telnet.sends(REFUSES_ALL)
    telnet.answer_times_out()
    assert telnet.receives().decode() == f"{GREETING}\r\n"
    asked = telnet.commands
    bob = netcat(server)
    telnet.receives()
    telnet.sends(b"hello\r\nyou\n", b"there\r\0")
    assert telnet.receives() == b""
    assert bob.receives() == b"guest1: hello\r\nguest1: you\r\nguest1: there\r\n"
    assert telnet.commands == asked, "nobody is asked twice"


def test_a_client_that_lets_us_echo_but_keeps_its_lines_gets_its_echo_back() -> None:
    telnet = Telnet(MemoryServer("telnet").connects())
    telnet.sends(says(DO, ECHO) + says(DONT, SGA))
    telnet.answer_times_out()
    telnet.sends(b"hello\r\n")
    assert telnet.receives().decode() == f"{GREETING}\r\n"
    assert telnet.commands.endswith(bytes((IAC, WONT, ECHO)))


def test_a_line_that_is_too_long_is_cut_and_its_sender_told() -> None:
    server = MemoryServer("telnet")
    telnet = Telnet(server.connects())
    telnet.answer_times_out()
    bob = netcat(server)
    telnet.receives()
    telnet.sends(b"x" * 5000 + b"\r\nnext\r\n")
    assert telnet.receives().startswith(b"-- That line was too long;")
    assert bob.receives() == b"guest1: " + b"x" * 4096 + b"\r\nguest1: next\r\n"


# Clients that change their mind -------------------------------------------------------------------


@pytest.mark.parametrize("declared", ["line", None])
def test_a_client_that_turns_out_to_be_a_telnet_stays_where_it_was(declared: str | None) -> None:
    server = MemoryServer(declared)
    telnet = Telnet(server.connects())
    bob = server.connects("192.0.2.9")
    server.clock.advance(1), server.clock.advance(1)
    bob.sends(b"/nick bob\n"), bob.receives()
    telnet.receives()
    telnet.sends(b"hel", *INETUTILS)
    assert telnet.sees()[-1] == "[lobby] hel"
    telnet.sends(b"lo\r\0")
    assert telnet.sees()[-2:] == ["guest1: hello", "[lobby]"]
    assert bob.receives() == b"guest1: hello\r\n"


def test_a_client_that_goes_back_to_line_mode_has_no_prompt_any_more() -> None:
    server = MemoryServer("telnet")
    telnet = connect(INETUTILS, server)
    telnet.receives()
    telnet.sends(says(DONT, ECHO) + says(DONT, SGA))
    assert telnet.sees() == GREETED
    bob = netcat(server)
    telnet.receives()
    telnet.sends(b"hello\r\n"), bob.sends(b"hi\n")
    assert telnet.receives() == b"bob: hi\r\n"
    telnet.sends(says(DO, ECHO, SGA))
    assert telnet.sees()[-2:] == ["bob: hi", "[lobby]"]


def test_a_client_that_goes_back_to_line_mode_during_typing_loses_nothing() -> None:
    server = MemoryServer("telnet")
    telnet = connect(INETUTILS, server)
    bob = netcat(server)
    telnet.sends(b"hel", says(DONT, ECHO), b"lo\r\n")
    assert bob.receives() == b"guest1: hello\r\n"


# Commands -----------------------------------------------------------------------------------------


def test_ctrl_c_that_comes_as_a_command_clears_the_line() -> None:
    telnet = connect(INETUTILS)
    telnet.sends(b"hal", bytes((IAC, IP)))
    assert telnet.sees() == [*GREETED, "[lobby]"]
    telnet.sends(bytes((IAC, IP)))
    assert telnet.sees() == [*GREETED, "-- /quit or Ctrl-D leaves.", "[lobby]"]


def test_ctrl_c_before_a_client_has_answered_gets_a_greeting() -> None:
    telnet = Telnet(MemoryServer("telnet").connects())
    telnet.sends(bytes((IAC, IP)))
    assert telnet.receives().decode() == f"{GREETING}\r\n"


@pytest.mark.parametrize("client", [INETUTILS, (REFUSES_ALL, b"")])
def test_ctrl_d_that_comes_as_a_command_leaves(client: tuple[bytes, bytes]) -> None:
    telnet = connect(client)
    telnet.sends(bytes((IAC, EOF)))
    assert telnet.sees()[-1] == "-- Goodbye."
    assert telnet.connection.closed


def test_are_you_there_is_answered() -> None:
    telnet = connect((REFUSES_ALL, b""))
    telnet.answer_times_out(), telnet.receives()
    telnet.sends(bytes((IAC, AYT)))
    assert telnet.receives() == b"[yes]\r\n"


def test_are_you_there_is_answered_above_the_line_being_typed() -> None:
    telnet = connect(INETUTILS)
    telnet.sends(b"hal", bytes((IAC, AYT)))
    assert telnet.sees()[-2:] == ["[yes]", "[lobby] hal"]


# Ends ---------------------------------------------------------------------------------------------


def test_text_without_a_line_end_is_a_line_when_the_input_ends() -> None:
    server = MemoryServer("telnet")
    bob = netcat(server)
    telnet = Telnet(server.connects())
    telnet.sends(b"one\r\ntwo"), telnet.connection.ends_input()
    assert bob.receives() == b"-- guest1 joined lobby\r\nguest1: one\r\nguest1: two\r\n"
    assert telnet.connection.closed


@pytest.mark.parametrize("client", [*CLIENTS.values(), (b"", b"")], ids=[*CLIENTS, "nothing"])
def test_the_connection_ends_with_the_input(client: tuple[bytes, bytes]) -> None:
    telnet = connect(client)
    telnet.connection.ends_input()
    # At a terminal the end of input is a closed window, and nobody reads a goodbye.
    assert telnet.sees() == (GREETED if client[0] else [GREETING, "-- Goodbye."])
    assert telnet.connection.closed


@pytest.mark.parametrize("client", [*CLIENTS.values(), (b"", b"")], ids=[*CLIENTS, "nothing"])
def test_a_connection_lost_at_any_moment_leaves_nothing_behind(client: tuple[bytes, bytes]) -> None:
    sent = b"".join(client) + b"hi\x1b"
    for cut in range(len(sent) + 1):
        server = MemoryServer("telnet")
        telnet = connect((sent[:cut], b""), server)
        telnet.connection.loses_connection()
        server.clock.advance(60)
        assert server.clock.getDelayedCalls() == []
        assert len(server.chat.people) == 0
        assert server.admission.here == 0


@pytest.mark.parametrize(
    "command",
    [
        b"\xff\xf6",
        b"\xff\xfb\x01",
        b"\xff\xfa\x1f\0\x50\0\x18\xff\xf0",
        b"\xff\xf1",
        b"\xff\xfa\x18",
    ],
)
def test_a_client_that_sends_a_thousand_commands_in_ten_seconds_is_closed(command: bytes) -> None:
    server = MemoryServer("telnet")
    client = server.connects()
    client.sends(command * (codec.COMMANDS - 1))
    assert not client.closed
    client.sends(command + b"hello\r\n")
    assert client.closed
    assert client.receives().endswith(TOO_MANY_COMMANDS)
    assert server.reports == [TurnedAway("192.0.2.1", "telnet", "too-many-commands")]


def test_a_client_that_resizes_for_minutes_stays() -> None:
    server = MemoryServer("telnet")
    client = server.connects()
    for _ in range(30):
        client.sends(b"\xff\xfa\x1f\0\x50\0\x18\xff\xf0" * (codec.COMMANDS // 2 - 1))
        server.clock.advance(codec.COMMAND_SECONDS / 2)
    assert not client.closed


# Corrections in plain lines -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        (b"helo\blo", "hello"),
        (b"helo\x7flo", "hello"),
        (b"secret\x15hello", "hello"),
        (b"helo" + bytes((IAC, EC)) + b"lo", "hello"),
        (b"secret" + bytes((IAC, EL)) + b"hello", "hello"),
        (b"caf\xc3\xa9s\b\be", "cafe"),
    ],
)
@pytest.mark.parametrize("speaks_telnet", [False, True])
def test_corrections_in_plain_lines_are_applied(
    typed: bytes, line: str, speaks_telnet: bool
) -> None:
    if not speaks_telnet and bytes((IAC,)) in typed:
        return
    server = MemoryServer()
    ada, bob = server.enters(), server.enters()
    ada.receives()
    if speaks_telnet:
        bob.sends(says(WONT, TTYPE, NAWS) + says(DONT, ECHO, SGA))
    bob.sends(typed[:3]), bob.sends(typed[3:] + b"\r\n")
    assert ada.receives().decode() == f"guest2: {line}\r\n"


def test_a_correction_of_the_whole_line_leaves_none() -> None:
    server = MemoryServer()
    ada, bob = server.enters(), server.enters()
    ada.receives()
    bob.sends(b"ab\b\b\n/quit\x15\n/mee\b hi\n")
    assert ada.receives() == b"* guest2 hi\r\n"
