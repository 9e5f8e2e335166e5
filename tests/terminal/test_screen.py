"""Screen: the cells that a terminal shows after its output, compared with a model."""

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
from tests.support.displays import BLANK, WIDTH_RULES, Cell, Display, matches, padded, wrapped

PROMPT = "[lobby] "

#: Prompts as users get them: plain, wide, and longer than half of a narrow screen.
PROMPTS = ("[-] ", PROMPT, "[日本語の部屋] ", "[é] ", "[a-room-with-quite-a-long-name] ", "")

#: Single grapheme clusters whose width differs between terminals.
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
HEART = "\u2764\ufe0f"
FLAG = "\U0001f1e6\U0001f1f9"
THUMB = "\U0001f44d\U0001f3fd"


class ScreenModel:
    """A terminal with a line being typed, and a model of the cells it should show.

    In the model rows are only ever added at the end.  ``_first_row`` is the row of the screen in
    which the line being typed begins; ``_top`` is the first of the line's rows that is visible.
    """

    def __init__(
        self,
        columns: int = 40,
        rows: int = 10,
        *,
        coloured: bool = False,
        width_rule: str = "clusters",
    ) -> None:
        self.display = Display(columns, rows, width_rule)
        self.screen = Screen(columns, rows)
        self.columns, self.rows = columns, rows
        self.prompt, self.text, self.cursor = PROMPT, "", 0
        self.pending: list[tuple[str, RoomEvent]] = []
        self._coloured = coloured
        self._above: list[list[Cell]] = []
        self._first_row = self._top = 0
        self.redraw()

    # Actions --------------------------------------------------------------------------------------

    def redraw(self) -> None:
        """Draw the prompt and the line in their current state."""
        prompt = self.prompt
        if self._coloured:
            prompt = f"\x1b[38;5;66m{prompt.rstrip()}\x1b[0m" + " " * prompt.endswith(" ")
        drawn = self.screen.draw(
            prompt, cells(self.prompt), self.text, self.cursor, self._pending_rows()
        )
        self.display.feed(drawn)
        self._scroll()

    def _pending_rows(self) -> tuple[str, ...]:
        """Return the pending lines as rows above the prompt."""
        return pending(
            len(self.pending), self.pending, theme("plain", NONE), self.columns, self.rows
        )

    def type_keys(self, text: str) -> None:
        """Type a text one key at a time."""
        for char in text:
            self.insert(char)

    def insert(self, text: str) -> None:
        """Type a text at once."""
        self.text = self.text[: self.cursor] + text + self.text[self.cursor :]
        self.cursor = (
            boundary_after(self.text, self.cursor + len(text) - 1) if text else self.cursor
        )
        self.redraw()

    def backspace(self, count: int) -> None:
        """Press backspace ``count`` times."""
        for _ in range(count):
            start = boundary_before(self.text, self.cursor)
            self.text, self.cursor = self.text[:start] + self.text[self.cursor :], start
            if start:
                self.cursor = boundary_after(self.text, start - 1)
            self.redraw()

    def move_cursor(self, steps: int) -> None:
        """Press right ``steps`` times, or left for a negative number."""
        for _ in range(abs(steps)):
            if steps < 0:
                self.cursor = boundary_before(self.text, self.cursor)
            elif self.cursor < len(self.text):
                self.cursor = boundary_after(self.text, self.cursor)
            self.redraw()

    def jump(self, percent: int) -> None:
        """Move the cursor to a percentage of the line."""
        self.cursor = boundary_before(self.text, len(self.text) * percent // 100)
        self.redraw()

    def enter(self) -> None:
        """Press Enter: the line is gone."""
        self.text, self.cursor = "", 0
        self.redraw()

    def set_pending(self, *texts: str) -> None:
        """Set the pending lines."""
        self.pending = [("", Said(0.0, "ada", text)) for text in texts]
        self.redraw()

    def set_prompt(self, prompt: str) -> None:
        """Set the prompt."""
        self.prompt = prompt
        self.redraw()

    def show(self, *messages: str) -> None:
        """Show messages of one line each."""
        data = "".join(f"{message}\r\n" for message in messages)
        self.display.feed(self.screen.show(data.encode()))
        for message in messages:
            for row in wrapped(message, self.columns):
                self._above.append(row)
                self._first_row = min(self._first_row + 1, self.rows - 1)
        self._scroll()

    def enlarge(self, columns: int, rows: int) -> None:
        """Enlarge the window of a terminal that does not reflow its rows."""
        self.columns, self.rows = self.columns + columns, self.rows + rows
        self.display.screen.resize(self.rows, self.columns)
        self.display.feed(self.screen.resize(self.columns, self.rows))
        self.redraw()

    def reflow(self, columns: int, rows: int) -> None:
        """Resize the window of a terminal that reflows its rows."""
        places = self.display.reflow(columns, rows)
        self._first_row = max(0, places[self._first_row])
        self._above = [
            _without_trailing_blanks(row) for row in self.display.cells[: self._first_row]
        ]
        self.columns, self.rows = columns, rows
        self.display.feed(self.screen.resize(columns, rows))
        self._first_row = min(self._first_row, rows - len(self._line(())[0]))
        self.redraw()

    def clear(self) -> None:
        """Clear the screen."""
        self.display.feed(self.screen.clear())
        self._above, self._first_row = [], 0
        self._scroll()

    # Expected cells -------------------------------------------------------------------------------

    def _line(
        self, pending_rows: tuple[str, ...] | None = None
    ) -> tuple[list[list[Cell]], int, int]:
        """Return the rows below the messages and the cursor's row and column in them.

        They are the pending lines and the visible rows of the line being typed.
        """
        pending_rows = self._pending_rows() if pending_rows is None else pending_rows
        prompt = self.prompt
        if cells(prompt) * 2 > self.columns:
            prompt = "> "
        shown = wrapped(self.text, self.columns, prompt=prompt)
        if self._coloured and prompt == self.prompt:
            for at in range(cells(prompt.rstrip())):
                shown[0][at] = (shown[0][at][0], True)
        if len(shown[-1]) >= self.columns:
            shown.append([])
        y, x = self._cursor_position(prompt)
        fit = max(1, self.rows - 1 - len(pending_rows))
        self._top = max(min(self._top, y, max(0, len(shown) - fit)), y - fit + 1)
        waiting = [row for row_text in pending_rows for row in wrapped(row_text, self.columns)]
        rows = waiting + shown[self._top : self._top + fit]
        return rows, len(waiting) + y - self._top, x

    def _cursor_position(self, prompt: str) -> tuple[int, int]:
        """Return the cursor's row and column: after the text before it, or at the next cluster."""
        before = wrapped(self.text[: self.cursor], self.columns, prompt=prompt)
        y, x = len(before) - 1, len(before[-1])
        following = clusters(self.text[self.cursor :])[:1]
        if x >= self.columns or (following and x + measure(following[0]).widest > self.columns):
            return y + 1, 0
        return y, x

    def _scroll(self) -> None:
        """Scroll when the line does not fit below the messages."""
        self._first_row = min(self._first_row, self.rows - len(self._line()[0]))

    def check(self) -> None:
        """Compare every cell of the screen, and the cursor."""
        line, y, x = self._line()
        above = self._above[len(self._above) - self._first_row :] if self._first_row else []
        expected = [padded(row, self.columns) for row in above + line]
        expected += [[BLANK] * self.columns] * (self.rows - len(expected))
        assert matches(self.display.cells, expected), [self.display.lines, expected]
        assert self.display.cursor == (x, self._first_row + y)


def _without_trailing_blanks(row: list[Cell]) -> list[Cell]:
    """Return a row without its trailing blanks."""
    while row and row[-1] == BLANK:
        row = row[:-1]
    return row


# One thing at a time ------------------------------------------------------------------------------


def test_a_message_is_shown_above_the_line_being_typed() -> None:
    ada = ScreenModel()
    ada.type_keys("hel"), ada.show("bob: one", "bob: two"), ada.type_keys("lo")
    ada.check()
    assert ada.display.lines == ["bob: one", "bob: two", "[lobby] hello"]


def test_typing_at_the_end_sends_only_the_typed_text() -> None:
    screen = Screen(80, 24)
    screen.draw(PROMPT, 8, "", len(""))
    assert screen.draw(PROMPT, 8, "h", len("h")) == b"h"
    assert screen.draw(PROMPT, 8, "hello", len("hello")) == b"ello"


def test_drawing_an_unchanged_line_sends_nothing() -> None:
    screen = Screen(80, 24)
    screen.draw(PROMPT, 8, "hello", len("hello"))
    assert screen.draw(PROMPT, 8, "hello", len("hello")) == b""


@pytest.mark.parametrize("length", range(28, 38))
@pytest.mark.parametrize("character", ["x", "日", "e\u0301"])
def test_a_line_wraps_at_the_last_column_whatever_character_is_there(
    character: str, length: int
) -> None:
    ada = ScreenModel()
    ada.show("bob: one")
    for step in (lambda: ada.type_keys("x" * length + character), lambda: ada.type_keys(character)):
        step(), ada.check()
    ada.show("bob: two"), ada.check()
    ada.backspace(3), ada.check()
    ada.show("bob: three"), ada.check()


@pytest.mark.parametrize("typed", ["x", "日", "e\u0301"])
def test_a_line_higher_than_the_screen_shows_its_end(typed: str) -> None:
    ada = ScreenModel(20, 5)
    ada.show("bob: one")
    for _ in range(110):
        ada.insert(typed), ada.check()
    ada.show("bob: two"), ada.check()
    assert "[lobby]" not in "".join(ada.display.lines)
    for _ in range(110):
        ada.backspace(1), ada.check()
    assert ada.text == ""
    ada.show("bob: three"), ada.check()


def test_a_shrinking_line_leaves_nothing_below() -> None:
    ada = ScreenModel(20, 8)
    ada.type_keys("x" * 70), ada.check()
    ada.enter(), ada.check()
    assert ada.display.lines == ["[lobby]"]


def test_a_prompt_of_more_than_half_a_row_is_replaced_by_a_short_one() -> None:
    ada = ScreenModel(20, 8)
    ada.set_prompt("[lobbyist] "), ada.check()
    assert ada.display.lines == [">"]
    ada.set_prompt("[lobbyis] "), ada.check()
    assert ada.display.lines == ["[lobbyis]"]


def test_a_new_prompt_is_drawn_before_the_same_line() -> None:
    ada = ScreenModel()
    ada.type_keys("hello"), ada.set_prompt("[attic] "), ada.check()
    assert ada.display.lines == ["[attic] hello"]


def test_a_message_that_fills_its_row_leaves_no_empty_row() -> None:
    ada = ScreenModel(20, 8)
    ada.show("x" * 20, "y"), ada.check()
    assert ada.display.lines == ["x" * 20, "y", "[lobby]"]


def test_colours_of_the_prompt_stay_in_the_prompt() -> None:
    ada = ScreenModel(coloured=True)
    ada.type_keys("日x"), ada.show("bob: one"), ada.type_keys("x" * 40)
    ada.check()


def test_leaving_erases_the_line() -> None:
    ada = ScreenModel(20, 8)
    ada.show("bob: one"), ada.type_keys("x" * 50)
    ada.display.feed(ada.screen.leave())
    assert ada.display.lines == ["bob: one"]
    assert ada.display.cursor == (0, 1)


def test_a_cleared_screen_shows_only_the_line() -> None:
    ada = ScreenModel(20, 8)
    ada.show("bob: one"), ada.type_keys("x" * 50), ada.clear()
    ada.check()
    ada.show("bob: two"), ada.check()


# Other sizes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("columns", "rows"), [(30, 10), (100, 10), (40, 24), (20, 10), (17, 10)])
def test_a_line_of_one_row_survives_a_resize_that_it_fits(columns: int, rows: int) -> None:
    ada = ScreenModel()
    ada.show("bob: one"), ada.type_keys("hello")
    ada.display.screen.resize(rows, columns)
    ada.display.feed(ada.screen.resize(columns, rows))
    assert ada.display.lines == ["bob: one", "[lobby] hello"]
    ada.columns, ada.rows = columns, rows
    ada.show("bob: two"), ada.check()


def reflowed(line: str, before: int, columns: int) -> list[str]:
    """Return the rows of a terminal that reflows, after a line drawn for another width."""
    screen = Screen(before, 50)
    drawn = screen.draw(PROMPT, 8, line, len(line))
    display = Display(columns, 50)
    display.feed(b"bob: one\r\n" + drawn)  # it breaks rows of ours that have become too long
    display.feed(screen.resize(columns, 50))
    return display.lines


def expected(line: str, columns: int) -> list[str]:
    """Return the expected rows: the message and the line."""
    rows = wrapped(PROMPT + line, columns)
    return ["bob: one", *("".join(char for char, _ in row).rstrip() for row in rows)]


@pytest.mark.parametrize("length", [0, 5, 12, 32, 50, 100])
@pytest.mark.parametrize("before", [20, 40, 100])
@pytest.mark.parametrize("after", [20, 23, 30, 40, 77])
def test_a_reflow_keeps_the_messages_above_the_line(before: int, after: int, length: int) -> None:
    line = "x" * length
    assert reflowed(line, before, after) == expected(line, after)


def test_a_reflow_of_wide_characters_keeps_the_messages_above_the_line() -> None:
    line = "日" * 46
    assert reflowed(line, 100, 25) == expected(line, 25)


SIZES = st.tuples(st.integers(20, 90), st.integers(4, 30))


@given(SIZES, st.integers(0, 900), st.lists(SIZES, min_size=1, max_size=8))
@example((40, 12), 480, [(20, 12), (40, 12), (40, 24)])
@example((40, 24), 700, [(40, 6)])
@example((80, 24), 900, [(20, 5), (30, 10), (25, 8), (22, 6), (35, 16)])
def test_a_line_higher_than_the_window_leaves_no_rows_behind(
    size: tuple[int, int], length: int, sizes: list[tuple[int, int]]
) -> None:
    display, screen = Display(*size), Screen(*size)
    messages = [f"bob: {number}" for number in range(60)]
    line = "".join(f"{number:04}x" for number in range(length // 5))
    display.feed(screen.draw(PROMPT, 8, "", 0))
    for message in messages:
        display.feed(screen.show(f"{message}\r\n".encode()))
    display.feed(screen.draw(PROMPT, 8, line, len(line)))
    for columns, rows in [*sizes, (90, 100)]:
        display.resize_with_scrollback(columns, rows)
        display.feed(screen.resize(columns, rows))
    block = expected(line, 90)[1:]
    above = display.lines[: len(display.lines) - len([row for row in block if row])]
    assert display.lines == [*above, *[row for row in block if row]]
    assert above == messages[len(messages) - len(above) :]


def test_a_lower_window_shows_the_end_of_the_line() -> None:
    screen = Screen(20, 10)
    screen.draw(
        PROMPT,
        8,
        "x" * 12 + "a" * 20 + "b" * 20 + "c" * 20 + "d" * 5,
        len("x" * 12 + "a" * 20 + "b" * 20 + "c" * 20 + "d" * 5),
    )
    lower = Display(20, 3)
    lower.feed(screen.resize(20, 3))
    assert lower.lines == ["c" * 20, "d" * 5]


def test_a_prompt_that_was_too_long_is_shown_in_a_wider_window() -> None:
    ada = ScreenModel(20, 8)
    ada.set_prompt("[lobbyist] "), ada.type_keys("hello"), ada.enlarge(20, 0)
    ada.check()
    assert ada.display.lines == ["[lobbyist] hello"]


# Cursor movement ----------------------------------------------------------------------------------


def test_moving_the_cursor_sends_only_the_move() -> None:
    screen = Screen(80, 24)
    screen.draw(PROMPT, 8, "hello", 5)
    assert screen.draw(PROMPT, 8, "hello", 4) == b"\b"
    assert screen.draw(PROMPT, 8, "hello", 0) == b"\r\x1b[8C"
    assert screen.draw(PROMPT, 8, "hello", 5) == b"\r\x1b[13C"


def test_typing_within_a_line_draws_only_the_text_after_the_cursor() -> None:
    screen = Screen(80, 24)
    screen.draw(PROMPT, 8, "hello", 2)
    assert screen.draw(PROMPT, 8, "heXllo", 3) == b"\r\x1b[10CXllo\r\x1b[11C"
    assert screen.draw(PROMPT, 8, "hello", 2) == b"\r\x1b[10Cllo\x1b[K\r\x1b[10C"


def test_a_message_leaves_the_cursor_within_the_line() -> None:
    screen = Screen(80, 24)
    screen.draw(PROMPT, 8, "hello", 2)
    assert screen.show(b"hi\r\n") == b"\r\x1b[Khi\r\n[lobby] hello\r\x1b[10C"


@pytest.mark.parametrize("width_rule", WIDTH_RULES)
@pytest.mark.parametrize("character", ["x", "日", "e\u0301", FAMILY, HEART, FLAG, THUMB, "क्षि"])
def test_the_cursor_moves_through_a_line_of_several_rows(character: str, width_rule: str) -> None:
    ada = ScreenModel(20, 8, width_rule=width_rule)
    ada.show("bob: one")
    for _ in range(30):
        ada.insert(character), ada.check()
    for _ in range(31):
        ada.move_cursor(-1), ada.check()
    for _ in range(31):
        ada.move_cursor(1), ada.check()


@pytest.mark.parametrize("width_rule", WIDTH_RULES)
@pytest.mark.parametrize("character", ["日", FAMILY, HEART, FLAG, THUMB])
def test_characters_are_inserted_and_deleted_within_a_wrapped_line(
    character: str, width_rule: str
) -> None:
    ada = ScreenModel(20, 8, width_rule=width_rule)
    ada.show("bob: one"), ada.insert("abc日本語 def " * 3), ada.jump(40), ada.check()
    for _ in range(20):
        ada.insert(character), ada.check()
        ada.show("bob: two"), ada.check()
    for _ in range(25):
        ada.backspace(1), ada.check()


def test_a_line_higher_than_the_screen_shows_the_rows_around_the_cursor() -> None:
    ada = ScreenModel(20, 5)
    ada.insert("x" * 300), ada.check()
    ada.move_cursor(-300), ada.check()
    assert ada.display.lines[0] == "[lobby] " + "x" * 12
    ada.insert("y"), ada.check()
    ada.show("bob: one"), ada.check()
    ada.move_cursor(301), ada.check()


def test_no_cluster_is_drawn_where_a_terminal_might_wrap_it() -> None:
    rows = lay_out(8, "x" * 9 + FAMILY, 20)
    assert [row.text for row in rows] == ["x" * 9, FAMILY]
    assert position_of(rows, 9) == (1, 0)


# Terminals that differ in widths ------------------------------------------------------------------


@pytest.mark.parametrize("width_rule", WIDTH_RULES)
def test_text_after_an_emoji_family_is_at_its_computed_column(width_rule: str) -> None:
    ada = ScreenModel(40, 5, width_rule=width_rule)
    ada.insert(f"a {FAMILY} b"), ada.check()
    assert ada.display.screen.buffer[0][8 + 5].data == "b"


# Random actions -----------------------------------------------------------------------------------

SURE = st.one_of(
    st.sampled_from("abc xyz ~#"),
    st.sampled_from("日本語한字ア，"),
    st.sampled_from(["e\u0301", "o\u0308", "q\u0323\u0307", "日\u3099", "\u0301"]),
)
UNSURE = st.sampled_from([FAMILY, HEART, FLAG, THUMB, "क्षि", "\u231a", "\ue000", "\u200d"])
WORDS = st.lists(SURE, max_size=60).map("".join)
TYPED = st.lists(st.one_of(SURE, SURE, UNSURE), max_size=60).map("".join)

CHANGES = (
    st.tuples(st.just("type_keys"), WORDS),
    st.tuples(st.just("insert"), TYPED),
    st.tuples(st.just("insert"), st.integers(1, 500).map("x".__mul__)),
    st.tuples(st.just("backspace"), st.integers(1, 30)),
    st.tuples(st.just("move_cursor"), st.integers(-30, 30)),
    st.tuples(st.just("jump"), st.integers(0, 100)),
    st.tuples(st.just("show"), WORDS),
    st.tuples(st.just("show"), WORDS, WORDS),
    st.tuples(st.just("set_prompt"), st.sampled_from(PROMPTS)),
    st.tuples(st.just("enter")),
    st.tuples(st.just("clear")),
    st.lists(WORDS, max_size=6).map(lambda texts: ("set_pending", *texts)),
)
GROWTH = st.tuples(st.just("enlarge"), st.integers(0, 30), st.integers(0, 3))
REFLOW = st.tuples(st.just("reflow"), st.integers(20, 100), st.integers(3, 14))


def run_steps(ada: ScreenModel, steps: list[tuple[str, ...]]) -> None:
    """Do one step after the other, and check the screen after each."""
    ada.check()
    for what, *how in steps:
        getattr(ada, what)(*how)
        ada.check()


@given(
    st.integers(1, 60),
    st.integers(1, 40),
    st.lists(TYPED, min_size=1, max_size=8),
    st.sampled_from(sorted(WIDTH_RULES)),
)
def test_a_pending_line_takes_one_row_on_every_terminal(
    columns: int, rows: int, texts: list[str], width_rule: str
) -> None:
    lines = [("a-room", Said(0.0, "ada", text)) for text in texts]
    pending_rows = pending(len(lines), lines, theme("plain", NONE), columns, rows)
    assert len(pending_rows) == min(len(texts), ROWS, rows // 4)
    for row_text in pending_rows:
        display = Display(columns, 3, width_rule)
        display.feed(f"{row_text}\r\n".encode())
        assert display.cursor == (0, 1)
        display.feed(b"\x1b[A")
        assert display.cursor[1] == 0
        assert not any(char.strip() for row in display.cells[1:] for char, _ in row)


@given(
    st.integers(20, 100),
    st.integers(2, 12),
    st.booleans(),
    st.sampled_from(sorted(WIDTH_RULES)),
    st.lists(st.one_of(*CHANGES, GROWTH), max_size=12),
)
@example(20, 2, False, "clusters", [("insert", "x" * 12), ("show", "one"), ("backspace", 1)])
@example(
    21,
    5,
    True,
    "chars",
    [("type_keys", "x" * 12 + "日"), ("show", "日" * 30), ("backspace", 3)],
)
def test_every_cell_is_as_the_model_says_after_any_actions(
    columns: int, rows: int, coloured: bool, width_rule: str, steps: list[tuple[str, ...]]
) -> None:
    run_steps(ScreenModel(columns, rows, coloured=coloured, width_rule=width_rule), steps)


SURE_CHANGES = [each for each in CHANGES if each is not CHANGES[1]]


@given(
    st.integers(20, 100),
    st.integers(3, 12),
    st.lists(st.one_of(*SURE_CHANGES, REFLOW), max_size=12),
)
def test_a_window_that_reflows_keeps_the_messages_and_leaves_no_remains(
    columns: int, rows: int, steps: list[tuple[str, ...]]
) -> None:
    run_steps(ScreenModel(columns, rows), steps)


class EditorModel(ScreenModel):
    """A screen model whose line is edited by an `Editor`."""

    def __init__(self, columns: int, rows: int, *, width_rule: str = "clusters") -> None:
        self.editor = Editor()
        super().__init__(columns, rows, width_rule=width_rule)

    def press(self, *keys: Text | Key | Paste) -> None:
        """Press keys, and offer candidates for each Tab."""
        for key in keys:
            for event in self.editor.press(key):
                if isinstance(event, Completing):
                    self.editor.offer(event.before.rfind(" ") + 1, ("bob: ", "日本: "))
        self.text, self.cursor, prompted = self.editor.shown()
        self.prompt = PROMPT if prompted else ""
        self.redraw()


KEYS = st.one_of(
    TYPED.filter(bool).map(Text),
    WORDS.filter(bool).map(Text),
    st.lists(WORDS, max_size=3).map(lambda lines: Paste("\n".join(lines), False)),
    st.sampled_from([Key(name, ctrl=ctrl, alt=alt) for name, ctrl, alt in BINDINGS]),
    st.sampled_from([Key("left"), Key("right"), Key("tab"), Key("enter"), Text("y"), Text(" ")]),
)
PRESSES = st.lists(KEYS, max_size=10).map(lambda keys: ("press", *keys))
HEARS = st.tuples(st.just("show"), WORDS)


@given(
    st.integers(20, 60),
    st.integers(2, 8),
    st.sampled_from(sorted(WIDTH_RULES)),
    st.lists(st.one_of(PRESSES, PRESSES, HEARS, GROWTH), max_size=12),
)
def test_every_cell_is_as_the_model_says_after_any_keys(
    columns: int, rows: int, width_rule: str, steps: list[tuple[str, ...]]
) -> None:
    run_steps(EditorModel(columns, rows, width_rule=width_rule), steps)
