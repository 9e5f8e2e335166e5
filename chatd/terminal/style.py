"""How what happens is put in words for a person: one line or a few, with CR LF, in UTF-8.

docs/protocol.rst shows every one of these lines.  A style is a value: people with equal styles
share one rendering.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from typing import Final

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
    Role,
    RoleGiven,
    RoomEvent,
    RoomSet,
    Said,
    TopicSet,
)
from chatd.chat.text.durations import term
from chatd.terminal.text.colours import NONE
from chatd.terminal.text.emphasis import emphasise
from chatd.terminal.text.graphemes import cells
from chatd.terminal.text.themes import Theme, theme
from chatd.terminal.text.times import QUARTER, clock, date, day_line
from chatd.terminal.text.wrapping import wrap

#: What the server's own lines begin with; no nick can.
SERVER = "--"
_INDENT: Final = len(SERVER) + 1

#: Who comes and goes, and what rings.
_PASSING: Final = (Joined, Left)
_SPOKEN: Final = (Said, Acted, Edited)

#: People who come or go in a row within one flush that are shown one by one; more are one line.
FOLDED: Final = 4

#: Rows of a screen that a greeting takes beside what it repeats of a room, the prompt included.
_GREETING_ROWS: Final = 10


@dataclass(frozen=True, slots=True)
class TextStyle:
    """Words and colours for one kind of reader.

    ``depth`` is how many colours there are, ``width`` the cells of a row (0: lines are not
    wrapped, and nothing is shown but lines, as over a plain connection); ``spoken`` is for ears.
    ``bell`` is off, on (for mentions) or all, ``joins`` on, off or fold, ``timestamps`` one of
    `chatd.terminal.text.times.FORMATS` or empty; with ``days`` each line has its date.

    ``recalled_timezone`` and ``rows`` (those of the screen) are for what was said before, which is
    always shown with its time; they make no difference to what happens now, and so none to which
    styles are equal.
    """

    theme: str = "plain"
    depth: int = NONE
    width: int = 0
    bell: str = "off"
    timestamps: str = ""
    days: bool = False
    timezone: str = "UTC"
    joins: str = "on"
    names_room: bool = False
    spoken: bool = False
    recalled_timezone: str = field(default="UTC", compare=False)
    rows: int = field(default=0, compare=False)
    _theme: Theme = field(init=False, compare=False, repr=False)
    _hash: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_theme", theme(self.theme, self.depth))
        object.__setattr__(self, "_hash", hash(_compared(self)))

    def __hash__(self) -> int:
        return self._hash

    @property
    def highlights(self) -> bool:
        """Whether a mention looks or sounds otherwise."""
        return self.bell != "off" or self.spoken or bool(self._theme.mention)

    @property
    def unfocused(self) -> TextStyle:
        """The same, for a room without the focus."""
        return self if self.names_room else replace(self, names_room=True)

    @property
    def folds(self) -> bool:
        """Whether many who come or go at once are told in one line."""
        return self.joins == "fold"

    @property
    def quiet(self) -> TextStyle:
        """The same, for what one said oneself: it never rings."""
        return replace(self, bell="on") if self.bell == "all" else self

    # What happens in a room -----------------------------------------------------------------------

    def render(self, entry: Entry, mentioned: bool = False) -> bytes:
        """What happened in a room, as one line."""
        event = entry.event
        if self.joins == "off" and isinstance(event, _PASSING):
            return b""
        head, hang, body = self._line(entry.room, event, mentioned)
        if self.timestamps or self.days:
            lead, width = self._lead(event.time)
            line = self._whole(lead + head, width + hang, body)
        else:
            line = self._whole(head, hang, body)
        rings = self.bell == "all" or (mentioned and self.bell == "on")
        if rings and isinstance(event, _SPOKEN):
            line += "\a"
        return f"{line}\r\n".encode()

    def _lead(self, time: float) -> tuple[str, int]:
        """The date and time before a line, where they are wanted, and its cells."""
        if not self.timestamps:
            lead = f"{date(time, self.timezone)} "
            return lead, len(lead)
        day = f"{date(time, self.timezone)} " * self.days
        shown = clock(time, self.timezone, self.timestamps)
        look = self._theme
        return f"{day}{look.paint(shown, look.time)} ", len(day) + len(shown) + 1

    def render_all(self, entries: Sequence[Entry], since: float | None) -> list[bytes]:
        """What happened in a room, a piece for each event; ``since`` is when something did before.

        Of many who come or go in a row the last piece tells, and those of the others are empty.
        """
        pieces = [self.render(entry) for entry in entries]
        if self.folds and len(entries) > FOLDED:
            self._fold(entries, pieces)
        if self.width and not self.names_room:
            for at, entry in enumerate(entries):
                time = entry.event.time
                if since is not None and since // QUARTER != time // QUARTER:
                    pieces[at] = self.separator(since, time) + pieces[at]
                since = time
        return pieces

    def separator(self, since: float, time: float) -> bytes:
        """A line that says which day it is, if there is a midnight between two times."""
        if not self.width or self.names_room:
            return b""
        today = date(time, self.timezone)
        if date(since, self.timezone) == today:
            return b""
        return f"{self._rule(day_line(time, self.timezone))}\r\n".encode()

    def _fold(self, entries: Sequence[Entry], pieces: list[bytes]) -> None:
        """Put one line in the place of many who come or go one after the other."""
        start = 0
        for end in range(1, len(entries) + 1):
            if end < len(entries) and isinstance(entries[end].event, _PASSING):
                continue
            run = entries[start:end]
            if len(run) and not isinstance(run[0].event, _PASSING):
                run = run[1:]
            if len(run) > FOLDED:
                pieces[end - len(run) : end] = [b""] * len(run)
                pieces[end - 1] = self._many(run)
            start = end

    def _many(self, run: Sequence[Entry]) -> bytes:
        """One line for many who came or went; its time is that of the last."""
        came = sum(isinstance(entry.event, Joined) for entry in run)
        last = run[-1]
        told = [f"{came} joined"] * bool(came) + [f"{len(run) - came} left"] * (came < len(run))
        told[0] = told[0].replace(" ", " person " if told[0].startswith("1 ") else " people ")
        lead, width = self._lead(last.event.time) if self.timestamps or self.days else ("", 0)
        line = self._announced(f"{' and '.join(told)} {last.room}")
        return f"{self._whole(lead, width + _INDENT, line)}\r\n".encode()

    def _line(self, room: str, event: RoomEvent, mentioned: bool = False) -> tuple[str, int, str]:
        """What an event's line begins with, how far further rows are indented, and what follows."""
        look = self._theme
        head, hang = "", 0
        if self.names_room:
            head, hang = f"{look.paint(f'[{room}]', look.server)} ", cells(room) + 3
        match event:
            case Said(nick=nick, text=text):
                told = " mentions you" if mentioned and self.spoken else ""
                hang += cells(nick) + len(told) + 2
                head += f"{look.nick(nick)}{told}: "
                return head, hang, self._text(text, mentioned) + self._mark(event)
            case Acted(nick=nick, text=text):
                body = self._text(text, mentioned, aloud=True) + self._mark(event)
                return f"{head}* {look.nick(nick)} ", hang + cells(nick) + 3, body
            case Edited(nick=nick, text=text):
                body = self._text(text, mentioned, aloud=True)
                return f"{head}* {look.nick(nick)} corrects: ", hang + cells(nick) + 13, body
            case _:
                return "", _INDENT, self._announced(announcement(room, event))

    def _announced(self, text: str, colour: str | None = None) -> str:
        """A line of the server's own."""
        look = self._theme
        return look.paint(f"{SERVER} {text}".rstrip(), look.server if colour is None else colour)

    def _text(self, text: str, mentioned: bool = False, *, aloud: bool = False) -> str:
        """What somebody said, with what is marked in it; ``aloud`` it says whom it mentions."""
        if not mentioned:
            return emphasise(text, self._theme)
        told = " (mentions you)" if aloud and self.spoken else ""
        return emphasise(text, self._theme, self._theme.mention) + told

    def _mark(self, event: Said | Acted) -> str:
        """What follows a text that is no longer that which was said."""
        if not event.edited:
            return ""
        return f" {self._theme.paint('(edited)', self._theme.server)}"

    def _whole(self, head: str, hang: int, body: str) -> str:
        """A line, wrapped where that is wanted; of several lines as a block.

        Nobody's further lines look like somebody's first.
        """
        if self.width:
            return wrap(head, hang, body, self.width)
        line = head + body
        return line.replace("\n", "\r\n    ") if "\n" in line else line

    def _rule(self, text: str) -> str:
        """A line that parts what is above from what is below."""
        if self.spoken:
            return f"{SERVER} {text}"
        return self._theme.paint(f"--- {text} ---", self._theme.rule)

    # What is for one person alone -----------------------------------------------------------------

    def render_personal(self, event: PersonalEvent) -> bytes:
        """What is for one person alone, as one line or several."""
        match event:
            case PrivateMessage():
                lines = [self._private(event)]
            case Recalled(seen=True) if not self.width:
                lines = []
            case Recalled():
                lines = self._recalled(event)
            case Found(entries=entries):
                lines = [self._server(found(event)), *self._entries(entries, names_room=True)]
            case Listing(heading=heading, rows=rows):
                lines = [self._server(heading)]
                lines += [self._whole("   ", _second_column(row), row) for row in rows]
            case Refusal(text=text):
                lines = [self._server(text, self._theme.refusal)]
            case Notice() | Invited() | Missed() | PutOut() | Announced():
                lines = [self._server(notice(event))]
        return "".join(f"{line}\r\n" for line in lines).encode()

    def _server(self, text: str, colour: str | None = None) -> str:
        """A line of the server's own that is for one person."""
        return self._whole("", _INDENT, self._announced(text, colour))

    def _private(self, event: PrivateMessage) -> str:
        look = self._theme
        received = event.end is Recipient.ADDRESSEE
        ends = f"{event.sender} -> you" if received else f"you -> {event.addressee}"
        if self.spoken:
            ends = ends.replace("->", "to")
        lead, width = self._lead(event.time) if self.timestamps else ("", 0)
        head = f"{lead}{look.paint(f'[{ends}]', look.private)} "
        line = self._whole(head, width + cells(ends) + 3, self._text(event.text))
        return f"{line}\a" if received and self.bell != "off" else line

    def _recalled(self, event: Recalled) -> list[str]:
        """What was said in a room: with a greeting as much of it as there is room for."""
        entries = event.entries
        blocks = self._entries(entries, names_room=False, numbered=event.numbered)
        if event.greets and self.rows:
            left = max(self.rows - _GREETING_ROWS, 4) - 1  # which is for the day
            kept = len(blocks)
            while kept > 1 and sum(block.count("\n") + 1 for block in blocks[-kept:]) > left:
                kept -= 1
            event = replace(event, entries=entries[-kept:])
            blocks = self._entries(event.entries, names_room=False, numbered=event.numbered)
        told = recalled(event)
        if event.new and self.width:
            return [self._rule(told.removesuffix(":")), *blocks]
        return [self._server(told), *blocks]

    def _entries(
        self, entries: tuple[Entry, ...], *, names_room: bool, numbered: bool = False
    ) -> list[str]:
        """What was said before, a block for each; where there is a screen, under their days."""
        bare, look = replace(self, names_room=names_room), self._theme
        blocks = []
        zone = self.recalled_timezone
        under = "" if self.width or not entries else date(entries[-1].event.time, zone)
        for entry in entries:
            time = entry.event.time
            day, above, lead = date(time, zone), "", "   "
            if day != under and self.width:
                above, under = f"   {self._rule(day_line(time, zone))}\r\n", day
            elif day != under:
                lead += f"{day} "
            shown = f"{clock(time, zone, self.timestamps)} "
            number = f"#{entry.number} " * numbered
            head, hang, body = bare._line(entry.room, entry.event)
            before = f"{lead}{look.paint(shown, look.time)}{number}"
            hang += len(lead) + len(shown) + len(number)
            blocks.append(above + self._whole(before + head, hang, body))
        return blocks


#: What makes two styles one.
_compared = attrgetter(*(each.name for each in fields(TextStyle) if each.compare))


def _second_column(row: str) -> int:
    """How far the further rows of a row of a listing are indented: to its second column."""
    column = row.find("  ")
    if column <= 0:
        return 5
    return 3 + column + len(row[column:]) - len(row[column:].lstrip())


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
        case Kicked(nick=nick):
            return f"{nick} was {_put_out(room, event)}"
        case RoleGiven(nick=nick, role=role, by=by):
            name = f"the {role.value}" if role is Role.OWNER else f"a {role.value}"
            return f"{nick} is {name} of {room} now{f', by {by}' * bool(by)}"
        case Muted(nick=nick, by=by, muted=False):
            return f"{nick} may speak again in {room}, by {by}"
        case Muted(time=time, nick=nick, by=by, until=until, reason=reason):
            how_long = f" {term(time, until)}" if until is not None else ""
            return f"{nick} is muted in {room}{how_long}, by {by}{_because(reason)}"
        case RoomSet(nick=nick, name=name, value=value):
            return f"{nick} set {name} of {room} to {value}"


def _put_out(where: str, event: Kicked | PutOut) -> str:
    """How somebody was put out of a room, or of the server."""
    done = f"banned from {where} {term(event.time, event.until)}"
    if not event.banned:
        done = f"kicked from {where}"
    return f"{done} by {event.by or 'the server'}{_because(event.reason)}"


def notice(event: Notice | Invited | Missed | PutOut | Announced) -> str:
    """What is for one person alone, as a sentence."""
    match event:
        case Notice(text=text):
            return text
        case Invited(by=by, room=room):
            return f"{by} invites you into {room}; /join {room} takes you there."
        case Missed(room=room, count=count):
            return f"You missed {count} message{'s' * (count != 1)} in {room}: you read too slowly."
        case PutOut(room=where):
            return f"You were {_put_out(where or 'this server', event)}."
        case Announced(by=by, text=text):
            return f"{by} tells everyone: {text}"


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


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""
