"""The screen: what a terminal shows of the bytes that it makes, cell by cell."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatd.chat.events import RoomEvent, Said
from chatd.terminal.editor.bindings import BINDINGS
from chatd.terminal.editor.editor import Completing, Editor
from chatd.terminal.editor.keys import Key, Paste, Text
from chatd.terminal.pending import ROWS, pending
from chatd.terminal.screen.rows import lay_out, position_of
from chatd.terminal.screen.screen import Screen
from chatd.terminal.text.colours import NONE
from chatd.terminal.text.graphemes import boundary_after, boundary_before, cells, clusters, measure
from chatd.terminal.text.themes import theme
from tests.support.displays import BLANK, OPINIONS, Cell, Display, padded, same, wrapped

PROMPT = "[lobby] "

#: Prompts as people get them: plain, in colours, wide, and longer than half of a narrow screen.
PROMPTS = ("[-] ", PROMPT, "[日本語の部屋] ", "[é] ", "[a-room-with-quite-a-long-name] ", "")

#: One character each, and terminals think differently of them.
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
HEART = "\u2764\ufe0f"
FLAG = "\U0001f1e6\U0001f1f9"
THUMB = "\U0001f44d\U0001f3fd"


class Typing:
    """Somebody's terminal with a line being typed on it, and a model of what it should show.

    In the model rows are only ever added at the end.  ``_first`` is the row of the screen in which
    the line being typed begins; ``_top`` is its first row that is shown.
    """

    def __init__(
        self,
        columns: int = 40,
        rows: int = 10,
        *,
        coloured: bool = False,
        opinion: str = "joined",
    ) -> None:
        self.display = Display(columns, rows, opinion)
        self.screen = Screen(columns, rows)
        self.columns, self.rows = columns, rows
        self.prompt, self.text, self.at = PROMPT, "", 0
        self.waiting: list[tuple[str, RoomEvent]] = []
        self._coloured = coloured
        self._above: list[list[Cell]] = []
        self._first = self._top = 0
        self.draws()

    # What happens ---------------------------------------------------------------------------------

    def draws(self) -> None:
        """Have the prompt and the line drawn as they are now."""
        prompt = self.prompt
        if self._coloured:
            prompt = f"\x1b[38;5;66m{prompt.rstrip()}\x1b[0m" + " " * prompt.endswith(" ")
        drawn = self.screen.draw(prompt, cells(self.prompt), self.text, self.at, self._marks())
        self.display.takes(drawn)
        self._settles()

    def _marks(self) -> tuple[str, ...]:
        """What waits, as rows above the prompt."""
        return pending(
            len(self.waiting), self.waiting, theme("plain", NONE), self.columns, self.rows
        )

    def types(self, text: str) -> None:
        """Type, a key at a time."""
        for char in text:
            self.inserts(char)

    def inserts(self, text: str) -> None:
        """Type, all at once."""
        self.text = self.text[: self.at] + text + self.text[self.at :]
        self.at = boundary_after(self.text, self.at + len(text) - 1) if text else self.at
        self.draws()

    def takes_away(self, count: int) -> None:
        """Press backspace so often."""
        for _ in range(count):
            start = boundary_before(self.text, self.at)
            self.text, self.at = self.text[:start] + self.text[self.at :], start
            if start:
                self.at = boundary_after(self.text, start - 1)
            self.draws()

    def goes(self, steps: int) -> None:
        """Press left or right so often."""
        for _ in range(abs(steps)):
            if steps < 0:
                self.at = boundary_before(self.text, self.at)
            elif self.at < len(self.text):
                self.at = boundary_after(self.text, self.at)
            self.draws()

    def jumps(self, percent: int) -> None:
        """Have the cursor somewhere else."""
        self.at = boundary_before(self.text, len(self.text) * percent // 100)
        self.draws()

    def enters(self) -> None:
        """Press Enter: the line goes."""
        self.text, self.at = "", 0
        self.draws()

    def waits(self, *texts: str) -> None:
        """These lines wait now, and no others."""
        self.waiting = [("", Said(0.0, "ada", text)) for text in texts]
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
                self._first = min(self._first + 1, self.rows - 1)
        self._settles()

    def grows(self, columns: int, rows: int) -> None:
        """Have a larger window, of a terminal that leaves its rows as they are."""
        self.columns, self.rows = self.columns + columns, self.rows + rows
        self.display.screen.resize(self.rows, self.columns)
        self.display.takes(self.screen.resize(self.columns, self.rows))
        self.draws()

    def reflows(self, columns: int, rows: int) -> None:
        """Have a window of another size, of a terminal that breaks its rows anew."""
        places = self.display.reflows(columns, rows)
        self._first = max(0, places[self._first])
        self._above = [_bare(row) for row in self.display.cells[: self._first]]
        self.columns, self.rows = columns, rows
        self.display.takes(self.screen.resize(columns, rows))
        self._first = min(self._first, rows - len(self._line(())[0]))
        self.draws()

    def clears(self) -> None:
        """Have a new screen."""
        self.display.takes(self.screen.clear())
        self._above, self._first = [], 0
        self._settles()

    # What should be seen --------------------------------------------------------------------------

    def _line(self, marks: tuple[str, ...] | None = None) -> tuple[list[list[Cell]], int, int]:
        """The rows under what is above: what waits, and what is shown of the line being typed.

        And the cursor's place in them.
        """
        marks = self._marks() if marks is None else marks
        prompt = self.prompt
        if cells(prompt) * 2 > self.columns:
            prompt = "> "
        shown = wrapped(self.text, self.columns, prompt=prompt)
        if self._coloured and prompt == self.prompt:
            for at in range(cells(prompt.rstrip())):
                shown[0][at] = (shown[0][at][0], True)
        if len(shown[-1]) >= self.columns:
            shown.append([])
        y, x = self._place(prompt)
        fit = max(1, self.rows - 1 - len(marks))
        self._top = max(min(self._top, y, max(0, len(shown) - fit)), y - fit + 1)
        waiting = [row for mark in marks for row in wrapped(mark, self.columns)]
        rows = waiting + shown[self._top : self._top + fit]
        return rows, len(waiting) + y - self._top, x

    def _place(self, prompt: str) -> tuple[int, int]:
        """Where the cursor is: behind what is before it, or where the next character went."""
        before = wrapped(self.text[: self.at], self.columns, prompt=prompt)
        y, x = len(before) - 1, len(before[-1])
        following = clusters(self.text[self.at :])[:1]
        if x >= self.columns or (following and x + measure(following[0]).widest > self.columns):
            return y + 1, 0
        return y, x

    def _settles(self) -> None:
        """The screen scrolls when the line does not fit under what is above."""
        self._first = min(self._first, self.rows - len(self._line()[0]))

    def check(self) -> None:
        """Compare every cell of the screen, and the cursor."""
        line, y, x = self._line()
        above = self._above[len(self._above) - self._first :] if self._first else []
        expected = [padded(row, self.columns) for row in above + line]
        expected += [[BLANK] * self.columns] * (self.rows - len(expected))
        assert same(self.display.cells, expected), [self.display.lines, expected]
        assert self.display.cursor == (x, self._first + y)


def _bare(row: list[Cell]) -> list[Cell]:
    """A row without the blanks behind what stands in it."""
    while row and row[-1] == BLANK:
        row = row[:-1]
    return row


# One thing at a time ------------------------------------------------------------------------------


def test_a_message_stands_above_the_line_being_typed() -> None:
    ada = Typing()
    ada.types("hel"), ada.hears("bob: one", "bob: two"), ada.types("lo")
    ada.check()
    assert ada.display.lines == ["bob: one", "bob: two", "[lobby] hello"]


def test_typing_at_the_end_sends_nothing_but_the_key() -> None:
    screen = Screen(80, 24)
    screen.draw(PROMPT, 8, "", len(""))
    assert screen.draw(PROMPT, 8, "h", len("h")) == b"h"
    assert screen.draw(PROMPT, 8, "hello", len("hello")) == b"ello"


def test_drawing_the_same_again_sends_nothing() -> None:
    screen = Screen(80, 24)
    screen.draw(PROMPT, 8, "hello", len("hello"))
    assert screen.draw(PROMPT, 8, "hello", len("hello")) == b""


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
    drawn = screen.draw(PROMPT, 8, line, len(line))
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
    screen.draw(
        PROMPT,
        8,
        "x" * 12 + "a" * 20 + "b" * 20 + "c" * 20 + "d" * 5,
        len("x" * 12 + "a" * 20 + "b" * 20 + "c" * 20 + "d" * 5),
    )
    lower = Display(20, 3)
    lower.takes(screen.resize(20, 3))
    assert lower.lines == ["c" * 20, "d" * 5]


def test_a_prompt_that_was_too_long_comes_back_in_a_wider_window() -> None:
    ada = Typing(20, 8)
    ada.focuses("[lobbyist] "), ada.types("hello"), ada.grows(20, 0)
    ada.check()
    assert ada.display.lines == ["[lobbyist] hello"]


# The cursor anywhere ------------------------------------------------------------------------------


def test_moving_the_cursor_sends_no_more_than_the_move() -> None:
    screen = Screen(80, 24)
    screen.draw(PROMPT, 8, "hello", 5)
    assert screen.draw(PROMPT, 8, "hello", 4) == b"\b"
    assert screen.draw(PROMPT, 8, "hello", 0) == b"\r\x1b[8C"
    assert screen.draw(PROMPT, 8, "hello", 5) == b"\r\x1b[13C"


def test_typing_within_a_line_draws_what_is_behind_the_cursor_and_no_more() -> None:
    screen = Screen(80, 24)
    screen.draw(PROMPT, 8, "hello", 2)
    assert screen.draw(PROMPT, 8, "heXllo", 3) == b"\r\x1b[10CXllo\r\x1b[11C"
    assert screen.draw(PROMPT, 8, "hello", 2) == b"\r\x1b[10Cllo\x1b[K\r\x1b[10C"


def test_a_message_leaves_the_cursor_within_the_line() -> None:
    screen = Screen(80, 24)
    screen.draw(PROMPT, 8, "hello", 2)
    assert screen.show(b"hi\r\n") == b"\r\x1b[Khi\r\n[lobby] hello\r\x1b[10C"


@pytest.mark.parametrize("opinion", OPINIONS)
@pytest.mark.parametrize("character", ["x", "日", "e\u0301", FAMILY, HEART, FLAG, THUMB, "क्षि"])
def test_the_cursor_goes_through_a_line_of_several_rows(character: str, opinion: str) -> None:
    ada = Typing(20, 8, opinion=opinion)
    ada.hears("bob: one")
    for _ in range(30):
        ada.inserts(character), ada.check()
    for _ in range(31):
        ada.goes(-1), ada.check()
    for _ in range(31):
        ada.goes(1), ada.check()


@pytest.mark.parametrize("opinion", OPINIONS)
@pytest.mark.parametrize("character", ["日", FAMILY, HEART, FLAG, THUMB])
def test_characters_come_and_go_within_a_line_that_wraps(character: str, opinion: str) -> None:
    ada = Typing(20, 8, opinion=opinion)
    ada.hears("bob: one"), ada.inserts("abc日本語 def " * 3), ada.jumps(40), ada.check()
    for _ in range(20):
        ada.inserts(character), ada.check()
        ada.hears("bob: two"), ada.check()
    for _ in range(25):
        ada.takes_away(1), ada.check()


def test_a_line_higher_than_the_screen_shows_where_the_cursor_is() -> None:
    ada = Typing(20, 5)
    ada.inserts("x" * 300), ada.check()
    ada.goes(-300), ada.check()
    assert ada.display.lines[0] == "[lobby] " + "x" * 12
    ada.inserts("y"), ada.check()
    ada.hears("bob: one"), ada.check()
    ada.goes(301), ada.check()


def test_no_cluster_is_drawn_where_a_terminal_might_break_it_over_two_rows() -> None:
    rows = lay_out(8, "x" * 9 + FAMILY, 20)
    assert [row.text for row in rows] == ["x" * 9, FAMILY]
    assert position_of(rows, 9) == (1, 0)


# A terminal of either opinion ---------------------------------------------------------------------


@pytest.mark.parametrize("opinion", OPINIONS)
def test_what_stands_behind_a_family_is_where_it_belongs(opinion: str) -> None:
    ada = Typing(40, 5, opinion=opinion)
    ada.inserts(f"a {FAMILY} b"), ada.check()
    assert ada.display.screen.buffer[0][8 + 5].data == "b"


# Whatever happens ---------------------------------------------------------------------------------

SURE = st.one_of(
    st.sampled_from("abc xyz ~#"),
    st.sampled_from("日本語한字ア，"),
    st.sampled_from(["e\u0301", "o\u0308", "q\u0323\u0307", "日\u3099", "\u0301"]),
)
UNSURE = st.sampled_from([FAMILY, HEART, FLAG, THUMB, "क्षि", "\u231a", "\ue000", "\u200d"])
WORDS = st.lists(SURE, max_size=60).map("".join)
TYPED = st.lists(st.one_of(SURE, SURE, UNSURE), max_size=60).map("".join)

CHANGES = (
    st.tuples(st.just("types"), WORDS),
    st.tuples(st.just("inserts"), TYPED),
    st.tuples(st.just("inserts"), st.integers(1, 500).map("x".__mul__)),
    st.tuples(st.just("takes_away"), st.integers(1, 30)),
    st.tuples(st.just("goes"), st.integers(-30, 30)),
    st.tuples(st.just("jumps"), st.integers(0, 100)),
    st.tuples(st.just("hears"), WORDS),
    st.tuples(st.just("hears"), WORDS, WORDS),
    st.tuples(st.just("focuses"), st.sampled_from(PROMPTS)),
    st.tuples(st.just("enters")),
    st.tuples(st.just("clears")),
    st.lists(WORDS, max_size=6).map(lambda texts: ("waits", *texts)),
)
GROWTH = st.tuples(st.just("grows"), st.integers(0, 30), st.integers(0, 3))
REFLOW = st.tuples(st.just("reflows"), st.integers(20, 100), st.integers(3, 14))


def plays(ada: Typing, steps: list[tuple[str, ...]]) -> None:
    """Do one thing after the other, and look after each."""
    ada.check()
    for what, *how in steps:
        getattr(ada, what)(*how)
        ada.check()


@given(
    st.integers(1, 60),
    st.integers(1, 40),
    st.lists(TYPED, min_size=1, max_size=8),
    st.sampled_from(sorted(OPINIONS)),
)
def test_what_waits_never_takes_a_second_row_whatever_a_terminal_thinks_of_it(
    columns: int, rows: int, texts: list[str], opinion: str
) -> None:
    lines = [("a-room", Said(0.0, "ada", text)) for text in texts]
    marks = pending(len(lines), lines, theme("plain", NONE), columns, rows)
    assert len(marks) == min(len(texts), ROWS, rows // 4)
    for mark in marks:
        display = Display(columns, 3, opinion)
        display.takes(f"{mark}\r\n".encode())
        assert display.cursor == (0, 1)
        display.takes(b"\x1b[A")
        assert display.cursor[1] == 0
        assert not any(char.strip() for row in display.cells[1:] for char, _ in row)


@given(
    st.integers(20, 100),
    st.integers(2, 12),
    st.booleans(),
    st.sampled_from(sorted(OPINIONS)),
    st.lists(st.one_of(*CHANGES, GROWTH), max_size=12),
)
@example(20, 2, False, "joined", [("inserts", "x" * 12), ("hears", "one"), ("takes_away", 1)])
@example(
    21, 5, True, "apart", [("types", "x" * 12 + "日"), ("hears", "日" * 30), ("takes_away", 3)]
)
def test_whatever_happens_every_cell_of_the_screen_is_what_it_should_be(
    columns: int, rows: int, coloured: bool, opinion: str, steps: list[tuple[str, ...]]
) -> None:
    plays(Typing(columns, rows, coloured=coloured, opinion=opinion), steps)


SURE_CHANGES = [each for each in CHANGES if each is not CHANGES[1]]


@given(
    st.integers(20, 100),
    st.integers(3, 12),
    st.lists(st.one_of(*SURE_CHANGES, REFLOW), max_size=12),
)
def test_a_window_that_reflows_keeps_what_is_above_and_leaves_nothing_behind(
    columns: int, rows: int, steps: list[tuple[str, ...]]
) -> None:
    plays(Typing(columns, rows), steps)


class Editing(Typing):
    """Somebody who presses keys, on a terminal that is looked at."""

    def __init__(self, columns: int, rows: int, *, opinion: str = "joined") -> None:
        self.editor = Editor()
        super().__init__(columns, rows, opinion=opinion)

    def presses(self, *keys: Text | Key | Paste) -> None:
        """Press keys, and be offered something for each Tab."""
        for key in keys:
            for outcome in self.editor.press(key):
                if isinstance(outcome, Completing):
                    self.editor.offer(outcome.before.rfind(" ") + 1, ("bob: ", "日本: "))
        self.text, self.at, prompted = self.editor.shown()
        self.prompt = PROMPT if prompted else ""
        self.draws()


KEYS = st.one_of(
    TYPED.filter(bool).map(Text),
    WORDS.filter(bool).map(Text),
    st.lists(WORDS, max_size=3).map(lambda lines: Paste("\n".join(lines), False)),
    st.sampled_from([Key(name, ctrl=ctrl, alt=alt) for name, ctrl, alt in BINDINGS]),
    st.sampled_from([Key("left"), Key("right"), Key("tab"), Key("enter"), Text("y"), Text(" ")]),
)
PRESSES = st.lists(KEYS, max_size=10).map(lambda keys: ("presses", *keys))
HEARS = st.tuples(st.just("hears"), WORDS)


@given(
    st.integers(20, 60),
    st.integers(2, 8),
    st.sampled_from(sorted(OPINIONS)),
    st.lists(st.one_of(PRESSES, PRESSES, HEARS, GROWTH), max_size=12),
)
def test_whatever_is_pressed_every_cell_of_the_screen_is_what_it_should_be(
    columns: int, rows: int, opinion: str, steps: list[tuple[str, ...]]
) -> None:
    plays(Editing(columns, rows, opinion=opinion), steps)
