"""Socket assignment style: renders events as CHATs.

See docs/protocol.rst, "The socket assignment's protocol": everything is a CHAT in a room,
identified by its ROOM_REF.  It must not know connections.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chatd.chat.events import (
    Acted,
    Announced,
    Deleted,
    Edited,
    Entry,
    Joined,
    Kicked,
    Left,
    Missed,
    PersonalEvent,
    PrivateMessage,
    PutOut,
    Recipient,
    Refusal,
    Renamed,
    RoomEvent,
    Said,
    TopicSet,
)
from chatd.chat.fanout.log import ProgramStyle
from chatd.wire.tcd.answers import chat, error
from chatd.wire.tcd.requests import ErrorCode


def message(event: RoomEvent) -> str:
    """Return the text of an event's CHAT, whose CLIENT_NAME is its author; empty for none."""
    match event:
        case Said(text=text):
            return text
        case Acted(nick=nick, text=text):
            return f"* {nick} {text}"
        case Edited(nick=nick, text=text):
            return f"* {nick} corrects: {text}"
        case Deleted(nick=nick, by=by):
            return (
                f"{nick} deleted a message." if by == nick else f"{by} deleted a message of {nick}."
            )
        case Joined(nick=nick):
            return f"{nick} has joined this chatroom."
        case Left(nick=nick):
            return f"{nick} has left this chatroom."
        case Renamed(nick=nick, new=new):
            return f"{nick} is now known as {new}."
        case TopicSet(topic=topic):
            return f"The topic is: {topic}" if topic else "There is no topic any more."
        case Kicked(nick=nick, by=by, banned=banned):
            return f"{nick} was {'banned' if banned else 'kicked'} by {by or 'the server'}."
        case _:
            return ""


@dataclass(frozen=True, slots=True)
class TcdStyle(ProgramStyle):
    """Renders events as CHATs.  ``ref`` returns the ROOM_REF of a room by its name, or 0.

    ``private_ref`` returns the ROOM_REF of the room in which a sender's private message is shown.
    It differs between clients but does not affect room events, and so is not compared.
    """

    ref: Callable[[str], int]
    private_ref: Callable[[str], int] = field(compare=False)

    def render(self, entry: Entry, mentioned: bool = False) -> bytes:
        """Return a room event; empty if this protocol cannot express it."""
        text = message(entry.event)
        return chat(self.ref(entry.room), entry.event.nick, text) if text else b""

    def render_personal(self, event: PersonalEvent) -> bytes:
        """Return a personal event; empty if this protocol cannot express it."""
        match event:
            case PrivateMessage(sender=sender, text=text, end=Recipient.ADDRESSEE):
                return chat(self.private_ref(sender), sender, f"(private) {text}")
            case PutOut(room=None):
                return error(
                    ErrorCode.NOT_ALLOWED, f"{_put_out(event)} from this server{_why(event)}."
                )
            case PutOut(room=str(room), by=by):
                text = f"{_put_out(event)} from this chatroom{_why(event)}."
                return chat(self.ref(room), by or "server", text)
            case Announced(by=by, text=text):
                return chat(self.private_ref(by), by, f"(to everyone) {text}")
            case Refusal(text=text):
                return error(ErrorCode.REFUSED, text)
            case Missed(room=room, count=count):
                return error(ErrorCode.REFUSED, f"You missed {count} messages in {room}.")
            case _:
                return b""


def _put_out(event: PutOut) -> str:
    return f"You were {'banned' if event.banned else 'kicked'}"


def _why(event: PutOut) -> str:
    """Return who did it, and the reason if there is one."""
    by = f" by {event.by}" if event.by else ""
    return f"{by} ({event.reason})" if event.reason else by
