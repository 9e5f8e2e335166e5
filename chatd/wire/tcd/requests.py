"""What the socket assignment's protocol asks for: requests, errors, and a request half read.

See docs/protocol.rst, "The socket assignment's protocol".  It knows fields and their values; it
must not know lines that are cut in two, transports or the chat.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from chatd.chat.limits import LINE_BYTES
from chatd.chat.text.sanitizing import decode

#: A header line, and a line of HELO, with its key.  HTTP servers allow 8 KiB; here it holds the
#: longest name there can be five times over.
HEADER_BYTES = 1024
#: A message with the line ends between its lines: as much as one line of the line protocol.
MESSAGE_BYTES = LINE_BYTES
#: Lines of one message: each becomes a line for everybody in the room.
MESSAGE_LINES = 50
#: The largest ROOM_REF or JOIN_ID: 63 bits, what a Java client has in a long.
MOST_NUMBER = 2**63 - 1

_NUMBER = re.compile(rb"0*([0-9]{1,19})")
_KEY = re.compile(rb"[A-Z][A-Z_]*")
#: A key is no longer than this, the blanks before its colon included.
_KEY_BYTES = 32


class ErrorCode(IntEnum):
    """The numbers behind ERROR_CODE; ``sentence`` is what ERROR_DESCRIPTION says by default.

    The codec gives the first four; the others are for a request that is well formed and can't
    be met.
    """

    sentence: str

    def __new__(cls, code: int, sentence: str) -> Self:
        """Make a member of a number and its sentence."""
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
    #: Anything else that the chat declines; its own sentence goes with it.
    REFUSED = 14, "That cannot be done."


@dataclass(frozen=True, slots=True)
class Helo:
    """HELO: who is there?  ``text`` is given back as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class KillService:
    """KILL_SERVICE: stop the server."""


@dataclass(frozen=True, slots=True)
class Join:
    """JOIN_CHATROOM; its CLIENT_IP and PORT mean nothing."""

    room: str
    nick: str


@dataclass(frozen=True, slots=True)
class Leave:
    """LEAVE_CHATROOM; ``nick`` may be empty."""

    ref: int
    join_id: int
    nick: str


@dataclass(frozen=True, slots=True)
class Say:
    """CHAT: one line or several, none of them empty; ``nick`` may be empty."""

    ref: int
    join_id: int
    nick: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Disconnect:
    """DISCONNECT; ``nick`` may be empty."""

    nick: str


@dataclass(frozen=True, slots=True)
class Bad:
    """A request that was understood and is malformed; one for each."""

    code: ErrorCode
    sentence: str


Request = Helo | KillService | Join | Leave | Say | Disconnect

#: What begins a request, and the fields that it needs, in the order in which they are missed.
NEEDED: Final[dict[bytes, tuple[bytes, ...]]] = {
    b"JOIN_CHATROOM": (b"CLIENT_NAME",),
    b"LEAVE_CHATROOM": (b"JOIN_ID", b"CLIENT_NAME"),
    b"CHAT": (b"JOIN_ID", b"CLIENT_NAME", b"MESSAGE"),
    b"DISCONNECT": (b"CLIENT_NAME",),
}


def field(line: bytes) -> tuple[bytes, bytes]:
    """Return a header line's key and value, both empty if it is none.

    A key is in capitals; a blank in it is as good as an underscore.
    """
    key, colon, value = line.partition(b":")
    if not colon or len(key) > _KEY_BYTES:
        return b"", b""
    key = key.strip().replace(b" ", b"_")
    return (key, value.strip()) if _KEY.fullmatch(key) else (b"", b"")


def number(value: bytes) -> int | None:
    """Return a number of 0 to 63 bits, or None for anything else, however long it is."""
    digits = _NUMBER.fullmatch(value)
    found = int(digits[1]) if digits else MOST_NUMBER + 1
    return found if found <= MOST_NUMBER else None


def begins_within_message(line: bytes) -> bool:
    """Return whether a line of a message is the next request's first, so that the message is over.

    Stricter than elsewhere: people write ``CHAT: later?`` in a message too.
    """
    if line.startswith(b"HELO ") or line == b"KILL_SERVICE":
        return True
    key, value = field(line) if line[:1].isupper() else (b"", b"")
    if key == b"DISCONNECT":
        return not value or number(value) is not None
    return key == b"JOIN_CHATROOM" or (key in NEEDED and number(value) is not None)


class Draft:
    """A request of several lines while they come in; holds no more than the bounds above."""

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
        #: Whether the lines that come are those of the message.
        self.in_message = False
        #: Whether nothing more can come.
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
        """The bytes of values and of the message that are kept, a line end for each line."""
        return sum(map(len, self._values.values())) + sum(len(line) + 1 for line in self._lines)

    def lacks_only(self, key: bytes) -> bool:
        """Whether this field is the only one that is not here yet."""
        return self._missing() == [key]

    def take(self, line: bytes, *, too_long: bool) -> bool:
        """Take a line in; False means that it is none of this request's, which is over."""
        if not self.in_message:
            return self._take_header(line, too_long)
        if not line and not too_long:
            self.is_over = True
        elif begins_within_message(line):
            return False
        else:
            self._take_text(line, too_long)
        return True

    def _take_header(self, line: bytes, too_long: bool) -> bool:
        """Take a header line in; a key of no use here is passed over, and so is a blank line."""
        key, value = field(line)
        if key in NEEDED or (line and not key) or line.startswith(b"HELO "):
            return False
        if key == b"MESSAGE" and self._kind == b"CHAT":
            self.in_message = True
            self._values[key] = b""
            self._take_text(value, too_long)
        elif key in NEEDED[self._kind]:
            self._set(key, value, too_long or len(line) > HEADER_BYTES)
            self.is_over = not self._missing()
        return True

    def _take_text(self, line: bytes, too_long: bool) -> None:
        """Take a line of the message in."""
        self._bytes += len(line) + 1
        self._count += 1
        if too_long or self._bytes > MESSAGE_BYTES or self._count > MESSAGE_LINES:
            self._too_long(b"MESSAGE")
        if self._fault is None:
            self._lines.append(line)

    def request(self) -> Request | Bad:
        """Return what this is now that nothing more of it comes."""
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
        return self._about_a_room()

    def _about_a_room(self) -> Leave | Say | Bad:
        """Return what speaks of a room by its number."""
        ref, join_id = number(self._values[self._kind]), number(self._values[b"JOIN_ID"])
        if ref is None or join_id is None:
            return _bad_field(ErrorCode.NOT_A_NUMBER, self._kind if ref is None else b"JOIN_ID")
        nick = self._text(b"CLIENT_NAME")
        if self._kind == b"LEAVE_CHATROOM":
            return Leave(ref, join_id, nick)
        lines = tuple(text for line in self._lines if (text := decode(line).rstrip()))
        return (
            Say(ref, join_id, nick, lines)
            if lines
            else _bad_field(ErrorCode.EMPTY_FIELD, b"MESSAGE")
        )

    def _missing(self) -> list[bytes]:
        return [key for key in NEEDED[self._kind] if key not in self._values]

    def _text(self, key: bytes) -> str:
        return decode(self._values[key]).strip()

    def _set(self, key: bytes, value: bytes, too_long: bool) -> None:
        if too_long:
            self._too_long(key)
        self._values[key] = b"" if too_long else value

    def _too_long(self, key: bytes) -> None:
        self._fault = self._fault or _bad_field(ErrorCode.TOO_LONG, key)
        self._lines.clear()


_FIELD_SENTENCES: Final = {
    ErrorCode.NOT_A_NUMBER: "{} has to be a number.",
    ErrorCode.TOO_LONG: "{} is too long.",
    ErrorCode.EMPTY_FIELD: "{} is empty.",
}


def _bad_field(code: ErrorCode, key: bytes) -> Bad:
    return Bad(code, _FIELD_SENTENCES[code].format(key.decode()))
