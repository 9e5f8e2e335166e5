"""The line being typed: what each key does, and that a line has its bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.limits import LINE_BYTES
from chatd.chat.text import safe
from chatd.terminal.editor import Editor, Ended, Entered, Full, Interrupted, Outcome, Redraw
from chatd.terminal.keys import Key, Keys, Paste, Text

ENTER = Key("enter")
BACKSPACE = Key("backspace")


def ctrl(letter: str) -> Key:
    """A letter with Ctrl held."""
    return Key(letter, ctrl=True)


def editor(text: str = "") -> Editor:
    """An editor with something typed in it."""
    made = Editor()
    if text:
        assert made.press(Text(text)) == []
    return made


def test_what_is_typed_stands_in_the_order_of_the_keys() -> None:
    line = editor("hel")
    assert line.press(Text("lo")) == []
    assert line.text == "hello"


def test_enter_gives_the_line_and_begins_an_empty_one() -> None:
    line = editor("hello")
    assert line.press(ENTER) == [Entered("hello")]
    assert line.text == ""
    assert line.press(ENTER) == [Entered("")]


def test_backspace_takes_the_last_character_and_nothing_from_an_empty_line() -> None:
    line = editor("ab")
    lines = []
    for _ in range(3):
        assert line.press(BACKSPACE) == []
        lines.append(line.text)
    assert lines == ["a", "", ""]


@pytest.mark.parametrize("key", [BACKSPACE, Key("h", ctrl=True), Key("backspace", ctrl=True)])
def test_every_terminals_backspace_is_one(key: Key) -> None:
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
        pytest.param("क्षि", id="a Devanagari conjunct"),
    ],
)
def test_backspace_takes_what_looks_like_one_character_whole(cluster: str) -> None:
    line = editor("x" + cluster)
    line.press(BACKSPACE)
    assert line.text == "x"


def test_two_flags_are_taken_away_one_by_one() -> None:
    line = editor("\U0001f1e6\U0001f1f9\U0001f1e9\U0001f1ea")
    line.press(BACKSPACE)
    assert line.text == "\U0001f1e6\U0001f1f9"
    line.press(BACKSPACE)
    assert line.text == ""


def test_a_character_typed_in_pieces_is_taken_away_whole() -> None:
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
def test_ctrl_w_takes_the_last_word_and_the_blanks_behind_it(before: str, after: str) -> None:
    line = editor(before)
    assert line.press(ctrl("w")) == []
    assert line.text == after


def test_ctrl_c_clears_a_line_and_interrupts_on_an_empty_one() -> None:
    line = editor("hello")
    assert line.press(ctrl("c")) == []
    assert line.text == ""
    assert line.press(ctrl("c")) == [Interrupted()]


def test_ctrl_d_ends_on_an_empty_line_only() -> None:
    line = editor("hello")
    assert line.press(ctrl("d")) == []
    assert line.text == "hello"
    line.press(ctrl("u"))
    assert line.press(ctrl("d")) == [Ended()]


def test_ctrl_l_asks_for_a_new_screen_and_leaves_the_line() -> None:
    line = editor("hello")
    assert line.press(ctrl("l")) == [Redraw()]
    assert line.text == "hello"


@pytest.mark.parametrize(
    "key",
    [
        *(Key(name) for name in ("up", "down", "left", "right", "home", "end", "f1", "escape")),
        Key("tab"),
        Key("b", alt=True),
        Key("u"),
        Key("d", alt=True),
        Key("z", ctrl=True),
        Key("delete"),
    ],
)
def test_a_key_that_means_nothing_does_nothing(key: Key) -> None:
    line = editor("hello")
    assert line.press(key) == []
    assert line.text == "hello"


# The bound --------------------------------------------------------------------------------------


def test_a_line_holds_exactly_its_bound() -> None:
    line = editor("x" * LINE_BYTES)
    assert line.press(ENTER) == [Entered("x" * LINE_BYTES)]


def test_one_byte_past_the_bound_is_refused_and_the_line_stays() -> None:
    line = editor("x" * LINE_BYTES)
    assert line.press(Text("y")) == [Full()]
    assert line.text == "x" * LINE_BYTES


@pytest.mark.parametrize("character", ["é", "日", "\U0001f600"])
@pytest.mark.parametrize("over", [0, 1])
def test_the_bound_is_in_bytes_and_cuts_no_character(character: str, over: int) -> None:
    size = len(character.encode())
    filled = "x" * (LINE_BYTES % size) + character * (LINE_BYTES // size)
    assert len(filled.encode()) == LINE_BYTES
    line = Editor()
    outcome = line.press(Text("y" * over + filled))
    assert outcome == ([Full()] if over else [])
    expected = ("y" * over + filled)[: -1 if over else None]
    assert line.text == expected


def test_what_was_taken_away_leaves_room_again() -> None:
    line = editor("日" * (LINE_BYTES // 3))
    line.press(BACKSPACE)
    assert line.press(Text("é")) == []
    assert line.press(Text("xy" * 3)) == [Full()]
    assert len(line.text.encode()) == LINE_BYTES


@pytest.mark.parametrize("key", [ENTER, ctrl("u"), ctrl("c"), ctrl("w")])
def test_a_line_that_is_gone_leaves_all_its_room(key: Key) -> None:
    line = editor("x" * LINE_BYTES)
    line.press(key)
    assert line.press(Text("y" * LINE_BYTES)) == []


def test_typing_on_at_the_bound_says_so_each_time_and_keeps_nothing() -> None:
    line = editor("x" * LINE_BYTES)
    for _ in range(1000):
        assert line.press(Text("y" * 100)) == [Full()]
    assert line.text == "x" * LINE_BYTES


# Pastes -----------------------------------------------------------------------------------------


def test_a_paste_of_one_line_is_only_put_in() -> None:
    line = editor("say ")
    assert line.press(Paste("hello", False)) == []
    assert line.text == "say hello"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_paste_of_several_lines_enters_all_but_the_last(end: str) -> None:
    line = editor("say ")
    pasted = Paste(end.join(("one", "two", "", "three")), False)
    assert line.press(pasted) == [Entered("say one"), Entered("two"), Entered("")]
    assert line.text == "three"


def test_a_paste_that_ends_with_a_line_end_leaves_an_empty_line() -> None:
    line = editor()
    assert line.press(Paste("one\n", False)) == [Entered("one")]
    assert line.text == ""


def test_a_line_of_a_paste_that_is_too_long_is_cut_and_the_next_is_whole() -> None:
    line = editor()
    outcomes = line.press(Paste("x" * (LINE_BYTES + 1) + "\nnext\n", False))
    assert outcomes == [Full(), Entered("x" * LINE_BYTES), Entered("next")]


def test_a_paste_is_made_safe() -> None:
    line = editor()
    line.press(Paste("a\tb\u202ec\u2028d", False))
    assert line.text == "a bcd"


# Whatever is pressed ----------------------------------------------------------------------------

KEYS = st.one_of(
    st.builds(Text, st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1)),
    st.builds(Paste, st.text(), st.booleans()),
    st.builds(
        Key,
        st.sampled_from(["enter", "backspace", *"abcdhluwz"]),
        alt=st.booleans(),
        ctrl=st.booleans(),
    ),
)


@given(st.lists(KEYS))
def test_whatever_is_pressed_a_line_is_safe_whole_and_within_its_bound(
    keys: list[Text | Key | Paste],
) -> None:
    line = Editor()
    outcomes: list[Outcome] = []
    for key in keys:
        outcomes += line.press(key)
        assert len(line.text.encode()) <= LINE_BYTES
        assert "\n" not in line.text
        assert "\r" not in line.text
    for outcome in outcomes:
        if isinstance(outcome, Entered):
            assert len(outcome.text.encode()) <= LINE_BYTES
            assert "\n" not in outcome.text


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_backspaces_end_at_an_empty_line(text: str) -> None:
    line = editor(text)
    for _ in safe(text):
        line.press(BACKSPACE)
    assert line.text == ""


def test_bytes_of_a_keyboard_come_out_as_lines() -> None:
    line, keys = Editor(), Keys()
    typed = "helo\x7flo wörld\r\x1b[200~two\rthree\x1b[201~!\r".encode()
    outcomes: list[Outcome] = []
    for at in range(len(typed)):
        for key in keys.receive_data(typed[at : at + 1]):
            outcomes += line.press(key)
    assert outcomes == [Entered("hello wörld"), Entered("two"), Entered("three!")]
