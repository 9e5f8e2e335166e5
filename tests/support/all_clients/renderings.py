"""Expected output of each kind of client, written again from docs/protocol.rst."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.support.all_clients.clients import (
    AssignmentClient,
    Client,
    JsonClient,
    Request,
    Say,
    SetTopic,
    to_json,
)
from tests.support.all_clients.world import Person, Refused, Room, RoomEvent


def reason_suffix(reason: str) -> str:
    return f" ({reason})" if reason else ""


def timestamp(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class Rendering:
    """The output of one kind of client: plain lines, unless a subclass says otherwise.

    ``echoes_input`` says that the client shows the user's own messages already, ``copy_per_room``
    that an event in several rooms is shown in each, ``rings_bell`` that it has a bell.
    """

    echoes_input = True
    copy_per_room = False
    rings_bell = False
    #: Whether replies are in order with room events.
    in_order = True

    def room_event(self, event: RoomEvent, to: Person) -> list[str]:
        room, nick, text = event.room.name, event.nick, event.text.replace("\n", "\n    ")
        room_prefix = f"[{room}] " if to.focus is not event.room else ""
        line = {
            "said": f"{room_prefix}{nick}: {text}",
            "acted": f"{room_prefix}* {nick} {text}",
            "joined": f"-- {nick} joined {room}",
            "left": f"-- {nick} left {room}",
            "gone": f"-- {nick} left{reason_suffix(event.text)}",
            "renamed": f"-- {nick} is now known as {event.other}",
            "topic": f"-- {nick} set the topic of {room}: {text}",
            "kicked": f"-- {nick} was kicked from {room} by {event.other}{reason_suffix(text)}",
            "owner": f"-- {nick} is the owner of {room} now",
        }[event.kind]
        if event.kind == "topic" and not text:
            line = f"-- {nick} took the topic of {room} away"
        return line.split("\n")

    def private(self, sender: Person, to: Person, text: str, time: float) -> list[str]:
        return [f"[{sender.nick} -> you] {text}"]

    def private_sent(self, sender: Person, to: Person, text: str, time: float) -> list[str]:
        return [f"[you -> {to.nick}] {text}"]

    def kicked(self, room: Room, by: Person, reason: str, time: float) -> list[str]:
        return [f"-- You were kicked from {room.name} by {by.nick}{reason_suffix(reason)}."]

    def refused(self, refusal: Refused, client: Client) -> list[str]:
        return [f"-- {refusal.sentence}"]

    def joined(self, person: Person, room: Room, *, already: bool) -> list[str]:
        others = [other.nick for other in room.members if other is not person]
        if already:
            return [f"-- You are in {room.name} already; it has the focus now."]
        sentence = f"You are in {room.name}, {members_in_words(others)}."
        if not others and room.name != "lobby":
            sentence = f"You opened {room.name}; it is yours."
        return [f"-- {sentence} Topic: {room.topic}" if room.topic else f"-- {sentence}"]

    def leaving(self, person: Person, room: Room) -> list[str]:
        """Return the reply before the user leaves a room."""
        return []

    def left(self, person: Person, room: Room) -> list[str]:
        if person.focus is None:
            return [
                f"-- You left {room.name} and are in no room now; /join ROOM takes you into one."
            ]
        return [f"-- You left {room.name}; {person.focus.name} has the focus now."]

    def focused(self, room: Room) -> list[str]:
        return [f"-- What you type goes to {room.name} now."]

    def renamed(self, nick: str) -> list[str]:
        return [f"-- You are now known as {nick}."]

    def acknowledged(self, request: Request, person: Person, room: Room | None) -> list[str]:
        """Return the reply to a message or a topic."""
        return []

    def goodbye(self, person: Person) -> list[str]:
        return ["-- Goodbye."]


def members_in_words(others: list[str]) -> str:
    if not others:
        return "alone so far"
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    return f"with {', '.join(others[:5])}{more}"


class TerminalRendering(Rendering):
    """A terminal that the server draws: it shows the user's own messages and rings the bell."""

    echoes_input = False
    rings_bell = True


class TailRendering(Rendering):
    """``tail``: the time before each event."""

    def room_event(self, event: RoomEvent, to: Person) -> list[str]:
        first, *more = super().room_event(event, to)
        return [f"{timestamp(event.time)[11:16]} {first}", *more]

    def private(self, sender: Person, to: Person, text: str, time: float) -> list[str]:
        return [f"{timestamp(time)[11:16]} [{sender.nick} -> you] {text}"]


class AssignmentRendering(Rendering):
    """CHATs."""

    echoes_input = False
    copy_per_room = True
    in_order = False
    errors = {"no-such-room": 5, "not-in-room": 6}  # noqa: RUF012 - it is a table

    def chat(self, room: Room | None, nick: str, text: str) -> list[str]:
        number = room.ref if room else 0
        return [f"CHAT: {number}\nCLIENT_NAME: {nick}\nMESSAGE: {text}\n\n"]

    def room_event(self, event: RoomEvent, to: Person) -> list[str]:
        nick = event.nick
        text = {
            "said": event.text.replace("\nNOTE:", "\n NOTE:"),
            "acted": f"* {nick} {event.text}",
            "joined": f"{nick} has joined this chatroom.",
            "left": f"{nick} has left this chatroom.",
            "gone": f"{nick} has left this chatroom.",
            "renamed": f"{nick} is now known as {event.other}.",
            "topic": f"The topic is: {event.text}",
            "kicked": f"{nick} was kicked by {event.other}.",
            "owner": "",
        }[event.kind]
        if event.kind == "topic" and not event.text:
            text = "There is no topic any more."
        return self.chat(event.room, nick, text) if text else []

    def private(self, sender: Person, to: Person, text: str, time: float) -> list[str]:
        shared = [room for room in to.rooms if room in sender.rooms] or to.rooms
        return self.chat(shared[0] if shared else None, sender.nick, f"(private) {text}")

    def kicked(self, room: Room, by: Person, reason: str, time: float) -> list[str]:
        text = f"You were kicked from this chatroom by {by.nick}{reason_suffix(reason)}."
        return self.chat(room, by.nick, text)

    def refused(self, refusal: Refused, client: Client) -> list[str]:
        return [f"ERROR_CODE: {self.errors[refusal.code]}\nERROR_DESCRIPTION: TEXT\n"]

    def joined(self, person: Person, room: Room, *, already: bool) -> list[str]:
        answer = f"JOINED_CHATROOM: {room.name}\nSERVER_IP: 10.0.0.1\nPORT: 12345\n"
        answer += f"ROOM_REF: {room.ref}\nJOIN_ID: ID\n"
        more = self.chat(room, person.nick, f"{person.nick} has joined this chatroom.")
        return [answer] if already else [answer, *more]

    def leaving(self, person: Person, room: Room) -> list[str]:
        assert isinstance(person.client, AssignmentClient)
        join_id = person.client.refs.get(room.ref, 1)
        return [f"LEFT_CHATROOM: {room.ref}\nJOIN_ID: {join_id}\n"]

    def left(self, person: Person, room: Room) -> list[str]:
        return self.chat(room, person.nick, f"{person.nick} has left this chatroom.")

    def goodbye(self, person: Person) -> list[str]:
        return [
            each
            for room in sorted(person.rooms, key=lambda room: room.ref)
            for each in self.chat(room, person.nick, f"{person.nick} has left this chatroom.")
        ]


class JsonRendering(Rendering):
    """The common parts of both dialects of JSON."""

    in_order = False
    errors = {  # noqa: RUF012 - it is a table
        "nobody": 4,
        "no-such-room": 11,
        "not-in-room": 12,
        "no-room": 12,
        "not-moderator": 13,
    }

    def answer(self, client: Client, **fields: object) -> list[str]:
        return [to_json({"ok": True, **self.request_id(client), **fields})]

    def request_id(self, client: Client) -> dict[str, object]:
        return {}

    def refused(self, refusal: Refused, client: Client) -> list[str]:
        code = self.errors[refusal.code]
        return [to_json({"error": refusal.sentence, "errorCode": code, **self.request_id(client)})]

    def joined(self, person: Person, room: Room, *, already: bool) -> list[str]:
        return self.answer(person.client, room=room.name, topic=room.topic)

    def left(self, person: Person, room: Room) -> list[str]:
        return self.answer(person.client, room=room.name)

    def acknowledged(self, request: Request, person: Person, room: Room | None) -> list[str]:
        topic = isinstance(request, SetTopic) and room is not None
        return self.answer(person.client, room=room.name) if topic and room else []

    def goodbye(self, person: Person) -> list[str]:
        return [to_json({"disconnect": True})]


class JsonMessageRendering(JsonRendering):
    """Version 1, for the first clients: everything is a message."""

    def room_event(self, event: RoomEvent, to: Person) -> list[str]:
        nick = event.nick
        text = {
            "said": event.text,
            "acted": f"* {nick} {event.text}",
            "joined": "User has connected",
            "left": f"{nick} has left",
            "gone": f"{nick} is offline",
            "renamed": f"{nick} is now known as {event.other}",
            "topic": f"The topic is: {event.text}" if event.text else "There is no topic any more",
            "kicked": f"{nick} was kicked",
            "owner": "",
        }[event.kind]
        fields = {"message": text, "sender": nick, "dm": None, "room": event.room.name}
        return (
            [to_json({**fields, "seq": event.seq, "time": timestamp(event.time)})] if text else []
        )

    def private(self, sender: Person, to: Person, text: str, time: float) -> list[str]:
        fields = {"message": text, "sender": sender.nick, "dm": to.nick, "time": timestamp(time)}
        return [to_json({**fields})]

    def private_sent(self, sender: Person, to: Person, text: str, time: float) -> list[str]:
        return []

    def kicked(self, room: Room, by: Person, reason: str, time: float) -> list[str]:
        text = f"You were kicked from {room.name}{reason_suffix(reason)}."
        return [to_json({"message": text, "sender": by.nick, "dm": None})]

    def refused(self, refusal: Refused, client: Client) -> list[str]:
        error = {"error": refusal.sentence, "errorCode": self.errors[refusal.code]}
        return [to_json({**error, "message": refusal.sentence, "sender": "server", "dm": None})]


class JsonEventRendering(JsonRendering):
    """Version 2, for bots: typed events, one for each room, and replies with the request's id."""

    copy_per_room = True

    def request_id(self, client: Client) -> dict[str, object]:
        assert isinstance(client, JsonClient)
        return {"id": client.request_count}

    def room_event(self, event: RoomEvent, to: Person) -> list[str]:
        nick, text, other = event.nick, event.text, event.other
        kinds: dict[str, dict[str, object]] = {
            "said": {"event": "said", "sender": nick, "message": text},
            "acted": {"event": "acted", "sender": nick, "message": text},
            "joined": {"event": "joined", "nick": nick},
            "left": {"event": "left", "nick": nick, "reason": "", "gone": False},
            "gone": {"event": "left", "nick": nick, "reason": text, "gone": True},
            "renamed": {"event": "renamed", "nick": nick, "new": other},
            "topic": {"event": "topic", "nick": nick, "topic": text},
            "kicked": {"event": "kicked", "nick": nick, "by": other, "reason": text},
            "owner": {"event": "role", "nick": nick, "role": "owner", "by": None},
        }
        place = {"room": event.room.name, "seq": event.seq, "time": timestamp(event.time)}
        return [to_json({**kinds[event.kind], **place})]

    def private(self, sender: Person, to: Person, text: str, time: float) -> list[str]:
        return self._message(sender, to, text, time, own=False)

    def private_sent(self, sender: Person, to: Person, text: str, time: float) -> list[str]:
        return self._message(sender, to, text, time, own=True)

    def _message(
        self, sender: Person, to: Person, text: str, time: float, *, own: bool
    ) -> list[str]:
        fields = {"event": "private", "sender": sender.nick, "dm": to.nick, "message": text}
        return [to_json({**fields, "own": own, "time": timestamp(time)})]

    def kicked(self, room: Room, by: Person, reason: str, time: float) -> list[str]:
        fields = {"event": "put out", "room": room.name, "by": by.nick, "reason": reason}
        return [to_json({**fields, "time": timestamp(time)})]

    def acknowledged(self, request: Request, person: Person, room: Room | None) -> list[str]:
        if isinstance(request, Say) and room is not None:
            return self.answer(person.client, seq=len(room.history))
        return super().acknowledged(request, person, room) or self.answer(person.client)


class TailJsonRendering(JsonEventRendering):
    """``tail --json``: version 2 events, but in one room and without requests."""

    copy_per_room = False


RENDERINGS: dict[str, Rendering] = {
    "line": Rendering(),
    "telnet": TerminalRendering(),
    "shell": TerminalRendering(),
    "lines by ssh": Rendering(),
    "tcd": AssignmentRendering(),
    "json": JsonMessageRendering(),
    "bot": JsonEventRendering(),
    "tail": TailRendering(),
    "tail --json": TailJsonRendering(),
}
