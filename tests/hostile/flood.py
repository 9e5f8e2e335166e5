"""A flood, as the program runs it: a name, what it does, and the function that attacks a server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A server under attack: one port of the loopback, on which every protocol is spoken.

    ``connections`` are those that the attackers may have open at once, and ``until`` is the time
    at which they stop, on the clock of `time.monotonic`.
    """

    port: int
    connections: int
    until: float


def nothing(target: Target) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Flood:
    """One way to keep a server busy.

    ``attack`` runs in a process of its own until ``target.until``; it expects that the server
    refuses it, and closes its connections.  ``prepare`` fills the server before anything is
    measured, ``options`` are those of the server beyond the defaults.  ``asks`` is what the honest
    client asks for meanwhile: one of `tests.hostile.honest.QUESTIONS`.
    """

    name: str
    description: str
    attack: Callable[[Target], None]
    prepare: Callable[[Target], None] = nothing
    options: tuple[str, ...] = ()
    asks: str = "ping"
