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
    PendingRequest,
    ListMembers,
    JoinRoom,
    LeaveRoom,
    SetTopic,
    CheckMembership,
    FetchHistory,
    Request,
    SendMessage,
    PendingRequests,
    SendPrivately,
    hello,
)
from chatd.clients.window.rooms import Rooms
from chatd.clients.window.status import Phase, Status

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
        self.status = Status()
        self.rooms = Rooms(now)
        self._pending = PendingRequests()

    # The connection -------------------------------------------------------------------------------

    def connected(self) -> list[Request]:
        """There is a connection: say who is here."""
        self.status.naming(self.nick)
        return [hello(self.nick)]

    def lost(self, why: str, seconds: float) -> None:
        """There is no connection; it is tried again in so many seconds."""
        self._give_up_pending(why)
        self.status.lost(why, seconds)

    def disconnected(self) -> None:
        """The person has disconnected."""
        self._give_up_pending("You are disconnected.")
        self.status.disconnected()

    def _give_up_pending(self, why: str) -> None:
        if self.status.is_connected:
            self.rooms.notify(f"-- {why}")
        for asked in self._pending.take_all():
            if isinstance(asked, SendMessage | SendPrivately):
                self.rooms.notify(f"!! Perhaps not delivered: {asked.text}", Kind.ERROR)

    # What the person does -------------------------------------------------------------------------

    def choose_nick(self, nick: str) -> list[Request]:
        """Choose another name; where there is a connection, it is tried at once."""
        self.nick, self.status.dialog = shown(nick).strip(), None
        return self.connected() if self.status.phase is Phase.NAMELESS else []

    def type(self, text: str, to: str = "") -> list[Request] | None:
        """Say a line to the room or (``to``) to one person, or do what it commands.

        None: it cannot be sent now, the reason has been told, and the line should stay.
        """
        text, to = " ".join(text.splitlines()).strip(), to.strip()
        if not text:
            return []
        if not self.status.is_connected:
            return self._show_error("You are not connected.")
        if self._pending.is_full():
            return self._show_error("The server has not answered yet; wait a moment.")
        if text.startswith("/") and not text.startswith("//"):
            return self._command(*text[1:].partition(" ")[::2])
        text = text.removeprefix("/") if text.startswith("//") else text
        if len(text.encode("utf-8", "replace")) > MESSAGE_BYTES:
            return self._show_error(f"A message has at most {MESSAGE_BYTES} bytes.")
        if to:
            return [self._pending.add(SendPrivately(to, shown(text)), message=text, dm=to)]
        room = self.rooms.current
        if room is None:
            return self._show_error("You are in no room; /join ROOM takes you into one.")
        return [self._pending.add(SendMessage(room, shown(text)), message=text, room=room)]

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
                return [self._pending.add(SetTopic(room), topic=argument, room=room)]
            case "help":
                for sentence in _HELP:
                    self.rooms.notify(f"-- {sentence}")
                return []
            case _:
                pass
        return self._show_error(
            f"There is no /{shown(name)} here, or not like that; /help tells more."
        )

    def join(self, room: str) -> list[Request]:
        """Go into a room, or look at it when one is there."""
        here = self.rooms.find(room)
        if here is not None:
            self.rooms.show(here)
            return []
        if not self.status.is_connected:
            return self._show_error("You are not connected.") or []
        return [self._pending.add(JoinRoom(room, wanted=True), join=room)]

    def leave(self, room: str = "") -> list[Request]:
        """Go out of a room; without a name out of the one that is looked at."""
        here = self.rooms.find(room) if room else self.rooms.current
        if here is None:
            return self._show_error(f"You are not in {shown(room) or 'any room'}.") or []
        if not self.status.is_connected:
            self.rooms.close(here)
            return []
        return [self._pending.add(LeaveRoom(here), leave=here)]

    def _show_error(self, sentence: str) -> list[Request] | None:
        """Tell why something is not done; None keeps what was typed where it is."""
        self.rooms.notify(f"!! {sentence}", Kind.ERROR)
        return None

    # What comes from the server -------------------------------------------------------------------

    def received(self, fields: Fields) -> list[Request]:
        """Take one object in; what it does not know it passes over."""
        if "isConnected" in fields:
            return self._welcomed(fields)
        if "event" in fields:
            return self._event(fields)
        asked = self._pending.take(fields.get("id"))
        if "error" in fields:
            self._declined(asked, text_of(fields, "error"))
        elif asked is not None:
            return self._answered(asked, fields)
        return []

    def invalid_line(self, sentence: str) -> None:
        """Something came that is no object."""
        self._show_error(shown(sentence))

    def _welcomed(self, fields: Fields) -> list[Request]:
        """The name is accepted, or not: then another is asked for."""
        if fields.get("isConnected") is not True:
            self.status.refused(self.nick, number_of(fields, "errorCode"))
            return []
        self.status.accepted(self.nick)
        rooms = self.rooms.names
        if not rooms:
            return self._check_membership(text_of(fields, "room") or LOBBY)
        return [self._pending.add(JoinRoom(room, wanted=False), join=room) for room in rooms]

    def _check_membership(self, room: str) -> list[Request]:
        """Ask whether one is in a room: only then is its history answered."""
        if self._pending.is_pending(CheckMembership(room)):
            return []
        return [self._pending.add(CheckMembership(room), history=room, count=1)]

    def _event(self, fields: Fields) -> list[Request]:
        """Something happened in a room, or to oneself alone."""
        room, event = text_of(fields, "room"), text_of(fields, "event")
        match event:
            case "private":
                self.rooms.add_private_message(fields)
            case "notice":
                rows = fields.get("rows")
                rows = rows if isinstance(rows, list) else []
                for row in [text_of(fields, "text"), *map(str, rows)]:
                    self.rooms.notify(f"-- {shown(row)}")
            case "refused":
                self._show_error(text_of(fields, "text"))
            case "invited":
                self.rooms.notify(f"-- {text_of(fields, 'by')} invites you: /join {room}")
            case "missed":
                missed = number_of(fields, "count")
                self.rooms.notify(f"-- You missed {missed} messages.", room=room)
            case "put out":
                self._kicked(room, fields)
            case "announced":
                self.rooms.notify(
                    f"-- {text_of(fields, 'by')} to all: {text_of(fields, 'message')}"
                )
            case _ if room and "seq" in fields:
                return self._happened(room, fields)
        return []

    def _happened(self, room: str, fields: Fields) -> list[Request]:
        """Something happened in a room; in one that is not known one may be all the same."""
        if room not in self.rooms:
            return self._check_membership(room)
        self.rooms.add_event(fields, self.nick)
        if text_of(fields, "event") == "renamed" and text_of(fields, "nick") == self.nick:
            self.nick = text_of(fields, "new")
            self.status.accepted(self.nick)
        return []

    def _kicked(self, room: str, fields: Fields) -> None:
        self.rooms.close(room)
        by, reason = text_of(fields, "by"), text_of(fields, "reason")
        done = "banned" if fields.get("banned") is True else "kicked"
        kicked = f"You were {done} from {room or 'this server'}{f' by {by}' if by else ''}"
        self.rooms.notify(f"!! {kicked}{f': {reason}' if reason else '.'}", Kind.ERROR)

    def _declined(self, asked: PendingRequest | None, sentence: str) -> None:
        """The server has declined something; a question of our own goes by in silence."""
        if isinstance(asked, JoinRoom) and not asked.wanted:
            self.rooms.close(asked.room)
        if isinstance(asked, SendMessage):
            self.rooms.notify(f"!! {sentence}", Kind.ERROR, room=asked.room)
        elif not isinstance(asked, CheckMembership | ListMembers | FetchHistory):
            self._show_error(sentence)

    def _answered(self, asked: PendingRequest, fields: Fields) -> list[Request]:
        """What was asked for has been done."""
        room = text_of(fields, "room")
        match asked:
            case SendMessage():
                self.rooms.add_own_message(
                    asked.room, self.nick, asked.text, number_of(fields, "seq")
                )
            case JoinRoom():
                return self._joined(asked, room, text_of(fields, "topic"))
            case LeaveRoom():
                self.rooms.close(room)
            case FetchHistory():
                events = fields.get("events")
                self.rooms.add_history(room, events, self.nick)
                if isinstance(events, list) and len(events) >= HISTORY_MISSED:
                    self.rooms.notify("-- More was said meanwhile than is shown here.", room=room)
            case ListMembers():
                self.rooms.set_members(room, fields.get("users"))
            case CheckMembership() if room not in self.rooms:
                return [self._pending.add(JoinRoom(room, wanted=False), join=room)]
            case _:
                pass  # what was done comes as an event
        return []

    def _joined(self, asked: JoinRoom, room: str, topic: str) -> list[Request]:
        """One is in a room: ask who else is, and what was said; after a gap, since it began."""
        last = self.rooms[room].last if room in self.rooms else 0
        conversation = self.rooms.enter(room)
        if conversation is None:
            return self._show_error("That is more rooms than this window shows.") or []
        conversation.topic = topic
        if asked.wanted:
            self.rooms.show(room)
        since = {"after": last, "count": HISTORY_MISSED} if last else {"count": HISTORY}
        return [
            self._pending.add(ListMembers(room), users=room),
            self._pending.add(FetchHistory(room), history=room, **since),
        ]
