"""Line mode: printed text is never moved; only text, CR, LF and backspaces are sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.terminal.screen.typewriter import LineModeScreen
from tests.support.displays import Display

PROMPT = "[lobby] "


class LineModeUser:
    """A user at a terminal that supports no escape sequences."""

    def __init__(self, columns: int = 40, *, repeats: bool = True) -> None:
        self.display = Display(columns, 30)
        self.screen = LineModeScreen(columns, 30, repeats=repeats)
        self.prompt = PROMPT if repeats else ""
        self.sent = b""

    def receive(self, data: bytes) -> None:
        """Display output, which must not contain a sequence."""
        assert b"\x1b" not in data
        self.sent = data
        self.display.feed(data)

    def type_line(self, text: str) -> None:
        """Draw the line with this text."""
        self.receive(self.screen.draw(self.prompt, 8, text, len(text)))

    def enter(self, text: str) -> None:
        """Enter the line."""
        self.receive(self.screen.entered(self.prompt + text))

    def show_message(self, message: str) -> None:
        """Show a message."""
        self.receive(self.screen.show(message.encode() + b"\r\n"))

    @property
    def lines(self) -> list[str]:
        return self.display.lines


def test_typed_text_is_appended_as_it_is_typed() -> None:
    ada = LineModeUser()
    ada.type_line("")
    for typed, sent in (("h", b"h"), ("hell", b"ell"), ("hell", b""), ("hello", b"o")):
        ada.type_line(typed)
        assert ada.sent == sent
    ada.enter("hello")
    assert ada.sent == b"\r\n"
    assert ada.lines == ["[lobby] hello"]


def test_a_line_typed_and_entered_at_once_is_printed_before_its_end() -> None:
    ada = LineModeUser(repeats=False)
    ada.enter("hello")
    assert ada.sent == b"hello\r\n"


def test_text_deleted_and_entered_at_once_is_erased() -> None:
    ada = LineModeUser()
    ada.type_line("half"), ada.enter("hal")
    assert ada.lines == ["[lobby] hal"]


@pytest.mark.parametrize("gone", ["x", "日", "e\u0301", "xyz"])
def test_backspace_erases_the_deleted_characters(gone: str) -> None:
    ada = LineModeUser()
    ada.type_line("ab" + gone), ada.type_line("ab")
    assert ada.lines == ["[lobby] ab"]
    assert ada.display.cursor == (10, 0)
    assert set(ada.sent) == {8, 32}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("hello", "jello"),
        ("x" * 40, "x" * 31),
        ("ab\U0001f468\u200d\U0001f469", "ab"),
        ("cafe\u0301", "cafe"),
    ],
)
def test_any_other_change_prints_the_line_again(before: str, after: str) -> None:
    ada = LineModeUser()
    ada.type_line(before), ada.type_line(after)
    assert ada.sent == b"\r\n" + f"{PROMPT}{after}".encode()


def test_a_message_is_on_its_own_row_and_the_unfinished_line_is_printed_again() -> None:
    ada = LineModeUser()
    ada.type_line("hal"), ada.show_message("bob: one"), ada.type_line("half")
    assert ada.lines == ["[lobby] hal", "bob: one", "[lobby] half"]


def test_for_screen_readers_a_message_is_on_its_own_row_and_nothing_is_repeated() -> None:
    ada = LineModeUser(repeats=False)
    (
        ada.type_line("hal"),
        ada.show_message("bob: one"),
        ada.show_message("bob: two"),
        ada.type_line("half"),
    )
    assert ada.lines == ["hal", "bob: one", "bob: two", "f"]
    ada.type_line("hal")
    assert ada.sent == b"\b \b"
    ada.type_line("ha")
    assert ada.lines == ["hal", "bob: one", "bob: two", "ha"]
    ada.enter("ha"), ada.show_message("bob: three")
    assert ada.lines[3:] == ["ha", "bob: three"]


def test_a_new_prompt_is_printed_on_its_own_row() -> None:
    ada = LineModeUser()
    ada.type_line("")
    ada.prompt = "[attic] "
    ada.type_line("")
    assert ada.lines == ["[lobby]", "[attic]"]


def test_a_cleared_screen_prints_the_line_again() -> None:
    ada = LineModeUser(repeats=False)
    ada.type_line("hal"), ada.receive(ada.screen.clear())
    assert ada.lines == ["hal", "hal"]


def test_a_resize_prints_nothing_and_applies_from_then_on() -> None:
    ada = LineModeUser()
    ada.type_line("x" * 20)
    assert ada.screen.resize(60, 10) == b""
    assert (ada.screen.columns, ada.screen.rows) == (60, 10)


def test_after_leaving_output_begins_a_new_row() -> None:
    ada = LineModeUser()
    ada.type_line("hal"), ada.receive(ada.screen.leave())
    assert ada.display.cursor == (0, 1)
    ada.receive(ada.screen.leave())
    assert ada.display.cursor == (0, 1)


LINES = st.lists(st.sampled_from(["a", " ", "日", "e\u0301", "\u0301", "👨\u200d👩"]), max_size=60)


@given(
    st.integers(20, 60),
    st.lists(
        st.one_of(
            LINES.map(lambda line: ("type_line", "".join(line))), st.just(("show_message", "hi"))
        )
    ),
)
def test_the_last_row_ends_with_the_end_of_the_line(
    columns: int, steps: list[tuple[str, str]]
) -> None:
    ada = LineModeUser(columns)
    line = ""
    for what, text in steps:
        getattr(ada, what)(text)
        line = text if what == "type_line" else line
        if what == "type_line" and "\u0301" not in text and "👨" not in text:
            shown = "".join(ada.lines).replace(" ", "")
            assert shown.endswith(line.replace(" ", "")[-5:])
