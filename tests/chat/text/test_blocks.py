"""Several lines as one message: empty lines stay, and what is too much goes into further ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.limits import LINE_BYTES
from chatd.chat.text.blocks import BLOCK_LINES, blocks, lines_of


def test_empty_lines_stay_but_at_the_beginning_and_the_end() -> None:
    assert lines_of("\n \n  one\n\n\n\ttwo \n \n") == ["  one", "", "", "        two"]
    assert lines_of("one\n") == ["one"]
    assert lines_of("") == [""]
    assert lines_of(" \n\u2028\n") == [""]


@given(st.text(st.sampled_from("a \n\r\t\u2028é")))
def test_no_line_has_a_break_or_ends_in_a_blank(text: str) -> None:
    lines = lines_of(text)
    assert all(line == line.rstrip() and line.splitlines() in ([], [line]) for line in lines)
    assert len(lines) == 1 or (lines[0] and lines[-1])


def test_a_block_is_bounded_and_the_rest_goes_into_the_next_one() -> None:
    assert blocks(["one", "", "two"]) == ["one\n\ntwo"]
    many = [f"{number}" for number in range(BLOCK_LINES + 1)]
    assert blocks(many[:-1]) == ["\n".join(many[:-1])]
    assert blocks(many) == ["\n".join(many[:-1]), many[-1]]
    half = "x" * (LINE_BYTES // 2 - 1)
    assert blocks([half, half]) == [f"{half}\n{half}"]
    assert blocks([half, half + "x"]) == [half, half + "x"]


@pytest.mark.parametrize("character", ["x", "é", "日", "\U0001f600"])
def test_an_overlong_line_of_a_block_is_split(character: str) -> None:
    pasted = character * (3 * LINE_BYTES // len(character.encode()))
    found = blocks(["one", pasted, "two"])
    assert all(len(block.encode()) <= LINE_BYTES for block in found)
    assert "".join(found).replace("\n", "") == f"one{pasted}two"
