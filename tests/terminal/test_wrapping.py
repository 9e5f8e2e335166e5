"""Word wrap: lines of any script and colour, at any width."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.text.sanitizing import safe
from chatd.terminal.text import segments
from chatd.terminal.text.emphasis import emphasise
from chatd.terminal.text.graphemes import cells, clusters
from chatd.terminal.text.themes import theme
from chatd.terminal.text.wrapping import painted_width, wrap

SGR = re.compile(r"\x1b\[[0-9;]*m")

WORDS = st.lists(
    st.one_of(
        st.text("abcdefgh,.()", min_size=1, max_size=30),
        st.text("日本語の部屋、。「」ー", min_size=1, max_size=20),
        st.sampled_from(
            ["é", "🎉🎉", "👨‍👩‍👧", "❤️", "שלום", "नमस्ते", "한국어", "*stars*", "`ticks`"]
        ),
        st.text(min_size=1, max_size=8),
    ),
    max_size=20,
).map(lambda words: safe(" ".join(words)))


def hanging(line: str, columns: int, hang: int) -> str:
    """Wrap a line without a head."""
    return wrap("", hang, line, columns)


def rows_of(wrapped: str) -> list[str]:
    """Return the rows without their colours."""
    return SGR.sub("", wrapped).split("\r\n")


def test_a_line_that_fits_is_unchanged() -> None:
    assert hanging("ada: hello", 10, 5) == "ada: hello"


def test_a_line_is_broken_between_words_with_a_hanging_indent() -> None:
    assert rows_of(hanging("ada: one two three four", 13, 5)) == [
        "ada: one two",
        "     three",
        "     four",
    ]


def test_a_wide_hanging_indent_becomes_a_small_one() -> None:
    assert rows_of(hanging("adalovelace: one two three", 20, 13)) == [
        "adalovelace: one two",
        "    three",
    ]


def test_a_word_longer_than_a_row_is_broken_at_the_row_end() -> None:
    assert rows_of(hanging("ada: " + "x" * 20, 12, 2)) == ["ada: xxxxxxx", "  xxxxxxxxxx", "  xxx"]


def test_a_row_may_end_between_wide_characters_but_not_before_closing_punctuation() -> None:
    assert rows_of(hanging("日本語の、部屋", 8, 2)) == ["日本語", "  の、部", "  屋"]
    assert rows_of(hanging("日本語「部屋」", 8, 0)) == ["日本語", "「部屋」"]


def test_a_link_is_never_broken() -> None:
    link = "https://example.org/" + "x" * 60
    rows = rows_of(hanging(f"ada: see {link} there", 40, 5))
    assert rows == ["ada: see", f"     {link}", "     there"]
    assert rows_of(hanging(f"ada: see {link[:30]} there", 40, 5))[0] == f"ada: see {link[:30]}"


def test_a_colour_continues_in_the_next_row_but_not_in_its_indent() -> None:
    assert hanging("a \x1b[1mone two\x1b[0m three", 8, 2) == (
        "a \x1b[1mone\x1b[0m\r\n  \x1b[1mtwo\x1b[0m\r\n  three"
    )


def test_a_line_feed_begins_a_new_indented_row() -> None:
    assert rows_of(hanging("ada: one\n\ntwo", 40, 5)) == ["ada: one", "     ", "     two"]


@given(WORDS, st.integers(19, 120), st.sampled_from(["ada: ", "\x1b[1mada\x1b[0m: ", ""]))
def test_splitting_a_line_into_head_and_body_makes_no_difference(
    text: str, columns: int, head: str
) -> None:
    hang = painted_width(head)
    together = wrap("", hang, head + text, columns)
    assert rows_of(wrap(head, hang, text, columns).rstrip(" ")) == rows_of(together.rstrip(" "))


@given(WORDS, st.integers(19, 120), st.integers(0, 30), st.sampled_from(["", "1", "38;5;67"]))
def test_wrapped_rows_fit_are_indented_and_lose_nothing(
    text: str, columns: int, indent: int, around: str
) -> None:
    line = emphasise(text, theme("default", 256), around)
    wrapped = hanging(line, columns, indent)
    rows = rows_of(wrapped)
    assert "".join(rows).replace(" ", "") == text.replace(" ", "")
    if len(rows) == 1:
        return
    hang = 4 if indent * 2 > columns else indent
    for row in rows[1:]:
        assert row.startswith(" " * hang)
    assert all(cells(row) <= columns for row in rows)
    for painted in wrapped.split("\r\n")[:-1]:
        assert not re.search(r"\x1b\[[1-9][0-9;]*m[^\x1b]*$", painted), (
            "colours are reset at the end of a row"
        )


@given(WORDS)
def test_emphasis_keeps_the_text_and_its_width(text: str) -> None:
    for name in ("default", "mono", "plain"):
        for around in ("", "1"):
            marked = emphasise(text, theme(name, 256), around)
            assert SGR.sub("", marked) == text
            assert painted_width(marked) == cells(text)


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("*stars* here", "<1>*stars*<0> here"),
        ("2 * 3 * 4", "2 * 3 * 4"),
        ("a*b*c", "a*b*c"),
        ("(*two words*)!", "(<1>*two words*<0>)!"),
        ("`x *y* z`", "<c>`x *y* z`<0>"),
        ("see http://a.org/b_c, or", "see <4>http://a.org/b_c<0>, or"),
        ("(https://a.org/)", "(<4>https://a.org/<0>)"),
        ("ftp://a.org", "ftp://a.org"),
        ("* item", "* item"),
        ("``", "``"),
    ],
)
def test_asterisks_backticks_and_links_are_emphasised(text: str, marked: str) -> None:
    look = theme("default", 256)
    shown = emphasise(text, look)
    for code, name in ((look.code, "c"), ("0", "0"), ("1", "1"), ("4", "4")):
        shown = shown.replace(f"\x1b[{code}m", f"<{name}>")
    assert shown == marked
    assert emphasise(text, theme("plain", 256)) == text


def test_emphasis_within_a_mention_keeps_the_mention_colour() -> None:
    assert emphasise("*a* b", theme("mono", 0), "7") == "\x1b[7m\x1b[1m*a*\x1b[0m\x1b[7m b\x1b[0m"


def test_unclosed_markers_take_linear_time() -> None:
    for text in ("*" * 4000, "`" * 4001, "*a " * 1300, "http://" * 570, "http://" + "." * 4000):
        assert SGR.sub("", emphasise(text, theme("default", 256))) == text


@pytest.mark.parametrize("text", ["\u05d0 " * 1000, "a" * 4000, "漢" * 1300, "*a* `b` 漢é " * 300])
def test_a_message_is_measured_once_however_many_widths_its_readers_have(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    measured = 0

    def count_measured(text: str) -> Sequence[str]:
        nonlocal measured
        measured += len(text)
        return clusters(text)

    monkeypatch.setattr(segments, "clusters", count_measured)
    segments.segments.cache_clear()
    for columns in range(20, 120):
        for head in ("ada: ", "12:34 ada: "):
            wrap(head, 5, text, columns)
    assert measured <= 2 * len(text)  # once for its words, and once for those that are broken
