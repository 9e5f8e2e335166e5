"""Configuration of all benchmarks: servers, number of runs, durations, and order.

It knows servers and their order; it knows nothing of the work.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench import machine, servers
from bench.servers import Peer, RunningServer

#: The most seconds of work before measuring begins.
_WARM_UP = 0.3


@dataclass(frozen=True, slots=True)
class Config:
    """The servers' core, the peers besides chatd, the number of runs, and seconds of a span."""

    core: int | None
    others: Sequence[Peer]
    floor: Peer | None
    only: Sequence[str]
    runs: int
    seconds: float
    quick: bool = False

    @property
    def warm_up(self) -> float:
        """Return the seconds of work before measuring begins; 0 if the figures do not matter."""
        return 0.0 if self.quick else min(_WARM_UP, self.seconds)

    def peers(self, ways: Sequence[str], *, floor: bool = True, irc: bool = True) -> list[Peer]:
        """Return the servers to compare: chatd with each way in, the IRC daemons, the floor."""
        found = [servers.chatd(way) for way in ways]
        found += self.others if irc else []
        found += [self.floor] if floor and self.floor else []
        if not self.only:
            return found
        return [peer for peer in found if peer.name.split()[0] in self.only]

    def rotation(self, peers: Sequence[Peer]) -> Iterator[Peer]:
        """Return each peer once per run; each run begins with a different one."""
        for run in range(self.runs):
            first = run % max(1, len(peers))
            yield from [*peers[first:], *peers[:first]]

    def run_each(self, peers: Sequence[Peer], work: Callable[[RunningServer], None]) -> None:
        """Start each peer in turn for ``work``; a peer that fails is skipped and reported.

        :raises OSError, RuntimeError: when chatd fails.
        """
        failed: set[str] = set()
        for peer in self.rotation(peers):
            if peer.name in failed:
                continue
            try:
                with RunningServer(peer, self.core) as server:
                    work(server)
            except (OSError, RuntimeError) as why:
                if peer.name.startswith("chatd"):
                    raise
                failed.add(peer.name)
                print(f"{peer.name} is left out: {why}", file=sys.stderr)


def connections_within_limit(wanted: int) -> int:
    """Return how many of the wanted connections the system allows; print it if that is fewer."""
    allowed = machine.connections_allowed(wanted)
    if allowed < wanted:
        print(f"(the limit of open files allows {allowed} connections, not {wanted})")
    return allowed
