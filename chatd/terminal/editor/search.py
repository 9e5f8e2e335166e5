"""Looking for a line of the history while one types what it holds (Ctrl-R)."""

from __future__ import annotations

from chatd.chat.text.sanitizing import safe
from chatd.terminal.editor.history import History
from chatd.terminal.text.graphemes import edge

#: Characters of what is looked for.
SEARCHED = 100


class Search:
    """What is looked for, and the line that was found, if any was.

    ``at`` is that line's place in the history; before anything is found, one past its end.
    """

    __slots__ = ("_history", "at", "failed", "words")

    def __init__(self, history: History) -> None:
        self._history = history
        self.words = ""
        self.at = len(history)
        self.failed = False

    @property
    def line(self) -> str:
        """The line that was found last."""
        return self._history[self.at] if self.at < len(self._history) else ""

    @property
    def place(self) -> int:
        """Where in it the words are."""
        line = self.line
        place = line.lower().find(self.words.lower())  # in other letters, perhaps not as long
        return edge(line, min(max(0, place), len(line)))

    def add(self, text: str) -> None:
        """More of what is looked for; the line that was found may still be it."""
        self.words = safe(self.words + text)[:SEARCHED]
        self._look(min(self.at, len(self._history) - 1), -1)

    def take_away(self) -> None:
        """Less of it by a character: begin anew with what is left."""
        self.words = self.words[:-1]
        self.at = len(self._history)
        self.failed = False
        if self.words:
            self._look(self.at - 1, -1)

    def older(self) -> None:
        """The next line before this one."""
        self._look(self.at - 1, -1)

    def newer(self) -> None:
        """The next line after this one."""
        self._look(self.at + 1, 1)

    def _look(self, at: int, step: int) -> None:
        if not self.words:
            return
        found = self._history.find(self.words, at, step)
        self.failed = found is None
        if found is not None:
            self.at = found

    def shown(self) -> tuple[str, int]:
        """What is to be shown of it in place of the line, and where the cursor is in that."""
        asked = f"({'nothing' if self.failed else 'search'}: {self.words}) "
        return asked + self.line, len(asked) + self.place
