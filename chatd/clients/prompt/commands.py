"""Commands of chatd-client as data, and parsing a typed line as one of them.

It must not know what any command does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Verb(Enum):
    """What a command does."""

    JOIN = "join"
    SEND = "send"
    LEAVE = "leave_chatroom"
    DISCONNECT = "disconnect"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Command:
    """A verb with its arguments, and its line in ``help``."""

    verb: Verb
    arguments: str
    summary: str
    alias: str = ""

    @property
    def usage(self) -> str:
        """Return the syntax of the command."""
        return f"{self.verb.value} {self.arguments}".rstrip()


COMMANDS: Final = (
    Command(Verb.JOIN, "ROOM", "come into a room"),
    Command(Verb.SEND, "ROOM TEXT", "say something in a room"),
    Command(Verb.LEAVE, "ROOM", "leave a room; also: leave", "leave"),
    Command(Verb.DISCONNECT, "", "leave the server; also: quit", "quit"),
    Command(Verb.HELP, "", "list the commands"),
)
_BY_NAME: Final = {
    name: command for command in COMMANDS for name in (command.verb.value, command.alias) if name
}


@dataclass(frozen=True, slots=True)
class NotACommand:
    """A line that is not a command; ``sentence`` says why."""

    sentence: str


@dataclass(frozen=True, slots=True)
class ParsedCommand:
    """A verb and its argument."""

    verb: Verb
    argument: str


def read(line: str) -> ParsedCommand | NotACommand:
    """Parse a line; a slash before the verb is optional."""
    word, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    command = _BY_NAME.get(word.removeprefix("/").lower())
    if command is None:
        return NotACommand(f"There is no command {word}; help lists those that there are.")
    if command.arguments and not rest:
        return NotACommand(f"No room was named; the command is: {command.usage}")
    return ParsedCommand(command.verb, rest)


def may_hold_secret(line: str) -> bool:
    """Return whether a line may contain a password, and must be left out of the line history.

    None of these is a command here, but users of other clients type them by habit.
    """
    return line.lstrip().lower().startswith(("/register ", "/password ", "/login "))


def help_rows() -> list[str]:
    """Return the lines of ``help``."""
    width = max(len(command.usage) for command in COMMANDS)
    return [f"{command.usage:{width}}  {command.summary}" for command in COMMANDS]
