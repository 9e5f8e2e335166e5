"""Commands that join and leave rooms, list rooms and people, and change the settings of rooms."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from contextlib import suppress
from typing import Any

from chatd.chat.actions import replay
from chatd.chat.actions.moderation import members, room_settings
from chatd.chat.actions.status import status
from chatd.chat.commands.command import ArgumentKind, Call, Command, need
from chatd.chat.commands.describe import join_reply, roster
from chatd.chat.events import Refused, Role
from chatd.chat.limits import LISTED
from chatd.chat.model import rules
from chatd.chat.model.entities import Person, Room
from chatd.chat.peers import LastActive
from chatd.chat.text.durations import duration


async def _join(call: Call) -> None:
    room, key = call.split("ROOM [KEY]")
    before, opened = set(call.person.rooms), not call.chat.is_open(room)
    joined = await call.chat.join(call.session, room, call.now, " ".join(key.split()))
    if joined.name.key in before:
        call.answer(f"You are in {joined} already; it has the focus now.")
        await replay.on_return(call.chat, call.session, joined)
        return
    call.answer(join_reply(joined, call.person, opened=opened))
    await replay.on_join(call.chat, call.session, joined)


def _leave(call: Call) -> Awaitable[None]:
    first, _, reason = call.words.partition(" ")
    room = call.room(first)
    call.chat.part(call.person, room, rules.reason(reason.strip()), call.now)
    focus = call.session.focus
    if focus is not None:
        call.answer(f"You left {room}; {focus} has the focus now.")
    else:
        call.answer(f"You left {room} and are in no room now; /join ROOM takes you into one.")
    return replay.on_return(call.chat, call.session, focus)


def _focus(call: Call) -> Awaitable[None]:
    room = call.room(need(call, call.words, "ROOM"))
    rules.check_membership(room, call.person)
    call.session.focus_on(room)
    call.answer(f"What you type goes to {room} now.")
    return replay.on_return(call.chat, call.session, room)


def _rooms(call: Call) -> None:
    rooms = [room for room in call.chat.rooms.values() if call.chat.may_see(call.session, room)]
    rooms.sort(key=lambda room: (-len(room.members), room.name.key))
    rows = [_row(room) for room in rooms[:LISTED]]
    if len(rooms) > LISTED:
        rows.append(f"… and {len(rooms) - LISTED} more")
    call.list("1 room:" if len(rooms) == 1 else f"{len(rooms)} rooms:", rows)


def _row(room: Room) -> str:
    people = f"{len(room.members)} {'person' if len(room.members) == 1 else 'people'}"
    marks = ", private" * room.settings.private + ", needs a key" * bool(room.settings.key)
    topic = f" — {room.settings.topic}" * bool(room.settings.topic)
    return f"{room}: {people}{marks}{topic}"


def _users(call: Call) -> None:
    room = call.room(call.words)
    call.list(f"{room}: {len(room.members)} here", roster(room, call.now))


def _status(call: Call) -> None:
    call.list("Status:", status(call.chat, call.session, call.now))


def _standing(person: Person) -> str:
    if person.operator:
        return "operator of this server"
    return "guest" if person.account is None else f"owner of the nick {person.account}"


def _whois(call: Call) -> Awaitable[None] | None:
    other = call.chat.find_person(need(call, call.words, "NICK"))
    answering = call.chat.peers.request(other, call.person, LastActive())
    if answering is not None:
        return _whois_remote(call, other, answering)
    _answer_whois(call, other)
    return None


async def _whois_remote(call: Call, other: Person, answering: Awaitable[Mapping[str, Any]]) -> None:
    """Answer /whois with the idle time from the person's server, or the time known here."""
    with suppress(Refused):
        answer = await answering
        other.last_active = answer.get("active", other.last_active)
    _answer_whois(call, other)


def _answer_whois(call: Call, other: Person) -> None:
    shared = [str(room) for room in other.rooms.values() if room.name.key in call.person.rooms]
    rows = [
        _standing(other),
        f"key {other.fingerprint}" if other.fingerprint else "no key",
        f"rooms shared with you: {', '.join(shared) or 'none'}",
        f"here for {duration(call.now - other.since)}, "
        f"idle for {duration(call.now - other.last_active)}",
    ]
    if other.away is not None:
        rows.append(f"away: {other.away or 'no reason given'}")
    if other.is_detached:
        rows.append("cut off, and may come back")
    if call.session.operator:
        rows.append(f"address {other.address or 'unknown'}")
    call.list(f"{other.nick}:", rows)


async def _topic(call: Call) -> None:
    room = call.session.room()
    if call.words:
        await room_settings.set_topic(call.chat, call.session, room, call.words, call.now)
    else:
        call.answer(f"{room}: {room.settings.topic or 'no topic'}")


async def _room(call: Call) -> None:
    room = call.session.room()
    name, _, value = call.words.partition(" ")
    if not name:
        rows = [
            f"{each} {room_settings.setting_for(call.session, room, each)}".rstrip()
            for each in room_settings.SETTINGS
        ]
        call.list(f"Settings of {room}:", rows)
    elif not value.strip() and name in room_settings.SETTINGS and name != "topic":
        call.answer(f"{room}: {name} {room_settings.setting_for(call.session, room, name)}")
    else:
        await room_settings.set_room(call.chat, call.session, room, name, value.strip(), call.now)


async def _invite(call: Call) -> None:
    nick, room = call.split("NICK [ROOM]")
    where = call.room(room)
    other = await members.invite(call.chat, call.session, where, nick, call.now)
    call.answer(f"{other.nick} is invited into {where}.")


async def _uninvite(call: Call) -> None:
    nick, room = call.split("NICK [ROOM]")
    where = call.room(room)
    invited = await members.uninvite(call.chat, call.session, where, nick, call.now)
    call.answer(f"{invited} is not invited into {where} any more.")


COMMANDS = (
    Command("join", "ROOM [KEY]", "go into a room, or make one", _join, ("j",)),
    Command(
        "leave",
        "[ROOM [REASON]]",
        "leave a room, this one unless you name one",
        _leave,
        ("part",),
        argument_kinds=(ArgumentKind.OWN_ROOM, ArgumentKind.TEXT),
    ),
    Command(
        "focus",
        "ROOM",
        "let what you type go to another of your rooms",
        _focus,
        ("f",),
        argument_kinds=(ArgumentKind.OWN_ROOM,),
    ),
    Command("rooms", "", "which rooms there are", _rooms, ("list",)),
    Command("users", "[ROOM]", "who is in a room", _users, ("who", "names")),
    Command("status", "", "where you are, who else is there, and what is out of reach", _status),
    Command("whois", "NICK", "who somebody is", _whois),
    Command("topic", "[TEXT]", "what this room is about; its moderators may say it", _topic),
    Command("invite", "NICK [ROOM]", "ask somebody into a room", _invite),
    Command(
        "uninvite",
        "NICK [ROOM]",
        "take an invitation back",
        _uninvite,
        least=Role.MODERATOR,
    ),
    Command(
        "room",
        "[NAME [VALUE]]",
        "settings of this room: private, topic, slow, shouting, speak, lasting, history, key",
        _room,
        least=Role.MODERATOR,
        more="private on or off; topic TEXT; slow SECONDS between two messages of one person "
        "(0: off); shouting allow, warn or kick; speak everyone, registered or voices: who may "
        "speak beside moderators (/voice); lasting on or off, for owners with an account; "
        "history N or off: how many messages it keeps; key WORDS, without which nobody comes in"
        " who is not invited, or off.",
        argument_kinds=(ArgumentKind.SETTING, ArgumentKind.VALUE),
    ),
)
