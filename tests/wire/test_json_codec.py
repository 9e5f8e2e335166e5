"""JSON codec: objects from a stream, however it is cut or broken, and the requests in them."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.limits import LINE_BYTES
from chatd.chat.text.sanitizing import safe
from chatd.wire.json.codec import (
    ID_LENGTH,
    MOST_NUMBER,
    NESTING,
    NUMBER_CHARACTERS,
    OBJECT_BYTES,
    REFUSED_BYTES,
    TOO_MUCH_REFUSED,
    BadObject,
    BadRequest,
    DisconnectRequest,
    ErrorCode,
    History,
    Join,
    JsonCodec,
    Leave,
    Object,
    Ping,
    Request,
    Say,
    SayIn,
    Topic,
    Username,
    Users,
    encode,
    recognises,
    request_from,
)

OK, GOOD = b'{"ok": 1}', Object({"ok": 1})


def decode(*pieces: bytes) -> list[Object | BadObject]:
    codec = JsonCodec()
    return [value for piece in pieces for value in codec.receive_data(piece)]


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    bounds = [0, *sorted(index % (len(data) + 1) for index in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


def fields_of(values: list[Object | BadObject]) -> list[dict[str, object] | None]:
    """Return the fields of each object, and None for each error."""
    return [value.fields if isinstance(value, Object) else None for value in values]


def object_of_size(size: int) -> bytes:
    """Return an object of ``size`` bytes."""
    return b'{"a": "' + b"x" * (size - 9) + b'"}'


def object_of_depth(depth: int) -> bytes:
    """Return an object nested ``depth`` deep, itself counted."""
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


STREAMS = st.lists(
    st.one_of(
        st.sampled_from([OK, b'{"a": {"b": [1, {}]}}', b'{"a":"\\"}{\\\\"}', b"{}", b"[{}]"]),
        st.sampled_from([b"{", b"}", b"[", b"]", b'"', b"\\", b"\n", b":", b",", b" ", b"\\u00"]),
        st.sampled_from(
            [b'{"a', b'{"a":', b"1e999", b"NaN", b"\xef\xbb\xbf", b"\xff", b"\0", b"x"]
        ),
        st.sampled_from([b"{" * 40, b'{"a":' * 40, b"[" * 40, b"}" * 40, object_of_depth(33)]),
        st.binary(max_size=6),
        st.integers(OBJECT_BYTES - 10, OBJECT_BYTES + 2).map(object_of_size),
        st.integers(OBJECT_BYTES - 10, OBJECT_BYTES + 2).map(lambda size: b'{"a":"' + b"x" * size),
    ),
    max_size=20,
).map(b"".join)

VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**60), 10**60),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=4)


@given(STREAMS, st.lists(st.integers(min_value=0), max_size=12))
def test_any_cutting_of_the_bytes_gives_the_same_objects(data: bytes, cuts: list[int]) -> None:
    assert decode(*cut(data, cuts)) == decode(data)


@given(
    st.lists(st.sampled_from([OK, b'{"a', b'{"a":', b"[", *b'{}[]":,\\\nx1'])).map(
        lambda parts: b"".join(part if isinstance(part, bytes) else bytes([part]) for part in parts)
    )
)
def test_single_bytes_give_the_same_objects(data: bytes) -> None:
    assert decode(*(bytes([byte]) for byte in data)) == decode(data)


@given(st.lists(st.one_of(st.binary(max_size=300), STREAMS), max_size=6))
def test_no_bytes_raise_and_the_buffer_is_bounded(pieces: list[bytes]) -> None:
    codec = JsonCodec()
    for piece in pieces:
        for value in codec.receive_data(piece):
            if isinstance(value, Object):
                encode(value.fields)
                request_from(value.fields)
        assert codec.held <= OBJECT_BYTES


@given(st.lists(st.tuples(OBJECTS, st.sampled_from([b"", b"\n", b"\r\n", b" \t\n\n"]))))
def test_every_object_sent_is_decoded(sent: list[tuple[dict[str, object], bytes]]) -> None:
    data = b"".join(json.dumps(fields).encode() + between for fields, between in sent)
    assert fields_of(decode(data)) == [fields for fields, _ in sent]


@given(OBJECTS, st.booleans(), st.integers(0, 4))
def test_an_object_may_be_written_in_any_way(
    fields: dict[str, object], escaped: bool, indent: int
) -> None:
    data = json.dumps(fields, ensure_ascii=escaped, indent=indent or None).encode()
    assert fields_of(decode(data + OK)) == [fields, {"ok": 1}]


@given(OBJECTS)
def test_an_encoded_object_is_one_line_and_decodes_to_itself(fields: dict[str, object]) -> None:
    data = encode(fields)
    assert data.endswith(b"\n")
    assert data.count(b"\n") == 1
    assert fields_of(decode(data)) == [fields]


# The stream --------------------------------------------------------------------------------------


def test_an_object_is_returned_as_soon_as_it_ends() -> None:
    codec = JsonCodec()
    assert codec.receive_data(OK[:-1]) == []
    assert codec.held == len(OK) - 1
    assert codec.receive_data(OK[-1:]) == [GOOD]
    assert codec.held == 0


def test_objects_need_no_separator() -> None:
    assert decode(OK * 3 + b"\n" + OK + b"\r\n\r\n \t" + OK) == [GOOD] * 5


def test_a_whole_conversation_of_the_first_clients_is_decoded() -> None:
    said = [
        {"username": "ada"},
        {"message": 'hi {you} "all"', "sender": "ada", "dm": None},
        {"message": "psst", "sender": "ada", "dm": "bob"},
        {"disconnect": True, "sender": "ada"},
    ]
    values = decode("".join(map(json.dumps, said)).encode())
    assert [request_from(value.fields) for value in values if isinstance(value, Object)] == [
        Username("ada", 1),
        Say('hi {you} "all"', "ada", None),
        Say("psst", "ada", "bob"),
        DisconnectRequest("ada"),
    ]


def test_brackets_quotes_and_backslashes_in_a_string_are_text() -> None:
    fields = {"a": '}{][" \\', "\\": "\\\\", '"': '\\"'}
    data = json.dumps(fields).encode()
    assert fields_of(decode(data + OK)) == [fields, {"ok": 1}]
    assert fields_of(decode(*(bytes([byte]) for byte in data + OK))) == [fields, {"ok": 1}]


def test_the_last_value_of_a_repeated_key_counts() -> None:
    assert fields_of(decode(b'{"a": 1, "a": 2}')) == [{"a": 2}]


def test_a_byte_order_mark_is_ignored() -> None:
    assert decode(b"\xef\xbb\xbf" + OK) == [GOOD]


def test_a_lone_surrogate_is_replaced_and_a_pair_is_one_character() -> None:
    assert fields_of(decode(rb'{"a": ["\ud800", "\udc00x"], "\uDBFF": "\ud83d\ude00"}')) == [
        {"a": ["\ufffd", "\ufffdx"], "\ufffd": "😀"}
    ]


def test_invalid_utf_8_is_replaced() -> None:
    assert fields_of(decode(b'{"a": "caf\xe9\xff"}')) == [{"a": "caf\ufffd\ufffd"}]


# Errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"hello there\n",
        b"1134\n",
        b"true ",
        b"null",
        b'"a string"\n',
        b"[1, 2]\n",
        b'[{"a": 1}, [{}]]\n',
        b"[][][]{}\n",
        b"}}]]",
        b"\x00\x01",
        "ï»¿".encode(),
    ],
)
def test_input_that_is_no_object_is_reported_once(data: bytes) -> None:
    bad, good = decode(data + OK)
    assert isinstance(bad, BadObject)
    assert bad.sentence == "Only JSON objects are understood here."
    assert good == GOOD


@pytest.mark.parametrize(
    "data",
    [
        b"{hello}",
        b'{"a"}',
        b'{"a": }',
        b'{"a": 1,}',
        b"{'a': 1}",
        b'{"a": 1 "b": 2}',
        b'{"a": 01}',
        b'{"a": 1]',
        b'{"a": 1]}',
        b'{"a": [1}',
        b'{"a": {"b": 1}',
        b'{"a": "x"',
        b'{"a":',
        b'{"a": "\\x"}',
        b'{"a": "\t"}',
        b'{"a": "\x00"}',
        b'{"a": undefined}',
        b"{{{",
        b'{"a": "without an end}\n',
        b'{"a": "a backslash before the end\\\n',
        b'{"a": {"b": [{"c": "without an end}\n',
    ],
)
def test_broken_json_is_reported_once_and_costs_at_most_one_more_object(data: bytes) -> None:
    values = decode(data + b"\n" + OK + b"\n" + OK + b"\n")
    assert values[-1] == GOOD
    assert len([value for value in values if isinstance(value, BadObject)]) == 1
    assert values[0] == BadObject("That JSON is broken.")


@pytest.mark.parametrize(
    "data",
    [b"{hello}", b'{"a": 1]', b'{"a": 1]}', b'{"a": {"b": 1}', b'{"a": "x"', b'{"a": "\n', b"x"],
)
def test_an_error_does_not_cost_the_next_object(data: bytes) -> None:
    assert fields_of(decode(data + OK + OK)) == [None, {"ok": 1}, {"ok": 1}]


@pytest.mark.parametrize(
    "number",
    [
        "1e999999",
        "-1e400",
        "NaN",
        "Infinity",
        "-Infinity",
        "9" * (NUMBER_CHARACTERS + 1),
        "9" * 5000,
        "0." + "1" * NUMBER_CHARACTERS,
    ],
)
def test_a_number_that_is_too_large_is_refused_with_its_object(number: str) -> None:
    data = f'{{"id": 1, "unused": [{number}]}}'.encode()
    assert decode(data + OK) == [
        BadObject("A number in that JSON is too large, too long or none."),
        GOOD,
    ]


def test_a_number_at_the_bound_is_accepted() -> None:
    digits = "9" * NUMBER_CHARACTERS
    assert fields_of(decode(f'{{"a": {digits}, "b": 1e308, "c": 1e-999}}'.encode())) == [
        {"a": int(digits), "b": 1e308, "c": 0.0}
    ]


# Bounds ------------------------------------------------------------------------------------------


def test_an_object_at_the_bound_is_accepted_and_one_past_it_is_refused() -> None:
    too_long = BadObject(f"A JSON object may have at most {OBJECT_BYTES} bytes.")
    for pieces in ([], [1, 5000], [OBJECT_BYTES - 1], [OBJECT_BYTES], [OBJECT_BYTES + 1]):
        [whole, good] = decode(*cut(object_of_size(OBJECT_BYTES) + OK, pieces))
        assert isinstance(whole, Object)
        assert good == GOOD
        past = object_of_size(OBJECT_BYTES + 1)
        assert decode(*cut(past + OK + b"\n" + OK, pieces)) == [too_long, GOOD]


def test_nesting_at_the_bound_is_accepted_and_one_past_it_is_refused() -> None:
    too_deep = BadObject(f"A JSON object may be nested at most {NESTING} deep.")
    assert [type(value) for value in decode(object_of_depth(NESTING) + OK)] == [Object, Object]
    assert decode(object_of_depth(NESTING + 1) + OK + b"\n" + OK) == [too_deep, GOOD]


@pytest.mark.parametrize("opening", [b'{"a":', b"[", b"{"])
@pytest.mark.parametrize("begun", [b'{"a":', b""])
def test_five_thousand_brackets_are_reported_once_and_not_held(
    opening: bytes, begun: bytes
) -> None:
    codec = JsonCodec()
    values = codec.receive_data(begun)
    for _ in range(5_000):
        values += codec.receive_data(opening)
        assert codec.held < 200
    assert fields_of(values) == [None]
    closed = b"]" if opening == b"[" else b"}"
    assert codec.receive_data(closed * 5_000 + b"}\n" + OK) == [GOOD]


def test_what_is_refused_is_skipped_up_to_the_next_line_and_not_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed: list[bytes] = []
    monkeypatch.setattr("chatd.wire.json.codec.parse", lambda data: [parsed.append(data), GOOD][1])
    codec = JsonCodec()
    for refused in (object_of_depth(NESTING + 1), object_of_size(OBJECT_BYTES + 1), b"[1]"):
        [bad] = codec.receive_data(refused + b"{}" * 100 + b"[{}" * 100)
        assert isinstance(bad, BadObject)
        assert parsed == []
        assert codec.receive_data(b"{}{}\n" + OK) == [GOOD]
        assert parsed == [OK]
        parsed.clear()


@pytest.mark.parametrize(
    "piece",
    [b'{"a":' * 16, b'{"a":[' * 100 + b"\n", b"[" * 99 + b"\n", b"x", b"{]", b"{]\n", b'{"a":"\n'],
)
def test_after_64_kib_of_refused_json_nothing_is_read(piece: bytes) -> None:
    codec, sent = JsonCodec(), 0
    while TOO_MUCH_REFUSED not in codec.receive_data(piece):
        sent += len(piece)
        assert sent <= 2 * REFUSED_BYTES  # line ends do not count
    assert sent > REFUSED_BYTES - OBJECT_BYTES
    assert codec.receive_data(b"\n" + OK + piece) == []
    assert codec.held == 0


def test_an_object_between_them_forgives_what_was_refused() -> None:
    codec = JsonCodec()
    refused = b"[" * (REFUSED_BYTES - 1) + b"\n"
    for _ in range(3):
        assert fields_of(codec.receive_data(refused + OK)) == [None, {"ok": 1}]
    assert codec.receive_data(refused[:-1] + b"[[") == [
        BadObject("Only JSON objects are understood here."),
        TOO_MUCH_REFUSED,
    ]


@pytest.mark.parametrize(
    ("begun", "more", "end"),
    [
        (b'{"a": "', b"x", b'"}'),
        (b'{"a": "', b"\\", b'"}'),
        (b'{"a": "', b"{", b'"}'),
        (b'{"a": ', b"9", b"}"),
        (b'{"a": [', b"[],", b"[]]}"),
        (b'{"a": [', b'"",', b"1]}"),
        (b"{", b" ", b"}"),
        (b"{", b"\n", b""),
    ],
)
def test_endless_bytes_of_one_object_are_reported_once_and_not_held(
    begun: bytes, more: bytes, end: bytes
) -> None:
    codec = JsonCodec()
    values = codec.receive_data(begun)
    piece = more * (4096 // len(more))
    for _ in range(10):
        values += codec.receive_data(piece)
        assert codec.held <= OBJECT_BYTES
    assert codec.held == 0
    good = codec.receive_data(end + b"\n" + OK)
    assert fields_of(values + good) == [None, {"ok": 1}]
    for _ in range(2500):
        codec.receive_data(piece)
        assert codec.held <= OBJECT_BYTES


def test_a_number_of_ten_million_digits_in_one_packet_is_never_parsed() -> None:
    data = b'{"a": ' + b"9" * 10_000_000 + b"}"
    assert [type(value) for value in decode(data + OK)] == [BadObject, BadObject]
    assert decode(b"9" * 10_000_000 + OK)[1:] == [TOO_MUCH_REFUSED]


def test_endless_text_is_reported_once_and_not_held() -> None:
    codec = JsonCodec()
    values = [value for _ in range(1000) for value in codec.receive_data(b"hello " * 1000)]
    assert values[1:] == [TOO_MUCH_REFUSED]
    assert codec.held == 0


# Requests ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "request_"),
    [
        ({"username": "ada"}, Username("ada", 1)),
        ({"username": " ada ", "version": 2, "passwords": []}, Username("ada", 2)),
        ({"username": "ada", "password": "a\nb"}, Username("ada", 1, "a b")),
        ({"username": "ada", "password": None}, Username("ada", 1)),
        ({"message": "hi", "sender": "ada", "dm": None}, Say("hi", "ada", None)),
        ({"message": "hi"}, Say("hi", None, None)),
        ({"disconnect": True, "sender": "ada"}, DisconnectRequest("ada")),
        ({"disconnect": True}, DisconnectRequest(None)),
        ({"join": "attic"}, Join("attic", None)),
        ({"leave": "attic", "id": "x"}, Leave("attic", "x")),
        ({"message": "hi", "room": "attic"}, SayIn("hi", "attic", None, None)),
        ({"message": "hi", "id": 5}, SayIn("hi", None, None, 5)),
        (
            {"message": "hi", "room": None, "dm": "bob", "id": None, "sender": "ada"},
            SayIn("hi", None, "bob", None, "ada"),
        ),
        ({"history": "attic"}, History("attic", None, None, None)),
        (
            {"history": "attic", "after": 17, "count": 0, "id": -1},
            History("attic", 17, 0, -1),
        ),
        ({"users": "attic", "id": 5}, Users("attic", 5)),
        ({"topic": "", "room": "attic", "id": 5}, Topic("attic", "", 5)),
        ({"topic": "tea"}, Topic(None, "tea", None)),
        ({"ping": 1}, Ping(1, None)),
        ({"ping": "\x07", "id": "\x07"}, Ping("\x07", "\x07")),
        ({"ping": None}, Ping(None, None)),
    ],
)
def test_every_request_is_parsed(fields: dict[str, object], request_: Request) -> None:
    assert request_from(fields) == request_
    assert request_from({"unknown": {"key": [1]}, **fields}) == request_


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        ({"username": 1}, "username"),
        ({"username": None}, "username"),
        ({"username": "ada", "version": "2"}, "version"),
        ({"username": "ada", "version": 3}, "version"),
        ({"username": "ada", "version": True}, "version"),
        ({"username": "ada", "version": 1.0}, "version"),
        ({"disconnect": False}, "disconnect"),
        ({"disconnect": 1}, "disconnect"),
        ({"message": ["hi"]}, "message"),
        ({"message": " \x07 "}, "message"),
        ({"message": "hi", "sender": 1}, "sender"),
        ({"message": "hi", "dm": False}, "dm"),
        ({"message": "hi", "dm": ""}, "dm"),
        ({"message": "hi", "dm": "\u200e"}, "dm"),
        ({"message": "hi", "room": 1}, "room"),
        ({"join": None}, "join"),
        ({"leave": {}}, "leave"),
        ({"users": 0}, "users"),
        ({"history": "attic", "after": -1}, "after"),
        ({"history": "attic", "after": 1.5}, "after"),
        ({"history": "attic", "count": True}, "count"),
        ({"history": "attic", "count": MOST_NUMBER + 1}, "count"),
        ({"topic": None}, "topic"),
        ({"ping": []}, "ping"),
        ({"ping": True}, "ping"),
    ],
)
def test_an_invalid_value_is_named_in_the_error(fields: dict[str, object], about: str) -> None:
    bad = request_from({**fields, "id": 5})
    assert isinstance(bad, BadRequest)
    assert bad.code is ErrorCode.WRONG_VALUE
    assert bad.id == 5
    assert bad.sentence.startswith(f"“{about}” ")
    assert bad.sentence.endswith(".")


@pytest.mark.parametrize("fields", [{}, {"shout": "hi"}, {"event": "said"}, {"sender": "ada"}])
def test_an_object_that_is_no_request_is_an_unknown_request(fields: dict[str, object]) -> None:
    bad = request_from({**fields, "id": "x"})
    assert isinstance(bad, BadRequest)
    assert (bad.code, bad.id) == (ErrorCode.UNKNOWN_REQUEST, "x")


@pytest.mark.parametrize("given", ["", "x" * ID_LENGTH, 0, -MOST_NUMBER, MOST_NUMBER, None])
def test_an_id_at_the_bound_is_returned_unchanged(given: str | int | None) -> None:
    assert request_from({"join": "attic", "id": given}) == Join("attic", given)


@pytest.mark.parametrize(
    "given", ["x" * (ID_LENGTH + 1), MOST_NUMBER + 1, -MOST_NUMBER - 1, 1.0, True, [], {}]
)
def test_an_id_past_the_bound_is_refused_and_not_returned(given: object) -> None:
    bad = request_from({"join": "attic", "id": given})
    assert isinstance(bad, BadRequest)
    assert (bad.code, bad.id) == (ErrorCode.WRONG_VALUE, None)


@pytest.mark.parametrize("character", ["x", "é", "日", "😀"])
def test_a_message_at_the_bound_is_accepted_and_one_past_it_is_refused(character: str) -> None:
    whole = character * (LINE_BYTES // len(character.encode()))
    whole += "x" * (LINE_BYTES - len(whole.encode()))
    assert request_from({"message": whole}) == Say(whole, None, None)
    bad = request_from({"message": whole + "x", "id": 5})
    assert isinstance(bad, BadRequest)
    assert (bad.code, bad.id) == (ErrorCode.TOO_LONG, 5)


@given(
    st.text(st.characters(codec=None)), st.sampled_from(["username", "message", "join", "topic"])
)
def test_displayed_text_is_one_safe_line(text: str, key: str) -> None:
    request_ = request_from({key: text, "room": text, "sender": text})
    if isinstance(request_, BadRequest):
        assert key == "message"
        return
    for name in ("username", "message", "sender", "room", "topic"):
        shown = getattr(request_, name, None) or ""
        assert safe(shown).strip() == shown


def test_a_line_break_becomes_a_space() -> None:
    assert request_from({"message": "one\ntwo\r\nthree\n"}) == Say("one two three", None, None)


@given(st.dictionaries(st.sampled_from(["message", "id", "dm", "room", "ping", "join"]), VALUES))
def test_no_fields_raise(fields: dict[str, object]) -> None:
    request_from(fields)


# The first bytes of a connection -----------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [b'{"username"', b'  {"', b"{}", b'{ \r\n\t "', b'\xef\xbb\xbf{"', b"\xef\xbb\xbf {\n}"],
)
def test_an_object_is_recognised_by_its_first_quote_or_its_end(first: bytes) -> None:
    fields_of = [recognises(first[:end]) for end in range(len(first) + 1)]
    known = fields_of.index(True)
    assert fields_of == [None] * known + [True] * (len(fields_of) - known)


@pytest.mark.parametrize(
    "first",
    [
        b"{hello",
        b"{ hello",
        b"hello",
        b"\n",
        b" \r\n",
        b'\n{"',
        b'["',
        b"{{",
        b"{1",
        b"\xef\xbc\xa1",
    ],
)
def test_a_typed_first_line_is_not_taken_for_json(first: bytes) -> None:
    assert recognises(first) is False


# Encoding ----------------------------------------------------------------------------------------


def test_an_object_is_encoded_as_one_line_in_the_form_of_the_first_clients() -> None:
    assert encode({"isConnected": True, "errorCode": ErrorCode.NONE}) == (
        b'{"isConnected": true, "errorCode": -1}\n'
    )
    assert encode({"message": "café\n", "dm": None}) == (
        '{"message": "café\\n", "dm": null}\n'.encode()
    )


def test_a_lone_surrogate_does_not_prevent_a_reply() -> None:
    assert encode({"a": "\ud800"}) == b'{"a": "?"}\n'


def test_values_that_json_does_not_have_are_never_sent() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        encode({"a": float("nan")})


def test_the_error_numbers_of_the_first_clients_are_unchanged() -> None:
    numbers = [ErrorCode.NONE, ErrorCode.TAKEN, ErrorCode.FULL, ErrorCode.NOT_A_NAME]
    assert [*numbers, ErrorCode.NOBODY] == [-1, 1, 2, 3, 4]
