"""The screen: what a terminal shows of the bytes that it makes, cell by cell."""

import pytest
import wcwidth
from hypothesis import example, given
from hypothesis import strategies as st

from chatd.terminal.screen import Screen

from .displays import BLANK, Cell, Display, padded, wrapped

PROMPT = "[lobby] "

#: Prompts as people get them: plain, in colours, wide, and longer than half of a narrow screen.
PROMPTS = ("[-] ", PROMPT, "[日本語の部屋] ", "[é] ", "[a-room-with-quite-a-long-name] ", "")


class Typing:
    """Somebody's terminal with a line being typed on it, and a model of what it should show.

    In the model rows are only ever added at the end.  ``_at`` is the row of the screen in which the
    line being typed begins.
    """

    def __init__(self, columns: int = 40, rows: int = 10, *, coloured: bool = False) -> None:
        self.display = Display(columns, rows)
        self.screen = Screen(columns, rows)
        self.columns, self.rows = columns, rows
        self.prompt, self.text = PROMPT, ""
        self._coloured = coloured
        self._above: list[list[Cell]] = []
        self._at = 0
        self.draws()

    # What happens ---------------------------------------------------------------------------------

    def draws(self) -> None:
        """Have the prompt and the line drawn as they are now."""
        prompt = self.prompt
        if self._coloured:
            prompt = f"\x1b[38;5;66m{prompt.rstrip()}\x1b[0m" + " " * prompt.endswith(" ")
        drawn = self.screen.draw(prompt, wcwidth.wcswidth(self.prompt), self.text)
        self.display.takes(drawn)
        self._settles()

    def types(self, text: str) -> None:
        """Type, a key at a time."""
        for char in text:
            self.text += char
            self.draws()

    def inserts(self, text: str) -> None:
        """Type, all at once."""
        self.text += text
        self.draws()

    def takes_away(self, count: int) -> None:
        """Press backspace so often."""
        for _ in range(count):
            clusters = list(wcwidth.iter_graphemes(self.text))
            self.text = "".join(clusters[:-1])
            self.draws()

    def enters(self) -> None:
        """Press Enter: the line goes."""
        self.text = ""
        self.draws()

    def focuses(self, prompt: str) -> None:
        """Have another prompt."""
        self.prompt = prompt
        self.draws()

    def hears(self, *messages: str) -> None:
        """Be shown whole lines."""
        data = "".join(f"{message}\r\n" for message in messages)
        self.display.takes(self.screen.show(data.encode()))
        for message in messages:
            for row in wrapped(message, self.columns):
                self._above.append(row)
                self._at = min(self._at + 1, self.rows - 1)
        self._settles()

    def grows(self, columns: int, rows: int) -> None:
        """Have a larger window, of a terminal that leaves its rows as they are."""
        self.columns, self.rows = self.columns + columns, self.rows + rows
        self.display.screen.resize(self.rows, self.columns)
        self.display.takes(self.screen.resize(self.columns, self.rows))
        self._settles()

    def clears(self) -> None:
        """Have a new screen."""
        self.display.takes(self.screen.clear())
        self._above, self._at = [], 0
        self._settles()

    # What should be seen --------------------------------------------------------------------------

    def _line(self) -> list[list[Cell]]:
        """The rows of the line being typed that are shown."""
        prompt = self.prompt
        if wcwidth.wcswidth(prompt) * 2 > self.columns:
            prompt = "> "
        shown = wrapped(prompt + self.text, self.columns)
        if self._coloured and prompt == self.prompt:
            for at in range(wcwidth.wcswidth(prompt.rstrip())):
                shown[0][at] = (shown[0][at][0], True)
        if len(shown[-1]) >= self.columns:
            shown.append([])
        return shown[-max(1, self.rows - 1) :]

    def _settles(self) -> None:
        """The screen scrolls when the line does not fit under what is above."""
        self._at = min(self._at, self.rows - len(self._line()))

    def check(self) -> None:
        """Compare every cell of the screen, and the cursor."""
        line = self._line()
        above = self._above[len(self._above) - self._at :] if self._at else []
        expected = [padded(row, self.columns) for row in above + line]
        expected += [[BLANK] * self.columns] * (self.rows - len(expected))
        assert self.display.cells == expected
        assert self.display.cursor == (len(line[-1]), self._at + len(line) - 1)


# One thing at a time ------------------------------------------------------------------------------


def test_a_message_stands_above_the_line_being_typed() -> None:
    ada = Typing()
    ada.types("hel"), ada.hears("bob: one", "bob: two"), ada.types("lo")
    ada.check()
    assert ada.display.lines == ["bob: one", "bob: two", "[lobby] hello"]


def test_typing_at_the_end_sends_nothing_but_the_key() -> None:
    screen = Screen(80, 24)
    screen.draw(PROMPT, 8, "")
    assert screen.draw(PROMPT, 8, "h") == b"h"
    assert screen.draw(PROMPT, 8, "hello") == b"ello"


def test_drawing_the_same_again_sends_nothing() -> None:
    screen = Screen(80, 24)
    screen.draw(PROMPT, 8, "hello")
    assert screen.draw(PROMPT, 8, "hello") == b""


@pytest.mark.parametrize("length", range(28, 38))
@pytest.mark.parametrize("character", ["x", "日", "e\u0301"])
def test_a_line_wraps_at_the_last_column_whatever_stands_there(character: str, length: int) -> None:
    ada = Typing()
    ada.hears("bob: one")
    for step in (lambda: ada.types("x" * length + character), lambda: ada.types(character)):
        step(), ada.check()
    ada.hears("bob: two"), ada.check()
    ada.takes_away(3), ada.check()
    ada.hears("bob: three"), ada.check()


@pytest.mark.parametrize("typed", ["x", "日", "e\u0301"])
def test_a_line_higher_than_the_screen_shows_its_end(typed: str) -> None:
    ada = Typing(20, 5)
    ada.hears("bob: one")
    for _ in range(110):
        ada.inserts(typed), ada.check()
    ada.hears("bob: two"), ada.check()
    assert "[lobby]" not in "".join(ada.display.lines)
    for _ in range(110):
        ada.takes_away(1), ada.check()
    assert ada.text == ""
    ada.hears("bob: three"), ada.check()


def test_a_line_that_shrinks_leaves_nothing_below() -> None:
    ada = Typing(20, 8)
    ada.types("x" * 70), ada.check()
    ada.enters(), ada.check()
    assert ada.display.lines == ["[lobby]"]


def test_a_prompt_that_takes_more_than_half_a_row_is_a_short_one() -> None:
    ada = Typing(20, 8)
    ada.focuses("[lobbyist] "), ada.check()
    assert ada.display.lines == [">"]
    ada.focuses("[lobbyis] "), ada.check()
    assert ada.display.lines == ["[lobbyis]"]


def test_another_prompt_stands_before_the_same_line() -> None:
    ada = Typing()
    ada.types("hello"), ada.focuses("[attic] "), ada.check()
    assert ada.display.lines == ["[attic] hello"]


def test_a_message_that_fills_its_row_leaves_no_empty_one() -> None:
    ada = Typing(20, 8)
    ada.hears("x" * 20, "y"), ada.check()
    assert ada.display.lines == ["x" * 20, "y", "[lobby]"]


def test_colours_of_the_prompt_stay_in_the_prompt() -> None:
    ada = Typing(coloured=True)
    ada.types("日x"), ada.hears("bob: one"), ada.types("x" * 40)
    ada.check()


def test_leaving_takes_the_line_off_the_screen() -> None:
    ada = Typing(20, 8)
    ada.hears("bob: one"), ada.types("x" * 50)
    ada.display.takes(ada.screen.leave())
    assert ada.display.lines == ["bob: one"]
    assert ada.display.cursor == (0, 1)


def test_a_new_screen_holds_nothing_but_the_line() -> None:
    ada = Typing(20, 8)
    ada.hears("bob: one"), ada.types("x" * 50), ada.clears()
    ada.check()
    ada.hears("bob: two"), ada.check()


# Other sizes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("columns", "rows"), [(30, 10), (100, 10), (40, 24), (20, 10), (17, 10)])
def test_a_line_of_one_row_that_fits_survives_another_size(columns: int, rows: int) -> None:
    ada = Typing()
    ada.hears("bob: one"), ada.types("hello")
    ada.display.screen.resize(rows, columns)
    ada.display.takes(ada.screen.resize(columns, rows))
    assert ada.display.lines == ["bob: one", "[lobby] hello"]
    ada.columns, ada.rows = columns, rows
    ada.hears("bob: two"), ada.check()


def reflowed(line: str, before: int, columns: int) -> list[str]:
    """What a terminal that reflows shows of a line drawn in another width, once told of its own."""
    screen = Screen(before, 50)
    drawn = screen.draw(PROMPT, 8, line)
    display = Display(columns, 50)
    display.takes(b"bob: one\r\n" + drawn)  # it breaks rows of ours that have become too long
    display.takes(screen.resize(columns, 50))
    return display.lines


def expected(line: str, columns: int) -> list[str]:
    """The message, and the line as it is to be drawn."""
    rows = wrapped(PROMPT + line, columns)
    return ["bob: one", *("".join(char for char, _ in row).rstrip() for row in rows)]


@pytest.mark.parametrize("length", [0, 5, 12, 32, 50, 100])
@pytest.mark.parametrize("before", [20, 40, 100])
@pytest.mark.parametrize("after", [20, 23, 30, 40, 77])
def test_a_terminal_that_reflows_keeps_what_is_above_the_line(
    before: int, after: int, length: int
) -> None:
    line = "x" * length
    assert reflowed(line, before, after) == expected(line, after)


def test_a_terminal_that_reflows_wide_characters_keeps_what_is_above_the_line() -> None:
    line = "日" * 46
    assert reflowed(line, 100, 25) == expected(line, 25)


def test_a_window_that_became_lower_shows_the_end_of_the_line() -> None:
    screen = Screen(20, 10)
    screen.draw(PROMPT, 8, "x" * 12 + "a" * 20 + "b" * 20 + "c" * 20 + "d" * 5)
    lower = Display(20, 3)
    lower.takes(screen.resize(20, 3))
    assert lower.lines == ["c" * 20, "d" * 5]


def test_a_prompt_that_was_too_long_comes_back_in_a_wider_window() -> None:
    ada = Typing(20, 8)
    ada.focuses("[lobbyist] "), ada.types("hello"), ada.grows(20, 0)
    ada.check()
    assert ada.display.lines == ["[lobbyist] hello"]


# Terminals that move no cursor --------------------------------------------------------------------


class Printer:
    """A terminal that knows no sequences: nothing but CR, LF and characters."""

    def __init__(self, columns: int, rows: int) -> None:
        self.display = Display(columns, rows)
        self.screen = Screen(columns, rows, ansi=False)

    def takes(self, data: bytes) -> None:
        """Show what was sent, in which no sequence may be."""
        assert b"\x1b" not in data
        self.display.takes(data)

    def types(self, text: str) -> None:
        """Have the line be this."""
        self.takes(self.screen.draw(PROMPT, 8, text))

    def hears(self, message: str) -> None:
        """Be shown a line."""
        self.takes(self.screen.show(message.encode() + b"\r\n"))


def test_a_dumb_terminal_shows_a_message_above_the_line() -> None:
    ada = Printer(40, 10)
    ada.types(""), ada.types("he"), ada.types("hello")
    ada.hears("one")
    assert ada.display.lines == ["one", "[lobby] hello"]
    ada.types("hel"), ada.hears("two"), ada.types("hel日"), ada.hears("three"), ada.types("")
    assert ada.display.lines == ["one", "two", "three", "[lobby]"]
    assert ada.display.cursor == (8, 3)


def test_a_dumb_terminal_is_left_at_the_start_of_an_empty_row() -> None:
    ada = Printer(40, 10)
    ada.types("hello"), ada.takes(ada.screen.leave())
    assert ada.display.lines == []
    assert ada.display.cursor == (0, 0)


def test_a_dumb_terminal_in_another_size_and_a_new_screen_show_the_line() -> None:
    ada = Printer(40, 10)
    ada.hears("one"), ada.types("hello"), ada.takes(ada.screen.resize(60, 10))
    assert ada.display.lines == ["one", "[lobby] hello"]
    ada.takes(ada.screen.clear())
    assert ada.display.lines[-1] == "[lobby] hello"


def test_a_dumb_terminal_shows_a_line_of_several_rows_only_once() -> None:
    ada = Printer(20, 10)
    ada.types("x" * 12 + "y" * 5)
    ada.hears("one"), ada.hears("two")
    assert "".join(ada.display.lines).count("y" * 5) == 1
    assert "".join(ada.display.lines).count("x" * 12) <= 1


# Whatever happens ---------------------------------------------------------------------------------

CHARACTERS = st.one_of(
    st.sampled_from("abc xyz ~#"),
    st.sampled_from("日本語한字ア，"),
    st.sampled_from(["e\u0301", "o\u0308", "q\u0323\u0307", "日\u3099", "\u0301"]),
)
WORDS = st.lists(CHARACTERS, max_size=60).map("".join)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("types"), WORDS),
        st.tuples(st.just("inserts"), WORDS),
        st.tuples(st.just("inserts"), st.integers(1, 500).map("x".__mul__)),
        st.tuples(st.just("takes_away"), st.integers(1, 30)),
        st.tuples(st.just("hears"), WORDS),
        st.tuples(st.just("hears"), WORDS, WORDS),
        st.tuples(st.just("focuses"), st.sampled_from(PROMPTS)),
        st.tuples(st.just("enters")),
        st.tuples(st.just("grows"), st.integers(0, 30), st.integers(0, 3)),
        st.tuples(st.just("clears")),
    ),
    max_size=12,
)


@given(st.integers(20, 100), st.integers(2, 12), st.booleans(), STEPS)
@example(20, 2, False, [("inserts", "x" * 12), ("hears", "one"), ("takes_away", 1)])
@example(21, 5, True, [("types", "x" * 12 + "日"), ("hears", "日" * 30), ("takes_away", 3)])
def test_whatever_happens_every_cell_of_the_screen_is_what_it_should_be(
    columns: int, rows: int, coloured: bool, steps: list[tuple[str, ...]]
) -> None:
    ada = Typing(columns, rows, coloured=coloured)
    ada.check()
    for what, *how in steps:
        getattr(ada, what)(*how)
        ada.check()
