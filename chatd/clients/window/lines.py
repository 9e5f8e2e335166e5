"""Lines of a conversation: one for each message or event, in words.

It knows the fields of events (docs/protocol.rst, "Events as JSON"); it must not know rooms,
windows or connections.  All text of other users is made safe here, and only here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

Fields = Mapping[str, object]

#: The most characters of one text that are shown; the server's messages have at most 4096 bytes.
MAX_TEXT_LENGTH = 5000

#: Zero-width joiners connect emoji and the letters of some scripts, and reorder nothing.
_JOINERS = "\u200c\u200d"
_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")


class Kind(Enum):
    """The appearance of a line."""

    SAID = "said"
    OWN = "own"
    PRIVATE = "private"
    NOTICE = "happened"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its time, such as ``14:03``, and its text."""

    kind: Kind
    time: str
    text: str


def shown(text: str) -> str:
    """Return the text without control, bidirectional and other invisible characters."""
    text = text[:MAX_TEXT_LENGTH]
    if text.isascii() and text.isprintable():
        return text
    text = " ".join(text.replace("\t", " ").splitlines())
    return "".join(
        each for each in text if each in _JOINERS or unicodedata.category(each) not in _INVISIBLE
    )


def text_of(fields: Fields, key: str) -> str:
    """Return a text field, safe to show; empty when there is none."""
    value = fields.get(key)
    return shown(value) if isinstance(value, str) else ""


def number_of(fields: Fields, key: str) -> int:
    """Return a number field; 0 when there is none."""
    value = fields.get(key)
    return value if isinstance(value, int) else 0


def clock_time(now: float) -> str:
    """Format a time, in seconds since the epoch, as local hours and minutes."""
    return datetime.fromtimestamp(now).strftime("%H:%M")


def time_of(fields: Fields, now: float) -> str:
    """Return the local hours and minutes of an event; ``now`` for one without a valid time."""
    try:
        return datetime.fromisoformat(text_of(fields, "time")).astimezone().strftime("%H:%M")
    except (ValueError, OverflowError, OSError):
        return clock_time(now)


def _mark(fields: Fields) -> str:
    """Return the mark after the text of an edited message."""
    return " (edited)" if fields.get("edited") is True else ""


def describe(fields: Fields) -> str:
    """Describe an event of a room in words; empty when the kind of event is unknown."""
    event, nick, by = (text_of(fields, key) for key in ("event", "nick", "by"))
    reason = text_of(fields, "reason")
    why = f": {reason}" if reason else ""
    match event:
        case "said":
            return f"{text_of(fields, 'sender')}: {text_of(fields, 'message')}{_mark(fields)}"
        case "acted":
            return f"* {text_of(fields, 'sender')} {text_of(fields, 'message')}{_mark(fields)}"
        case "edited":
            return f"* {text_of(fields, 'sender')} corrects: {text_of(fields, 'message')}"
        case "deleted":
            return f"-- {by} deleted a message{f' of {nick}' if by != nick else ''}"
        case "topic":
            topic = text_of(fields, "topic")
            return (
                f"-- {nick} set the topic: {topic}" if topic else f"-- {nick} took the topic away"
            )
        case "joined":
            return f"-- {nick} joined"
        case "left":
            return f"-- {nick} {'is gone' if fields.get('gone') is True else 'left'}{why}"
        case "renamed":
            return f"-- {nick} is now {text_of(fields, 'new')}"
        case "kicked":
            done = "banned" if fields.get("banned") is True else "kicked"
            return f"-- {nick} was {done}{f' by {by}' if by else ''}{why}"
        case "role":
            return f"-- {by or 'The server'} made {nick} {text_of(fields, 'role')}"
        case "muted":
            return f"-- {by} {'muted' if fields.get('muted') is True else 'unmuted'} {nick}"
        case "setting":
            return f"-- {nick} set {text_of(fields, 'name')} to {setting(fields.get('value'))}"
        case _:
            return ""


def setting(value: object) -> str:
    """Describe the value of a room's setting."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return shown(str(value))


def describe_private(fields: Fields) -> str:
    """Describe a private message: ``[private] ada -> you: psst``."""
    sender, addressee = text_of(fields, "sender"), text_of(fields, "dm")
    if fields.get("own") is True:
        sender = "you"
    else:
        addressee = "you"
    return f"[private] {sender} -> {addressee}: {text_of(fields, 'message')}"
