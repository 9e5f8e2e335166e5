"""Faults in a cluster with users on all nodes: ``python -m tests.node_rounds``.

Three NATS servers, and chatd nodes with users on each.  In every round something dies, is cut off
or stops: a node, the NATS server that leads the stream of a room, another, all three, the network
between a node and NATS.  What must hold after that: each acknowledged message is in its room once;
users who stayed connected received every message of their rooms once, in the order of the room, and
nothing else; nothing was refused; all nodes know which users are there, and no others.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from random import Random, SystemRandom
from tempfile import TemporaryDirectory

from tests.support.cluster.fault_proxy import FaultProxy
from tests.support.cluster.nats import Nats, running
from tests.support.cluster.nodes import ClusterNode
from tests.support.cluster.people import Bot, Listener, Person, SharedState
from tests.support.cluster.stored_messages import StoredMessages
from tests.support.served import PATIENCE

ROOMS = ("lobby", "attic", "cellar")
#: Bots, and users who only receive, at each node.
BOTS, LISTENERS = 2, 1
#: Seconds until everything has to hold: an election, a lease, and a retried address.
SETTLE_SECONDS = 4 * PATIENCE


class NodeRounds:
    """A cluster with users.

    Without ``wait_for_leases`` faults are short, and nothing waits until a dead node's lease ends.
    """

    def __init__(
        self,
        folder: Path,
        nats: Nats,
        random: Random,
        nodes: int = 2,
        *,
        wait_for_leases: bool = True,
    ) -> None:
        self.nats = nats
        self.wait_for_leases = wait_for_leases
        self.random = random
        where = nats.account()
        self.stored = StoredMessages(where, ROOMS)
        self.nodes = [ClusterNode(folder / f"node{n}", nats, where) for n in range(nodes)]
        self.shared = SharedState(ROOMS, random, lambda node, way: self.nodes[node].port(way))
        self.people: list[Person] = []
        for node in range(nodes):
            names = [f"bot{node}{n}" for n in range(BOTS)]
            self.people += [Bot(self.shared, name, node, nodes) for name in names]
            self.people += [
                Listener(self.shared, f"eye{node}{n}", node, nodes) for n in range(LISTENERS)
            ]
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def bots(self) -> list[Bot]:
        """Return the users that send."""
        return [person for person in self.people if isinstance(person, Bot)]

    async def begin(self) -> None:
        """Start all nodes at once, and let the users enter."""
        for node in self.nodes:
            for proxy in node.proxies:
                await proxy.start()
        await asyncio.gather(*(node.start() for node in self.nodes))
        self._tasks = [asyncio.create_task(person.run()) for person in self.people]

    async def end(self) -> None:
        """Stop everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        ended = await asyncio.gather(*(node.close() for node in self.nodes), return_exceptions=True)
        self.stored.close()
        for error in filter(None, ended):
            raise error

    # A round --------------------------------------------------------------------------------------

    async def play(self, what: str) -> str:
        """Cause a fault while all bots send, and check; return a line about it."""
        await self.until("everyone is at home", self.all_go_home)
        self.shared.sending.set()
        await asyncio.sleep(self.random.uniform(0.1, 1.0))
        done = await EVENTS[what](self)
        marks = {id(bot): len(bot.visit.acknowledged) if bot.visit else 0 for bot in self.bots}
        await self.until(
            "everyone is heard", lambda: all(map(self.has_been_acknowledged(marks), self.bots))
        )
        self.shared.sending.clear()
        await self.until("all is acknowledged", lambda: all(bot.is_idle for bot in self.bots))
        before = len(self.stored.index)
        await self.until("everybody has seen the last", self.all_received)
        for visit in self.shared.visits:
            self.stored.check(visit)
        self.shared.visits = [visit for visit in self.shared.visits if not visit.over]
        for number, _ in enumerate(self.nodes):
            await self.check_users(number)
        if self.wait_for_leases:
            await self.check_names()
        assert not self.shared.complaints, self.shared.complaints[:5]
        return f"{done}; {len(self.stored.index) - before} kept"

    @staticmethod
    def has_been_acknowledged(marks: dict[int, int]) -> Callable[[Bot], bool]:
        """Return what tells of a bot whether more was acknowledged than ``marks`` says."""
        return lambda bot: (
            bot.visit is not None and len(bot.visit.acknowledged) > min(marks[id(bot)], 3)
        )

    async def until(self, what: str, so: Callable[[], bool]) -> None:
        """Wait until ``so()`` is true; ``what`` names it in the error."""
        end = time.monotonic() + SETTLE_SECONDS
        while not so():
            for task in self._tasks:
                if task.done():
                    task.result()
            if time.monotonic() > end:
                raise AssertionError(f"not so in time: {what}\n{self.description()}")
            await asyncio.sleep(0.02)

    def description(self) -> str:
        """Return which user is where, for the message of a failed round."""
        rows = [
            f"{person.name}: {person.nick} at {visit.node}, {len(visit.sent)} said,"
            f" {len(visit.acknowledged)} acknowledged"
            if (visit := person.visit) is not None
            else f"{person.name}: {person.nick}, nowhere"
            for person in self.people
        ]
        logs = [node.served.log if node.served else "down" for node in self.nodes]
        return "\n".join([*rows, *self.stored.missing_last(self.shared.visits), *logs])

    # What must hold -------------------------------------------------------------------------------

    def all_go_home(self) -> bool:
        """Send all users to their own nodes; return whether they are there."""
        for person in self.people:
            person.go_home()
        return all(person.visit and person.visit.node == person.home for person in self.people)

    def all_received(self) -> bool:
        """Return whether all connected users have received the last message of each room.

        Messages pending at a node that has disconnected its users may be stored long after that.
        """
        self.stored.read()
        return not self.stored.missing_last(self.shared.visits)

    async def check_users(self, number: int) -> None:
        """Check that a node knows the users who are there, and (after a while) no others."""
        end = time.monotonic() + SETTLE_SECONDS
        while wrong := [
            result for room in ROOMS if (result := await self.differences(number, room))
        ]:
            assert time.monotonic() < end, wrong
            await asyncio.sleep(0.2)

    async def differences(self, number: int, room: str) -> str:
        """Describe how a node's list of a room's members is wrong; empty when it is right."""
        there = await self.nodes[number].users(room)
        living = Counter(person.visit.nick for person in self.people if person.visit is not None)
        if there is None:
            return f"node {number} takes nobody"
        twice = [nick for nick, times in there.items() if times > 1]
        assert not twice, f"twice in {room} on node {number}: {twice}"
        if there == living or not (self.wait_for_leases or living - there):
            return ""
        return f"node {number}, {room}: {there - living} too many, {living - there} missing"

    async def check_names(self) -> None:
        """Check that the nicks of users who lost their node become free again."""
        for person in self.people:
            if person.visit is not None and person.visit.nick != person.name:
                end = time.monotonic() + SETTLE_SECONDS
                while not await self.nodes[person.home].accepts_nick(person.name):
                    assert time.monotonic() < end, f"{person.name} is not free in time"
                    await asyncio.sleep(0.2)

    # What happens ---------------------------------------------------------------------------------

    def random_seconds(self, least: float, most: float) -> float:
        """Return for how many seconds a fault lasts."""
        return self.random.uniform(least, most if self.wait_for_leases else min(most, least + 0.5))

    async def kill_node(self) -> str:
        number = self.random.randrange(len(self.nodes))
        await self.nodes[number].kill()
        await asyncio.sleep(self.random_seconds(0, 3))
        await self.nodes[number].start()
        return f"node {number} killed"

    async def leader_of(self, room: str) -> int:
        """Return the number of the NATS server that leads the stream of a room."""
        return int((await asyncio.to_thread(self.stored.leader, room)).removeprefix("n")) - 1

    async def kill_nats(self, numbers: Sequence[int], who: str) -> str:
        for number in numbers:
            self.nats.servers[number].kill()
        seconds = self.random_seconds(0.2, 6.0)
        await asyncio.sleep(seconds)
        for number in numbers:
            await asyncio.to_thread(self.nats.servers[number].start, self.nats.routes[number])
        return f"{who} killed for {seconds:.1f} s"

    async def kill_leader(self) -> str:
        room = self.random.choice(ROOMS)
        return await self.kill_nats([await self.leader_of(room)], f"the leader of {room}")

    async def kill_follower(self) -> str:
        room = self.random.choice(ROOMS)
        leader = await self.leader_of(room)
        others = [number for number in range(len(self.nats.servers)) if number != leader]
        return await self.kill_nats([self.random.choice(others)], f"a follower of {room}")

    async def kill_all(self) -> str:
        return await self.kill_nats(range(len(self.nats.servers)), "all of NATS")

    async def _disturb(self, fault: Callable[[FaultProxy], None], name: str, seconds: float) -> str:
        number = self.random.randrange(len(self.nodes))
        for proxy in self.nodes[number].proxies:
            fault(proxy)
        await asyncio.sleep(seconds)
        for proxy in self.nodes[number].proxies:
            proxy.restore()
        return f"node {number} {name} for {seconds:.1f} s"

    async def cut(self) -> str:
        return await self._disturb(FaultProxy.cut, "cut off", self.random_seconds(0.1, 10.0))

    async def stall(self) -> str:
        return await self._disturb(FaultProxy.stall, "in silence", self.random_seconds(0.1, 15.0))

    async def long_cut(self) -> str:
        return await self._disturb(FaultProxy.cut, "cut off", self.random_seconds(27.0, 45.0))

    async def long_stall(self) -> str:
        return await self._disturb(FaultProxy.stall, "in silence", self.random_seconds(27.0, 45.0))

    async def _stop(self, seconds: float) -> str:
        number = self.random.randrange(len(self.nodes))
        served = self.nodes[number].served
        assert served is not None
        os.kill(served.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.kill(served.pid, signal.SIGCONT)
        return f"node {number} stood still for {seconds:.1f} s"

    async def stop(self) -> str:
        return await self._stop(self.random_seconds(0.1, 15.0))

    async def long_stop(self) -> str:
        return await self._stop(self.random_seconds(27.0, 45.0))


EVENTS: dict[str, Callable[[NodeRounds], Awaitable[str]]] = {
    "node": NodeRounds.kill_node,
    "leader": NodeRounds.kill_leader,
    "follower": NodeRounds.kill_follower,
    "all": NodeRounds.kill_all,
    "cut": NodeRounds.cut,
    "silence": NodeRounds.stall,
    "stop": NodeRounds.stop,
    "long-cut": NodeRounds.long_cut,
    "long-silence": NodeRounds.long_stall,
    "long-stop": NodeRounds.long_stop,
}
SHORT = tuple(event for event in EVENTS if not event.startswith("long"))


async def rounds(
    folder: Path,
    nats: Nats,
    random: Random,
    events: Sequence[str],
    nodes: int = 2,
    *,
    wait_for_leases: bool = True,
) -> None:
    """Play some rounds on one cluster, and print a line about each."""
    cluster = NodeRounds(folder, nats, random, nodes, wait_for_leases=wait_for_leases)
    try:
        await cluster.begin()
        for number, event in enumerate(events):
            begun = time.monotonic()
            result = await cluster.play(event)
            print(f"round {number + 1}: {result}, {time.monotonic() - begun:.0f} s", flush=True)
    finally:
        await cluster.end()


def main(words: Sequence[str] | None = None) -> int:
    """Run rounds until one fails or all are done."""
    parser = argparse.ArgumentParser(prog="python -m tests.node_rounds")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6))
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--long", action="store_true", help="beyond 25 seconds, too")
    parser.add_argument("--only", choices=tuple(EVENTS), help="let only this happen")
    options = parser.parse_args(words)
    print(f"seed {options.seed}", flush=True)
    random = Random(options.seed)
    choice = (options.only,) if options.only else tuple(EVENTS) if options.long else SHORT
    events = [random.choice(choice) for _ in range(options.rounds)]
    with TemporaryDirectory() as folder:
        servers = running(Path(folder), servers=3)
        nats = next(servers)
        try:
            asyncio.run(rounds(Path(folder), nats, random, events, options.nodes))
        finally:
            servers.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
