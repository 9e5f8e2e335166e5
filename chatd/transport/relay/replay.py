"""Replay buffer: input of a relayed terminal that would be lost with the other server."""

from __future__ import annotations

import re

from chatd.chat.limits import LINE_BYTES

#: The keys that end a line for the other server: Enter, Ctrl-C, Ctrl-D.
_ENDS = re.compile(rb"[\r\n\x03\x04]")


class ReplayBuffer:
    """The bytes typed since the last whole line that was acknowledged; none while ``hidden``.

    An unfinished line is forgotten once more than ``LINE_BYTES`` of it are acknowledged.
    """

    __slots__ = ("_bytes", "_start", "hidden")

    def __init__(self) -> None:
        self._bytes = b""
        self._start = 0  # the position of _bytes in all input
        self.hidden = False

    def add(self, data: bytes, acknowledged: int) -> None:
        """Add typed bytes; ``acknowledged`` counts the acknowledged bytes of all input."""
        self._bytes += data
        self._forget(acknowledged)

    def _forget(self, acknowledged: int) -> None:
        """Forget the completely acknowledged lines."""
        size = min(max(0, acknowledged - self._start), len(self._bytes))
        ends = [found.end() for found in _ENDS.finditer(self._bytes, 0, size)]
        done = ends[-1] if ends else 0
        if self.hidden or size - done > LINE_BYTES:
            done = size
        self._bytes = self._bytes[done:]
        self._start += done

    def rest(self, acknowledged: int) -> bytes:
        """Return the input that would be lost, given how many bytes are acknowledged in all."""
        self._forget(acknowledged)
        return b"" if self.hidden else self._bytes
