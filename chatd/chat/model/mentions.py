"""Mentions: the members whose nick is in the text of a message."""

from __future__ import annotations

from chatd.chat.events import Acted, Edited, RoomEvent, Said
from chatd.chat.model.entities import Room, Session
from chatd.chat.model.people import People

#: Characters that may surround a nick: ``@ada``, ``(ada)``, ``ada:``, ``ada!``.
_AROUND = "@.,:;!?()[]{}<>\"'`*“”«»…-"


def mentioned(event: RoomEvent, room: Room, people: People) -> list[Session]:
    """Return the sessions that highlight an event because it mentions their user.

    The sender's own sessions are never among them.
    """
    if not isinstance(event, Said | Acted | Edited) or not room.audience.highlights:
        return []
    found: list[Session] = []
    for word in {word.strip(_AROUND) for word in event.text.lower().split()}:
        person = people.get(word)
        if person is not None and person in room.members and person.nick != event.nick:
            found += [session for session in person.sessions if session.style_in(room).highlights]
    return found
