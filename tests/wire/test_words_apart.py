"""Words stay apart, whatever separates them and whatever protocol they come by."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.text.blocks import lines_of
from chatd.terminal.editor.editor import Block, Editor, Entered
from chatd.terminal.editor.keys import Keys, Text
from chatd.wire.json.codec import JsonCodec, SayIn, request_from
from chatd.wire.json.objects import Object
from chatd.wire.line import BlockCodec, CutLine, LineCodec
from chatd.wire.tcd.codec import Say, TcdCodec
from chatd.wire.telnet.codec import Data, TelnetCodec

#: What separates words within a line, and within a message of several lines.
WITHIN_A_LINE = ("\r", *"\t\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029 ")
ANYWHERE = (*WITHIN_A_LINE, "\n", "\r\n")


def texts(separators: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    """Return words with separators between them."""
    pair = st.tuples(st.sampled_from(["a", "bé", "日本", "x-1"]), st.sampled_from(separators))
    return st.lists(pair, min_size=1, max_size=8).map(
        lambda pairs: [part for pair in pairs for part in pair] + ["end"]
    )


def by_line(text: str) -> str:
    [line] = LineCodec().receive_data(f"{text}\r\n".encode())
    assert isinstance(line, str)
    return line


def by_telnet(text: str) -> str:
    data = [
        each.data
        for each in TelnetCodec().receive_data(f"{text}\r\n".encode())
        if isinstance(each, Data)
    ]
    lines = LineCodec().receive_data(b"".join(data).replace(b"\r", b"\n"))
    return "\n".join(line for line in lines if isinstance(line, str))


def by_json(text: str) -> str:
    [value] = JsonCodec().receive_data(json.dumps({"message": text, "room": "lobby"}).encode())
    assert isinstance(value, Object)
    request = request_from(value.fields)
    assert isinstance(request, SayIn)
    assert "\n" not in request.message
    return request.message


def by_tcd(text: str) -> str:
    head = b"CHAT: 1\nJOIN_ID: 2\nCLIENT_NAME: ada\nMESSAGE: "
    [request] = TcdCodec().receive_data(head + text.encode() + b"\n\n")
    assert isinstance(request, Say)
    return "\n".join(request.lines)


def by_block(text: str) -> str:
    codec = BlockCodec()
    assert codec.receive_data(text.encode()) == []
    [block] = codec.finish()
    assert isinstance(block, str)
    return block


def by_bracketed_paste(text: str) -> str:
    keys, editor, lines = Keys(), Editor(), list[str]()
    for key in keys.receive_data(f"\x1b[200~{text}\x1b[201~".encode()):
        assert editor.press(key) == []
    for key in [Text("y"), *keys.receive_data(b"\r")]:
        for event in editor.press(key):
            if isinstance(event, Block):
                lines += event.lines
            elif isinstance(event, Entered) and event.text:
                lines.append(event.text.removesuffix("y"))
    return "\n".join(lines)


def typed(text: str) -> str:
    editor = Editor()
    for key in Keys().receive_data(text.encode()):
        assert editor.press(key) == []
    return editor.text


@pytest.mark.parametrize("way", [by_line, by_telnet, by_json])
@given(texts(WITHIN_A_LINE))
def test_words_of_a_line_stay_apart(way: Callable[[str], str], parts: list[str]) -> None:
    assert way("".join(parts)).split() == parts[::2]


@pytest.mark.parametrize("way", [by_json, by_block, by_bracketed_paste])
@given(texts(ANYWHERE))
def test_words_of_several_lines_stay_apart(way: Callable[[str], str], parts: list[str]) -> None:
    assert way("".join(parts)).split() == parts[::2]


@given(texts(WITHIN_A_LINE))
def test_words_of_the_assignment_stay_apart(parts: list[str]) -> None:
    assert by_tcd("".join(parts)).split() == parts[::2]


@given(texts(tuple(" \x85\u2028\u2029")))
def test_separators_that_no_key_sends_are_typed_as_spaces(parts: list[str]) -> None:
    assert typed("".join(parts)) == "".join(
        part if index % 2 == 0 else " " for index, part in enumerate(parts)
    )


@pytest.mark.parametrize("way", [by_block, by_bracketed_paste])
@given(texts(ANYWHERE))
def test_line_breaks_of_a_block_are_line_breaks(
    way: Callable[[str], str], parts: list[str]
) -> None:
    text = "".join(parts)
    expected = lines_of(text)
    if len(expected) > 1 or way is by_block:
        assert way(text) == "\n".join(expected)
    assert len(expected) == len(text.splitlines())


def test_a_block_keeps_its_empty_lines_and_its_tab_stops() -> None:
    for way in (by_block, by_bracketed_paste):
        assert way("if x:\n\ty\n\n\tz\n") == f"if x:\n{' ' * 8}y\n\n{' ' * 8}z"
    assert by_tcd("if x:\n\ty\u2028z") == f"if x:\n{' ' * 8}y\nz"


def test_a_long_input_becomes_several_blocks_and_none_of_it_is_lost() -> None:
    codec, text = BlockCodec(), "".join(f"{number}\n\n" for number in range(5000))
    found: list[str | CutLine] = []
    for start in range(0, len(text), 100):
        found += codec.receive_data(text[start : start + 100].encode())
    found += codec.finish()
    assert all(isinstance(block, str) and block.count("\n") < 50 for block in found)
    assert "\n".join(map(str, found)).split() == text.split()
