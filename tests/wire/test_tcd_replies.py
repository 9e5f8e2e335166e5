"""Socket assignment codec, client side: the replies of chatd and of other servers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.text.sanitizing import safe
from chatd.wire.tcd import answers, replies, requests
from chatd.wire.tcd.codec import TcdCodec
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


def decode_all(*pieces: bytes) -> list[Reply]:
    """Return the replies in these pieces and the silence after them."""
    codec = ReplyCodec()
    return [value for piece in pieces for value in codec.receive_data(piece)] + codec.finish()


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    bounds = [0, *sorted(index % (len(data) + 1) for index in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


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
def test_any_cutting_of_the_bytes_gives_the_same_replies(data: bytes, cuts: list[int]) -> None:
    assert decode_all(*cut(data, cuts)) == decode_all(data)


@given(st.lists(st.sampled_from([*LINES, b"x", b":", b"\r"]), max_size=12).map(b"".join))
def test_single_bytes_give_the_same_replies(data: bytes) -> None:
    assert decode_all(*(bytes([byte]) for byte in data)) == decode_all(data)


@given(st.lists(st.one_of(st.binary(max_size=300), STREAMS), max_size=6))
def test_no_bytes_raise_and_the_buffer_is_bounded(pieces: list[bytes]) -> None:
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


# Replies of chatd ---------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NUMBERS = st.integers(0, 2**63 - 1)


def displayed(text: str) -> str:
    return safe(text).strip()


@given(TEXTS, NUMBERS, NUMBERS)
def test_the_servers_joined_is_decoded(room: str, ref: int, join_id: int) -> None:
    answer = answers.joined(room, "10.0.0.1", 1134, ref, join_id)
    assert decode_all(answer) == [Joined(displayed(room), str(ref), str(join_id))]


@given(NUMBERS, NUMBERS)
def test_the_servers_left_is_decoded(ref: int, join_id: int) -> None:
    assert decode_all(answers.left(ref, join_id)) == [Left(str(ref))]


@given(st.integers(0, 99), TEXTS)
def test_the_servers_error_is_decoded(code: int, sentence: str) -> None:
    assert decode_all(answers.error(code, sentence)) == [Failed(str(code), displayed(sentence))]


@given(NUMBERS, TEXTS, st.lists(TEXTS, min_size=1, max_size=5))
def test_the_servers_chat_is_decoded_as_one_message(ref: int, nick: str, texts: list[str]) -> None:
    received = ReplyCodec().receive_data(answers.chat(ref, nick, "\n".join(texts)))
    assert len(received) == 1
    assert isinstance(received[0], Chat)
    assert (received[0].ref, received[0].nick) == (str(ref), displayed(nick))
    lines = [displayed(part) for text in texts for part in text.split("\n")]
    assert [line.strip() for line in received[0].lines] == [line for line in lines if line]


@given(st.lists(st.sampled_from([SAID, FAILED, JOINED, HELO]), min_size=1).map(b"".join))
def test_a_reply_cannot_be_forged_within_a_message(text: bytes) -> None:
    received = decode_all(answers.chat(1, "eve", "look:\n" + text.decode()))
    assert [type(reply) for reply in received] == [Chat]


@given(TEXTS, NUMBERS, NUMBERS, TEXTS, TEXTS)
def test_the_server_decodes_every_request(
    nick: str, ref: int, join_id: int, room: str, text: str
) -> None:
    name, room_name, words = f"n{displayed(nick)}", f"r{displayed(room)}", f"t{displayed(text)}"
    codec = TcdCodec()
    for request, value in (
        (replies.helo("me"), requests.Helo("me")),
        (replies.join(room_name, name), requests.Join(room_name, name)),
        (replies.leave(str(ref), str(join_id), name), requests.Leave(ref, join_id, name)),
        (
            replies.chat(str(ref), str(join_id), name, words),
            requests.Say(ref, join_id, name, (words,)),
        ),
        (replies.disconnect(name), requests.Disconnect(name)),
    ):
        assert codec.receive_data(request) == [value]


@given(TEXTS)
def test_no_text_breaks_out_of_its_line(text: str) -> None:
    assert replies.join(text, text).count(b"\n") == 4
    assert len(replies.join(text, text).splitlines()) == 4


# Replies of other servers -------------------------------------------------------------------------


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
def test_a_joined_may_be_written_in_other_ways(data: bytes) -> None:
    assert decode_all(data) == [IS_IN]


def test_numbers_of_other_servers_are_kept_unchanged() -> None:
    assert decode_all(JOINED.replace(b"1\n", b"-0815\n")) == [Joined("attic", "-0815", "7")]


def test_replies_in_one_packet_are_separated() -> None:
    everything = HELO + JOINED + SAID + FAILED + SAID + LEFT
    assert decode_all(everything) == [Greeted(), IS_IN, SAYS, FAILS, SAYS, IS_OUT]


def test_a_message_of_several_lines_ends_at_the_blank_line() -> None:
    assert decode_all(SAID.replace(b"hello", b"one\n  two: 2\nCHAT: later?") + LEFT) == [
        Chat("1", "ada", ("one", "  two: 2", "CHAT: later?")),
        IS_OUT,
    ]


@pytest.mark.parametrize("after", [SAID, JOINED, LEFT, FAILED])
def test_a_message_without_its_blank_line_ends_where_the_next_reply_begins(after: bytes) -> None:
    assert decode_all(SAID.rstrip() + b"\n" + after) == [SAYS, *decode_all(after)]


def test_a_message_without_its_blank_line_is_complete_after_a_silence() -> None:
    codec = ReplyCodec()
    assert codec.receive_data(SAID.rstrip() + b"\n") == []
    assert codec.pending
    assert codec.finish() == [SAYS]
    assert codec.finish() == []


def test_a_reply_that_lacks_a_field_is_broken_and_the_next_is_not() -> None:
    lacking = JOINED.replace(b"ROOM_REF: 1\n", b"")
    assert decode_all(lacking + SAID) == [Broken("JOINED_CHATROOM", "ROOM_REF"), SAYS]
    assert decode_all(b"CHAT: 1\nMESSAGE: hello\n\n" + LEFT) == [
        Broken("CHAT", "CLIENT_NAME"),
        IS_OUT,
    ]
    assert decode_all(b"ERROR_CODE: 5\n" + LEFT) == [Failed("5", ""), IS_OUT]


def test_control_characters_are_removed() -> None:
    evil = SAID.replace(b"hello", "a\x1b[2Jb\x9b1mc\u202ed\x07".encode()).replace(
        b"ada", b"a\x1bda"
    )
    assert decode_all(evil) == [Chat("1", "ada", ("a[2Jb1mcd",))]


# Bounds -------------------------------------------------------------------------------------------


def test_the_lines_of_a_message_are_bounded() -> None:
    lines = b"x\n" * (MESSAGE_LINES - 1)
    most = SAID.replace(b"hello\n", b"x\n" + lines)
    assert decode_all(most) == [Chat("1", "ada", ("x",) * MESSAGE_LINES)]
    assert decode_all(most.replace(b"x\n", b"x\nx\n", 1) + LEFT) == [
        Chat("1", "ada", ("x",) * MESSAGE_LINES, cut=True),
        IS_OUT,
    ]


def test_the_bytes_of_a_message_are_bounded() -> None:
    half = MESSAGE_BYTES // 2 - 1
    for more in (0, 1):
        message = SAID.replace(b"hello", b"x" * half + b"\n" + b"y" * (half + more))
        assert decode_all(message) == [Chat("1", "ada", ("x" * half, "y" * half), cut=bool(more))]


def test_an_endless_line_is_held_to_the_bound_and_then_skipped() -> None:
    codec = ReplyCodec()
    assert codec.receive_data(SAID.rstrip()) == []
    for _ in range(40):
        assert codec.receive_data(b"x" * 10_000) == []
        assert codec.held <= MOST_HELD
    [said] = codec.receive_data(b"\n\n")
    assert isinstance(said, Chat)
    assert said.cut
    assert codec.receive_data(LEFT) == [IS_OUT]


def test_a_value_is_truncated_at_the_bound() -> None:
    [joined] = decode_all(JOINED.replace(b"attic", b"x" * (HEADER_BYTES + 1)))
    assert joined == Joined("x" * HEADER_BYTES, "1", "7")
