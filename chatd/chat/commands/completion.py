"""Completion of the word before the cursor: to nicks, commands and their arguments.

It knows the chat and the table of commands, but nothing about the keyboard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, islice
from typing import NamedTuple

from chatd.chat.actions.moderation.room_settings import SETTINGS, SHOUTING, SPEAK
from chatd.chat.chat import Chat
from chatd.chat.commands import COMMANDS, GROUPS
from chatd.chat.commands.command import ArgumentKind, Command
from chatd.chat.limits import COMPLETION_CANDIDATES, COMPLETIONS
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
    "speak": SPEAK,
}


class Completion(NamedTuple):
    """The start of the word to complete, and its completions, the most likely first."""

    start: int
    choices: tuple[str, ...]


NOTHING = Completion(0, ())


def complete(chat: Chat, session: Session, before: str) -> Completion:
    """Return the completions of the last word of ``before``, with their usual suffix."""
    start = before.rfind(" ") + 1
    word = before[start:]
    is_message = not before.startswith("/") or before.startswith("//")
    if is_message:
        suffix = " " if start else ": "
        return _completion(start, word, _nicks(chat, session, word), suffix)
    if not start:
        return _completion(1, word[1:], _names(session))
    name, *arguments = before[1:start].split() or [""]
    command = _command(name)
    if command is None:
        return NOTHING
    takes = command.argument(len(arguments))
    found = _argument(chat, session, takes, word, arguments[-1] if arguments else "")
    return _completion(start, word, found)


def _completion(start: int, word: str, found: Iterable[str], suffix: str = " ") -> Completion:
    """Return the candidates that begin with the word, without duplicates."""
    folded = word.lower()
    fitting = (each for each in found if each.lower().startswith(folded))
    choices = islice(dict.fromkeys(fitting), COMPLETIONS)
    return Completion(start, tuple(f"{each}{suffix}" for each in choices))


def _names(session: Session) -> list[str]:
    """Return the names of the commands that are offered to a user."""
    return [command.name for command in COMMANDS if command.is_for(session)]


def _command(name: str) -> Command | None:
    for command in COMMANDS:
        if name.lower() in (command.name, *command.aliases):
            return command
    return None


def _argument(
    chat: Chat, session: Session, takes: ArgumentKind, word: str, last: str
) -> Iterable[str]:
    """Return candidates for an argument; ``last`` is the one before it."""
    person = session.person
    match takes:
        case ArgumentKind.NICK | ArgumentKind.TEXT:
            return _nicks(chat, session, word)
        case ArgumentKind.IGNORED:
            return person.ignored
        case ArgumentKind.ROOM:
            return _rooms(chat, session)
        case ArgumentKind.OWN_ROOM:
            return [str(room) for room in person.rooms.values()]
        case ArgumentKind.COMMAND:
            return [*_names(session), *GROUPS]
        case ArgumentKind.PREFERENCE:
            return MEANING
        case ArgumentKind.SETTING:
            return SETTINGS
        case ArgumentKind.VALUE:
            return _VALUES.get(last, ())
        case ArgumentKind.OTHER:
            return ()


def _rooms(chat: Chat, session: Session) -> list[str]:
    """Return the rooms that a user may see, those with the most members first."""
    newest = islice(reversed(chat.rooms.values()), COMPLETION_CANDIDATES)
    visible = [room for room in newest if chat.may_see(session, room)]
    if chat.lobby not in visible:
        visible.append(chat.lobby)
    return [str(room) for room in sorted(visible, key=lambda room: -len(room.members))]


def _nicks(chat: Chat, session: Session, word: str) -> list[str]:
    """Return the nicks of others, the most likely first.

    The order is: the last speakers in the room with the focus, the last correspondent, the members
    of the other rooms, and everyone else.
    """
    person, room = session.person, session.focus
    wanted = word.lower()

    def fits(other: Person) -> bool:
        return (
            other.nick.lower().startswith(wanted)
            and other is not person
            and other.name.key not in person.ignored
        )

    speakers = _last_speakers(room, fits) if room is not None else []
    last_correspondent = (
        [person.last_correspondent] if person.last_correspondent is not None else []
    )
    rooms = (other for other in person.rooms.values() if other is not room)
    members = chain.from_iterable(reversed(other.members) for other in rooms)
    everyone = chain(members, reversed(chat.people.everyone()))
    others = filter(fits, chain(last_correspondent, islice(everyone, COMPLETION_CANDIDATES)))
    return [other.nick for other in chain(speakers, others)]


def _last_speakers(room: Room, fits: Callable[[Person], bool]) -> list[Person]:
    """Return members of a room: the last to speak first, then the last to join."""
    newest = islice(reversed(room.members.items()), COMPLETION_CANDIDATES)
    fitting = [(member.last_said, other) for other, member in newest if fits(other)]
    fitting.sort(key=lambda each: -each[0])
    return [other for _, other in fitting[:COMPLETIONS]]
