"""What all benchmarks are told: which servers, how often, how long; and how they take turns.

It knows servers and the order in which they run; it knows nothing of the work.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench import machine, servers
from bench.servers import Peer, Running


@dataclass(frozen=True, slots=True)
class Setting:
    """The servers' core, what else runs than chatd, how many runs and how long each."""

    core: int | None
    others: Sequence[Peer]
    floor: Peer | None
    only: Sequence[str]
    runs: int
    seconds: float

    def peers(self, ways: Sequence[str], *, floor: bool = True, irc: bool = True) -> list[Peer]:
        """The servers to compare: chatd by each way, the IRC daemons, the floor."""
        found = [servers.chatd(way) for way in ways]
        found += self.others if irc else []
        found += [self.floor] if floor and self.floor else []
        if not self.only:
            return found
        return [peer for peer in found if peer.name.split()[0] in self.only]

    def turns(self, peers: Sequence[Peer]) -> Iterator[Peer]:
        """Each peer once a run; every run begins with another one."""
        for run in range(self.runs):
            first = run % max(1, len(peers))
            yield from [*peers[first:], *peers[:first]]

    def each(self, peers: Sequence[Peer], work: Callable[[Running], None]) -> None:
        """Start each peer in its turns and have it work; one that fails is left out, and named."""
        failed: set[str] = set()
        for peer in self.turns(peers):
            if peer.name in failed:
                continue
            try:
                with Running(peer, self.core) as server:
                    work(server)
            except (OSError, RuntimeError) as why:
                if peer.name.startswith("chatd"):
                    raise
                failed.add(peer.name)
                print(f"{peer.name} is left out: {why}", file=sys.stderr)


def as_many(wanted: int) -> int:
    """How many connections of those wanted the system allows; say so if they are fewer."""
    allowed = machine.connections_allowed(wanted)
    if allowed < wanted:
        print(f"(the limit of open files allows {allowed} connections, not {wanted})")
    return allowed
