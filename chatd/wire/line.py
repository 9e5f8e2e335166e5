"""Line codec and block codec: bytes to lines, or to messages of several lines, of safe text.

A line ends with LF or CR LF.  A line that is longer than ``LINE_BYTES`` is cut there, and the rest
of it is skipped without being kept.  The codec knows no commands and no chat.
"""

from __future__ import annotations

from dataclasses import dataclass

from chatd.chat.limits import LINE_BYTES
from chatd.chat.text.blocks import blocks, lines_of
from chatd.chat.text.erasing import erased
from chatd.chat.text.sanitizing import safe

#: Bytes that a block codec holds: several of the longest messages.
BLOCK_BYTES = 4 * LINE_BYTES


@dataclass(frozen=True, slots=True)
class CutLine:
    """The beginning of a line that was too long."""

    text: str


class LineCodec:
    """Line codec; it holds at most one unfinished line."""

    __slots__ = ("_skipping", "_unfinished")

    def __init__(self) -> None:
        self._unfinished = b""
        self._skipping = False

    @property
    def unfinished(self) -> bytes:
        """The bytes after the last line end, at most ``LINE_BYTES`` and one for a CR."""
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
            lines += map(_decode, ended)
        if rest and not self._skipping:
            self._unfinished += rest
            if len(self._unfinished) > LINE_BYTES + 1:  # the last byte may be the CR of a CR LF
                lines.append(_decode(self._unfinished))
                self._unfinished = b""
                self._skipping = True
        return lines

    def finish(self) -> list[str | CutLine]:
        """Return the text after the last line end as a line; the end of input ends it."""
        rest, self._unfinished = self._unfinished.removesuffix(b"\r"), b""
        return [_decode(rest)] if rest else []


class BlockCodec:
    """Block codec: the whole input becomes as few messages as possible, each of several lines.

    It holds at most ``BLOCK_BYTES``; a longer input is split at a line end.
    """

    __slots__ = ("_unfinished",)

    def __init__(self) -> None:
        self._unfinished = b""

    @property
    def unfinished(self) -> bytes:
        """The bytes that no message has yet."""
        return self._unfinished

    def receive_data(self, data: bytes) -> list[str | CutLine]:
        """Return the messages before the last line end, once there are enough bytes."""
        self._unfinished += data
        if len(self._unfinished) <= BLOCK_BYTES:
            return []
        end = self._unfinished.rfind(b"\n") + 1 or len(truncate(self._unfinished, BLOCK_BYTES))
        whole, self._unfinished = self._unfinished[:end], self._unfinished[end:]
        return _blocks(whole)

    def finish(self) -> list[str | CutLine]:
        """Return the messages at the end of input."""
        rest, self._unfinished = self._unfinished, b""
        return _blocks(rest)


def _blocks(data: bytes) -> list[str | CutLine]:
    lines = data.decode("utf-8", "replace").split("\n")
    return [*blocks(lines_of("\n".join(map(erased, lines))))]


def _decode(line: bytes) -> str | CutLine:
    """Return the text of a line, which may still end in the CR of its CR LF."""
    line = line.removesuffix(b"\r")
    return text_of(line) if len(line) <= LINE_BYTES else CutLine(text_of(truncate(line)))


def text_of(line: bytes) -> str:
    """Return the safe text of a line of UTF-8 after the Backspaces in it."""
    return safe(erased(line.decode("utf-8", "replace")))


def truncate(line: bytes, limit: int = LINE_BYTES) -> bytes:
    """Return at most the first ``limit`` bytes of a line, not cut within a character.

    At most three bytes fewer are returned: a character of UTF-8 has four (RFC 3629 section 3).
    """
    end = min(limit, len(line))
    if end < len(line):
        while end > limit - 4 and line[end] & 0xC0 == 0x80:  # 10xxxxxx continues a character
            end -= 1
    return line[:end]
