"""What people can do with a line: the table of commands, and what becomes of a line.

A line that begins with ``/`` is a command, ``//`` says a line that begins with a slash, ``!leave``
is /quit, anything else is said in the room with the focus.
"""

from __future__ import annotations

from collections.abc import Awaitable
from difflib import get_close_matches

from chatd.chat.chat import Chat
from chatd.chat.commands import accounts, moderating, oneself, recalling, rooms, serving, talking
from chatd.chat.commands.command import Call, Command
from chatd.chat.events import Refused
from chatd.chat.session import Session
from chatd.chat.text import cut

__all__ = ["COMMANDS", "Command", "receive"]


def receive(chat: Chat, session: Session, line: str, now: float) -> Awaitable[None] | None:
    """Do what a line asks for; what it returns, if anything, is waited for before the next line.

    ``line`` is safe text without its line end, ``now`` in seconds since the epoch.

    :raises Refused: when it cannot be done; nothing has changed then.
    """
    if not line.startswith("/") or line.startswith("//"):
        if line.strip() == "!leave":
            return _run(chat, session, "quit", "", now)
        if line.strip():
            chat.say(session, line[1:] if line.startswith("//") else line, now)
        return None
    name, _, words = line[1:].partition(" ")
    return _run(chat, session, name, words.strip(), now)


def _run(chat: Chat, session: Session, name: str, words: str, now: float) -> Awaitable[None] | None:
    command = _find(name)
    return command.run(Call(chat, session, command.name, words, now))


def _find(name: str) -> Command:
    """The command of that name, or of that other name.

    :raises Refused: ``no-such-command``, with the nearest that there is.
    """
    command = _BY_NAME.get(name.lower())
    if command is not None:
        return command
    near = get_close_matches(name.lower()[:40], _BY_NAME, 1)
    hint = f"did you mean /{near[0]}?" if near else "/help lists them."
    raise Refused("no-such-command", f"There is no command /{cut(name, 40)}; {hint}")


def _help(call: Call) -> None:
    name = call.words.removeprefix("/")
    if name:
        command = _find(name)
        rows = [command.help, *([command.more] if command.more else [])]
        if command.aliases:
            rows.append("also: " + ", ".join(f"/{alias}" for alias in command.aliases))
        call.list(command.usage, rows)
        return
    usable = [command for command in COMMANDS if command.is_for(call.session)]
    width = max(len(command.usage) for command in usable)
    call.list(
        "Type to talk; a line that begins with / is a command:",
        [f"{command.usage:{width}}  {command.help}" for command in usable],
    )


_HELP = Command("help", "[COMMAND]", "these commands, or one in full", _help, ("h", "?"))

#: Every command, in the order of /help.
COMMANDS: tuple[Command, ...] = (
    _HELP,
    *talking.COMMANDS,
    *recalling.COMMANDS,
    *rooms.COMMANDS,
    *oneself.COMMANDS,
    *accounts.COMMANDS,
    *moderating.COMMANDS,
    *serving.COMMANDS,
)

_BY_NAME = {name: command for command in COMMANDS for name in (command.name, *command.aliases)}
