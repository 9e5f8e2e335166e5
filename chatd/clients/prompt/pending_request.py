"""Pending request: which reply answers it, and how long that may take.

The protocol does not number requests, so only one is pending at a time.  It must not know a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from chatd.wire.tcd.replies import Broken, Chat, Failed, Greeted, Joined, Left, Reply


class Expected(Enum):
    """The reply that answers a request; an error answers any request as well."""

    GREETED = auto()
    JOINED = auto()
    LEFT = auto()
    ECHOED = auto()


#: Seconds that a server has to answer.  One with flood control takes half a second.  Not all
#: servers answer HELO, and not all send users their own messages: the client waits less for those.
ANSWER_SECONDS: Final = {
    Expected.GREETED: 2.0,
    Expected.JOINED: 15.0,
    Expected.LEFT: 15.0,
    Expected.ECHOED: 3.0,
}


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A request that was sent: the room as the user typed it, or its number and the message."""

    expected: Expected
    room: str = ""
    ref: str = ""
    text: str = ""

    def is_answered_by(self, reply: Reply) -> bool:
        """Return whether a reply answers this request."""
        match reply:
            case Greeted():
                return self.expected is Expected.GREETED
            case Joined():
                return self.expected is Expected.JOINED
            case Left():
                return self.expected is Expected.LEFT
            case Chat(ref=ref, lines=lines):
                is_own = (ref, lines) == (self.ref, (self.text,))
                return self.expected is Expected.ECHOED and is_own
            case Failed() | Broken():
                return True
