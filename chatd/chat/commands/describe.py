"""How rooms, people and times are described in answers."""

from __future__ import annotations

from itertools import islice

from chatd.chat.chat import Chat
from chatd.chat.events import Role
from chatd.chat.limits import LISTED, PLACE_SECONDS
from chatd.chat.model import rules
from chatd.chat.model.entities import Person, Room

#: Names that one is told when one comes into a room.
NAMED = 5

#: For how long a place is kept.
WHILE = f"{PLACE_SECONDS // 60} minutes"

_MARKS = {Role.OPERATOR: "operator", Role.OWNER: "owner", Role.MODERATOR: "moderator"}


def in_room(room: Room, person: Person, *, opened: bool) -> str:
    """What somebody is told who has come into a room, or has opened it."""
    if opened:
        told = f"You opened {room}; it is yours."
    else:
        told = f"You are in {room}, {company(room, person)}."
    return f"{told} {topic(room)}".rstrip()


def welcome(room: Room, person: Person) -> str:
    """What somebody is told who has come into the server, and with it into a room."""
    told = f"You are {person.nick} in {room}, {company(room, person)}; /help says what you can do."
    return f"{told} {topic(room)}".rstrip()


def way_back(chat: Chat, person: Person) -> str:
    """How somebody who has neither key nor login takes their place back; empty for others."""
    token = chat.detached.token(person)
    if token is None:
        return ""
    return f"If you are cut off: /resume {token} takes you back within {WHILE}."


def company(room: Room, person: Person) -> str:
    """With whom somebody is in a room: the first few by name."""
    first = [other.nick for other in islice(room.members, NAMED + 1) if other is not person][:NAMED]
    if not first:
        return "alone so far"
    more = len(room.members) - 1 - len(first)
    return f"with {', '.join(first)}{f' and {more} more' * bool(more)}"


def topic(room: Room) -> str:
    """The room's topic as a sentence of its own, or nothing."""
    return f"Topic: {room.settings.topic}" if room.settings.topic else ""


def roster(room: Room, now: float) -> list[str]:
    """The people in a room, a line each, with their marks."""
    rows = []
    for person in list(room.members)[:LISTED]:
        marks = [_MARKS[role] for role in [room.role_of(person)] if role in _MARKS]
        if rules.mute_of(room, person, now) is not None:
            marks.append("muted")
        if person.away is not None:
            marks.append(f"away: {person.away}" if person.away else "away")
        if person.is_detached:
            marks.append("cut off")
        rows.append(f"{person.nick} ({', '.join(marks)})" if marks else person.nick)
    if len(room.members) > LISTED:
        rows.append(f"… and {len(room.members) - LISTED} more")
    return rows
