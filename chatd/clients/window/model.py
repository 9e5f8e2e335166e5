"""What the window shows, and what it asks the server for.

It is fed with what came from the server and with what the person does, and returns the requests
that are to be sent.  It knows the JSON protocol of version 2 (docs/protocol.rst); it must not know
Tk, Twisted or a socket.
"""

from __future__ import annotations

from collections.abc import Callable

from chatd.clients.window.lines import Fields, Kind, number_of, shown, text_of
from chatd.clients.window.requests import (
    HISTORY,
    HISTORY_MISSED,
    MESSAGE_BYTES,
    Asked,
    Counting,
    Joining,
    Leaving,
    Naming,
    Probing,
    Recalling,
    Request,
    Saying,
    Unanswered,
    Whispering,
    hello,
)
from chatd.clients.window.rooms import Rooms
from chatd.clients.window.status import Phase, Standing

#: The room that one comes into where the server does not say.
LOBBY = "lobby"

_HELP = (
    "What you type is for the room, or for the one whose name is in the field before it.",
    "/join ROOM takes you into a room, /leave out of the one you look at, /topic TEXT sets its"
    " topic; // begins a message with a slash.",
)


class Model:
    """One person's window: the rooms, how it stands with the server, and what is to be asked."""

    def __init__(self, nick: str, now: Callable[[], float]) -> None:
        self.nick = shown(nick)
        self.standing = Standing()
        self.rooms = Rooms(now)
        self._unanswered = Unanswered()

    # The connection -------------------------------------------------------------------------------

    def connected(self) -> list[Request]:
        """There is a connection: say who is here."""
        self.standing.entering(self.nick)
        return [hello(self.nick)]

    def lost(self, why: str, seconds: float) -> None:
        """There is no connection; it is tried again in so many seconds."""
        self._disconnected(why)
        self.standing.lost(why, seconds)

    def left(self) -> None:
        """The person has disconnected."""
        self._disconnected("You are disconnected.")
        self.standing.left()

    def _disconnected(self, why: str) -> None:
        if self.standing.is_in:
            self.rooms.tell(f"-- {why}")
        for asked in self._unanswered.give_up():
            if isinstance(asked, Saying | Whispering):
                self.rooms.tell(f"!! Perhaps not delivered: {asked.text}", Kind.ERROR)

    # What the person does -------------------------------------------------------------------------

    def call_oneself(self, nick: str) -> list[Request]:
        """Choose another name; where there is a connection, it is tried at once."""
        self.nick, self.standing.asking = shown(nick).strip(), None
        return self.connected() if self.standing.phase is Phase.NAMELESS else []

    def type(self, text: str, to: str = "") -> list[Request] | None:
        """Say a line to the room or (``to``) to one person, or do what it commands.

        None: it cannot be sent now, the reason has been told, and the line should stay.
        """
        text, to = " ".join(text.splitlines()).strip(), to.strip()
        if not text:
            return []
        if not self.standing.is_in:
            return self._cannot("You are not connected.")
        if self._unanswered.is_full():
            return self._cannot("The server has not answered yet; wait a moment.")
        if text.startswith("/") and not text.startswith("//"):
            return self._command(*text[1:].partition(" ")[::2])
        text = text.removeprefix("/") if text.startswith("//") else text
        if len(text.encode("utf-8", "replace")) > MESSAGE_BYTES:
            return self._cannot(f"A message has at most {MESSAGE_BYTES} bytes.")
        if to:
            return [self._unanswered.ask(Whispering(to, shown(text)), message=text, dm=to)]
        room = self.rooms.current
        if room is None:
            return self._cannot("You are in no room; /join ROOM takes you into one.")
        return [self._unanswered.ask(Saying(room, shown(text)), message=text, room=room)]

    def _command(self, name: str, argument: str) -> list[Request] | None:
        """Do a command."""
        argument = argument.strip()
        match name.lower():
            case "join" if argument:
                return self.join(argument)
            case "leave":
                return self.leave(argument)
            case "topic" if self.rooms.current is not None:
                room = self.rooms.current
                return [self._unanswered.ask(Naming(room), topic=argument, room=room)]
            case "help":
                for sentence in _HELP:
                    self.rooms.tell(f"-- {sentence}")
                return []
            case _:
                pass
        return self._cannot(f"There is no /{shown(name)} here, or not like that; /help tells more.")

    def join(self, room: str) -> list[Request]:
        """Go into a room, or look at it when one is there."""
        here = self.rooms.find(room)
        if here is not None:
            self.rooms.look_at(here)
            return []
        if not self.standing.is_in:
            return self._cannot("You are not connected.") or []
        return [self._unanswered.ask(Joining(room, wanted=True), join=room)]

    def leave(self, room: str = "") -> list[Request]:
        """Go out of a room; without a name out of the one that is looked at."""
        here = self.rooms.find(room) if room else self.rooms.current
        if here is None:
            return self._cannot(f"You are not in {shown(room) or 'any room'}.") or []
        if not self.standing.is_in:
            self.rooms.close(here)
            return []
        return [self._unanswered.ask(Leaving(here), leave=here)]

    def _cannot(self, sentence: str) -> list[Request] | None:
        """Tell why something is not done; None keeps what was typed where it is."""
        self.rooms.tell(f"!! {sentence}", Kind.ERROR)
        return None

    # What comes from the server -------------------------------------------------------------------

    def received(self, fields: Fields) -> list[Request]:
        """Take one object in; what it does not know it passes over."""
        if "isConnected" in fields:
            return self._entered(fields)
        if "event" in fields:
            return self._event(fields)
        asked = self._unanswered.answered(fields.get("id"))
        if "error" in fields:
            self._declined(asked, text_of(fields, "error"))
        elif asked is not None:
            return self._answered(asked, fields)
        return []

    def misunderstood(self, sentence: str) -> None:
        """Something came that is no object."""
        self._cannot(shown(sentence))

    def _entered(self, fields: Fields) -> list[Request]:
        """The name is accepted, or not: then another is asked for."""
        if fields.get("isConnected") is not True:
            self.standing.refused(self.nick, number_of(fields, "errorCode"))
            return []
        self.standing.entered(self.nick)
        rooms = self.rooms.names
        if not rooms:
            return self._probe(text_of(fields, "room") or LOBBY)
        return [self._unanswered.ask(Joining(room, wanted=False), join=room) for room in rooms]

    def _probe(self, room: str) -> list[Request]:
        """Ask whether one is in a room: only then is its history answered."""
        if self._unanswered.is_asked(Probing(room)):
            return []
        return [self._unanswered.ask(Probing(room), history=room, count=1)]

    def _event(self, fields: Fields) -> list[Request]:
        """Something happened in a room, or to oneself alone."""
        room, event = text_of(fields, "room"), text_of(fields, "event")
        match event:
            case "private":
                self.rooms.whispered(fields)
            case "notice":
                rows = fields.get("rows")
                rows = rows if isinstance(rows, list) else []
                for row in [text_of(fields, "text"), *map(str, rows)]:
                    self.rooms.tell(f"-- {shown(row)}")
            case "refused":
                self._cannot(text_of(fields, "text"))
            case "invited":
                self.rooms.tell(f"-- {text_of(fields, 'by')} invites you: /join {room}")
            case "missed":
                missed = number_of(fields, "count")
                self.rooms.tell(f"-- You missed {missed} messages.", room=room)
            case "put out":
                self._put_out(room, fields)
            case "announced":
                self.rooms.tell(f"-- {text_of(fields, 'by')} to all: {text_of(fields, 'message')}")
            case _ if room and "seq" in fields:
                return self._happened(room, fields)
        return []

    def _happened(self, room: str, fields: Fields) -> list[Request]:
        """Something happened in a room; in one that is not known one may be all the same."""
        if room not in self.rooms:
            return self._probe(room)
        self.rooms.happened(fields, self.nick)
        if text_of(fields, "event") == "renamed" and text_of(fields, "nick") == self.nick:
            self.nick = text_of(fields, "new")
            self.standing.entered(self.nick)
        return []

    def _put_out(self, room: str, fields: Fields) -> None:
        self.rooms.close(room)
        by, reason = text_of(fields, "by"), text_of(fields, "reason")
        done = "banned" if fields.get("banned") is True else "kicked"
        kicked = f"You were {done} from {room or 'this server'}{f' by {by}' if by else ''}"
        self.rooms.tell(f"!! {kicked}{f': {reason}' if reason else '.'}", Kind.ERROR)

    def _declined(self, asked: Asked | None, sentence: str) -> None:
        """The server has declined something; a question of our own goes by in silence."""
        if isinstance(asked, Joining) and not asked.wanted:
            self.rooms.close(asked.room)
        if isinstance(asked, Saying):
            self.rooms.tell(f"!! {sentence}", Kind.ERROR, room=asked.room)
        elif not isinstance(asked, Probing | Counting | Recalling):
            self._cannot(sentence)

    def _answered(self, asked: Asked, fields: Fields) -> list[Request]:
        """What was asked for has been done."""
        room = text_of(fields, "room")
        match asked:
            case Saying():
                self.rooms.said(asked.room, self.nick, asked.text, number_of(fields, "seq"))
            case Joining():
                return self._joined(asked, room, text_of(fields, "topic"))
            case Leaving():
                self.rooms.close(room)
            case Recalling():
                events = fields.get("events")
                self.rooms.recalled(room, events, self.nick)
                if isinstance(events, list) and len(events) >= HISTORY_MISSED:
                    self.rooms.tell("-- More was said meanwhile than is shown here.", room=room)
            case Counting():
                self.rooms.counted(room, fields.get("users"))
            case Probing() if room not in self.rooms:
                return [self._unanswered.ask(Joining(room, wanted=False), join=room)]
            case _:
                pass  # what was done comes as an event
        return []

    def _joined(self, asked: Joining, room: str, topic: str) -> list[Request]:
        """One is in a room: ask who else is, and what was said; after a gap, since it began."""
        last = self.rooms[room].last if room in self.rooms else 0
        conversation = self.rooms.enter(room)
        if conversation is None:
            return self._cannot("That is more rooms than this window shows.") or []
        conversation.topic = topic
        if asked.wanted:
            self.rooms.look_at(room)
        since = {"after": last, "count": HISTORY_MISSED} if last else {"count": HISTORY}
        return [
            self._unanswered.ask(Counting(room), users=room),
            self._unanswered.ask(Recalling(room), history=room, **since),
        ]
