"""Latency of single messages: until acknowledged, and until shown at each server of a cluster.

It knows the protocol of bots (version 2 of JSON), in which messages are acknowledged; it does not
know how servers are started.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from bench.client_pool import Client, ClientPool
from bench.protocols import BOTS

#: Seconds that one message may take, and messages that are sent before measuring begins.
_MESSAGE_SECONDS = 30.0
_WARM_UP = 20


class ArrivalTime:
    """The time at which one client receives a certain text."""

    def __init__(self, pool: ClientPool, member: Client) -> None:
        self.at: float | None = None
        self._text, self._rest = b"", b""
        pool.observe(member, self._received)

    def expect(self, text: bytes) -> None:
        """Start looking for this text."""
        self._text, self.at = text, None

    def _received(self, data: bytes) -> None:
        whole = self._rest + data
        if self.at is None and self._text in whole:
            self.at = time.perf_counter()
        self._rest = whole.rpartition(b"\n")[2]


def measure_latencies(ports: Sequence[int], seconds: float) -> list[list[float]]:
    """Send messages one at a time to the first server, for ``seconds``.

    :return: for each message the seconds until it was acknowledged, in a list; then one such list
        for each server: the seconds until a client there had received it.
    :raises TimeoutError: when a message does not arrive.
    """
    latencies: list[list[float]] = [[] for _ in range(1 + len(ports))]
    with ClientPool(BOTS, ports[0]) as pool:
        [sender] = pool.connect(["bench"])
        others = pool.connect(["bench"] * len(ports), ports=ports)
        pool.drain()  # until the other server knows of their joins, too
        arrivals = [ArrivalTime(pool, member) for member in (sender, *others)]
        until, number = time.perf_counter() + seconds, 0
        while time.perf_counter() < until:
            number += 1
            began = _say(pool, sender, arrivals, number)
            if number > _WARM_UP:
                for each, arrival in zip(latencies, arrivals, strict=True):
                    each.append((arrival.at or began) - began)
    return latencies


def _say(pool: ClientPool, sender: Client, arrivals: Sequence[ArrivalTime], number: int) -> float:
    """Send a message and wait until every client has received it; return the time of sending."""
    arrivals[0].expect(b'"id": %d,' % number)
    for arrival in arrivals[1:]:
        arrival.expect(b"#%09d" % number)
    began = time.perf_counter()
    sender.write(b'{"room": "bench", "message": "#%09d", "id": %d}\n' % (number, number))
    while any(arrival.at is None for arrival in arrivals):
        pool.read(1)
        if time.perf_counter() > began + _MESSAGE_SECONDS:
            raise TimeoutError(f"message {number} did not come")
    return began
