"""Paper: for terminals that move no cursor, and for ears; what stands there stays there.

What is typed is shown at its end, character by character.  Backspace goes back over it as far as
its row goes; anything else that changes the line has it written out once more, on a row of its own.
It sends no sequence, nothing but text, CR, LF and backspaces.
"""

from __future__ import annotations

from chatd.terminal.text.graphemes import cells, edge, is_sure

_NEW_ROW = b"\r\n"


class LineModeScreen:
    """One line that is typed on paper.  ``columns`` is in character cells.

    One that ``repeats`` writes the line that is half typed again under each message, for eyes; a
    screen reader would read it aloud each time.  ``_done`` is what of prompt and line was written
    since the last one was entered, ``_column`` how much of the paper's last row is taken.
    """

    __slots__ = ("_column", "_done", "_repeats", "columns", "rows")

    def __init__(self, columns: int, rows: int, *, repeats: bool) -> None:
        self.columns = columns
        self.rows = rows
        self._repeats = repeats
        self._done = ""
        self._column = 0

    def show(self, data: bytes) -> bytes:
        """Whole lines that end with CR LF, on rows of their own."""
        shown = self._new_row() + data
        return shown + self._write(self._done) if self._repeats else shown

    def draw(
        self, prompt: str, left: int, text: str, at: int, above: tuple[str, ...] = ()
    ) -> bytes:
        """Write what is new of the line; nothing can be ``above`` it that is taken away again."""
        wanted = prompt + text
        done, self._done = self._done, wanted
        if wanted.startswith(done):
            return self._write(wanted[len(done) :])
        gone = done[len(wanted) :]
        if done.startswith(wanted) and is_sure(gone) and edge(done, len(wanted)) == len(wanted):
            back = cells(gone)
            if back <= self._column < self.columns:
                self._column -= back
                return (b"\b" * back) + (b" " * back) + (b"\b" * back)
        return self._new_row() + self._write(wanted)

    def entered(self, text: str) -> bytes:
        """The line is complete, and stays as it stands there."""
        written = self.draw("", 0, text, len(text)) + _NEW_ROW
        self._done, self._column = "", 0
        return written

    def resize(self, columns: int, rows: int) -> bytes:
        """The paper has another width from now on."""
        self.columns, self.rows = columns, rows
        return b""

    def clear(self) -> bytes:
        """The line once more, on a row of its own."""
        return self._new_row() + self._write(self._done)

    def leave(self) -> bytes:
        """Begin a new row, for whoever writes next."""
        self._done = ""
        return self._new_row()

    def _new_row(self) -> bytes:
        column, self._column = self._column, 0
        return _NEW_ROW if column else b""

    def _write(self, text: str) -> bytes:
        taken = cells(text)
        if taken:
            self._column = (self._column + taken - 1) % self.columns + 1
        return text.encode()
