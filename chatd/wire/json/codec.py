"""JSON stream codec: bytes to objects and back (RFC 8259; docs/protocol.rst, "The JSON protocol").

It knows the bounds of an object and where it ends in a stream; it must not know a transport, a
clock or the chat.  Objects are turned into requests by `chatd.wire.json.requests`.

Invariants:

- However the bytes are split, the values are the same, and no bytes raise.
- The end of an object is found by its strings and brackets before it is parsed, without recursion,
  and no byte is examined more than a few times.
- At most ``OBJECT_BYTES`` are held, and nothing of an object that is longer or nested too deeply.
- An error is reported once.  After a broken object everything is skipped up to the next line or
  object; after one that is too long or nested too deeply, and after an array, up to the next line,
  whatever it is.
- What is refused is not parsed, and after ``REFUSED_BYTES`` of it in a row nothing is read at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import Enum
from typing import Final

from chatd.wire.json.objects import (
    BROKEN,
    NESTING,
    NUMBER_CHARACTERS,
    OBJECT_BYTES,
    BadObject,
    Object,
    parse,
)
from chatd.wire.json.requests import (
    ID_LENGTH,
    MOST_NUMBER,
    BadRequest,
    DisconnectRequest,
    ErrorCode,
    History,
    Id,
    Join,
    Leave,
    Ping,
    Request,
    Say,
    SayIn,
    Topic,
    Username,
    Users,
    request_from,
)

__all__ = [
    "ID_LENGTH",
    "MOST_NUMBER",
    "NESTING",
    "NUMBER_CHARACTERS",
    "OBJECT_BYTES",
    "BadObject",
    "BadRequest",
    "DisconnectRequest",
    "ErrorCode",
    "History",
    "Id",
    "Join",
    "JsonCodec",
    "Leave",
    "Object",
    "Ping",
    "Request",
    "Say",
    "SayIn",
    "Topic",
    "Username",
    "Users",
    "encode",
    "encode_text",
    "recognises",
    "request_from",
]

#: Bytes of refused JSON, without an object between them, after which a client is not listened to:
#: it is broken, or it wants to keep the server busy.
REFUSED_BYTES: Final = 64 * 1024

#: Whitespace (RFC 8259, section 2).
_WHITESPACE: Final = b" \t\r\n"
#: A byte that is neither whitespace nor part of a byte order mark, which some clients send first
#: (RFC 8259, section 8.1, allows a parser to ignore it).
_BEGINNING: Final = re.compile(rb"[^ \t\r\n\xef\xbb\xbf]")
_LF: Final = ord("\n")

_LINE_OR_OBJECT: Final = re.compile(rb"[\n{]")
_OUT_OF_STRING: Final = re.compile(rb'["{}\[\]]')
_IN_STRING: Final = re.compile(rb'["\\\n]')
#: The fast path: a whole object that contains no other object or array, as almost all are.
_FLAT_OBJECT: Final = re.compile(rb'\{(?:[^"{}\[\]]++|"(?:[^"\\\n]++|\\[^\n])*+")*+\}')
_BEFORE_NESTED: Final = b":,[{"
_FIRST_OBJECT: Final = re.compile(rb'(?:\xef\xbb\xbf)?[ \t]*\{[ \t\r\n]*["}]')
_FIRST_OBJECT_SO_FAR: Final = re.compile(
    rb"(?:\xef|\xef\xbb|(?:\xef\xbb\xbf)?[ \t]*(?:\{[ \t\r\n]*)?)"
)


_NO_OBJECT: Final = BadObject("Only JSON objects are understood here.")
_TOO_LONG: Final = BadObject(f"A JSON object may have at most {OBJECT_BYTES} bytes.")
_TOO_DEEP: Final = BadObject(f"A JSON object may be nested at most {NESTING} deep.")
#: The last value of a stream: what comes after it is dropped.
TOO_MUCH_REFUSED: Final = BadObject(
    f"Your last {REFUSED_BYTES // 1024} KiB were not JSON that is understood here. Goodbye."
)


class _State(Enum):
    """Where the codec is in the stream."""

    BETWEEN = "between objects"
    OBJECT = "in an object, of which everything is held"
    TO_NEXT_OBJECT = "behind what is broken, before the next line or object"
    TO_NEXT_LINE = "in what has been refused, before the next line"
    OVER = "after too much that was refused"


def recognises(data: bytes) -> bool | None:
    """Return whether a connection's first bytes begin an object; None when more are needed.

    ``{`` alone is not enough: users of other protocols type ``{hello``.  An empty first line is
    also a user's.
    """
    if _FIRST_OBJECT.match(data):
        return True
    return None if _FIRST_OBJECT_SO_FAR.fullmatch(data) else False


def encode(fields: Mapping[str, object]) -> bytes:
    """Return an object as one line of UTF-8, spaced as ``{"username": "ada", "version": 2}``.

    :raises ValueError: for NaN and infinities, which JSON does not have.
    """
    line = json.dumps(fields, ensure_ascii=False, allow_nan=False)
    return line.encode("utf-8", "replace") + b"\n"


def encode_text(text: str) -> bytes:
    """Return a text as it stands in an object, without its quotes."""
    return json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "replace")


class JsonCodec:
    """The decoder of one stream; it holds at most one unfinished object."""

    __slots__ = ("_depth", "_escaped", "_held", "_in_string", "_last_byte", "_refused", "_state")

    def __init__(self) -> None:
        self._state = _State.BETWEEN
        self._held = bytearray()
        self._depth = 0
        self._in_string = False
        self._escaped = False
        #: The last byte outside of strings that is not whitespace.
        self._last_byte = 0
        #: Bytes that have been refused since the last object.
        self._refused = 0

    @property
    def unfinished(self) -> bytes:
        """The bytes of an unfinished object."""
        return bytes(self._held)

    @property
    def held(self) -> int:
        """The number of bytes of an unfinished object."""
        return len(self._held)

    def receive_data(self, data: bytes) -> list[Object | BadObject]:
        """Return the objects that these bytes complete."""
        values: list[Object | BadObject] = []
        at = 0
        while at < len(data) and self._state is not _State.OVER:
            if self._state is _State.BETWEEN:
                at = self._find_beginning(data, at, values)
            elif self._state is _State.OBJECT:
                at = self._read(data, at, values)
            else:
                at = self._skip(data, at, values)
        return values

    def _find_beginning(self, data: bytes, at: int, values: list[Object | BadObject]) -> int:
        """Skip whitespace; return the position of an object, or the one after a flat object."""
        found = _BEGINNING.search(data, at)
        if not found:
            return len(data)
        at = found.start()
        if data[at] == ord("{"):
            flat = _FLAT_OBJECT.match(data, at)
            if flat and flat.end() - at <= OBJECT_BYTES:
                self._add(parse(flat[0]), flat.end() - at, values)
                return flat.end()
            self._state = _State.OBJECT
        else:
            is_array = data[at] == ord("[")
            then = _State.TO_NEXT_LINE if is_array else _State.TO_NEXT_OBJECT
            self._refuse(_NO_OBJECT, then, 0, values)
        self._depth = 0
        self._in_string = self._escaped = False
        return at

    def _skip(self, data: bytes, at: int, values: list[Object | BadObject]) -> int:
        """Return the position of the next line, or object, without looking at what is skipped."""
        if self._state is _State.TO_NEXT_LINE:
            end = data.find(b"\n", at)
        else:
            found = _LINE_OR_OBJECT.search(data, at)
            end = found.start() if found else -1
        if end >= 0:
            self._state = _State.BETWEEN
        else:
            end = len(data)
        self._count_refused(end - at, values)
        return end

    def _read(self, data: bytes, at: int, values: list[Object | BadObject]) -> int:
        """Read up to and including the next byte that may matter; return the position after it."""
        if self._escaped:
            self._escaped = False
            if data[at] != _LF:
                self._hold(data[at : at + 1], values)
                return at + 1
        stop = min(len(data), at + OBJECT_BYTES + 1 - len(self._held))
        found = (_IN_STRING if self._in_string else _OUT_OF_STRING).search(data, at, stop)
        end = found.start() if found else stop
        if not self._in_string and (between := data[at:end].rstrip(_WHITESPACE)):
            self._last_byte = between[-1]
        if not self._hold(data[at:end], values) or not found:
            return end
        if self._is_broken_at(data[end]):
            self._refuse(BROKEN, _State.TO_NEXT_OBJECT, len(self._held), values)
            return end
        if not self._hold(data[end : end + 1], values):
            return end + 1
        if self._in_string:
            self._escaped = data[end] == ord("\\")
            self._in_string = self._escaped
        elif data[end] == ord('"'):
            self._in_string = True
        else:
            self._count_bracket(data[end], values)
        self._last_byte = data[end]
        return end + 1

    def _is_broken_at(self, byte: int) -> bool:
        """Return whether this byte shows that the object is broken.

        A string contains no line end, and a nested object follows a colon, a comma or a bracket.
        Otherwise a quote or a bracket is missing, and without this check the next object would be
        lost too.
        """
        if self._in_string:
            return byte == _LF
        return byte == ord("{") and self._depth > 0 and self._last_byte not in _BEFORE_NESTED

    def _count_bracket(self, bracket: int, values: list[Object | BadObject]) -> None:
        """Count a bracket; the last one ends the object."""
        if bracket in b"{[":
            self._depth += 1
            if self._depth > NESTING:
                self._refuse(_TOO_DEEP, _State.TO_NEXT_LINE, len(self._held), values)
            return
        self._depth -= 1
        if not self._depth:
            self._add(parse(bytes(self._held)), len(self._held), values)
            self._held.clear()

    def _add(
        self, value: Object | BadObject, length: int, values: list[Object | BadObject]
    ) -> None:
        """Add a complete object, or refuse it; a broken object may have ended elsewhere."""
        if isinstance(value, Object):
            values.append(value)
            self._state = _State.BETWEEN
            self._refused = 0
        else:
            self._refuse(value, _State.TO_NEXT_OBJECT, length, values)

    def _hold(self, piece: bytes, values: list[Object | BadObject]) -> bool:
        """Hold a piece of an object; return whether the object is not too long with it."""
        self._held += piece
        if len(self._held) <= OBJECT_BYTES:
            return True
        self._refuse(_TOO_LONG, _State.TO_NEXT_LINE, len(self._held), values)
        return False

    def _refuse(
        self, bad: BadObject, then: _State, length: int, values: list[Object | BadObject]
    ) -> None:
        """Report an error in an object of which so many bytes have come, and drop what is held."""
        values.append(bad)
        self._state = then
        self._held.clear()
        self._count_refused(length, values)

    def _count_refused(self, length: int, values: list[Object | BadObject]) -> None:
        """Count bytes that were refused or skipped, up to the bound."""
        self._refused += length
        if self._refused > REFUSED_BYTES:
            values.append(TOO_MUCH_REFUSED)
            self._state = _State.OVER
