"""Many small rooms, and one room with readers who never read: both at a fixed rate.

It knows who sits where and who speaks; it knows nothing of how a server is started.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.client_pool import Crowd
from bench.config import Setting, as_many
from bench.figures import ratio, shown, table
from bench.load import Load, Span
from bench.report import Report
from bench.servers import Peer, Running

#: People in each small room.
A_ROOM = 10
#: Of so many readers one never reads.
ONE_IN = 10
#: How the readers who never read are filled up: senders, window, seconds.
_FILL = (10, 50, 1.0)


def seats(count: int, name: str = "room") -> list[str]:
    """The rooms of so many people, ten in each; who is in the same room follows each other."""
    return [f"{name}{each // A_ROOM}" for each in range(count)]


def rooms(setting: Setting, peers: Sequence[Peer], numbers: Sequence[int], rate: float) -> Report:
    """Measure so many messages a second in all, spread over so many rooms of ten people."""
    report = Report()

    for number in numbers:
        fitting = as_many(number * A_ROOM) // A_ROOM

        def work(server: Running, number: int = fitting) -> None:
            with Crowd(server.peer.dialect, server.port) as crowd:
                members = crowd.gather(seats(number * A_ROOM))
                speakers = [
                    members[room * A_ROOM + seat]
                    for seat in range(1, A_ROOM)
                    for room in range(number)
                ]
                load = Load(crowd, server, A_ROOM, members[::A_ROOM], 1)
                title = f"{number} rooms of {A_ROOM}, {rate:g}/s"
                report.add(title, server.peer.name, load.keep_pace(speakers, rate, setting.seconds))

        setting.each(peers, work)
    return report


def slow(setting: Setting, peers: Sequence[Peer], readers: int, rate: float) -> Report:
    """Measure one room at a fixed rate: when all read, and when one in ten never reads.

    Those are filled up first, by senders at full speed.
    """
    report = Report()
    fitting = as_many(readers + _FILL[0]) - _FILL[0]

    def work(server: Running) -> None:
        for deaf in (0, fitting // ONE_IN):
            with Crowd(server.peer.dialect, server.port) as crowd:
                span = _one_room(setting, crowd, server, fitting - deaf, deaf, rate)
            report.add(slow_title(fitting, deaf, rate), server.peer.name, span)

    setting.each(peers, work)
    return report


def _one_room(
    setting: Setting, crowd: Crowd, server: Running, healthy: int, deaf: int, rate: float
) -> Span:
    """Fill up those who never read, then measure the others."""
    senders, window, seconds = _FILL
    for member in crowd.gather(["bench"] * deaf, small=True):
        crowd.deafen(member)
    members = crowd.gather(["bench"] * (senders + healthy))
    load = Load.of_one_room(crowd, server, members, senders)
    load.flood(members[:senders], window, min(seconds, setting.seconds))
    return load.keep_pace(members[:senders], rate, setting.seconds)


def slow_title(readers: int, deaf: int, rate: float) -> str:
    """What a table about this is called."""
    return f"{readers} readers, {deaf} never read, {rate:g}/s"


def slow_ratios(report: Report, peers: Sequence[Peer], readers: int, rate: float) -> str:
    """How much longer healthy readers wait when others never read."""
    titles = [slow_title(readers, deaf, rate) for deaf in (0, readers // ONE_IN)]
    rows = []
    for peer in peers:
        without, beside = (
            report.median(title, peer.name, lambda s: s.latency(99)) for title in titles
        )
        rows.append([peer.name, shown(without, 3), shown(beside, 3), shown(ratio(beside, without))])
    return table(["p99 of healthy readers", "all read", "some never read", "ratio"], rows)
