"""Input history: the lines that a user has entered, recalled one by one or by a search."""

from __future__ import annotations

#: The most lines of one session, and the most characters of them together.  bash keeps 500 lines,
#: for years; this is for an evening, and is held in memory for every connected user.
HISTORY_LINES = 100
HISTORY_CHARACTERS = 8 * 1024


class History:
    """Entered lines, the newest last, and the position of the shown line.

    ``_index`` is that position; one past the newest stands for the line being typed, which
    ``_draft`` holds while an entered line is shown.
    """

    __slots__ = ("_draft", "_index", "_lines", "_size")

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._size = 0
        self._index = 0
        self._draft = ""

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index: int) -> str:
        return self._lines[index]

    def add(self, line: str) -> None:
        """Add an entered line, unless it is blank or repeats the last one; drop the oldest."""
        lines = self._lines
        if line.strip() and not (lines and lines[-1] == line):
            lines.append(line)
            self._size += len(line)
            while len(lines) > HISTORY_LINES or self._size > HISTORY_CHARACTERS:
                self._size -= len(lines.pop(0))
        self._index = len(lines)
        self._draft = ""

    def go(self, index: int, line: str) -> str | None:
        """Return the line at an index, to replace ``line``; None if there is none."""
        if not 0 <= index <= len(self._lines) or index == self._index == len(self._lines):
            return None
        if self._index == len(self._lines):
            self._draft = line
        self._index = index
        return self._draft if index == len(self._lines) else self._lines[index]

    def older(self, line: str) -> str | None:
        """Return the line before the one that is shown, or None."""
        return self.go(self._index - 1, line)

    def newer(self, line: str) -> str | None:
        """Return the line after the one that is shown: after the newest, the unfinished one."""
        return self.go(self._index + 1, line)

    def find(self, query: str, index: int, step: int) -> int | None:
        """Return the index of the nearest line that contains a query, ignoring case, or None.

        The search begins at ``index`` and continues in steps of ``step``, 1 or -1.
        """
        folded = query.lower()
        while 0 <= index < len(self._lines):
            if folded in self._lines[index].lower():
                return index
            index += step
        return None
