"""Kill NATS servers at random moments while two servers post: ``python -m tests.cluster_rounds``.

What must hold after every kill: each acknowledged message is in its room once; both servers, which
are subscribed, received the same in the same order, which is that of the room; and it goes on.  A
round kills one, two or all three servers of a cluster with SIGKILL and starts them again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random, SystemRandom
from tempfile import TemporaryDirectory

from tests.support.cluster.nats import Nats, running
from tests.support.cluster.stores import Node, said
from tests.support.main_thread import TestMainThread, wait_for
from tests.support.served import PATIENCE

ROOMS = ("lobby", "attic", "cellar", "garden")
#: Unacknowledged posts of each server, at most.
WINDOW = 64


class ClusterRound:
    """Two servers that post to every room while NATS servers die."""

    def __init__(self, nats: Nats, random: Random) -> None:
        self.nats = nats
        self.random = random
        self.main_thread = TestMainThread()
        where = nats.account()
        self.nodes = [Node(where, self.main_thread), Node(where, self.main_thread)]
        self.posted = 0
        self.posted_by: Counter[int] = Counter()
        for node in self.nodes:
            for room in ROOMS:
                node.store.subscribe(room)
                wait_for(node.store.before(room, None, 0))

    def post_for(self, seconds: float) -> None:
        """Let both servers post for so many seconds, as fast as they are acknowledged."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for number, node in enumerate(self.nodes):
                if self.unacknowledged(number) < WINDOW:
                    self.posted += 1
                    room = self.random.choice(ROOMS)
                    node.store.post(room, f"{number}.{self.posted}", said(str(self.posted)))
                    self.posted_by[number] += 1
            self.main_thread.run()
            time.sleep(0.0005)

    def unacknowledged(self, number: int) -> int:
        """Return how many posts of a server are not acknowledged yet."""
        node = self.nodes[number]
        own = sum(row[1].startswith(f"{number}.") for row in node.stored_events)
        return self.posted_by[number] - own - len(node.failures)

    def kill(self) -> int:
        """Kill some NATS servers and start them again after a while; return how many."""
        dead = self.random.sample(range(3), self.random.choice((1, 1, 1, 2, 3)))
        for number in dead:
            self.nats.servers[number].kill()
        self.post_for(self.random.uniform(0.2, 1.5))
        for number in dead:
            self.nats.servers[number].start(self.nats.routes[number])
        return len(dead)

    def wait_until_settled(self) -> None:
        """Wait until everything is acknowledged and received."""
        until = time.monotonic() + 2 * PATIENCE
        while (
            any(self.unacknowledged(number) for number in range(2))
            or len({len(node.stored_events) for node in self.nodes}) > 1
        ):
            self.main_thread.run()
            for node in self.nodes:
                node.store.bridge.call(node.store.audit_rooms)
            time.sleep(0.05)
            assert time.monotonic() < until, [
                (self.unacknowledged(number), len(node.stored_events), node.failures)
                for number, node in enumerate(self.nodes)
            ]

    def check(self) -> None:
        """Compare what was received with what is stored.

        :raises AssertionError: when a message is lost, came twice or in another order.
        """
        for room in ROOMS:
            one, other = (
                [row for row in node.stored_events if row[0] == room] for node in self.nodes
            )
            assert one == other, f"the servers were told {room} otherwise"
            kept = [row[2] for row in one]
            assert kept == sorted(set(kept)), f"{room} was told out of order, or twice"
            there = wait_for(self.nodes[0].store.before(room, None, len(one) + 10))
            assert [number for number, _ in there] == kept, f"{room} lost something"
        assert not any(node.failures for node in self.nodes), "something was refused"

    def close(self) -> None:
        for node in self.nodes:
            wait_for(node.store.close())


def play(nats: Nats, random: Random, kills: int) -> int:
    """Kill so many times while two servers post, and check; return how many were posted."""
    cluster = ClusterRound(nats, random)
    try:
        for _ in range(kills):
            cluster.post_for(random.uniform(0.1, 0.6))
            cluster.kill()
            cluster.post_for(0.3)
            cluster.wait_until_settled()
            cluster.check()
    finally:
        cluster.close()
    return cluster.posted


def main(words: Sequence[str] | None = None) -> int:
    """Run rounds until one fails or all are done."""
    parser = argparse.ArgumentParser(description="Kill NATS servers while people talk.")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6))
    options = parser.parse_args(words)
    print(f"seed {options.seed}")
    random = Random(options.seed)
    with TemporaryDirectory() as folder:
        servers = running(Path(folder), servers=3)
        nats = next(servers)
        try:
            for number in range(options.rounds):
                begun = time.monotonic()
                posted = play(nats, random, 1)
                seconds = time.monotonic() - begun
                print(
                    f"round {number + 1}: {posted} posted, all there, {seconds:.0f} s", flush=True
                )
        finally:
            servers.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
