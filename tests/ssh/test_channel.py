"""Session channels: programs, requests, output windows and input windows."""

import pytest

from chatd.transport.channel import TerminalInfo
from chatd.transport.ssh.protocol.channel import LOCAL_PACKET, LOCAL_WINDOW
from chatd.transport.ssh.protocol.connection import MAX_CHANNELS
from chatd.transport.ssh.protocol.packets import MAX_UNSENT
from chatd.transport.ssh.protocol.window import MAX_ERROR_BYTES
from chatd.wire.ssh import Fields, string, uint32
from tests.support.ssh.peer import (
    ADJUST,
    CLOSE,
    DATA,
    EOF,
    EXTENDED,
    FAILURE,
    OPEN,
    OPEN_FAILURE,
    REQUEST,
    SUCCESS,
    USER_KEY,
    Peer,
    Program,
    Server,
)


def pty(name: bytes, columns: int, rows: int) -> bytes:
    sizes = uint32(columns) + uint32(rows) + uint32(0) + uint32(0)
    return string(name) + sizes + string(b"\0")


def test_input_reaches_the_program_and_output_reaches_the_client() -> None:
    peer = Peer().login(USER_KEY)
    channel, program = peer.shell()
    assert program.command is None
    assert program.channel.peer is peer.server.peers[0]
    peer.type(channel, b"hello")
    assert program.input == b"hello"
    peer.take()
    assert program.channel.outbox.send(b"hi there") == 8
    assert peer.take() == [(DATA, uint32(7) + string(b"hi there"))]


def test_a_command_has_the_terminal_and_the_accepted_variables_of_its_client() -> None:
    peer = Peer().login()
    channel = peer.open()
    assert peer.request(channel, b"pty-req", pty(b"xterm-256color", 120, 40)) == [SUCCESS]
    for name, taken in (
        (b"LANG", True), (b"LC_ALL", True), (b"TERM", True), (b"COLORTERM", True),
        (b"TZ", True), (b"NO_COLOR", True), (b"LD_PRELOAD", False), (b"PATH", False),
        (b"LC_\xff", False), (b"", False),
    ):  # fmt: skip
        answer = peer.request(channel, b"env", string(name) + string(b"de_DE.UTF-8"))
        assert answer == [SUCCESS if taken else FAILURE]
    for value in (b"x" * 257, b"\x1b[2J", b"a\nb", b"\xff"):
        assert peer.request(channel, b"env", string(b"LC_X") + string(value)) == [FAILURE]
    assert peer.request(channel, b"exec", string(b"say gr\xc3\xbc\xff")) == [SUCCESS]
    [program] = peer.server.programs
    assert program.command == "say grü\N{REPLACEMENT CHARACTER}"
    assert program.channel.terminal == TerminalInfo("xterm-256color", 120, 40)
    assert sorted(program.channel.environment) == [
        "COLORTERM", "LANG", "LC_ALL", "NO_COLOR", "TERM", "TZ",
    ]  # fmt: skip


def test_the_number_of_variables_is_bounded() -> None:
    peer = Peer().login()
    channel = peer.open()
    for number in range(100):
        peer.request(channel, b"env", string(b"LC_%d" % number) + string(b"x"))
    assert peer.request(channel, b"env", string(b"LC_3") + string(b"again")) == [SUCCESS]
    peer.request(channel, b"shell")
    environment = peer.server.programs[0].channel.environment
    assert len(environment) == 16
    assert environment["LC_3"] == "again"


@pytest.mark.parametrize(
    ("given", "bounded"),
    [
        ((0, 0), (80, 24)),
        ((1, 1), (20, 5)),
        ((19, 4), (20, 5)),
        ((500, 300), (500, 300)),
        ((501, 301), (500, 300)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (500, 300)),
        ((0, 50), (80, 50)),
    ],
)
def test_the_size_of_a_terminal_is_kept_within_bounds(
    given: tuple[int, int], bounded: tuple[int, int]
) -> None:
    peer = Peer().login()
    channel = peer.open()
    peer.request(channel, b"pty-req", pty(b"\x1b[2J", *given))
    peer.request(channel, b"shell")
    program = peer.server.programs[0]
    assert program.channel.terminal == TerminalInfo("dumb", *bounded)
    peer.request(channel, b"window-change", uint32(99) + uint32(33) + bytes(8))
    peer.request(channel, b"window-change", uint32(99) + uint32(33) + bytes(8))
    peer.request(channel, b"window-change", uint32(given[0]) + uint32(given[1]) + bytes(8))
    assert program.events == [(99, 33), bounded]
    assert program.channel.terminal == TerminalInfo("dumb", *bounded)


def test_interrupts_and_the_end_of_the_input_reach_the_program() -> None:
    peer = Peer().login()
    channel, program = peer.shell()
    assert peer.request(channel, b"signal", string(b"INT")) == [SUCCESS]
    assert peer.request(channel, b"break", uint32(500)) == [SUCCESS]
    assert peer.request(channel, b"signal", string(b"KILL")) == [FAILURE]
    peer.send(EOF, uint32(channel))
    assert program.events == ["interrupted", "interrupted", "input ended"]


@pytest.mark.parametrize(
    "kind",
    [
        b"subsystem", b"x11-req", b"auth-agent-req@openssh.com", b"keepalive@openssh.com",
        b"\xff", b"", b"__init__", b"eow@openssh.com", b"xon-xoff",
    ],
)  # fmt: skip
def test_unsupported_requests_are_refused(kind: bytes) -> None:
    peer = Peer().login()
    channel, program = peer.shell()
    assert peer.request(channel, kind, string(b"sftp")) == [FAILURE]
    assert peer.request(channel, kind, string(b"sftp"), reply=False) == []
    assert program.events == []


def test_one_channel_runs_one_program_with_one_terminal() -> None:
    peer = Peer().login()
    channel = peer.open()
    assert peer.request(channel, b"pty-req", pty(b"xterm", 80, 24)) == [SUCCESS]
    assert peer.request(channel, b"pty-req", pty(b"vt100", 80, 24)) == [FAILURE]
    assert peer.request(channel, b"shell") == [SUCCESS]
    assert peer.request(channel, b"shell") == [FAILURE]
    assert peer.request(channel, b"exec", string(b"who")) == [FAILURE]
    assert peer.request(channel, b"env", string(b"LANG") + string(b"C")) == [FAILURE]
    assert len(peer.server.programs) == 1


def test_a_refused_program_is_a_failure() -> None:
    peer = Peer().login()
    channel = peer.open()
    assert peer.request(channel, b"exec", string(b"refused")) == [FAILURE]
    assert peer.request(channel, b"exec", string(b"x" * 32769)) == [FAILURE]
    assert peer.request(channel, b"window-change", bytes(16)) == [FAILURE]
    assert peer.request(channel, b"signal", string(b"INT")) == [FAILURE]
    assert peer.request(channel, b"shell") == [SUCCESS]


def test_a_program_that_ends_at_once_is_confirmed_first() -> None:
    """Over stock Conch plink and paramiko see the end first, and fail."""

    def run(program: Program) -> None:
        program.channel.outbox.write(b"done\n")
        program.channel.write_error(b"oh\n")
        program.channel.finish(3)

    server = Server()
    server.on_start = run
    peer = Peer(server).login()
    channel = peer.open()
    peer.take()
    peer.request(channel, b"exec", string(b"quick"))
    assert [number for number, _ in peer.got] == [SUCCESS, EXTENDED, DATA, REQUEST, EOF, CLOSE]
    status = next(payload for number, payload in peer.got if number == REQUEST)
    assert status == uint32(7) + string(b"exit-status") + b"\0" + uint32(3)
    peer.send(CLOSE, uint32(channel))
    assert server.programs[0].events == ["lost"]


def test_a_program_that_only_closes_has_exit_status_0() -> None:
    peer = Peer().login()
    _, program = peer.shell(window=3)
    peer.take()
    program.channel.outbox.write(b"bye!")
    program.channel.outbox.close()
    program.channel.finish(9)
    peer.send(ADJUST, uint32(0) + uint32(100))
    got = peer.take()
    assert [number for number, _ in got] == [DATA, DATA, REQUEST, EOF, CLOSE]
    assert got[2][1] == uint32(7) + string(b"exit-status") + b"\0" + uint32(0)


def test_a_program_that_aborts_at_once_is_not_confirmed_after_its_end() -> None:
    server = Server()
    server.on_start = lambda program: program.channel.outbox.abort()
    peer = Peer(server).login()
    assert peer.request(peer.open(), b"shell") == [CLOSE]


@pytest.mark.parametrize("end", ["finish", "close", "abort"])
def test_a_program_that_has_ended_gets_no_input_and_sends_no_output(end: str) -> None:
    peer = Peer().login()
    channel, program = peer.shell()
    peer.take()
    if end == "finish":
        program.channel.finish(0)
    else:
        getattr(program.channel.outbox, end)()
    program.channel.outbox.write(b"too late")
    assert program.channel.outbox.send(b"too late") == 0
    program.channel.write_error(b"too late")
    program.channel.finish(1)
    peer.type(channel, b"unheard")
    peer.send(EOF, uint32(channel))
    peer.request(channel, b"signal", string(b"INT"))
    assert peer.numbers()[-1:] in ([CLOSE], [])
    assert program.input == b""
    assert program.events == []
    peer.send(CLOSE, uint32(channel))
    assert program.events == ["lost"]
    peer.hang_up()
    assert program.events == ["lost"]


def test_a_program_is_lost_once_whether_the_client_closes_or_vanishes() -> None:
    peer = Peer().login()
    closed, first = peer.shell()
    _, second = peer.shell()
    peer.take()
    peer.send(CLOSE, uint32(closed))
    assert peer.numbers() == [CLOSE]
    assert (first.events, second.events) == (["lost"], [])
    peer.hang_up()
    assert (first.events, second.events) == (["lost"], ["lost"])
    first.channel.outbox.write(b"x")
    first.channel.finish(0)
    first.channel.resume()
    second.channel.outbox.write(b"x")
    assert not peer.clock.getDelayedCalls()


def test_the_number_of_channels_is_bounded() -> None:
    peer = Peer().login()
    numbers = [peer.open() for _ in range(MAX_CHANNELS)]
    assert len(set(numbers)) == MAX_CHANNELS
    assert -1 not in numbers
    for _ in range(100):
        assert peer.open() == -1
    assert peer.numbers() == [OPEN_FAILURE]
    peer.send(CLOSE, uint32(numbers[0]))
    assert peer.open() not in (-1, *numbers)


@pytest.mark.parametrize(
    "kind", [b"direct-tcpip", b"forwarded-tcpip", b"x11", b"auth-agent@openssh.com", b"", b"\xff"]
)
def test_forwarding_is_refused(kind: bytes) -> None:
    peer = Peer().login()
    assert peer.open(kind=kind) == -1
    assert peer.numbers() == [OPEN_FAILURE]
    forward = string(b"tcpip-forward") + b"\1" + string(b"") + uint32(80)
    peer.send(80, forward)
    assert peer.numbers() == [82]


@pytest.mark.parametrize("packet", [0, 1, 1023])
def test_a_channel_with_a_tiny_maximum_packet_size_is_refused(packet: int) -> None:
    """With 0, every write of stock Conch raises, and its writeExtended never returns."""
    peer = Peer().login()
    assert peer.open(packet=packet) == -1
    assert peer.open(packet=1024) != -1


def test_a_message_for_an_unknown_channel_ends_the_connection() -> None:
    for number in (ADJUST, DATA, EXTENDED, EOF, CLOSE, REQUEST):
        peer = Peer().login()
        peer.take()
        peer.send(number, uint32(5) + uint32(0) + uint32(0))
        assert "not open" in peer.reason()


# Output


def test_output_is_cut_into_packets_and_stops_at_the_window() -> None:
    peer = Peer().login()
    channel, program = peer.shell(window=5000, packet=2000)
    outbox = program.channel.outbox
    assert outbox.send(bytes(6000)) == 5000
    assert outbox.full
    outbox.stalled(b"x" * 6000, 5000)
    assert outbox.pending == 1000
    assert [len(data) - 8 for number, data in peer.take() if number == DATA] == [2000, 2000, 1000]
    peer.send(ADJUST, uint32(channel) + uint32(600))
    assert (outbox.pending, outbox.full, program.events) == (400, True, [])
    peer.send(ADJUST, uint32(channel) + uint32(600))
    assert (outbox.pending, outbox.full, program.events) == (0, False, ["ready"])
    assert len(peer.output()) == 1000


def test_the_outbox_is_full_when_the_window_is_used_up() -> None:
    peer = Peer().login()
    channel, program = peer.shell(window=2000)
    assert program.channel.outbox.send(bytes(2000)) == 2000
    assert program.channel.outbox.full
    assert program.channel.outbox.send(b"x") == 0
    peer.send(ADJUST, uint32(channel) + uint32(0))
    assert program.events == []
    peer.send(ADJUST, uint32(channel) + uint32(1))
    assert program.events == ["ready"]


def test_pending_output_is_never_overtaken() -> None:
    peer = Peer().login()
    channel, program = peer.shell(window=3)
    outbox = program.channel.outbox
    outbox.write(b"abcdef")
    outbox.write(b"ghi")
    assert outbox.send(b"never") == 0
    program.channel.write_error(b"errors")
    for size in range(1, 12):
        peer.send(ADJUST, uint32(channel) + uint32(size % 3 + 1))
    outbox.write(b"jkl")
    got = peer.take()
    output = b"".join(Fields(data[4:]).string() for number, data in got if number == DATA)
    errors = b"".join(Fields(data[8:]).string() for number, data in got if number == EXTENDED)
    assert output == b"abcdefghijkl"
    assert errors == b"errors"


def test_pending_standard_error_is_bounded() -> None:
    peer = Peer().login()
    channel, program = peer.shell(window=10)
    for _ in range(1000):
        program.channel.write_error(b"x" * 10_000)
    peer.send(ADJUST, uint32(channel) + uint32(1 << 20))
    errors = [Fields(data[8:]).string() for number, data in peer.take() if number == EXTENDED]
    assert sum(map(len, errors)) == 10 + MAX_ERROR_BYTES


def test_pending_output_is_sent_before_the_end() -> None:
    peer = Peer().login()
    channel, program = peer.shell(window=2)
    program.channel.outbox.write(b"goodbye")
    program.channel.finish(0)
    assert CLOSE not in peer.numbers()
    peer.send(ADJUST, uint32(channel) + uint32(100))
    assert peer.numbers() == [DATA, REQUEST, EOF, CLOSE]


def test_a_client_that_stops_reading_stops_the_program_and_not_the_server() -> None:
    """Stock Conch buffers all of the output, and joins it again at every write."""
    peer = Peer().login()
    _, program = peer.shell(window=0xFFFFFFFF)
    outbox = program.channel.outbox
    peer.take()
    peer.fill()
    taken = 0
    for _ in range(10_000):
        if not outbox.full:
            taken += outbox.send(bytes(1000))
    assert taken <= 1000
    assert outbox.full
    assert len(peer.wire.value()) < 5000
    peer.drain()
    assert program.events == ["ready"]
    assert outbox.send(b"x") == 1


def test_a_client_that_sends_requests_without_reading_is_aborted() -> None:
    peer = Peer().login()
    channel, _ = peer.shell()
    peer.fill()
    for _ in range(20_000):
        peer.send(REQUEST, uint32(channel) + string(b"nonsense") + b"\1")
        if peer.is_gone():
            break
    assert peer.wire.disconnected
    assert peer.protocol.outbox.pending < MAX_UNSENT + 1000


@pytest.mark.parametrize("by", ["window", "transport"])
def test_a_client_that_reads_nothing_for_minutes_is_aborted(by: str) -> None:
    peer = Peer().login()
    _, program = peer.shell(window=1000 if by == "window" else 1 << 30)
    if by == "transport":
        peer.fill()
    program.channel.outbox.write(bytes(5000))
    assert program.channel.outbox.full
    minutes = 0
    while not peer.is_gone():
        peer.clock.advance(60)
        peer.send(82)  # it answers, but it does not read
        minutes += 1
    assert minutes in (2, 3)
    assert peer.wire.disconnected


def test_a_client_that_reads_a_little_every_minute_is_not_aborted() -> None:
    peer = Peer().login()
    channel, program = peer.shell(window=1)
    program.channel.outbox.write(bytes(5000))
    for _ in range(20):
        peer.clock.advance(60)
        peer.send(ADJUST, uint32(channel) + uint32(1))
    assert not peer.is_gone()


def test_a_window_is_at_most_4_gib() -> None:
    peer = Peer().login()
    channel, program = peer.shell()
    for _ in range(10):
        peer.send(ADJUST, uint32(channel) + uint32(0xFFFFFFFF))
    assert program.channel.outbox.window == 0xFFFFFFFF


# Input


def test_a_paused_program_gets_no_input_and_the_window_is_not_widened() -> None:
    peer = Peer().login()
    channel, program = peer.shell()
    program.channel.pause()
    peer.take()
    for _ in range(2):
        peer.type(channel, b"x" * LOCAL_PACKET)
    assert peer.numbers() == []
    assert program.input == b""
    program.channel.resume()
    assert len(program.input) == LOCAL_WINDOW
    assert peer.take() == 2 * [(ADJUST, uint32(7) + uint32(LOCAL_WINDOW // 2))]


@pytest.mark.parametrize("state", ["before the shell", "paused"])
def test_input_beyond_the_window_closes_the_channel(state: str) -> None:
    """Stock Conch widens the window for data that no program has taken."""
    peer = Peer().login()
    channel = peer.open()
    if state == "paused":
        peer.request(channel, b"shell")
        peer.server.programs[0].channel.pause()
    for _ in range(LOCAL_WINDOW // LOCAL_PACKET):
        peer.type(channel, bytes(LOCAL_PACKET))
    assert CLOSE not in peer.numbers()
    peer.type(channel, b"x")
    assert peer.numbers() == [CLOSE]
    for _ in range(100):
        peer.type(channel, bytes(LOCAL_PACKET))
    assert peer.numbers() == []
    assert peer.protocol.connection is not None
    assert all(not each.pending_input for each in peer.protocol.connection.channels)


def test_a_packet_beyond_the_maximum_size_closes_the_channel() -> None:
    peer = Peer().login()
    channel, program = peer.shell()
    peer.take()
    peer.type(channel, bytes(LOCAL_PACKET + 1))
    assert peer.numbers() == [CLOSE]
    assert program.input == b""


def test_input_before_the_shell_request_reaches_the_shell() -> None:
    peer = Peer().login()
    channel = peer.open()
    peer.type(channel, b"early ")
    peer.type(channel, b"bird")
    peer.send(EOF, uint32(channel))
    peer.request(channel, b"shell")
    [program] = peer.server.programs
    assert program.input == b"early bird"
    assert program.events == ["input ended"]


def test_the_window_is_widened_as_the_program_takes_input() -> None:
    peer = Peer().login()
    channel, program = peer.shell()
    for _ in range(100):
        peer.type(channel, bytes(5000))
    assert len(program.input) == 500_000
    assert not peer.is_gone()


def test_extended_data_from_a_client_is_dropped() -> None:
    peer = Peer().login()
    channel, program = peer.shell()
    for _ in range(100):
        peer.send(EXTENDED, uint32(channel) + uint32(1) + string(bytes(5000)))
    assert program.input == b""
    assert not peer.is_gone()
    assert ADJUST in peer.numbers()


def test_input_and_its_end_wait_while_the_program_is_paused() -> None:
    peer = Peer().login()
    channel, program = peer.shell()
    program.channel.pause()
    peer.type(channel, b"one")
    peer.send(EOF, uint32(channel))
    assert program.events == []
    program.channel.resume()
    assert (program.input, program.events) == (b"one", ["input ended"])


def test_an_exception_in_a_shell_costs_its_connection_only() -> None:
    def fail(program: Program) -> None:
        raise ZeroDivisionError

    server = Server()
    server.on_start = fail
    peer = Peer(server).login()
    channel = peer.open()
    with pytest.raises(ZeroDivisionError):  # Twisted logs it and loses the connection
        peer.request(channel, b"shell")
    peer.hang_up()
    assert OPEN not in peer.numbers()
