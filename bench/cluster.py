"""Many servers that are one: what a message costs in chatd and in NATS, on one node and on two.

It knows how many nodes and NATS servers there are and who sits where; it knows nothing of how they
are started.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import cycle

from bench import machine, servers
from bench.client_pool import Crowd
from bench.cluster_store import posts
from bench.config import Setting, as_many
from bench.figures import median, percentile, ratio, shown, table
from bench.latency import acknowledged
from bench.load import Load, Span
from bench.nats import Nats
from bench.remote_people import elsewhere
from bench.servers import Running

#: Seconds of work before it is measured.
_WARM_UP = 0.3


@dataclass(frozen=True, slots=True)
class Shape:
    """So many nodes on so many NATS servers; without these one node, by its options."""

    name: str
    nats: int = 0
    nodes: int = 1
    options: Sequence[str] = ()

    @contextmanager
    def running(self, setting: Setting, way: str = "line") -> Iterator[tuple[list[Running], Nats]]:
        """Start all of it, and stop it at the end.

        A second node is on the core of the load: two on one core take longer for the same work.
        """
        with ExitStack() as stack:
            nats = stack.enter_context(Nats(self.nats, setting.core))
            options = [*self.options, *([f"--cluster={nats.urls}"] if self.nats else [])]
            peer = servers.chatd(way, self.name, options)
            cores = cycle((setting.core, machine.own_core(setting.core)))
            nodes = [Running(peer, core) for core, _ in zip(cores, range(self.nodes), strict=False)]
            yield [stack.enter_context(node) for node in nodes], nats


def shapes(numbers: Sequence[int]) -> list[Shape]:
    """One server that keeps nothing, one with a file, and nodes on so many NATS servers each."""
    clusters = [
        Shape(f"{nodes} node{'s' * (nodes > 1)}, {nats} NATS", nats, nodes)
        for nodes in (1, 2)
        for nats in numbers
    ]
    return [Shape("off", options=("--history=none",)), Shape("on"), *clusters]


@dataclass(slots=True)
class Carried:
    """What one shape carried under one load, in each run.

    Costs are in µs of CPU time: those of chatd are of all its threads, and of all nodes.
    """

    shape: Shape
    spans: list[Span] = field(default_factory=list)

    def median(self, of: Callable[[Span], float]) -> float:
        """The median of the runs."""
        return median([of(span) for span in self.spans])

    def nodes(self, span: Span) -> list[float]:
        """CPU seconds of each node."""
        return [span.server_cpu, *span.beside[: self.shape.nodes - 1]]

    def nats(self, span: Span) -> float:
        """CPU seconds of the NATS servers, in all."""
        return sum(span.beside[self.shape.nodes - 1 :])

    @property
    def node_cost(self) -> float:
        """Of a message, in chatd."""
        return self.median(lambda span: sum(self.nodes(span)) / max(1, span.messages) * 1e6)

    @property
    def nats_cost(self) -> float:
        """Of a message, in NATS."""
        return self.median(lambda span: self.nats(span) / max(1, span.messages) * 1e6)

    @property
    def carries(self) -> float:
        """Deliveries a second when the busiest node uses all of a core."""
        return self.median(lambda span: span.deliveries / max(self.nodes(span)))

    @property
    def carries_with_nats(self) -> float:
        """The same, when each node's core does its share of the work of NATS, too."""
        count = self.shape.nodes
        return self.median(
            lambda span: span.deliveries / (max(self.nodes(span)) + self.nats(span) / count)
        )


Work = dict[tuple[int, int], dict[str, Carried]]


def carried(
    setting: Setting, several: Sequence[Shape], members: int, loads: Sequence[tuple[int, int]]
) -> Work:
    """Measure each shape with so many listeners, and with senders and windows of each load."""
    most = max(senders for senders, _ in loads)
    count = as_many(members + most) - most
    work: Work = {load: {shape.name: Carried(shape) for shape in several} for load in loads}
    for run in range(setting.runs):
        first = run % len(several)
        for shape in [*several[first:], *several[:first]]:
            with shape.running(setting) as (nodes, nats):
                _carry(
                    setting, nodes, nats, count, {load: work[load][shape.name] for load in loads}
                )
    return work


def _carry(
    setting: Setting,
    nodes: Sequence[Running],
    nats: Nats,
    count: int,
    works: dict[tuple[int, int], Carried],
) -> None:
    """Bring listeners in, as many on each node, and let the speakers of each load speak."""
    ports = [node.port for node in nodes]
    beside = [*(node.pid for node in nodes[1:]), *nats.pids]
    with Crowd(nodes[0].peer.dialect, nodes[0].port) as crowd:
        listeners = crowd.gather(["bench"] * count, ports=ports)
        for (senders, window), work in works.items():
            speakers = crowd.gather(["bench"] * senders, ports=ports)
            everyone = [*speakers, *listeners]
            load = Load.of_one_room(crowd, nodes[0], everyone, senders, beside)
            load.flood(speakers, window, min(_WARM_UP, setting.seconds))
            work.spans.append(load.flood(speakers, window, setting.seconds))
            for speaker in speakers:
                crowd.leave(speaker)
            crowd.settle()


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


def _costs(title: str, found: dict[str, Carried]) -> str:
    """What a message, and a delivery, cost."""
    on = found["on"].node_cost
    rows = []
    for name, work in found.items():
        node, nats = work.node_cost, work.nats_cost
        each = work.median(lambda span: span.deliveries / max(1, span.messages))
        cells = [
            shown(work.median(lambda span: span.messages / span.seconds), 0),
            shown(work.median(lambda span: span.rate), 0),
            shown(node, 1),
            shown(nats, 1),
            shown(ratio(node, on)),
            shown(ratio(node + nats, on)),
            shown(ratio(node, each), 3),
            shown(ratio(nats, each), 3),
            shown(work.median(lambda span: span.latency(50))),
            shown(work.median(lambda span: span.latency(99))),
            shown(work.median(lambda span: span.lost), 0),
        ]
        rows.append([name, *cells])
    return table([title, *_COLUMNS], rows)


def _shares(work: Work, count: int, numbers: Sequence[int]) -> str:
    """How much more two nodes carry than one."""
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


def _latencies(setting: Setting, several: Sequence[Shape]) -> str:
    """How long one message takes at a time, in a room of three or four."""
    found: dict[str, list[list[list[float]]]] = {}
    for _ in range(setting.runs):
        for shape in several:
            with shape.running(setting, "bots") as (nodes, _nats):
                spans = acknowledged([node.port for node in nodes], setting.seconds)
                found.setdefault(shape.name, []).append(spans)
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
    setting: Setting,
    members: int,
    loads: Sequence[tuple[int, int]],
    numbers: Sequence[int],
    asked: int,
    people: int,
) -> str:
    """All of it, on each of so many NATS servers."""
    several = shapes(numbers)
    work = carried(setting, several, members, loads)
    tables = [
        _costs(f"{members} receivers, {senders} x {window}", found)
        for (senders, window), found in work.items()
    ]
    tables += [_shares(work, members, numbers), _latencies(setting, several)]
    return "\n\n".join([*tables, posts(setting, numbers, asked), elsewhere(people)])
