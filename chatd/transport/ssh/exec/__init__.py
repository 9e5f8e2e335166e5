"""Shell pipes: what ``ssh host COMMAND`` does (docs/protocol.rst, "Shell pipes").

A command is data, like those of the chat: a name, arguments, a sentence of help, and what runs.
Lines end with LF, for they go to other programs; what goes wrong is one line on standard error
and an exit status.
"""

from __future__ import annotations

import shlex
from dataclasses import replace

from chatd.chat.entry import entrance
from chatd.transport.channel import Channel, measure
from chatd.transport.host import Host
from chatd.transport.relay.remote_channel import RemoteChannel
from chatd.transport.relay.stream import State, Stream
from chatd.transport.ssh.exec.command import PIPE, Call, ExecCommand, Misused
from chatd.transport.ssh.exec.queries import Find, Rooms, Who
from chatd.transport.ssh.exec.say import Say
from chatd.transport.ssh.exec.tail import Tail

__all__ = ["COMMANDS", "PIPE", "pipe", "start_remote"]


class Help(ExecCommand):
    """``help``: these commands."""

    def begin(self) -> None:
        """Write them down."""
        self.call.check_alone("help")
        width = max(len(usage) for _, usage, _ in COMMANDS.values())
        self.call.put([f"{usage:{width}}  {text}" for _, usage, text in COMMANDS.values()])
        self.finish()


#: Each command: what runs, how it is typed, what it does.
COMMANDS: dict[str, tuple[type[ExecCommand], str, str]] = {
    "who": (Who, "who", "everyone who is here and their rooms, a person a line"),
    "rooms": (Rooms, "rooms", "every room, its people and its topic, a room a line"),
    "say": (Say, "say ROOM [TEXT]", "say it, or each line of standard input, once it is kept"),
    "tail": (Tail, "tail [-n N] [--json] ROOM", "the room as lines, until interrupted"),
    "search": (Find, "search WORDS", "what was said: words, in:ROOM, from:NICK, since:DAY, page:2"),
    "help": (Help, "help", "these commands"),
}


def start_remote(host: Host, stream: Stream, who: entrance.Visitor, how: State) -> None:
    """Start a command for a connection that came to another server."""
    channel = RemoteChannel(stream, measure(b"", 0, 0) if how["terminal"] else None)
    here = replace(host, relay=None)  # a relayed connection is not relayed again
    channel.pass_to(pipe(here, channel, who, how["command"]))


def pipe(host: Host, channel: Channel, who: entrance.Visitor, command: str) -> ExecCommand:
    """What runs for the words of a command."""
    name, _, rest = command.strip().partition(" ")
    try:
        words = shlex.split(rest)
    except ValueError:  # it's an apostrophe
        words = rest.split()
    kind = COMMANDS[name][0] if name in COMMANDS else Unknown
    program = kind(Call(host, channel, who, tuple(words), rest.strip(), command))
    program.attempt(program.check_welcome)
    program.attempt(program.begin)
    return program


class Unknown(ExecCommand):
    """A command that does not exist."""

    def begin(self) -> None:
        """Say which ones do."""
        raise Misused(f"there is no such command; there are {', '.join(COMMANDS)}.")
