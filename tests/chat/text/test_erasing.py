"""Backspaces in a line take away what a user means, in time proportional to the line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.text.erasing import erased
from chatd.chat.text.sanitizing import safe


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("helo\blo", "hello"),
        ("helo\x7flo", "hello"),
        ("\b\b\x7fhello", "hello"),
        ("secret\x15hello", "hello"),
        ("a\x15b\x15hellp\bo", "hello"),
        ("\x15", ""),
        ("e\u0301\b", ""),
        ("x👍🏽\b", "x"),
        ("x❤\ufe0f\b", "x"),
        ("x👩\u200d👩\u200d👧\b", "x"),
        ("x1\ufe0f\u20e3\b", "x"),
        ("🇦🇹🇩🇪\b", "🇦🇹"),
        ("🇦🇹🇩🇪\b\b", ""),
        ("ที่\b", "ที"),
        ("क्षि\b\b", "क्"),
        ("שָׁ\b", "שָ"),
        ("が\b", ""),
        ("か\u3099\b", ""),
        ("N\bNA\bAM\bM", "NAM"),
    ],
)
def test_a_backspace_takes_away_the_last_character(typed: str, text: str) -> None:
    assert erased(typed) == text


@given(st.text(st.sampled_from("aé日\b\x7f\x15 ")))
def test_plain_characters_go_one_by_one(line: str) -> None:
    kept: list[str] = []
    for char in line:
        if char == "\x15":
            kept.clear()
        elif char in "\b\x7f":
            del kept[-1:]
        else:
            kept.append(char)
    assert erased(line) == "".join(kept)


@given(st.text())
def test_a_line_without_backspaces_is_unchanged(line: str) -> None:
    kept = line.translate(dict.fromkeys(map(ord, "\b\x7f\x15")))
    assert erased(kept) == kept


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_as_many_backspaces_as_characters_leave_nothing(line: str) -> None:
    assert safe(erased(line + "\b" * len(line))) == ""


def test_a_line_of_flags_costs_no_more_than_others() -> None:
    assert erased("\U0001f1e6" * 100_000 + "\b" * 100_000) == ""
