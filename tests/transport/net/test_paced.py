"""Paced outbox: messages in writes of their own, some time apart."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from chatd.transport.net.outbox import STALLED, StreamOutbox
from chatd.transport.net.paced import MAX_WAITING, PacedOutbox

SECONDS = 0.06


class Transport:
    """A stream that keeps each write with its time, and is closed when it is told so."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.writes: list[tuple[float, bytes]] = []
        self.closed = self.aborted = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.writes.append((self.clock.seconds(), data))

    def loseConnection(self) -> None:
        self.closed = True

    def abortConnection(self) -> None:
        self.aborted = True

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Do nothing."""

    def unregisterProducer(self) -> None:
        """Do nothing."""

    def pauseProducing(self) -> None:
        """Do nothing."""

    def resumeProducing(self) -> None:
        """Do nothing."""


class Connection:
    """A paced outbox before a stream."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.transport = Transport(self.clock)
        self.ready = 0
        self.behind = StreamOutbox(self.transport, self.clock, self._behind_ready)
        self.outbox = PacedOutbox(self.behind, self.clock, SECONDS, self._ready)

    def _ready(self) -> None:
        self.ready += 1

    def _behind_ready(self) -> None:
        self.outbox.ready()

    @property
    def written(self) -> list[bytes]:
        return [data for _, data in self.transport.writes]


def test_each_line_is_a_write_of_its_own_some_time_after_the_one_before() -> None:
    one = Connection()
    assert one.outbox.send(b"a\nb\nc\n") == 6
    assert one.written == [b"a\n"]
    one.clock.advance(SECONDS / 2)
    one.outbox.write(b"d\n")
    assert one.written == [b"a\n"]
    one.clock.pump([SECONDS / 2] * 4)
    assert one.written == [b"a\n", b"b\n", b"c\n"]
    one.clock.pump([SECONDS] * 5)
    assert one.written == [b"a\n", b"b\n", b"c\n", b"d\n"]
    assert not one.clock.getDelayedCalls()


def test_the_time_counts_from_the_actual_write() -> None:
    one = Connection()
    one.outbox.write(b"a\nb\nc\n")
    one.clock.advance(10 * SECONDS)  # the server was busy
    assert one.written == [b"a\n", b"b\n"]
    one.clock.advance(SECONDS)
    assert one.written == [b"a\n", b"b\n", b"c\n"]


def test_it_is_full_until_messages_have_been_written() -> None:
    one = Connection()
    assert one.outbox.send(b"x\n" * MAX_WAITING) == 2 * MAX_WAITING  # the first is written
    assert not one.outbox.full
    assert one.outbox.send(b"y\n") == STALLED
    assert one.outbox.full
    assert one.outbox.pending == 2 * MAX_WAITING
    one.outbox.stalled(b"y\n", STALLED)
    one.clock.advance(SECONDS)
    assert not one.outbox.full
    assert one.ready == 1
    one.clock.pump([SECONDS] * MAX_WAITING)
    assert one.written == [b"x\n"] * MAX_WAITING + [b"y\n"]
    assert one.ready == 1


def test_a_stream_that_takes_nothing_holds_the_messages_back() -> None:
    one = Connection()
    one.behind.pauseProducing()
    assert one.outbox.send(b"a\nb\n") == STALLED
    one.clock.advance(1)
    assert one.written == []
    one.behind.resumeProducing()
    assert one.written == [b"a\n"]
    assert one.ready == 1
    one.clock.advance(SECONDS)
    assert one.written == [b"a\n", b"b\n"]


def test_closing_writes_what_waits_in_its_turn() -> None:
    one = Connection()
    one.outbox.write(b"a\nb\n"), one.outbox.close()
    assert not one.transport.closed
    one.clock.advance(SECONDS)
    assert one.written == [b"a\n", b"b\n"]
    assert one.transport.closed
    assert not one.clock.getDelayedCalls()


def test_closing_with_nothing_waiting_closes_at_once() -> None:
    for messages in (b"", b"a\n"):
        one = Connection()
        one.outbox.write(messages), one.outbox.close()
        assert one.transport.closed
        assert not one.clock.getDelayedCalls()


def test_a_connection_that_is_gone_or_aborted_leaves_no_timer() -> None:
    for end in ("forget", "abort"):
        one = Connection()
        one.outbox.write(b"a\nb\n"), getattr(one.outbox, end)()
        assert not one.clock.getDelayedCalls()
        assert one.transport.aborted is (end == "abort")


def test_released_it_writes_everything_at_once() -> None:
    one = Connection()
    one.outbox.write(b"a\nb\n")
    assert one.outbox.release() is one.behind
    assert one.written == [b"a\n", b"b\n"]
    assert not one.clock.getDelayedCalls()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 10))))
def test_no_message_is_lost_and_none_comes_too_soon(steps: list[tuple[int, int]]) -> None:
    one, sent = Connection(), list[bytes]()
    for count, ticks in steps:
        for _ in range(count):
            sent.append(b"%d\n" % len(sent))
            one.outbox.write(sent[-1])
        one.clock.advance(ticks * SECONDS / 4)
    one.clock.pump([SECONDS] * (len(sent) + 1))
    assert one.written == sent
    times = [time for time, _ in one.transport.writes]
    assert all(later - earlier > SECONDS * 0.999 for earlier, later in pairwise(times))
