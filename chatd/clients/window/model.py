"""Model of the window: its contents, and its requests.

It is passed the server's objects and the user's actions, and returns the requests to send.  It
knows version 2 of the JSON protocol (docs/protocol.rst); it must not know Tk, Twisted or a socket.
"""

from __future__ import annotations

from collections.abc import Callable

from chatd.clients.window.lines import Fields, Kind, number_of, shown, text_of
from chatd.clients.window.requests import (
    HISTORY,
    HISTORY_MISSED,
    MESSAGE_BYTES,
    CheckMembership,
    FetchHistory,
    JoinRoom,
    LeaveRoom,
    ListMembers,
    PendingRequest,
    PendingRequests,
    Request,
    SendMessage,
    SendPrivately,
    SetTopic,
    hello,
)
from chatd.clients.window.rooms import Rooms
from chatd.clients.window.status import Phase, Status

#: The room that the user enters, if the server does not name it.
LOBBY = "lobby"

_HELP = (
    "What you type is for the room, or for the one whose name is in the field before it.",
    "/join ROOM takes you into a room, /leave out of the one you look at, /topic TEXT sets its"
    " topic; // begins a message with a slash.",
)


class Model:
    """One user's window: the rooms, the status of the connection, and pending requests."""

    def __init__(self, nick: str, now: Callable[[], float]) -> None:
        self.nick = shown(nick)
        self.status = Status()
        self.rooms = Rooms(now)
        self._pending = PendingRequests()

    # The connection -------------------------------------------------------------------------------

    def connected(self) -> list[Request]:
        """Send the nick on a new connection."""
        self.status.naming(self.nick)
        return [hello(self.nick)]

    def lost(self, why: str, seconds: float) -> None:
        """Note that there is no connection, and the seconds until the next attempt."""
        self._give_up_pending(why)
        self.status.lost(why, seconds)

    def disconnected(self) -> None:
        """Note that the user has disconnected."""
        self._give_up_pending("You are disconnected.")
        self.status.disconnected()

    def _give_up_pending(self, why: str) -> None:
        if self.status.is_connected:
            self.rooms.notify(f"-- {why}")
        for asked in self._pending.take_all():
            if isinstance(asked, SendMessage | SendPrivately):
                self.rooms.notify(f"!! Perhaps not delivered: {asked.text}", Kind.ERROR)

    # User actions -------------------------------------------------------------------------

    def choose_nick(self, nick: str) -> list[Request]:
        """Choose another nick; on a connection without one, send it immediately."""
        self.nick, self.status.dialog = shown(nick).strip(), None
        return self.connected() if self.status.phase is Phase.NAMELESS else []

    def type(self, text: str, to: str = "") -> list[Request] | None:
        """Send a typed line to the room, or to the user ``to``, or run it as a command.

        :return: None if it cannot be sent now: the reason is shown, and the line should stay.
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
        """Run a command."""
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
        """Join a room, or show it if the user is in it."""
        here = self.rooms.find(room)
        if here is not None:
            self.rooms.show(here)
            return []
        if not self.status.is_connected:
            return self._show_error("You are not connected.") or []
        return [self._pending.add(JoinRoom(room, wanted=True), join=room)]

    def leave(self, room: str = "") -> list[Request]:
        """Leave a room; without a name the one that is shown."""
        here = self.rooms.find(room) if room else self.rooms.current
        if here is None:
            return self._show_error(f"You are not in {shown(room) or 'any room'}.") or []
        if not self.status.is_connected:
            self.rooms.close(here)
            return []
        return [self._pending.add(LeaveRoom(here), leave=here)]

    def _show_error(self, sentence: str) -> list[Request] | None:
        """Show an error; return None, so that `type` keeps the line."""
        self.rooms.notify(f"!! {sentence}", Kind.ERROR)
        return None

    # Objects from the server -------------------------------------------------------------------

    def received(self, fields: Fields) -> list[Request]:
        """Handle one object of the server; unknown ones are ignored."""
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
        """Show the error in a line of the server that is not an object."""
        self._show_error(shown(sentence))

    def _welcomed(self, fields: Fields) -> list[Request]:
        """Join rooms once the nick is accepted; ask for another one if it is refused."""
        if fields.get("isConnected") is not True:
            self.status.refused(self.nick, number_of(fields, "errorCode"))
            return []
        self.status.accepted(self.nick)
        rooms = self.rooms.names
        if not rooms:
            return self._check_membership(text_of(fields, "room") or LOBBY)
        return [self._pending.add(JoinRoom(room, wanted=False), join=room) for room in rooms]

    def _check_membership(self, room: str) -> list[Request]:
        """Request a room's history, which the server answers only if the user is in the room."""
        if self._pending.is_pending(CheckMembership(room)):
            return []
        return [self._pending.add(CheckMembership(room), history=room, count=1)]

    def _event(self, fields: Fields) -> list[Request]:
        """Handle an event of a room, or one for this user alone."""
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
        """Handle an event of a room, which may not be known here yet."""
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
        """Show an error, unless only the window itself asked."""
        if isinstance(asked, JoinRoom) and not asked.wanted:
            self.rooms.close(asked.room)
        if isinstance(asked, SendMessage):
            self.rooms.notify(f"!! {sentence}", Kind.ERROR, room=asked.room)
        elif not isinstance(asked, CheckMembership | ListMembers | FetchHistory):
            self._show_error(sentence)

    def _answered(self, asked: PendingRequest, fields: Fields) -> list[Request]:
        """Handle the answer to a request."""
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
                pass  # its result comes as an event
        return []

    def _joined(self, asked: JoinRoom, room: str, topic: str) -> list[Request]:
        """Request a joined room's members and history; after a reconnect only what was missed."""
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
