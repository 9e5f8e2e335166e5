"""Line editor: applies keys to the line being typed, as readline does.

It knows nothing of the screen, and is given the candidates for a completion.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from chatd.chat.text.blocks import lines_of
from chatd.terminal.editor.bindings import BINDINGS, SELECTING, Binding
from chatd.terminal.editor.choices import CompletionMenu
from chatd.terminal.editor.history import History
from chatd.terminal.editor.keys import Key, Paste, Text
from chatd.terminal.editor.line import EditBuffer
from chatd.terminal.editor.outcomes import (
    Block,
    Completing,
    EditorEvent,
    Ended,
    Entered,
    Full,
    Interrupted,
    PasteCut,
    Redraw,
)
from chatd.terminal.editor.paste import question
from chatd.terminal.editor.search import Search
from chatd.terminal.editor.undo import UndoStack

__all__ = [
    "Block",
    "Completing",
    "Editor",
    "EditorEvent",
    "Ended",
    "Entered",
    "Full",
    "Interrupted",
    "PasteCut",
    "Redraw",
    "Shown",
]


class Shown(NamedTuple):
    """The text to display, the cursor's position in it, and whether the prompt precedes it."""

    text: str
    cursor: int
    prompted: bool = True


def _never(line: str) -> bool:
    """Return False: any line may be remembered."""
    return False


class Editor:
    """A line with its history, undo, completion, and the last killed text.

    While it is ``masked`` the input is a secret: it is not shown, and goes into neither history,
    undo nor yank; afterwards the line that was being typed before is restored.  With
    ``stays_at_end`` the cursor never leaves the end, for terminals that cannot show it elsewhere.
    """

    __slots__ = (
        "_completions",
        "_draft",
        "_history",
        "_killed",
        "_last_action",
        "_line",
        "_masked",
        "_may_hold_secret",
        "_pasted",
        "_search",
        "_undo_stack",
        "stays_at_end",
    )

    def __init__(self, may_hold_secret: Callable[[str], bool] = _never) -> None:
        self._may_hold_secret = may_hold_secret
        self._line = EditBuffer()
        self._history: History | None = None
        self._search: Search | None = None
        self._completions: CompletionMenu | None = None
        self._pasted: tuple[str, ...] = ()
        self._undo_stack: UndoStack | None = None
        self._killed = ""
        self._last_action = ""
        self._masked = False
        self._draft: tuple[str, int] = ("", 0)
        self.stays_at_end = False

    @property
    def text(self) -> str:
        """The line being typed."""
        return self._line.text

    @property
    def cursor(self) -> int:
        """The index of the character that the cursor is before."""
        return self._line.cursor

    @property
    def masked(self) -> bool:
        """Whether the input is a secret."""
        return self._masked

    @masked.setter
    def masked(self, masked: bool) -> None:
        if masked == self._masked:
            return
        self._search, self._completions, self._pasted, self._last_action = None, None, (), ""
        self._masked = masked
        draft, self._draft = self._draft, (self.text, self.cursor) if masked else ("", 0)
        self._line.set(*draft)
        self._undo_stack = None

    def shown(self) -> Shown:
        """Return the text to display: the line, a search, or the question about a paste."""
        if self._masked:
            return Shown("", 0)
        if self._pasted:
            asks = question(len(self._pasted))
            return Shown(asks, len(asks), prompted=False)
        if self._search is not None:
            return Shown(*self._search.shown(), prompted=False)
        return Shown(self._line.text, self._line.cursor)

    # Keys -----------------------------------------------------------------------------------------

    def press(self, key: Text | Key | Paste) -> list[EditorEvent]:
        """Apply a key; return the events that it causes besides a change of the line."""
        if self.stays_at_end:
            self._end()
        if self._pasted:
            return self._answer_paste(key)
        if self._search is not None and self._press_in_search(key):
            return []
        match key:
            case Text(text=text):
                return self._type(text)
            case Paste():
                return self._paste(key)
            case Key():
                return self._press_key(key)

    def _press_key(self, key: Key) -> list[EditorEvent]:
        name = key.name.lower() if key.ctrl or key.alt else key.name
        action = _ACTIONS.get((name, key.ctrl, key.alt))
        if self._completions is not None and name not in ("tab", "escape"):
            self._completions = None
        if name == "tab":
            return self._complete(back=key.shift)
        if action is None or (key.shift and name in SELECTING):
            self._last_action = ""
            return []
        events = action(self) or []
        self._last_action = action.__name__
        if self.stays_at_end:
            self._end()
        return events

    def _type(self, text: str) -> list[EditorEvent]:
        self._completions = None
        # One undo step for each word: a blank after a word begins the next.
        same_word = self._last_action == "type" and not (text[0] == " " and self.text[-1:] != " ")
        if not same_word:
            self._save_undo()
        self._last_action = "type"
        return [] if self._line.insert(text) else [Full()]

    def _enter(self) -> list[EditorEvent]:
        line = self.text
        if not (self._masked or self._may_hold_secret(line)):
            self._history = self._history or History()
            self._history.add(line)
        self._line.set("")
        self._undo_stack = None
        return [Entered(line)]

    def _clear(self) -> list[EditorEvent]:
        if not self.text or self._masked:
            self._line.set("")
            return [Interrupted()]
        self._save_undo()
        self._line.set("")
        return []

    def _redraw(self) -> list[EditorEvent]:
        return [Redraw()]

    # Moving ---------------------------------------------------------------------------------------

    def _home(self) -> None:
        self._line.cursor = 0

    def _end(self) -> None:
        self._line.cursor = len(self.text)

    def _left(self) -> None:
        self._line.cursor = self._line.char_before()

    def _right(self) -> None:
        self._line.cursor = self._line.char_after()

    def _word_left(self) -> None:
        self._line.cursor = self._line.word_before()

    def _word_right(self) -> None:
        self._line.cursor = self._line.word_after()

    # Kill and yank --------------------------------------------------------------------------------

    def _cut(self, start: int, end: int) -> str:
        if start >= end:
            return ""
        self._save_undo()
        return self._line.cut(start, end)

    def _backspace(self) -> None:
        self._cut(self._line.backspace_from(), self.cursor)

    def _delete(self) -> None:
        if not self.stays_at_end:
            self._cut(self.cursor, self._line.char_after())

    def _delete_or_end(self) -> list[EditorEvent]:
        if not self.text:
            return [Ended()]
        self._delete()
        return []

    def _kill(self, start: int, end: int) -> None:
        """Delete a range and keep it for yank; successive kills are joined, as in readline."""
        cursor = self.cursor
        piece = self._cut(start, end)
        if self._masked or not piece:
            return
        if not self._last_action.startswith("_kill"):
            self._killed = piece
        elif start < cursor:
            self._killed = piece + self._killed
        else:
            self._killed += piece

    def _kill_to_end(self) -> None:
        self._kill(self.cursor, len(self.text))

    def _kill_to_start(self) -> None:
        self._kill(0, self.cursor)

    def _kill_blank_word_before(self) -> None:
        self._kill(self._line.blank_word_before(), self.cursor)

    def _kill_word_before(self) -> None:
        self._kill(self._line.word_before(), self.cursor)

    def _kill_word_after(self) -> None:
        self._kill(self.cursor, self._line.word_after())

    def _yank(self) -> list[EditorEvent]:
        self._save_undo()
        return [] if self._line.insert(self._killed) else [Full()]

    def _transpose(self) -> None:
        self._save_undo()
        self._line.transpose()

    # Undo -----------------------------------------------------------------------------------------

    def _save_undo(self) -> None:
        """Save the current line for undo."""
        if not self._masked:
            self._undo_stack = self._undo_stack or UndoStack()
            self._undo_stack.push(self.text, self.cursor)

    def _undo(self) -> None:
        if self._undo_stack is not None:
            self._line.set(*self._undo_stack.pop(self.text, self.cursor))

    # History and search ---------------------------------------------------------------------------

    def _recall(self, find: Callable[[History], str | None]) -> None:
        """Replace the line by one from the history, if there is one."""
        line = None if self._history is None or self._masked else find(self._history)
        if line is not None:
            self._save_undo()
            self._line.set(line)

    def _older(self) -> None:
        self._recall(lambda history: history.older(self.text))

    def _newer(self) -> None:
        self._recall(lambda history: history.newer(self.text))

    def _oldest(self) -> None:
        self._recall(lambda history: history.go(0, self.text))

    def _newest(self) -> None:
        self._recall(lambda history: history.go(len(history), self.text))

    def _begin_search(self) -> None:
        if not self._masked:
            self._search = Search(self._history or History())

    def _press_in_search(self, key: Text | Key | Paste) -> bool:
        """Apply a key to the search; False when it ends the search and is still to be applied."""
        search = self._search
        assert search is not None  # press has checked
        match key:
            case Text(text=text):
                search.add(text)
            case Paste(text=text):
                search.add(text.partition("\n")[0])
            case Key(name="r", ctrl=True, alt=False):
                search.older()
            case Key(name="s", ctrl=True, alt=False):
                search.newer()
            case Key(name="backspace", alt=False):
                search.backspace()
            case Key(name="escape") | Key(name="g" | "c", ctrl=True, alt=False):
                self._search = None
            case Key(name="l", ctrl=True):
                return False
            case _:
                self._accept(search)
                return False
        return True

    def _accept(self, search: Search) -> None:
        """End the search with the matched line as the one being typed."""
        self._search = None
        if search.line:
            self._save_undo()
            self._line.set(search.line, search.match_start)
        if self.stays_at_end:
            self._end()

    # Completion -----------------------------------------------------------------------------------

    def _complete(self, *, back: bool) -> list[EditorEvent]:
        """Go to the next or previous candidate; the first Tab asks for the candidates."""
        self._last_action = ""
        if self._masked:
            return []
        if self._completions is None:
            return [] if back else [Completing(self.text[: self.cursor])]
        self._completions.cycle(self._line, -1 if back else 1)
        return []

    def offer(self, start: int, choices: tuple[str, ...]) -> None:
        """Offer candidates for the text from ``start`` to the cursor, the likeliest first."""
        if not choices:
            return
        self._save_undo()
        menu = CompletionMenu(self._line, start, choices)
        self._completions = menu if len(choices) > 1 else None

    def _escape(self) -> None:
        """Cancel the completion: restore the word as it was typed."""
        if self._completions is not None:
            self._completions.cancel(self._line)
            self._completions = None

    # Pastes ---------------------------------------------------------------------------------------

    def _paste(self, paste: Paste) -> list[EditorEvent]:
        """Insert a single line; for several lines, ask whether to send them."""
        self._completions = None
        self._last_action = ""
        cut: list[EditorEvent] = [PasteCut()] if paste.cut else []
        lines = lines_of(paste.text)
        if len(lines) > 1 and not self._masked and not self.text.startswith("/"):
            before, after = self.text[: self.cursor], self.text[self.cursor :]
            self._pasted = tuple(lines_of(before + paste.text.strip("\n") + after))
            return cut
        self._save_undo()
        full: list[EditorEvent] = [] if self._line.insert(" ".join(lines)) else [Full()]
        return full + cut

    def _answer_paste(self, key: Text | Key | Paste) -> list[EditorEvent]:
        """Send the paste on y, discard it on n, Escape, Ctrl-G or Ctrl-C; ignore other keys."""
        match key:
            case Text(text=text) if text[0] in "yYnN":
                lines, self._pasted = self._pasted, ()
                events: list[EditorEvent] = []
                if text[0] in "yY":
                    self._line.set("")
                    self._undo_stack = None
                    events = [Block(lines)]
                return events + (self._type(text[1:]) if text[1:] else [])
            case Key(name="escape") | Key(name="g" | "c", ctrl=True):
                self._pasted = ()
            case Key(name="l", ctrl=True):
                return [Redraw()]
            case _:
                pass
        return []


_ACTIONS: Final[dict[Binding, Callable[[Editor], list[EditorEvent] | None]]] = {
    binding: getattr(Editor, f"_{action}") for binding, action in BINDINGS.items()
}
