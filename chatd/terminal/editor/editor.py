"""The line being typed: what each key does to it.

The keys are those of Emacs, of readline and of every terminal.  It knows nothing of the screen, and
what a word can be completed to it is told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

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
from chatd.terminal.editor.paste import lines_of, question
from chatd.terminal.editor.search import Search
from chatd.terminal.editor.undo import Undo

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
    """What is to be seen: a text, the cursor's place in it, whether the prompt is before it."""

    text: str
    at: int
    prompted: bool = True


def _never(line: str) -> bool:
    """Return False: any line may be remembered."""
    return False


class Editor:
    """One line and what goes with it: history, undo, what was taken out last.

    While it is ``masked`` what is typed is a secret: it is not shown, and goes into neither
    history, undo nor yank; the line that was being typed before is there again afterwards.  With
    ``stays_at_end`` the cursor does, for terminals that cannot show it elsewhere.

    :param may_hold_secret: Whether an entered line may hold a secret, and is not remembered.
    """

    __slots__ = (
        "_choices",
        "_draft",
        "_history",
        "_last",
        "_line",
        "_masked",
        "_may_hold_secret",
        "_pasted",
        "_search",
        "_undo",
        "_yank",
        "stays_at_end",
    )

    def __init__(self, may_hold_secret: Callable[[str], bool] = _never) -> None:
        self._may_hold_secret = may_hold_secret
        self._line = EditBuffer()
        self._history: History | None = None
        self._search: Search | None = None
        self._choices: CompletionMenu | None = None
        self._pasted: tuple[str, ...] = ()
        self._undo: Undo | None = None
        self._yank = ""
        self._last = ""
        self._masked = False
        self._draft: tuple[str, int] = ("", 0)
        self.stays_at_end = False

    @property
    def text(self) -> str:
        """The line being typed."""
        return self._line.text

    @property
    def at(self) -> int:
        """Before which of its characters the cursor is."""
        return self._line.at

    @property
    def masked(self) -> bool:
        """Whether a secret is being typed."""
        return self._masked

    @masked.setter
    def masked(self, masked: bool) -> None:
        if masked == self._masked:
            return
        self._search, self._choices, self._pasted, self._last = None, None, (), ""
        self._masked = masked
        draft, self._draft = self._draft, (self.text, self.at) if masked else ("", 0)
        self._line.set(*draft)
        self._undo = None

    def shown(self) -> Shown:
        """What is to be seen of it."""
        if self._masked:
            return Shown("", 0)
        if self._pasted:
            asked = question(len(self._pasted))
            return Shown(asked, len(asked), prompted=False)
        if self._search is not None:
            return Shown(*self._search.shown(), prompted=False)
        return Shown(self._line.text, self._line.at)

    # Keys -----------------------------------------------------------------------------------------

    def press(self, key: Text | Key | Paste) -> list[EditorEvent]:
        """Do what a key does; return what else came of it."""
        if self.stays_at_end:
            self._end()
        if self._pasted:
            return self._answer(key)
        if self._search is not None and self._look_for(key):
            return []
        match key:
            case Text(text=text):
                return self._type(text)
            case Paste():
                return self._paste(key)
            case Key():
                return self._act(key)

    def _act(self, key: Key) -> list[EditorEvent]:
        name = key.name.lower() if key.ctrl or key.alt else key.name
        action = _ACTIONS.get((name, key.ctrl, key.alt))
        if self._choices is not None and name not in ("tab", "escape"):
            self._choices = None
        if name == "tab":
            return self._complete(back=key.shift)
        if action is None or (key.shift and name in SELECTING):
            self._last = ""
            return []
        outcomes = action(self) or []
        self._last = action.__name__
        if self.stays_at_end:
            self._end()
        return outcomes

    def _type(self, text: str) -> list[EditorEvent]:
        self._choices = None
        goes_on = self._last == "type" and not (text[0] == " " and self.text[-1:] != " ")
        if not goes_on:
            self._remember()
        self._last = "type"
        return [] if self._line.insert(text) else [Full()]

    def _enter(self) -> list[EditorEvent]:
        line = self.text
        if not (self._masked or self._may_hold_secret(line)):
            self._history = self._history or History()
            self._history.add(line)
        self._line.set("")
        self._undo = None
        return [Entered(line)]

    def _clear(self) -> list[EditorEvent]:
        if not self.text or self._masked:
            self._line.set("")
            return [Interrupted()]
        self._remember()
        self._line.set("")
        return []

    def _redraw(self) -> list[EditorEvent]:
        return [Redraw()]

    # Moving ---------------------------------------------------------------------------------------

    def _home(self) -> None:
        self._line.at = 0

    def _end(self) -> None:
        self._line.at = len(self.text)

    def _left(self) -> None:
        self._line.at = self._line.before()

    def _right(self) -> None:
        self._line.at = self._line.after()

    def _word_left(self) -> None:
        self._line.at = self._line.word_before()

    def _word_right(self) -> None:
        self._line.at = self._line.word_after()

    # Taking out and putting in --------------------------------------------------------------------

    def _cut(self, start: int, end: int) -> str:
        if start >= end:
            return ""
        self._remember()
        return self._line.cut(start, end)

    def _backspace(self) -> None:
        self._cut(self._line.before(), self.at)

    def _delete(self) -> None:
        if not self.stays_at_end:
            self._cut(self.at, self._line.after())

    def _delete_or_end(self) -> list[EditorEvent]:
        if not self.text:
            return [Ended()]
        self._delete()
        return []

    def _kill(self, start: int, end: int) -> None:
        """Take a piece out that can be put in again; what is taken out in a row is one piece."""
        at = self.at
        piece = self._cut(start, end)
        if self._masked or not piece:
            return
        if not self._last.startswith("_kill"):
            self._yank = piece
        elif start < at:
            self._yank = piece + self._yank
        else:
            self._yank += piece

    def _kill_to_end(self) -> None:
        self._kill(self.at, len(self.text))

    def _kill_to_start(self) -> None:
        self._kill(0, self.at)

    def _kill_between_blanks(self) -> None:
        self._kill(self._line.blank_before(), self.at)

    def _kill_word_before(self) -> None:
        self._kill(self._line.word_before(), self.at)

    def _kill_word_after(self) -> None:
        self._kill(self.at, self._line.word_after())

    def _put_in(self) -> list[EditorEvent]:
        self._remember()
        return [] if self._line.insert(self._yank) else [Full()]

    def _transpose(self) -> None:
        self._remember()
        self._line.transpose()

    # Undo -----------------------------------------------------------------------------------------

    def _remember(self) -> None:
        """Keep the line as it is now, for undo."""
        if not self._masked:
            self._undo = self._undo or Undo()
            self._undo.keep(self.text, self.at)

    def _take_back(self) -> None:
        if self._undo is not None:
            self._line.set(*self._undo.back(self.text, self.at))

    # History and search ---------------------------------------------------------------------------

    def _look_at(self, find: Callable[[History], str | None]) -> None:
        """Have a line of the history in place of this one, if there is one there."""
        line = None if self._history is None or self._masked else find(self._history)
        if line is not None:
            self._remember()
            self._line.set(line)

    def _older(self) -> None:
        self._look_at(lambda history: history.back(self.text))

    def _newer(self) -> None:
        self._look_at(lambda history: history.on(self.text))

    def _oldest(self) -> None:
        self._look_at(lambda history: history.go(0, self.text))

    def _newest(self) -> None:
        self._look_at(lambda history: history.go(len(history), self.text))

    def _begin_search(self) -> None:
        if not self._masked:
            self._search = Search(self._history or History())

    def _look_for(self, key: Text | Key | Paste) -> bool:
        """Do what a key does in a search; False when it ends it and has still to be done."""
        search = self._search
        assert search is not None  # press has looked
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
                search.take_away()
            case Key(name="escape") | Key(name="g" | "c", ctrl=True, alt=False):
                self._search = None
            case Key(name="l", ctrl=True):
                return False
            case _:
                self._accept(search)
                return False
        return True

    def _accept(self, search: Search) -> None:
        """The line that was found is the one being typed."""
        self._search = None
        if search.line:
            self._remember()
            self._line.set(search.line, search.place)
        if self.stays_at_end:
            self._end()

    # Completion -----------------------------------------------------------------------------------

    def _complete(self, *, back: bool) -> list[EditorEvent]:
        """Tab: the next of what the word may become; the first time that is asked for."""
        self._last = ""
        if self._masked:
            return []
        if self._choices is None:
            return [] if back else [Completing(self.text[: self.at])]
        self._choices.turn(self._line, -1 if back else 1)
        return []

    def offer(self, start: int, choices: tuple[str, ...]) -> None:
        """What the text from ``start`` to the cursor may become, the likeliest first."""
        if not choices:
            return
        self._remember()
        offered = CompletionMenu(self._line, start, choices)
        self._choices = offered if len(choices) > 1 else None

    def _escape(self) -> None:
        """Have the word again that was typed."""
        if self._choices is not None:
            self._choices.undo(self._line)
            self._choices = None

    # Pastes ---------------------------------------------------------------------------------------

    def _paste(self, paste: Paste) -> list[EditorEvent]:
        """Put one line in; of several ask whether they are to be sent."""
        self._choices = None
        self._last = ""
        cut: list[EditorEvent] = [PasteCut()] if paste.cut else []
        lines = lines_of(paste.text)
        if len(lines) > 1 and not self._masked and not self.text.startswith("/"):
            before, after = self.text[: self.at], self.text[self.at :]
            self._pasted = tuple(lines_of("\n".join([before + lines[0], *lines[1:]]) + after))
            return cut
        self._remember()
        full: list[EditorEvent] = [] if self._line.insert(" ".join(lines)) else [Full()]
        return full + cut

    def _answer(self, key: Text | Key | Paste) -> list[EditorEvent]:
        """Yes sends what was pasted, no forgets it; other keys wait for one or the other."""
        match key:
            case Text(text=text) if text[0] in "yYnN":
                lines, self._pasted = self._pasted, ()
                outcomes: list[EditorEvent] = []
                if text[0] in "yY":
                    self._line.set("")
                    self._undo = None
                    outcomes = [Block(lines)]
                return outcomes + (self._type(text[1:]) if text[1:] else [])
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
