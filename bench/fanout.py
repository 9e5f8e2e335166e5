"""Fan-out: a few speak in one room, and many listen.  The ways into chatd are compared by it too.

It knows how many there are and what they do; it knows nothing of how a server is started.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.client_pool import Crowd, Member
from bench.config import Setting, as_many
from bench.load import Load, Span
from bench.report import Report
from bench.servers import Peer, Running

#: Seconds of work before it is measured.
_WARM_UP = 0.3


def fan_out(
    setting: Setting,
    peers: Sequence[Peer],
    receivers: Sequence[int],
    loads: Sequence[tuple[int, int]],
) -> Report:
    """Measure each peer with so many receivers, and with senders and windows of each load."""
    report = Report()
    most = max(senders for senders, _ in loads)

    for wanted in receivers:
        count = as_many(wanted + most) - most

        def work(server: Running, count: int = count) -> None:
            with Crowd(server.peer.dialect, server.port) as crowd:
                listeners = crowd.gather(["bench"] * count)
                for senders, window in loads:
                    span = _flood(setting, server, crowd, listeners, senders, window)
                    title = f"{count} receivers, {senders} x {window}"
                    report.add(title, server.peer.name, span)

        setting.each(peers, work)
    return report


def _flood(
    setting: Setting,
    server: Running,
    crowd: Crowd,
    listeners: Sequence[Member],
    senders: int,
    window: int,
) -> Span:
    """Bring speakers in, let them speak, and send them away."""
    speakers = crowd.gather(["bench"] * senders)
    load = Load.of_one_room(crowd, server, [*speakers, *listeners], senders)
    load.flood(speakers, window, min(_WARM_UP, setting.seconds))
    span = load.flood(speakers, window, setting.seconds)
    for speaker in speakers:
        crowd.leave(speaker)
    crowd.settle()
    return span
