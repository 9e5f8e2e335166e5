"""Grapheme clusters: their boundaries, their widths, and the layout of rows."""

import unicodedata

import pytest
import wcwidth
from hypothesis import given
from hypothesis import strategies as st

from chatd.terminal.screen.rows import lay_out, position_of
from chatd.terminal.text.graphemes import (
    CODE_POINTS,
    SIMPLE_TEXT,
    Measure,
    boundary_after,
    boundary_before,
    boundary_from,
    cells,
    clusters,
    is_sure,
    measure,
)

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cc", "Cs"])),
    st.lists(
        st.sampled_from(
            ["a", "日", "\u0301", "\u200d", "\U0001f468", "\U0001f1e6", "\u1112", "क", "्"]
        )
    ).map("".join),
)


@pytest.mark.parametrize(
    ("cluster", "width", "widest", "sure"),
    [
        ("a", 1, 1, True),
        ("日", 2, 2, True),
        ("한", 2, 2, True),
        ("e\u0301", 1, 1, True),
        ("日\u3099", 2, 2, True),
        ("\u0301", 0, 0, True),
        (FAMILY, 2, 6, False),
        ("\u2764\ufe0f", 2, 2, False),
        ("\U0001f1e6\U0001f1f9", 2, 4, False),
        ("\U0001f44d\U0001f3fd", 2, 4, False),
        ("\u1112\u1161\u11ab", 2, 6, False),
        ("क्षि", 3, 6, False),
        ("\ue000", 1, 2, False),
        ("\u0378", 1, 2, False),
        ("\u200d", 0, 0, False),
    ],
)
def test_a_cluster_has_its_width_greatest_width_and_certainty(
    cluster: str, width: int, widest: int, sure: bool
) -> None:
    assert clusters(cluster + "x")[0] == cluster
    assert measure(cluster) == Measure(width, widest, sure)
    assert is_sure("x" + cluster) == sure


@given(TEXTS)
def test_clusters_join_to_the_text_and_fit_the_narrowest_screen(text: str) -> None:
    found = clusters(text)
    assert "".join(found) == text
    for cluster in found:
        width, widest, sure = measure(cluster)
        assert 0 <= width <= widest <= 20
        assert width == widest or not sure
        assert len(cluster) <= CODE_POINTS
    assert cells(text) == sum(measure(cluster).width for cluster in found)


@given(TEXTS, st.integers(0, 50))
def test_boundaries_are_where_clusters_begin_and_end(text: str, number: int) -> None:
    ends = [0]
    for cluster in clusters(text):
        ends.append(ends[-1] + len(cluster))
    at = ends[number % len(ends)]
    index = ends.index(at)
    assert boundary_from(text, at) == at
    assert boundary_before(text, at) == ends[max(0, index - 1)]
    assert boundary_after(text, at) == ends[min(len(ends) - 1, index + 1)]


def test_simple_letters_have_a_sure_width_and_never_join_the_character_before() -> None:
    letters = [chr(code) for code in range(32, 0x20000) if SIMPLE_TEXT.fullmatch(chr(code))]
    assert len(letters) > 30_000
    for letter in letters:
        width, widest, sure = measure(letter)
        assert sure
        assert width == widest == wcwidth.wcwidth(letter) > 0, letter
        assert unicodedata.category(letter)[0] != "M"
    for before in ("a", "日", "e\u0301", FAMILY):
        assert len(clusters(before + "".join(letters))) == len(letters) + 1


@given(TEXTS, st.integers(20, 60), st.integers(0, 10))
def test_rows_fit_the_columns_and_join_to_the_line(text: str, columns: int, left: int) -> None:
    rows = lay_out(left, text, columns)
    assert "".join(row.text for row in rows) == text
    assert all(row.width <= columns for row in rows)
    assert rows[-1].width < columns
    assert rows[0].left == left
    for row in rows:
        assert row.width == row.left + cells(row.text)
    y, x = position_of(rows, len(text))
    assert (y, x) == (len(rows) - 1, rows[-1].width)
