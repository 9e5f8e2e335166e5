"""Status: the answer to /status about this server, the others, and the user's pending lines."""

from __future__ import annotations

from collections import Counter

from chatd.chat.chat import Chat
from chatd.chat.model.entities import Person, Session
from chatd.chat.text.durations import duration
from chatd.chat.text.sanitizing import safe


def status(chat: Chat, session: Session, now: float) -> list[str]:
    """Return the lines that /status shows."""
    everyone = chat.people.everyone()
    since = chat.opened if chat.opened is not None else now
    is_open, people = f"open for {duration(now - since)}", counted(len(everyone), "person")
    seen = sum(chat.may_see(session, room) for room in chat.rooms.values())
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
    """Return one row per room with pending lines of a person, with their number."""
    pending = [
        session.pending_lines for session in person.sessions if session.pending_lines is not None
    ]
    rooms = Counter(room for each in pending for _, rooms in each.lines.values() for room in rooms)
    return [
        f"{counted(count, 'line')} of yours wait{'s' * (count == 1)} in {room}"
        for room, count in rooms.items()
    ]


def named(name: str) -> str:
    """Return a server's display name, made safe, or a phrase for a server without one."""
    return safe(name) or "a server that has not said what it is called"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun in the singular or plural."""
    if noun == "person":
        return "1 person" if count == 1 else f"{count} people"
    return f"{count} {noun}{'s' * (count != 1)}"
