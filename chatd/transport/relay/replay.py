"""Typed: what somebody has typed at a lent terminal that would be lost with the other server."""

from __future__ import annotations

import re

from chatd.chat.limits import LINE_BYTES

#: What ends a line for the other server: Enter, Ctrl-C, Ctrl-D.
_ENDS = re.compile(rb"[\r\n\x03\x04]")


class ReplayBuffer:
    """What was typed since the last line that has been taken; nothing while it is ``hidden``.

    A line of which more than ``LINE_BYTES`` have been taken is let go of.
    """

    __slots__ = ("_bytes", "_start", "hidden")

    def __init__(self) -> None:
        self._bytes = b""
        self._start = 0  # where they begin in all that was sent
        self.hidden = False

    def add(self, data: bytes, taken: int) -> None:
        """More is typed; so many bytes of all have been taken."""
        self._bytes += data
        self._forget(taken)

    def _forget(self, taken: int) -> None:
        """Let go of the lines that have been taken wholly."""
        size = min(max(0, taken - self._start), len(self._bytes))
        ends = [found.end() for found in _ENDS.finditer(self._bytes, 0, size)]
        gone = ends[-1] if ends else 0
        if self.hidden or size - gone > LINE_BYTES:
            gone = size
        self._bytes = self._bytes[gone:]
        self._start += gone

    def rest(self, taken: int) -> bytes:
        """What would be lost, once so many bytes of all have been taken."""
        self._forget(taken)
        return b"" if self.hidden else self._bytes
