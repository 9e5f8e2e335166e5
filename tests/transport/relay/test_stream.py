"""Streams between two servers: all bytes arrive in order, however they are cut, or it fails."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.limits import LINE_BYTES
from chatd.cluster.bus import State
from chatd.transport.relay.replay import ReplayBuffer
from chatd.transport.relay.stream import (
    ACKNOWLEDGE_BYTES,
    MESSAGE_BYTES,
    WINDOW_BYTES,
    Stream,
)


class End:
    """One end of a stream, its owner and its listener; it consumes nothing until `consume`."""

    def __init__(self) -> None:
        self.stream = Stream("a line", "s1", self)
        self.messages: deque[State] = deque()
        self.received_data = b""
        self.unconsumed = 0
        self.words: list[tuple[str, list[Any]]] = []
        self.failures = self.writable_times = 0
        self.closings = 0
        self.stream.listen(self)

    # The owner of the stream

    def send(self, stream: Stream, message: State) -> None:
        self.messages.append(json.loads(json.dumps(message)))

    def acknowledge_later(self, stream: Stream) -> None:
        """Do nothing: tests acknowledge themselves."""

    def closed(self, stream: Stream) -> None:
        self.closings += 1

    # The listener of the stream

    def received(self, data: bytes) -> None:
        self.received_data += data
        self.unconsumed += len(data)

    def control(self, word: str, values: list[Any]) -> None:
        self.words.append((word, values))

    def writable(self) -> None:
        self.writable_times += 1

    def failed(self, dead: bool) -> None:
        self.failures += 1

    def hang_up(self, sentence: str) -> None:
        raise AssertionError("nobody hangs up")

    def silence(self) -> float:
        return 0.0

    # The test

    def consume(self, size: int) -> None:
        """Consume so many of the bytes that arrived, or all."""
        size = min(size, self.unconsumed)
        self.unconsumed -= size
        self.stream.consumed(size)


def deliver(one: End, other: End) -> None:
    """Deliver all messages, in both directions."""
    while one.messages or other.messages:
        for sender, receiver in ((one, other), (other, one)):
            while sender.messages:
                receiver.stream.take(sender.messages.popleft())


PIECES = st.lists(st.binary(max_size=WINDOW_BYTES + 10) | st.binary(max_size=20), max_size=8)


@given(PIECES, PIECES, st.lists(st.integers(0, WINDOW_BYTES), max_size=12))
def test_any_cutting_of_bytes_arrives_whole_in_both_directions(
    there: list[bytes], back: list[bytes], takes: list[int]
) -> None:
    one, other = End(), End()
    steps = deque(takes)
    for number in range(max(len(there), len(back))):
        for end, pieces in ((one, there), (other, back)):
            if number < len(pieces):
                end.stream.write(pieces[number])
        deliver(one, other)
        if steps:
            other.consume(steps.popleft())
        assert other.unconsumed <= WINDOW_BYTES
        assert one.unconsumed <= WINDOW_BYTES
    while one.unconsumed or other.unconsumed or one.stream.pending or other.stream.pending:
        for end in (one, other):
            end.consume(WINDOW_BYTES)
            end.stream.acknowledge()
        deliver(one, other)
    assert other.received_data == b"".join(there)
    assert one.received_data == b"".join(back)
    assert not one.failures + other.failures


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=2, max_size=8), st.data())
def test_a_lost_message_fails_the_stream_and_nothing_after_it_arrives(
    pieces: list[bytes], data: st.DataObject
) -> None:
    one, other = End(), End()
    lost = data.draw(st.integers(0, len(pieces) - 2))
    for piece in pieces:
        one.stream.write(piece)
    del one.messages[lost]
    deliver(one, other)
    assert other.received_data == b"".join(pieces[:lost])
    assert (other.failures, other.closings, other.stream.over) == (1, 1, True)


def test_at_most_a_window_is_in_flight() -> None:
    one, other = End(), End()
    assert one.stream.send(b"x" * (WINDOW_BYTES + 1)) == WINDOW_BYTES
    assert one.stream.full
    assert all(len(said["data"]) <= MESSAGE_BYTES * 4 // 3 + 4 for said in one.messages)
    one.stream.write(b"y")
    assert one.stream.pending == 1
    deliver(one, other)
    assert len(other.received_data) == WINDOW_BYTES
    other.consume(ACKNOWLEDGE_BYTES)
    deliver(one, other)
    assert (one.stream.pending, other.received_data[-1:], one.writable_times) == (0, b"y", 1)


def test_a_server_that_exceeds_the_window_fails_the_stream() -> None:
    one, other = End(), End()
    one.stream.write(b"x" * WINDOW_BYTES)
    deliver(one, other)
    other.stream.take({"line": "a line", "n": other.stream.seen + 1, "took": 0, "data": "eHg="})
    assert other.failures == 1
    assert len(other.received_data) == WINDOW_BYTES


def test_a_last_word_follows_queued_bytes_and_other_words_overtake_them() -> None:
    one, other = End(), End()
    one.stream.write(b"x" * (WINDOW_BYTES + 1))
    one.stream.send_last_word("end")
    one.stream.send_word("size", 90, 20)
    deliver(one, other)
    assert other.words == [("size", [90, 20])]
    other.consume(WINDOW_BYTES)
    deliver(one, other)
    assert other.words == [("size", [90, 20]), ("end", [])]
    assert len(other.received_data) == WINDOW_BYTES + 1


def test_late_acknowledgements_count() -> None:
    one, other = End(), End()
    one.stream.write(b"hello")
    deliver(one, other)
    other.consume(5)
    deliver(one, other)
    assert one.stream.in_flight == 5
    other.stream.acknowledge()
    deliver(one, other)
    assert (one.stream.in_flight, one.stream.acknowledged) == (0, 5)


@given(st.lists(st.sampled_from([b"a", b"bc", b"\r", b"d\r", b"\x03"]), max_size=12), st.data())
def test_the_replay_is_what_follows_the_last_acknowledged_line(
    pieces: list[bytes], data: st.DataObject
) -> None:
    typed, whole = ReplayBuffer(), b""
    taken = 0
    for piece in pieces:
        whole += piece
        typed.add(piece, taken)
        taken = data.draw(st.integers(taken, len(whole)))
    done = max(whole[:taken].rfind(end) for end in (b"\r", b"\x03")) + 1
    assert typed.rest(taken) == whole[done:]


def test_the_replay_of_a_line_without_an_end_is_bounded() -> None:
    typed = ReplayBuffer()
    typed.add(b"x" * LINE_BYTES, 0)
    assert len(typed.rest(LINE_BYTES)) == LINE_BYTES
    typed.add(b"x", LINE_BYTES + 1)
    assert typed.rest(LINE_BYTES + 1) == b""


def test_secrets_are_not_replayed() -> None:
    typed = ReplayBuffer()
    typed.hidden = True
    typed.add(b"swordf", 0)
    assert typed.rest(0) == b""
