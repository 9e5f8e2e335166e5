"""Expelling: taking somebody who has not asked for it out of a room, or out of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatd.chat.events import Kicked, PutOut
from chatd.chat.model.bans import Ban, Identity
from chatd.chat.model.entities import Person, Room
from chatd.chat.peers import CloseRoom, Kick

if TYPE_CHECKING:
    from chatd.chat.chat import Chat


def kick(
    chat: Chat,
    person: Person,
    room: Room,
    by: Person | None,
    why: str,
    now: float,
    ban: Ban | None = None,
) -> None:
    """Kick or ban somebody from a room, in somebody's name or (``by`` is None) in the server's."""
    encoded = (str(ban.target), ban.encoded()) if ban is not None else None
    if chat.peers.forward(person, by, Kick(room.name.key, why, now, encoded)):
        return
    chat.remove_from_room(person, room)
    if room.uninvite(person):
        chat.persistent.changed(room)
    whose, term = by.nick if by else None, (ban is not None, ban.until if ban else None)
    chat.post(room, Kicked(now, person.nick, whose, why, *term), by or person)
    chat.deliver(person, PutOut(now, room.name.shown, whose, why, *term))
    chat.after_leaving(room, now)


def close(chat: Chat, room: Room, by: Person, why: str, now: float) -> None:
    """Take everybody out of a room, and let it be gone for good."""
    chat.peers.broadcast(by, CloseRoom(room.name.key, why, now))
    chat.persistent.make_temporary(room)
    empty_room(chat, room, by, why, now)


def empty_room(chat: Chat, room: Room, by: Person, why: str, now: float) -> None:
    """Take everybody out of a room that is closed; those elsewhere their own servers tell of it."""
    for person in tuple(room.members):
        chat.remove_from_room(person, room)
        chat.deliver(person, PutOut(now, room.name.shown, by.nick, why))
    chat.peers.room_changed(room)
    chat.after_leaving(room, now)


def disconnect(chat: Chat, person: Person, told: PutOut) -> None:
    """Let somebody who is here leave, on all their connections, and tell them why."""
    sessions = tuple(person.sessions)
    for session in sessions:
        chat.leave(session, told.reason, told.time)
    place = chat.detached.get(person)
    if place is not None:
        chat.expire(place, told.time)
    for session in sessions:
        session.deliver(told)
        session.client.close()


def enforce_server_ban(chat: Chat, ban: Ban, now: float) -> int:
    """Disconnect whom a ban from the server covers here; return how many.

    Operators may stay, although an address is theirs as well.
    """
    told = PutOut(now, None, ban.by, ban.reason, True, ban.until)
    here = [person for person in chat.people.here() if not person.operator]
    out = [person for person in here if ban.target.covers(person.identity)]
    for person in out:
        disconnect(chat, person, told)
    screens = [
        session
        for person in here
        for session in person.sessions
        if ban.target.covers(Identity(address=session.address))
    ]
    for session in screens:  # of people whose other connection is from somewhere else
        chat.leave(session, ban.reason, now)
        session.deliver(told)
        session.client.close()
    return len(out) + len(screens)
