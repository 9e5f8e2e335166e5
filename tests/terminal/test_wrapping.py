"""Lines that are broken into rows: between words, at any width, in any script and colour."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.text.sanitizing import safe
from chatd.terminal.text.emphasis import emphasise
from chatd.terminal.text.graphemes import cells
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
    """A line that begins with nothing else."""
    return wrap("", hang, line, columns)


def rows_of(wrapped: str) -> list[str]:
    """The rows, without their colours."""
    return SGR.sub("", wrapped).split("\r\n")


def test_a_line_that_fits_stays_as_it_is() -> None:
    assert hanging("ada: hello", 10, 5) == "ada: hello"


def test_a_line_is_broken_between_words_and_hangs() -> None:
    assert rows_of(hanging("ada: one two three four", 13, 5)) == [
        "ada: one two",
        "     three",
        "     four",
    ]


def test_an_indent_that_leaves_little_is_a_small_one() -> None:
    assert rows_of(hanging("adalovelace: one two three", 20, 13)) == [
        "adalovelace: one two",
        "    three",
    ]


def test_a_word_that_is_longer_than_a_row_is_broken_where_it_must_be() -> None:
    assert rows_of(hanging("ada: " + "x" * 20, 12, 2)) == ["ada: xxxxxxx", "  xxxxxxxxxx", "  xxx"]


def test_between_wide_characters_a_row_may_end_but_a_mark_that_closes_begins_none() -> None:
    assert rows_of(hanging("日本語の、部屋", 8, 2)) == ["日本語", "  の、部", "  屋"]
    assert rows_of(hanging("日本語「部屋」", 8, 0)) == ["日本語", "「部屋」"]


def test_a_link_is_left_whole() -> None:
    link = "https://example.org/" + "x" * 60
    rows = rows_of(hanging(f"ada: see {link} there", 40, 5))
    assert rows == ["ada: see", f"     {link}", "     there"]
    assert rows_of(hanging(f"ada: see {link[:30]} there", 40, 5))[0] == f"ada: see {link[:30]}"


def test_a_colour_goes_on_in_the_next_row_and_not_into_its_margin() -> None:
    assert hanging("a \x1b[1mone two\x1b[0m three", 8, 2) == (
        "a \x1b[1mone\x1b[0m\r\n  \x1b[1mtwo\x1b[0m\r\n  three"
    )


def test_a_line_feed_begins_a_row_of_the_same_block() -> None:
    assert rows_of(hanging("ada: one\n\ntwo", 40, 5)) == ["ada: one", "     ", "     two"]


@given(WORDS, st.integers(19, 120), st.sampled_from(["ada: ", "\x1b[1mada\x1b[0m: ", ""]))
def test_what_a_line_begins_with_makes_no_difference(text: str, columns: int, head: str) -> None:
    hang = painted_width(head)
    together = wrap("", hang, head + text, columns)
    assert rows_of(wrap(head, hang, text, columns).rstrip(" ")) == rows_of(together.rstrip(" "))


@given(WORDS, st.integers(19, 120), st.integers(0, 30), st.sampled_from(["", "1", "38;5;67"]))
def test_whatever_is_wrapped_fits_hangs_and_loses_nothing(
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
        assert not re.search(r"\x1b\[[1-9][0-9;]*m[^\x1b]*$", painted), "a row ends without colours"


@given(WORDS)
def test_what_is_marked_is_all_still_there(text: str) -> None:
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
def test_stars_ticks_and_links_are_shown_so(text: str, marked: str) -> None:
    look = theme("default", 256)
    shown = emphasise(text, look)
    for code, name in ((look.code, "c"), ("0", "0"), ("1", "1"), ("4", "4")):
        shown = shown.replace(f"\x1b[{code}m", f"<{name}>")
    assert shown == marked
    assert emphasise(text, theme("plain", 256)) == text


def test_what_is_marked_in_a_mention_leaves_it_a_mention() -> None:
    assert emphasise("*a* b", theme("mono", 0), "7") == "\x1b[7m\x1b[1m*a*\x1b[0m\x1b[7m b\x1b[0m"


def test_marks_without_end_are_looked_at_once() -> None:
    for text in ("*" * 4000, "`" * 4001, "*a " * 1300, "http://" * 570, "http://" + "." * 4000):
        assert SGR.sub("", emphasise(text, theme("default", 256))) == text
