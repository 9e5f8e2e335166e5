"""Requests of the window to the server, and which of them are pending.

docs/protocol.rst, "The JSON protocol", version 2.  It knows requests and their ids; it must not
know conversations, windows or connections.
"""

from __future__ import annotations

from dataclasses import dataclass

Request = dict[str, object]

#: Version of the protocol in which events have a type and requests are answered.
VERSION = 2
#: Bytes of one message that the server accepts.
MESSAGE_BYTES = 4096
#: Requests that may be pending; the server holds up to 500 and then reads no more.
PENDING_REQUESTS = 400
#: The messages requested when the user joins a room, and the most after a reconnect.
HISTORY = 50
HISTORY_MISSED = 200


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Send a message to a room; None is the current room."""

    room: str | None
    text: str


@dataclass(frozen=True, slots=True)
class SendPrivately:
    """Send a private message; it is echoed as an event."""

    nick: str
    text: str


@dataclass(frozen=True, slots=True)
class JoinRoom:
    """Join a room; ``wanted`` if the user asked for it, and it is to be shown."""

    room: str
    wanted: bool


@dataclass(frozen=True, slots=True)
class LeaveRoom:
    """Leave a room."""

    room: str


@dataclass(frozen=True, slots=True)
class ListMembers:
    """List the members of a room."""

    room: str


@dataclass(frozen=True, slots=True)
class FetchHistory:
    """Fetch the history of a room."""

    room: str


@dataclass(frozen=True, slots=True)
class SetTopic:
    """Set the topic of a room."""

    room: str


@dataclass(frozen=True, slots=True)
class CheckMembership:
    """Check whether the user is in a room."""

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
    """Gives each request an id, and remembers it until it is answered; full with ``most``."""

    def __init__(self, most: int = PENDING_REQUESTS) -> None:
        self._most = most
        self._last = 0
        self._pending: dict[int, PendingRequest] = {}

    def is_full(self) -> bool:
        """Return whether the user should wait for answers before the next request."""
        return len(self._pending) >= self._most

    def add(self, asked: PendingRequest, **fields: object) -> Request:
        """Return the request's fields with a new id."""
        self._last += 1
        self._pending[self._last] = asked
        return {**fields, "id": self._last}

    def is_pending(self, asked: PendingRequest) -> bool:
        """Return whether the same request is pending."""
        return asked in self._pending.values()

    def take(self, given: object) -> PendingRequest | None:
        """Remove and return the request of this id; None if there is none."""
        return self._pending.pop(given, None) if isinstance(given, int) else None

    def take_all(self) -> list[PendingRequest]:
        """Remove and return all requests: they will no longer be answered."""
        asked = list(self._pending.values())
        self._pending.clear()
        return asked


def hello(nick: str) -> Request:
    """Return the first object of a connection."""
    return {"username": nick, "version": VERSION}


def goodbye() -> Request:
    """Return the last object of a connection."""
    return {"disconnect": True}
