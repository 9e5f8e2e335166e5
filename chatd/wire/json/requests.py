"""JSON requests: objects to typed requests (docs/protocol.rst, "The JSON protocol").

It knows keys and the types of their values; it must not know bytes, transports or the chat.
Unknown keys of a request are ignored.  Names, messages and topics are made safe to display, on one
line: a line break becomes a space.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from chatd.chat.limits import LINE_BYTES
from chatd.chat.text.sanitizing import safe

#: The most characters of a string ``id`` or ping value; a UUID has 36.
ID_LENGTH = 64
#: The largest number: 63 bits, the range of SQLite's and Java's integers.
MOST_NUMBER = 2**63 - 1
#: The versions of this protocol; the first clients do not state theirs, which is 1.
VERSIONS = (1, 2)

Id = str | int | None
Fields = Mapping[str, object]


class ErrorCode(IntEnum):
    """The values of ``errorCode``."""

    #: No error; sent with ``isConnected`` true.
    NONE = -1
    #: The name is taken.
    TAKEN = 1
    #: The server is full.
    FULL = 2
    #: The name is not allowed.
    NOT_A_NAME = 3
    #: There is no user of that name.
    NOBODY = 4
    #: The bytes are not a JSON object, or one that is broken, too long or nested too deeply.
    BROKEN = 5
    #: The object is not a known request.
    UNKNOWN_REQUEST = 6
    #: A value of a request is of the wrong type or out of range.
    WRONG_VALUE = 7
    #: A message is too long.
    TOO_LONG = 8
    #: The first object must have a ``username``, and no later one may.
    OUT_OF_TURN = 9
    #: ``sender`` is another user.
    NOT_YOU = 10
    #: There is no room of that name, or the name is not allowed.
    NO_SUCH_ROOM = 11
    #: Only members of the room may do that.
    NOT_IN_ROOM = 12
    #: The user may not do that, or not to this target.
    NOT_ALLOWED = 13
    #: The request exceeds a rate limit.
    TOO_FAST = 14
    #: Any other refusal by the chat; the sentence gives the reason.
    REFUSED = 15
    #: The password of the account is wrong.
    WRONG_PASSWORD = 16


@dataclass(frozen=True, slots=True)
class Username:
    """The login request; ``version`` is 1 by default, ``password`` is that of an account."""

    username: str
    version: int
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Say:
    """A message with neither ``room`` nor ``id``, as the first clients send it."""

    message: str
    sender: str | None
    dm: str | None


@dataclass(frozen=True, slots=True)
class DisconnectRequest:
    """The client leaves the server."""

    sender: str | None


@dataclass(frozen=True, slots=True)
class Join:
    """Join a room, with its key if it has one."""

    room: str
    id: Id
    key: str = ""


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave a room."""

    room: str
    id: Id


@dataclass(frozen=True, slots=True)
class SayIn:
    """A message with ``room`` or ``id``; ``room`` None stands for the user's current room."""

    message: str
    room: str | None
    dm: str | None
    id: Id
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    """A page of a room's history: the events after a number, and at most ``count`` of them.

    None in ``after`` or ``count`` stands for the server's default.
    """

    room: str
    after: int | None
    count: int | None
    id: Id


@dataclass(frozen=True, slots=True)
class Users:
    """The list of a room's members."""

    room: str
    id: Id


@dataclass(frozen=True, slots=True)
class Topic:
    """Set a room's topic; an empty one removes it; ``room`` None is the user's current room."""

    room: str | None
    topic: str
    id: Id


@dataclass(frozen=True, slots=True)
class Ping:
    """Send this value back to the client."""

    value: Id
    id: Id


@dataclass(frozen=True, slots=True)
class BadRequest:
    """An object that is not a request, or has an invalid value."""

    sentence: str
    code: ErrorCode
    id: Id


Request = Username | Say | DisconnectRequest | Join | Leave | SayIn | History | Users | Topic | Ping


class _WrongValueError(Exception):
    """An invalid value, with its error for the client; never leaves this module."""

    def __init__(self, sentence: str, code: ErrorCode = ErrorCode.WRONG_VALUE) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code


def request_from(fields: Fields) -> Request | BadRequest:
    """Return the request of an object: that of the first key of `_PARSERS` that it has."""
    request_id: Id = None
    try:
        request_id = _read_id(fields, "id")
        for key, parse in _PARSERS.items():
            if key in fields:
                return parse(fields, request_id)
    except _WrongValueError as wrong:
        return BadRequest(wrong.sentence, wrong.code, request_id)
    return BadRequest("No request has any of these keys.", ErrorCode.UNKNOWN_REQUEST, request_id)


# Values ------------------------------------------------------------------------------------------


def _is_number(value: object) -> bool:
    """Return whether a value is an integer of 63 bits; booleans are not, unlike in Python."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MOST_NUMBER


def _read_id(fields: Fields, key: str) -> Id:
    """Return an id or a ping value, which is sent back unchanged and so not sanitized."""
    value = fields.get(key)
    if value is None or (isinstance(value, str) and len(value) <= ID_LENGTH):
        return value
    if isinstance(value, int) and _is_number(value):
        return value
    raise _WrongValueError(
        f"“{key}” has to be a string of at most {ID_LENGTH} characters or a number of 63 bits."
    )


def _line(fields: Fields, key: str) -> str:
    """Return a text as one safe line."""
    value = fields.get(key)
    if not isinstance(value, str):
        raise _WrongValueError(f"“{key}” has to be a string.")
    return safe(value).strip()


def _line_or_none(fields: Fields, key: str) -> str | None:
    return None if fields.get(key) is None else _line(fields, key)


def _count_or_none(fields: Fields, key: str) -> int | None:
    value = fields.get(key)
    if value is None:
        return None
    if isinstance(value, int) and _is_number(value) and value >= 0:
        return value
    raise _WrongValueError(f"“{key}” has to be a whole number from 0 to 2^63 - 1.")


# Requests ----------------------------------------------------------------------------------------


def _username(fields: Fields, _: Id) -> Username:
    version = fields.get("version", VERSIONS[0])
    if not isinstance(version, int) or isinstance(version, bool) or version not in VERSIONS:
        raise _WrongValueError("“version” has to be 1 or 2.")
    return Username(_line(fields, "username"), version, _line_or_none(fields, "password"))


def _disconnect(fields: Fields, _: Id) -> DisconnectRequest:
    if fields["disconnect"] is not True:
        raise _WrongValueError("“disconnect” has to be true.")
    return DisconnectRequest(_line_or_none(fields, "sender"))


def _message(fields: Fields, request_id: Id) -> Say | SayIn:
    """Parse a message; an empty ``dm`` is refused, so that no private message becomes public."""
    message = _line(fields, "message")
    sender, dm = _line_or_none(fields, "sender"), _line_or_none(fields, "dm")
    room = _line_or_none(fields, "room")
    if not message:
        raise _WrongValueError("“message” is empty.")
    if len(message.encode()) > LINE_BYTES:
        raise _WrongValueError(
            f"“message” has more than {LINE_BYTES} bytes of UTF-8.", ErrorCode.TOO_LONG
        )
    if dm == "":
        raise _WrongValueError("“dm” has to name somebody, or be null.")
    if "room" in fields or "id" in fields:
        return SayIn(message, room, dm, request_id, sender)
    return Say(message, sender, dm)


def _history(fields: Fields, request_id: Id) -> History:
    return History(
        _line(fields, "history"),
        _count_or_none(fields, "after"),
        _count_or_none(fields, "count"),
        request_id,
    )


def _topic(fields: Fields, request_id: Id) -> Topic:
    return Topic(_line_or_none(fields, "room"), _line(fields, "topic"), request_id)


_PARSERS: Final[dict[str, Callable[[Fields, Id], Request]]] = {
    "username": _username,
    "disconnect": _disconnect,
    "message": _message,
    "join": lambda fields, request_id: Join(
        _line(fields, "join"), request_id, " ".join((_line_or_none(fields, "key") or "").split())
    ),
    "leave": lambda fields, request_id: Leave(_line(fields, "leave"), request_id),
    "history": _history,
    "users": lambda fields, request_id: Users(_line(fields, "users"), request_id),
    "topic": _topic,
    "ping": lambda fields, request_id: Ping(_read_id(fields, "ping"), request_id),
}
