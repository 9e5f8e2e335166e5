"""Socket assignment requests: their fields, their errors, and a partial request.

See docs/protocol.rst, "The socket assignment's protocol".  It knows fields and their values; it
must not know incomplete lines, transports or the chat.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from chatd.chat.limits import LINE_BYTES
from chatd.chat.text.sanitizing import decode, safe_lines

#: The most bytes of a header line, and of a line of HELO, with its key.  HTTP servers allow 8 KiB;
#: here it is five times the longest name.
HEADER_BYTES = 1024
#: The most bytes of a message with the line ends between its lines: those of a line of the line
#: protocol.
MESSAGE_BYTES = LINE_BYTES
#: The most lines of one message: each becomes a line for all members of the room.
MESSAGE_LINES = 50
#: The largest ROOM_REF or JOIN_ID: 63 bits, the range of a Java long.
MOST_NUMBER = 2**63 - 1

_NUMBER = re.compile(rb"0*([0-9]{1,19})")
_KEY = re.compile(rb"[A-Z][A-Z_]*")
#: The most bytes of a key, the blanks before its colon included.
_KEY_BYTES = 32


class ErrorCode(IntEnum):
    """The values of ERROR_CODE; ``sentence`` is the default ERROR_DESCRIPTION.

    The codec uses the first four; the others are for a well-formed request that is refused.
    """

    sentence: str

    def __new__(cls, code: int, sentence: str) -> Self:
        """Create a member from a number and its sentence."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.sentence = sentence
        return member

    MISSING_FIELD = 1, "The request lacks a field."
    NOT_A_NUMBER = 2, "A field that has to be a number is none."
    TOO_LONG = 3, "The request is too long."
    EMPTY_FIELD = 4, "A field that has to say something is empty."
    NO_SUCH_ROOM = 5, "No room has that ROOM_REF."
    NOT_IN_ROOM = 6, "You are not in that room."
    WRONG_JOIN_ID = 7, "That JOIN_ID and CLIENT_NAME do not belong together."
    BAD_ROOM = 8, "A room cannot be called that."
    BAD_NAME = 9, "Nobody can be called that."
    NAME_TAKEN = 10, "Somebody else has that CLIENT_NAME."
    NOT_ALLOWED = 11, "That is not allowed here."
    TOO_FAST = 12, "You are sending too fast."
    SERVER_FULL = 13, "The server is full."
    #: Any other refusal by the chat, with the chat's own sentence.
    REFUSED = 14, "That cannot be done."


@dataclass(frozen=True, slots=True)
class Helo:
    """HELO: identify the server.  ``text`` is repeated in the reply."""

    text: str


@dataclass(frozen=True, slots=True)
class KillService:
    """KILL_SERVICE: stop the server."""


@dataclass(frozen=True, slots=True)
class Join:
    """JOIN_CHATROOM; its CLIENT_IP and PORT are ignored."""

    room: str
    nick: str


@dataclass(frozen=True, slots=True)
class Leave:
    """LEAVE_CHATROOM; ``nick`` may be empty.

    ``ref`` is a ROOM_REF or a room's name, ``join_id`` None if it is no number.
    """

    ref: int | str
    join_id: int | None
    nick: str


@dataclass(frozen=True, slots=True)
class Say:
    """CHAT: a message of one line or several, none of them empty; ``nick`` may be empty.

    ``ref`` is a ROOM_REF or a room's name, ``join_id`` None if it is no number.
    """

    ref: int | str
    join_id: int | None
    nick: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Disconnect:
    """DISCONNECT; ``nick`` may be empty."""

    nick: str


@dataclass(frozen=True, slots=True)
class Bad:
    """A malformed request."""

    code: ErrorCode
    sentence: str


Request = Helo | KillService | Join | Leave | Say | Disconnect

#: The first field of each request, and the other fields that it requires, in the order in which a
#: missing one is reported.
REQUIRED_FIELDS: Final[dict[bytes, tuple[bytes, ...]]] = {
    b"JOIN_CHATROOM": (b"CLIENT_NAME",),
    b"LEAVE_CHATROOM": (b"JOIN_ID", b"CLIENT_NAME"),
    b"CHAT": (b"JOIN_ID", b"CLIENT_NAME", b"MESSAGE"),
    b"DISCONNECT": (b"CLIENT_NAME",),
}


def field(line: bytes) -> tuple[bytes, bytes]:
    """Return a header line's key and value, both empty for any other line.

    A key is in capitals; a space in it counts as an underscore.
    """
    key, colon, value = line.partition(b":")
    if not colon or len(key) > _KEY_BYTES:
        return b"", b""
    key = key.strip().replace(b" ", b"_")
    return (key, value.strip()) if _KEY.fullmatch(key) else (b"", b"")


def number(value: bytes) -> int | None:
    """Return an unsigned number of up to 63 bits, or None for anything else, of any length."""
    digits = _NUMBER.fullmatch(value)
    found = int(digits[1]) if digits else MOST_NUMBER + 1
    return found if found <= MOST_NUMBER else None


def begins_within_message(line: bytes) -> bool:
    """Return whether a line within a message begins the next request: then the message is over.

    Stricter than between requests: users write ``CHAT: later?`` in a message too.
    """
    if line.startswith(b"HELO ") or line == b"KILL_SERVICE":
        return True
    key, value = field(line) if line[:1].isupper() else (b"", b"")
    if key == b"DISCONNECT":
        return not value or number(value) is not None
    return key == b"JOIN_CHATROOM" or (key in REQUIRED_FIELDS and number(value) is not None)


class PartialRequest:
    """A partially received request; it holds no more than the bounds above."""

    __slots__ = (
        "_bytes",
        "_count",
        "_fault",
        "_kind",
        "_lines",
        "_values",
        "in_message",
        "is_over",
    )

    def __init__(self, kind: bytes, value: bytes, *, too_long: bool) -> None:
        #: Whether the next lines are those of the message.
        self.in_message = False
        #: Whether nothing more can follow.
        self.is_over = False
        self._kind = kind
        self._values: dict[bytes, bytes] = {}
        self._lines: list[bytes] = []
        self._count = 0
        self._bytes = -1  # the first line has no line end before it
        self._fault: Bad | None = None
        self._set(kind, value, too_long)

    @property
    def held(self) -> int:
        """The number of bytes held: values, and the message with a line end for each line."""
        return sum(map(len, self._values.values())) + sum(len(line) + 1 for line in self._lines)

    def lacks_only(self, key: bytes) -> bool:
        """Return whether this field is the only missing one."""
        return self._missing() == [key]

    def add_line(self, line: bytes, *, too_long: bool) -> bool:
        """Add a line; False when it belongs to the next request, as this one is over."""
        if not self.in_message:
            return self._add_header(line, too_long)
        if not line and not too_long:
            self.is_over = True
        elif begins_within_message(line):
            return False
        else:
            self._add_text(line, too_long)
        return True

    def _add_header(self, line: bytes, too_long: bool) -> bool:
        """Add a header line, or ignore one that this request does not need, or a blank line."""
        key, value = field(line)
        if key in REQUIRED_FIELDS or (line and not key) or line.startswith(b"HELO "):
            return False
        if key == b"MESSAGE" and self._kind == b"CHAT":
            self.in_message = True
            self._values[key] = b""
            self._add_text(value, too_long)
        elif key in REQUIRED_FIELDS[self._kind]:
            self._set(key, value, too_long or len(line) > HEADER_BYTES)
            self.is_over = not self._missing()
        return True

    def _add_text(self, line: bytes, too_long: bool) -> None:
        """Add a line of the message, within the bounds."""
        self._bytes += len(line) + 1
        self._count += 1
        if too_long or self._bytes > MESSAGE_BYTES or self._count > MESSAGE_LINES:
            self._refuse_as_too_long(b"MESSAGE")
        if self._fault is None:
            self._lines.append(line)

    def request(self) -> Request | Bad:
        """Return the request, or its error, now that it has ended."""
        if missing := self._missing():
            return Bad(
                ErrorCode.MISSING_FIELD,
                f"{self._kind.decode()} came without {missing[0].decode()}.",
            )
        if self._fault:
            return self._fault
        if self._kind == b"JOIN_CHATROOM":
            room, nick = self._text(self._kind), self._text(b"CLIENT_NAME")
            if not room or not nick:
                return _bad_field(ErrorCode.EMPTY_FIELD, b"CLIENT_NAME" if room else self._kind)
            return Join(room, nick)
        if self._kind == b"DISCONNECT":
            return Disconnect(self._text(b"CLIENT_NAME"))
        return self._room_request()

    def _room_request(self) -> Leave | Say | Bad:
        """Return a request with a ROOM_REF, or its error."""
        ref: int | str | None = number(self._values[self._kind])
        if ref is None:
            ref = self._text(self._kind)
        if not ref and ref != 0:
            return _bad_field(ErrorCode.NOT_A_NUMBER, self._kind)
        join_id = number(self._values[b"JOIN_ID"])
        nick = self._text(b"CLIENT_NAME")
        if self._kind == b"LEAVE_CHATROOM":
            return Leave(ref, join_id, nick)
        return self._say(ref, join_id, nick)

    def _say(self, ref: int | str, join_id: int | None, nick: str) -> Say | Bad:
        """Return the message; line breaks other than LF and expanded tabs count as well."""
        message = b"\n".join(self._lines).decode("utf-8", "replace")
        lines = tuple(text for line in safe_lines(message) if (text := line.rstrip()))
        if not lines:
            return _bad_field(ErrorCode.EMPTY_FIELD, b"MESSAGE")
        if len(lines) > MESSAGE_LINES or len("\n".join(lines).encode()) > MESSAGE_BYTES:
            return _bad_field(ErrorCode.TOO_LONG, b"MESSAGE")
        return Say(ref, join_id, nick, lines)

    def _missing(self) -> list[bytes]:
        return [key for key in REQUIRED_FIELDS[self._kind] if key not in self._values]

    def _text(self, key: bytes) -> str:
        return decode(self._values[key]).strip()

    def _set(self, key: bytes, value: bytes, too_long: bool) -> None:
        if too_long:
            self._refuse_as_too_long(key)
        self._values[key] = b"" if too_long else value

    def _refuse_as_too_long(self, key: bytes) -> None:
        self._fault = self._fault or _bad_field(ErrorCode.TOO_LONG, key)
        self._lines.clear()


_FIELD_SENTENCES: Final = {
    ErrorCode.NOT_A_NUMBER: "{} has to be a number.",
    ErrorCode.TOO_LONG: "{} is too long.",
    ErrorCode.EMPTY_FIELD: "{} is empty.",
}


def _bad_field(code: ErrorCode, key: bytes) -> Bad:
    return Bad(code, _FIELD_SENTENCES[code].format(key.decode()))
