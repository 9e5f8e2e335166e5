"""Rooms benchmarks at a fixed rate: many small rooms, and one room with clients that never read.

It knows the members and senders of each room; it does not know how a server is started.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.client_pool import ClientPool
from bench.config import Config, connections_within_limit
from bench.figures import ratio, shown, table
from bench.load import Load, Measurement
from bench.report import Report
from bench.servers import Peer, RunningServer

#: Members of each small room.
ROOM_SIZE = 10
#: One in this number of clients never reads.
STALLED_SHARE = 10
#: Load that fills the buffers of clients that never read: senders, window, seconds.
_FILL = (10, 50, 1.0)


def room_names(count: int, name: str = "room") -> list[str]:
    """Return the room of each of ``count`` members, ten successive ones per room."""
    return [f"{name}{each // ROOM_SIZE}" for each in range(count)]


def rooms(config: Config, peers: Sequence[Peer], numbers: Sequence[int], rate: float) -> Report:
    """Measure ``rate`` messages per second in total, spread over each number of rooms of ten."""
    report = Report()

    for number in numbers:
        fitting = connections_within_limit(number * ROOM_SIZE) // ROOM_SIZE

        def work(server: RunningServer, number: int = fitting) -> None:
            with ClientPool(server.peer.protocol, server.port) as pool:
                members = pool.connect(room_names(number * ROOM_SIZE))
                speakers = [
                    members[room * ROOM_SIZE + seat]
                    for seat in range(1, ROOM_SIZE)
                    for room in range(number)
                ]
                load = Load(pool, server, ROOM_SIZE, members[::ROOM_SIZE], 1)
                title = f"{number} rooms of {ROOM_SIZE}, {rate:g}/s"
                report.add(title, server.peer.name, load.keep_pace(speakers, rate, config.seconds))

        config.run_each(peers, work)
    return report


def slow(config: Config, peers: Sequence[Peer], readers: int, rate: float) -> Report:
    """Measure one room at a fixed rate: when all members read, and when one in ten never reads.

    The buffers of clients that never read are filled first, by senders at full speed.
    """
    report = Report()
    fitting = connections_within_limit(readers + _FILL[0]) - _FILL[0]

    def work(server: RunningServer) -> None:
        for deaf in (0, fitting // STALLED_SHARE):
            with ClientPool(server.peer.protocol, server.port) as pool:
                span = _one_room(config, pool, server, fitting - deaf, deaf, rate)
            report.add(slow_title(fitting, deaf, rate), server.peer.name, span)

    config.run_each(peers, work)
    return report


def _one_room(
    config: Config, pool: ClientPool, server: RunningServer, healthy: int, deaf: int, rate: float
) -> Measurement:
    """Fill the buffers of the clients that never read, then measure the others."""
    senders, window, seconds = _FILL
    for member in pool.connect(["bench"] * deaf, small=True):
        pool.stop_reading(member)
    members = pool.connect(["bench"] * (senders + healthy))
    load = Load.of_one_room(pool, server, members, senders)
    load.flood(members[:senders], window, min(seconds, config.seconds))
    return load.keep_pace(members[:senders], rate, config.seconds)


def slow_title(readers: int, deaf: int, rate: float) -> str:
    """Return the title of its table."""
    return f"{readers} readers, {deaf} never read, {rate:g}/s"


def slow_ratios(report: Report, peers: Sequence[Peer], readers: int, rate: float) -> str:
    """Return a table of how much longer messages to the others take when some never read."""
    titles = [slow_title(readers, deaf, rate) for deaf in (0, readers // STALLED_SHARE)]
    rows = []
    for peer in peers:
        without, beside = (
            report.median(title, peer.name, lambda s: s.latency(99)) for title in titles
        )
        rows.append([peer.name, shown(without, 3), shown(beside, 3), shown(ratio(beside, without))])
    return table(["p99 of healthy readers", "all read", "some never read", "ratio"], rows)
