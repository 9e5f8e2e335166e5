"""Configuration of all benchmarks: which servers, how many runs, how long, and in which order.

It knows servers and the order in which they run; it knows nothing of the work.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench import machine, servers
from bench.servers import Peer, RunningServer

#: Seconds of work before any is measured, at most.
_WARM_UP = 0.3


@dataclass(frozen=True, slots=True)
class Config:
    """The servers' core, the peers beside chatd, how many runs, and the seconds of each span."""

    core: int | None
    others: Sequence[Peer]
    floor: Peer | None
    only: Sequence[str]
    runs: int
    seconds: float
    quick: bool = False

    @property
    def warm_up(self) -> float:
        """Return the seconds of work before any is measured; 0 when the figures do not matter."""
        return 0.0 if self.quick else min(_WARM_UP, self.seconds)

    def peers(self, ways: Sequence[str], *, floor: bool = True, irc: bool = True) -> list[Peer]:
        """Return the servers to compare: chatd by each way, the IRC daemons, the floor."""
        found = [servers.chatd(way) for way in ways]
        found += self.others if irc else []
        found += [self.floor] if floor and self.floor else []
        if not self.only:
            return found
        return [peer for peer in found if peer.name.split()[0] in self.only]

    def rotation(self, peers: Sequence[Peer]) -> Iterator[Peer]:
        """Return each peer once a run; every run begins with another one."""
        for run in range(self.runs):
            first = run % max(1, len(peers))
            yield from [*peers[first:], *peers[:first]]

    def run_each(self, peers: Sequence[Peer], work: Callable[[RunningServer], None]) -> None:
        """Start each peer in turn for ``work``; a peer that fails is left out, and named.

        :raises OSError, RuntimeError: when it is chatd that fails.
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
    """Return how many of the connections wanted the system allows; print it if they are fewer."""
    allowed = machine.connections_allowed(wanted)
    if allowed < wanted:
        print(f"(the limit of open files allows {allowed} connections, not {wanted})")
    return allowed
