"""Paper: what stands there stays there, and nothing but text, CR, LF and backspaces is sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.terminal.screen.typewriter import LineModeScreen
from tests.support.displays import Display

PROMPT = "[lobby] "


class Typist:
    """Somebody at a terminal that knows no sequences."""

    def __init__(self, columns: int = 40, *, repeats: bool = True) -> None:
        self.display = Display(columns, 30)
        self.paper = LineModeScreen(columns, 30, repeats=repeats)
        self.prompt = PROMPT if repeats else ""
        self.sent = b""

    def takes(self, data: bytes) -> None:
        """Show what was sent, in which no sequence may be."""
        assert b"\x1b" not in data
        self.sent = data
        self.display.takes(data)

    def types(self, text: str) -> None:
        """Have the line be this."""
        self.takes(self.paper.draw(self.prompt, 8, text, len(text)))

    def enters(self, text: str) -> None:
        """Enter a line."""
        self.takes(self.paper.entered(self.prompt + text))

    def hears(self, message: str) -> None:
        """Be shown a line."""
        self.takes(self.paper.show(message.encode() + b"\r\n"))

    @property
    def lines(self) -> list[str]:
        return self.display.lines


def test_what_is_typed_is_sent_as_it_is_typed() -> None:
    ada = Typist()
    ada.types("")
    for typed, sent in (("h", b"h"), ("hell", b"ell"), ("hell", b""), ("hello", b"o")):
        ada.types(typed)
        assert ada.sent == sent
    ada.enters("hello")
    assert ada.sent == b"\r\n"
    assert ada.lines == ["[lobby] hello"]


def test_what_is_typed_and_entered_at_once_is_written_before_its_end() -> None:
    ada = Typist(repeats=False)
    ada.enters("hello")
    assert ada.sent == b"hello\r\n"


def test_what_was_taken_back_and_entered_at_once_is_gone() -> None:
    ada = Typist()
    ada.types("half"), ada.enters("hal")
    assert ada.lines == ["[lobby] hal"]


@pytest.mark.parametrize("gone", ["x", "日", "e\u0301", "xyz"])
def test_backspace_goes_back_over_what_is_gone(gone: str) -> None:
    ada = Typist()
    ada.types("ab" + gone), ada.types("ab")
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
def test_any_other_change_has_the_line_written_once_more(before: str, after: str) -> None:
    ada = Typist()
    ada.types(before), ada.types(after)
    assert ada.sent == b"\r\n" + f"{PROMPT}{after}".encode()


def test_a_message_has_a_row_of_its_own_and_the_line_is_there_again_for_eyes() -> None:
    ada = Typist()
    ada.types("hal"), ada.hears("bob: one"), ada.types("half")
    assert ada.lines == ["[lobby] hal", "bob: one", "[lobby] half"]


def test_a_message_has_a_row_of_its_own_and_nothing_is_read_aloud_again() -> None:
    ada = Typist(repeats=False)
    ada.types("hal"), ada.hears("bob: one"), ada.hears("bob: two"), ada.types("half")
    assert ada.lines == ["hal", "bob: one", "bob: two", "f"]
    ada.types("hal")
    assert ada.sent == b"\b \b"
    ada.types("ha")
    assert ada.lines == ["hal", "bob: one", "bob: two", "ha"]
    ada.enters("ha"), ada.hears("bob: three")
    assert ada.lines[3:] == ["ha", "bob: three"]


def test_another_prompt_is_written_on_a_row_of_its_own() -> None:
    ada = Typist()
    ada.types("")
    ada.prompt = "[attic] "
    ada.types("")
    assert ada.lines == ["[lobby]", "[attic]"]


def test_a_new_screen_has_the_line_once_more() -> None:
    ada = Typist(repeats=False)
    ada.types("hal"), ada.takes(ada.paper.clear())
    assert ada.lines == ["hal", "hal"]


def test_another_size_draws_nothing_and_counts_from_then_on() -> None:
    ada = Typist()
    ada.types("x" * 20)
    assert ada.paper.resize(60, 10) == b""
    assert (ada.paper.columns, ada.paper.rows) == (60, 10)


def test_whoever_writes_next_begins_a_row() -> None:
    ada = Typist()
    ada.types("hal"), ada.takes(ada.paper.leave())
    assert ada.display.cursor == (0, 1)
    ada.takes(ada.paper.leave())
    assert ada.display.cursor == (0, 1)


LINES = st.lists(st.sampled_from(["a", " ", "日", "e\u0301", "\u0301", "👨\u200d👩"]), max_size=60)


@given(
    st.integers(20, 60),
    st.lists(st.one_of(LINES.map(lambda line: ("types", "".join(line))), st.just(("hears", "hi")))),
)
def test_the_last_row_ends_as_the_line_does(columns: int, steps: list[tuple[str, str]]) -> None:
    ada = Typist(columns)
    line = ""
    for what, text in steps:
        getattr(ada, what)(text)
        line = text if what == "types" else line
        if what == "types" and "\u0301" not in text and "👨" not in text:
            shown = "".join(ada.lines).replace(" ", "")
            assert shown.endswith(line.replace(" ", "")[-5:])
