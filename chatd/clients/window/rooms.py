"""Rooms of the window: a conversation for each, and which one is shown.

It knows the events of the JSON protocol; it must not know requests, windows, connections or a
clock: it is given ``now``, which returns the time.
"""

from __future__ import annotations

from collections.abc import Callable

from chatd.clients.window.conversation import Conversation
from chatd.clients.window.lines import (
    Fields,
    Kind,
    Line,
    clock_time,
    describe,
    describe_private,
    number_of,
    text_of,
    time_of,
)

#: The most rooms of one window; the server lets a user join 50.
MAX_ROOMS = 100
#: Kinds of events that have their own numbers, so that none has to be shown twice.
_MESSAGES = ("said", "acted", "topic")


class Rooms:
    """Conversations by the names of their rooms, as the server writes them.

    ``current`` is the name of the room that is shown; None when the user is in no room.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.current: str | None = None
        self._no_room = Conversation("")
        self._open: dict[str, Conversation] = {}
        self._now = now

    def __contains__(self, room: str) -> bool:
        return room in self._open

    def __getitem__(self, room: str) -> Conversation:
        return self._open[room]

    @property
    def names(self) -> list[str]:
        """Return the rooms, in the order in which they were joined."""
        return list(self._open)

    @property
    def shown(self) -> Conversation:
        """Return the conversation that the window shows."""
        return self._open[self.current] if self.current is not None else self._no_room

    def find(self, text: str) -> str | None:
        """Return the room of a typed name, whatever its case; None if there is none."""
        sought = text.casefold()
        return next((name for name in self._open if name.casefold() == sought), None)

    def enter(self, room: str) -> Conversation | None:
        """Enter a room, perhaps again, and show it if it is the first; None: too many rooms."""
        if room not in self._open and len(self._open) >= MAX_ROOMS:
            return None
        conversation = self._open.setdefault(room, Conversation(room))
        conversation.entered()
        if self.current is None:
            self.show(room)
        return conversation

    def close(self, room: str) -> None:
        """Close a room; if it was shown, the one before it is shown next."""
        if room not in self._open:
            return
        at = self.names.index(room)
        del self._open[room]
        if room == self.current:
            left = self.names
            self.current = left[max(0, at - 1)] if left else None
            self.shown.unread = 0

    def show(self, room: str) -> None:
        """Show a room."""
        if room in self._open:
            self.current = room
            self._open[room].unread = 0

    # Lines ----------------------------------------------------------------------------------------

    def notify(self, sentence: str, kind: Kind = Kind.NOTICE, room: str | None = None) -> None:
        """Add a notice to a room; None is the shown one."""
        self._conversation(room).add(Line(kind, clock_time(self._now()), sentence))

    def add_own_message(self, room: str | None, nick: str, text: str, number: int) -> None:
        """Add the user's own message, once the server has stored it."""
        conversation = self._conversation(room)
        if not conversation.is_known(number):
            line = Line(Kind.OWN, clock_time(self._now()), f"{nick}: {text}")
            conversation.add(line, number, kept=True)

    def add_private_message(self, fields: Fields) -> None:
        """Add a private message to the shown conversation."""
        line = Line(Kind.PRIVATE, time_of(fields, self._now()), describe_private(fields))
        self.shown.add(line)

    def add_history(self, room: str, events: object, own: str) -> None:
        """Add events of the history, except those that are already shown."""
        if room in self._open and isinstance(events, list):
            for event in events:
                if isinstance(event, dict) and not self._open[room].is_known(
                    number_of(event, "seq")
                ):
                    self._add(self._open[room], event, own, kept=True)

    def set_members(self, room: str, users: object) -> None:
        """Replace the members of a room by the server's list."""
        if room in self._open and isinstance(users, list):
            people = [user for user in users if isinstance(user, dict)]
            self._open[room].set_members(
                {text_of(each, "nick"): text_of(each, "role") for each in people}
            )

    def add_event(self, fields: Fields, own: str) -> None:
        """Add an event of a room; ``own`` is the user's nick."""
        conversation = self._open[text_of(fields, "room")]
        event, nick = text_of(fields, "event"), text_of(fields, "nick")
        match event:
            case "joined":
                conversation.add_member(nick)
            case "left" | "kicked":
                conversation.remove_member(nick)
            case "renamed":
                conversation.rename_member(nick, text_of(fields, "new"))
            case "role" if nick in conversation.members:
                conversation.add_member(nick, text_of(fields, "role"))
            case "topic":
                conversation.topic = text_of(fields, "topic")
            case "said" | "acted" if text_of(fields, "sender") == own:
                if conversation.is_known(number_of(fields, "seq")):
                    return
        self._add(conversation, fields, own, kept=event in _MESSAGES)
        if event in ("said", "acted") and conversation is not self.shown:
            conversation.unread += 1

    def _add(self, conversation: Conversation, fields: Fields, own: str, *, kept: bool) -> None:
        """Add the line of an event, if it has one."""
        text = describe(fields)
        kind = Kind.NOTICE
        if text_of(fields, "event") in ("said", "acted"):
            kind = Kind.OWN if text_of(fields, "sender") == own else Kind.SAID
        if text:
            line = Line(kind, time_of(fields, self._now()), text)
            conversation.add(line, number_of(fields, "seq"), kept=kept)

    def _conversation(self, room: str | None) -> Conversation:
        """Return the conversation of a room; the shown one for None and unknown rooms."""
        return self.shown if room is None else self._open.get(room, self.shown)
