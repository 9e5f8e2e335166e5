"""The socket assignment's protocol from a client's side: any server's answers are understood."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.text.sanitizing import safe
from chatd.wire.tcd import codec as tcd
from chatd.wire.tcd import replies as tcd_replies
from chatd.wire.tcd.replies import (
    LONGEST_LINE,
    MESSAGE_BYTES,
    MESSAGE_LINES,
    Broken,
    Chat,
    Failed,
    Greeted,
    Joined,
    Left,
    Reply,
    ReplyCodec,
)
from chatd.wire.tcd.requests import HEADER_BYTES

JOINED = b"JOINED_CHATROOM: attic\nSERVER_IP: 10.0.0.1\nPORT: 1134\nROOM_REF: 1\nJOIN_ID: 7\n"
LEFT = b"LEFT_CHATROOM: 1\nJOIN_ID: 7\n"
SAID = b"CHAT: 1\nCLIENT_NAME: ada\nMESSAGE: hello\n\n"
FAILED = b"ERROR_CODE: 5\nERROR_DESCRIPTION: No room has that ROOM_REF.\n"
HELO = b"HELO me\nIP:10.0.0.1\nPort:1134\nStudentID:0\n"
IS_IN, IS_OUT, SAYS = Joined("attic", "1", "7"), Left("1"), Chat("1", "ada", ("hello",))
FAILS = Failed("5", "No room has that ROOM_REF.")

MOST_HELD = LONGEST_LINE + MESSAGE_BYTES + 3 * HEADER_BYTES


def read(*pieces: bytes) -> list[Reply]:
    """Return all that these pieces give, with the silence after them."""
    codec = ReplyCodec()
    return [value for piece in pieces for value in codec.receive_data(piece)] + codec.finish()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


LINES = [
    *(JOINED + LEFT + SAID + FAILED + HELO).splitlines(keepends=True),
    b"CHAT:-4\r\n",
    b"MESSAGE:\n",
    b"ERROR_CODE:\n",
    b" CHAT: 1\n",
    b"\r\n",
]
STREAMS = st.lists(
    st.one_of(
        st.sampled_from([JOINED, LEFT, SAID, FAILED, HELO]),
        st.sampled_from(LINES),
        st.sampled_from([line.rstrip() for line in LINES]),
        st.binary(max_size=8),
        st.sampled_from([LONGEST_LINE, MESSAGE_BYTES, HEADER_BYTES]).flatmap(
            lambda size: st.integers(size - 12, size + 3).map(lambda count: b"x" * count)
        ),
        st.just(b"y\n" * (MESSAGE_LINES - 1)),
    ),
    max_size=16,
).map(b"".join)


@given(STREAMS, st.lists(st.integers(min_value=0), max_size=12))
def test_any_cutting_of_any_bytes_gives_the_same_replies(data: bytes, places: list[int]) -> None:
    assert read(*cut(data, places)) == read(data)


@given(st.lists(st.sampled_from([*LINES, b"x", b":", b"\r"]), max_size=12).map(b"".join))
def test_bytes_that_come_one_by_one_give_the_same_replies(data: bytes) -> None:
    assert read(*(bytes([byte]) for byte in data)) == read(data)


@given(st.lists(st.one_of(st.binary(max_size=300), STREAMS), max_size=6))
def test_no_bytes_whatever_raise_and_what_is_held_is_bounded(pieces: list[bytes]) -> None:
    codec = ReplyCodec()
    for piece in pieces:
        for reply in codec.receive_data(piece):
            assert_safe(reply)
        assert codec.held <= MOST_HELD
        codec.finish()
        assert not codec.pending


def assert_safe(reply: Reply) -> None:
    texts = [getattr(reply, name) for name in reply.__slots__]
    for text in [line for each in texts for line in ([each] if isinstance(each, str) else [])]:
        assert safe(text) == text
    if isinstance(reply, Chat):
        assert all(line and safe(line) == line for line in reply.lines)


# What chatd says comes back -----------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NUMBERS = st.integers(0, 2**63 - 1)


def shown(text: str) -> str:
    return safe(text).strip()


@given(TEXTS, NUMBERS, NUMBERS)
def test_a_joined_of_chatd_comes_back(room: str, ref: int, join_id: int) -> None:
    answer = tcd.joined(room, "10.0.0.1", 1134, ref, join_id)
    assert read(answer) == [Joined(shown(room), str(ref), str(join_id))]


@given(NUMBERS, NUMBERS)
def test_a_left_of_chatd_comes_back(ref: int, join_id: int) -> None:
    assert read(tcd.left(ref, join_id)) == [Left(str(ref))]


@given(st.integers(0, 99), TEXTS)
def test_an_error_of_chatd_comes_back(code: int, sentence: str) -> None:
    assert read(tcd.error(code, sentence)) == [Failed(str(code), shown(sentence))]


@given(NUMBERS, TEXTS, st.lists(TEXTS, min_size=1, max_size=5))
def test_a_chat_of_chatd_comes_back_as_one_message(ref: int, nick: str, texts: list[str]) -> None:
    replies = ReplyCodec().receive_data(tcd.chat(ref, nick, "\n".join(texts)))
    assert len(replies) == 1
    assert isinstance(replies[0], Chat)
    assert (replies[0].ref, replies[0].nick) == (str(ref), shown(nick))
    lines = [shown(part) for text in texts for part in text.split("\n")]
    assert [line.strip() for line in replies[0].lines] == [line for line in lines if line]


@given(st.lists(st.sampled_from([SAID, FAILED, JOINED, HELO]), min_size=1).map(b"".join))
def test_nobody_can_write_an_answer_into_a_message_of_chatd(text: bytes) -> None:
    replies = read(tcd.chat(1, "eve", "look:\n" + text.decode()))
    assert [type(reply) for reply in replies] == [Chat]


@given(TEXTS, NUMBERS, NUMBERS, TEXTS, TEXTS)
def test_chatd_understands_every_request(
    nick: str, ref: int, join_id: int, room: str, text: str
) -> None:
    name, place, words = f"n{shown(nick)}", f"r{shown(room)}", f"t{shown(text)}"
    codec = tcd.TcdCodec()
    for request, value in (
        (tcd_replies.helo("me"), tcd.Helo("me")),
        (tcd_replies.join(place, name), tcd.Join(place, name)),
        (tcd_replies.leave(str(ref), str(join_id), name), tcd.Leave(ref, join_id, name)),
        (
            tcd_replies.chat(str(ref), str(join_id), name, words),
            tcd.Say(ref, join_id, name, (words,)),
        ),
        (tcd_replies.disconnect(name), tcd.Disconnect(name)),
    ):
        assert codec.receive_data(request) == [value]


@given(TEXTS)
def test_no_text_breaks_out_of_its_line(text: str) -> None:
    assert tcd_replies.join(text, text).count(b"\n") == 4
    assert len(tcd_replies.join(text, text).splitlines()) == 4


# What other servers say ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        JOINED.replace(b": ", b":"),
        JOINED.replace(b"\n", b"\r\n"),
        JOINED.replace(b"\n", b"  \n\n"),
        JOINED.replace(b"JOINED_CHATROOM", b"JOINED CHATROOM"),
        b"\n\nnoise\n" + JOINED,
        b"JOINED_CHATROOM: attic\nJOIN_ID: 7\nROOM_REF: 1\nSERVER_IP: 10.0.0.1\nPORT: 0\n",
    ],
)
def test_a_joined_may_be_written_otherwise(data: bytes) -> None:
    assert read(data) == [IS_IN]


def test_numbers_of_other_servers_are_given_back_as_they_came() -> None:
    assert read(JOINED.replace(b"1\n", b"-0815\n")) == [Joined("attic", "-0815", "7")]


def test_answers_that_come_at_once_are_told_apart() -> None:
    everything = HELO + JOINED + SAID + FAILED + SAID + LEFT
    assert read(everything) == [Greeted(), IS_IN, SAYS, FAILS, SAYS, IS_OUT]


def test_a_message_of_several_lines_ends_at_the_blank_one() -> None:
    assert read(SAID.replace(b"hello", b"one\n  two: 2\nCHAT: later?") + LEFT) == [
        Chat("1", "ada", ("one", "  two: 2", "CHAT: later?")),
        IS_OUT,
    ]


@pytest.mark.parametrize("after", [SAID, JOINED, LEFT, FAILED])
def test_a_message_without_its_blank_line_ends_where_the_next_answer_begins(after: bytes) -> None:
    assert read(SAID.rstrip() + b"\n" + after) == [SAYS, *read(after)]


def test_a_message_without_its_blank_line_counts_after_a_silence() -> None:
    codec = ReplyCodec()
    assert codec.receive_data(SAID.rstrip() + b"\n") == []
    assert codec.pending
    assert codec.finish() == [SAYS]
    assert codec.finish() == []


def test_an_answer_that_lacks_a_field_is_broken_and_the_next_is_not() -> None:
    lacking = JOINED.replace(b"ROOM_REF: 1\n", b"")
    assert read(lacking + SAID) == [Broken("JOINED_CHATROOM", "ROOM_REF"), SAYS]
    assert read(b"CHAT: 1\nMESSAGE: hello\n\n" + LEFT) == [Broken("CHAT", "CLIENT_NAME"), IS_OUT]
    assert read(b"ERROR_CODE: 5\n" + LEFT) == [Failed("5", ""), IS_OUT]


def test_what_could_move_a_cursor_does_not_come_through() -> None:
    evil = SAID.replace(b"hello", "a\x1b[2Jb\x9b1mc\u202ed\x07".encode()).replace(
        b"ada", b"a\x1bda"
    )
    assert read(evil) == [Chat("1", "ada", ("a[2Jb1mcd",))]


# Bounds -------------------------------------------------------------------------------------------


def test_a_message_may_have_so_many_lines_and_no_more() -> None:
    lines = b"x\n" * (MESSAGE_LINES - 1)
    most = SAID.replace(b"hello\n", b"x\n" + lines)
    assert read(most) == [Chat("1", "ada", ("x",) * MESSAGE_LINES)]
    assert read(most.replace(b"x\n", b"x\nx\n", 1) + LEFT) == [
        Chat("1", "ada", ("x",) * MESSAGE_LINES, cut=True),
        IS_OUT,
    ]


def test_a_message_may_have_so_many_bytes_and_no_more() -> None:
    half = MESSAGE_BYTES // 2 - 1
    for more in (0, 1):
        message = SAID.replace(b"hello", b"x" * half + b"\n" + b"y" * (half + more))
        assert read(message) == [Chat("1", "ada", ("x" * half, "y" * half), cut=bool(more))]


def test_a_line_without_end_is_kept_to_the_bound_and_skipped_after_it() -> None:
    codec = ReplyCodec()
    assert codec.receive_data(SAID.rstrip()) == []
    for _ in range(40):
        assert codec.receive_data(b"x" * 10_000) == []
        assert codec.held <= MOST_HELD
    [said] = codec.receive_data(b"\n\n")
    assert isinstance(said, Chat)
    assert said.cut
    assert codec.receive_data(LEFT) == [IS_OUT]


def test_a_value_is_cut_to_the_bound() -> None:
    [joined] = read(JOINED.replace(b"attic", b"x" * (HEADER_BYTES + 1)))
    assert joined == Joined("x" * HEADER_BYTES, "1", "7")
