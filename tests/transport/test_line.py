"""Plain lines: the contract of Twisted's LineReceiver, long lines, telnets that turn up late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport
from twisted.protocols.basic import LineReceiver

from chatd.chat.limits import LINE_BYTES
from chatd.transport.conversation.arrival import Arrival
from chatd.transport.conversation.conversation import TOO_LONG
from chatd.transport.line import LineProtocol
from tests.support.fuzz_targets import LineProtocolCodec
from tests.support.memory_server import MemoryServer
from tests.wire.test_line_codec import pieces, read, streams

CUTS = st.lists(st.integers(min_value=0), max_size=12)

#: One read of a socket, all of it line ends.
READ_BYTES = 64 * 1024


class Recorder(LineProtocol):
    """A subclass that keeps what it receives, and does what a line says."""

    def __init__(self) -> None:
        super().__init__(None, None)  # type: ignore[arg-type]  # there is no conversation
        self.received: list[tuple[str, bytes]] = []
        self.raw_left = 0
        self.string_transport = StringTransport()
        self.makeConnection(self.string_transport)

    def connectionMade(self) -> None:
        """There is no conversation."""

    def lineReceived(self, line: bytes) -> None:
        self.received.append(("line", line))
        if line.startswith(b"raw "):
            self.raw_left = int(line[4:])
            self.received.append(("raw", b""))
            if self.raw_left:
                self.setRawMode()
        elif line == b"pause":
            self.pauseProducing()
        elif line == b"close":
            self.string_transport.loseConnection()

    def rawDataReceived(self, data: bytes) -> None:
        raw, rest = data[: self.raw_left], data[self.raw_left :]
        self.raw_left -= len(raw)
        self.received[-1] = ("raw", self.received[-1][1] + raw)
        if not self.raw_left:
            self.setLineMode(rest)

    def lines_of(self, *data: bytes) -> list[bytes]:
        """Return the lines and the raw data that are received now."""
        for piece in data:
            self.dataReceived(piece)
        received, self.received = self.received, []
        return [each for _, each in received]


class Unpaused(Recorder):
    """The same, but it never pauses."""

    def pauseProducing(self) -> None:
        """Go on."""


# Bytes to lines ----------------------------------------------------------------------------------


@given(streams, CUTS)
def test_any_cutting_gives_the_lines_that_the_codec_gives(data: bytes, cuts: list[int]) -> None:
    protocol = LineProtocolCodec()
    lines = [line for piece in pieces(data, cuts) for line in protocol.receive_data(piece)]
    # Half a telnet command at the end of the input is no text.
    assert lines + protocol.finish() == read(data.removesuffix(b"\xff"))


@given(streams, CUTS)
def test_no_more_than_one_line_is_held(data: bytes, cuts: list[int]) -> None:
    protocol = LineProtocolCodec()
    for piece in pieces(data, [*cuts, *range(0, len(data), 1000)]):
        protocol.receive_data(piece)
        held = protocol.clearLineBuffer()
        assert len(held) <= LINE_BYTES + 1
        protocol.receive_data(held)


def test_a_subclass_gets_bytes_without_their_line_end() -> None:
    assert Recorder().lines_of(b"one\r\ntw\r\ro\r\r\n\n\xe9\0\x1b\r\0\n") == [
        b"one",
        b"tw\r\ro\r",
        b"",
        b"\xe9\0\x1b\r\0",
    ]


def test_a_subclass_gets_the_beginning_of_a_line_that_is_too_long() -> None:
    long = b"x" * (LINE_BYTES - 1) + "é".encode()
    assert Recorder().lines_of(long + b"yyy\nnext\n") == [long[:-2], b"next"]
    assert Recorder().lines_of(long, b"yyy", b"\nnext\n") == [long[:-2], b"next"]


def test_a_subclass_may_have_another_line_end_and_another_bound() -> None:
    class Other(Recorder):
        delimiter = b"||"
        MAX_LENGTH = 5

    whole = b"hello||hello|world||12345678||next||"
    for size in range(1, len(whole)):
        cut = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert Other().lines_of(*cut) == [b"hello", b"hello", b"12345", b"next"], size


def test_a_subclass_may_close_the_connection_for_a_long_line() -> None:
    class Strict(Recorder):
        def lineLengthExceeded(self, line: bytes) -> None:
            self.received.append(("long", line))
            self.string_transport.loseConnection()

    strict, long = Strict(), b"x" * (LINE_BYTES + 1) + b"\r\nnext\n"
    assert strict.lines_of(b"one\n" + long, b"more\n") == [b"one", long]


# Line and raw mode -------------------------------------------------------------------------------


def test_raw_mode_begins_and_ends_in_the_middle_of_a_chunk() -> None:
    assert Recorder().lines_of(b"one\nraw 4\n\n\xff\xfb\ntwo\nthree\n") == [
        b"one",
        b"raw 4",
        b"\n\xff\xfb\n",
        b"two",
        b"three",
    ]


@given(st.lists(st.binary(max_size=20)), CUTS)
def test_any_cutting_gives_the_same_lines_and_raw_data(
    blocks: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(b"raw %d\r\n%bline\n" % (len(block), block) for block in blocks)
    expected = [x for block in blocks for x in (b"raw %d" % len(block), block, b"line")]
    assert Recorder().lines_of(*pieces(data, cuts)) == expected


def test_raw_data_is_not_what_was_skipped_of_a_long_line() -> None:
    protocol = Recorder()
    assert len(protocol.lines_of(b"x" * 3 * LINE_BYTES)) == 1
    assert protocol.lines_of(b"y\nraw 2\nab") == [b"raw 2", b"ab"]


def test_a_negotiation_in_raw_data_is_raw_data() -> None:
    protocol = Recorder()
    assert protocol.lines_of(b"raw 4\n\xff", b"\xfb\x18\xff", b"next\n") == [
        b"raw 4",
        b"\xff\xfb\x18\xff",
        b"next",
    ]


def test_a_line_may_clear_what_follows_it() -> None:
    class Clearing(Recorder):
        def lineReceived(self, line: bytes) -> None:
            super().lineReceived(line)
            self.received.append(("rest", self.clearLineBuffer()))

    clearing = Clearing()
    assert clearing.lines_of(b"one\ntwo\nthr") == [b"one", b"two\nthr"]
    assert clearing.lines_of(b"ee\n") == [b"ee", b""]


def test_a_line_that_raises_costs_no_other_line() -> None:
    class Raising(Recorder):
        def lineReceived(self, line: bytes) -> None:
            super().lineReceived(line)
            if line == b"raise":
                raise ValueError(line)

    raising = Raising()
    with pytest.raises(ValueError, match="raise"):
        raising.dataReceived(b"one\nraise\ntwo\n")
    assert raising.lines_of(b"three\n") == [b"one", b"raise", b"two", b"three"]


# Pausing and closing -----------------------------------------------------------------------------


def test_no_line_is_received_while_the_protocol_is_paused() -> None:
    protocol = Recorder()
    assert protocol.lines_of(b"one\npause\ntwo\npau", b"se\nthree\n") == [b"one", b"pause"]
    assert protocol.string_transport.producerState == "paused"
    protocol.resumeProducing()
    assert protocol.lines_of() == [b"two", b"pause"]
    protocol.resumeProducing()
    assert protocol.lines_of() == [b"three"]
    assert protocol.string_transport.producerState == "producing"


@given(streams, CUTS, st.sets(st.integers(min_value=0, max_value=12)))
def test_pausing_anywhere_gives_the_same_lines(
    data: bytes, cuts: list[int], resumed_after: set[int]
) -> None:
    data = data.replace(b"\n", b"\npause\n") + b"\n"
    protocol, lines = Recorder(), []
    for number, piece in enumerate([*pieces(data, cuts), b""]):
        lines += protocol.lines_of(piece)
        while protocol.paused and (number in resumed_after or not piece):
            assert lines[-1] == b"pause"
            protocol.resumeProducing()
            lines += protocol.lines_of()
    assert lines == Unpaused().lines_of(data)


@given(streams, streams, CUTS)
def test_no_line_is_received_after_the_connection_is_closing(
    before: bytes, after: bytes, cuts: list[int]
) -> None:
    protocol = Recorder()
    lines = protocol.lines_of(*pieces(before + b"\nclose\n" + after, cuts))
    assert lines[-1] == b"close"
    assert protocol.clearLineBuffer() == b""


def test_the_end_of_input_ends_a_pause() -> None:
    protocol = Recorder()
    protocol.lines_of(b"pause\none\ntwo")
    protocol.readConnectionLost()
    assert protocol.lines_of() == [b"one", b"two"]


# How much work it is -----------------------------------------------------------------------------


class Counted(bytes):
    """Bytes that count how many of them are copied."""

    copied = 0

    @classmethod
    def of(cls, data: bytes) -> Counted:
        Counted.copied += len(data)
        return cls(data)

    def __getitem__(self, key: object) -> Counted:  # type: ignore[override]  # only for slices
        assert isinstance(key, slice)
        return self.of(bytes(self)[key])

    def __add__(self, other: bytes) -> Counted:  # type: ignore[override]
        return self.of(bytes(self) + other)

    def __radd__(self, other: bytes) -> Counted:
        return self.of(other + bytes(self))

    def split(self, separator: bytes, most: int = -1) -> list[bytes]:  # type: ignore[override]
        return [self.of(part) for part in bytes(self).split(separator, most)]


def copied(protocol: LineReceiver, data: bytes) -> int:
    """Return how many bytes are copied until a protocol has had these, and pauses in them."""
    before = Counted.copied
    protocol.dataReceived(Counted(data))
    while protocol.paused:
        protocol.resumeProducing()
    return Counted.copied - before


def test_64_kib_of_line_ends_are_copied_no_more_than_twice() -> None:
    protocol = Recorder()
    assert copied(protocol, b"\n" * READ_BYTES) <= 2 * READ_BYTES
    assert len(protocol.lines_of()) == READ_BYTES


def test_a_pause_after_every_line_does_not_copy_the_rest_for_every_line() -> None:
    protocol, data = Recorder(), b"pause\n" * (READ_BYTES // 6)
    assert copied(protocol, data) <= 3 * READ_BYTES
    assert len(protocol.lines_of()) == READ_BYTES // 6


def test_the_receiver_of_twisted_is_seen_to_copy_much_more() -> None:
    class OfTwisted(LineReceiver):
        delimiter = b"\n"

        def lineReceived(self, line: bytes) -> None:
            """Let it go."""

    few, many = (copied(OfTwisted(), b"\n" * size) for size in (1000, 4000))
    assert many > 10 * few > 1000 * 1000


# On a connection ---------------------------------------------------------------------------------


@pytest.fixture
def server() -> MemoryServer:
    return MemoryServer()


def test_a_line_that_is_too_long_is_cut_and_costs_nobody_the_connection(
    server: MemoryServer,
) -> None:
    bob, ada = server.enters("bob"), server.enters("ada")
    bob.receives(), ada.receives()
    ada.sends(b"x" * 5 * LINE_BYTES), ada.sends(b"y\r\nhello\r\n")
    assert TOO_LONG.text.encode() in ada.receives()
    assert bob.receives() == b"ada: " + b"x" * LINE_BYTES + b"\r\nada: hello\r\n"
    assert not ada.closed


def test_a_line_after_the_one_that_leaves_is_not_said(server: MemoryServer) -> None:
    bob, ada = server.enters("bob"), server.enters("ada")
    bob.receives()
    ada.sends(b"hello\n/quit\nanybody?\n")
    assert bob.receives() == b"ada: hello\r\n-- ada left\r\n"
    assert ada.closed


#: A telnet that turns up late, and refuses to say its terminal's name.
NEGOTIATES = b"\xff\xfc\x18"


@pytest.mark.parametrize("cut", range(12))
def test_a_telnet_may_negotiate_between_any_two_lines(server: MemoryServer, cut: int) -> None:
    bob, ada = server.enters("bob"), server.enters("ada")
    bob.receives()
    data = b"one\r\n%btwo\r\n" % NEGOTIATES
    ada.sends(data[:cut]), ada.sends(data[cut:])
    assert bob.receives() == b"ada: one\r\nada: two\r\n"
    assert b"\xff" in ada.receives()  # it is answered as a telnet is
    ada.sends(b"three\r\0\xff\xf1")
    assert bob.receives() == b"ada: three\r\n"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"a\rb\n\xff\xfc\x18", b"ada: a\r\nada: b\r\n"),
        (b"a\r\0b\n\xff\xfc\x18c\r\n", b"ada: a\r\nada: b\r\nada: c\r\n"),
        (b"\xff\xf9one\n\xff\xfc\x18two\n", b"ada: one\r\nada: two\r\n"),
    ],
)
def test_a_chunk_with_a_negotiation_is_read_as_telnet(
    server: MemoryServer, sent: bytes, said: bytes
) -> None:
    bob, ada = server.enters("bob"), server.enters("ada")
    bob.receives()
    ada.sends(sent)
    assert bob.receives() == said


@pytest.mark.parametrize("cut", range(4))
def test_a_telnet_may_negotiate_in_a_line_that_is_too_long(server: MemoryServer, cut: int) -> None:
    bob, ada = server.enters("bob"), server.enters("ada")
    bob.receives()
    data = NEGOTIATES + b"\r\nhello\r\n"
    ada.sends(b"x" * 2 * LINE_BYTES), ada.sends(data[:cut]), ada.sends(data[cut:])
    assert bob.receives() == b"ada: " + b"x" * LINE_BYTES + b"\r\nada: hello\r\n"
    assert b"\xff" in ada.receives()


def test_lines_between_a_line_that_is_too_long_and_a_negotiation_are_said(
    server: MemoryServer,
) -> None:
    bob, ada = server.enters("bob"), server.enters("ada")
    bob.receives()
    ada.sends(b"x" * 2 * LINE_BYTES), ada.sends(b"xx\r\nhello\r\n" + NEGOTIATES + b"there\r\n")
    said = b"ada: " + b"x" * LINE_BYTES + b"\r\nada: hello\r\nada: there\r\n"
    assert bob.receives() == said


def test_text_before_a_negotiation_belongs_to_its_line(server: MemoryServer) -> None:
    bob, ada = server.enters("bob"), server.enters("ada")
    bob.receives()
    ada.sends(b"hel"), ada.sends(NEGOTIATES + b"lo\r\n")
    assert bob.receives() == b"ada: hello\r\n"


@pytest.mark.parametrize("cut", range(6))
def test_a_byte_255_that_begins_no_negotiation_is_text(server: MemoryServer, cut: int) -> None:
    bob, ada = server.enters("bob"), server.enters("ada")
    bob.receives()
    data = b"na\xefv\xff\n"  # Latin-1
    ada.sends(data[:cut]), ada.sends(data[cut:])
    assert bob.receives() == "ada: na\ufffdv\ufffd\r\n".encode()
    assert b"\xff" not in ada.receives()


def test_send_line_sends_a_line_after_what_the_conversation_sent(server: MemoryServer) -> None:
    connection = server.connects()
    protocol = LineProtocol(server.host, Arrival("192.0.2.1", connection.gate))
    protocol.makeConnection(connection.transport)
    protocol.sendLine(b"hello")
    assert connection.receives().endswith(b"/help says what you can do.\r\nhello\n")
    connection.gate.connectionLost()


def test_send_line_sends_a_line_where_there_is_no_conversation() -> None:
    protocol = Recorder()
    protocol.sendLine(b"hello")
    assert protocol.string_transport.value() == b"hello\n"
