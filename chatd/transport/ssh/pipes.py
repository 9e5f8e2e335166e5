"""Shell pipes: what ``ssh host COMMAND`` does (docs/protocol.rst, "Shell pipes").

A command is data, like those of the chat: a name, arguments, a sentence of help, and what runs.
Lines end with LF, for they go to other programs; what goes wrong is one line on standard error
and an exit status.
"""

from __future__ import annotations

import shlex
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.chat import chat
from chatd.chat.events import Entry, Refused
from chatd.chat.limits import HISTORY_SHOWN_AT_MOST, LINE_BYTES, PASTE_BYTES
from chatd.chat.log import Style
from chatd.chat.names import Name
from chatd.chat.pace import Pace
from chatd.chat.people import Person
from chatd.chat.preferences import Preferences
from chatd.chat.room import Room
from chatd.chat.session import Session
from chatd.chat.text import safe
from chatd.terminal.style import TextStyle
from chatd.transport.host import Host
from chatd.transport.ssh.channel import SessionChannel
from chatd.wire.json_events import EventStyle
from chatd.wire.line import CutLine, LineCodec

#: Exit statuses: done; refused by the chat; a command that does not exist or was misused (EX_USAGE
#: of BSD's sysexits); a bug of ours (EX_SOFTWARE); ended by SIGINT, as a shell reports it.
OK, REFUSED, USAGE, SOFTWARE, INTERRUPTED = 0, 1, 64, 70, 130


class Misused(Exception):  # noqa: N818 - a no, not an error
    """The words of a command make no sense; the argument is a sentence."""


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a command."""

    host: Host
    channel: SessionChannel
    who: chat.Visitor
    words: tuple[str, ...]

    def put(self, lines: list[str]) -> None:
        """Write lines to standard output."""
        ended = "\r\n" if self.channel.terminal else "\n"
        self.channel.outbox.write("".join(line + ended for line in lines).encode())

    def fail(self, sentence: str, status: int) -> None:
        """Say on standard error what is wrong, and end."""
        self.channel.write_error(f"chatd: {sentence}\n".encode())
        self.channel.finish(status)


class Pipe:
    """What runs for a command that has nothing to read and is over when it has been done.

    Anything that a subclass refuses (`Refused`, `Misused`) ends it with a sentence and a status.
    """

    _log = Logger()

    def __init__(self, call: Call) -> None:
        self.call = call
        self.ended = False

    def attempt(self, step: Callable[[], object]) -> None:
        """Do a step of the command; what is refused ends it."""
        if self.ended:
            return
        try:
            step()
        except Misused as misused:
            self.fail(str(misused), USAGE)
        except Refused as refused:
            self.fail(refused.sentence, REFUSED)
        except Exception as bug:
            self._log.failure("a command failed", failure=Failure(bug))
            self.fail("something went wrong here; it is in the log.", SOFTWARE)

    def wait_for(self, step: Coroutine[Any, Any, None]) -> None:
        """Do a step that waits for something; what is refused ends the command."""
        Deferred.fromCoroutine(step).addErrback(
            lambda failure: self.attempt(failure.raiseException)
        )

    def begin(self) -> None:
        """Start."""

    def finish(self, status: int = OK) -> None:
        """End with a status, once what was written is sent."""
        if not self.ended:
            self.ended = True
            self.leave()
            self.call.channel.finish(status)

    def fail(self, sentence: str, status: int) -> None:
        """End with a sentence on standard error."""
        if not self.ended:
            self.ended = True
            self.leave()
            self.call.fail(sentence, status)

    def leave(self) -> None:
        """Leave nothing of this command in the chat."""

    def data_received(self, data: bytes) -> None:
        """Standard input: Ctrl-C and Ctrl-D when it is a terminal's."""
        if self.call.channel.terminal and (b"\x03" in data or b"\x04" in data):
            self.finish(INTERRUPTED)

    def resized(self, columns: int, rows: int) -> None:
        """Nothing is drawn."""

    def interrupted(self) -> None:
        """Stop."""
        self.finish(INTERRUPTED)

    def input_ended(self) -> None:
        """Nothing was read from it."""

    def ready(self) -> None:
        """There is room in the outbox again."""

    def lost(self) -> None:
        """The channel is gone."""
        if not self.ended:
            self.ended = True
            self.leave()


class Present(Pipe):
    """A command for which somebody is in the chat: the base of those that speak or listen."""

    sees_own = True
    each_room = False
    needs_all = False

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.session: Session | None = None

    def enter(self) -> None:
        """Come in, then go on with `entered`."""
        self.wait_for(self._enter())

    async def _enter(self) -> None:
        host = self.call.host
        session, _ = await host.chat.enter(self.call.who, self, host.now())
        self.session = session
        if self.ended:
            self.leave()
        else:
            self.entered(session)

    def entered(self, session: Session) -> None:
        """Somebody is here now."""

    def leave(self) -> None:
        """Leave the chat."""
        if self.session is not None:
            self.call.host.chat.leave(self.session, "", self.call.host.now())

    # Reader ---------------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether the channel takes nothing now."""
        return self.call.channel.outbox.full

    @property
    def pending(self) -> int:
        """Bytes that wait for the channel."""
        return self.call.channel.outbox.pending

    def send(self, data: bytes) -> int:
        """Events in their order, as lines for a program; -1 when not all of them was taken."""
        self.write(data)
        return -1 if self.full else len(data)

    def stalled(self, data: bytes, taken: int) -> None:
        """The outbox keeps what it could not send."""

    def write(self, data: bytes) -> None:
        """Lines for a program."""
        self.call.channel.outbox.write(data.replace(b"\r\n", b"\n"))

    def style(self, preferences: Preferences) -> Style:
        """Plain lines."""
        return TextStyle(timestamps=True, timezone=preferences.timezone)

    def close(self) -> None:
        """The server ends it."""
        self.finish()

    def broken(self, bug: Exception) -> None:
        """A bug of ours came up in sending."""
        self._log.failure("sending failed", failure=Failure(bug))
        self.call.channel.outbox.abort()


class Say(Present):
    """``say ROOM TEXT``, or without a text each line of standard input, at the pace of a person.

    Nothing is dropped: lines that wait for their turn stop the input.  It ends, with status 0, once
    the last line is kept.
    """

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._codec = LineCodec()
        self._lines: deque[str] = deque()
        self._waiting = 0
        self._unkept = 0
        self._later: IDelayedCall | None = None
        flood = call.host.flood
        self._pace = Pace(flood, call.host.clock.seconds()) if flood else None
        self._no_more = len(call.words) > 1

    def begin(self) -> None:
        """Read the words, then come in."""
        if not self.call.words:
            raise Misused("say ROOM TEXT, or say ROOM with lines on standard input")
        if self._no_more:
            self._take([safe(" ".join(self.call.words[1:]))])
        self.enter()

    def entered(self, session: Session) -> None:
        """Go on with what waits."""
        self._go_on()

    def data_received(self, data: bytes) -> None:
        """Lines of standard input."""
        if not self._no_more:
            self._take(self._codec.receive_data(data))
            self.attempt(self._go_on)

    def input_ended(self) -> None:
        """The last line may have no end."""
        if not self._no_more:
            self._take(self._codec.finish())
            self._no_more = True
            self.attempt(self._go_on)

    def _take(self, lines: list[str | CutLine] | list[str]) -> None:
        for line in lines:
            if isinstance(line, CutLine):
                told = f"chatd: a line was too long; its first {LINE_BYTES} bytes were taken.\n"
                self.call.channel.write_error(told.encode())
                line = line.text
            if line.strip():
                self._lines.append(line)
                self._waiting += len(line)
        if self._waiting > PASTE_BYTES // 4:
            self.call.channel.pause()

    def _go_on(self) -> None:
        session = self.session
        if session is None or self._later is not None:
            return
        host = self.call.host
        while self._lines and not self.ended:
            wait = self._pace.wait(host.clock.seconds()) if self._pace else 0.0
            if wait:
                self._later = host.clock.callLater(wait, self._waited)
                return
            line = self._lines.popleft()
            self._waiting -= len(line)
            room = host.chat.find_room(self.call.words[0], session.person)
            self._unkept += 1
            host.chat.say_from_outside(session, room, line, host.now(), self._kept)
        if self._no_more and not (self._lines or self._unkept):
            self.finish()
        elif not self._no_more:
            self.call.channel.resume()

    def _waited(self) -> None:
        self._later = None
        self.attempt(self._go_on)

    def _kept(self, outcome: int | Refused) -> None:
        self._unkept -= 1
        if isinstance(outcome, Refused):
            self.fail(outcome.sentence, REFUSED)
        elif self._no_more and not (self._lines or self._unkept):
            # In the next turn: the step that posted it may still be under way.
            self.call.host.clock.callLater(0, self.attempt, self._go_on)

    def leave(self) -> None:
        """Leave the chat, and the clock."""
        if self._later is not None and self._later.active():
            self._later.cancel()
        super().leave()


class Tail(Present):
    """``tail [-n N] [--json] ROOM``: the room as lines, until interrupted."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._room = ""
        self._count = 0
        self._json = False
        self._following = False

    def begin(self) -> None:
        """Read the words, then come in."""
        words = deque(self.call.words)
        while words and words[0].startswith("-"):
            word = words.popleft()
            if word == "--json":
                self._json = True
            elif word == "-n" and words and words[0].isascii() and words[0].isdigit():
                self._count = min(int(words.popleft()[:9]), HISTORY_SHOWN_AT_MOST)
            else:
                raise Misused("tail [-n N] [--json] ROOM")
        if len(words) != 1:
            raise Misused("tail [-n N] [--json] ROOM")
        self._room = words[0]
        self.enter()

    def entered(self, session: Session) -> None:
        """Show what was said, if that was asked for, then what is."""
        host = self.call.host
        room = host.chat.find_room(self._room, session.person)
        room.check_entry(session.person)
        self.wait_for(self._follow(session, room))

    async def _follow(self, session: Session, room: Room) -> None:
        entries: tuple[Entry, ...] = ()
        if self._count:
            entries = await self.call.host.chat.history(room, self._count)
        style = self.style(session.preferences)
        if self.ended:
            return
        self.write(b"".join(style.render(entry) for entry in entries))
        self.call.host.chat.join(session, self._room, self.call.host.now())
        self._following = True

    def style(self, preferences: Preferences) -> Style:
        """Typed events, or plain lines with their times."""
        if self._json:
            return EventStyle()
        return TextStyle(timestamps=True, timezone=preferences.timezone)

    def ready(self) -> None:
        """Catch up."""
        if self.session is not None:
            self.session.resume()

    def write(self, data: bytes) -> None:
        """Lines for a program; who is kicked from the room has nothing more to read."""
        super().write(data)
        if self._following and self.session is not None and not self.session.person.rooms:
            self.finish(REFUSED)


class Who(Pipe):
    """``who``: a person a line, with the rooms that everybody may know of."""

    def begin(self) -> None:
        """Write them down."""
        seen = _visible_rooms(self.call)
        rows = []
        for person in self.call.host.chat.people.everyone():
            rooms = ",".join(str(room) for room in person.rooms.values() if room in seen)
            rows.append(f"{person.nick} {rooms}".rstrip())
        self.call.put(rows)
        self.finish()


class Rooms(Pipe):
    """``rooms``: a room a line, with the number of its people and its topic."""

    def begin(self) -> None:
        """Write them down."""
        self.call.put(
            [
                f"{room} {len(room.members)} {room.settings.topic}".rstrip()
                for room in _visible_rooms(self.call)
            ]
        )
        self.finish()


class Help(Pipe):
    """``help``: these commands."""

    def begin(self) -> None:
        """Write them down."""
        width = max(len(usage) for _, usage, _ in COMMANDS.values())
        self.call.put([f"{usage:{width}}  {text}" for _, usage, text in COMMANDS.values()])
        self.finish()


#: Each command: what runs, how it is typed, what it does.
COMMANDS: dict[str, tuple[type[Pipe], str, str]] = {
    "who": (Who, "who", "everyone who is here and their rooms, a person a line"),
    "rooms": (Rooms, "rooms", "every room, its people and its topic, a room a line"),
    "say": (Say, "say ROOM [TEXT]", "say it, or each line of standard input, once it is kept"),
    "tail": (Tail, "tail [-n N] [--json] ROOM", "the room as lines, until interrupted"),
    "help": (Help, "help", "these commands"),
}


def _visible_rooms(call: Call) -> list[Room]:
    nobody = Person(Name("", ""), 0.0, operator=call.who.operator)
    return [room for room in call.host.chat.rooms.values() if call.host.chat.may_see(nobody, room)]


def pipe(host: Host, channel: SessionChannel, who: chat.Visitor, command: str) -> Pipe:
    """What runs for the words of a command."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    kind = COMMANDS[words[0]][0] if words and words[0] in COMMANDS else Unknown
    program = kind(Call(host, channel, who, tuple(words[1:])))
    program.attempt(program.begin)
    return program


class Unknown(Pipe):
    """A command that does not exist."""

    def begin(self) -> None:
        """Say which ones do."""
        raise Misused(f"there is no such command; there are {', '.join(COMMANDS)}.")
