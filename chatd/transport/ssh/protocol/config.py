"""SSH server configuration, shared by its connections: host key, clock, callbacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.conch.ssh.keys import Key
from twisted.internet.interfaces import IAddress, IReactorTime

from chatd.transport.channel import Program
from chatd.transport.ssh.protocol.interfaces import SshChannel
from chatd.transport.ssh.protocol.peer import SshPeer

#: Called with an authenticated peer and its address; returns None to admit it, or a refusal.
Admit = Callable[[SshPeer, IAddress], str | None]

#: Called for a shell (None) or a command; returns the program to run, or None to refuse.
Start = Callable[[SshChannel, str | None], Program | None]

#: Called with the address of a peer that opens a channel; returns whether it may open one now.
MayOpen = Callable[[IAddress], bool]


def always(address: IAddress) -> bool:
    """Return True: channels may be opened at any rate."""
    return True


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """An SSH server's configuration; ``login_seconds`` is the time a client has to log in."""

    host_key: Key
    clock: IReactorTime
    admit: Admit
    start: Start
    may_open: MayOpen = always
    login_seconds: float = 30
