"""Status: the answer to /status, on this server, the others, and the user's pending lines."""

from __future__ import annotations

from collections import Counter

from chatd.chat.chat import Chat
from chatd.chat.model.entities import Person, Session
from chatd.chat.text.durations import duration
from chatd.chat.text.sanitizing import safe


def status(chat: Chat, session: Session, now: float) -> list[str]:
    """Return what /status says, a line each."""
    everyone = chat.people.everyone()
    since = chat.opened if chat.opened is not None else now
    is_open, people = f"open for {duration(now - since)}", counted(len(everyone), "person")
    seen = sum(chat.may_see(session.person, room) for room in chat.rooms.values())
    pending = _pending_lines(session.person)
    if not chat.peers.is_clustered:
        return [is_open, people, counted(seen, "room"), *pending]
    return [
        f"this is {named(chat.peers.display_name)}, {is_open}",
        f"{people} in all, {len(chat.people.here())} of them on this server",
        counted(seen, "room"),
        *chat.peers.status(now),
        *pending,
    ]


def _pending_lines(person: Person) -> list[str]:
    """Return how many lines of a person are pending in each room, a line each."""
    pending = [
        session.pending_lines for session in person.sessions if session.pending_lines is not None
    ]
    rooms = Counter(room for each in pending for _, rooms in each.lines.values() for room in rooms)
    return [
        f"{counted(count, 'line')} of yours wait{'s' * (count == 1)} in {room}"
        for room, count in rooms.items()
    ]


def named(name: str) -> str:
    """Return the name of a server, as its operator chose it, for people."""
    return safe(name) or "a server that has not said what it is called"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun in the singular or the plural."""
    if noun == "person":
        return "1 person" if count == 1 else f"{count} people"
    return f"{count} {noun}{'s' * (count != 1)}"
