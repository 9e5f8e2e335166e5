"""Errands: what another server asks to be done to somebody who is here.

It is asked in the name of somebody there; whether they may was looked at there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from chatd.chat.bans import Ban
from chatd.chat.events import Invited, Refused, Role
from chatd.chat.expelling import put_out
from chatd.chat.people import Person
from chatd.chat.private import receive

if TYPE_CHECKING:
    from chatd.chat.chat import Chat

WHISPER, KICK, INVITE, UNREAD, ROLE = "whisper", "kick", "invite", "unread", "role"


def run(chat: Chat, person: Person, by: Person | None, errand: str, values: Sequence[Any]) -> None:
    """Do an errand; one that is not known here is of a newer server, and left."""
    if errand == WHISPER and by is not None:
        now, text = values
        try:
            receive(chat, by, person, text, now)
        except Refused:
            chat.elsewhere.send(by, person, UNREAD)
    elif errand == KICK:
        key, why, now, ban = values
        room = chat.rooms.get(key)
        if room is not None and person in room.members:
            put_out(chat, person, room, by, why, now, Ban.decoded(*ban) if ban else None)
    elif errand == INVITE and by is not None:
        now, shown = values
        if by.name.key not in person.ignored:
            for session in person.sessions:
                session.deliver(Invited(now, by.nick, shown))
    elif errand == ROLE:
        key, role = values
        room = chat.rooms.get(key)
        if room is not None and person in room.members:
            room.members[person].role = Role(role)
            chat.elsewhere.touched(None, person)
    elif errand == UNREAD and by is not None:
        refused = Refused("not-reading", f"{by.nick} is not reading now; try again later.")
        for session in person.sessions:
            session.deliver(refused.as_event())
