"""Mentions: the members whose nick is in the text of a message."""

from __future__ import annotations

from chatd.chat.events import Acted, Edited, RoomEvent, Said
from chatd.chat.model.entities import Room, Session
from chatd.chat.model.people import People
from chatd.chat.text.mentions import mentioned_keys, mentioned_within


def mentioned(event: RoomEvent, room: Room, people: People) -> list[Session]:
    """Return the sessions that highlight an event because it mentions their user.

    The sender's own sessions are never among them.
    """
    if not isinstance(event, Said | Acted | Edited) or not room.audience.highlights:
        return []
    keys = mentioned_keys(event.text)
    if people.lengths and not event.text.isascii():
        keys.update(mentioned_within(event.text, people.lengths, people.is_here))
    found: list[Session] = []
    for key in keys:
        person = people.get(key)
        if person is not None and person in room.members and person.nick != event.nick:
            found += [session for session in person.sessions if session.style_in(room).highlights]
    return found
