"""Expelling: taking somebody out of a room, or everybody, who has not asked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatd.chat.bans import Ban
from chatd.chat.events import Kicked, PutOut
from chatd.chat.people import Person
from chatd.chat.room import Room

if TYPE_CHECKING:
    from chatd.chat.chat import Chat


def put_out(
    chat: Chat,
    person: Person,
    room: Room,
    by: Person | None,
    why: str,
    now: float,
    ban: Ban | None = None,
) -> None:
    """Kick or ban somebody from a room, in somebody's name or (``by`` is None) in the server's."""
    if person.server:
        kept = (str(ban.target), ban.encoded()) if ban is not None else None
        chat.elsewhere.send(person, by, "kick", room.name.key, why, now, kept)
        return
    chat.take_out(person, room)
    if room.uninvite(person):
        chat.lasting.changed(room)
    whose, term = by.nick if by else None, (ban is not None, ban.until if ban else None)
    chat.post(room, Kicked(now, person.nick, whose, why, *term), by or person)
    chat.tell(person, PutOut(now, room.name.shown, whose, why, *term))
    chat.after_leaving(room, now)


def close(chat: Chat, room: Room, by: Person, why: str, now: float) -> None:
    """Take everybody out of a room, and let it be gone for good."""
    for person in tuple(room.members):
        chat.take_out(person, room)
        chat.tell(person, PutOut(now, room.name.shown, by.nick, why))
    chat.lasting.end(room)
    chat.after_leaving(room, now)
