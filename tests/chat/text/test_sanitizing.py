"""Text is made safe to show: nothing is hidden or reordered, and no language is damaged."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.limits import MARKS_PER_CHARACTER
from chatd.chat.text.sanitizing import TAB_STOP, cut, decode, is_shouting, safe, safe_lines

ACUTE = "\u0301"

#: Any text, in which unsafe characters are frequent.
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
        pytest.param(code_points((0x00, 0x08), (0x0E, 0x1B)), id="C0"),
        pytest.param("\x7f", id="DEL"),
        pytest.param(code_points((0x80, 0x84), (0x86, 0x9F)), id="C1"),
        pytest.param("\u061c\u200e\u200f", id="marks of direction"),
        pytest.param(code_points((0x202A, 0x202E)), id="embeddings and overrides of direction"),
        pytest.param(code_points((0x2066, 0x2069)), id="isolates of direction"),
        pytest.param("\ufff9\ufffa\ufffb", id="annotation"),
        pytest.param("\ufeff", id="byte order mark"),
        pytest.param(code_points((0xE0000, 0xE007F)), id="tags"),
        pytest.param(code_points((0xD800, 0xDFFF)), id="surrogates"),
    ],
)
def test_unsafe_characters_are_dropped_and_the_others_kept(unsafe: str) -> None:
    assert safe(f"a{unsafe}b") == "ab"
    for character in unsafe:
        assert safe(f"a{character}é") == "aé"


#: What ends a line somewhere, according to Unicode (5.8) and Python; and what else separates words.
LINE_BREAKS = ("\n", "\r", "\r\n", *"\v\f\x1c\x1d\x1e\x85\u2028\u2029")
SEPARATORS = (*LINE_BREAKS, "\t", "\x1f", " ")
words = st.lists(st.text("aé日\u0301\u202e\x00", min_size=1).filter(safe), min_size=1)


@pytest.mark.parametrize("separator", SEPARATORS)
def test_what_separates_words_becomes_one_space_in_a_line(separator: str) -> None:
    assert safe(f"a{separator}b") == "a b"
    assert safe(f"{separator}é") == " é"


@given(words, st.data())
def test_words_are_never_joined(words: list[str], data: st.DataObject) -> None:
    separators = [data.draw(st.sampled_from(SEPARATORS)) for _ in words]
    text = "".join(word + each for word, each in zip(words, separators, strict=True))
    apart = [safe(word) for word in words]
    assert safe(text).split() == apart
    assert " ".join(safe_lines(text)).split() == apart


@given(words, st.data())
def test_lines_of_several_are_those_that_python_sees(words: list[str], data: st.DataObject) -> None:
    breaks = [data.draw(st.sampled_from(LINE_BREAKS)) for _ in words]
    text = "".join(word + each for word, each in zip(words, breaks, strict=True)) + "end"
    assert safe_lines(text) == [*map(safe, words), "end"] == [*map(safe, text.splitlines())]


def test_tabs_of_several_lines_are_expanded_to_tab_stops() -> None:
    code = "if x:\n\ty\tz\n1234567\t|\n12345678\t|"
    spaces = " " * TAB_STOP
    assert safe_lines(code) == [
        "if x:",
        f"{spaces}y{spaces[1:]}z",
        "1234567 |",
        f"12345678{spaces}|",
    ]
    assert safe_lines("a\tb") == ["a b"]


def test_tab_stops_are_columns_of_a_terminal() -> None:
    assert safe_lines("日本\t|\ne\u0301\t|\n\u202ea\t|\n한\t국\t|\n") == [
        "日本    |",
        "e\u0301       |",
        "a       |",
        "한      국      |",
        "",
    ]


@given(anything)
def test_lines_are_safe(text: str) -> None:
    lines = safe_lines(text)
    assert [safe(line) for line in lines] == lines
    assert safe_lines("\n".join(lines)) == lines


def test_an_escape_sequence_is_left_as_harmless_letters() -> None:
    assert safe("\x1b[2J\x1b]0;owned\x07") == "[2J]0;owned"


@pytest.mark.parametrize(
    "mark", [ACUTE, "\u0483", "\u05b0", "\u064b", "\u0e34", "\u20dd", "\u200d"]
)
def test_a_character_keeps_its_bound_of_combining_marks(mark: str) -> None:
    most = "a" + mark * MARKS_PER_CHARACTER
    assert safe(most + "b") == most + "b"
    assert safe(most + mark + "b") == most + "b"
    assert safe(most + mark * 1000 + "b" + mark) == most + "b" + mark


def test_marks_are_counted_across_dropped_characters_and_across_kinds() -> None:
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
def test_ordinary_text_is_unchanged(text: str) -> None:
    assert safe(text) == text
    assert decode(text.encode()) == text


def test_invalid_utf_8_becomes_replacement_characters() -> None:
    assert decode(b"a\xffb") == "a\ufffdb"
    assert decode(b"caf\xc3") == "caf\ufffd"
    assert decode(b"\xc0\xaf") == "\ufffd\ufffd"


def test_encoded_surrogates_and_control_characters_are_dropped_as_well() -> None:
    assert decode(b"\xed\xa0\x80") == "\ufffd" * 3
    assert decode(b"\xc2\x9b31m") == "31m"
    assert decode("\u202e".encode()) == ""


@given(anything)
def test_safe_text_never_has_control_characters(text: str) -> None:
    shown = safe(text)
    assert {unicodedata.category(c) for c in shown}.isdisjoint({"Cc", "Cs", "Zl", "Zp"})
    assert "\u202e" not in shown
    shown.encode()


@given(anything)
def test_sanitizing_is_idempotent(text: str) -> None:
    assert safe(safe(text)) == safe(text)


@given(st.binary())
def test_any_bytes_become_safe_text(line: bytes) -> None:
    assert safe(decode(line)) == decode(line)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_printable_ascii_is_unchanged(text: str) -> None:
    assert safe(text) == text


@given(anything, anything)
def test_two_safe_texts_with_a_space_between_are_safe(one: str, two: str) -> None:
    assert safe(f"{safe(one)} {safe(two)}") == f"{safe(one)} {safe(two)}"


def test_a_text_beyond_its_bound_is_cut() -> None:
    assert cut("abcde", 5) == "abcde"
    assert cut("abcdef", 5) == "abcd…"
    assert cut("", 1) == ""


@pytest.mark.parametrize("text", ["OK", "HELLO THERE", "HELLO, 42!", "ÄÖÜ", "ПРИВЕТ", "OK 日本"])
def test_two_or_more_letters_in_capitals_are_shouting(text: str) -> None:
    assert is_shouting(text)


@pytest.mark.parametrize(
    "text", ["", "A", "I 42!", "42", "!!!", "Hello", "HELLo", "hello", "日本語", "שלום", ":-D", "ß"]
)
def test_one_letter_or_any_lower_case_letter_is_not_shouting(text: str) -> None:
    assert not is_shouting(text)


@pytest.mark.parametrize("text", ["A 日本", "T恤", "X ש"])
def test_one_capital_among_letters_without_case_is_not_shouting(text: str) -> None:
    assert not is_shouting(text)
