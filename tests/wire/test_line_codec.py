"""The line codec: the same lines however the bytes are cut, and a bound on what is held."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.limits import LINE_BYTES
from chatd.chat.text.sanitizing import safe
from chatd.wire.line import CutLine, LineCodec


def read(*pieces: bytes) -> list[str | CutLine]:
    """Return the lines of these pieces, up to the end of input."""
    codec = LineCodec()
    return [value for piece in pieces for value in codec.receive_data(piece)] + codec.finish()


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Return the data cut at these places, each taken modulo its length."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


#: Lines around the bound, with CRs, characters of several bytes and bytes that are no character.
streams = st.lists(
    st.one_of(
        st.binary(max_size=8),
        st.text(max_size=8).map(str.encode),
        st.sampled_from([b"\n", b"\r\n", b"\r", b"\r\r\n", b"\x80\x80\x80\x80", "é😀".encode()]),
        st.integers(LINE_BYTES - 8, LINE_BYTES + 4).map(lambda size: b"x" * size),
    ),
    max_size=12,
).map(b"".join)


@given(streams, st.lists(st.integers(min_value=0), max_size=12))
def test_any_bytes_give_the_same_lines_however_they_are_cut(data: bytes, cuts: list[int]) -> None:
    assert read(*pieces(data, cuts)) == read(data)


@given(st.binary(max_size=60))
def test_bytes_that_come_one_by_one_give_the_same_lines(data: bytes) -> None:
    assert read(*(bytes([byte]) for byte in data)) == read(data)


@given(streams)
def test_no_bytes_raise_and_every_line_is_safe_to_show(data: bytes) -> None:
    for value in read(data):
        text = value.text if isinstance(value, CutLine) else value
        assert safe(text) == text
        assert len(text) <= LINE_BYTES


@given(st.lists(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=20)))
def test_every_line_that_was_sent_is_received(lines: list[str]) -> None:
    data = "".join(f"{line}\r\n" for line in lines).encode()
    assert read(data) == lines


def test_a_line_ends_with_lf_or_cr_lf_and_may_be_empty() -> None:
    assert read(b"one\ntwo\r\n\n\r\nthree\n") == ["one", "two", "", "", "three"]


def test_a_lone_cr_ends_no_line() -> None:
    assert read(b"one\rtwo\n") == ["one two"]


def test_a_line_is_returned_when_it_ends_and_not_before() -> None:
    codec = LineCodec()
    assert codec.receive_data(b"hel") == []
    assert codec.receive_data(b"") == []
    assert codec.unfinished == b"hel"
    assert codec.receive_data(b"lo\r") == []
    assert codec.receive_data(b"\nand") == ["hello"]
    assert codec.unfinished == b"and"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_line_as_long_as_the_bound_is_whole(end: bytes) -> None:
    line = b"x" * LINE_BYTES
    assert read(line + end) == [line.decode()]
    assert read(line, end) == [line.decode()]
    assert read(line + end[:-1], end[-1:], b"next\n") == [line.decode(), "next"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_line_one_byte_longer_than_the_bound_is_cut_and_the_next_line_is_whole(
    end: bytes,
) -> None:
    line, cut = b"x" * (LINE_BYTES + 1), CutLine("x" * LINE_BYTES)
    assert read(line + end + b"next\n") == [cut, "next"]
    assert read(line, end, b"next\n") == [cut, "next"]
    assert read(line[:-1], line[-1:] + end, b"next\n") == [cut, "next"]


@pytest.mark.parametrize("character", ["é", "日", "😀"])
@pytest.mark.parametrize("before", range(4))
def test_a_line_is_not_cut_within_a_character(character: str, before: int) -> None:
    line = "x" * (LINE_BYTES - before) + character * 5
    [cut] = read(line.encode())
    assert isinstance(cut, CutLine)
    assert line.startswith(cut.text)
    assert LINE_BYTES - len(cut.text.encode()) < len(character.encode())


def test_a_character_that_arrives_in_two_packets_is_whole() -> None:
    one, two = "caf😀".encode()[:5], "caf😀\n".encode()[5:]
    assert read(one, two) == ["caf😀"]


def test_the_rest_of_a_cut_line_is_skipped_without_being_kept() -> None:
    codec = LineCodec()
    received = [value for _ in range(256) for value in codec.receive_data(b"x" * LINE_BYTES)]
    assert received == [CutLine("x" * LINE_BYTES)]
    assert codec.unfinished == b""
    assert codec.receive_data(b"x" * 1024 * 1024) == []
    assert codec.unfinished == b""
    assert codec.receive_data(b"the rest of it\nhello\n") == ["hello"]


@given(streams)
def test_no_more_than_one_line_is_held(data: bytes) -> None:
    codec = LineCodec()
    for piece in pieces(data, list(range(0, len(data), 1000))):
        codec.receive_data(piece)
        assert len(codec.unfinished) <= LINE_BYTES + 1


def test_the_end_of_input_ends_a_line() -> None:
    codec = LineCodec()
    codec.receive_data(b"one\ntwo")
    assert codec.finish() == ["two"]
    assert codec.finish() == []


def test_the_end_of_input_after_a_whole_line_adds_no_line() -> None:
    codec = LineCodec()
    codec.receive_data(b"one\n")
    assert codec.finish() == []


def test_a_line_without_an_end_is_cut_only_when_it_is_longer_than_the_bound() -> None:
    line = b"x" * LINE_BYTES
    assert read(line) == [line.decode()]
    assert read(line + b"x") == [CutLine(line.decode())]


def test_the_end_of_input_in_a_skipped_line_adds_no_line() -> None:
    assert read(b"x" * 3 * LINE_BYTES) == [CutLine("x" * LINE_BYTES)]


def test_a_line_as_long_as_the_bound_with_a_cr_after_it_is_whole_at_the_end_of_input() -> None:
    codec = LineCodec()
    assert codec.receive_data(b"x" * LINE_BYTES + b"\r") == []
    assert codec.finish() == ["x" * LINE_BYTES]
