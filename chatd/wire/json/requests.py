"""What the JSON protocol asks for: objects to requests (docs/protocol.rst, "The JSON protocol").

It knows keys and the types of their values; it must not know bytes, transports or the chat.  Keys
that mean nothing in a request are ignored.  Names, messages and topics are made safe to show and
are one line: a line break in them becomes a blank.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from chatd.chat.limits import LINE_BYTES
from chatd.chat.text.sanitizing import safe

#: An ``id``, or the value of a ping, that is a string; a UUID has 36 characters.
ID_LENGTH = 64
#: Numbers are within 63 bits: what SQLite and Java keep.
MOST_NUMBER = 2**63 - 1
#: The versions of this protocol; the first is the seed's and is never named.
VERSIONS = (1, 2)

Id = str | int | None
Fields = Mapping[str, object]


class ErrorCode(IntEnum):
    """What ``errorCode`` means."""

    #: Nothing is wrong: goes with ``isConnected`` true.
    NONE = -1
    #: The name is taken.
    TAKEN = 1
    #: The server is full.
    FULL = 2
    #: Nobody can be called that.
    NOT_A_NAME = 3
    #: Nobody of that name is here.
    NOBODY = 4
    #: What came is no JSON object, is broken, too long or nested too deep.
    BROKEN = 5
    #: The object is no request that exists.
    UNKNOWN_REQUEST = 6
    #: A value of a request has the wrong type or cannot be.
    WRONG_VALUE = 7
    #: A message is longer than a message may be.
    TOO_LONG = 8
    #: The first object has to have a ``username``, and no later one may.
    OUT_OF_TURN = 9
    #: ``sender`` is somebody else.
    NOT_YOU = 10
    #: No room is called that, or none can be.
    NO_SUCH_ROOM = 11
    #: Only who is in the room can do that.
    NOT_IN_ROOM = 12
    #: That is for others to do, or not to be done to this one.
    NOT_ALLOWED = 13
    #: It came faster than the limits allow.
    TOO_FAST = 14
    #: Anything else that the chat declines; the sentence says what.
    REFUSED = 15
    #: That is not the password of that account.
    WRONG_PASSWORD = 16


@dataclass(frozen=True, slots=True)
class Username:
    """Who comes in; ``version`` is 1 unless it was named, ``password`` proves an account."""

    username: str
    version: int
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Say:
    """A message that names neither a room nor an ``id``, as the seed's clients send it."""

    message: str
    sender: str | None
    dm: str | None


@dataclass(frozen=True, slots=True)
class DisconnectRequest:
    """Somebody goes."""

    sender: str | None


@dataclass(frozen=True, slots=True)
class Join:
    """Go into a room; with its key, where it has one."""

    room: str
    id: Id
    key: str = ""


@dataclass(frozen=True, slots=True)
class Leave:
    """Go out of a room."""

    room: str
    id: Id


@dataclass(frozen=True, slots=True)
class SayIn:
    """A message that has ``room`` or ``id``; ``room`` None is wherever one is."""

    message: str
    room: str | None
    dm: str | None
    id: Id
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    """What was said in a room after an event's number, and at most how many; None: as it comes."""

    room: str
    after: int | None
    count: int | None
    id: Id


@dataclass(frozen=True, slots=True)
class Users:
    """Who is in a room?"""

    room: str
    id: Id


@dataclass(frozen=True, slots=True)
class Topic:
    """Set a room's topic; an empty one takes it away, ``room`` None is wherever one is."""

    room: str | None
    topic: str
    id: Id


@dataclass(frozen=True, slots=True)
class Ping:
    """Give this value back."""

    value: Id
    id: Id


@dataclass(frozen=True, slots=True)
class BadRequest:
    """An object that is no request, or one with a value that cannot be."""

    sentence: str
    code: ErrorCode
    id: Id


Request = Username | Say | DisconnectRequest | Join | Leave | SayIn | History | Users | Topic | Ping


class _WrongValueError(Exception):
    """A value that cannot be, and the answer to it; never leaves this module."""

    def __init__(self, sentence: str, code: ErrorCode = ErrorCode.WRONG_VALUE) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code


def request_from(fields: Fields) -> Request | BadRequest:
    """Return the request that an object is: that of the first key of `_READERS` that it has."""
    given: Id = None
    try:
        given = _id(fields, "id")
        for key, read in _READERS.items():
            if key in fields:
                return read(fields, given)
    except _WrongValueError as wrong:
        return BadRequest(wrong.sentence, wrong.code, given)
    return BadRequest("No request has any of these keys.", ErrorCode.UNKNOWN_REQUEST, given)


# One value ---------------------------------------------------------------------------------------


def _is_number(value: object) -> bool:
    """Whether a value is a whole number of 63 bits; true and false are none, as in JSON."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MOST_NUMBER


def _id(fields: Fields, key: str) -> Id:
    """Return what is given back as it came, and so is not made safe."""
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
    return safe(" ".join(value.splitlines())).strip()


def _line_or_none(fields: Fields, key: str) -> str | None:
    return None if fields.get(key) is None else _line(fields, key)


def _count_or_none(fields: Fields, key: str) -> int | None:
    value = fields.get(key)
    if value is None:
        return None
    if isinstance(value, int) and _is_number(value) and value >= 0:
        return value
    raise _WrongValueError(f"“{key}” has to be a whole number from 0 to 2^63 - 1.")


# One request -------------------------------------------------------------------------------------


def _username(fields: Fields, _: Id) -> Username:
    version = fields.get("version", VERSIONS[0])
    if not isinstance(version, int) or isinstance(version, bool) or version not in VERSIONS:
        raise _WrongValueError("“version” has to be 1 or 2.")
    return Username(_line(fields, "username"), version, _line_or_none(fields, "password"))


def _disconnect(fields: Fields, _: Id) -> DisconnectRequest:
    if fields["disconnect"] is not True:
        raise _WrongValueError("“disconnect” has to be true.")
    return DisconnectRequest(_line_or_none(fields, "sender"))


def _message(fields: Fields, given: Id) -> Say | SayIn:
    """Read a message; an empty ``dm`` is refused, lest all read what was meant for one."""
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
        return SayIn(message, room, dm, given, sender)
    return Say(message, sender, dm)


def _history(fields: Fields, given: Id) -> History:
    return History(
        _line(fields, "history"),
        _count_or_none(fields, "after"),
        _count_or_none(fields, "count"),
        given,
    )


def _topic(fields: Fields, given: Id) -> Topic:
    return Topic(_line_or_none(fields, "room"), _line(fields, "topic"), given)


_READERS: Final[dict[str, Callable[[Fields, Id], Request]]] = {
    "username": _username,
    "disconnect": _disconnect,
    "message": _message,
    "join": lambda fields, given: Join(
        _line(fields, "join"), given, " ".join((_line_or_none(fields, "key") or "").split())
    ),
    "leave": lambda fields, given: Leave(_line(fields, "leave"), given),
    "history": _history,
    "users": lambda fields, given: Users(_line(fields, "users"), given),
    "topic": _topic,
    "ping": lambda fields, given: Ping(_id(fields, "ping"), given),
}
