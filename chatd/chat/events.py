"""What happens: frozen values, told apart by their class.

A `RoomEvent` happens in a room and is seen by its members in one order; a `PersonalEvent` is for
one person alone.  Times are seconds since the epoch, given by whoever makes the event.  Texts
are safe to show already (`chatd.chat.text.sanitizing`).  Events know nothing of how they look.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Role(Enum):
    """What somebody may do in a room, weakest first."""

    MEMBER = "member"
    MODERATOR = "moderator"
    OWNER = "owner"
    OPERATOR = "operator"


class Recipient(Enum):
    """Which end of a private message one is."""

    SENDER = "sender"
    ADDRESSEE = "addressee"


# What happens in a room ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """Somebody said something; ``edited`` when the text is no longer that which was said."""

    time: float
    nick: str
    text: str
    edited: bool = False


@dataclass(frozen=True, slots=True)
class Acted:
    """Somebody did something, in the third person (/me); ``edited`` as of `Said`."""

    time: float
    nick: str
    text: str
    edited: bool = False


@dataclass(frozen=True, slots=True)
class TopicSet:
    """Somebody set the room's topic; an empty one takes it away."""

    time: float
    nick: str
    topic: str


@dataclass(frozen=True, slots=True)
class Joined:
    """Somebody came into the room."""

    time: float
    nick: str


@dataclass(frozen=True, slots=True)
class Left:
    """Somebody left the room; ``gone`` when they left the server as well."""

    time: float
    nick: str
    reason: str
    gone: bool


@dataclass(frozen=True, slots=True)
class Renamed:
    """Somebody carries another nick."""

    time: float
    nick: str
    new: str


@dataclass(frozen=True, slots=True)
class Kicked:
    """Somebody was put out of the room, by a moderator or by the server (``by`` is None).

    Who was ``banned`` may not come back before ``until``, or ever.
    """

    time: float
    nick: str
    by: str | None
    reason: str
    banned: bool = False
    until: float | None = None


@dataclass(frozen=True, slots=True)
class RoleGiven:
    """Somebody has another role in the room; ``by`` is None when the server gave it."""

    time: float
    nick: str
    role: Role
    by: str | None


@dataclass(frozen=True, slots=True)
class Muted:
    """Somebody may no longer speak in the room, before ``until`` or ever, or may again."""

    time: float
    nick: str
    by: str
    muted: bool
    until: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RoomSet:
    """Somebody changed a setting of the room; the value as a person would write it."""

    time: float
    nick: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Edited:
    """Somebody put another text in the place of that of a message of theirs, by its number."""

    time: float
    nick: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """A message was taken away, known by its number: that of ``nick``, by themselves or another."""

    time: float
    nick: str
    by: str
    number: int


#: Kept by the store, with a number of its own; what else happens is only shown to who is there.
KeptEvent = Said | Acted | TopicSet
#: Changes what the store has kept, and is not kept itself.
Change = Edited | Deleted
RoomEvent = KeptEvent | Change | Joined | Left | Renamed | Kicked | RoleGiven | Muted | RoomSet


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """An event in its place in a room's order.

    ``number`` is the store's; an event that is not kept carries the number of the last that was.
    ``author`` is the folded nick of who did it, for those who ignore them.
    """

    room: str
    number: int
    author: str
    event: RoomEvent


# What is for one person alone ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence from the server."""

    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the server did not do what was asked: a code word for programs, a sentence for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Several lines that answer a question: a heading and its rows."""

    heading: str
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PrivateMessage:
    """From one person to one other; both see it, each as their end of it."""

    time: float
    sender: str
    addressee: str
    text: str
    end: Recipient


@dataclass(frozen=True, slots=True)
class Invited:
    """Somebody invites one into a room."""

    time: float
    by: str
    room: str


@dataclass(frozen=True, slots=True)
class Missed:
    """One read so slowly that events are no longer there to be shown."""

    room: str
    count: int


@dataclass(frozen=True, slots=True)
class PutOut:
    """One was kicked oneself, from a room or (None) from the server.

    ``by`` is None when the server did it.  Who was ``banned`` may not come back before ``until``,
    or ever.
    """

    time: float
    room: str | None
    by: str | None
    reason: str
    banned: bool = False
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Announced:
    """An operator tells everyone something."""

    time: float
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class Recalled:
    """What was said in a room before, oldest first.

    What is ``new`` is what one has not been shown yet; ``earlier`` messages before it are left out.
    Of what is not new this is a ``page``, the newest being the first, and there may be ``more``.
    It is ``numbered`` when the numbers are wanted, is to fit a screen when it ``greets``, and
    when it was ``seen`` it was shown already, among what was said elsewhere.
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
    """One page of what was looked for, oldest first; ``more`` when there is another page."""

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
    """What the chat declines.  It has changed nothing.

    ``code`` is a word for programs, the argument a sentence for people.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence

    def as_event(self) -> Refusal:
        """The refusal as something that can be shown."""
        return Refusal(self.code, self.sentence)
