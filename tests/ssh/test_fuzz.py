"""Fuzzing: whatever arrives, no exception, no failure in the log, no unbounded memory."""

import contextlib
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatd.transport.ssh.protocol.ciphers import MAX_PACKET
from chatd.wire.ssh import string, uint32
from tests.support.ssh.peer import DISCONNECT, USER_KEY, VERSION, Peer, Program, Server

#: An unfinished packet with its MAC.
MAX_BUFFER = MAX_PACKET + 4 + 64


def check(peer: Peer) -> None:
    """Check what must hold after every byte."""
    protocol = peer.protocol
    assert protocol.buffered <= MAX_BUFFER
    assert protocol.held_bytes <= 70_000
    assert peer.numbers().count(DISCONNECT) <= 1
    if protocol.connection is not None:
        channels = protocol.connection.channels
        assert len(channels) <= 4
        assert all(each.pending_input <= 32 * 1024 for each in channels)
        assert all(len(each.environment) <= 16 for each in channels)


@pytest.mark.parametrize("seed", range(10))
def test_random_bytes_keep_the_bounds(seed: int) -> None:
    dice = random.Random(seed)
    server = Server()
    for _ in range(1000):
        peer = Peer(server)
        data = dice.randbytes(dice.choice((1, 5, 16, 40, 200, 2000)))
        if dice.random() < 0.8:
            data = VERSION + dice.choice((b"\r\n", b"\n", b"\r", b"")) + data
        if dice.random() < 0.5:  # a length that may be true
            data = VERSION + b"\n" + uint32(dice.choice((12, 20, 28, 1000))) + data
        for piece in pieces(dice, data):
            peer.feed(piece)
            check(peer)
        peer.hang_up()
        assert not server.clock.getDelayedCalls()


def pieces(dice: random.Random, data: bytes) -> Iterator[bytes]:
    """Cut bytes at random."""
    while data:
        size = dice.randint(1, len(data))
        yield data[:size]
        data = data[size:]


class SeveredError(Exception):
    """The connection is cut."""


class FaultyPeer(Peer):
    """A peer whose connection is slow, is cut after some bytes, or changes one of them."""

    step = 1 << 20
    sent = 0
    cut: int | None = None
    flip: int | None = None

    def feed(self, data: bytes) -> None:
        """Send bytes until the connection is cut."""
        if self.flip is not None and 0 <= self.flip - self.sent < len(data):
            at = self.flip - self.sent
            data = data[:at] + bytes((data[at] ^ 0x41,)) + data[at + 1 :]
        for at in range(0, len(data), self.step):
            piece = data[at : at + self.step]
            if self.cut is not None and self.sent + len(piece) >= self.cut:
                super().feed(piece[: self.cut - self.sent])
                raise SeveredError
            self.sent += len(piece)
            super().feed(piece)


def converse(peer: FaultyPeer) -> Program | None:
    """Play a whole connection: keys, login, shell, input, new keys, close."""
    peer.exchange().ask_service()
    peer.try_none()
    blob = USER_KEY.public().blob()
    peer.offer_key(blob)
    peer.prove_key(blob, USER_KEY.sign(peer.message(blob)))
    channel = peer.open()
    if channel < 0:
        raise SeveredError
    sizes = uint32(80) + uint32(24) + bytes(8)
    peer.request(channel, b"pty-req", string(b"xterm") + sizes + string(b""))
    peer.request(channel, b"env", string(b"LANG") + string(b"C"))
    peer.request(channel, b"shell")
    program = peer.server.programs[-1] if peer.server.programs else None
    peer.type(channel, b"hello")
    peer.exchange()
    peer.request(channel, b"window-change", uint32(90) + uint32(30) + bytes(8))
    peer.send(96, uint32(channel))
    peer.send(97, uint32(channel))
    return program


KINDS = [
    (b"aes128-gcm@openssh.com", b"hmac-sha2-256-etm@openssh.com"),
    (b"aes128-ctr", b"hmac-sha2-256-etm@openssh.com"),
    (b"aes128-ctr", b"hmac-sha2-256"),
]


@pytest.mark.parametrize(("cipher", "mac"), KINDS)
def test_a_conversation_byte_by_byte_is_the_same_conversation(cipher: bytes, mac: bytes) -> None:
    peer = FaultyPeer(cipher=cipher, mac=mac)
    peer.step = 1
    program = converse(peer)
    assert program is not None
    assert program.input == b"hello"
    assert program.events == [(90, 30), "ready", "input ended", "lost"] or program.events == [
        "ready",
        (90, 30),
        "input ended",
        "lost",
    ]
    check(peer)


@pytest.mark.parametrize(("cipher", "mac"), KINDS)
def test_a_conversation_may_be_cut_after_any_byte(cipher: bytes, mac: bytes) -> None:
    whole = FaultyPeer(cipher=cipher, mac=mac)
    converse(whole)
    server = Server()
    for cut in range(whole.sent):
        peer = FaultyPeer(server, cipher=cipher, mac=mac)
        peer.cut = cut
        server.programs.clear()
        with pytest.raises(SeveredError):
            converse(peer)
        check(peer)
        peer.hang_up()
        for program in server.programs:
            assert program.events.count("lost") == 1
        assert not [call for call in server.clock.getDelayedCalls() if call.active()]


@pytest.mark.parametrize(("cipher", "mac"), KINDS)
def test_a_conversation_may_have_any_byte_changed(cipher: bytes, mac: bytes) -> None:
    whole = FaultyPeer(cipher=cipher, mac=mac)
    converse(whole)
    for flip in range(0, whole.sent, 3):
        peer = FaultyPeer(cipher=cipher, mac=mac)
        peer.flip = flip
        with contextlib.suppress(AssertionError, AttributeError, SeveredError):
            converse(peer)  # and may give up
        assert all(program.input in (b"", b"hello") for program in peer.server.programs)
        check(peer)
        peer.hang_up()
        for program in peer.server.programs:
            assert program.events.count("lost") == 1


FIELD = st.one_of(
    st.binary(max_size=20).map(string),
    st.integers(0, 5).map(uint32),
    st.integers(0, 0xFFFFFFFF).map(uint32),
    st.sampled_from((b"\0", b"\1", string(b"session"), string(b"shell"), string(b"exec"))),
    st.sampled_from((string(b"pty-req"), string(b"env"), string(b"ssh-connection"))),
    st.sampled_from((string(b"publickey"), string(b"none"), string(b"ssh-ed25519"))),
    st.just(string(USER_KEY.public().blob())),
    st.binary(max_size=12),
)
NUMBER = st.one_of(
    st.sampled_from((1, 2, 5, 20, 21, 30, 50, 61, 80, 90, 93, 94, 95, 96, 97, 98)),
    st.integers(0, 255),
)
MESSAGES = st.lists(st.tuples(NUMBER, st.lists(FIELD, max_size=6).map(b"".join)), max_size=20)


@settings(max_examples=300)
@given(st.sampled_from(("clear", "keys", "service", "in", "shell")), MESSAGES)
def test_any_messages_in_any_state_keep_the_bounds(
    state: str, messages: list[tuple[int, bytes]]
) -> None:
    peer = Peer(strict=False)
    if state == "clear":
        peer.feed(VERSION + b"\r\n")
    elif state == "keys":
        peer.exchange()
    elif state == "service":
        peer.exchange().ask_service()
    else:
        peer.login()
        if state == "shell":
            peer.shell()
    check(peer)
    disconnects = 0
    for number, payload in messages:
        peer.protocol.dataReceived(peer.sealer.seal(bytes((number,)) + payload))
        peer.wire.clear()
        check(peer)
        disconnects += peer.is_gone()
    peer.clock.advance(1)
    peer.hang_up()
    assert not [call for call in peer.clock.getDelayedCalls() if call.active()]
    for program in peer.server.programs:
        assert program.events.count("lost") == 1
