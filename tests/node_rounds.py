"""Kill what servers that are one stand on, while people talk: ``python -m tests.node_rounds``.

Three NATS servers, and chatd nodes with people on each.  In every round something dies, is cut off
or stands still: a node, the NATS server that leads the stream of a room, another, all three, the
way between a node and NATS.  What must hold once it has settled: what was acknowledged is in its
room once; everyone who stayed was shown every message of their rooms, once, in the order of the
room, and nothing else; nothing was refused; all nodes know who is there, and nobody else.
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

from tests.support.cluster.links import FaultProxy
from tests.support.cluster.nats import Nats, running
from tests.support.cluster.nodes import ClusterNode
from tests.support.cluster.people import Bot, Listener, Person, SharedState
from tests.support.cluster.truth import StoredMessages
from tests.support.served import PATIENCE

ROOMS = ("lobby", "attic", "cellar")
#: Bots, and people who look, at each node.
BOTS, LISTENERS = 2, 1
#: Seconds after which all has to be as it should: an election, a lease, and an address tried again.
SETTLE_SECONDS = 4 * PATIENCE


class NodeRounds:
    """A cluster with people.

    Unless ``patiently`` nothing lasts long, and nobody waits until who is dead counts as gone.
    """

    def __init__(
        self, folder: Path, nats: Nats, chance: Random, nodes: int = 2, *, patiently: bool = True
    ) -> None:
        self.nats = nats
        self.wait_for_leases = patiently
        self.chance = chance
        where = nats.account()
        self.stored = StoredMessages(where, ROOMS)
        self.nodes = [ClusterNode(folder / f"node{n}", nats, where) for n in range(nodes)]
        self.shared = SharedState(ROOMS, chance, lambda node, way: self.nodes[node].port(way))
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
        """Those who talk."""
        return [person for person in self.people if isinstance(person, Bot)]

    async def begin(self) -> None:
        """Start all nodes at once, and let people come."""
        for site in self.nodes:
            for cable in site.proxies:
                await cable.start()
        await asyncio.gather(*(site.start() for site in self.nodes))
        self._tasks = [asyncio.create_task(person.live()) for person in self.people]

    async def end(self) -> None:
        """End everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        ended = await asyncio.gather(*(site.close() for site in self.nodes), return_exceptions=True)
        self.stored.close()
        for error in filter(None, ended):
            raise error

    # A round --------------------------------------------------------------------------------------

    async def play(self, what: str) -> str:
        """Let something happen while everybody talks, and check; say what it was in a line."""
        await self.until("everyone is at home", self.all_go_home)
        self.shared.sending.set()
        await asyncio.sleep(self.chance.uniform(0.1, 1.0))
        done = await EVENTS[what](self)
        marks = {id(bot): len(bot.visit.acknowledged) if bot.visit else 0 for bot in self.bots}
        await self.until("everyone is heard", lambda: all(map(self.has_been_acknowledged(marks), self.bots)))
        self.shared.sending.clear()
        await self.until("all is acknowledged", lambda: all(bot.is_idle for bot in self.bots))
        before = len(self.stored.index)
        await self.until("everybody has seen the last", self.all_received)
        for stay in self.shared.visits:
            self.stored.check(stay)
        self.shared.visits = [stay for stay in self.shared.visits if not stay.over]
        for number, _ in enumerate(self.nodes):
            await self.check_users(number)
        if self.wait_for_leases:
            await self.check_names()
        assert not self.shared.complaints, self.shared.complaints[:5]
        return f"{done}; {len(self.stored.index) - before} kept"

    @staticmethod
    def has_been_acknowledged(marks: dict[int, int]) -> Callable[[Bot], bool]:
        """Tell of bots whether something that they said since has been acknowledged."""
        return lambda bot: (
            bot.visit is not None and len(bot.visit.acknowledged) > min(marks[id(bot)], 3)
        )

    async def until(self, what: str, so: Callable[[], bool]) -> None:
        """Wait until something is so."""
        end = time.monotonic() + SETTLE_SECONDS
        while not so():
            for task in self._tasks:
                if task.done():
                    task.result()
            if time.monotonic() > end:
                raise AssertionError(f"not so in time: {what}\n{self.description()}")
            await asyncio.sleep(0.02)

    def description(self) -> str:
        """Who is where, for people who read why a round failed."""
        rows = [
            f"{person.name}: {person.nick} at {stay.node}, {len(stay.sent)} said,"
            f" {len(stay.acknowledged)} acknowledged"
            if (stay := person.visit) is not None
            else f"{person.name}: {person.nick}, nowhere"
            for person in self.people
        ]
        logs = [site.served.log if site.served else "down" for site in self.nodes]
        return "\n".join([*rows, *self.stored.missing_last(self.shared.visits), *logs])

    # What must hold -------------------------------------------------------------------------------

    def all_go_home(self) -> bool:
        """Let everybody go to their own node; say whether they are there."""
        for person in self.people:
            person.go_home()
        return all(person.visit and person.visit.node == person.home for person in self.people)

    def all_received(self) -> bool:
        """Whether everybody who is there has been shown the last of each room.

        What waited at a node that let go of its people may come long after them.
        """
        self.stored.read()
        return not self.stored.missing_last(self.shared.visits)

    async def check_users(self, number: int) -> None:
        """See whether a node knows who is there, and (after a while) nobody else."""
        end = time.monotonic() + SETTLE_SECONDS
        while wrong := [told for room in ROOMS if (told := await self.differences(number, room))]:
            assert time.monotonic() < end, wrong
            await asyncio.sleep(0.2)

    async def differences(self, number: int, room: str) -> str:
        """Say what a node does not know of who is in a room; empty when it knows all."""
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
        """See whether the nicks of those who lost their node can be had again, and come home."""
        for person in self.people:
            if person.visit is not None and person.visit.nick != person.name:
                end = time.monotonic() + SETTLE_SECONDS
                while not await self.nodes[person.home].accepts_nick(person.name):
                    assert time.monotonic() < end, f"{person.name} is not free in time"
                    await asyncio.sleep(0.2)

    # What happens ---------------------------------------------------------------------------------

    def random_seconds(self, least: float, most: float) -> float:
        """For how many seconds something is so."""
        return self.chance.uniform(least, most if self.wait_for_leases else min(most, least + 0.5))

    async def kill_node(self) -> str:
        number = self.chance.randrange(len(self.nodes))
        await self.nodes[number].kill()
        await asyncio.sleep(self.random_seconds(0, 3))
        await self.nodes[number].start()
        return f"node {number} killed"

    async def leader_of(self, room: str) -> int:
        """The NATS server that leads the stream of a room."""
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
        room = self.chance.choice(ROOMS)
        return await self.kill_nats([await self.leader_of(room)], f"the leader of {room}")

    async def kill_follower(self) -> str:
        room = self.chance.choice(ROOMS)
        leader = await self.leader_of(room)
        others = [number for number in range(len(self.nats.servers)) if number != leader]
        return await self.kill_nats([self.chance.choice(others)], f"a follower of {room}")

    async def kill_all(self) -> str:
        return await self.kill_nats(range(len(self.nats.servers)), "all of NATS")

    async def _disturb(self, how: Callable[[FaultProxy], None], name: str, seconds: float) -> str:
        number = self.chance.randrange(len(self.nodes))
        for cable in self.nodes[number].proxies:
            how(cable)
        await asyncio.sleep(seconds)
        for cable in self.nodes[number].proxies:
            cable.restore()
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
        number = self.chance.randrange(len(self.nodes))
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
    chance: Random,
    events: Sequence[str],
    nodes: int = 2,
    *,
    patiently: bool = True,
) -> None:
    """Play some rounds on one cluster, and say what came of each."""
    cluster = NodeRounds(folder, nats, chance, nodes, patiently=patiently)
    try:
        await cluster.begin()
        for number, what in enumerate(events):
            begun = time.monotonic()
            told = await cluster.play(what)
            print(f"round {number + 1}: {told}, {time.monotonic() - begun:.0f} s", flush=True)
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
    asked = parser.parse_args(words)
    print(f"seed {asked.seed}", flush=True)
    chance = Random(asked.seed)
    choice = (asked.only,) if asked.only else tuple(EVENTS) if asked.long else SHORT
    events = [chance.choice(choice) for _ in range(asked.rounds)]
    with TemporaryDirectory() as folder:
        servers = running(Path(folder), servers=3)
        nats = next(servers)
        try:
            asyncio.run(rounds(Path(folder), nats, chance, events, asked.nodes))
        finally:
            servers.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
