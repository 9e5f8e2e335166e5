"""JSON messages: the dialect of the first clients, in which every event is a message (version 1).

See docs/protocol.rst, "The JSON protocol".  These clients expect ``message``, ``sender`` and ``dm``
in every object after the first, and read 2048 bytes at a time.  It knows events and their fields;
it must not know connections.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
    Renamed,
    RoomEvent,
    Said,
    TopicSet,
)
from chatd.chat.fanout.log import ProgramStyle
from chatd.wire.json.codec import encode, encode_text
from chatd.wire.json.events import Fields, timestamp

#: Bytes of an object with its line end: what the first clients take from a socket at a time.
OBJECT_BYTES = 2048
#: Characters at the end of a part among which a blank is looked for, to cut there.
_BLANK_WITHIN = 80
#: The sender of messages of the server itself; no nick may be that.
SERVER = "server"
_NOTHING: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True)
class MessageStyle(ProgramStyle):
    """Every event as a message (version 1): the only form that the first clients understand."""

    def render(self, entry: Entry, mentioned: bool = False) -> bytes:
        """Return a room event as messages; empty for an event without a text."""
        event = entry.event
        room = {"room": entry.room, "seq": entry.number, "time": timestamp(event.time)}
        return messages(message_text(event), event.nick, room=room)

    def render_personal(self, event: PersonalEvent) -> bytes:
        """Return a personal event as messages; empty for an event without a text."""
        match event:
            case PrivateMessage(end=Recipient.ADDRESSEE):
                time = {"time": timestamp(event.time)}
                return messages(event.text, event.sender, event.addressee, room=time)
            case PutOut(room=room, by=by, banned=banned, reason=reason):
                done = "banned" if banned else "kicked"
                why = f" ({reason})" if reason else ""
                text = f"You were {done} from {room or 'this server'}{why}."
                return messages(text, by or SERVER)
            case Announced(by=by, text=text):
                return messages(text, by)
            case Missed(room=room, count=count):
                return messages(f"You missed {count} messages in {room}.", SERVER)
            case _:
                return b""


def messages(
    text: str, sender: str, dm: str | None = None, *, room: Mapping[str, object] = _NOTHING
) -> bytes:
    """Return a text as messages of at most `OBJECT_BYTES`, each an object on a line of its own.

    An empty text has none.

    :param dm: the addressee of a private message.
    :param room: further fields, the same in every message.
    """
    lines = []
    while text:
        part = text[: _fitting(text, sender, dm, room)]
        lines.append(_message(part, sender, dm, room))
        text = text[len(part) :].removeprefix(" ")
    return b"".join(lines)


def error_fields(sentence: str) -> Fields:
    """Return the fields that make an error one more message of the server."""
    return {"message": sentence, "sender": SERVER, "dm": None}


def _message(text: str, sender: str, dm: str | None, room: Mapping[str, object]) -> bytes:
    return encode({"message": text, "sender": sender, "dm": dm, **room})


def _fitting(text: str, sender: str, dm: str | None, room: Mapping[str, object]) -> int:
    """Return how many characters of a text fit into a message, at least one."""
    if len(_message(text, sender, dm, room)) <= OBJECT_BYTES:
        return len(text)
    size = len(_message("", sender, dm, room))
    fits = 0
    for character in text:
        size += len(encode_text(character))
        if size > OBJECT_BYTES:
            break
        fits += 1
    blank = text.rfind(" ", max(1, fits - _BLANK_WITHIN), fits + 1)
    return blank if blank > 0 else max(1, fits)


def message_text(event: RoomEvent) -> str:
    """Return a room event as the text of a message by its author; empty if it has none."""
    match event:
        case Said(text=text):
            return text
        case Acted(nick=nick, text=text):
            return f"* {nick} {text}"
        case Edited(nick=nick, text=text):
            return f"* {nick} corrects: {text}"
        case Deleted(nick=nick, by=by):
            return (
                f"{nick} deleted a message" if by == nick else f"{by} deleted a message of {nick}"
            )
        case Joined():
            return "User has connected"
        case Left(nick=nick, gone=gone):
            return f"{nick} is offline" if gone else f"{nick} has left"
        case Renamed(nick=nick, new=new):
            return f"{nick} is now known as {new}"
        case TopicSet(topic=topic):
            return f"The topic is: {topic}" if topic else "There is no topic any more"
        case Kicked(nick=nick, banned=banned):
            return f"{nick} was {'banned' if banned else 'kicked'}"
        case _:
            return ""
