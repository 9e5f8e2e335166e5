"""Line mode: a screen for terminals without cursor movement, and for screen readers.

Printed text is never moved or redrawn.  Typed characters are appended; backspace goes back within
its row, and any other change of the line prints the line again on a new row.  It sends no escape
sequences, nothing but text, CR, LF and backspaces.
"""

from __future__ import annotations

from chatd.terminal.text.graphemes import boundary_from, cells, is_sure

_NEW_ROW = b"\r\n"


class LineModeScreen:
    """The line mode display of one line.  ``columns`` is in character cells.

    With ``repeats`` the unfinished line is printed again below each message; a screen reader would
    read it aloud each time.  ``_written`` is the prompt and the part of the line that are printed,
    ``_column`` the number of cells taken in the last row.
    """

    __slots__ = ("_column", "_repeats", "_written", "columns", "rows")

    def __init__(self, columns: int, rows: int, *, repeats: bool) -> None:
        self.columns = columns
        self.rows = rows
        self._repeats = repeats
        self._written = ""
        self._column = 0

    def show(self, data: bytes) -> bytes:
        """Return the bytes that print whole lines, each ended by CR LF, on new rows."""
        shown = self._new_row() + data
        return shown + self._write(self._written) if self._repeats else shown

    def draw(
        self, prompt: str, prompt_width: int, text: str, cursor: int, above: tuple[str, ...] = ()
    ) -> bytes:
        """Print the change of the line; rows ``above`` are ignored, as they cannot be erased."""
        wanted = prompt + text
        written, self._written = self._written, wanted
        if wanted.startswith(written):
            return self._write(wanted[len(written) :])
        deleted = written[len(wanted) :]
        whole = boundary_from(written, len(wanted)) == len(wanted)
        if written.startswith(wanted) and is_sure(deleted) and whole:
            back = cells(deleted)
            if back <= self._column < self.columns:
                self._column -= back
                return (b"\b" * back) + (b" " * back) + (b"\b" * back)
        return self._new_row() + self._write(wanted)

    def entered(self, text: str) -> bytes:
        """Print a complete line, prompt included, and its end; it stays on the screen."""
        printed = self.draw("", 0, text, len(text)) + _NEW_ROW
        self._written, self._column = "", 0
        return printed

    def resize(self, columns: int, rows: int) -> bytes:
        """Use another width from now on; nothing is printed."""
        self.columns, self.rows = columns, rows
        return b""

    def clear(self) -> bytes:
        """Print the line again on a new row."""
        return self._new_row() + self._write(self._written)

    def leave(self) -> bytes:
        """Forget the line and begin a new row."""
        self._written = ""
        return self._new_row()

    def _new_row(self) -> bytes:
        column, self._column = self._column, 0
        return _NEW_ROW if column else b""

    def _write(self, text: str) -> bytes:
        taken = cells(text)
        if taken:
            self._column = (self._column + taken - 1) % self.columns + 1
        return text.encode()
