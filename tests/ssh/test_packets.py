"""Packet ciphers: round trips, cut anywhere, and no changed packet accepted."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.transport.ssh.protocol.ciphers import (
    CIPHERS,
    MACS,
    MAX_PACKET,
    PacketCipher,
    PacketError,
    Plaintext,
    packet_cipher,
)
from chatd.wire.ssh import Fields, MalformedError, string, uint32

KEY, IV, MAC_KEY = bytes(range(64)), bytes(range(64, 128)), bytes(range(128, 192))
KINDS = [(b"", b""), *((cipher, mac) for cipher in CIPHERS for mac in MACS)]


def cipher_of(kind: tuple[bytes, bytes]) -> PacketCipher:
    return packet_cipher(*kind, KEY, IV, MAC_KEY) if kind[0] else Plaintext()


def opened(cipher: PacketCipher, pieces: list[bytes]) -> list[bytes]:
    """Return the payloads in a stream that arrives in pieces."""
    got, buffer = [], b""
    for piece in pieces:
        buffer += piece
        at = 0
        while (packet := cipher.open(buffer, at)) is not None:
            got.append(packet[0])
            at = packet[1]
        buffer = buffer[at:]
    assert not buffer
    return got


@given(
    st.sampled_from(KINDS),
    st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=5),
    st.lists(st.integers(0, 2000), max_size=12),
)
def test_packets_are_opened_as_they_were_sealed_however_they_are_cut(
    kind: tuple[bytes, bytes], payloads: list[bytes], cuts: list[int]
) -> None:
    sealer = cipher_of(kind)
    stream = b"".join(map(sealer.seal, payloads))
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]
    opener = cipher_of(kind)
    assert opened(opener, pieces) == payloads
    assert opener.sequence == sealer.sequence == len(payloads)


@given(st.sampled_from(KINDS[1:]), st.integers(0), st.integers(1, 255))
def test_a_changed_packet_is_never_accepted(
    kind: tuple[bytes, bytes], where: int, change: int
) -> None:
    packet = bytearray(cipher_of(kind).seal(b"payload" * 5))
    packet[where % len(packet)] ^= change
    try:
        assert cipher_of(kind).open(bytes(packet), 0) is None
    except PacketError:
        return


@given(st.sampled_from(KINDS), st.binary(max_size=200))
def test_random_bytes_are_refused_or_incomplete(kind: tuple[bytes, bytes], data: bytes) -> None:
    cipher = cipher_of(kind)
    try:
        packet = cipher.open(data, 0)
    except PacketError:
        return
    assert packet is None or packet[1] <= len(data)


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[1], KINDS[-3]])
def test_a_bad_packet_length_is_refused_before_the_packet_is_complete(
    kind: tuple[bytes, bytes],
) -> None:
    for length in (0, 1, 7, MAX_PACKET + 1, 254_000, 0xFFFFFFFF):
        with pytest.raises(PacketError):
            cipher_of(kind).open(uint32(length) + b"\4" * 12, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_sequence_number_after_4294967295_is_0(kind: tuple[bytes, bytes]) -> None:
    sealer, opener = cipher_of(kind), cipher_of(kind)
    sealer.sequence = opener.sequence = 0xFFFFFFFF
    assert opened(opener, [sealer.seal(b"last"), sealer.seal(b"first")]) == [b"last", b"first"]
    assert sealer.sequence == opener.sequence == 1


def test_a_packet_without_a_payload_or_padding_is_refused() -> None:
    for body in (
        b"\x0b" + bytes(11),
        b"\x03" + bytes(11),
        b"\xff" + bytes(11),
        b"\x0c" + bytes(11),
    ):
        with pytest.raises(PacketError):
            Plaintext().open(uint32(12) + body, 0)


@given(st.binary(max_size=40))
def test_no_field_is_read_past_the_end_of_its_packet(data: bytes) -> None:
    fields = Fields(data)
    try:
        taken = fields.string()
    except MalformedError:
        return
    assert string(taken) + fields.rest() == data
