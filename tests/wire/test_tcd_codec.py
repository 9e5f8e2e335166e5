"""Socket assignment codec, server side: requests as the various clients and graders write them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.text.sanitizing import safe
from chatd.wire.tcd.codec import (
    HEADER_BYTES,
    LONGEST_LINE,
    MESSAGE_BYTES,
    MESSAGE_LINES,
    MOST_NUMBER,
    Bad,
    Disconnect,
    ErrorCode,
    Helo,
    Join,
    KillService,
    Leave,
    Request,
    Say,
    TcdCodec,
    chat,
    error,
    helo,
    joined,
    left,
    recognises,
)

JOIN = b"JOIN_CHATROOM: room1\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: client1\n"
LEAVE = b"LEAVE_CHATROOM: 1\nJOIN_ID: 7\nCLIENT_NAME: client1\n"
CHAT = b"CHAT: 1\nJOIN_ID: 7\nCLIENT_NAME: client1\nMESSAGE: hello\n\n"
DISCONNECT = b"DISCONNECT: 0\nPORT: 0\nCLIENT_NAME: client1\n"
JOINS, LEAVES = Join("room1", "client1"), Leave(1, 7, "client1")
SAYS, GOES = Say(1, 7, "client1", ("hello",)), Disconnect("client1")

Value = Request | Bad


def decode_all(*pieces: bytes) -> list[Value]:
    """Return the values of these pieces, up to the end of input."""
    codec = TcdCodec()
    return [value for piece in pieces for value in codec.receive_data(piece)] + codec.finish()


def decode_without_silence(data: bytes) -> list[Value]:
    """Return the values that are complete without a silence."""
    return TcdCodec().receive_data(data)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    bounds = [0, *sorted(index % (len(data) + 1) for index in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


def chat_request(message: bytes) -> bytes:
    """Return a CHAT that ends with this message."""
    return b"CHAT: 1\nJOIN_ID: 7\nCLIENT_NAME: client1\nMESSAGE: " + message


def codes(values: list[Value]) -> list[ErrorCode | None]:
    return [value.code if isinstance(value, Bad) else None for value in values]


MOST_HELD = LONGEST_LINE + MESSAGE_BYTES + 1 + 3 * HEADER_BYTES

LINES = [
    *(JOIN + LEAVE + CHAT + DISCONNECT).splitlines(keepends=True),
    b"HELO BASE_TEST\n",
    b"HELO \n",
    b"HELO\n",
    b"KILL_SERVICE\n",
    b"JOIN CHATROOM:a\r\n",
    b"CHAT: one\n",
    b"JOIN_ID:99999999999999999999\n",
    b"MESSAGE:\n",
    b"ANYTHING 5828d335af7cc\n",
    b" \r\n",
    b"\n",
]
STREAMS = st.lists(
    st.one_of(
        st.sampled_from([JOIN, LEAVE, CHAT, DISCONNECT]),
        st.sampled_from(LINES),
        st.sampled_from([line.rstrip() for line in LINES]),
        st.binary(max_size=8),
        st.sampled_from([LONGEST_LINE, MESSAGE_BYTES, HEADER_BYTES]).flatmap(
            lambda size: st.integers(size - 12, size + 3).map(lambda count: b"x" * count)
        ),
    ),
    max_size=20,
).map(b"".join)


@given(STREAMS, st.lists(st.integers(min_value=0), max_size=12))
def test_any_cutting_of_the_bytes_gives_the_same_requests(data: bytes, cuts: list[int]) -> None:
    assert decode_all(*cut(data, cuts)) == decode_all(data)


@given(st.lists(st.sampled_from([*LINES, b"x", b":", b"\r"]), max_size=12).map(b"".join))
def test_single_bytes_give_the_same_requests(data: bytes) -> None:
    assert decode_all(*(bytes([byte]) for byte in data)) == decode_all(data)


@given(st.lists(st.one_of(st.binary(max_size=300), STREAMS), max_size=6))
def test_no_bytes_raise_and_the_buffer_is_bounded(pieces: list[bytes]) -> None:
    codec = TcdCodec()
    for piece in pieces:
        codec.receive_data(piece)
        assert codec.held <= MOST_HELD
        codec.finish()
        assert not codec.pending
        assert codec.held <= MOST_HELD


@given(STREAMS)
def test_texts_of_requests_are_safe_to_display(data: bytes) -> None:
    for value in decode_all(data):
        match value:
            case Helo(text):
                texts = [text]
            case Join(room, nick):
                texts = [room, nick]
            case Say(_, _, nick, lines):
                assert lines
                assert all(lines)
                texts = [nick, *lines]
            case Leave(_, _, nick) | Disconnect(nick):
                texts = [nick]
            case Bad(_, sentence):
                texts = [sentence]
            case KillService():
                texts = []
        assert [safe(text).rstrip() for text in texts] == texts


@given(STREAMS, st.lists(st.integers(min_value=0), max_size=4))
def test_silence_completes_a_request_exactly_when_one_was_pending(
    data: bytes, cuts: list[int]
) -> None:
    codec = TcdCodec()
    for piece in cut(data, cuts):
        codec.receive_data(piece)
        pending = codec.pending
        assert bool(codec.finish()) == pending


# Conversations -----------------------------------------------------------------------------------


def test_a_request_is_complete_as_soon_as_its_last_line_ends() -> None:
    assert decode_without_silence(b"HELO BASE_TEST\n") == [Helo("BASE_TEST")]
    assert decode_without_silence(b"KILL_SERVICE\n") == [KillService()]
    assert decode_without_silence(JOIN) == [JOINS]
    assert decode_without_silence(LEAVE) == [LEAVES]
    assert decode_without_silence(CHAT) == [SAYS]
    assert decode_without_silence(DISCONNECT) == [GOES]


def test_a_whole_conversation_in_one_packet_gives_all_its_requests() -> None:
    grading = b"HELO BASE_TEST\n" + JOIN + JOIN.replace(b"room1", b"room2") + CHAT + LEAVE
    assert decode_without_silence(grading + DISCONNECT + b"KILL_SERVICE\n") == [
        Helo("BASE_TEST"),
        JOINS,
        Join("room2", "client1"),
        SAYS,
        LEAVES,
        GOES,
        KillService(),
    ]


def test_a_java_clients_conversation_is_decoded() -> None:
    java = (JOIN + CHAT + LEAVE).replace(b"\n", b"\r\n").replace(b": ", b":")
    assert decode_without_silence(java) == [JOINS, SAYS, LEAVES]


def test_a_conversation_without_blank_lines_or_a_last_line_end_is_decoded() -> None:
    data = (
        chat_request(b"one\n")
        + chat_request(b"two\n")
        + LEAVE
        + chat_request(b"three\n")
        + DISCONNECT.rstrip()
    )
    assert decode_all(data) == [
        Say(1, 7, "client1", ("one",)),
        Say(1, 7, "client1", ("two",)),
        LEAVES,
        Say(1, 7, "client1", ("three",)),
        GOES,
    ]


def test_text_that_is_no_request_is_ignored_silently() -> None:
    stray = b"ANYTHING 5828d335af7cc\nhello\n: \nCLIENT_NAME: x\nMESSAGE: x\nhelo x\nHELOX\n"
    assert decode_without_silence(stray + b"KILL_SERVICE now\nChat: 1\n" + JOIN + stray) == [JOINS]


@pytest.mark.parametrize(
    "join",
    [
        JOIN.replace(b": ", b":"),
        JOIN.replace(b": ", b" :   "),
        JOIN.replace(b"\n", b"  \t \r\n"),
        JOIN.replace(b"JOIN_CHATROOM", b"JOIN CHATROOM"),
        JOIN.replace(b" 0", b""),
        JOIN.replace(b" 0", b" 127.0.0.1:80"),
        JOIN.replace(b"\n", b"\n\n"),
        JOIN.replace(b"PORT: 0\n", b"PORT: 0\nCLIENT_AGE: 3\n"),
        b"JOIN_CHATROOM: room1\nCLIENT_NAME: client1\nCLIENT_IP: 0\nPORT: 0\n",
        b"JOIN_CHATROOM: room1\nCLIENT_NAME: client1\n",
        b"\n\r\n  \n" + JOIN + b"\n\n",
    ],
)
def test_a_join_may_be_written_in_many_ways(join: bytes) -> None:
    assert decode_without_silence(join) == [JOINS]
    assert decode_without_silence(join + join) == [JOINS, JOINS]


def test_a_value_may_contain_a_colon() -> None:
    data = JOIN.replace(b"room1", b"a:b: c").replace(b"client1", b"http://x:1")
    assert decode_without_silence(data) == [Join("a:b: c", "http://x:1")]
    assert decode_without_silence(chat_request(b"CLIENT_NAME: bob: MESSAGE: hi\n\n")) == [
        Say(1, 7, "client1", ("CLIENT_NAME: bob: MESSAGE: hi",))
    ]


@pytest.mark.parametrize("text", ["X", "X:", "BASE TEST: 5"])
def test_a_helo_within_an_unfinished_request_begins_a_new_one(text: str) -> None:
    codec = TcdCodec()
    line = f"HELO {text}".encode()
    missing, helo = codec.receive_data(b"CHAT: 1\n" + line + b"\n")
    assert isinstance(missing, Bad)
    assert helo == Helo(text)
    codec.receive_data(b"CHAT: 1\n" + line)
    assert codec.pending
    assert codec.finish() == [missing, helo]


def test_the_text_of_helo_is_unchanged() -> None:
    assert decode_without_silence(b"HELO  two  blanks \r\n") == [Helo(" two  blanks")]
    assert decode_without_silence(b"HELO\nHELO \n") == [Helo(""), Helo("")]
    assert decode_without_silence(b"HELO caf\xe9 \x1b[31m\n") == [Helo("caf\ufffd [31m")]


# Messages ----------------------------------------------------------------------------------------


def test_a_message_of_several_lines_ends_at_the_blank_line() -> None:
    data = chat_request(b"one\n  two \r\nCLIENT_NAME: three\n \r\nfour\n\n")
    assert decode_without_silence(data) == [
        Say(1, 7, "client1", ("one", "  two", "CLIENT_NAME: three"))
    ]


def test_a_message_may_begin_on_the_line_below_its_key() -> None:
    assert decode_without_silence(chat_request(b"\nhello\n\n")) == [SAYS]


@pytest.mark.parametrize(
    "line",
    ["CHAT: later?", "LEAVE_CHATROOM: no", "DISCONNECT: never", "HELO", "Chat: 1", " CHAT: 1"],
)
def test_a_line_that_only_resembles_a_request_is_part_of_a_message(line: str) -> None:
    assert decode_without_silence(chat_request(b"a\n" + line.encode() + b"\n\n")) == [
        Say(1, 7, "client1", ("a", line)),
    ]


@pytest.mark.parametrize(
    ("request_", "value"),
    [
        (JOIN, JOINS),
        (LEAVE, LEAVES),
        (CHAT, SAYS),
        (DISCONNECT, GOES),
        (b"HELO x\n", Helo("x")),
        (b"KILL_SERVICE\n", KillService()),
    ],
)
def test_a_message_ends_where_the_next_request_begins(request_: bytes, value: Value) -> None:
    assert decode_without_silence(chat_request(b"hello\n") + request_) == [SAYS, value]


def test_an_empty_message_is_refused() -> None:
    empty = Bad(ErrorCode.EMPTY_FIELD, "MESSAGE is empty.")
    assert decode_without_silence(
        chat_request(b"\n\n") + chat_request(b" \x07\n\x1b\n\n") + CHAT
    ) == [empty, empty, SAYS]


# Silence -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"HELO x", Helo("x")),
        (b"KILL_SERVICE", KillService()),
        (JOIN[:-1], JOINS),
        (LEAVE[:-1] + b"\r", LEAVES),
        (DISCONNECT[:-1], GOES),
        (CHAT[:-1], SAYS),
        (CHAT[:-2], SAYS),
        (CHAT[:-1] + b"  ", SAYS),
    ],
)
def test_silence_completes_a_request_that_lacks_only_its_end(data: bytes, value: Value) -> None:
    codec = TcdCodec()
    assert codec.receive_data(data) == []
    assert codec.pending
    assert codec.finish() == [value]
    assert not codec.pending
    assert codec.finish() == []
    assert codec.receive_data(b"\r\n\r\n" + JOIN) == [JOINS]


def test_silence_keeps_an_incomplete_request() -> None:
    codec = TcdCodec()
    given: list[Value] = []
    for end in range(len(JOIN) - len(b"client1\n")):
        given += codec.receive_data(JOIN[end : end + 1])
        assert not codec.pending
        given += codec.finish()
    assert given == []
    assert codec.receive_data(b"client1\n") == [JOINS]


def test_silence_ends_a_message_and_keeps_the_request_begun_after_it() -> None:
    codec = TcdCodec()
    assert codec.receive_data(chat_request(b"hello\n") + b"CHAT: 1") == []
    assert codec.finish() == [SAYS]
    assert codec.receive_data(CHAT.removeprefix(b"CHAT: 1")) == [SAYS]
    assert decode_all(chat_request(b"hello\n") + b"HELO x") == [SAYS, Helo("x")]


def test_nothing_is_pending_after_text_that_is_no_request() -> None:
    codec = TcdCodec()
    for data in (b"", b"ANYTHING", b"\n", b"HELO", b"\n", b"CLIENT_NAME: x", b"\n\n"):
        codec.receive_data(data)
        assert not codec.pending


# Malformed requests ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code", "sentence"),
    [
        (LEAVE.replace(b" 1\n", b"\n", 1), ErrorCode.NOT_A_NUMBER, "LEAVE_CHATROOM"),
        (CHAT.replace(b" 1", b" \x07", 1), ErrorCode.NOT_A_NUMBER, "CHAT"),
        (JOIN.replace(b" room1", b""), ErrorCode.EMPTY_FIELD, "JOIN_CHATROOM"),
        (JOIN.replace(b"client1", b"\x07"), ErrorCode.EMPTY_FIELD, "CLIENT_NAME"),
        (LEAVE[:18] + b"hello\n", ErrorCode.MISSING_FIELD, "JOIN_ID"),
        (b"CHAT: 1\nJOIN_ID: 7\nMESSAGE: x\n\n", ErrorCode.MISSING_FIELD, "CLIENT_NAME"),
    ],
)
def test_a_malformed_request_is_one_error_and_does_not_affect_the_next(
    data: bytes, code: ErrorCode, sentence: str
) -> None:
    bad, *more = decode_without_silence(data + CHAT)
    assert isinstance(bad, Bad)
    assert bad.code is code
    assert sentence in bad.sentence
    assert more == [SAYS]


def test_a_request_begun_within_another_is_decoded_on_its_own() -> None:
    assert decode_without_silence(b"CHAT: 1\nJOIN_ID: 7\n" + JOIN) == [
        Bad(ErrorCode.MISSING_FIELD, "CHAT came without CLIENT_NAME."),
        JOINS,
    ]


def test_the_message_of_a_malformed_chat_is_dropped() -> None:
    bad = CHAT.replace(b": 1", b": ").replace(b"hello", b"a\nKILL_SERVICE please\nb")
    assert codes(decode_without_silence(bad + JOIN)) == [ErrorCode.NOT_A_NUMBER, None]


def test_leave_and_chat_accept_an_empty_client_name() -> None:
    assert decode_without_silence(LEAVE.replace(b"client1", b"")) == [Leave(1, 7, "")]
    assert decode_without_silence(CHAT.replace(b"client1", b"")) == [Say(1, 7, "", ("hello",))]
    assert decode_without_silence(DISCONNECT.replace(b"client1", b"")) == [Disconnect("")]


@pytest.mark.parametrize(
    ("written", "number"),
    [
        (b"0", 0),
        (b"007", 7),
        (str(MOST_NUMBER).encode(), MOST_NUMBER),
        (b"0" * 99 + b"1", 1),
        (str(MOST_NUMBER + 1).encode(), None),
        (b"9" * 1000, None),
    ],
)
def test_a_join_id_has_at_most_63_bits_or_is_none(written: bytes, number: int | None) -> None:
    [value] = decode_without_silence(LEAVE.replace(b"7", written))
    assert value == Leave(1, number, "client1")


@pytest.mark.parametrize("written", ["x", "", "7.0", "-1", "٧"])
def test_a_room_may_be_named_and_a_join_id_may_be_no_number(written: str) -> None:
    chat = CHAT.replace(b": 1", b": Distributed Systems").replace(b"7", written.encode())
    assert decode_without_silence(chat) == [Say("Distributed Systems", None, "client1", ("hello",))]


# Bounds ------------------------------------------------------------------------------------------


def test_a_header_line_at_the_bound_is_accepted_and_one_past_it_is_refused() -> None:
    at_bound = b"x" * (HEADER_BYTES - len(b"CLIENT_NAME: "))
    assert decode_without_silence(JOIN.replace(b"client1", at_bound)) == [
        Join("room1", at_bound.decode())
    ]
    too_long = Bad(ErrorCode.TOO_LONG, "CLIENT_NAME is too long.")
    assert decode_without_silence(JOIN.replace(b"client1", at_bound + b"x") + CHAT) == [
        too_long,
        SAYS,
    ]
    too_long = Bad(ErrorCode.TOO_LONG, "JOIN_CHATROOM is too long.")
    assert decode_without_silence(JOIN.replace(b"room1", at_bound + b"x") + CHAT) == [
        too_long,
        SAYS,
    ]


def test_helo_at_the_bound_is_accepted_and_one_past_it_is_refused() -> None:
    at_bound = b"x" * (HEADER_BYTES - len(b"HELO "))
    assert decode_without_silence(b"HELO " + at_bound + b"\n") == [Helo(at_bound.decode())]
    assert codes(decode_without_silence(b"HELO " + at_bound + b"x\n" + JOIN)) == [
        ErrorCode.TOO_LONG,
        None,
    ]


@pytest.mark.parametrize("lines", [1, 2, 40])
def test_a_message_at_the_bound_is_accepted_and_one_past_it_is_refused(lines: int) -> None:
    whole = b"x" * (MESSAGE_BYTES - 2 * (lines - 1)) + b"\nx" * (lines - 1)
    [say] = decode_without_silence(chat_request(whole + b"\r\n\r\n"))
    assert isinstance(say, Say)
    assert "\n".join(say.lines).encode() == whole
    too_long = Bad(ErrorCode.TOO_LONG, "MESSAGE is too long.")
    assert decode_without_silence(chat_request(whole + b"x\n\n") + CHAT) == [too_long, SAYS]


def test_the_lines_of_a_message_are_bounded() -> None:
    [say] = decode_without_silence(chat_request(b"x\n" * MESSAGE_LINES + b"\n"))
    assert isinstance(say, Say)
    assert len(say.lines) == MESSAGE_LINES
    assert codes(
        decode_without_silence(chat_request(b"x\n" * (MESSAGE_LINES + 1) + b"\n") + CHAT)
    ) == [
        ErrorCode.TOO_LONG,
        None,
    ]


@pytest.mark.parametrize(
    ("begun", "given"),
    [
        (b"", []),
        (b"ANYTHING", []),
        (b"HELO ", [ErrorCode.TOO_LONG]),
        (JOIN[:-1], [ErrorCode.TOO_LONG]),
        (chat_request(b""), [ErrorCode.TOO_LONG]),
        (chat_request(b"a\n"), [ErrorCode.TOO_LONG]),
        (b"LEAVE_CHATROOM: 1\nJOIN_ID: 7\nCLIENT_NAME: ", [ErrorCode.TOO_LONG]),
        (b"LEAVE_CHATROOM: 1\n", [ErrorCode.MISSING_FIELD]),
    ],
)
def test_an_endless_line_is_skipped_without_being_held(
    begun: bytes, given: list[ErrorCode]
) -> None:
    codec = TcdCodec()
    values = codec.receive_data(begun)
    for _ in range(200):
        values += codec.receive_data(b"9" * 4096)
        assert codec.held <= MOST_HELD
    values += codec.receive_data(b"9" * 1024 * 1024)
    values += codec.receive_data(b"\n\n" + JOIN)
    assert codes(values) == [*given, None]


@pytest.mark.parametrize("line", [b"ANYTHING 5828d335af7cc\n", b"PORT: 0\n", b"\n", b"x:\n"])
def test_ten_thousand_stray_lines_are_ignored_and_not_held(line: bytes) -> None:
    codec = TcdCodec()
    for _ in range(100):
        assert codec.receive_data(line * 100) == []
        assert codec.held == 0
    assert codec.receive_data(JOIN) == [JOINS]


@pytest.mark.parametrize("key", [b"CLIENT_IP", b"JOIN_ID", b"ANYTHING"])
def test_a_repeated_header_is_held_once_at_most(key: bytes) -> None:
    codec = TcdCodec()
    codec.receive_data(b"CHAT: 1\n")
    for _ in range(10_000):
        assert codec.receive_data(key + b": 7\n") == []
    assert codec.held < 200
    expected = SAYS if key == b"JOIN_ID" else Bad(ErrorCode.MISSING_FIELD, "")
    [value] = codec.receive_data(b"CLIENT_NAME: client1\nMESSAGE: hello\n\n")
    assert type(value) is type(expected)


def test_a_message_of_ten_thousand_lines_is_one_error() -> None:
    codec = TcdCodec()
    codec.receive_data(chat_request(b""))
    for _ in range(10_000):
        assert codec.receive_data(b"hello\n") == []
        assert codec.held <= MOST_HELD
    assert codes(codec.receive_data(b"\n")) == [ErrorCode.TOO_LONG]


# The first bytes of a connection -----------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        b"HELO there\r\n",
        b"HELO ",
        b"KILL_SERVICE",
        b"JOIN CHATROOM: x",
        JOIN,
        LEAVE,
        CHAT,
        DISCONNECT,
    ],
)
def test_every_request_is_recognised_once_enough_of_it_is_here(first: bytes) -> None:
    seen = [recognises(first[:end]) for end in range(len(first) + 1)]
    known = seen.index(True)
    assert seen == [None] * known + [True] * (len(seen) - known)


@pytest.mark.parametrize(
    "first",
    [
        b"hello\n",
        b"HELLO\n",
        b"HELO\n",
        b"helo x\n",
        b"\nHELO x\n",
        b"C\n",
        b"CHATTER: x",
        b"/join",
        b"{",
    ],
)
def test_a_typed_first_line_is_not_taken_for_a_request(first: bytes) -> None:
    assert recognises(first) is False


# Replies -----------------------------------------------------------------------------------------


def test_replies_are_exact_to_the_byte() -> None:
    assert helo("BASE_TEST", "192.0.2.1", 1134, "0123") == (
        b"HELO BASE_TEST\nIP:192.0.2.1\nPort:1134\nStudentID:0123\n"
    )
    assert joined("room1", "192.0.2.1", 1134, 1, MOST_NUMBER) == (
        b"JOINED_CHATROOM: room1\nSERVER_IP: 192.0.2.1\nPORT: 1134\nROOM_REF: 1\n"
        b"JOIN_ID: 9223372036854775807\n"
    )
    assert left(1, 7) == b"LEFT_CHATROOM: 1\nJOIN_ID: 7\n"
    assert chat(1, "ada", "hello") == b"CHAT: 1\nCLIENT_NAME: ada\nMESSAGE: hello\n\n"
    assert error(ErrorCode.NO_SUCH_ROOM, ErrorCode.NO_SUCH_ROOM.sentence) == (
        b"ERROR_CODE: 5\nERROR_DESCRIPTION: No room has that ROOM_REF.\n"
    )


def test_a_message_of_several_lines_is_sent_unchanged() -> None:
    assert chat(1, "ada", "one\n  two\nthree") == (
        b"CHAT: 1\nCLIENT_NAME: ada\nMESSAGE: one\n  two\nthree\n\n"
    )


@pytest.mark.parametrize("text", ["a\n\nb", "a\n \nb", "\na\r\n\r\nb\n\n", "a\n\x07\nb"])
def test_an_empty_line_in_a_text_cannot_end_the_message(text: str) -> None:
    assert chat(1, "ada", text) == b"CHAT: 1\nCLIENT_NAME: ada\nMESSAGE: a\nb\n\n"


@pytest.mark.parametrize(
    "line", ["CHAT: 1", "CLIENT_NAME: bob", "ERROR_CODE: 1", "HELO x", "JOIN CHATROOM:x"]
)
def test_a_header_cannot_be_forged_within_a_message(line: str) -> None:
    sent = chat(1, "ada", f"a\n{line}")
    assert sent == f"CHAT: 1\nCLIENT_NAME: ada\nMESSAGE: a\n {line}\n\n".encode()


@given(st.text(st.characters(codec=None)), st.text())
def test_no_text_breaks_out_of_its_field(text: str, nick: str) -> None:
    sent = chat(1, nick, text)
    assert sent.endswith(b"\n\n")
    assert sent.count(b"\n\n") == 1
    assert helo(text, nick, 1, text).count(b"\n") == 4
    assert joined(text, nick, 1, 1, 1).count(b"\n") == 5
    assert error(1, text).count(b"\n") == 2


@given(
    st.lists(
        st.text(st.characters(categories=["L", "N", "P"]), max_size=50), min_size=1, max_size=20
    )
)
def test_replies_can_be_parsed_by_the_same_rules(lines: list[str]) -> None:
    sent = chat(1, "ada", "\n".join(lines)).replace(b"CLIENT", b"JOIN_ID: 7\nCLIENT", 1)
    expected = [text for line in lines if (text := safe(line))]
    for value in decode_without_silence(sent):
        assert [line.strip() for line in getattr(value, "lines", ())] == expected


def test_every_error_has_a_unique_number_and_sentence() -> None:
    assert [code.value for code in ErrorCode] == list(range(1, len(ErrorCode) + 1))
    assert len({code.sentence for code in ErrorCode}) == len(ErrorCode)
