"""The words of each kind of client, as docs/protocol.rst has them, written out once more."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.support.all_clients.clients import (
    Assignment,
    Client,
    Program,
    Request,
    Say,
    SetTopic,
    as_object,
)
from tests.support.all_clients.world import Happening, No, Person, Room


def because(reason: str) -> str:
    return f" ({reason})" if reason else ""


def stamp(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class Words:
    """How one kind of client is shown things: as plain lines, unless it says otherwise.

    ``echoes_input`` says whether it has what it said before its eyes already, ``copy_per_room`` whether
    what happens in several rooms is shown in each, ``drawn`` whether it has bells.
    """

    echoes_input = True
    copy_per_room = False
    drawn = False
    #: Whether answers come in one order with what happens.
    in_order = True

    def happened(self, event: Happening, to: Person) -> list[str]:
        room, nick, text = event.room.name, event.nick, event.text.replace("\n", "\n    ")
        aside = f"[{room}] " if to.focus is not event.room else ""
        line = {
            "said": f"{aside}{nick}: {text}",
            "acted": f"{aside}* {nick} {text}",
            "joined": f"-- {nick} joined {room}",
            "left": f"-- {nick} left {room}",
            "gone": f"-- {nick} left{because(event.text)}",
            "renamed": f"-- {nick} is now known as {event.other}",
            "topic": f"-- {nick} set the topic of {room}: {text}",
            "kicked": f"-- {nick} was kicked from {room} by {event.other}{because(text)}",
            "owner": f"-- {nick} is the owner of {room} now",
        }[event.what]
        if event.what == "topic" and not text:
            line = f"-- {nick} took the topic of {room} away"
        return line.split("\n")

    def private(self, sender: Person, to: Person, text: str, time: float) -> list[str]:
        return [f"[{sender.nick} -> you] {text}"]

    def wrote(self, sender: Person, to: Person, text: str, time: float) -> list[str]:
        return [f"[you -> {to.nick}] {text}"]

    def put_out(self, room: Room, by: Person, reason: str, time: float) -> list[str]:
        return [f"-- You were kicked from {room.name} by {by.nick}{because(reason)}."]

    def declined(self, no: No, client: Client) -> list[str]:
        return [f"-- {no.sentence}"]

    def joined(self, person: Person, room: Room, *, already: bool) -> list[str]:
        others = [other.nick for other in room.members if other is not person]
        if already:
            return [f"-- You are in {room.name} already; it has the focus now."]
        told = f"You are in {room.name}, {company(others)}."
        if not others and room.name != "lobby":
            told = f"You opened {room.name}; it is yours."
        return [f"-- {told} Topic: {room.topic}" if room.topic else f"-- {told}"]

    def leaving(self, person: Person, room: Room) -> list[str]:
        """What is answered before one leaves a room."""
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

    def done(self, asked: Request, person: Person, room: Room | None) -> list[str]:
        """What answers a message or a topic."""
        return []

    def goodbye(self, person: Person) -> list[str]:
        return ["-- Goodbye."]


def company(others: list[str]) -> str:
    if not others:
        return "alone so far"
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    return f"with {', '.join(others[:5])}{more}"


class DrawnWords(Words):
    """A terminal that the server draws, which shows one's own words and rings."""

    echoes_input = False
    drawn = True


class TailWords(Words):
    """``tail``: the time before what happens."""

    def happened(self, event: Happening, to: Person) -> list[str]:
        first, *more = super().happened(event, to)
        return [f"{stamp(event.time)[11:16]} {first}", *more]

    def private(self, sender: Person, to: Person, text: str, time: float) -> list[str]:
        return [f"{stamp(time)[11:16]} [{sender.nick} -> you] {text}"]


class AssignmentWords(Words):
    """CHATs."""

    echoes_input = False
    copy_per_room = True
    in_order = False
    errors = {"no-such-room": 5, "not-in-room": 6}  # noqa: RUF012 - it is a table

    def chat(self, room: Room | None, nick: str, text: str) -> list[str]:
        number = room.number if room else 0
        return [f"CHAT: {number}\nCLIENT_NAME: {nick}\nMESSAGE: {text}\n\n"]

    def happened(self, event: Happening, to: Person) -> list[str]:
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
        }[event.what]
        if event.what == "topic" and not event.text:
            text = "There is no topic any more."
        return self.chat(event.room, nick, text) if text else []

    def private(self, sender: Person, to: Person, text: str, time: float) -> list[str]:
        shared = [room for room in to.rooms if room in sender.rooms] or to.rooms
        return self.chat(shared[0] if shared else None, sender.nick, f"(private) {text}")

    def put_out(self, room: Room, by: Person, reason: str, time: float) -> list[str]:
        return self.chat(room, by.nick, "You were kicked from this chatroom.")

    def declined(self, no: No, client: Client) -> list[str]:
        return [f"ERROR_CODE: {self.errors[no.code]}\nERROR_DESCRIPTION: TEXT\n"]

    def joined(self, person: Person, room: Room, *, already: bool) -> list[str]:
        answer = f"JOINED_CHATROOM: {room.name}\nSERVER_IP: 10.0.0.1\nPORT: 12345\n"
        answer += f"ROOM_REF: {room.number}\nJOIN_ID: ID\n"
        more = self.chat(room, person.nick, f"{person.nick} has joined this chatroom.")
        return [answer] if already else [answer, *more]

    def leaving(self, person: Person, room: Room) -> list[str]:
        assert isinstance(person.client, Assignment)
        join_id = person.client.refs.get(room.number, 1)
        return [f"LEFT_CHATROOM: {room.number}\nJOIN_ID: {join_id}\n"]

    def left(self, person: Person, room: Room) -> list[str]:
        return self.chat(room, person.nick, f"{person.nick} has left this chatroom.")

    def goodbye(self, person: Person) -> list[str]:
        return [
            each
            for room in sorted(person.rooms, key=lambda room: room.number)
            for each in self.chat(room, person.nick, f"{person.nick} has left this chatroom.")
        ]


class ObjectWords(Words):
    """What both dialects of JSON have in common."""

    in_order = False
    errors = {  # noqa: RUF012 - it is a table
        "nobody": 4,
        "no-such-room": 11,
        "not-in-room": 12,
        "no-room": 12,
        "not-moderator": 13,
    }

    def answer(self, client: Client, **fields: object) -> list[str]:
        return [as_object({"ok": True, **self.given(client), **fields})]

    def given(self, client: Client) -> dict[str, object]:
        return {}

    def declined(self, no: No, client: Client) -> list[str]:
        code = self.errors[no.code]
        return [as_object({"error": no.sentence, "errorCode": code, **self.given(client)})]

    def joined(self, person: Person, room: Room, *, already: bool) -> list[str]:
        return self.answer(person.client, room=room.name, topic=room.topic)

    def left(self, person: Person, room: Room) -> list[str]:
        return self.answer(person.client, room=room.name)

    def done(self, asked: Request, person: Person, room: Room | None) -> list[str]:
        topic = isinstance(asked, SetTopic) and room is not None
        return self.answer(person.client, room=room.name) if topic and room else []

    def goodbye(self, person: Person) -> list[str]:
        return [as_object({"disconnect": True})]


class MessageWords(ObjectWords):
    """The first clients': everything is a message."""

    def happened(self, event: Happening, to: Person) -> list[str]:
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
        }[event.what]
        fields = {"message": text, "sender": nick, "dm": None, "room": event.room.name}
        return [as_object({**fields, "seq": event.seq, "time": stamp(event.time)})] if text else []

    def private(self, sender: Person, to: Person, text: str, time: float) -> list[str]:
        fields = {"message": text, "sender": sender.nick, "dm": to.nick, "time": stamp(time)}
        return [as_object({**fields})]

    def wrote(self, sender: Person, to: Person, text: str, time: float) -> list[str]:
        return []

    def put_out(self, room: Room, by: Person, reason: str, time: float) -> list[str]:
        text = f"You were kicked from {room.name}."
        return [as_object({"message": text, "sender": by.nick, "dm": None})]


class EventWords(ObjectWords):
    """Bots': typed events, in each room, and answers that say to what."""

    copy_per_room = True

    def given(self, client: Client) -> dict[str, object]:
        assert isinstance(client, Program)
        return {"id": client.asked}

    def happened(self, event: Happening, to: Person) -> list[str]:
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
        place = {"room": event.room.name, "seq": event.seq, "time": stamp(event.time)}
        return [as_object({**kinds[event.what], **place})]

    def private(self, sender: Person, to: Person, text: str, time: float) -> list[str]:
        return self._message(sender, to, text, time, own=False)

    def wrote(self, sender: Person, to: Person, text: str, time: float) -> list[str]:
        return self._message(sender, to, text, time, own=True)

    def _message(
        self, sender: Person, to: Person, text: str, time: float, *, own: bool
    ) -> list[str]:
        fields = {"event": "private", "sender": sender.nick, "dm": to.nick, "message": text}
        return [as_object({**fields, "own": own, "time": stamp(time)})]

    def put_out(self, room: Room, by: Person, reason: str, time: float) -> list[str]:
        fields = {"event": "put out", "room": room.name, "by": by.nick, "reason": reason}
        return [as_object({**fields, "time": stamp(time)})]

    def done(self, asked: Request, person: Person, room: Room | None) -> list[str]:
        if isinstance(asked, Say) and room is not None:
            return self.answer(person.client, seq=len(room.kept))
        return super().done(asked, person, room) or self.answer(person.client)


class TailEventWords(EventWords):
    """``tail --json``: bots' events, but it is in one room and asks for nothing."""

    copy_per_room = False


WORDS_OF: dict[str, Words] = {
    "line": Words(),
    "telnet": DrawnWords(),
    "shell": DrawnWords(),
    "lines by ssh": Words(),
    "tcd": AssignmentWords(),
    "json": MessageWords(),
    "bot": EventWords(),
    "tail": TailWords(),
    "tail --json": TailEventWords(),
}
