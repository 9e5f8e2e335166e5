"""No message goes on at the left margin of a plain terminal after a run of blanks."""

from __future__ import annotations

import pytest
import wcwidth
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.text.sanitizing import safe
from chatd.terminal.text.gaps import GAP, narrowed
from tests.support.memory_server import MemoryServer

BLANKS = (
    " \t\x0b\x1f\u00a0\u1680\u2000\u2003\u2009"
    "\u202f\u205f\u2800\u3000\u3164\u115f\u1160\uffa0\u200b\u2060"
)


@pytest.mark.parametrize("blank", BLANKS)
def test_a_run_of_blanks_has_at_most_its_bound_of_cells(blank: str) -> None:
    text = narrowed(f"a{safe(blank * 200)}b")
    gap = text.removeprefix("a").removesuffix("b")
    assert wcwidth.wcswidth(gap) <= GAP
    assert (text[0], text[-1]) == ("a", "b")


def test_a_gap_at_the_bound_stays_and_one_past_it_does_not() -> None:
    assert narrowed("a" + " " * GAP + "b") == "a" + " " * GAP + "b"
    assert narrowed("a" + " " * (GAP + 1) + "b") == "a" + " " * GAP + "b"
    assert narrowed("é" + "\u3000" * (GAP // 2) + "b") == "é" + "\u3000" * (GAP // 2) + "b"
    assert narrowed("é" + "\u3000" * (GAP // 2 + 1) + "b") == "é" + "\u3000" * (GAP // 2) + "b"


@given(st.text(st.sampled_from(BLANKS + "ab\n日"), max_size=300))
def test_only_blanks_are_taken_away(text: str) -> None:
    text = safe(text)
    shown = narrowed(text)
    assert [c for c in shown if c in "ab日"] == [c for c in text if c in "ab日"]
    assert narrowed(shown) == shown
    assert " " * (GAP + 1) not in shown


@pytest.mark.parametrize("blank", [" ", "\t", "\u3000", "\u00a0"])
def test_nobody_can_put_words_at_the_margin_of_a_plain_terminal(blank: str) -> None:
    server = MemoryServer()
    ada, eve = server.enters("ada"), server.enters("eve")
    ada.receives()
    eve.sends(f"well{blank * 70}bob: I resign\n".encode())
    [line] = ada.receives().decode().splitlines()
    assert wcwidth.wcswidth(line) < 70
    eve.sends(f"/topic x{blank * 70}y\n/me z{blank * 70}.\n/away{blank * 70}x\n".encode())
    assert all(wcwidth.wcswidth(line) < 70 for line in ada.receives().decode().splitlines())


def test_indentation_within_the_bound_stays() -> None:
    server = MemoryServer()
    ada, eve = server.enters("ada"), server.enters("eve")
    ada.receives()
    eve.sends(b"a" + b" " * 40 + b"|\n")
    assert ada.receives().decode().splitlines() == [f"eve: a{' ' * 40}|"]
