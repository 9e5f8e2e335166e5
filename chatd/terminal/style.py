"""Text style: renders events as lines for a user, each ended by CR LF, in UTF-8.

docs/protocol.rst shows every one of these lines.  A style is a value: users with equal styles share
one rendering.
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
from chatd.terminal.text.gaps import narrowed
from chatd.terminal.text.graphemes import cells
from chatd.terminal.text.themes import Theme, theme
from chatd.terminal.text.times import QUARTER_HOUR, date, day_line, time_of_day
from chatd.terminal.text.wrapping import wrap

#: The prefix of the server's own lines; no nick can begin with it.
SERVER = "--"
_INDENT: Final = len(SERVER) + 1

#: The events that ``joins`` hides or folds, and those that ring the bell.
_PRESENCE: Final = (Joined, Left)
_MESSAGES: Final = (Said, Acted, Edited)

#: The most successive joins and leaves in one flush that are shown individually; more become one
#: line.
FOLDED: Final = 4

#: Rows of a screen that a greeting takes besides the history it shows, the prompt included.
_GREETING_ROWS: Final = 10


@dataclass(frozen=True, slots=True)
class TextStyle:
    """The wording and colours for one kind of display.

    ``depth`` is the number of colours, ``width`` the cells of a row (0: lines are not wrapped, and
    there are no rules between days, as over a plain connection); ``screen_reader`` adds words where
    other users see a colour or a mark.  ``bell`` is off, on (for mentions) or all, ``joins`` on,
    off or fold, ``timestamps`` one of `chatd.terminal.text.times.FORMATS` or empty; with ``days``
    each line has its date; with ``names_room`` the name of its room.

    ``recalled_timezone`` and ``rows`` (the screen's height) are for history, which always shows
    times; they do not affect live events, so styles that differ only in them are equal.
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
    screen_reader: bool = False
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
        """Whether a mention is rendered differently from other messages."""
        return self.bell != "off" or self.screen_reader or bool(self._theme.mention)

    @property
    def unfocused(self) -> TextStyle:
        """The same style for a room without the focus: it names the room."""
        return self if self.names_room else replace(self, names_room=True)

    @property
    def folds(self) -> bool:
        """Whether many successive joins and leaves are rendered as one line."""
        return self.joins == "fold"

    @property
    def quiet(self) -> TextStyle:
        """The same style for a user's own messages: they never ring the bell."""
        return replace(self, bell="on") if self.bell == "all" else self

    # Room events ----------------------------------------------------------------------------------

    def render(self, entry: Entry, mentioned: bool = False) -> bytes:
        """Return a room event as one line; empty when ``joins`` hides it."""
        event = entry.event
        if self.joins == "off" and isinstance(event, _PRESENCE):
            return b""
        head, hang, body = self._parts(entry.room, event, mentioned)
        if self.timestamps or self.days:
            lead, width = self._time_prefix(event.time)
            line = self._wrapped(lead + head, width + hang, body)
        else:
            line = self._wrapped(head, hang, body)
        rings = self.bell == "all" or (mentioned and self.bell == "on")
        if rings and isinstance(event, _MESSAGES):
            line += "\a"
        return f"{line}\r\n".encode()

    def _time_prefix(self, time: float) -> tuple[str, int]:
        """Return the date and time before a line, as preferred, and their width in cells."""
        if not self.timestamps:
            lead = f"{date(time, self.timezone)} "
            return lead, len(lead)
        day = f"{date(time, self.timezone)} " * self.days
        shown = time_of_day(time, self.timezone, self.timestamps)
        colours = self._theme
        return f"{day}{colours.paint(shown, colours.time)} ", len(day) + len(shown) + 1

    def render_all(self, entries: Sequence[Entry], since: float | None) -> list[bytes]:
        """Return room events, one piece for each.

        For many successive joins and leaves, the last piece is their summary, and the others are
        empty.

        :param since: the time of the event before the first, in seconds since the epoch.
        """
        pieces = [self.render(entry) for entry in entries]
        if self.folds and len(entries) > FOLDED:
            self._fold(entries, pieces)
        if self.width and not self.names_room:
            for at, entry in enumerate(entries):
                time = entry.event.time
                if since is not None and since // QUARTER_HOUR != time // QUARTER_HOUR:
                    pieces[at] = self.separator(since, time) + pieces[at]
                since = time
        return pieces

    def separator(self, since: float, time: float) -> bytes:
        """Return a line with the new date, if there is a midnight between two times."""
        if not self.width or self.names_room:
            return b""
        today = date(time, self.timezone)
        if date(since, self.timezone) == today:
            return b""
        return f"{self._rule(day_line(time, self.timezone))}\r\n".encode()

    def _fold(self, entries: Sequence[Entry], pieces: list[bytes]) -> None:
        """Replace the pieces of many successive joins and leaves by one line."""
        start = 0
        for end in range(1, len(entries) + 1):
            if end < len(entries) and isinstance(entries[end].event, _PRESENCE):
                continue
            run = entries[start:end]
            if len(run) and not isinstance(run[0].event, _PRESENCE):
                run = run[1:]
            if len(run) > FOLDED:
                pieces[end - len(run) : end] = [b""] * len(run)
                pieces[end - 1] = self._folded(run)
            start = end

    def _folded(self, run: Sequence[Entry]) -> bytes:
        """Return one line for many joins and leaves, with the time of the last."""
        joins = sum(isinstance(entry.event, Joined) for entry in run)
        last = run[-1]
        parts = [f"{joins} joined"] * bool(joins) + [f"{len(run) - joins} left"] * (
            joins < len(run)
        )
        parts[0] = parts[0].replace(" ", " person " if parts[0].startswith("1 ") else " people ")
        lead, width = (
            self._time_prefix(last.event.time) if self.timestamps or self.days else ("", 0)
        )
        line = self._server_text(f"{' and '.join(parts)} {last.room}")
        return f"{self._wrapped(lead, width + _INDENT, line)}\r\n".encode()

    def _parts(self, room: str, event: RoomEvent, mentioned: bool = False) -> tuple[str, int, str]:
        """Return the head of an event's line, its hanging indent in cells, and its body."""
        colours = self._theme
        head, hang = "", 0
        if self.names_room:
            head, hang = f"{colours.paint(f'[{room}]', colours.server)} ", cells(room) + 3
        match event:
            case Said(nick=nick, text=text):
                mention = " mentions you" if mentioned and self.screen_reader else ""
                hang += cells(nick) + len(mention) + 2
                head += f"{colours.nick(nick)}{mention}: "
                return head, hang, self._message_text(text, mentioned) + self._edited_mark(event)
            case Acted(nick=nick, text=text):
                body = self._message_text(text, mentioned, aloud=True) + self._edited_mark(event)
                return f"{head}* {colours.nick(nick)} ", hang + cells(nick) + 3, body
            case Edited(nick=nick, text=text):
                body = self._message_text(text, mentioned, aloud=True)
                return f"{head}* {colours.nick(nick)} corrects: ", hang + cells(nick) + 13, body
            case _:
                return "", _INDENT, self._server_text(announcement(room, event))

    def _server_text(self, text: str, colour: str | None = None) -> str:
        """Return a text of the server, painted."""
        colours = self._theme
        return colours.paint(
            f"{SERVER} {text}".rstrip(), colours.server if colour is None else colour
        )

    def _message_text(self, text: str, mentioned: bool = False, *, aloud: bool = False) -> str:
        """Return a message's text with emphasis; ``aloud`` says in words that it is a mention."""
        if not mentioned:
            return emphasise(text, self._theme)
        mention = " (mentions you)" if aloud and self.screen_reader else ""
        return emphasise(text, self._theme, self._theme.mention) + mention

    def _edited_mark(self, event: Said | Acted) -> str:
        """Return the mark after an edited message, or nothing."""
        if not event.edited:
            return ""
        return f" {self._theme.paint('(edited)', self._theme.server)}"

    def _wrapped(self, head: str, hang: int, body: str) -> str:
        """Return a line, wrapped to the width if there is one, else with bounded gaps.

        The second and further lines of a block are indented, so that none looks like the first line
        of another message.
        """
        if self.width:
            return wrap(head, hang, body, self.width)
        line = narrowed(head + body)
        return line.replace("\n", "\r\n    ") if "\n" in line else line

    def _rule(self, text: str) -> str:
        """Return a line that separates the lines above it from those below."""
        if self.screen_reader:
            return f"{SERVER} {text}"
        return self._theme.paint(f"--- {text} ---", self._theme.rule)

    # Personal events ------------------------------------------------------------------------------

    def render_personal(self, event: PersonalEvent) -> bytes:
        """Return a personal event as zero or more lines."""
        match event:
            case PrivateMessage():
                lines = [self._private_line(event)]
            case Recalled(seen=True) if not self.width:
                lines = []
            case Recalled():
                lines = self._history_lines(event)
            case Found(entries=entries):
                lines = [
                    self._server_line(search_heading(event)),
                    *self._blocks(entries, names_room=True),
                ]
            case Listing(heading=heading, rows=rows):
                lines = [self._server_line(heading)]
                lines += [self._wrapped("   ", _second_column(row), row) for row in rows]
            case Refusal(text=text):
                lines = [self._server_line(text, self._theme.refusal)]
            case Notice() | Invited() | Missed() | PutOut() | Announced():
                lines = [self._server_line(personal_sentence(event))]
        return "".join(f"{line}\r\n" for line in lines).encode()

    def _server_line(self, text: str, colour: str | None = None) -> str:
        """Return a line of the server, wrapped."""
        return self._wrapped("", _INDENT, self._server_text(text, colour))

    def _private_line(self, event: PrivateMessage) -> str:
        """Return a private message, received or sent, with a bell when it was received."""
        colours = self._theme
        received = event.end is Recipient.ADDRESSEE
        ends = f"{event.sender} -> you" if received else f"you -> {event.addressee}"
        if self.screen_reader:
            ends = ends.replace("->", "to")
        lead, width = self._time_prefix(event.time) if self.timestamps else ("", 0)
        head = f"{lead}{colours.paint(f'[{ends}]', colours.private)} "
        line = self._wrapped(head, width + cells(ends) + 3, self._message_text(event.text))
        return f"{line}\a" if received and self.bell != "off" else line

    def _history_lines(self, event: Recalled) -> list[str]:
        """Return a page of history under its heading; in a greeting only as much as fits."""
        entries = event.entries
        blocks = self._blocks(entries, names_room=False, numbered=event.numbered)
        if event.greets and self.rows:
            room = max(self.rows - _GREETING_ROWS, 4) - 1  # one row for the date
            count = len(blocks)
            while count > 1 and sum(block.count("\n") + 1 for block in blocks[-count:]) > room:
                count -= 1
            event = replace(event, entries=entries[-count:])
            blocks = self._blocks(event.entries, names_room=False, numbered=event.numbered)
        heading = history_heading(event)
        if event.new and self.width:
            return [self._rule(heading.removesuffix(":")), *blocks]
        return [self._server_line(heading), *blocks]

    def _blocks(
        self, entries: tuple[Entry, ...], *, names_room: bool, numbered: bool = False
    ) -> list[str]:
        """Return history entries, a block for each; on a screen, under a rule for each date."""
        bare, colours = replace(self, names_room=names_room), self._theme
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
            shown = f"{time_of_day(time, zone, self.timestamps)} "
            number = f"#{entry.number} " * numbered
            head, hang, body = bare._parts(entry.room, entry.event)
            before = f"{lead}{colours.paint(shown, colours.time)}{number}"
            hang += len(lead) + len(shown) + len(number)
            blocks.append(above + self._wrapped(before + head, hang, body))
        return blocks


#: The fields that make two styles equal.
_compared = attrgetter(*(each.name for each in fields(TextStyle) if each.compare))


def _second_column(row: str) -> int:
    """Return the hanging indent of a listing's row: the start of its second column."""
    column = row.find("  ")
    if column <= 0:
        return 5
    return 3 + column + len(row[column:]) - len(row[column:].lstrip())


def announcement(room: str, event: RoomEvent) -> str:
    """Return a room event as a sentence without a full stop."""
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
            return f"{nick} was {_removal(room, event)}"
        case RoleGiven(nick=nick, role=role, by=by):
            name = f"the {role.value}" if role is Role.OWNER else f"a {role.value}"
            return f"{nick} is {name} of {room} now{f', by {by}' * bool(by)}"
        case Muted(nick=nick, by=by, muted=False):
            return f"{nick} may speak again in {room}, by {by}"
        case Muted(time=time, nick=nick, by=by, until=until, reason=reason):
            how_long = f" {term(time, until)}" if until is not None else ""
            return f"{nick} is muted in {room}{how_long}, by {by}{_because(reason)}"
        case RoomSet(nick=by, name="voice", value=value):
            nick, _, given = value.rpartition(" ")
            return f"{nick} {_VOICE.get(given, 'has a voice')} in {room}, by {by}"
        case RoomSet(nick=nick, name=name, value=value):
            return f"{nick} set {name} of {room} to {value}"


#: What a moderator has done, by the last word of the setting ``voice``.
_VOICE = {"on": "may speak", "off": "has no voice any more"}


def _removal(where: str, event: Kicked | PutOut) -> str:
    """Return how a user was kicked or banned from a room or the server."""
    done = f"banned from {where} {term(event.time, event.until)}"
    if not event.banned:
        done = f"kicked from {where}"
    return f"{done} by {event.by or 'the server'}{_because(event.reason)}"


def personal_sentence(event: Notice | Invited | Missed | PutOut | Announced) -> str:
    """Return a personal event as a sentence."""
    match event:
        case Notice(text=text):
            return text
        case Invited(by=by, room=room):
            return f"{by} invites you into {room}; /join {room} takes you there."
        case Missed(room=room, count=count):
            return f"You missed {count} message{'s' * (count != 1)} in {room}: you read too slowly."
        case PutOut(room=where):
            return f"You were {_removal(where or 'this server', event)}."
        case Announced(by=by, text=text):
            return f"{by} tells everyone: {text}"


def history_heading(event: Recalled) -> str:
    """Return the heading of a page of history."""
    count = len(event.entries)
    if not event.new:
        page = f", page {event.page}" if event.page > 1 else ""
        more = f"; page:{event.page + 1} shows earlier ones" if event.more else ""
        which = "the last" if event.page == 1 else "earlier"
        return f"{event.room}, {which} {'one' if count == 1 else count}{page}{more}:"
    more = f", after {event.earlier} more that /history has" if event.earlier else ""
    return f"{event.room}, {count} new{more}:"


def search_heading(event: Found) -> str:
    """Return the heading of a page of search results."""
    count = len(event.entries)
    heading = f"{count} message{'s' * (count != 1)} found"
    if event.page > 1:
        heading += f", page {event.page}"
    return f"{heading}; page:{event.page + 1} shows earlier ones:" if event.more else f"{heading}:"


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""
