"""JSON styles: render events as JSON objects, one per line, each self-contained.

See docs/protocol.rst, "The JSON protocol".  There are two dialects: for the first clients, in which
everything is a message, and for bots (version 2), in which events are typed.  It knows events and
their fields; it must not know connections.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from chatd.chat.events import (
    Acted,
    Announced,
    Deleted,
    Edited,
    Entry,
    Found,
    Invited,
    Joined,
    Kicked,
    Left,
    Listing,
    Missed,
    Muted,
    Notice,
    PersonalEvent,
    PrivateMessage,
    PutOut,
    Recalled,
    Recipient,
    Refusal,
    Renamed,
    RoleGiven,
    RoomEvent,
    RoomSet,
    Said,
    TopicSet,
)
from chatd.chat.fanout.log import ProgramStyle
from chatd.wire.json.codec import encode

Fields = dict[str, object]


def timestamp(time: float) -> str:
    """Return a time in seconds since the epoch in RFC 3339's format: UTC, with milliseconds."""
    moment = datetime.fromtimestamp(time, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event_fields(event: RoomEvent) -> Fields:
    """Return the fields of a room event, its type first."""
    match event:
        case Said() | Acted():
            return _message(event)
        case Edited(nick=nick, number=number, text=text):
            return {"event": "edited", "sender": nick, "message": text, "changed": number}
        case Deleted(nick=nick, by=by, number=number):
            return {"event": "deleted", "nick": nick, "by": by, "changed": number}
        case TopicSet(nick=nick, topic=topic):
            return {"event": "topic", "nick": nick, "topic": topic}
        case Joined(nick=nick):
            return {"event": "joined", "nick": nick}
        case Left(nick=nick, reason=reason, gone=gone):
            return {"event": "left", "nick": nick, "reason": reason, "gone": gone}
        case Renamed(nick=nick, new=new):
            return {"event": "renamed", "nick": nick, "new": new}
        case Kicked(nick=nick, by=by, reason=reason, banned=banned, until=until):
            fields = _until(until) if banned else {}
            return {"event": "kicked", "nick": nick, "by": by, "reason": reason, **fields}
        case RoleGiven(nick=nick, role=role, by=by):
            return {"event": "role", "nick": nick, "role": role.value, "by": by}
        case Muted(nick=nick, by=by, muted=muted, until=until, reason=reason):
            fields = {"reason": reason} if reason else {}
            if until is not None:
                fields["until"] = timestamp(until)
            return {"event": "muted", "nick": nick, "by": by, "muted": muted, **fields}
        case RoomSet(nick=nick, name=name, value=value):
            return {"event": "setting", "nick": nick, "name": name, "value": value}


def _message(event: Said | Acted) -> Fields:
    name = "said" if isinstance(event, Said) else "acted"
    fields: Fields = {"event": name, "sender": event.nick, "message": event.text}
    return {**fields, "edited": True} if event.edited else fields


def _until(until: float | None) -> Fields:
    """Return the fields of a ban: its expiry, null for a permanent one."""
    return {"banned": True, "until": timestamp(until) if until is not None else None}


def entry_fields(entry: Entry) -> Fields:
    """Return the fields of a room event with its room, sequence number and time."""
    return {
        **event_fields(entry.event),
        "room": entry.room,
        "seq": entry.number,
        "time": timestamp(entry.event.time),
    }


@dataclass(frozen=True, slots=True)
class EventStyle(ProgramStyle):
    """Typed events (version 2), for bots and for scripts that read a stream of lines."""

    def render(self, entry: Entry, mentioned: bool = False) -> bytes:
        """Return a room event as one object."""
        return encode(entry_fields(entry))

    def render_personal(self, event: PersonalEvent) -> bytes:
        """Return a personal event as one object."""
        return encode(personal_fields(event))


def personal_fields(event: PersonalEvent) -> Fields:
    """Return the fields of a personal event, its type first."""
    match event:
        case Notice(text=text):
            return {"event": "notice", "text": text}
        case Refusal(code=code, text=text):
            return {"event": "refused", "code": code, "text": text}
        case Listing(heading=heading, rows=rows):
            return {"event": "notice", "text": heading, "rows": list(rows)}
        case PrivateMessage():
            return {
                "event": "private",
                "sender": event.sender,
                "dm": event.addressee,
                "message": event.text,
                "own": event.end is Recipient.SENDER,
                "time": timestamp(event.time),
            }
        case Invited(time=time, by=by, room=room):
            return {"event": "invited", "by": by, "room": room, "time": timestamp(time)}
        case Missed(room=room, count=count):
            return {"event": "missed", "room": room, "count": count}
        case PutOut(time=time, room=room, by=by, reason=reason, banned=banned, until=until):
            return {
                "event": "put out",
                "room": room,
                "by": by,
                "reason": reason,
                "time": timestamp(time),
                **(_until(until) if banned else {}),
            }
        case Announced(time=time, by=by, text=text):
            return {"event": "announced", "by": by, "message": text, "time": timestamp(time)}
        case Found(entries=entries, page=page, more=more):
            events = [entry_fields(each) for each in entries]
            return {"event": "found", "events": events, "page": page, "more": more}
        case Recalled(room=room, entries=entries):
            return {
                "event": "history",
                "room": room,
                "events": [entry_fields(each) for each in entries],
            }
