"""Streams between two servers: all bytes arrive in order, however they are cut, or it fails."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.limits import LINE_BYTES
from chatd.transport.relay.replay import ReplayBuffer
from chatd.transport.relay.stream import (
    ACKNOWLEDGE_BYTES,
    MESSAGE_BYTES,
    WINDOW_BYTES,
    State,
    Stream,
)


class End:
    """One end of a stream, its owner and its listener; it consumes nothing until `takes`."""

    def __init__(self) -> None:
        self.stream = Stream("a line", "s1", self)
        self.letters: deque[State] = deque()
        self.got = b""
        self.untaken = 0
        self.words: list[tuple[str, list[Any]]] = []
        self.breaks = self.writable_times = 0
        self.ends = 0
        self.stream.listen(self)

    # The owner
    def send(self, stream: Stream, message: State) -> None:
        self.letters.append(json.loads(json.dumps(message)))

    def acknowledge_later(self, stream: Stream) -> None:
        """Do nothing: tests acknowledge themselves."""

    def closed(self, stream: Stream) -> None:
        self.ends += 1

    # The listener
    def received(self, data: bytes) -> None:
        self.got += data
        self.untaken += len(data)

    def control(self, word: str, values: list[Any]) -> None:
        self.words.append((word, values))

    def writable(self) -> None:
        self.writable_times += 1

    def failed(self, dead: bool) -> None:
        self.breaks += 1

    def hang_up(self, sentence: str) -> None:
        raise AssertionError("nobody hangs up")

    def silence(self) -> float:
        return 0.0

    def takes(self, size: int) -> None:
        size = min(size, self.untaken)
        self.untaken -= size
        self.stream.consumed(size)


def deliver(one: End, other: End) -> None:
    """Deliver all messages, in both directions."""
    while one.letters or other.letters:
        for sender, addressee in ((one, other), (other, one)):
            while sender.letters:
                addressee.stream.take(sender.letters.popleft())


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
            other.takes(steps.popleft())
        assert other.untaken <= WINDOW_BYTES
        assert one.untaken <= WINDOW_BYTES
    while one.untaken or other.untaken or one.stream.pending or other.stream.pending:
        for end in (one, other):
            end.takes(WINDOW_BYTES)
            end.stream.acknowledge()
        deliver(one, other)
    assert other.got == b"".join(there)
    assert one.got == b"".join(back)
    assert not one.breaks + other.breaks


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=2, max_size=8), st.data())
def test_a_lost_message_fails_the_stream_and_nothing_after_it_arrives(
    pieces: list[bytes], data: st.DataObject
) -> None:
    one, other = End(), End()
    lost = data.draw(st.integers(0, len(pieces) - 2))
    for piece in pieces:
        one.stream.write(piece)
    del one.letters[lost]
    deliver(one, other)
    assert other.got == b"".join(pieces[:lost])
    assert (other.breaks, other.ends, other.stream.over) == (1, 1, True)


def test_at_most_a_window_is_in_flight() -> None:
    one, other = End(), End()
    assert one.stream.send(b"x" * (WINDOW_BYTES + 1)) == WINDOW_BYTES
    assert one.stream.full
    assert all(len(said["data"]) <= MESSAGE_BYTES * 4 // 3 + 4 for said in one.letters)
    one.stream.write(b"y")
    assert one.stream.pending == 1
    deliver(one, other)
    assert len(other.got) == WINDOW_BYTES
    other.takes(ACKNOWLEDGE_BYTES)
    deliver(one, other)
    assert (one.stream.pending, other.got[-1:], one.writable_times) == (0, b"y", 1)


def test_a_server_that_exceeds_the_window_fails_the_stream() -> None:
    one, other = End(), End()
    one.stream.write(b"x" * WINDOW_BYTES)
    deliver(one, other)
    other.stream.take({"line": "a line", "n": other.stream.seen + 1, "took": 0, "data": "eHg="})
    assert other.breaks == 1
    assert len(other.got) == WINDOW_BYTES


def test_a_last_word_follows_queued_bytes_and_other_words_overtake_them() -> None:
    one, other = End(), End()
    one.stream.write(b"x" * (WINDOW_BYTES + 1))
    one.stream.send_last_word("end")
    one.stream.send_word("size", 90, 20)
    deliver(one, other)
    assert other.words == [("size", [90, 20])]
    other.takes(WINDOW_BYTES)
    deliver(one, other)
    assert other.words == [("size", [90, 20]), ("end", [])]
    assert len(other.got) == WINDOW_BYTES + 1


def test_late_acknowledgements_count() -> None:
    one, other = End(), End()
    one.stream.write(b"hello")
    deliver(one, other)
    other.takes(5)
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
