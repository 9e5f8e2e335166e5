"""A command as data: its name, arguments and help, who may use it, and what it does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto

from chatd.chat.chat import Chat
from chatd.chat.events import Listing, Notice, Refused, Role
from chatd.chat.model.entities import Person, Room, Session
from chatd.chat.model.rules import outranks


class Takes(Enum):
    """What one argument of a command is, for completion."""

    NICK = auto()
    IGNORED = auto()
    ROOM = auto()
    OWN_ROOM = auto()
    COMMAND = auto()
    PREFERENCE = auto()
    SETTING = auto()
    VALUE = auto()  # of the preference or setting before it
    TEXT = auto()
    OTHER = auto()


#: What the words of a usage stand for; those that are not here are completed to nothing.
_WORDS = {
    "NICK": Takes.NICK,
    "ROOM": Takes.ROOM,
    "COMMAND": Takes.COMMAND,
    "TEXT": Takes.TEXT,
    "WORDS": Takes.TEXT,
    "REASON": Takes.TEXT,
}


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a command: by whom, with which words, when (seconds since the epoch)."""

    chat: Chat
    session: Session
    name: str
    words: str
    now: float

    @property
    def person(self) -> Person:
        """Who uses it."""
        return self.session.person

    def answer(self, text: str) -> None:
        """Say one sentence to who asked."""
        self.session.deliver(Notice(text))

    def list(self, heading: str, rows: list[str] | tuple[str, ...]) -> None:
        """Give several lines to who asked."""
        self.session.deliver(Listing(heading, tuple(rows)))

    async def ask(self, question: str, *, secret: bool) -> tuple[str, float]:
        """Ask who uses it for a line more; return it, and when it came.

        :raises Refused: ``cancelled``.
        """
        line, now = await self.session.client.ask(question, secret=secret)
        if not line.strip():
            raise Refused("cancelled", "You said nothing, so nothing has changed.")
        return line, now

    def room(self, words: str) -> Room:
        """The room that words name, or the one with the focus.

        :raises Refused: ``no-room``, ``bad-room`` or ``no-such-room``.
        """
        return self.chat.find_room(words, self.person) if words else self.session.room()

    def split(self, usage: str) -> tuple[str, str]:
        """The first word, and the rest without the blanks around it.

        :raises Refused: ``usage`` when there is no first word.
        """
        first, _, rest = self.words.partition(" ")
        if not first:
            raise Refused("usage", f"How to use it: /{self.name} {usage}")
        return first, rest.strip()


@dataclass(frozen=True, slots=True)
class Command:
    """What a person can do with a line that begins with ``/``.

    ``least`` is the role in the room with the focus that the command is offered to; what it does
    checks for itself.  ``takes`` says what each argument is where the usage does not.
    """

    name: str
    arguments: str
    help: str
    run: Callable[[Call], Awaitable[None] | None]
    aliases: tuple[str, ...] = ()
    least: Role = Role.MEMBER
    more: str = ""
    takes: tuple[Takes, ...] | None = None

    def argument(self, number: int) -> Takes:
        """What the argument with this number is, from 0; a text at the end goes on for ever."""
        takes = self.takes
        if takes is None:
            words = self.arguments.replace("[", "").replace("]", "").split()
            takes = tuple(_WORDS.get(word, Takes.OTHER) for word in words)
        if number < len(takes):
            return takes[number]
        return Takes.TEXT if takes and takes[-1] is Takes.TEXT else Takes.OTHER

    @property
    def usage(self) -> str:
        """How it is typed."""
        return f"/{self.name} {self.arguments}".rstrip()

    def is_for(self, session: Session) -> bool:
        """Whether this person may use it where they are now."""
        person, room = session.person, session.focus
        role = room.role_of(person) if room else Role.OPERATOR if person.operator else Role.MEMBER
        return not outranks(self.least, role)


def need(call: Call, words: str, usage: str) -> str:
    """Return the words of a command that does nothing without.

    :raises Refused: ``usage``.
    """
    if not words:
        raise Refused("usage", f"How to use it: /{call.name} {usage}")
    return words
