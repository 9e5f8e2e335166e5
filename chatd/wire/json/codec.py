"""The JSON protocol: bytes to objects and back (docs/protocol.rst, "The JSON protocol").

It knows where an object ends in a stream and what may be in one; it must not know a transport, a
clock or the chat.  What an object asks for is read by `chatd.wire.json.requests`.

What holds throughout:

- Any cutting of the bytes gives the same values, and no bytes whatever raise.
- An object is measured before it is parsed: its end is found by its strings and brackets, without
  recursion, and no byte is looked at more than a few times.
- What is held is bounded by ``OBJECT_BYTES``; of what is longer or deeper nothing is held.
- What is wrong is said once: after a `BadObject` all is passed over up to the next line or the next
  object.
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
    parsed,
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
    "recognises",
    "request_from",
]

#: RFC 8259, section 2.
_BLANKS: Final = b" \t\r\n"
#: What is neither a blank nor of a byte order mark, which some clients begin with (RFC 8259,
#: section 8.1, lets a reader ignore it).
_BEGINNING: Final = re.compile(rb"[^ \t\r\n\xef\xbb\xbf]")
_LF: Final = ord("\n")

_OBJECT_BEGINS: Final = re.compile(rb"[\n{]")
_OUT_OF_STRING: Final = re.compile(rb'["{}\[\]]')
_IN_STRING: Final = re.compile(rb'["\\\n]')
#: A whole object with no other in it, which is what almost all are, without a second look.
_FLAT_OBJECT: Final = re.compile(rb'\{(?:[^"{}\[\]]++|"(?:[^"\\\n]++|\\[^\n])*+")*+\}')
_BEFORE_VALUE: Final = b":,[{"
_FIRST_OBJECT: Final = re.compile(rb'(?:\xef\xbb\xbf)?[ \t]*\{[ \t\r\n]*["}]')
_FIRST_OBJECT_SO_FAR: Final = re.compile(
    rb"(?:\xef|\xef\xbb|(?:\xef\xbb\xbf)?[ \t]*(?:\{[ \t\r\n]*)?)"
)


_NO_OBJECT: Final = BadObject("Only JSON objects are understood here.")
_TOO_LONG: Final = BadObject(f"A JSON object may have at most {OBJECT_BYTES} bytes.")
_TOO_DEEP: Final = BadObject(f"A JSON object may be nested at most {NESTING} deep.")


class _State(Enum):
    """Where the codec is in the stream."""

    BETWEEN = "between objects"
    OBJECT = "in an object, of which everything is held"
    SKIPPED = "in an object or array that has been refused"
    PASSING = "behind what has been refused, before the next line or object"


def recognises(data: bytes) -> bool | None:
    """Return whether the first bytes of a connection are an object's; None: more are needed.

    ``{`` alone is not enough: people type ``{hello`` too.  Nor is an empty line before it.
    """
    if _FIRST_OBJECT.match(data):
        return True
    return None if _FIRST_OBJECT_SO_FAR.fullmatch(data) else False


def encode(fields: Mapping[str, object]) -> bytes:
    """Return an object as one line of UTF-8, with blanks as ``{"username": "ada", "version": 2}``.

    :raises ValueError: for NaN and the infinities, which JSON does not have.
    """
    line = json.dumps(fields, ensure_ascii=False, allow_nan=False)
    return line.encode("utf-8", "replace") + b"\n"


class JsonCodec:
    """Takes bytes, gives objects; holds at most one unfinished object."""

    __slots__ = ("_before", "_depth", "_escaped", "_held", "_in_string", "_state")

    def __init__(self) -> None:
        self._state = _State.BETWEEN
        self._held = bytearray()
        self._depth = 0
        self._in_string = False
        self._escaped = False
        #: The last byte that is no blank, outside of strings.
        self._before = 0

    @property
    def unfinished(self) -> bytes:
        """What came of an object that has not ended."""
        return bytes(self._held)

    @property
    def held(self) -> int:
        """The bytes of an unfinished object."""
        return len(self._held)

    def receive_data(self, data: bytes) -> list[Object | BadObject]:
        """Return the objects that these bytes complete."""
        values: list[Object | BadObject] = []
        at = 0
        while at < len(data):
            if self._state is _State.BETWEEN:
                at = self._find_beginning(data, at, values)
            elif self._state is _State.PASSING:
                at = self._pass_over(data, at)
            else:
                at = self._read(data, at, values)
        return values

    def _find_beginning(self, data: bytes, at: int, values: list[Object | BadObject]) -> int:
        """Pass over blanks, and return where to go on: at an object, behind a flat one."""
        found = _BEGINNING.search(data, at)
        if not found:
            return len(data)
        at = found.start()
        if data[at] == ord("{"):
            flat = _FLAT_OBJECT.match(data, at)
            if flat and flat.end() - at <= OBJECT_BYTES:
                self._add(parsed(flat[0]), values)
                return flat.end()
            self._state = _State.OBJECT
        else:
            values.append(_NO_OBJECT)
            self._state = _State.SKIPPED if data[at] == ord("[") else _State.PASSING
        self._depth = 0
        self._in_string = self._escaped = False
        return at

    def _pass_over(self, data: bytes, at: int) -> int:
        """Return where the next line or object begins."""
        found = _OBJECT_BEGINS.search(data, at)
        if not found:
            return len(data)
        self._state = _State.BETWEEN
        return found.start()

    def _read(self, data: bytes, at: int, values: list[Object | BadObject]) -> int:
        """Read to the next byte that may matter, and that byte; return where to go on."""
        if self._escaped:
            self._escaped = False
            if data[at] != _LF:
                self._hold(data, at, at + 1, values)
                return at + 1
        found = (_IN_STRING if self._in_string else _OUT_OF_STRING).search(data, at)
        end = found.start() if found else len(data)
        if not self._in_string and (between := data[at:end].rstrip(_BLANKS)):
            self._before = between[-1]
        self._hold(data, at, end, values)
        if not found:
            return end
        if self._is_broken_at(data[end]):
            self._refuse(BROKEN, _State.PASSING, values)
            return end
        self._hold(data, end, end + 1, values)
        if self._in_string:
            self._escaped = data[end] == ord("\\")
            self._in_string = self._escaped
        elif data[end] == ord('"'):
            self._in_string = True
        else:
            self._count(data[end], values)
        self._before = data[end]
        return end + 1

    def _is_broken_at(self, byte: int) -> bool:
        """Whether what goes on here cannot be the object that began.

        A string has no line ends, and an object within another comes behind a colon, a comma or
        a bracket.  Otherwise a quote or a bracket was left out, and without this the next object
        would be lost as well.
        """
        if self._in_string:
            return byte == _LF
        return byte == ord("{") and self._depth > 0 and self._before not in _BEFORE_VALUE

    def _count(self, bracket: int, values: list[Object | BadObject]) -> None:
        """Take a bracket in, perhaps the last one."""
        if bracket in b"{[":
            self._depth += 1
            if self._depth > NESTING:
                self._refuse(_TOO_DEEP, _State.SKIPPED, values)
            return
        self._depth -= 1
        if self._depth:
            return
        if self._state is _State.OBJECT:
            self._add(parsed(bytes(self._held)), values)
        else:
            self._state = _State.PASSING
        self._held.clear()

    def _add(self, value: Object | BadObject, values: list[Object | BadObject]) -> None:
        """Give what a whole object was; what is broken may have ended elsewhere."""
        values.append(value)
        self._state = _State.BETWEEN if isinstance(value, Object) else _State.PASSING

    def _hold(self, data: bytes, start: int, end: int, values: list[Object | BadObject]) -> None:
        """Keep a piece of an object, unless the object is too long now."""
        if self._state is not _State.OBJECT:
            return
        if len(self._held) + end - start > OBJECT_BYTES:
            self._refuse(_TOO_LONG, _State.SKIPPED, values)
        else:
            self._held += data[start:end]

    def _refuse(self, bad: BadObject, then: _State, values: list[Object | BadObject]) -> None:
        """Say once what is wrong, and keep nothing more."""
        if self._state is _State.OBJECT:
            values.append(bad)
        self._state = then
        self._held.clear()
