"""Incremental history search (Ctrl-R), as in readline."""

from __future__ import annotations

from chatd.chat.text.sanitizing import safe
from chatd.terminal.editor.history import History
from chatd.terminal.text.graphemes import backspace_from, boundary_from

#: The most characters of a query.
QUERY_CHARACTERS = 100


class Search:
    """A query, and the history line that it matched last, if any.

    ``index`` is that line's index in the history; without a match, one past the newest.
    """

    __slots__ = ("_history", "failed", "index", "query")

    def __init__(self, history: History) -> None:
        self._history = history
        self.query = ""
        self.index = len(history)
        self.failed = False

    @property
    def line(self) -> str:
        """The line that matched last; empty without one."""
        return self._history[self.index] if self.index < len(self._history) else ""

    @property
    def match_start(self) -> int:
        """The index of the query in that line, in code points."""
        line = self.line
        start = line.lower().find(self.query.lower())  # lower case may differ in length
        return boundary_from(line, min(max(0, start), len(line)))

    def add(self, text: str) -> None:
        """Append to the query; the current match stays when it still matches."""
        self.query = safe(self.query + text)[:QUERY_CHARACTERS]
        self._find(min(self.index, len(self._history) - 1), -1)

    def backspace(self) -> None:
        """Remove the query's last character and search again from the newest line."""
        self.query = self.query[: backspace_from(self.query, len(self.query))]
        self.index = len(self._history)
        self.failed = False
        if self.query:
            self._find(self.index - 1, -1)

    def older(self) -> None:
        """Go to the next match before this one."""
        self._find(self.index - 1, -1)

    def newer(self) -> None:
        """Go to the next match after this one."""
        self._find(self.index + 1, 1)

    def _find(self, index: int, step: int) -> None:
        if not self.query:
            return
        found = self._history.find(self.query, index, step)
        self.failed = found is None
        if found is not None:
            self.index = found

    def shown(self) -> tuple[str, int]:
        """Return the text that is shown in place of the line, and the cursor in it."""
        label = f"({'nothing' if self.failed else 'search'}: {self.query}) "
        return label + self.line, len(label) + self.match_start
