"""Ignoring: hides the messages of one user from another."""

from __future__ import annotations

from chatd.chat.chat import Chat
from chatd.chat.events import Refused
from chatd.chat.limits import IGNORED
from chatd.chat.model.entities import Person
from chatd.chat.text.sanitizing import cut


def ignore(chat: Chat, person: Person, nick: str) -> Person:
    """Hide the user with a nick from a person; return the ignored user.

    :raises Refused: ``nobody``, ``yourself`` or ``too-many``.
    """
    other = chat.find_person(nick)
    if other is person:
        raise Refused("yourself", "You cannot ignore yourself.")
    if len(person.ignored) >= IGNORED and other.name.key not in person.ignored:
        raise Refused("too-many", f"You ignore {IGNORED} people; /unignore one first.")
    person.ignored[other.name.key] = None
    other.ignored_by[person] = None
    for session in person.sessions:
        session.restyle()
    return other


def unignore(chat: Chat, person: Person, nick: str) -> str:
    """Show a person the messages of a nick again; return the nick.

    :raises Refused: ``nobody`` when it was not ignored.
    """
    other = chat.people.find(nick)
    key = other.name.key if other else nick.lower()
    if key not in person.ignored:
        raise Refused("nobody", f"You do not ignore {cut(nick, 40)}.")
    person.ignored.pop(key, None)
    if other is not None:
        other.ignored_by.pop(person, None)
    for session in person.sessions:
        session.restyle()
    return other.nick if other else key
