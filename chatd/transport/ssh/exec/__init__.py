"""Exec commands: ``ssh host COMMAND`` (docs/protocol.rst, "Shell pipes").

A command is defined by data, like those of the chat: a name, arguments, a sentence of help, and a
class.  Lines end with LF because other programs read them; an error is one line on standard error
and an exit status.
"""

from __future__ import annotations

import shlex
from dataclasses import replace

from chatd.chat.entry import entrance
from chatd.chat.ratelimit.line_budget import LineBudget
from chatd.cluster.bus import State
from chatd.transport.channel import Channel, measure
from chatd.transport.host import Host
from chatd.transport.relay.remote_channel import RemoteChannel
from chatd.transport.relay.stream import Stream
from chatd.transport.ssh.exec.command import EXEC, Call, ExecCommand, UsageError
from chatd.transport.ssh.exec.queries import Rooms, Search, Who
from chatd.transport.ssh.exec.say import Say
from chatd.transport.ssh.exec.tail import Tail

__all__ = ["COMMANDS", "EXEC", "run", "run_relayed"]


class Help(ExecCommand):
    """``help``: lists these commands."""

    def begin(self) -> None:
        """Write the list."""
        self.call.check_no_words("help")
        width = max(len(usage) for _, usage, _ in COMMANDS.values())
        self.call.put([f"{usage:{width}}  {text}" for _, usage, text in COMMANDS.values()])
        self.finish()


#: Each command by its name: class, usage, description.
COMMANDS: dict[str, tuple[type[ExecCommand], str, str]] = {
    "who": (Who, "who", "everyone who is here and their rooms, a person a line"),
    "rooms": (Rooms, "rooms", "every room, its people and its topic, a room a line"),
    "say": (
        Say,
        "say [--block] ROOM [TEXT]",
        "say it, or each line of standard input (as one message with --block), once it is kept",
    ),
    "tail": (Tail, "tail [-n N] [--json] ROOM", "the room as lines, until interrupted"),
    "search": (
        Search,
        "search WORDS",
        "what was said: words, in:ROOM, from:NICK, since:DAY, page:2",
    ),
    "help": (Help, "help", "these commands"),
}


def run_relayed(host: Host, stream: Stream, visitor: entrance.Visitor, how: State) -> None:
    """Run a command on a connection that another server relays."""
    channel = RemoteChannel(stream, measure(b"", 0, 0) if how["terminal"] else None)
    here = replace(host, relay=None)  # a relayed connection is not relayed again
    channel.pass_to(run(here, channel, visitor, how["command"], LineBudget(host.budgets)))


def run(
    host: Host,
    channel: Channel,
    visitor: entrance.Visitor,
    command: str,
    budget: LineBudget,
) -> ExecCommand:
    """Start a command line in a channel, as soon as flood control lets it, and return its program.

    The words after its name are split as a shell does.

    :param budget: the line budget of the connection, of which each command takes a line.
    """
    name, _, rest = command.strip().partition(" ")
    try:
        words = shlex.split(rest)
    except ValueError:  # a quote that is not closed, such as an apostrophe
        words = rest.split()
    kind = COMMANDS[name][0] if name in COMMANDS else Unknown
    program = kind(Call(host, channel, visitor, budget, tuple(words), rest.strip(), command))
    program.start()
    return program


class Unknown(ExecCommand):
    """A command that does not exist."""

    def begin(self) -> None:
        """Fail with the names of those that do."""
        raise UsageError(f"there is no such command; there are {', '.join(COMMANDS)}.")
