"""Reach: what /status tells: where one is, who else is there, and what is out of reach.

It asks the chat for what that knows, and nobody else for anything.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from chatd.chat.limits import LISTED
from chatd.chat.text.durations import duration
from chatd.chat.text.sanitizing import safe

if TYPE_CHECKING:
    from chatd.chat.chat import Chat
    from chatd.chat.model.entities import Person, Session

#: Seconds after which a server counts as silent that says every five of them that it is there.
QUIET_SECONDS = 11.0


def status(chat: Chat, session: Session, now: float) -> list[str]:
    """What somebody is told of this server and of the others, a line each."""
    everyone = chat.people.everyone()
    since = chat.opened if chat.opened is not None else now
    is_open, people = f"open for {duration(now - since)}", _counted(len(everyone), "person")
    seen = sum(chat.may_see(session.person, room) for room in chat.rooms.values())
    waiting = _waiting(session.person)
    if not chat.elsewhere.is_clustered:
        return [is_open, people, _counted(seen, "room"), *waiting]
    return [
        f"this is {_called(chat.elsewhere.display_name)}, {is_open}",
        f"{people} in all, {len(chat.people.here())} of them on this server",
        _counted(seen, "room"),
        *_others(chat, now),
        *_cluster(chat, now),
        *waiting,
    ]


def _others(chat: Chat, now: float) -> list[str]:
    """The other servers of the cluster; first how many there are."""
    others = sorted(chat.elsewhere.others())
    rows = [_counted(len(others), "other server")]
    for called, people, heard in others[:LISTED]:
        silent = now - heard
        told = "heard" if silent < QUIET_SECONDS else "out of reach, heard"
        row = f"{_called(called)}: {_counted(people, 'person')}, {told} {duration(silent)} ago"
        rows.append(row)
    if len(others) > LISTED:
        rows.append(f"… and {len(others) - LISTED} more")
    return rows


def _cluster(chat: Chat, now: float) -> list[str]:
    """Whether the cluster answers, and how many machines it is."""
    ago = duration(now - chat.elsewhere.renewed_at)
    rows = [f"the cluster answered {ago} ago"]
    if chat.unacknowledged.away:
        rows = [f"the cluster does not answer; it did {ago} ago"]
    there, gone = chat.elsewhere.replicas
    if there:
        out = f", {gone} of them out of reach" * bool(gone)
        rows.append(f"what is said is kept on {_counted(there, 'machine')}{out}")
    return rows


def _waiting(person: Person) -> list[str]:
    """In which rooms something waits that somebody said."""
    waits = [session.pending for session in person.sessions if session.pending is not None]
    rooms = Counter(room for each in waits for _, rooms in each.lines.values() for room in rooms)
    return [
        f"{_counted(count, 'line')} of yours wait{'s' * (count == 1)} in {room}"
        for room, count in rooms.items()
    ]


def _called(name: str) -> str:
    return safe(name) or "a server that has not said what it is called"


def _counted(count: int, noun: str) -> str:
    if noun == "person":
        return "1 person" if count == 1 else f"{count} people"
    return f"{count} {noun}{'s' * (count != 1)}"
