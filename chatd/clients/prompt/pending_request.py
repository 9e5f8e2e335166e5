"""A request that waits for its answer: what answers it, and how long that may take.

The protocol has no numbers for requests, so one waits at a time.  It must not know a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from chatd.wire.tcd.replies import Broken, Chat, Failed, Greeted, Joined, Left, Reply


class Expected(Enum):
    """What a request is answered by; any is answered by an error as well."""

    GREETED = auto()
    JOINED = auto()
    LEFT = auto()
    ECHOED = auto()


#: Seconds that a server has to answer.  One that paces its clients takes half a second.  Not all
#: answer HELO, and not all send people what they said themselves: for these, less is waited.
ANSWER_SECONDS: Final = {
    Expected.GREETED: 2.0,
    Expected.JOINED: 15.0,
    Expected.LEFT: 15.0,
    Expected.ECHOED: 3.0,
}


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A request that was sent: the room as somebody typed it, or its number and what was said."""

    expected: Expected
    room: str = ""
    ref: str = ""
    text: str = ""

    def is_answered_by(self, reply: Reply) -> bool:
        """Whether a reply says what became of it."""
        match reply:
            case Greeted():
                return self.expected is Expected.GREETED
            case Joined():
                return self.expected is Expected.JOINED
            case Left():
                return self.expected is Expected.LEFT
            case Chat(ref=ref, lines=lines):
                mine = (ref, lines) == (self.ref, (self.text,))
                return self.expected is Expected.ECHOED and mine
            case Failed() | Broken():
                return True
