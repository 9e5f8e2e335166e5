"""Commands: the table of all commands, and the handling of lines that users type.

A line that begins with ``/`` is a command; ``//`` sends a line that begins with a slash; ``!leave``
is /quit; any other line is a message to the room with the focus, unless it may be a password.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterable
from difflib import get_close_matches

from chatd.chat.actions.messages import say
from chatd.chat.actions.moderation.room_settings import SETTINGS
from chatd.chat.chat import Chat
from chatd.chat.commands import accounts, history, moderating, rooms, server, talking
from chatd.chat.commands import self as self_commands
from chatd.chat.commands.accounts import WITH_PASSWORD
from chatd.chat.commands.command import ArgumentKind, Call, Command
from chatd.chat.events import Refused
from chatd.chat.model.entities import Session
from chatd.chat.model.password_guard import PasswordGuard
from chatd.chat.text.sanitizing import cut

__all__ = ["COMMANDS", "Command", "receive"]


def receive(chat: Chat, session: Session, line: str, now: float) -> Awaitable[None] | None:
    """Handle a line that a user has typed.

    ``line`` is safe text without its line end, ``now`` is in seconds since the epoch.  Returns None
    when done, or an awaitable that has to be awaited before the next line is handled.

    :raises Refused: when the request is refused; nothing has changed then.  The awaitable may raise
        it as well.
    """
    if not line.startswith("/") or line.startswith("//"):
        if line.strip() == "!leave":
            return _run(chat, session, "quit", "", now)
        if line.strip():
            _check_no_command(line)
            _check_no_password(session, line, now)
            say(chat, session, line[1:] if line.startswith("//") else line, now)
        return None
    name, _, words = line[1:].partition(" ")
    return _run(chat, session, name, words.strip(), now)


def _check_no_command(line: str) -> None:
    """Check that a line is no command after blanks: it may have a password.

    :raises Refused: ``blank-first``.
    """
    indented = _INDENTED.match(line)
    if indented is None:
        return
    name = indented["name"].lower()
    if name in _BY_NAME or get_close_matches(name[:40], WITH_PASSWORD, 1, _LOOKS_LIKE):
        raise Refused(
            "blank-first", "A command begins with a /, and nothing before it; // says it as it is."
        )


#: A line that begins with what looks like nothing, or with a slash of another width.
_INDENTED = re.compile(
    r"(?:[\s\u00ad\u200b-\u200d\u2060-\u2064\u3164]+/|\s*\uff0f)(?P<name>[^\s/]+)"
)
#: A command with a password after a nick, such as Tab puts on an empty line.
_QUOTED_AFTER_NICK = re.compile(
    r"^\s*\S+[:,]\s+[/\uff0f](?:login\s+\S+|register|password)\s+\S", re.IGNORECASE
)
#: The same in several lines that were pasted, where the passwords may be lines of their own.
_QUOTED_IN_BLOCK = re.compile(
    rf"^\s*(?:\S+[:,]\s+)?[/\uff0f]{{1,2}}(?:{'|'.join(WITH_PASSWORD)})(?:\s|$)",
    re.IGNORECASE | re.MULTILINE,
)
#: How similar a word is to the name of a command, if it is that rather than a part of another one.
_IS_TYPO = 0.8
#: How similar a word is to the name of a command with a password, if it is a typing error.
_LOOKS_LIKE = 0.75


def _check_no_password(session: Session, line: str, now: float) -> None:
    """Check that a line is not taken for a password, and quotes no command that may have one.

    :raises Refused: ``held-back``.
    """
    quotes = _QUOTED_IN_BLOCK if "\n" in line else _QUOTED_AFTER_NICK
    if quotes.search(line):
        session.guard = session.guard or PasswordGuard((), 0, now)
        session.guard.check_quoted(line)
    if session.guard is not None:
        session.guard.check(line.removeprefix("/"), now)


def _run(chat: Chat, session: Session, name: str, words: str, now: float) -> Awaitable[None] | None:
    command = _find(name, session)
    return command.run(Call(chat, session, command.name, words, now))


def _find(name: str, session: Session) -> Command:
    """Return the command with a name or an alias.

    :raises Refused: ``no-such-command``, with a suggestion if there is one.
    """
    command = _BY_NAME.get(name.lower())
    if command is not None:
        return command
    asked = name.lower()[:40]
    near = [
        *get_close_matches(asked, _BY_NAME, 1, _IS_TYPO),
        *(f"room {asked}" for _ in range(asked in SETTINGS)),
        *(f"server {asked}" for _ in range(asked in server.SUBCOMMANDS and session.operator)),
        *get_close_matches(asked, _BY_NAME, 1),
    ]
    hint = f"did you mean /{near[0]}?" if near else "/help lists them."
    raise Refused("no-such-command", f"There is no command /{cut(name, 40)}; {hint}")


def _help(call: Call) -> None:
    name = call.words.lower()
    usable = [command for command in COMMANDS if command.is_for(call.session)]
    if not name:
        call.list(
            "Type to talk; what begins with / is a command. /help NAME says more of:",
            [f"{group:{_GROUP_WIDTH}}  {_names(commands)}" for group, commands in grouped(usable)],
        )
    elif name in (*GROUPS, "all"):
        shown = [each for each in usable if name in (group_of(each), "all")]
        width = max((len(command.usage) for command in shown), default=0)
        rows = [f"{command.usage:{width}}  {command.help}" for command in shown]
        call.list(f"{name.capitalize()}:", rows)
    else:
        _help_with(call, _find(call.words.removeprefix("/"), call.session))


def _help_with(call: Call, command: Command) -> None:
    rows = [command.help, *([command.more] if command.more else [])]
    if command.aliases:
        rows.append("also: " + ", ".join(f"/{alias}" for alias in command.aliases))
    call.list(command.usage, rows)


def grouped(commands: Iterable[Command]) -> list[tuple[str, list[Command]]]:
    """Return commands by group, in the order of ``GROUPS``; empty groups are left out."""
    groups: dict[str, list[Command]] = {group: [] for group in GROUPS}
    for command in commands:
        groups[group_of(command)].append(command)
    return [(group, members) for group, members in groups.items() if members]


def group_of(command: Command) -> str:
    """Return the group in which /help shows a command."""
    return _GROUP_OF.get(command.name) or next(
        group for group, commands in _TABLES if command in commands
    )


def _names(commands: list[Command]) -> str:
    return " ".join(f"/{command.name}" for command in commands)


_HELP = Command(
    "help",
    "[GROUP|COMMAND]",
    "the commands of a group, or one in full",
    _help,
    ("h", "?"),
    more="/help all lists every command; where a group has the name of a command, /help /rooms is "
    "the command.",
    argument_kinds=(ArgumentKind.COMMAND,),
)

#: The groups in which /help shows the commands.
GROUPS = ("talking", "rooms", "people", "yourself", "moderation", "server")
_GROUP_WIDTH = max(map(len, GROUPS))

_TABLES = (
    ("talking", talking.COMMANDS),
    ("talking", history.COMMANDS),
    ("rooms", rooms.COMMANDS),
    ("yourself", self_commands.COMMANDS),
    ("yourself", accounts.COMMANDS),
    ("moderation", moderating.COMMANDS),
    ("server", server.COMMANDS),
)
#: The groups of commands that are not in the group of their table.
_GROUP_OF = {
    **dict.fromkeys(("users", "whois", "ignore", "unignore", "voice", "devoice"), "people"),
    **dict.fromkeys(("help", "resume", "sessions", "quit"), "server"),
    "room": "moderation",
}

#: Every command, in the order of /help all.
COMMANDS: tuple[Command, ...] = (
    _HELP,
    *(command for _, commands in _TABLES for command in commands),
)

_BY_NAME = {name: command for command in COMMANDS for name in (command.name, *command.aliases)}
