"""Cluster benchmark: the cost of a message in chatd and in NATS, on one node and on two.

It knows how many nodes and NATS servers there are and which clients use which; it does not know how
they are started.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import cycle

from bench import machine, servers
from bench.client_pool import ClientPool
from bench.cluster_store import cluster_store
from bench.config import Config, connections_within_limit
from bench.figures import median, percentile, ratio, shown, table
from bench.latency import measure_latencies
from bench.load import Load, Measurement
from bench.nats import Nats
from bench.remote_people import remote_people
from bench.servers import RunningServer


@dataclass(frozen=True, slots=True)
class Topology:
    """``nodes`` chatd nodes on ``nats`` NATS servers; without NATS one node with ``options``."""

    name: str
    nats: int = 0
    nodes: int = 1
    options: Sequence[str] = ()

    @contextmanager
    def running(
        self, config: Config, way: str = "line"
    ) -> Iterator[tuple[list[RunningServer], Nats]]:
        """Start all of it, and stop it at the end of ``with``.

        A second node is on the load generator's core: two on one core take longer for the same
        work.
        """
        with ExitStack() as stack:
            nats = stack.enter_context(Nats(self.nats, config.core))
            options = [*self.options, *([f"--cluster={nats.urls}"] if self.nats else [])]
            peer = servers.chatd(way, self.name, options)
            cores = cycle((config.core, machine.own_core(config.core)))
            nodes = [
                RunningServer(peer, core) for core, _ in zip(cores, range(self.nodes), strict=False)
            ]
            yield [stack.enter_context(node) for node in nodes], nats


def topologies(numbers: Sequence[int]) -> list[Topology]:
    """Return a server without history, one with a file, and nodes on NATS servers."""
    clusters = [
        Topology(f"{nodes} node{'s' * (nodes > 1)}, {nats} NATS", nats, nodes)
        for nodes in (1, 2)
        for nats in numbers
    ]
    return [Topology("off", options=("--history=none",)), Topology("on"), *clusters]


@dataclass(slots=True)
class Result:
    """Measurements of one topology under one load, one for each run.

    Costs are in µs of CPU time; those of chatd include all its threads and all nodes.
    """

    topology: Topology
    measurements: list[Measurement] = field(default_factory=list)

    def median(self, of: Callable[[Measurement], float]) -> float:
        """Return the median of the runs."""
        return median([of(one) for one in self.measurements])

    def nodes(self, measured: Measurement) -> list[float]:
        """Return the CPU seconds of each node."""
        return [measured.server_cpu, *measured.other_cpu[: self.topology.nodes - 1]]

    def nats(self, measured: Measurement) -> float:
        """Return the CPU seconds of all NATS servers together."""
        return sum(measured.other_cpu[self.topology.nodes - 1 :])

    @property
    def node_cost(self) -> float:
        """Return the cost of a message in chatd."""
        return self.median(lambda one: sum(self.nodes(one)) / max(1, one.messages) * 1e6)

    @property
    def nats_cost(self) -> float:
        """Return the cost of a message in NATS."""
        return self.median(lambda one: self.nats(one) / max(1, one.messages) * 1e6)

    @property
    def carries(self) -> float:
        """Return deliveries per second if the busiest node used a whole core."""
        return self.median(lambda one: one.deliveries / max(self.nodes(one)))

    @property
    def carries_with_nats(self) -> float:
        """Return the same if each node's core also did its share of the work of NATS."""
        count = self.topology.nodes
        return self.median(
            lambda one: one.deliveries / (max(self.nodes(one)) + self.nats(one) / count)
        )


Work = dict[tuple[int, int], dict[str, Result]]


def measure_loads(
    config: Config, compared: Sequence[Topology], members: int, loads: Sequence[tuple[int, int]]
) -> Work:
    """Measure each topology with ``receivers`` under each load (senders, window of each)."""
    most = max(senders for senders, _ in loads)
    count = connections_within_limit(members + most) - most
    work: Work = {load: {each.name: Result(each) for each in compared} for load in loads}
    for run in range(config.runs):
        first = run % len(compared)
        for topology in [*compared[first:], *compared[:first]]:
            with topology.running(config) as (nodes, nats):
                _measure_topology(
                    config, nodes, nats, count, {load: work[load][topology.name] for load in loads}
                )
    return work


def _measure_topology(
    config: Config,
    nodes: Sequence[RunningServer],
    nats: Nats,
    count: int,
    works: dict[tuple[int, int], Result],
) -> None:
    """Connect receivers, as many on each node, and measure while the senders of each load send."""
    ports = [node.port for node in nodes]
    other_pids = [*(node.pid for node in nodes[1:]), *nats.pids]
    with ClientPool(nodes[0].peer.protocol, nodes[0].port) as pool:
        listeners = pool.connect(["bench"] * count, ports=ports)
        for (senders, window), work in works.items():
            speakers = pool.connect(["bench"] * senders, ports=ports)
            everyone = [*speakers, *listeners]
            load = Load.of_one_room(pool, nodes[0], everyone, senders, other_pids)
            if config.warm_up:
                load.flood(speakers, window, config.warm_up)
            work.measurements.append(load.flood(speakers, window, config.seconds))
            for speaker in speakers:
                pool.close(speaker)


# The tables ---------------------------------------------------------------------------------------

_COLUMNS = (
    "messages/s",
    "deliveries/s",
    "node µs",
    "NATS µs",
    "node / on",
    "all / on",
    "node µs each",
    "NATS µs each",
    "p50 ms",
    "p99 ms",
    "lost",
)


def _costs(title: str, found: dict[str, Result]) -> str:
    """Return the table of the costs of a message and of a delivery."""
    on = found["on"].node_cost
    rows = []
    for name, work in found.items():
        node, nats = work.node_cost, work.nats_cost
        each = work.median(lambda one: one.deliveries / max(1, one.messages))
        cells = [
            shown(work.median(lambda one: one.messages / one.seconds), 0),
            shown(work.median(lambda one: one.rate), 0),
            shown(node, 1),
            shown(nats, 1),
            shown(ratio(node, on)),
            shown(ratio(node + nats, on)),
            shown(ratio(node, each), 3),
            shown(ratio(nats, each), 3),
            shown(work.median(lambda one: one.latency(50))),
            shown(work.median(lambda one: one.latency(99))),
            shown(work.median(lambda one: one.lost), 0),
        ]
        rows.append([name, *cells])
    return table([title, *_COLUMNS], rows)


def _scaling(work: Work, count: int, numbers: Sequence[int]) -> str:
    """Return the table of how much more two nodes carry than one."""
    rows = []
    for (senders, window), found in work.items():
        for nats in numbers:
            one, two = found[f"1 node, {nats} NATS"], found[f"2 nodes, {nats} NATS"]
            cells = [one.carries, two.carries, ratio(two.carries, one.carries)]
            with_nats = [one.carries_with_nats, two.carries_with_nats]
            cells += [*with_nats, ratio(with_nats[1], with_nats[0])]
            name = f"{senders} x {window}, {nats} NATS"
            rows.append([name, *(shown(each, 2) for each in cells)])
    headings = ["1 node/s", "2 nodes/s", "times", "1 with NATS/s", "2 with NATS/s", "times"]
    return table([f"{count} receivers: deliveries a core", *headings], rows)


def _latencies(config: Config, compared: Sequence[Topology]) -> str:
    """Measure the latency of single messages, in a room of three or four."""
    found: dict[str, list[list[list[float]]]] = {}
    for _ in range(config.runs):
        for topology in compared:
            with topology.running(config, "bots") as (nodes, _nats):
                latencies = measure_latencies([node.port for node in nodes], config.seconds)
                found.setdefault(topology.name, []).append(latencies)
    rows = []
    for name, runs in found.items():
        cells = [
            shown(median([percentile(span, percent) * 1e3 for span in spans]), 3)
            for spans in zip(*runs, strict=True)
            for percent in (50, 99)
        ]
        rows.append([name, *cells, *["-"] * (6 - len(cells))])
    kinds = ("acknowledged", "shown there", "shown at the other")
    headings = [f"{kind} p{percent}" for kind in kinds for percent in (50, 99)]
    return table(["one message, ms until it is", *headings], rows)


def cluster(
    config: Config,
    members: int,
    loads: Sequence[tuple[int, int]],
    numbers: Sequence[int],
    asked: int,
    people: int,
) -> str:
    """Run all benchmarks, with each of these numbers of NATS servers."""
    compared = topologies(numbers)
    work = measure_loads(config, compared, members, loads)
    tables = [
        _costs(f"{members} receivers, {senders} x {window}", found)
        for (senders, window), found in work.items()
    ]
    tables += [_scaling(work, members, numbers), _latencies(config, compared)]
    return "\n\n".join([*tables, cluster_store(config, numbers, asked), remote_people(people)])
