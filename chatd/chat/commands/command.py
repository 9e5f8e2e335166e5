"""Command: a command's definition, and one invocation of it (`Call`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto

from chatd.chat.chat import Chat
from chatd.chat.events import Listing, Notice, Refused, Role
from chatd.chat.model.entities import Person, Room, Session
from chatd.chat.model.rules import outranks


class ArgumentKind(Enum):
    """The kind of a command's argument, for completion."""

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


#: The kinds of the words in a usage; other words are not completed.
_WORDS = {
    "NICK": ArgumentKind.NICK,
    "ROOM": ArgumentKind.ROOM,
    "COMMAND": ArgumentKind.COMMAND,
    "TEXT": ArgumentKind.TEXT,
    "WORDS": ArgumentKind.TEXT,
    "REASON": ArgumentKind.TEXT,
}


@dataclass(frozen=True, slots=True)
class Call:
    """One invocation of a command, under the ``name`` that the command has in the table.

    ``words`` is the text after the name; ``now`` is in seconds since the epoch.
    """

    chat: Chat
    session: Session
    name: str
    words: str
    now: float

    @property
    def person(self) -> Person:
        """The person who invoked it."""
        return self.session.person

    def answer(self, text: str) -> None:
        """Answer with one sentence."""
        self.session.deliver(Notice(text))

    def list(self, heading: str, rows: list[str] | tuple[str, ...]) -> None:
        """Answer with a heading and rows."""
        self.session.deliver(Listing(heading, tuple(rows)))

    async def ask(self, question: str, *, secret: bool) -> tuple[str, float]:
        """Ask the user for one more line; return it, and when it was entered.

        :raises Refused: ``cancelled``.
        """
        line, now = await self.session.client.ask(question, secret=secret)
        if not line.strip():
            raise Refused("cancelled", "You said nothing, so nothing has changed.")
        return line, now

    def room(self, words: str) -> Room:
        """Return the named room, or the one with the focus if none is named.

        :raises Refused: ``no-room``, ``bad-room`` or ``no-such-room``.
        """
        return self.chat.find_room(words, self.session) if words else self.session.room()

    def split(self, usage: str) -> tuple[str, str]:
        """Split the first word from the rest, without surrounding spaces.

        :raises Refused: ``usage`` when there is no first word.
        """
        first, _, rest = self.words.partition(" ")
        if not first:
            raise Refused("usage", f"How to use it: /{self.name} {usage}")
        return first, rest.strip()


@dataclass(frozen=True, slots=True)
class Command:
    """A command: a line that begins with ``/`` and its name.

    ``least`` is the minimum role in the focused room at which /help and completion offer it;
    ``run`` checks permissions itself.  ``more`` is shown by /help NAME.  ``argument_kinds`` has the
    kind of each argument, where the words of the usage do not tell.
    """

    name: str
    arguments: str
    help: str
    run: Callable[[Call], Awaitable[None] | None]
    aliases: tuple[str, ...] = ()
    least: Role = Role.MEMBER
    more: str = ""
    argument_kinds: tuple[ArgumentKind, ...] | None = None

    def argument(self, number: int) -> ArgumentKind:
        """Return the kind of the argument with a number, from 0.

        All words after the last argument are text if that argument is.
        """
        takes = self.argument_kinds
        if takes is None:
            words = self.arguments.replace("[", "").replace("]", "").split()
            takes = tuple(_WORDS.get(word, ArgumentKind.OTHER) for word in words)
        if number < len(takes):
            return takes[number]
        return ArgumentKind.TEXT if takes and takes[-1] is ArgumentKind.TEXT else ArgumentKind.OTHER

    @property
    def usage(self) -> str:
        """The command and its arguments, as they are typed."""
        return f"/{self.name} {self.arguments}".rstrip()

    def is_for(self, session: Session) -> bool:
        """Whether the command is offered to a user in the room that has their focus."""
        room = session.focus
        role = Role.OPERATOR if session.operator else Role.MEMBER
        if room is not None:
            role = room.role_by(session)
        return not outranks(self.least, role)


def need(call: Call, words: str, usage: str) -> str:
    """Return the words after a command that requires some.

    :raises Refused: ``usage`` when there are none.
    """
    if not words:
        raise Refused("usage", f"How to use it: /{call.name} {usage}")
    return words
