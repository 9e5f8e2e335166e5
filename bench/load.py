"""Load generator: numbered and timed messages, in a closed loop or at a fixed rate.

It knows when messages were sent and received; of servers it knows only their CPU time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from bench import machine
from bench.client_pool import Client, ClientPool
from bench.figures import percentile
from bench.servers import RunningServer

#: Bytes of one line that is sent, its line end included.
LINE_BYTES = 64
#: Seconds without any data after which missing messages count as lost.
_SILENCE = 2.0

_NUMBER = re.compile(rb"#(\d{9}) ")


def text_of(number: int) -> bytes:
    """Return the text of a message: its number, and padding up to `LINE_BYTES`."""
    return (b"#%09d " % number).ljust(LINE_BYTES - 1, b"x")


@dataclass(frozen=True, slots=True)
class Measurement:
    """The measurements of one span of work; times are in seconds."""

    messages: int
    deliveries: int
    lost: int
    seconds: float
    server_cpu: float
    load_cpu: float
    core_busy: float
    latencies: Sequence[float]
    rss_kib: int
    #: CPU time of the other processes that take part, in the order of ``Load``'s ``other_pids``.
    other_cpu: Sequence[float] = ()

    @property
    def rate(self) -> float:
        """Return deliveries per second."""
        return self.deliveries / self.seconds

    @property
    def cost(self) -> float:
        """Return the server's CPU time for one delivery, in µs."""
        return self.server_cpu / max(1, self.deliveries) * 1e6

    @property
    def server(self) -> float:
        """Return the share of a core that the server used."""
        return self.server_cpu / self.seconds

    @property
    def load(self) -> float:
        """Return the share of its core that the load generator used."""
        return self.load_cpu / self.seconds

    @property
    def others(self) -> float:
        """Return the share of the server's core that other processes used."""
        return max(0.0, self.core_busy - self.server_cpu) / self.seconds

    def latency(self, percent: float) -> float:
        """Return a percentile of the latencies, in ms."""
        return percentile(self.latencies, percent) * 1e3


class _Witness:
    """Reads the numbers of the messages that one client receives."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._rest = b""

    def received(self, text: bytes) -> None:
        whole, end, self._rest = (self._rest + text).rpartition(b"\n")
        if end:
            self._load.received([int(number) for number in _NUMBER.findall(whole)])


class Load:
    """Sends messages, and records when the witnesses receive them.

    Only line ends of deliveries are counted, but a few clients, the witnesses, read everything: a
    message is acknowledged when all witnesses of its room have it, and latencies are theirs.  That
    works alike for servers that echo users' own messages and for those that do not.  ``audience``
    is the number of members of each room, ``witnesses_per_room`` how many of them are witnesses,
    and ``other_pids`` are the processes that take part besides the server.
    """

    def __init__(
        self,
        pool: ClientPool,
        server: RunningServer,
        audience: int,
        witnesses: Sequence[Client],
        witnesses_per_room: int,
        other_pids: Sequence[int] = (),
    ) -> None:
        self._pool, self._server, self._other_pids = pool, server, other_pids
        protocol = pool.protocol
        self._lines_per_message = (
            audience if protocol.echoes else audience - 1
        ) * protocol.lines_per_message
        self._line_ends = protocol.lines_per_message
        self._witnesses_per_room = witnesses_per_room
        for witness in witnesses:
            pool.observe(witness, _Witness(self).received)
        self._sent: list[float] = []
        self._sender_of: list[int] = []
        self._awaited: list[int] = []
        self._latencies: list[float] = []
        self._allowed: list[int] = []

    @classmethod
    def of_one_room(
        cls,
        pool: ClientPool,
        server: RunningServer,
        members: Sequence[Client],
        senders: int,
        other_pids: Sequence[int] = (),
    ) -> Self:
        """Return a load in one room, whose first members are the senders."""
        listeners = members[senders:]
        some = sorted({0, len(listeners) // 3, 2 * len(listeners) // 3, len(listeners) - 1})
        witnesses = [listeners[at] for at in some]
        return cls(pool, server, len(members), witnesses, len(witnesses), other_pids)

    def received(self, numbers: Sequence[int]) -> None:
        """Record that a witness has received these messages."""
        now = time.perf_counter()
        for number in numbers:
            self._latencies.append(now - self._sent[number])
            self._awaited[number] -= 1
            if not self._awaited[number]:
                self._allowed[self._sender_of[number]] += 1

    def _say(self, sender: Client, which: int, count: int) -> None:
        now = time.perf_counter()
        first = len(self._sent)
        self._sent += [now] * count
        self._sender_of += [which] * count
        self._awaited += [self._witnesses_per_room] * count
        sender.say(text_of(number) for number in range(first, first + count))

    # Two kinds of work ----------------------------------------------------------------------------

    def flood(self, senders: Sequence[Client], window: int, seconds: float) -> Measurement:
        """Keep ``window`` messages of each sender unacknowledged, for ``seconds``."""
        start = self._start(len(senders), window)
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            for which, count in enumerate(self._allowed):
                if count:
                    self._allowed[which] = 0
                    self._say(senders[which], which, count)
            if not self._pool.read(_SILENCE):
                break
        return self._end(start)

    def keep_pace(self, senders: Sequence[Client], rate: float, seconds: float) -> Measurement:
        """Let the senders send, in turn, ``rate`` messages per second in total."""
        start = self._start(len(senders), 0)
        begun, sent = time.perf_counter(), 0
        while (now := time.perf_counter()) < begun + seconds:
            due = int((now - begun) * rate) + 1
            for number in range(sent, due):
                self._say(senders[number % len(senders)], number % len(senders), 1)
            sent = due
            self._pool.read(max(0.0, begun + sent / rate - time.perf_counter()))
        return self._end(start)

    def _start(self, senders: int, window: int) -> _Counters:
        self._pool.drain()
        self._allowed = [window] * senders
        self._latencies = []
        return self._count(len(self._sent))

    def _count(self, messages: int) -> _Counters:
        return _Counters.now(self._server, self._other_pids, messages, self._pool.line_ends)

    def _end(self, start: _Counters) -> Measurement:
        """Read what has not arrived yet, and measure."""
        messages = len(self._sent) - start.messages
        goal = start.line_ends + messages * self._lines_per_message
        waited = 0.0
        while self._pool.line_ends < goal and not waited:
            waited = 0.0 if self._pool.read(_SILENCE) else _SILENCE
        end = self._count(messages)
        return Measurement(
            messages=messages,
            deliveries=(end.line_ends - start.line_ends) // self._line_ends,
            lost=(goal - end.line_ends) // self._line_ends,
            seconds=end.wall - start.wall - waited,
            server_cpu=end.server_cpu - start.server_cpu,
            load_cpu=end.load_cpu - start.load_cpu,
            core_busy=end.core_busy - start.core_busy,
            latencies=tuple(self._latencies),
            rss_kib=machine.rss_kib(self._server.pid),
            other_cpu=[b - a for a, b in zip(start.other_cpu, end.other_cpu, strict=True)],
        )


@dataclass(frozen=True, slots=True)
class _Counters:
    """The counters at one moment; times are in seconds."""

    wall: float
    server_cpu: float
    other_cpu: Sequence[float]
    load_cpu: float
    core_busy: float
    messages: int
    line_ends: int

    @classmethod
    def now(
        cls, server: RunningServer, other_pids: Sequence[int], messages: int, line_ends: int
    ) -> Self:
        return cls(
            time.perf_counter(),
            machine.cpu_seconds(server.pid),
            [machine.cpu_seconds(pid) for pid in other_pids],
            time.process_time(),
            machine.core_seconds(server.core),
            messages,
            line_ends,
        )
