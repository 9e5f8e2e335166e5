"""Fan-out benchmark: few senders and many receivers in one room; compares chatd's ways in as well.

It knows the number of clients and their actions; it does not know how a server is started.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.client_pool import Client, ClientPool
from bench.config import Config, connections_within_limit
from bench.load import Load, Measurement
from bench.report import Report
from bench.servers import Peer, RunningServer


def fan_out(
    config: Config,
    peers: Sequence[Peer],
    receivers: Sequence[int],
    loads: Sequence[tuple[int, int]],
) -> Report:
    """Measure each peer with each number of receivers and each load (senders, window of each)."""
    report = Report()
    most = max(senders for senders, _ in loads)

    for wanted in receivers:
        count = connections_within_limit(wanted + most) - most

        def work(server: RunningServer, count: int = count) -> None:
            with ClientPool(server.peer.protocol, server.port) as pool:
                listeners = pool.connect(["bench"] * count)
                for senders, window in loads:
                    measured = _flood(config, server, pool, listeners, senders, window)
                    title = f"{count} receivers, {senders} x {window}"
                    report.add(title, server.peer.name, measured)

        config.run_each(peers, work)
    return report


def _flood(
    config: Config,
    server: RunningServer,
    pool: ClientPool,
    listeners: Sequence[Client],
    senders: int,
    window: int,
) -> Measurement:
    """Connect senders, measure while they send, and disconnect them."""
    speakers = pool.connect(["bench"] * senders)
    load = Load.of_one_room(pool, server, [*speakers, *listeners], senders)
    if config.warm_up:
        load.flood(speakers, window, config.warm_up)
    measured = load.flood(speakers, window, config.seconds)
    for speaker in speakers:
        pool.close(speaker)
    return measured
