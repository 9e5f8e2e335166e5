"""Who came in over SSH, on what screen, and what runs for them: the words both floors share.

It knows values and interfaces only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from chatd.transport.net.outbox import Outbox

#: Bytes of a user name that are kept.  Names of the chat are shorter; this one is only a wish.
MAX_USER = 256

#: Characters of a client's version that are kept.
MAX_CLIENT = 80

#: Characters of a terminal's name, of the name and of the value of a variable.
MAX_TERMINAL_NAME = 64
MAX_VALUE = 256

#: What a terminal may measure, and what one that says 0 x 0 gets (RFC 4254 section 6.2).
COLUMNS = range(20, 500 + 1)
ROWS = range(5, 300 + 1)
USUAL_COLUMNS = 80
USUAL_ROWS = 24


@dataclass(frozen=True, slots=True)
class SshPeer:
    """Somebody who came in.  Only a key is proven; everything else is what they say."""

    user: str
    #: The public key that they hold, proven by its signature.
    key: bytes | None
    fingerprint: str | None
    client: str


@dataclass(frozen=True, slots=True)
class TerminalInfo:
    """The screen at the other end."""

    name: str
    columns: int
    rows: int


class Program(Protocol):
    """What runs in a channel for a visitor."""

    def data_received(self, data: bytes) -> None:
        """They typed."""

    def resized(self, columns: int, rows: int) -> None:
        """Their screen has another size."""

    def interrupted(self) -> None:
        """They want it to stop: the signal INT, or a break."""

    def input_ended(self) -> None:
        """They will type nothing more."""

    def ready(self) -> None:
        """The outbox has room again."""

    def answered(self) -> None:
        """The client has answered what `SessionChannel.ask` asked."""

    def lost(self) -> None:
        """The channel is closed or the connection gone.  Called once, and nothing after it."""


class ChannelOutbox(Outbox, Protocol):
    """What a program writes to; ``on_sent`` is called before something of a broadcast is sent."""

    on_sent: Callable[[], None] | None

    def is_idle(self) -> bool:
        """Whether what is sent now follows everything that was sent before."""


class Connection(Protocol):
    """What a conversation has of its connection, over whichever way in and server that came."""

    @property
    def outbox(self) -> Outbox:
        """The way out to the client."""

    def pause(self) -> None:
        """Take no more input."""

    def resume(self) -> None:
        """Take input again."""

    def pass_to(self, program: Program) -> None:
        """Let another program run here from now on."""


class Channel(Protocol):
    """What a program has of the channel that it runs in, of a client here or at another server."""

    @property
    def outbox(self) -> ChannelOutbox:
        """What it writes to."""

    @property
    def terminal(self) -> TerminalInfo | None:
        """The screen at the other end, if there is one."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables of the client's environment."""

    def write_error(self, data: bytes) -> None:
        """Write to standard error, which is bounded."""

    def finish(self, status: int) -> None:
        """Send what is pending and the exit status, then close."""

    def ask(self) -> None:
        """Ask for a sign of life; `Program.answered` hears of it."""

    def pause(self) -> None:
        """Take no more input."""

    def resume(self) -> None:
        """Take input again."""

    def pass_to(self, program: Program) -> None:
        """Let another program run here from now on."""


def measure(name: bytes, columns: int, rows: int) -> TerminalInfo:
    """A terminal as its client describes it, within bounds."""
    return TerminalInfo(
        name=_printable(name, MAX_TERMINAL_NAME) or "dumb",
        columns=_clamp(columns, COLUMNS, USUAL_COLUMNS),
        rows=_clamp(rows, ROWS, USUAL_ROWS),
    )


def _clamp(number: int, bounds: range, usual: int) -> int:
    """A size within bounds; 0 means that the client does not know."""
    if number == 0:
        return usual
    return min(max(number, bounds[0]), bounds[-1])


def environment_value(raw: bytes) -> str | None:
    """The name or the value of a variable, or None for one that is not taken."""
    return _printable(raw, MAX_VALUE)


def _printable(raw: bytes, limit: int) -> str | None:
    """A short text of printable ASCII, or None for anything else."""
    if len(raw) > limit or any(not 0x20 <= byte < 0x7F for byte in raw):
        return None
    return raw.decode("ascii")


def user_name(raw: bytes) -> str:
    """The name that a client asked for, cut but otherwise unchecked."""
    return raw[:MAX_USER].decode("utf-8", "replace")


def client_name(raw: bytes) -> str:
    """A client's version, made safe to show and to log."""
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F else "?"
        for byte in raw.removeprefix(b"SSH-2.0-")[:MAX_CLIENT]
    )
