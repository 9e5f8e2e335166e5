"""How what happens is put in words for a person: one line or a few, with CR LF, in UTF-8.

docs/protocol.rst shows every one of these lines.  A style is a value: people with equal styles
share one rendering.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from chatd.chat.events import (
    Acted,
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
    Role,
    RoleGiven,
    RoomEvent,
    RoomSet,
    Said,
    TopicSet,
)
from chatd.terminal.themes import THEMES

#: What the server's own lines begin with; no nick can.
SERVER = "--"

#: Seconds for which one rendering of a time holds.
_MINUTE = 60


@dataclass(frozen=True, slots=True)
class TextStyle:
    """Words and colours for one kind of reader.

    ``recalled_timezone`` is for what was said before, which is always shown with its time; it makes
    no difference to what happens now, and so none to which styles are equal.
    """

    theme: str = "plain"
    bell: bool = False
    timestamps: bool = False
    days: bool = False
    timezone: str = "UTC"
    joins: bool = True
    names_room: bool = False
    recalled_timezone: str = field(default="UTC", compare=False)

    @property
    def highlights(self) -> bool:
        """Whether a mention looks or sounds otherwise."""
        return self.bell or bool(THEMES[self.theme].mention)

    @property
    def aside(self) -> TextStyle:
        """The same, for a room without the focus."""
        return self if self.names_room else replace(self, names_room=True)

    def render(self, entry: Entry, mentioned: bool = False) -> bytes:
        """What happened in a room, as one line."""
        event = entry.event
        if not self.joins and isinstance(event, Joined | Left):
            return b""
        line = self._line(entry.room, event, mentioned)
        if self.timestamps:
            line = f"{self._time(event.time, self.timezone)} {line}"
        if self.days:
            line = f"{_day(event.time, self.timezone)} {line}"
        return f"{line}\r\n".encode()

    def _line(self, room: str, event: RoomEvent, mentioned: bool = False) -> str:
        theme = THEMES[self.theme]
        tag = theme.paint(f"[{room}]", theme.server) + " " if self.names_room else ""
        match event:
            case Said(nick=nick, text=text):
                text = _lines(text)
                shown = theme.paint(text, theme.mention) if mentioned else text
                line = f"{tag}{theme.nick(nick)}: {shown}{self._mark(event)}"
            case Acted(nick=nick, text=text):
                shown = theme.paint(text, theme.mention) if mentioned else text
                line = f"{tag}* {theme.nick(nick)} {shown}{self._mark(event)}"
            case Edited(nick=nick, text=text):
                shown = theme.paint(text, theme.mention) if mentioned else text
                line = f"{tag}* {theme.nick(nick)} corrects: {shown}"
            case _:
                return theme.paint(f"{SERVER} {announcement(room, event)}", theme.server)
        return f"{line}\a" if mentioned and self.bell else line

    def _mark(self, event: Said | Acted) -> str:
        """What follows a text that is no longer that which was said."""
        return f" {THEMES[self.theme].paint('(edited)', THEMES[self.theme].server)}" * event.edited

    def render_personal(self, event: PersonalEvent) -> bytes:
        """What is for one person alone, as one line or several."""
        theme = THEMES[self.theme]
        match event:
            case PrivateMessage():
                lines = [self._private(event)]
            case Recalled(entries=entries, numbered=numbered):
                lines = [theme.paint(f"{SERVER} {recalled(event)}", theme.server)]
                lines += self._recalled(entries, names_room=False, numbered=numbered)
            case Found(entries=entries):
                lines = [theme.paint(f"{SERVER} {found(event)}", theme.server)]
                lines += self._recalled(entries, names_room=True)
            case Listing(heading=heading, rows=rows):
                lines = [theme.paint(f"{SERVER} {heading}", theme.server)]
                lines += [f"   {row}" for row in rows]
            case Refusal(text=text):
                lines = [theme.paint(f"{SERVER} {text}", theme.refusal)]
            case Notice() | Invited() | Missed() | PutOut():
                lines = [theme.paint(f"{SERVER} {notice(event)}".rstrip(), theme.server)]
        return "".join(f"{line}\r\n" for line in lines).encode()

    def _private(self, event: PrivateMessage) -> str:
        theme = THEMES[self.theme]
        received = event.end is Recipient.ADDRESSEE
        ends = f"{event.sender} -> you" if received else f"you -> {event.addressee}"
        line = f"{theme.paint(f'[{ends}]', theme.private)} {event.text}"
        if self.timestamps:
            line = f"{self._time(event.time, self.timezone)} {line}"
        return f"{line}\a" if received and self.bell else line

    def _recalled(
        self, entries: tuple[Entry, ...], *, names_room: bool, numbered: bool = False
    ) -> list[str]:
        bare = replace(self, names_room=names_room)
        lines = []
        zone = self.recalled_timezone
        today = _day(entries[-1].event.time, zone) if entries else ""
        for entry in entries:
            day = _day(entry.event.time, zone)
            time = self._time(entry.event.time, zone)
            date = f"{day} " if day != today else ""
            number = f"#{entry.number} " * numbered
            lines.append(f"   {date}{time} {number}{bare._line(entry.room, entry.event)}")
        return lines

    def _time(self, time: float, zone: str) -> str:
        theme = THEMES[self.theme]
        return theme.paint(_clock(int(time // _MINUTE), zone), theme.time)


@lru_cache(maxsize=256)
def _clock(minute: int, zone: str) -> str:
    return datetime.fromtimestamp(minute * _MINUTE, _zone(zone)).strftime("%H:%M")


@cache
def _zone(name: str) -> ZoneInfo:
    """A zone, read once: there are some 600, and a flush must not depend on reading files."""
    return ZoneInfo(name)


def _day(time: float, zone: str) -> str:
    return datetime.fromtimestamp(time, _zone(zone)).strftime("%Y-%m-%d")


def announcement(room: str, event: RoomEvent) -> str:
    """What happened in a room, as a sentence without a full stop."""
    match event:
        case Said(nick=nick, text=text):
            return f"{nick}: {text}"
        case Acted(nick=nick, text=text):
            return f"* {nick} {text}"
        case Edited(nick=nick, text=text):
            return f"* {nick} corrects: {text}"
        case Deleted(nick=nick, by=by):
            whose = "" if by == nick else f" of {nick}"
            return f"{by} deleted a message{whose} in {room}"
        case Joined(nick=nick):
            return f"{nick} joined {room}"
        case Left(nick=nick, reason=reason, gone=gone):
            return f"{nick} {'left' if gone else f'left {room}'}{_because(reason)}"
        case Renamed(nick=nick, new=new):
            return f"{nick} is now known as {new}"
        case TopicSet(nick=nick, topic=topic):
            if not topic:
                return f"{nick} took the topic of {room} away"
            return f"{nick} set the topic of {room}: {topic}"
        case Kicked(nick=nick, by=by, reason=reason):
            return f"{nick} was kicked from {room} by {by or 'the server'}{_because(reason)}"
        case RoleGiven(nick=nick, role=role, by=by):
            name = f"the {role.value}" if role is Role.OWNER else f"a {role.value}"
            return f"{nick} is {name} of {room} now{f', by {by}' * bool(by)}"
        case Muted(nick=nick, by=by, muted=muted):
            return f"{nick} {'is muted' if muted else 'may speak again'} in {room}, by {by}"
        case RoomSet(nick=nick, name=name, value=value):
            return f"{nick} set {name} of {room} to {value}"


def notice(event: Notice | Invited | Missed | PutOut) -> str:
    """What is for one person alone, as a sentence."""
    match event:
        case Notice(text=text):
            return text
        case Invited(by=by, room=room):
            return f"{by} invites you into {room}; /join {room} takes you there."
        case Missed(room=room, count=count):
            return f"You missed {count} message{'s' * (count != 1)} in {room}: you read too slowly."
        case PutOut(room=room, by=by, reason=reason):
            return f"You were kicked from {room} by {by or 'the server'}{_because(reason)}."


def recalled(event: Recalled) -> str:
    """What a part of what was said in a room begins with."""
    count = len(event.entries)
    if not event.new:
        page = f", page {event.page}" if event.page > 1 else ""
        more = f"; page:{event.page + 1} shows earlier ones" if event.more else ""
        which = "the last" if event.page == 1 else "earlier"
        return f"{event.room}, {which} {'one' if count == 1 else count}{page}{more}:"
    more = f", after {event.earlier} more that /history has" if event.earlier else ""
    return f"{event.room}, {count} new{more}:"


def found(event: Found) -> str:
    """What a page of a search begins with."""
    count = len(event.entries)
    told = f"{count} message{'s' * (count != 1)} found"
    if event.page > 1:
        told += f", page {event.page}"
    return f"{told}; page:{event.page + 1} shows earlier ones:" if event.more else f"{told}:"


def _lines(text: str) -> str:
    """A message of several lines as a block: nobody's further lines look like somebody's first."""
    return text.replace("\n", "\r\n    ") if "\n" in text else text


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""
