"""What the window asks the server for, and what it remembers of it until the answer has come.

docs/protocol.rst, "The JSON protocol", version 2.  It knows requests and their ids; it must not
know conversations, windows or connections.
"""

from __future__ import annotations

from dataclasses import dataclass

Request = dict[str, object]

#: The version of the protocol in which events are typed and requests are answered.
VERSION = 2
#: Bytes of one message that the server takes.
MESSAGE_BYTES = 4096
#: Requests that may wait for their answers; the server holds up to 500 and then reads no more.
PENDING_REQUESTS = 400
#: Messages that are asked for when one comes into a room, and at most when one comes back to it.
HISTORY = 50
HISTORY_MISSED = 200


@dataclass(frozen=True, slots=True)
class SendMessage:
    """A message to a room; None is wherever one is."""

    room: str | None
    text: str


@dataclass(frozen=True, slots=True)
class SendPrivately:
    """A message to one person; it comes back as an event."""

    nick: str
    text: str


@dataclass(frozen=True, slots=True)
class JoinRoom:
    """Going into a room; ``wanted`` when it was asked for and is to be looked at."""

    room: str
    wanted: bool


@dataclass(frozen=True, slots=True)
class LeaveRoom:
    """Going out of a room."""

    room: str


@dataclass(frozen=True, slots=True)
class ListMembers:
    """Who is in the room?"""

    room: str


@dataclass(frozen=True, slots=True)
class FetchHistory:
    """What was said in the room before."""

    room: str


@dataclass(frozen=True, slots=True)
class SetTopic:
    """A topic for the room."""

    room: str


@dataclass(frozen=True, slots=True)
class CheckMembership:
    """Is one in the room?"""

    room: str


PendingRequest = (
    SendMessage
    | SendPrivately
    | JoinRoom
    | LeaveRoom
    | ListMembers
    | FetchHistory
    | SetTopic
    | CheckMembership
)


class PendingRequests:
    """Gives each request an id and keeps what was asked for, at most ``most`` of it."""

    def __init__(self, most: int = PENDING_REQUESTS) -> None:
        self._most = most
        self._last = 0
        self._pending: dict[int, PendingRequest] = {}

    def is_full(self) -> bool:
        """Whether people should wait for answers before they ask for more."""
        return len(self._pending) >= self._most

    def add(self, asked: PendingRequest, **fields: object) -> Request:
        """Return the request with its id."""
        self._last += 1
        self._pending[self._last] = asked
        return {**fields, "id": self._last}

    def is_pending(self, asked: PendingRequest) -> bool:
        """Whether an answer to the same is awaited."""
        return asked in self._pending.values()

    def take(self, given: object) -> PendingRequest | None:
        """Return what was asked for with this id, and forget it; None when nothing was."""
        return self._pending.pop(given, None) if isinstance(given, int) else None

    def take_all(self) -> list[PendingRequest]:
        """Return and forget all that will not be answered any more."""
        asked = list(self._pending.values())
        self._pending.clear()
        return asked


def hello(nick: str) -> Request:
    """The first object."""
    return {"username": nick, "version": VERSION}


def goodbye() -> Request:
    """The last one."""
    return {"disconnect": True}
