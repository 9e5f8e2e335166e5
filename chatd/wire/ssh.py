"""The data types of an SSH packet (RFC 4251 section 5): parsed within bounds, and encoded.

It knows bytes.  It knows neither what a packet means nor where it came from.
"""

from __future__ import annotations

import struct
from typing import Final

_UINT32: Final = struct.Struct(">L")


class MalformedError(Exception):
    """A packet that lacks a field required by its message number; the argument is a sentence."""


def uint32(number: int) -> bytes:
    """Return a number as four bytes, most significant first."""
    return _UINT32.pack(number)


def string(data: bytes) -> bytes:
    """Return bytes preceded by their length."""
    return _UINT32.pack(len(data)) + data


def names(*of: bytes) -> bytes:
    """Return a name-list."""
    return string(b",".join(of))


class Fields:
    """Reader of one packet's fields, in order.

    :raises MalformedError: in every method, when the packet does not have what is read.
    """

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def uint32(self) -> int:
        """Read a number."""
        return int.from_bytes(self.take(4), "big")

    def boolean(self) -> bool:
        """Read a boolean: any byte but 0 is true."""
        return self.take(1) != b"\0"

    def string(self) -> bytes:
        """Read a string."""
        return self.take(self.uint32())

    def names(self) -> list[bytes]:
        """Read a name-list."""
        return self.string().split(b",")

    def take(self, size: int) -> bytes:
        """Read ``size`` bytes."""
        end = self._at + size
        if end > len(self._data):
            raise MalformedError("a packet ends in the middle of a field")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def rest(self) -> bytes:
        """Read all that is left."""
        return self.take(len(self._data) - self._at)

    def end(self) -> None:
        """Check that nothing is left."""
        if self._at != len(self._data):
            raise MalformedError("a packet goes on after its last field")
