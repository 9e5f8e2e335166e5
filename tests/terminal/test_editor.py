"""Line editor: the effect of each key, and the bounds of a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.limits import LINE_BYTES
from chatd.chat.text.sanitizing import safe
from chatd.terminal.editor.bindings import BINDINGS
from chatd.terminal.editor.editor import (
    Block,
    Completing,
    Editor,
    EditorEvent,
    Ended,
    Entered,
    Full,
    Interrupted,
    PasteCut,
    Redraw,
)
from chatd.terminal.editor.history import HISTORY_CHARACTERS, HISTORY_LINES
from chatd.terminal.editor.keys import Key, Keys, Paste, Text
from chatd.terminal.editor.paste import messages
from chatd.terminal.editor.search import QUERY_CHARACTERS
from chatd.terminal.editor.undo import UNDO_CHARACTERS, UNDO_STEPS
from chatd.terminal.text.graphemes import boundary_from

ENTER = Key("enter")
BACKSPACE = Key("backspace")
TAB, BACK_TAB = Key("tab"), Key("tab", shift=True)
LEFT, RIGHT, UP, DOWN = Key("left"), Key("right"), Key("up"), Key("down")
ESCAPE = Key("escape")
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


def ctrl(letter: str) -> Key:
    """Return a letter with Ctrl held."""
    return Key(letter, ctrl=True)


def alt(name: str) -> Key:
    """Return a key with Alt held."""
    return Key(name, alt=True)


def editor(text: str = "", *, entered: tuple[str, ...] = ()) -> Editor:
    """Return an editor with a typed text after some entered lines; ``|`` marks the cursor."""
    made = Editor()
    for line in entered:
        assert made.press(Text(line)) == []
        made.press(ENTER)
    before, bar, after = text.partition("|")
    if before + after:
        assert made.press(Text(before + after)) == []
    while bar and made.text[made.cursor :] != after:
        made.press(LEFT)
    return made


def with_cursor(line: Editor) -> str:
    """Return the line with a bar at the cursor."""
    return f"{line.text[: line.cursor]}|{line.text[line.cursor :]}"


def press_keys(line: Editor, *keys: Key | Text | Paste) -> list[EditorEvent]:
    """Press keys; return the events that they cause."""
    return [event for key in keys for event in line.press(key)]


def test_typed_text_is_appended_in_order() -> None:
    line = editor("hel")
    assert line.press(Text("lo")) == []
    assert line.text == "hello"


def test_enter_returns_the_line_and_starts_an_empty_one() -> None:
    line = editor("hello")
    assert line.press(ENTER) == [Entered("hello")]
    assert line.text == ""
    assert line.press(ENTER) == [Entered("")]


def test_backspace_deletes_the_last_character_and_ignores_an_empty_line() -> None:
    line = editor("ab")
    lines = []
    for _ in range(3):
        assert line.press(BACKSPACE) == []
        lines.append(line.text)
    assert lines == ["a", "", ""]


@pytest.mark.parametrize("key", [BACKSPACE, Key("h", ctrl=True), Key("backspace", ctrl=True)])
def test_every_key_code_for_backspace_deletes_a_character(key: Key) -> None:
    line = editor("ab")
    line.press(key)
    assert line.text == "a"


@pytest.mark.parametrize(
    "cluster",
    [
        pytest.param("e\u0301", id="e with an acute accent of its own"),
        pytest.param("q\u0323\u0307", id="two marks"),
        pytest.param("\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", id="a family"),
        pytest.param("\U0001f1e6\U0001f1f9", id="a flag"),
        pytest.param("\U0001f44d\U0001f3fd", id="a thumb with a skin tone"),
        pytest.param("\u2764\ufe0f", id="a heart with a variation selector"),
        pytest.param("1\ufe0f\u20e3", id="a keycap"),
        pytest.param("\u1112\u1161\u11ab", id="Hangul jamo"),
        pytest.param("日", id="a wide character"),
    ],
)
def test_backspace_deletes_a_whole_grapheme_cluster(cluster: str) -> None:
    line = editor("x" + cluster)
    line.press(BACKSPACE)
    assert line.text == "x"


@pytest.mark.parametrize(
    ("cluster", "rests"),
    [
        pytest.param("ที่", ["ที", "ท"], id="Thai"),
        pytest.param("ກໍ່", ["ກໍ", "ກ"], id="Lao"),
        pytest.param("क्षि", ["क्ष", "क्", "क"], id="Devanagari"),
        pytest.param("കൃ", ["ക"], id="Malayalam"),
        pytest.param("မြို့", ["မြို", "မြိ", "မြ", "မ"], id="Burmese"),
        pytest.param("مُّ", ["مُ", "م"], id="Arabic"),
        pytest.param("שָּׁ", ["שָּ", "שָ", "ש"], id="Hebrew"),
        pytest.param("ក្ក", ["ក្", "ក"], id="Khmer"),
        pytest.param("क्\u200dष", ["क्\u200d", "क"], id="a joiner goes with what it joins"),
    ],
)
def test_backspace_deletes_a_code_point_of_scripts_that_compose_letters(
    cluster: str, rests: list[str]
) -> None:
    line = editor("x" + cluster)
    for rest in [*rests, ""]:
        line.press(BACKSPACE)
        assert line.text == f"x{rest}"
        assert line.cursor == len(line.text)


def test_the_arrows_move_over_whole_clusters_of_these_scripts() -> None:
    line = editor("ที่")
    line.press(Key("left"))
    assert line.cursor == 0
    line.press(Key("right"))
    assert line.cursor == 3
    line.press(Key("left")), line.press(Key("delete"))
    assert line.text == ""


def test_adjacent_flags_are_deleted_one_by_one() -> None:
    line = editor("\U0001f1e6\U0001f1f9\U0001f1e9\U0001f1ea")
    line.press(BACKSPACE)
    assert line.text == "\U0001f1e6\U0001f1f9"
    line.press(BACKSPACE)
    assert line.text == ""


def test_a_character_typed_in_several_keys_is_deleted_whole() -> None:
    line = editor()
    for piece in ("x", "e", "\u0301"):
        line.press(Text(piece))
    line.press(BACKSPACE)
    assert line.text == "x"


def test_ctrl_u_clears_the_line() -> None:
    line = editor("hello there")
    assert line.press(ctrl("u")) == []
    assert line.text == ""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("one two", "one "),
        ("one two   ", "one "),
        ("one", ""),
        ("  ", ""),
        ("", ""),
        ("日本 語", "日本 "),
        ("   one", "   "),
    ],
)
def test_ctrl_w_deletes_the_last_word_and_the_blanks_after_it(before: str, after: str) -> None:
    line = editor(before)
    assert line.press(ctrl("w")) == []
    assert line.text == after


def test_ctrl_c_clears_the_line_and_interrupts_on_an_empty_one() -> None:
    line = editor("hello")
    assert line.press(ctrl("c")) == []
    assert line.text == ""
    assert line.press(ctrl("c")) == [Interrupted()]


def test_ctrl_d_ends_the_session_only_on_an_empty_line() -> None:
    line = editor("hello")
    assert line.press(ctrl("d")) == []
    assert line.text == "hello"
    line.press(ctrl("u"))
    assert line.press(ctrl("d")) == [Ended()]


def test_ctrl_l_requests_a_redraw_and_keeps_the_line() -> None:
    line = editor("hello")
    assert line.press(ctrl("l")) == [Redraw()]
    assert line.text == "hello"


@pytest.mark.parametrize(
    "key",
    [
        *(Key(name) for name in ("f1", "escape", "insert", "pageup", "pagedown", "u")),
        Key("left", shift=True),
        Key("home", shift=True),
        Key("b", alt=True, ctrl=True),
        Key("q", ctrl=True),
        Key("v", ctrl=True),
        Key("x", alt=True),
    ],
)
def test_an_unbound_key_does_nothing(key: Key) -> None:
    line = editor("hel|lo")
    assert line.press(key) == []
    assert with_cursor(line) == "hel|lo"


# The cursor ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "keys", "after"),
    [
        ("hello|", (ctrl("a"), Key("home"), Key("home", ctrl=True)), "|hello"),
        ("hel|lo", (ctrl("e"), Key("end"), Key("end", ctrl=True)), "hello|"),
        ("hel|lo", (ctrl("b"), LEFT), "he|llo"),
        ("|hello", (ctrl("b"), LEFT), "|hello"),
        ("hel|lo", (ctrl("f"), RIGHT), "hell|o"),
        ("hello|", (ctrl("f"), RIGHT), "hello|"),
        (f"a{FAMILY}|b", (LEFT,), f"a|{FAMILY}b"),
        (f"a|{FAMILY}b", (RIGHT,), f"a{FAMILY}|b"),
        ("cafe\u0301|", (LEFT,), "caf|e\u0301"),
        ("日本|語", (LEFT,), "日|本語"),
        ("one two|", (alt("b"), Key("left", ctrl=True), alt("left")), "one |two"),
        ("one |two", (alt("b"),), "|one two"),
        ("one, two|", (alt("b"),), "one, |two"),
        ("|one", (alt("b"),), "|one"),
        ("日本、語|", (alt("b"),), "日本、|語"),
        ("|one two", (alt("f"), alt("F"), Key("right", ctrl=True), alt("right")), "one| two"),
        ("one| two", (alt("f"),), "one two|"),
        ("one|, two", (alt("f"),), "one, two|"),
        ("one|", (alt("f"),), "one|"),
        ("o|ne_2 x", (alt("f"),), "one_2| x"),
        ("|cafe\u0301 x", (alt("f"),), "cafe\u0301| x"),
    ],
)
def test_movement_keys_move_the_cursor(before: str, keys: tuple[Key, ...], after: str) -> None:
    for key in keys:
        line = editor(before)
        assert line.press(key) == []
        assert with_cursor(line) == after


@pytest.mark.parametrize(
    ("before", "keys", "after"),
    [
        ("hel|lo", (BACKSPACE, ctrl("h")), "he|lo"),
        ("|hello", (BACKSPACE,), "|hello"),
        ("hel|lo", (Key("delete"), ctrl("d")), "hel|o"),
        ("hello|", (Key("delete"), ctrl("d")), "hello|"),
        (f"a{FAMILY}|b", (BACKSPACE,), "a|b"),
        (f"a|{FAMILY}b", (Key("delete"),), "a|b"),
        ("hel|lo", (ctrl("k"),), "hel|"),
        ("hel|lo", (ctrl("u"),), "|lo"),
        ("one two| three", (ctrl("w"),), "one | three"),
        ("one a/b|", (ctrl("w"),), "one |"),
        ("one a/b|", (alt("backspace"),), "one a/|"),
        ("一\u3000二|", (ctrl("w"),), "一\u3000|"),
        ("|one two", (alt("d"), Key("delete", ctrl=True)), "| two"),
        ("one| two", (alt("d"),), "one|"),
        ("ab|c", (ctrl("t"),), "acb|"),
        ("abc|", (ctrl("t"),), "acb|"),
        ("|abc", (ctrl("t"),), "|abc"),
        ("a|", (ctrl("t"),), "a|"),
        (f"x|{FAMILY}", (ctrl("t"),), f"{FAMILY}x|"),
    ],
)
def test_editing_keys_change_the_line_at_the_cursor(
    before: str, keys: tuple[Key, ...], after: str
) -> None:
    for key in keys:
        line = editor(before)
        assert line.press(key) == []
        assert with_cursor(line) == after


def test_typed_text_is_inserted_at_the_cursor() -> None:
    line = editor("heo|")
    press_keys(line, LEFT, Text("ll"))
    assert with_cursor(line) == "hell|o"


def test_a_combining_mark_joins_the_letter_before_the_cursor() -> None:
    line = editor("cafe| x")
    line.press(Text("\u0301"))
    assert with_cursor(line) == "cafe\u0301| x"
    line.press(LEFT)
    assert with_cursor(line) == "caf|e\u0301 x"


def test_a_letter_typed_before_a_mark_combines_and_the_cursor_follows_both() -> None:
    line = editor("|\u0301x")
    line.press(Text("e"))
    assert with_cursor(line) == "e\u0301|x"


def test_marks_joined_by_a_deletion_stay_within_the_bound() -> None:
    line = editor("e" + "\u0301" * 8 + "|")
    for _ in range(500):
        line.press(Text("\u0301"))
    assert line.text == "e" + "\u0301" * 8


def test_enter_returns_the_whole_line_wherever_the_cursor_is() -> None:
    assert editor("hel|lo").press(ENTER) == [Entered("hello")]


# Yank and undo ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "keys", "after"),
    [
        ("one two|", (ctrl("w"), ctrl("y"), ctrl("y")), "one twotwo|"),
        ("one two|", (ctrl("w"), ctrl("w"), ctrl("y")), "one two|"),
        ("|one two", (alt("d"), alt("d"), ctrl("y")), "one two|"),
        ("one| two", (ctrl("u"), ctrl("k"), ctrl("y")), "one two|"),
        ("one two|", (ctrl("w"), LEFT, ctrl("k"), ctrl("a"), ctrl("y")), " |one"),
        ("one two|", (ctrl("u"), ctrl("y"), ctrl("y")), "one twoone two|"),
        ("one|", (BACKSPACE, ctrl("y")), "on|"),
        ("|one", (ctrl("u"), ctrl("y")), "|one"),
    ],
)
def test_killed_text_can_be_yanked(before: str, keys: tuple[Key, ...], after: str) -> None:
    line = editor(before)
    assert press_keys(line, *keys) == []
    assert with_cursor(line) == after


def test_text_killed_in_one_line_can_be_yanked_into_the_next() -> None:
    line = editor("one two|")
    press_keys(line, ctrl("w"), ENTER, ctrl("y"))
    assert with_cursor(line) == "two|"


def test_a_yank_that_does_not_fit_reports_a_full_line() -> None:
    line = editor("x" * LINE_BYTES)
    assert press_keys(line, ctrl("u"), ctrl("y"), ctrl("y")) == [Full()]


@pytest.mark.parametrize("key", [ctrl("_"), ctrl("/"), ctrl("z")])
def test_undo_reverts_typing_by_words_and_other_changes_one_by_one(key: Key) -> None:
    line = editor()
    for char in "one two":
        line.press(Text(char))
    press_keys(line, ctrl("a"), ctrl("k"))
    steps = []
    for _ in range(4):
        line.press(key)
        steps.append(with_cursor(line))
    assert steps == ["|one two", "one|", "|", "|"]


def test_undo_restores_a_line_cleared_by_ctrl_c() -> None:
    line = editor("hel|lo")
    press_keys(line, ctrl("c"), ctrl("_"))
    assert with_cursor(line) == "hel|lo"


def test_an_entered_line_cannot_be_undone() -> None:
    line = editor("hello")
    press_keys(line, ENTER, ctrl("_"))
    assert line.text == ""


def test_undo_history_is_bounded() -> None:
    line = editor()
    for number in range(3 * UNDO_STEPS):
        press_keys(line, Text(f"{number}"), ctrl("t"))
    for _ in range(10 * UNDO_STEPS):
        line.press(ctrl("_"))
    assert len(line.text) > 100
    line = editor()
    for _ in range(2 * UNDO_CHARACTERS // LINE_BYTES):
        press_keys(line, Text("x" * LINE_BYTES), ctrl("u"))
    press_keys(line, *[ctrl("_")] * 20)
    assert len(line.text) in (0, LINE_BYTES)


# History ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("up", "down"), [(UP, DOWN), (ctrl("p"), ctrl("n"))])
def test_up_and_down_walk_through_the_history(up: Key, down: Key) -> None:
    line = editor("new", entered=("one", "two"))
    gone_through = []
    for key in (up, up, up, down, down, down):
        assert line.press(key) == []
        gone_through.append(with_cursor(line))
    assert gone_through == ["two|", "one|", "one|", "two|", "new|", "new|"]


def test_alt_angle_brackets_go_to_the_oldest_and_newest_line() -> None:
    line = editor("new", entered=("one", "two", "three"))
    line.press(alt("<"))
    assert line.text == "one"
    line.press(alt(">"))
    assert line.text == "new"


def test_an_edited_history_line_is_added_as_a_new_one() -> None:
    line = editor(entered=("one", "two"))
    assert press_keys(line, UP, UP, Text("!"), ENTER) == [Entered("one!")]
    press_keys(line, UP, UP, UP)
    assert line.text == "one"


def test_up_does_nothing_without_history() -> None:
    line = editor("hel|lo")
    assert press_keys(line, UP, DOWN, alt("<"), alt(">")) == []
    assert with_cursor(line) == "hel|lo"


def test_blank_and_repeated_lines_are_not_added_to_the_history() -> None:
    line = editor(entered=("one", "two", "two", "  ", "two"))
    press_keys(line, UP, UP)
    assert line.text == "one"


@pytest.mark.parametrize(("over", "oldest"), [(0, "0"), (1, "1")])
def test_the_history_holds_at_most_its_bound_of_lines(over: int, oldest: str) -> None:
    line = editor(entered=tuple(f"{number}" for number in range(HISTORY_LINES + over)))
    line.press(alt("<"))
    assert line.text == oldest


@pytest.mark.parametrize(("over", "oldest"), [(0, "a"), (1, "b")])
def test_the_history_holds_at_most_its_bound_of_characters(over: int, oldest: str) -> None:
    half = HISTORY_CHARACTERS // 2
    line = editor(entered=("a" * half, "b" * (half // 2), "c" * (half - half // 2 + over)))
    line.press(alt("<"))
    assert line.text[0] == oldest


# Search -------------------------------------------------------------------------------------------


def searching(*keys: Key | Text | Paste) -> Editor:
    """Return an editor that searches a history of a few lines."""
    line = editor("half", entered=("deploy the attic", "make tea", "Deploy the cellar", "bye"))
    assert press_keys(line, ctrl("r"), *keys) == []
    return line


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        ((), "(search: ) |"),
        ((Text("dep"),), "(search: dep) |Deploy the cellar"),
        ((Text("THE"),), "(search: THE) Deploy |the cellar"),
        ((Text("dep"), ctrl("r")), "(search: dep) |deploy the attic"),
        ((Text("dep"), ctrl("r"), ctrl("r")), "(nothing: dep) |deploy the attic"),
        ((Text("dep"), ctrl("r"), ctrl("s")), "(search: dep) |Deploy the cellar"),
        ((Text("d"), Text("eploy the a")), "(search: deploy the a) |deploy the attic"),
        ((Text("teax"),), "(nothing: teax) |"),
        ((Text("tea"), Text("x")), "(nothing: teax) |make tea"),
        ((Text("tea"), Text("x"), BACKSPACE), "(search: tea) make |tea"),
        ((Text("x"), BACKSPACE), "(search: ) |"),
        ((Paste("tea\nmilk", False),), "(search: tea) make |tea"),
        ((ctrl("r"), ctrl("s")), "(search: ) |"),
        ((Text("a\u202eb"),), "(nothing: ab) |"),
    ],
)
def test_a_search_shows_its_query_and_match(
    keys: tuple[Key | Text | Paste, ...], shown: str
) -> None:
    text, at, prompted = searching(*keys).shown()
    assert f"{text[:at]}|{text[at:]}" == shown
    assert not prompted


@pytest.mark.parametrize("key", [ESCAPE, ctrl("g"), ctrl("c")])
def test_a_cancelled_search_leaves_the_line_unchanged(key: Key) -> None:
    line = searching(Text("dep"), key)
    assert with_cursor(line) == "half|"
    assert line.shown() == ("half", 4, True)


def test_enter_in_a_search_enters_the_matched_line() -> None:
    assert searching(Text("tea")).press(ENTER) == [Entered("make tea")]
    assert searching(Text("nowhere")).press(ENTER) == [Entered("half")]


@pytest.mark.parametrize(
    ("key", "after"),
    [(LEFT, "make| tea"), (ctrl("e"), "make tea|"), (ctrl("k"), "make |"), (UP, "bye|")],
)
def test_any_other_key_accepts_the_match_and_is_then_applied(key: Key, after: str) -> None:
    assert with_cursor(searching(Text("tea"), key)) == after


def test_an_accepted_match_can_be_undone() -> None:
    line = searching(Text("tea"), ctrl("e"), ctrl("_"))
    assert line.text == "half"


def test_a_redraw_keeps_the_search() -> None:
    line = searching(Text("tea"))
    assert line.press(ctrl("l")) == [Redraw()]
    assert line.shown().text == "(search: tea) make tea"


def test_the_search_query_is_bounded() -> None:
    line = searching(*[Text("x" * 60)] * 10)
    assert line.shown().text == f"(nothing: {'x' * QUERY_CHARACTERS}) "


# Completion ---------------------------------------------------------------------------------------


def test_tab_requests_completions_for_the_text_before_the_cursor() -> None:
    assert editor("hi bo| there").press(TAB) == [Completing("hi bo")]


def completing(before: str, *choices: str) -> Editor:
    """Return an editor in which Tab was pressed once and candidates were offered."""
    line = editor(before)
    assert line.press(TAB) != []
    line.offer(line.text[: line.cursor].rfind(" ") + 1, choices)
    return line


def test_a_single_candidate_is_inserted_at_once() -> None:
    line = completing("hi bo| there", "bob ")
    assert with_cursor(line) == "hi bob| there"
    assert line.press(TAB) == [Completing("hi bob")]


def test_tab_cycles_through_the_candidates_and_shift_tab_backwards() -> None:
    line = completing("b", "bob: ", "ben: ")
    gone_through = [with_cursor(line)]
    for key in (TAB, TAB, TAB, BACK_TAB, BACK_TAB, BACK_TAB):
        assert line.press(key) == []
        gone_through.append(line.text)
    assert gone_through == ["bob: |", "ben: ", "b", "bob: ", "b", "ben: ", "bob: "]


def test_typing_accepts_the_candidate() -> None:
    line = completing("b", "bob: ", "ben: ")
    press_keys(line, TAB, Text("hello"))
    assert with_cursor(line) == "ben: hello|"
    assert line.press(TAB) == [Completing("ben: hello")]


@pytest.mark.parametrize("key", [LEFT, BACKSPACE, ENTER, ctrl("a"), Paste("x", False)])
def test_any_other_key_ends_the_completion(key: Key | Paste) -> None:
    line = completing("b", "bob: ", "ben: ")
    line.press(key)
    assert line.press(TAB) != []


def test_escape_and_undo_restore_the_typed_word() -> None:
    line = completing("hi b| there", "bob ", "ben ")
    press_keys(line, TAB, ESCAPE)
    assert with_cursor(line) == "hi b| there"
    line = completing("hi b| there", "bob ", "ben ")
    press_keys(line, TAB, ctrl("_"))
    assert with_cursor(line) == "hi b| there"


def test_without_candidates_nothing_happens() -> None:
    line = completing("x")
    assert with_cursor(line) == "x|"
    assert line.press(BACK_TAB) == []


def test_a_candidate_that_does_not_fit_can_be_cancelled() -> None:
    line = completing("x" * (LINE_BYTES - 2) + " b", "bartholomew ", "bob ")
    assert len(line.text) == LINE_BYTES
    line.press(ESCAPE)
    assert line.text == "x" * (LINE_BYTES - 2) + " b"


# Secrets ------------------------------------------------------------------------------------------


def test_a_secret_is_hidden_but_entered() -> None:
    line = editor("half| a line")
    line.masked = True
    press_keys(line, Text("sec"), Text("rex"), BACKSPACE, Text("t"))
    assert line.shown() == ("", 0, True)
    assert line.press(ENTER) == [Entered("secret")]
    line.masked = False
    assert with_cursor(line) == "half| a line"


def test_a_secret_goes_into_neither_history_undo_nor_yank() -> None:
    line = editor(entered=("one",))
    line.masked = True
    press_keys(line, Text("secret"), ctrl("w"), Text("secret"), ctrl("u"), Text("secret"), ENTER)
    press_keys(line, Text("secret"))
    line.masked = False
    for key in (UP, UP, ctrl("y"), ctrl("_"), ctrl("_"), ctrl("_"), ctrl("r"), Text("sec")):
        line.press(key)
        assert "secret" not in line.text + line.shown().text
    press_keys(line, ESCAPE, alt("<"))
    assert line.text == "one"


def test_history_search_and_completion_are_disabled_for_secrets() -> None:
    line = editor("half", entered=("one",))
    line.masked = True
    assert press_keys(line, Text("sec"), TAB, UP, ctrl("r"), Text("ret"), ctrl("_"), DOWN) == []
    assert line.press(Paste("\n12\n34\n", False)) == []
    assert line.press(ENTER) == [Entered("secret12 34")]


def test_masked_input_discards_a_pending_paste_question() -> None:
    line = editor("half")
    line.press(Paste("one\ntwo", False))
    line.masked = True
    line.masked = False
    assert line.shown() == ("half", 4, True)


# Without a visible cursor -------------------------------------------------------------------------


def test_no_key_moves_a_cursor_that_stays_at_the_end() -> None:
    line = editor("one two")
    line.stays_at_end = True
    for key in (LEFT, ctrl("a"), alt("b"), Key("delete"), ctrl("d"), ctrl("k"), Text("!")):
        assert line.press(key) == []
    assert with_cursor(line) == "one two!|"
    press_keys(line, BACKSPACE, ctrl("w"), UP)
    assert with_cursor(line) == "one |"


def test_a_cursor_bound_to_the_end_moves_there_before_the_next_key() -> None:
    line = editor("he|llo")
    line.stays_at_end = True
    line.press(Text("!"))
    assert with_cursor(line) == "hello!|"


def test_every_bound_action_exists() -> None:
    for (name, with_ctrl, with_alt), action in BINDINGS.items():
        line = editor("one| two", entered=("before",))
        line.press(Key(name, ctrl=with_ctrl, alt=with_alt))
        assert hasattr(line, f"_{action}")


# The bound --------------------------------------------------------------------------------------


def test_a_line_of_exactly_the_bound_is_accepted() -> None:
    line = editor("x" * LINE_BYTES)
    assert line.press(ENTER) == [Entered("x" * LINE_BYTES)]


def test_one_byte_past_the_bound_is_refused_and_the_line_is_unchanged() -> None:
    line = editor("x" * LINE_BYTES)
    assert line.press(Text("y")) == [Full()]
    assert line.text == "x" * LINE_BYTES


@pytest.mark.parametrize("character", ["é", "日", "\U0001f600"])
@pytest.mark.parametrize("over", [0, 1])
def test_the_bound_counts_bytes_and_splits_no_character(character: str, over: int) -> None:
    size = len(character.encode())
    filled = "x" * (LINE_BYTES % size) + character * (LINE_BYTES // size)
    assert len(filled.encode()) == LINE_BYTES
    line = Editor()
    event = line.press(Text("y" * over + filled))
    assert event == ([Full()] if over else [])
    expected = ("y" * over + filled)[: -1 if over else None]
    assert line.text == expected


def test_deleted_text_frees_its_room() -> None:
    line = editor("日" * (LINE_BYTES // 3))
    line.press(BACKSPACE)
    assert line.press(Text("é")) == []
    assert line.press(Text("xy" * 3)) == [Full()]
    assert len(line.text.encode()) == LINE_BYTES


@pytest.mark.parametrize("key", [ENTER, ctrl("u"), ctrl("c"), ctrl("w")])
def test_a_cleared_line_frees_all_its_room(key: Key) -> None:
    line = editor("x" * LINE_BYTES)
    line.press(key)
    assert line.press(Text("y" * LINE_BYTES)) == []


def test_typing_at_the_bound_reports_a_full_line_each_time_and_stores_nothing() -> None:
    line = editor("x" * LINE_BYTES)
    for _ in range(1000):
        assert line.press(Text("y" * 100)) == [Full()]
    assert line.text == "x" * LINE_BYTES


# Pastes -----------------------------------------------------------------------------------------


def test_a_paste_of_one_line_is_inserted() -> None:
    line = editor("say ")
    assert line.press(Paste("hello", False)) == []
    assert line.text == "say hello"


def test_a_paste_of_several_lines_is_confirmed_once_and_sent_unchanged() -> None:
    line = editor("say | now")
    assert line.press(Paste("one\ntwo\n\n  three", False)) == []
    assert line.shown() == ("Send 4 lines? y/n ", 18, False)
    assert line.press(Text("y")) == [Block(("say one", "two", "", "  three now"))]
    assert with_cursor(line) == "|"


@pytest.mark.parametrize("key", [Text("n"), Text("N"), ESCAPE, ctrl("c"), ctrl("g")])
def test_declining_a_paste_leaves_the_line_unchanged(key: Text | Key) -> None:
    line = editor("say | now")
    assert press_keys(line, Paste("one\ntwo", False), key) == []
    assert with_cursor(line) == "say | now"
    assert line.shown() == ("say  now", 4, True)


def test_other_keys_do_nothing_until_the_paste_is_answered() -> None:
    line = editor("half")
    others = (Text("x"), ENTER, BACKSPACE, TAB, UP, ctrl("d"), ctrl("r"), Paste("a\nb\nc", False))
    assert press_keys(line, Paste("one\ntwo", False), *others) == []
    assert line.shown().text == "Send 2 lines? y/n "
    assert line.press(ctrl("l")) == [Redraw()]
    assert line.press(Text("Yes")) == [Block(("halfone", "two"))]
    assert line.text == "es"


def test_a_paste_of_one_line_with_a_line_end_is_inserted_and_not_sent() -> None:
    line = editor()
    assert line.press(Paste("one\n", False)) == []
    assert with_cursor(line) == "one|"


def test_line_ends_pasted_after_a_command_become_blanks() -> None:
    line = editor("/topic ")
    assert line.press(Paste("one\ntwo\n", False)) == []
    assert line.text == "/topic one two"


def test_a_truncated_paste_is_reported_at_once() -> None:
    assert editor().press(Paste("one\ntwo", True)) == [PasteCut()]
    assert editor().press(Paste("one", True)) == [PasteCut()]


def test_a_pasted_line_that_does_not_fit_is_truncated() -> None:
    assert editor().press(Paste("x" * (LINE_BYTES + 1), False)) == [Full()]


def test_a_pasted_slash_is_escaped() -> None:
    assert messages(["/quit", "/quit"]) == ["//quit\n/quit"]
    assert messages([" ", ""]) == []


def test_a_paste_is_sanitized() -> None:
    line = editor()
    line.press(Paste("a\tb\u202ec\x1b", False))
    assert line.text == "a bc"


# Any keys ---------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
SPICED = st.lists(
    st.sampled_from(["a ", "日", "e\u0301", FAMILY, "\u0301", "\u200d", "\U0001f1e6", "\u1112"]),
    min_size=1,
).map("".join)
KEYS = st.one_of(
    st.builds(Text, st.one_of(TEXTS, SPICED)),
    st.builds(Paste, st.text(), st.booleans()),
    st.builds(
        Key,
        st.sampled_from([*dict.fromkeys(name for name, _, _ in BINDINGS), "tab", "s", "f1", "é"]),
        shift=st.booleans(),
        alt=st.booleans(),
        ctrl=st.booleans(),
    ),
)


@given(st.lists(KEYS, max_size=40), st.booleans())
def test_any_keys_leave_a_line_safe_whole_and_within_its_bound(
    keys: list[Text | Key | Paste], stays_at_end: bool
) -> None:
    line = Editor()
    line.stays_at_end = stays_at_end
    for key in keys:
        for event in line.press(key):
            match event:
                case Entered(text=text):
                    assert text == safe(text)
                    assert len(text.encode()) <= LINE_BYTES
                case Block(lines=lines):
                    assert all(text == safe(text) for text in lines)
                case Completing(before=before):
                    line.offer(before.rfind(" ") + 1, ("bob: ", "日本 ", "ben: "))
                case _:
                    pass
        assert len(line.text.encode()) <= LINE_BYTES
        assert line.text == safe(line.text)
        assert boundary_from(line.text, line.cursor) == line.cursor
        assert line.cursor == len(line.text) or not stays_at_end
        shown = line.shown()
        assert shown.text == safe(shown.text)
        assert 0 <= shown.cursor <= len(shown.text)


SIMPLE = st.one_of(
    st.sampled_from("ab /").map(Text),
    st.sampled_from([LEFT, RIGHT, BACKSPACE, Key("delete"), ctrl("a"), ctrl("e"), ctrl("k")]),
    st.sampled_from([ctrl("u"), ctrl("y"), ctrl("w"), ctrl("d")]),
)


@given(st.lists(SIMPLE))
def test_the_editor_agrees_with_a_model_of_two_strings(keys: list[Text | Key]) -> None:
    line = Editor()
    before, after, yank, killed = "", "", "", False
    for key in keys:
        line.press(key)
        was, killed = killed, False
        match key:
            case Text(text=text):
                before += text
            case Key(name="left"):
                before, after = before[:-1], before[-1:] + after
            case Key(name="right"):
                before, after = before + after[:1], after[1:]
            case Key(name="a"):
                before, after = "", before + after
            case Key(name="e"):
                before, after = before + after, ""
            case Key(name="backspace"):
                before = before[:-1]
            case Key(name="delete" | "d"):
                after = after[1:]
            case Key(name="k"):
                yank, killed = (yank + after if was else after) if after else yank, True
                after = ""
            case Key(name="y"):
                before += yank
            case Key(name="u" | "w" as name):
                blank = before.rstrip(" ")
                start = 0 if name == "u" else blank.rfind(" ") + 1
                cut, before = before[start:], before[:start]
                yank, killed = (cut + (yank if was else "")) if cut else yank, True
            case _:
                raise AssertionError(key)
        assert with_cursor(line) == f"{before}|{after}"


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_enough_backspaces_empty_the_line(text: str) -> None:
    line = editor()
    line.press(Text(text or "x"))
    for _ in safe(text or "x"):
        line.press(BACKSPACE)
    assert line.text == ""


def test_keyboard_bytes_become_lines() -> None:
    line, keys = Editor(), Keys()
    typed = "helo\x7flo wörld\r\x1b[200~two\rthree\x1b[201~y!\x1b[D\x1bOD?\r".encode()
    events: list[EditorEvent] = []
    for at in range(len(typed)):
        for key in keys.receive_data(typed[at : at + 1]):
            events += line.press(key)
    assert events == [Entered("hello wörld"), Block(("two", "three")), Entered("?!")]
