"""What people typed, made safe to show: nothing hidden, nothing moved, and no language harmed."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.limits import MARKS_PER_CHARACTER
from chatd.chat.text.sanitizing import cut, decode, is_shouting, safe

ACUTE = "\u0301"

#: Any text at all, made of what does harm more often than of other characters.
anything = st.text(
    st.one_of(
        st.characters(exclude_categories=[]),
        st.sampled_from("\x00\x07\t\n\r\x1b\x7f\x9b\u200d\u202e\u2066\ufe0f\ufeff\ud800" + ACUTE),
    )
)


def code_points(*ranges: tuple[int, int]) -> str:
    return "".join(chr(code) for first, last in ranges for code in range(first, last + 1))


@pytest.mark.parametrize(
    "unsafe",
    [
        pytest.param(code_points((0x00, 0x08), (0x0A, 0x1F)), id="C0"),
        pytest.param("\x7f", id="DEL"),
        pytest.param(code_points((0x80, 0x9F)), id="C1"),
        pytest.param("\u061c\u200e\u200f", id="marks of direction"),
        pytest.param(code_points((0x202A, 0x202E)), id="embeddings and overrides of direction"),
        pytest.param(code_points((0x2066, 0x2069)), id="isolates of direction"),
        pytest.param("\u2028\u2029", id="line and paragraph separators"),
        pytest.param("\ufff9\ufffa\ufffb", id="annotation"),
        pytest.param("\ufeff", id="byte order mark"),
        pytest.param(code_points((0xE0000, 0xE007F)), id="tags"),
        pytest.param(code_points((0xD800, 0xDFFF)), id="surrogates"),
    ],
)
def test_what_does_harm_is_dropped_and_what_stands_around_it_stays(unsafe: str) -> None:
    assert safe(f"a{unsafe}b") == "ab"
    for character in unsafe:
        assert safe(f"a{character}é") == "aé"


def test_a_tab_becomes_a_blank() -> None:
    assert safe("\ta\tb") == " a b"


def test_an_escape_sequence_is_left_as_harmless_letters() -> None:
    assert safe("\x1b[2J\x1b]0;owned\x07") == "[2J]0;owned"


@pytest.mark.parametrize(
    "mark", [ACUTE, "\u0483", "\u05b0", "\u064b", "\u0e34", "\u20dd", "\u200d"]
)
def test_as_many_marks_as_there_may_be_stay_on_a_character(mark: str) -> None:
    most = "a" + mark * MARKS_PER_CHARACTER
    assert safe(most + "b") == most + "b"
    assert safe(most + mark + "b") == most + "b"
    assert safe(most + mark * 1000 + "b" + mark) == most + "b" + mark


def test_marks_pile_up_across_what_is_dropped_and_across_kinds() -> None:
    pile = "\u0300\x00\u20dd\u202e\ufe0f" * 20
    assert len(safe(f"a{pile}")) == 1 + MARKS_PER_CHARACTER


def test_no_kind_of_mark_piles_up() -> None:
    marks = (chr(code) for code in range(sys.maxunicode + 1))
    piles = [
        f"U+{ord(mark):04X}"
        for mark in marks
        if unicodedata.combining(mark) in (220, 230)  # below and above
        and len(safe("a" + mark * 50)) > 1 + MARKS_PER_CHARACTER
    ]
    assert piles == []


@pytest.mark.parametrize(
    "text",
    [
        "plain words, with (marks) & signs!",
        "Grüße, žluťoučký kůň, Ærøskøbing, İstanbul",
        "e\u0301 and o\u0308 in two parts",
        "tiếng Việt có nhiều dấu",
        "Ἀθῆναι, и ещё раз",
        "שָׁלוֹם עוֹלָם",
        "مَرْحَبًا بِالعَالَمِ",
        "می\u200cخواهم",
        "नमस्ते दुनिया, ক্ষ, தமிழ்",
        "ภาษาไทยที่นี่",
        "日本語のカタカナとひらがな",
        "中文，标点。",
        "한국어",
        "👩\u200d👩\u200d👧\u200d👦 👍🏽 ❤️ 🏳️\u200d🌈 🇦🇹 1️⃣",
        "a\u0300\u0301\u0302\u0303 is still a letter",
        "∀x ∈ ℝ: ⌈x⌉ ≥ x",
    ],
)
def test_ordinary_text_stays_as_it_was_typed(text: str) -> None:
    assert safe(text) == text
    assert decode(text.encode()) == text


def test_what_is_no_utf_8_is_seen_to_be_missing() -> None:
    assert decode(b"a\xffb") == "a\ufffdb"
    assert decode(b"caf\xc3") == "caf\ufffd"
    assert decode(b"\xc0\xaf") == "\ufffd\ufffd"


def test_surrogates_and_control_characters_do_not_come_in_by_their_bytes() -> None:
    assert decode(b"\xed\xa0\x80") == "\ufffd" * 3
    assert decode(b"\xc2\x9b31m") == "31m"
    assert decode("\u202e".encode()) == ""


@given(anything)
def test_nothing_that_controls_a_screen_is_left_in_any_text(text: str) -> None:
    shown = safe(text)
    assert {unicodedata.category(c) for c in shown}.isdisjoint({"Cc", "Cs", "Zl", "Zp"})
    assert "\u202e" not in shown
    shown.encode()


@given(anything)
def test_text_that_was_made_safe_stays_as_it_is(text: str) -> None:
    assert safe(safe(text)) == safe(text)


@given(st.binary())
def test_any_bytes_become_text_that_is_safe(line: bytes) -> None:
    assert safe(decode(line)) == decode(line)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_printable_ascii_is_not_touched(text: str) -> None:
    assert safe(text) == text


@given(anything, anything)
def test_two_safe_texts_are_safe_side_by_side_but_for_a_pile_of_marks(one: str, two: str) -> None:
    assert safe(f"{safe(one)} {safe(two)}") == f"{safe(one)} {safe(two)}"


def test_a_text_is_cut_one_past_its_bound() -> None:
    assert cut("abcde", 5) == "abcde"
    assert cut("abcdef", 5) == "abcd…"
    assert cut("", 1) == ""


@pytest.mark.parametrize("text", ["OK", "HELLO THERE", "HELLO, 42!", "ÄÖÜ", "ПРИВЕТ", "OK 日本"])
def test_all_capitals_are_shouted(text: str) -> None:
    assert is_shouting(text)


@pytest.mark.parametrize(
    "text", ["", "A", "I 42!", "42", "!!!", "Hello", "HELLo", "hello", "日本語", "שלום", ":-D", "ß"]
)
def test_one_letter_or_a_small_one_or_none_is_not_shouted(text: str) -> None:
    assert not is_shouting(text)


@pytest.mark.parametrize("text", ["A 日本", "T恤", "X ש"])
def test_a_single_capital_among_letters_without_case_is_not_shouted(text: str) -> None:
    assert not is_shouting(text)
