"""Descriptions of rooms and people, as answers to users."""

from __future__ import annotations

from itertools import islice

from chatd.chat.chat import Chat
from chatd.chat.events import Role
from chatd.chat.limits import DETACHED_SECONDS, LISTED
from chatd.chat.model import rules
from chatd.chat.model.entities import Person, Room

#: Nicks that are listed to a user who joins a room.
NICKS_LISTED = 5

#: For how long a detached session is kept.
RESUME_WITHIN = f"{DETACHED_SECONDS // 60} minutes"

_MARKS = {Role.OPERATOR: "operator", Role.OWNER: "owner", Role.MODERATOR: "moderator"}


def join_reply(room: Room, person: Person, *, opened: bool) -> str:
    """Return the sentence for a user who has joined a room, or has just ``opened`` it."""
    if opened:
        sentence = f"You opened {room}; it is yours."
        if person.account is not None and not room.settings.lasting:
            sentence = (
                f"You opened {room}; it is yours, but it does not last: /room lasting on says why."
            )
    else:
        sentence = f"You are in {room}, {company(room, person)}."
    return f"{sentence} {topic(room)}".rstrip()


def greeting(room: Room, person: Person) -> str:
    """Return the greeting for a user who has entered the server, and with that a room."""
    others = company(room, person)
    sentence = f"You are {person.nick} in {room}, {others}; /help says what you can do."
    return f"{sentence} {topic(room)}".rstrip()


def resume_hint(chat: Chat, person: Person) -> str:
    """Return how to resume a session without an ssh key or login; empty for other users."""
    token = chat.detached.new_token(person)
    if token is None:
        return ""
    return f"If you are cut off: /resume {token} takes you back within {RESUME_WITHIN}."


def company(room: Room, person: Person) -> str:
    """List the first few other members of a room, by nick."""
    first = [other.nick for other in islice(room.members, NICKS_LISTED + 1) if other is not person]
    del first[NICKS_LISTED:]
    if not first:
        return "alone so far"
    more = len(room.members) - 1 - len(first)
    return f"with {', '.join(first)}{f' and {more} more' * bool(more)}"


def topic(room: Room) -> str:
    """Return the room's topic as a sentence of its own, or nothing."""
    return f"Topic: {room.settings.topic}" if room.settings.topic else ""


def roster(room: Room, now: float) -> list[str]:
    """Return one line per member of a room, with role, mute, away and cut-off marks."""
    rows = []
    for person in list(room.members)[:LISTED]:
        marks = [_MARKS[role] for role in [room.role_of(person)] if role in _MARKS]
        if room.has_voice(person):
            marks.append("voice")
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
