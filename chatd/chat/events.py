"""Events: occurrences in the chat, as frozen values distinguished by their class.

A `RoomEvent` happens in a room, and all members see them in the same order; a `PersonalEvent` is
for one user alone.  Times are seconds since the epoch, given by the code that makes the event.
Texts have been made safe to show (`chatd.chat.text.sanitizing`).  Events do not know how they are
rendered.

Classes and fields are stored under their names (`chatd.chat.event_rows`): renaming one makes the
history that has been kept unreadable.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Role(Enum):
    """The role of a user in a room, weakest first."""

    MEMBER = "member"
    MODERATOR = "moderator"
    OWNER = "owner"
    OPERATOR = "operator"


class Recipient(Enum):
    """Which end of a private message a user is."""

    SENDER = "sender"
    ADDRESSEE = "addressee"


# Room events -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """A message; ``edited`` says that the text has been replaced since."""

    time: float
    nick: str
    text: str
    edited: bool = False


@dataclass(frozen=True, slots=True)
class Acted:
    """An action in the third person (/me); ``edited`` as for `Said`."""

    time: float
    nick: str
    text: str
    edited: bool = False


@dataclass(frozen=True, slots=True)
class TopicSet:
    """The room has a new topic; an empty one removes it."""

    time: float
    nick: str
    topic: str


@dataclass(frozen=True, slots=True)
class Joined:
    """A user joined the room."""

    time: float
    nick: str


@dataclass(frozen=True, slots=True)
class Left:
    """A user left the room; ``gone`` says that they left the server as well."""

    time: float
    nick: str
    reason: str
    gone: bool


@dataclass(frozen=True, slots=True)
class Renamed:
    """A user changed their nick from ``nick`` to ``new``."""

    time: float
    nick: str
    new: str


@dataclass(frozen=True, slots=True)
class Kicked:
    """A user was kicked from the room, by a moderator or by the server (``by`` is None).

    A user who was ``banned`` as well may come back at ``until``, or never if it is None.
    """

    time: float
    nick: str
    by: str | None
    reason: str
    banned: bool = False
    until: float | None = None


@dataclass(frozen=True, slots=True)
class RoleGiven:
    """A user has a new role in the room; ``by`` is None when the server gave it."""

    time: float
    nick: str
    role: Role
    by: str | None


@dataclass(frozen=True, slots=True)
class Muted:
    """A user was muted or unmuted in the room.

    A mute ends at ``until``, or never if it is None.
    """

    time: float
    nick: str
    by: str
    muted: bool
    until: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RoomSet:
    """A setting of the room was changed; ``value`` is as a user would type it."""

    time: float
    nick: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Edited:
    """A user replaced the text of their own message with this ``number``."""

    time: float
    nick: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """The message of ``nick`` with this ``number`` was deleted, by themselves or a moderator."""

    time: float
    nick: str
    by: str
    number: int


#: Events that the store keeps, with a number each; all others are only shown to present members.
KeptEvent = Said | Acted | TopicSet
#: Events that change a stored event, and are not kept themselves.
Change = Edited | Deleted
RoomEvent = KeptEvent | Change | Joined | Left | Renamed | Kicked | RoleGiven | Muted | RoomSet


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """An event with its place in a room's order.

    ``number`` is the store's; an event that is not kept has the number of the last one that was.
    ``author`` is the folded nick of its author, by which /ignore filters.
    """

    room: str
    number: int
    author: str
    event: RoomEvent


# Personal events -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence from the server."""

    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused request: a code word for programs, and the reason in a sentence for users."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Listing:
    """An answer of several lines: a heading and its rows."""

    heading: str
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PrivateMessage:
    """A message from one user to another; both are shown it, each with their own ``end``."""

    time: float
    sender: str
    addressee: str
    text: str
    end: Recipient


@dataclass(frozen=True, slots=True)
class Invited:
    """The user is invited into a room."""

    time: float
    by: str
    room: str


@dataclass(frozen=True, slots=True)
class Missed:
    """The connection was so slow that ``count`` events were dropped before they could be shown."""

    room: str
    count: int


@dataclass(frozen=True, slots=True)
class PutOut:
    """The user was kicked from a room, or from the server (``room`` is None).

    ``by`` is None when the server did it.  A user who was ``banned`` as well may come back at
    ``until``, or never if it is None.
    """

    time: float
    room: str | None
    by: str | None
    reason: str
    banned: bool = False
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Announced:
    """An announcement of an operator to everyone."""

    time: float
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class Recalled:
    """Messages of a room from its history, oldest first.

    Either they are ``new`` to the user, and ``earlier`` counts the unseen messages before them that
    are left out; or they are one ``page`` of the history, of which the first has the newest, and
    ``more`` says that there are older pages.  ``numbered`` asks for the messages' numbers,
    ``greets`` for no more than fits on a screen (the user has just joined), and ``seen`` says that
    they were shown before, mixed with messages of other rooms.
    """

    room: str
    entries: tuple[Entry, ...]
    new: bool = False
    earlier: int = 0
    page: int = 1
    more: bool = False
    numbered: bool = False
    greets: bool = False
    seen: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """One page of search results, oldest first; ``more`` says that there is another page."""

    entries: tuple[Entry, ...]
    page: int
    more: bool


PersonalEvent = (
    Notice
    | Refusal
    | Listing
    | PrivateMessage
    | Invited
    | Missed
    | PutOut
    | Announced
    | Recalled
    | Found
)


class Refused(Exception):  # noqa: N818 - a no, not an error
    """Raised when the chat refuses a request; nothing has changed then.

    ``code`` is a word for programs, ``sentence`` is for users.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence

    def as_event(self) -> Refusal:
        """Return the refusal as an event that can be shown."""
        return Refusal(self.code, self.sentence)
