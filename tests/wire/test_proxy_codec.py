"""PROXY protocol codec: clients behind a proxy are known by their own address."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.wire.proxy import V1_BYTES, V2_BYTES, Address, NotProxy, Proxied, ProxyCodec

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V4 = bytes([192, 0, 2, 1]) + bytes([192, 0, 2, 2]) + (56324).to_bytes(2, "big") + b"\x04\x6e"
V6 = bytes(15) + b"\1" + b"\x20\1\r\xb8" + bytes(12) + b"\0\x50\x04\x6e"
HERE, THERE = Address("192.0.2.2", 1134), Address("192.0.2.1", 56324)
WITHOUT_ADDRESS = Proxied(None, None, b"hi")


def v2(body: bytes, family: int = 0x11, command: int = 0x21, length: int | None = None) -> bytes:
    """Return a version 2 header."""
    size = len(body) if length is None else length
    return SIGNATURE + bytes([command, family]) + size.to_bytes(2, "big") + body


def decode(*pieces: bytes) -> Proxied | NotProxy | None:
    """Return the first result, with the pieces after it appended to its rest."""
    codec = ProxyCodec()
    for number, piece in enumerate(pieces, 1):
        answer = codec.receive_data(piece)
        if isinstance(answer, Proxied):
            rest = answer.rest + b"".join(pieces[number:])
            return Proxied(answer.source, answer.destination, rest)
        if answer:
            return answer
    return None


HEADERS = [
    b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 1134\r\n",
    b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n",
    b"PROXY UNKNOWN\r\n",
    b"PROXY UNKNOWN ffff:f...f:ffff 65535 65535\r\n",
    b"PROXY TCP4 nonsense\r\n",
    b"PROXY " + b"x" * 200,
    v2(V4),
    v2(V4 + b"\x20\0\1x"),
    v2(V6, 0x21),
    v2(bytes(216), 0x31),
    v2(b"", 0, 0x20),
    v2(b"", 0x11, 0x22),
    v2(b"", 0x41),
    v2(b"", 0x11),
    v2(b"", length=V2_BYTES + 1),
    b"SSH-2.0-OpenSSH\r\n",
    b"\r\n\r\nhello",
]


@given(st.sampled_from(HEADERS), st.lists(st.integers(min_value=0), max_size=6))
def test_any_cutting_of_a_header_gives_the_same_result(header: bytes, cuts: list[int]) -> None:
    data = header + b"hi\r\n"
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    assert decode(*(data[start:end] for start, end in pairwise(bounds))) == decode(data)
    assert decode(*(bytes([byte]) for byte in data)) == decode(data)


@given(
    st.one_of(
        st.binary(),
        st.binary().map(lambda tail: b"PROXY TCP4 " + tail + b"\r\n"),
        st.text("0123456789.: %abcdefTCPUNKOW", max_size=99).map(
            lambda tail: b"PROXY " + tail.encode() + b"\r\n"
        ),
        st.binary().map(lambda tail: SIGNATURE + tail),
    ),
    st.integers(min_value=0, max_value=120),
)
def test_no_bytes_raise(data: bytes, place: int) -> None:
    assert decode(data[:place], data[place:]) == decode(data)


def test_a_version_1_header_gives_the_clients_own_address() -> None:
    header = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 1134\r\n"
    assert decode(header + b"hi") == Proxied(THERE, HERE, b"hi")
    assert decode(v2(V4) + b"hi") == Proxied(THERE, HERE, b"hi")


def test_a_version_1_header_may_have_ipv6_addresses() -> None:
    seen = Proxied(Address("::1", 80), Address("2001:db8::", 1134), b"hi")
    assert decode(b"PROXY TCP6 ::1 2001:DB8:0:0:0:0:0:0 80 1134\r\nhi") == seen
    assert decode(v2(V6, 0x21) + b"hi") == seen


def test_an_ipv4_mapped_address_is_the_ipv4_address() -> None:
    mapped = bytes(10) + b"\xff\xff"
    body = mapped + V4[:4] + mapped + V4[4:]
    assert decode(v2(body, 0x21)) == Proxied(THERE, HERE, b"")
    line = b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 56324 1134\r\n"
    assert decode(line) == Proxied(THERE, HERE, b"")


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN whatever it likes to say\r\n",
        v2(b"", 0, 0x20),
        v2(V4, 0x11, 0x20),
        v2(b"xyz", 0x99, 0x20),
        v2(b"", 0),
        v2(b"with TLVs", 0),
        v2(b"/tmp/a".ljust(108, b"\0") + b"/tmp/b".ljust(108, b"\0"), 0x31),
    ],
)
def test_a_header_without_addresses_leaves_the_connections_own(header: bytes) -> None:
    assert decode(header + b"hi") == WITHOUT_ADDRESS


def test_tlvs_are_skipped() -> None:
    assert decode(v2(V4 + b"\x03\0\4\0\0\0\0") + b"hi") == Proxied(THERE, HERE, b"hi")


def test_an_incomplete_header_gives_no_result() -> None:
    assert decode(b"") is None
    assert decode(b"P") is None
    assert decode(b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 1134\r") is None
    assert decode(v2(V4)[:-1]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"PROXX",
        b"proxy ",
        b"\r\n\r\nx",
        b"hello\n",
        b"PROXY TCP5 1 2 3 4\r\n",
        b"PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY \r\n",
        b"PROXY TCP4\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2  2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 \xb2 2\r\n",
        b"PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 ::1 ::1 1 2\r\n",
        b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        v2(V4, command=0x11),
        v2(V4, command=0x22),
        v2(V4, 0x13),
        v2(V4, 0x41),
        v2(V4[:-1]),
        v2(V6[:-1], 0x21),
        v2(bytes(215), 0x31),
    ],
)
def test_bytes_that_are_no_header_are_refused_with_a_reason(data: bytes) -> None:
    answer = decode(data)
    assert isinstance(answer, NotProxy)
    assert answer.reason.endswith(".")


@pytest.mark.parametrize(("length", "fits"), [(V1_BYTES, True), (V1_BYTES + 1, False)])
def test_a_version_1_line_may_have_107_bytes(length: int, fits: bool) -> None:
    line = b"PROXY UNKNOWN ".ljust(length - 2, b"x") + b"\r\n"
    assert len(line) == length
    assert (decode(line + b"hi") == WITHOUT_ADDRESS) == fits


def test_an_endless_version_1_line_is_refused() -> None:
    assert decode(b"PROXY UNKNOWN".ljust(V1_BYTES - 1, b"x")) is None
    assert isinstance(decode(b"PROXY UNKNOWN".ljust(V1_BYTES, b"x")), NotProxy)


def test_a_version_2_header_is_decoded_up_to_a_bound() -> None:
    assert decode(v2(V4.ljust(V2_BYTES, b"\0")) + b"hi") == Proxied(THERE, HERE, b"hi")
    assert isinstance(decode(v2(b"", length=V2_BYTES + 1)), NotProxy)
    assert isinstance(decode(v2(b"", 0, 0x20, length=V2_BYTES + 1)), NotProxy)
