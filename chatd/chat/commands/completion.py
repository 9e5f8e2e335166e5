"""What the word before somebody's cursor may become: nicks, commands and what they take.

It knows the chat and the table of commands; it knows nothing of keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, islice
from typing import NamedTuple

from chatd.chat.actions.room_settings import SETTINGS, SHOUTING
from chatd.chat.chat import Chat
from chatd.chat.commands import COMMANDS, GROUPS
from chatd.chat.commands.command import Command, Takes
from chatd.chat.limits import COMPLETED_FROM, COMPLETIONS
from chatd.chat.model.entities import Person, Room, Session
from chatd.chat.model.preferences import BELLS, JOINS, MEANING, THEMES, TIMES

_SWITCH = ("on", "off")
_VALUES = {
    **dict.fromkeys(("plain", "private", "lasting"), _SWITCH),
    "bell": BELLS,
    "joins": JOINS,
    "timestamps": (*_SWITCH, *TIMES),
    "theme": THEMES,
    "shouting": SHOUTING,
}


class Completion(NamedTuple):
    """Where the word begins, and what it may become, the likeliest first."""

    start: int
    choices: tuple[str, ...]


NOTHING = Completion(0, ())


def complete(chat: Chat, session: Session, before: str) -> Completion:
    """What the last word of ``before`` may become, with what usually stands behind it."""
    start = before.rfind(" ") + 1
    word = before[start:]
    said = not before.startswith("/") or before.startswith("//")
    if said:
        behind = " " if start else ": "
        return _completion(start, word, _nicks(chat, session, word), behind)
    if not start:
        return _completion(1, word[1:], _names(session))
    name, *arguments = before[1:start].split() or [""]
    command = _command(name)
    if command is None:
        return NOTHING
    takes = command.argument(len(arguments))
    found = _argument(chat, session, takes, word, arguments[-1] if arguments else "")
    return _completion(start, word, found)


def _completion(start: int, word: str, found: Iterable[str], behind: str = " ") -> Completion:
    """Those of what there is that begin as the word does, each once."""
    folded = word.lower()
    fitting = (each for each in found if each.lower().startswith(folded))
    choices = islice(dict.fromkeys(fitting), COMPLETIONS)
    return Completion(start, tuple(f"{each}{behind}" for each in choices))


def _names(session: Session) -> list[str]:
    """The names of the commands that somebody may use."""
    return [command.name for command in COMMANDS if command.is_for(session)]


def _command(name: str) -> Command | None:
    for command in COMMANDS:
        if name.lower() in (command.name, *command.aliases):
            return command
    return None


def _argument(chat: Chat, session: Session, takes: Takes, word: str, last: str) -> Iterable[str]:
    """What one argument may be; ``last`` is the one before it."""
    person = session.person
    match takes:
        case Takes.NICK | Takes.TEXT:
            return _nicks(chat, session, word)
        case Takes.IGNORED:
            return person.ignored
        case Takes.ROOM:
            return _rooms(chat, person)
        case Takes.OWN_ROOM:
            return [str(room) for room in person.rooms.values()]
        case Takes.COMMAND:
            return [*_names(session), *GROUPS]
        case Takes.PREFERENCE:
            return MEANING
        case Takes.SETTING:
            return SETTINGS
        case Takes.VALUE:
            return _VALUES.get(last, ())
        case Takes.OTHER:
            return ()


def _rooms(chat: Chat, person: Person) -> list[str]:
    """The rooms that somebody may know of, the fullest first."""
    newest = islice(reversed(chat.rooms.values()), COMPLETED_FROM)
    known = [room for room in newest if chat.may_see(person, room)]
    if chat.lobby not in known:
        known.append(chat.lobby)
    return [str(room) for room in sorted(known, key=lambda room: -len(room.members))]


def _nicks(chat: Chat, session: Session, word: str) -> list[str]:
    """The nicks of others: who spoke here last, who wrote to one alone, and whoever is there."""
    person, room = session.person, session.focus
    wanted = word.lower()

    def fits(other: Person) -> bool:
        return (
            other.nick.lower().startswith(wanted)
            and other is not person
            and other.name.key not in person.ignored
        )

    here = _last_speakers(room, fits) if room is not None else []
    last_correspondent = (
        [person.last_correspondent] if person.last_correspondent is not None else []
    )
    rooms = (other for other in person.rooms.values() if other is not room)
    elsewhere = chain.from_iterable(reversed(other.members) for other in rooms)
    everyone = chain(elsewhere, reversed(chat.people.everyone()))
    others = filter(fits, chain(last_correspondent, islice(everyone, COMPLETED_FROM)))
    return [other.nick for other in chain(here, others)]


def _last_speakers(room: Room, fits: Callable[[Person], bool]) -> list[Person]:
    """The members of a room, those who spoke last first, then who came last."""
    newest = islice(reversed(room.members.items()), COMPLETED_FROM)
    fitting = [(member.last_said, other) for other, member in newest if fits(other)]
    fitting.sort(key=lambda each: -each[0])
    return [other for _, other in fitting[:COMPLETIONS]]
