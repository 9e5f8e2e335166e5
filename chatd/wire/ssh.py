"""The fields of an SSH packet (RFC 4251 section 5): taken apart with bounds checked, put together.

It knows bytes.  It knows neither what a packet means nor where it came from.
"""

from __future__ import annotations

import struct
from typing import Final

_UINT32: Final = struct.Struct(">L")


class MalformedError(Exception):
    """A packet does not hold what its number promises: the peer's fault, said in one sentence."""


def uint32(number: int) -> bytes:
    """A number as SSH writes it."""
    return _UINT32.pack(number)


def string(data: bytes) -> bytes:
    """Bytes with their length before them."""
    return _UINT32.pack(len(data)) + data


def names(*of: bytes) -> bytes:
    """A name-list."""
    return string(b",".join(of))


class Fields:
    """Reads one packet from front to back; whatever is not there raises ``MalformedError``."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def uint32(self) -> int:
        """The next number."""
        return int.from_bytes(self.take(4), "big")

    def boolean(self) -> bool:
        """The next truth: any byte but 0."""
        return self.take(1) != b"\0"

    def string(self) -> bytes:
        """The next string."""
        return self.take(self.uint32())

    def names(self) -> list[bytes]:
        """The next name-list."""
        return self.string().split(b",")

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        end = self._at + size
        if end > len(self._data):
            raise MalformedError("a packet ends in the middle of a field")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data) - self._at)

    def end(self) -> None:
        """Nothing may be left."""
        if self._at != len(self._data):
            raise MalformedError("a packet goes on after its last field")
