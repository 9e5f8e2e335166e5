"""The work that a crowd does: messages, numbered and timed, in a closed loop or at a fixed rate.

It knows when a message was sent and when it was heard; it knows nothing of servers but how much CPU
time they used.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from bench import machine
from bench.client_pool import Crowd, Member
from bench.figures import percentile
from bench.servers import Running

#: Bytes of one line that is sent, its end included.
LINE_BYTES = 64
#: Seconds without any news after which what is still missing counts as lost.
_SILENCE = 2.0

_NUMBER = re.compile(rb"#(\d{9}) ")


def text_of(number: int) -> bytes:
    """The text of a message: its number, and what fills the line."""
    return (b"#%09d " % number).ljust(LINE_BYTES - 1, b"x")


@dataclass(frozen=True, slots=True)
class Span:
    """What was measured over one span of work; times are in seconds."""

    messages: int
    deliveries: int
    lost: int
    seconds: float
    server_cpu: float
    load_cpu: float
    core_busy: float
    latencies: Sequence[float]
    rss_kib: int
    #: CPU time of the other processes that take part, in their order.
    beside: Sequence[float] = ()

    @property
    def rate(self) -> float:
        """Deliveries a second."""
        return self.deliveries / self.seconds

    @property
    def cost(self) -> float:
        """Server CPU time of a delivery, in µs."""
        return self.server_cpu / max(1, self.deliveries) * 1e6

    @property
    def server(self) -> float:
        """How much of a core the server used."""
        return self.server_cpu / self.seconds

    @property
    def load(self) -> float:
        """How much of its core the load side used."""
        return self.load_cpu / self.seconds

    @property
    def others(self) -> float:
        """How much of the server's core something else used."""
        return max(0.0, self.core_busy - self.server_cpu) / self.seconds

    def latency(self, percent: float) -> float:
        """A percentile of the latencies, in ms."""
        return percentile(self.latencies, percent) * 1e3


class _Witness:
    """Reads the numbers of the messages that one member hears."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._rest = b""

    def heard(self, text: bytes) -> None:
        whole, end, self._rest = (self._rest + text).rpartition(b"\n")
        if end:
            self._load.heard([int(number) for number in _NUMBER.findall(whole)])


class Load:
    """What the senders say, and when the witnesses hear it.

    Of the deliveries only line ends are counted, but the witnesses, a few members, read everything:
    a message is acknowledged when all witnesses of its room have it, and latencies are theirs.
    That is the same for servers that send people their own words and for those that do not.
    ``audience`` is how many people are in each room, ``beside`` the processes that take part
    besides the server's.
    """

    def __init__(
        self,
        crowd: Crowd,
        server: Running,
        audience: int,
        witnesses: Sequence[Member],
        a_room: int,
        beside: Sequence[int] = (),
    ) -> None:
        self._crowd, self._server, self._beside = crowd, server, beside
        dialect = crowd.dialect
        self._a_message = (audience if dialect.echoes else audience - 1) * dialect.line_ends
        self._line_ends = dialect.line_ends
        self._a_room = a_room
        for witness in witnesses:
            crowd.listen(witness, _Witness(self).heard)
        self._sent: list[float] = []
        self._from: list[int] = []
        self._missing: list[int] = []
        self._latencies: list[float] = []
        self._may: list[int] = []

    @classmethod
    def of_one_room(
        cls,
        crowd: Crowd,
        server: Running,
        members: Sequence[Member],
        senders: int,
        beside: Sequence[int] = (),
    ) -> Self:
        """A load in one room, whose first members are the senders."""
        listeners = members[senders:]
        some = sorted({0, len(listeners) // 3, 2 * len(listeners) // 3, len(listeners) - 1})
        witnesses = [listeners[at] for at in some]
        return cls(crowd, server, len(members), witnesses, len(witnesses), beside)

    def heard(self, numbers: Sequence[int]) -> None:
        """A witness has these messages now."""
        now = time.perf_counter()
        for number in numbers:
            self._latencies.append(now - self._sent[number])
            self._missing[number] -= 1
            if not self._missing[number]:
                self._may[self._from[number]] += 1

    def _say(self, sender: Member, which: int, count: int) -> None:
        now = time.perf_counter()
        first = len(self._sent)
        self._sent += [now] * count
        self._from += [which] * count
        self._missing += [self._a_room] * count
        sender.say(text_of(number) for number in range(first, first + count))

    # Two kinds of work ----------------------------------------------------------------------------

    def flood(self, senders: Sequence[Member], window: int, seconds: float) -> Span:
        """Let each sender have so many unacknowledged messages all the time."""
        start = self._start(len(senders), window)
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            for which, count in enumerate(self._may):
                if count:
                    self._may[which] = 0
                    self._say(senders[which], which, count)
            if not self._crowd.read(_SILENCE):
                break
        return self._end(start)

    def keep_pace(self, senders: Sequence[Member], rate: float, seconds: float) -> Span:
        """Let the senders say, in turn, so many messages a second in all."""
        start = self._start(len(senders), 0)
        begun, said = time.perf_counter(), 0
        while (now := time.perf_counter()) < begun + seconds:
            due = int((now - begun) * rate) + 1
            for turn in range(said, due):
                self._say(senders[turn % len(senders)], turn % len(senders), 1)
            said = due
            self._crowd.read(max(0.0, begun + said / rate - time.perf_counter()))
        return self._end(start)

    def _start(self, senders: int, window: int) -> _Counters:
        self._crowd.settle()
        self._may = [window] * senders
        self._latencies = []
        return self._count(len(self._sent))

    def _count(self, messages: int) -> _Counters:
        return _Counters.now(self._server, self._beside, messages, self._crowd.line_ends)

    def _end(self, start: _Counters) -> Span:
        """Read what is still on its way, and measure."""
        messages = len(self._sent) - start.messages
        goal = start.line_ends + messages * self._a_message
        waited = 0.0
        while self._crowd.line_ends < goal and not waited:
            waited = 0.0 if self._crowd.read(_SILENCE) else _SILENCE
        end = self._count(messages)
        return Span(
            messages=messages,
            deliveries=(end.line_ends - start.line_ends) // self._line_ends,
            lost=(goal - end.line_ends) // self._line_ends,
            seconds=end.wall - start.wall - waited,
            server_cpu=end.server_cpu - start.server_cpu,
            load_cpu=end.load_cpu - start.load_cpu,
            core_busy=end.core_busy - start.core_busy,
            latencies=tuple(self._latencies),
            rss_kib=machine.rss_kib(self._server.pid),
            beside=[b - a for a, b in zip(start.beside, end.beside, strict=True)],
        )


@dataclass(frozen=True, slots=True)
class _Counters:
    """Where the counters stood."""

    wall: float
    server_cpu: float
    beside: Sequence[float]
    load_cpu: float
    core_busy: float
    messages: int
    line_ends: int

    @classmethod
    def now(cls, server: Running, beside: Sequence[int], messages: int, line_ends: int) -> Self:
        return cls(
            time.perf_counter(),
            machine.cpu_seconds(server.pid),
            [machine.cpu_seconds(pid) for pid in beside],
            time.process_time(),
            machine.core_seconds(server.core),
            messages,
            line_ends,
        )
