"""Keyboard decoder: keys, text and pastes, whatever bytes the terminal encodes them in."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.terminal.editor.keys import (
    PARAMETERS,
    PASTE_CHARACTERS,
    STRING_CHARACTERS,
    Key,
    Keys,
    Paste,
    Pressed,
    Text,
)

BEGIN, END = b"\x1b[200~", b"\x1b[201~"
ENTER = Key("enter")


def press(*pieces: bytes) -> list[Pressed]:
    """Return the values that a new decoder gives for some pieces, adjacent texts joined."""
    keys = Keys()
    joined: list[Pressed] = []
    for pressed in (value for piece in pieces for value in keys.receive_data(piece)):
        if isinstance(pressed, Text) and joined and isinstance(joined[-1], Text):
            joined[-1] = Text(joined[-1].text + pressed.text)
        else:
            joined.append(pressed)
    return joined


def pending(keys: Keys) -> bool:
    return keys.pending_escape


TERMINALISH = st.lists(
    st.one_of(
        st.binary(max_size=5),
        st.text(max_size=5).map(lambda text: text.encode("utf-8", "replace")),
        st.text("0123456789;:<?= $[O]", max_size=70).map(lambda text: b"\x1b[" + text.encode()),
        st.sampled_from([b"\x1b", b"\x1b\x1b", b"\x1b[", b"\x1bO", b"\x1b]", b"\x1bP", b"\x1b\\"]),
        st.sampled_from([b"\r", b"\n", b"\x07", b"\xc2\x9c", BEGIN, END, END[:3], b"\xe6\x97"]),
        st.sampled_from([b"\x1b[M", b"\x1b[7$", b"\x1b[97;1:3u", b"\x1bOc"]),
        st.sampled_from([b"\x1b[A", b"\x1b[[A", b"\x1b[[", b"\x1bO5C", b"\x1b[1;5C", b"\x1b[3~"]),
    ),
    max_size=20,
).map(b"".join)


@given(TERMINALISH, st.lists(st.integers(min_value=0), max_size=8))
def test_any_cutting_of_the_bytes_gives_the_same_keys(data: bytes, places: list[int]) -> None:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    assert press(*(data[start:end] for start, end in pairwise(edges))) == press(data)
    assert press(*(bytes([byte]) for byte in data)) == press(data)


def test_rxvts_shifted_key_ends_at_its_dollar_whatever_follows() -> None:
    for data in (b"\x1b[2$$", b"\x1b[20$$", b"\x1b[7$$$", b"\x1b[2$1"):
        assert press(*(bytes([byte]) for byte in data)) == press(data)
        assert press(data)


@given(st.lists(st.binary(), max_size=10), st.booleans())
def test_no_bytes_raise(pieces: list[bytes], flushes: bool) -> None:
    keys = Keys()
    for piece in pieces:
        keys.receive_data(piece)
        if flushes:
            keys.flush_escape()
            assert not keys.pending_escape


@given(TERMINALISH)
def test_text_contains_no_control_characters(data: bytes) -> None:
    for pressed in press(data):
        if isinstance(pressed, Text):
            assert pressed.text
            assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in pressed.text)
        if isinstance(pressed, Paste):
            allowed = pressed.text.replace("\n", "").replace("\t", "")
            assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in allowed)
        if isinstance(pressed, Key):
            pressed.name.encode()


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_text_in_any_script_is_decoded(text: str) -> None:
    assert press(text.encode()) == ([Text(text)] if text else [])


def test_a_long_text_is_one_value() -> None:
    assert Keys().receive_data(b"x" * 100_000) == [Text("x" * 100_000)]


def test_half_a_character_is_held_until_its_other_half_comes() -> None:
    keys = Keys()
    assert keys.receive_data(b"\xe6\x97") == []
    assert keys.receive_data(b"\xa5") == [Text("日")]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xff", "\ufffd"),
        (b"a\xe6\x97b", "a\ufffdb"),
        (b"\xf0\x9f\x92\xf0\x9f\x92\xa9", "\ufffd\U0001f4a9"),
        (b"\xc0\x80x", "\ufffd\ufffdx"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"\x80\x80", "\ufffd\ufffd"),
    ],
)
def test_invalid_utf_8_is_replaced_and_costs_nothing_else(data: bytes, text: str) -> None:
    assert press(data + b"!") == [Text(text + "!")]


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"\r", [ENTER]),
        (b"\n", [ENTER]),
        (b"\r\n", [ENTER]),
        (b"\n\r", [ENTER, ENTER]),
        (b"\r\r\n\n", [ENTER, ENTER, ENTER]),
        (b"\ra\n", [ENTER, Text("a"), ENTER]),
        (b"\r\0\n", [ENTER, ENTER]),
        (b"\t", [Key("tab")]),
        (b"\x08\x7f", [Key("backspace"), Key("backspace")]),
        (b"\x01", [Key("a", ctrl=True)]),
        (b"\x03", [Key("c", ctrl=True)]),
        (b"\x04", [Key("d", ctrl=True)]),
        (b"\x1a", [Key("z", ctrl=True)]),
        (b"\x1c\x1d\x1e\x1f", [Key(name, ctrl=True) for name in "\\]^_"]),
        (b"\0", []),
        ("\u0080\u009b\u009f".encode(), []),
        ("\u009b31m".encode(), [Text("31m")]),
    ],
)
def test_control_keys_have_names(data: bytes, keys: list[Pressed]) -> None:
    assert press(data) == keys


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"[A", Key("up")),
        (b"[B", Key("down")),
        (b"[C", Key("right")),
        (b"[D", Key("left")),
        (b"OA", Key("up")),
        (b"OH", Key("home")),
        (b"OF", Key("end")),
        (b"OM", ENTER),
        (b"OC", Key("right", ctrl=True)),
        (b"OD", Key("left", ctrl=True)),
        (b"Oc", Key("right", ctrl=True)),
        (b"Od", Key("left", ctrl=True)),
        (b"Oa", Key("up", ctrl=True)),
        (b"[3^", Key("delete", ctrl=True)),
        (b"[7$", Key("home", shift=True)),
        (b"[23$", Key("f11", shift=True)),
        (b"[8@", Key("end", shift=True, ctrl=True)),
        (b"[97;1:1u", Text("a")),
        (b"[97;1:2u", Text("a")),
        (b"[97:65;2u", Text("A")),
        (b"[97;129u", Text("a")),
        (b"[1;1:2C", Key("right")),
        (b"[1;5:1D", Key("left", ctrl=True)),
        (b"[H", Key("home")),
        (b"[F", Key("end")),
        (b"[1~", Key("home")),
        (b"[2~", Key("insert")),
        (b"[3~", Key("delete")),
        (b"[4~", Key("end")),
        (b"[5~", Key("pageup")),
        (b"[6~", Key("pagedown")),
        (b"[7~", Key("home")),
        (b"[8~", Key("end")),
        (b"OP", Key("f1")),
        (b"[[A", Key("f1")),
        (b"[[E", Key("f5")),
        (b"[11~", Key("f1")),
        (b"[15~", Key("f5")),
        (b"[17~", Key("f6")),
        (b"[21~", Key("f10")),
        (b"[24~", Key("f12")),
        (b"[26~", Key("f14")),
        (b"[29~", Key("f16")),
        (b"[34~", Key("f20")),
        (b"[Z", Key("tab", shift=True)),
        (b"[1;2A", Key("up", shift=True)),
        (b"[1;3A", Key("up", alt=True)),
        (b"[1;5C", Key("right", ctrl=True)),
        (b"[1;8D", Key("left", shift=True, alt=True, ctrl=True)),
        (b"[3;5~", Key("delete", ctrl=True)),
        (b"[1;5P", Key("f1", ctrl=True)),
        (b"O5C", Key("right", ctrl=True)),
        (b"O1;5C", Key("right", ctrl=True)),
        (b"\x1b[A", Key("up", alt=True)),
        (b"\x1bOA", Key("up", alt=True)),
        (b"[27;5;9~", Key("tab", ctrl=True)),
        (b"[27;6;65~", Key("A", shift=True, ctrl=True)),
        (b"[13;2u", Key("enter", shift=True)),
        (b"[97;5u", Key("a", ctrl=True)),
        (b"[97:65;5:1u", Key("a", ctrl=True)),
        (b"[228u", Text("ä")),
        (b"b", Key("b", alt=True)),
        (b"B", Key("B", alt=True)),
        (b"\xc3\xa4", Key("ä", alt=True)),
        (b"\x7f", Key("backspace", alt=True)),
        (b"\r", Key("enter", alt=True)),
        (b"\x03", Key("c", alt=True, ctrl=True)),
    ],
)
def test_the_keys_of_common_terminals_are_recognised(data: bytes, key: Pressed) -> None:
    assert press(b"\x1b" + data) == [key]
    assert press(b"\r\x1b" + data + b"\t") == [ENTER, key, Key("tab")]


@pytest.mark.parametrize(
    "data",
    [
        b"[?1;2c",
        b"[97;1:3u",
        b"[97:65;2:3u",
        b"[127;1:3u",
        b"[13;1:3u",
        b"[1;1:3C",
        b"[3;1:3~",
        b"[97;9u",
        b"[57441;2u",
        b"[M !!",
        b"[M#~~",
        b"[M \xc3\xa9\xc3\xa9",
        b"[32;10;10M",
        b"[<0;10;10m",
        b"[4;1$y",
        b"[>0;276;0c",
        b"[24;80R",
        b"[I",
        b"[O",
        b"[<0;10;10M",
        b"[?1$y",
        b"[99~",
        b"[201~",
        b"[55296u",
        b"[57358u",
        b"[1114112u",
        b"[0u",
        b"[99999999999999999999u",
        b"[1;99999999999999999999x",
        b"OX",
        b"O12;34;5X",
        b"]11;rgb:0000/0000/0000\x1b\\",
        b"]11;rgb:0000/0000/0000\x07",
        b"]52;c;\xc2\x9c",
        b"P>|xterm(389)\x1b\\",
        b"_anything\x1b\\",
        b"^anything\x1b\\",
        b"Xanything\x1b\\",
        b"\0",
    ],
)
def test_an_unknown_sequence_is_dropped_whole(data: bytes) -> None:
    assert press(b"a\x1b" + data + b"b") == [Text("ab")]


def test_a_key_ends_a_mouse_report() -> None:
    assert press(b"\x1b[M \r") == [ENTER]
    assert press(b"\x1b[M\x1b[A") == [Key("up")]
    assert press(b"\x1b[M !!\x1b[M !!a") == [Text("a")]


def test_a_key_that_interrupts_a_sequence_is_not_lost() -> None:
    assert press(b"\x1b[1;\r") == [ENTER]
    assert press(b"\x1b[1;\x1b[A") == [Key("up")]
    assert press("\x1b[1日".encode()) == [Text("日")]
    assert press(b"\x1bO\r") == [ENTER]


def test_a_lone_escape_is_pending_and_is_the_escape_key_when_nothing_follows() -> None:
    keys = Keys()
    assert keys.receive_data(b"\x1b") == []
    assert pending(keys)
    assert keys.flush_escape() == [Key("escape")]
    assert not pending(keys)
    assert keys.flush_escape() == []
    assert keys.receive_data(b"[A") == [Text("[A")]


def test_an_escape_followed_by_a_character_is_not_the_escape_key() -> None:
    keys = Keys()
    keys.receive_data(b"\x1b")
    assert keys.receive_data(b"[") == []
    assert not keys.pending_escape
    assert keys.flush_escape() == []
    assert keys.receive_data(b"A") == [Key("up")]


def test_an_escape_before_half_a_character_is_held_until_the_other_half() -> None:
    keys = Keys()
    keys.receive_data(b"\x1b\xc3")
    assert not keys.pending_escape
    assert keys.receive_data(b"\xa4") == [Key("ä", alt=True)]


def test_repeated_escapes_are_that_many_keys() -> None:
    keys = Keys()
    assert keys.receive_data(b"\x1b\x1b\x1b") == [Key("escape")]
    assert keys.flush_escape() == [Key("escape"), Key("escape")]


def test_alt_bracket_pressed_by_chance_costs_no_more_than_the_line() -> None:
    assert press(b"\x1b]what now\rhello") == [ENTER, Text("hello")]
    assert press(b"\x1b]what\x03") == [Key("c", ctrl=True)]
    assert press(b"\x1b]what\x1b[A") == [Key("up")]


@pytest.mark.parametrize("length", [PARAMETERS, PARAMETERS + 1, 100 * PARAMETERS])
def test_a_sequence_of_any_length_is_dropped_whole(length: int) -> None:
    assert press(b"\x1b[" + b"1" * length + b"xb") == [Text("b")]
    assert press(b"\x1b[" + b"1" * length + b"\rb") == [ENTER, Text("b")]


def test_a_key_has_parameters_up_to_the_bound() -> None:
    padding = b"0" * (PARAMETERS - 1)
    assert press(b"\x1b[" + padding + b"3~") == [Key("delete")]
    assert press(b"\x1b[0" + padding + b"3~") == []


def test_a_terminal_reply_is_skipped_up_to_a_bound() -> None:
    answer = b"x" * STRING_CHARACTERS
    assert press(b"\x1b]" + answer + b"\x1b\\b") == [Text("b")]
    assert press(b"\x1b]" + answer + b"yb") == [Text("yb")]


def test_a_paste_is_one_value() -> None:
    assert press(b"a" + BEGIN + "one\rtwo\r\nthree\n日\t.".encode() + END + b"b") == [
        Text("a"),
        Paste("one\ntwo\nthree\n日\t.", False),
        Text("b"),
    ]


def test_a_paste_cannot_press_keys_or_change_colours() -> None:
    inside = b"\x03a\x1b[31mb\x1b[A\x1b[200~c\x1b]0;x\x07d\x7f\0" + "\u009b".encode()
    assert press(BEGIN + inside + END) == [Paste("abc]0;xd", False)]


def test_an_empty_paste_is_a_paste() -> None:
    assert press(BEGIN + END) == [Paste("", False)]


def test_no_escape_is_pending_within_a_paste() -> None:
    keys = Keys()
    assert keys.receive_data(BEGIN + b"x\x1b") == []
    assert not keys.pending_escape
    assert keys.flush_escape() == []
    assert keys.receive_data(b"[201~") == [Paste("x", False)]


@pytest.mark.parametrize(("extra", "cut"), [(0, False), (1, True), (100_000, True)])
def test_a_paste_is_truncated_at_its_bound_and_says_so(extra: int, cut: bool) -> None:
    data = BEGIN + b"x" * (PASTE_CHARACTERS + extra) + END + b"b"
    expected = [Paste("x" * PASTE_CHARACTERS, cut), Text("b")]
    assert press(data) == expected
    assert press(*(data[at : at + 1000] for at in range(0, len(data), 1000))) == expected
