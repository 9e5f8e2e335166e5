"""The commands of chatd-client: what can be typed, and what a line asks for.

It must not know what any of it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Verb(Enum):
    """What can be asked for."""

    JOIN = "join"
    SEND = "send"
    LEAVE = "leave_chatroom"
    DISCONNECT = "disconnect"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Command:
    """A verb with the words that follow it, and what ``help`` says of it."""

    verb: Verb
    arguments: str
    summary: str
    alias: str = ""

    @property
    def usage(self) -> str:
        """How it is written."""
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
    """A line that asks for nothing that there is; ``sentence`` says why."""

    sentence: str


@dataclass(frozen=True, slots=True)
class ParsedCommand:
    """A verb, and what follows it."""

    verb: Verb
    argument: str


def read(line: str) -> ParsedCommand | NotACommand:
    """Return what a line asks for; a slash before the verb is as good as none."""
    word, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    command = _BY_NAME.get(word.removeprefix("/").lower())
    if command is None:
        return NotACommand(f"There is no command {word}; help lists those that there are.")
    if command.arguments and not rest:
        return NotACommand(f"No room was named; the command is: {command.usage}")
    return ParsedCommand(command.verb, rest)


def help_rows() -> list[str]:
    """Return what ``help`` says."""
    width = max(len(command.usage) for command in COMMANDS)
    return [f"{command.usage:{width}}  {command.summary}" for command in COMMANDS]
