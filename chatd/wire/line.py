"""The line codec: bytes to lines of safe text.

A line ends with LF or CR LF.  One that is longer than ``LINE_BYTES`` is cut there; the rest of it
is skipped without being kept.  It knows no commands and no chat.
"""

from __future__ import annotations

from dataclasses import dataclass

from chatd.chat.limits import LINE_BYTES
from chatd.chat.text.sanitizing import decode


@dataclass(frozen=True, slots=True)
class CutLine:
    """The beginning of a line that was too long."""

    text: str


class LineCodec:
    """Takes bytes, gives lines; holds at most one unfinished line."""

    __slots__ = ("_skipping", "_unfinished")

    def __init__(self) -> None:
        self._unfinished = b""
        self._skipping = False

    @property
    def unfinished(self) -> bytes:
        """What came after the last line end."""
        return self._unfinished

    def receive_data(self, data: bytes) -> list[str | CutLine]:
        """Return the lines that these bytes complete."""
        *ended, rest = data.split(b"\n")
        lines: list[str | CutLine] = []
        if ended:
            if self._skipping:
                self._skipping = False
                del ended[0]
            else:
                ended[0] = self._unfinished + ended[0]
            self._unfinished = b""
            for line in ended:
                if len(line) > LINE_BYTES:
                    line = line.removesuffix(b"\r")
                lines.append(decode(line) if len(line) <= LINE_BYTES else _cut(line))
        if rest and not self._skipping:
            self._unfinished += rest
            if len(self._unfinished) > LINE_BYTES + 1:  # one more, for the CR of an end to come
                lines.append(_cut(self._unfinished))
                self._unfinished = b""
                self._skipping = True
        return lines

    def finish(self) -> list[str | CutLine]:
        """Return what the end of input makes a line: text without a line end."""
        rest, self._unfinished = self._unfinished.removesuffix(b"\r"), b""
        return [decode(rest) if len(rest) <= LINE_BYTES else _cut(rest)] if rest else []


def _cut(line: bytes) -> CutLine:
    """Cut a line to the bound, not within a character."""
    end = LINE_BYTES
    while end > LINE_BYTES - 4 and line[end] & 0xC0 == 0x80:
        end -= 1
    return CutLine(decode(line[:end]))
