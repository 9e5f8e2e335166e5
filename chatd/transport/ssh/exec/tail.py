"""``tail``: follows a room."""

from __future__ import annotations

from collections import deque

from chatd.chat.events import Entry
from chatd.chat.fanout.log import Style
from chatd.chat.limits import HISTORY_SHOWN_AT_MOST
from chatd.chat.model import rules
from chatd.chat.model.entities import Room, Session
from chatd.chat.model.preferences import Preferences
from chatd.terminal.style import TextStyle
from chatd.transport.ssh.exec.command import REFUSED, Call, UsageError
from chatd.transport.ssh.exec.session import SessionCommand
from chatd.wire.json.events import EventStyle


class Tail(SessionCommand):
    """``tail [-n N] [--json] ROOM``: writes the room's events as lines until interrupted."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._room = ""
        self._count = 0
        self._json = False
        self._following = False

    def begin(self) -> None:
        """Parse the words, then enter the chat."""
        words = deque(self.call.words)
        while words and words[0].startswith("-"):
            word = words.popleft()
            if word == "--json":
                self._json = True
            elif word == "-n" and words and words[0].isascii() and words[0].isdigit():
                self._count = min(int(words.popleft()[:9]), HISTORY_SHOWN_AT_MOST)
            else:
                raise UsageError("tail [-n N] [--json] ROOM")
        if len(words) != 1:
            raise UsageError("tail [-n N] [--json] ROOM")
        self._room = words[0]
        self.enter()

    def entered(self, session: Session) -> None:
        """Write the last N messages, then follow the room."""
        host = self.call.host
        room = host.chat.find_room(self._room, session)
        rules.check_entry(room, session, host.now())
        self.wait_for(self._follow(session, room))

    async def _follow(self, session: Session, room: Room) -> None:
        entries: tuple[Entry, ...] = ()
        if self._count:
            entries = await self.call.host.chat.history.last(room, self._count)
        style = self.style(session.preferences)
        if self.ended:
            return
        self.write(b"".join(style.render(entry) for entry in entries))
        await self.call.host.chat.join(session, self._room, self.call.host.now())
        self._following = True

    def style(self, preferences: Preferences) -> Style:
        """Return the style: events as JSON, or plain lines with their times."""
        if self._json:
            return EventStyle()
        return TextStyle(timestamps="HH:MM", timezone=preferences.timezone)

    def ready(self) -> None:
        """Continue with the events that did not fit."""
        if self.session is not None:
            self.session.release()

    def write(self, data: bytes) -> None:
        """Write lines; end when the user has been kicked from the room."""
        super().write(data)
        if self._following and self.session is not None and not self.session.person.rooms:
            self.finish(REFUSED)
