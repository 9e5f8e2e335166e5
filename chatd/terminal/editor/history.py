"""The lines that somebody has typed, to be brought back: one after the other, or by a search."""

from __future__ import annotations

#: Lines that are kept of one session, and their characters together.  bash keeps 500 lines, for
#: years; this is for an evening, and is held for everyone who is here.
HISTORY_LINES = 100
HISTORY_CHARACTERS = 8 * 1024


class History:
    """Lines, the newest last, and which of them is being looked at.

    ``_at`` is its place; one past the newest is the line being typed, which ``_draft`` holds while
    another is looked at.
    """

    __slots__ = ("_at", "_draft", "_lines", "_size")

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._size = 0
        self._at = 0
        self._draft = ""

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, at: int) -> str:
        return self._lines[at]

    def add(self, line: str) -> None:
        """A line was entered; a blank one and one that was the last already are not kept."""
        lines = self._lines
        if line.strip() and not (lines and lines[-1] == line):
            lines.append(line)
            self._size += len(line)
            while len(lines) > HISTORY_LINES or self._size > HISTORY_CHARACTERS:
                self._size -= len(lines.pop(0))
        self._at = len(lines)
        self._draft = ""

    def go(self, to: int, line: str) -> str | None:
        """Look at another line in place of this one; None when there is none there."""
        if not 0 <= to <= len(self._lines) or to == self._at == len(self._lines):
            return None
        if self._at == len(self._lines):
            self._draft = line
        self._at = to
        return self._draft if to == len(self._lines) else self._lines[to]

    def back(self, line: str) -> str | None:
        """The line before the one being looked at."""
        return self.go(self._at - 1, line)

    def on(self, line: str) -> str | None:
        """The line after the one being looked at; after the newest, what was being typed."""
        return self.go(self._at + 1, line)

    def find(self, words: str, at: int, step: int) -> int | None:
        """The place of the nearest line that holds some words, whatever their capitals."""
        folded = words.lower()
        while 0 <= at < len(self._lines):
            if folded in self._lines[at].lower():
                return at
            at += step
        return None
