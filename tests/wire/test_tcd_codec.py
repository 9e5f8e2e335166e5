"""The socket assignment's protocol: its clients and graders are understood, each in their way."""

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


def read(*pieces: bytes) -> list[Value]:
    """Return all that these pieces give, up to the end of input."""
    codec = TcdCodec()
    return [value for piece in pieces for value in codec.receive_data(piece)] + codec.finish()


def at_once(data: bytes) -> list[Value]:
    """Return what comes before any silence."""
    return TcdCodec().receive_data(data)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def said(message: bytes) -> bytes:
    """Return a CHAT, up to its message."""
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
def test_any_cutting_of_any_bytes_gives_the_same_requests(data: bytes, places: list[int]) -> None:
    assert read(*cut(data, places)) == read(data)


@given(st.lists(st.sampled_from([*LINES, b"x", b":", b"\r"]), max_size=12).map(b"".join))
def test_bytes_that_come_one_by_one_give_the_same_requests(data: bytes) -> None:
    assert read(*(bytes([byte]) for byte in data)) == read(data)


@given(st.lists(st.one_of(st.binary(max_size=300), STREAMS), max_size=6))
def test_no_bytes_whatever_raise_and_what_is_held_is_bounded(pieces: list[bytes]) -> None:
    codec = TcdCodec()
    for piece in pieces:
        codec.receive_data(piece)
        assert codec.held <= MOST_HELD
        codec.finish()
        assert not codec.pending
        assert codec.held <= MOST_HELD


@given(STREAMS)
def test_what_is_given_is_safe_to_show(data: bytes) -> None:
    for value in read(data):
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
def test_silence_gives_something_exactly_when_something_was_pending(
    data: bytes, places: list[int]
) -> None:
    codec = TcdCodec()
    for piece in cut(data, places):
        codec.receive_data(piece)
        pending = codec.pending
        assert bool(codec.finish()) == pending


# Conversations -----------------------------------------------------------------------------------


def test_each_request_is_understood_as_soon_as_its_last_line_ends() -> None:
    assert at_once(b"HELO BASE_TEST\n") == [Helo("BASE_TEST")]
    assert at_once(b"KILL_SERVICE\n") == [KillService()]
    assert at_once(JOIN) == [JOINS]
    assert at_once(LEAVE) == [LEAVES]
    assert at_once(CHAT) == [SAYS]
    assert at_once(DISCONNECT) == [GOES]


def test_a_graders_whole_conversation_in_one_packet_is_all_its_requests() -> None:
    grading = b"HELO BASE_TEST\n" + JOIN + JOIN.replace(b"room1", b"room2") + CHAT + LEAVE
    assert at_once(grading + DISCONNECT + b"KILL_SERVICE\n") == [
        Helo("BASE_TEST"),
        JOINS,
        Join("room2", "client1"),
        SAYS,
        LEAVES,
        GOES,
        KillService(),
    ]


def test_a_java_clients_conversation_is_understood() -> None:
    java = (JOIN + CHAT + LEAVE).replace(b"\n", b"\r\n").replace(b": ", b":")
    assert at_once(java) == [JOINS, SAYS, LEAVES]


def test_a_conversation_without_any_blank_line_or_last_line_end_is_understood() -> None:
    data = said(b"one\n") + said(b"two\n") + LEAVE + said(b"three\n") + DISCONNECT.rstrip()
    assert read(data) == [
        Say(1, 7, "client1", ("one",)),
        Say(1, 7, "client1", ("two",)),
        LEAVES,
        Say(1, 7, "client1", ("three",)),
        GOES,
    ]


def test_text_that_is_no_request_is_ignored_without_a_word() -> None:
    stray = b"ANYTHING 5828d335af7cc\nhello\n: \nCLIENT_NAME: x\nMESSAGE: x\nhelo x\nHELOX\n"
    assert at_once(stray + b"KILL_SERVICE now\nChat: 1\n" + JOIN + stray) == [JOINS]


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
    assert at_once(join) == [JOINS]
    assert at_once(join + join) == [JOINS, JOINS]


def test_a_colon_may_stand_in_a_value() -> None:
    data = JOIN.replace(b"room1", b"a:b: c").replace(b"client1", b"http://x:1")
    assert at_once(data) == [Join("a:b: c", "http://x:1")]
    assert at_once(said(b"CLIENT_NAME: bob: MESSAGE: hi\n\n")) == [
        Say(1, 7, "client1", ("CLIENT_NAME: bob: MESSAGE: hi",))
    ]


@pytest.mark.parametrize("text", ["X", "X:", "BASE TEST: 5"])
def test_a_helo_within_an_unfinished_request_is_no_header_of_it(text: str) -> None:
    codec = TcdCodec()
    line = f"HELO {text}".encode()
    missing, helo = codec.receive_data(b"CHAT: 1\n" + line + b"\n")
    assert isinstance(missing, Bad)
    assert helo == Helo(text)
    codec.receive_data(b"CHAT: 1\n" + line)
    assert codec.pending
    assert codec.finish() == [missing, helo]


def test_what_helo_says_is_given_back_as_it_was() -> None:
    assert at_once(b"HELO  two  blanks \r\n") == [Helo(" two  blanks")]
    assert at_once(b"HELO\nHELO \n") == [Helo(""), Helo("")]
    assert at_once(b"HELO caf\xe9 \x1b[31m\n") == [Helo("caf\ufffd [31m")]


# Messages ----------------------------------------------------------------------------------------


def test_a_message_of_several_lines_ends_at_the_blank_line() -> None:
    data = said(b"one\n  two \r\nCLIENT_NAME: three\n \r\nfour\n\n")
    assert at_once(data) == [Say(1, 7, "client1", ("one", "  two", "CLIENT_NAME: three"))]


def test_a_message_may_begin_on_the_line_below_its_key() -> None:
    assert at_once(said(b"\nhello\n\n")) == [SAYS]


@pytest.mark.parametrize(
    "line",
    ["CHAT: later?", "LEAVE_CHATROOM: no", "DISCONNECT: never", "HELO", "Chat: 1", " CHAT: 1"],
)
def test_what_only_looks_like_a_request_is_part_of_a_message(line: str) -> None:
    assert at_once(said(b"a\n" + line.encode() + b"\n\n")) == [
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
def test_a_message_is_over_where_the_next_request_begins(request_: bytes, value: Value) -> None:
    assert at_once(said(b"hello\n") + request_) == [SAYS, value]


def test_a_message_with_nothing_in_it_is_refused() -> None:
    empty = Bad(ErrorCode.EMPTY_FIELD, "MESSAGE is empty.")
    assert at_once(said(b"\n\n") + said(b" \x07\n\x1b\n\n") + CHAT) == [empty, empty, SAYS]


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
def test_silence_ends_what_lacks_only_its_end(data: bytes, value: Value) -> None:
    codec = TcdCodec()
    assert codec.receive_data(data) == []
    assert codec.pending
    assert codec.finish() == [value]
    assert not codec.pending
    assert codec.finish() == []
    assert codec.receive_data(b"\r\n\r\n" + JOIN) == [JOINS]


def test_silence_leaves_what_somebody_is_still_typing() -> None:
    codec = TcdCodec()
    given: list[Value] = []
    for end in range(len(JOIN) - len(b"client1\n")):
        given += codec.receive_data(JOIN[end : end + 1])
        assert not codec.pending
        given += codec.finish()
    assert given == []
    assert codec.receive_data(b"client1\n") == [JOINS]


def test_silence_ends_a_message_and_leaves_the_request_that_begins_behind_it() -> None:
    codec = TcdCodec()
    assert codec.receive_data(said(b"hello\n") + b"CHAT: 1") == []
    assert codec.finish() == [SAYS]
    assert codec.receive_data(CHAT.removeprefix(b"CHAT: 1")) == [SAYS]
    assert read(said(b"hello\n") + b"HELO x") == [SAYS, Helo("x")]


def test_nothing_is_pending_after_text_that_is_no_request() -> None:
    codec = TcdCodec()
    for data in (b"", b"ANYTHING", b"\n", b"HELO", b"\n", b"CLIENT_NAME: x", b"\n\n"):
        codec.receive_data(data)
        assert not codec.pending


# What is malformed -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code", "sentence"),
    [
        (LEAVE.replace(b"1\n", b"x\n", 1), ErrorCode.NOT_A_NUMBER, "LEAVE_CHATROOM"),
        (LEAVE.replace(b" 7", b""), ErrorCode.NOT_A_NUMBER, "JOIN_ID"),
        (CHAT.replace(b"1", b"-1", 1), ErrorCode.NOT_A_NUMBER, "CHAT"),
        (CHAT.replace(b"7", b"7.0"), ErrorCode.NOT_A_NUMBER, "JOIN_ID"),
        (CHAT.replace(b"7", "٧".encode()), ErrorCode.NOT_A_NUMBER, "JOIN_ID"),
        (JOIN.replace(b" room1", b""), ErrorCode.EMPTY_FIELD, "JOIN_CHATROOM"),
        (JOIN.replace(b"client1", b"\x07"), ErrorCode.EMPTY_FIELD, "CLIENT_NAME"),
        (LEAVE[:18] + b"hello\n", ErrorCode.MISSING_FIELD, "JOIN_ID"),
        (b"CHAT: 1\nJOIN_ID: 7\nMESSAGE: x\n\n", ErrorCode.MISSING_FIELD, "CLIENT_NAME"),
    ],
)
def test_what_is_malformed_gets_one_error_and_costs_the_next_request_nothing(
    data: bytes, code: ErrorCode, sentence: str
) -> None:
    bad, *more = at_once(data + CHAT)
    assert isinstance(bad, Bad)
    assert bad.code is code
    assert sentence in bad.sentence
    assert more == [SAYS]


def test_a_request_that_begins_before_the_last_was_complete_gets_its_own_answer() -> None:
    assert at_once(b"CHAT: 1\nJOIN_ID: 7\n" + JOIN) == [
        Bad(ErrorCode.MISSING_FIELD, "CHAT came without CLIENT_NAME."),
        JOINS,
    ]


def test_a_malformed_chat_takes_its_message_with_it() -> None:
    bad = CHAT.replace(b": 1", b": x").replace(b"hello", b"a\nKILL_SERVICE please\nb")
    assert codes(at_once(bad + JOIN)) == [ErrorCode.NOT_A_NUMBER, None]


def test_who_leaves_or_speaks_need_not_say_their_name() -> None:
    assert at_once(LEAVE.replace(b"client1", b"")) == [Leave(1, 7, "")]
    assert at_once(CHAT.replace(b"client1", b"")) == [Say(1, 7, "", ("hello",))]
    assert at_once(DISCONNECT.replace(b"client1", b"")) == [Disconnect("")]


@pytest.mark.parametrize(
    ("written", "number"),
    [
        (b"0", 0),
        (b"007", 7),
        (str(MOST_NUMBER).encode(), MOST_NUMBER),
        (b"0" * 99 + b"1", 1),
        (str(MOST_NUMBER + 1).encode(), None),
        (b"9" * 1000, None),
        (b"9" * 5000, None),
    ],
)
def test_a_join_id_has_at_most_63_bits(written: bytes, number: int | None) -> None:
    [value] = at_once(LEAVE.replace(b"7", written))
    if number is None:
        assert isinstance(value, Bad)
    else:
        assert value == Leave(1, number, "client1")


# Bounds ------------------------------------------------------------------------------------------


def test_a_header_line_at_the_bound_is_taken_and_one_past_it_is_refused() -> None:
    at_bound = b"x" * (HEADER_BYTES - len(b"CLIENT_NAME: "))
    assert at_once(JOIN.replace(b"client1", at_bound)) == [Join("room1", at_bound.decode())]
    too_long = Bad(ErrorCode.TOO_LONG, "CLIENT_NAME is too long.")
    assert at_once(JOIN.replace(b"client1", at_bound + b"x") + CHAT) == [too_long, SAYS]
    too_long = Bad(ErrorCode.TOO_LONG, "JOIN_CHATROOM is too long.")
    assert at_once(JOIN.replace(b"room1", at_bound + b"x") + CHAT) == [too_long, SAYS]


def test_helo_at_the_bound_is_answered_and_one_past_it_is_refused() -> None:
    at_bound = b"x" * (HEADER_BYTES - len(b"HELO "))
    assert at_once(b"HELO " + at_bound + b"\n") == [Helo(at_bound.decode())]
    assert codes(at_once(b"HELO " + at_bound + b"x\n" + JOIN)) == [ErrorCode.TOO_LONG, None]


@pytest.mark.parametrize("lines", [1, 2, 40])
def test_a_message_at_the_bound_is_taken_and_one_past_it_is_refused(lines: int) -> None:
    whole = b"x" * (MESSAGE_BYTES - 2 * (lines - 1)) + b"\nx" * (lines - 1)
    [say] = at_once(said(whole + b"\r\n\r\n"))
    assert isinstance(say, Say)
    assert "\n".join(say.lines).encode() == whole
    too_long = Bad(ErrorCode.TOO_LONG, "MESSAGE is too long.")
    assert at_once(said(whole + b"x\n\n") + CHAT) == [too_long, SAYS]


def test_a_message_has_at_most_so_many_lines() -> None:
    [say] = at_once(said(b"x\n" * MESSAGE_LINES + b"\n"))
    assert isinstance(say, Say)
    assert len(say.lines) == MESSAGE_LINES
    assert codes(at_once(said(b"x\n" * (MESSAGE_LINES + 1) + b"\n") + CHAT)) == [
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
        (said(b""), [ErrorCode.TOO_LONG]),
        (said(b"a\n"), [ErrorCode.TOO_LONG]),
        (b"LEAVE_CHATROOM: 1\nJOIN_ID: 7\nCLIENT_NAME: ", [ErrorCode.TOO_LONG]),
        (b"LEAVE_CHATROOM: 1\n", [ErrorCode.MISSING_FIELD]),
    ],
)
def test_a_line_without_an_end_is_skipped_without_being_kept(
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
def test_ten_thousand_stray_lines_give_nothing_and_keep_nothing(line: bytes) -> None:
    codec = TcdCodec()
    for _ in range(100):
        assert codec.receive_data(line * 100) == []
        assert codec.held == 0
    assert codec.receive_data(JOIN) == [JOINS]


@pytest.mark.parametrize("key", [b"CLIENT_IP", b"JOIN_ID", b"ANYTHING"])
def test_ten_thousand_headers_of_one_request_are_kept_once_at_most(key: bytes) -> None:
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
    codec.receive_data(said(b""))
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
def test_what_people_type_first_is_not_taken_for_a_request(first: bytes) -> None:
    assert recognises(first) is False


# What is answered --------------------------------------------------------------------------------


def test_every_answer_is_exact_to_the_byte() -> None:
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


def test_a_message_of_several_lines_is_sent_as_it_was() -> None:
    assert chat(1, "ada", "one\n  two\nthree") == (
        b"CHAT: 1\nCLIENT_NAME: ada\nMESSAGE: one\n  two\nthree\n\n"
    )


@pytest.mark.parametrize("text", ["a\n\nb", "a\n \nb", "\na\r\n\r\nb\n\n", "a\n\x07\nb"])
def test_an_empty_line_in_a_text_cannot_end_the_message(text: str) -> None:
    assert chat(1, "ada", text) == b"CHAT: 1\nCLIENT_NAME: ada\nMESSAGE: a\nb\n\n"


@pytest.mark.parametrize(
    "line", ["CHAT: 1", "CLIENT_NAME: bob", "ERROR_CODE: 1", "HELO x", "JOIN CHATROOM:x"]
)
def test_nobody_can_write_a_header_into_what_others_are_sent(line: str) -> None:
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
def test_what_is_answered_can_be_read_by_the_same_rules(lines: list[str]) -> None:
    sent = chat(1, "ada", "\n".join(lines)).replace(b"CLIENT", b"JOIN_ID: 7\nCLIENT", 1)
    expected = [text for line in lines if (text := safe(line))]
    for value in at_once(sent):
        assert [line.strip() for line in getattr(value, "lines", ())] == expected


def test_every_error_has_a_number_and_a_sentence_of_its_own() -> None:
    assert [code.value for code in ErrorCode] == list(range(1, len(ErrorCode) + 1))
    assert len({code.sentence for code in ErrorCode}) == len(ErrorCode)
