"""A line between two servers: any bytes arrive whole and in order, however cut, or it breaks."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.limits import LINE_BYTES
from chatd.transport.relay.replay import ReplayBuffer
from chatd.transport.relay.stream import DUE_BYTES, MESSAGE_BYTES, WINDOW_BYTES, State, Stream


class End:
    """One end of a line, and whoever is there; it takes nothing until it is told to."""

    def __init__(self) -> None:
        self.line = Stream("a line", "s1", self)
        self.letters: deque[State] = deque()
        self.got = b""
        self.untaken = 0
        self.words: list[tuple[str, list[Any]]] = []
        self.breaks = self.roomy_times = 0
        self.ends = 0
        self.line.listen(self)

    # The office
    def tell(self, line: Stream, said: State) -> None:
        self.letters.append(json.loads(json.dumps(said)))

    def owes(self, line: Stream) -> None:
        """Nothing waits for the clock here."""

    def ended(self, line: Stream) -> None:
        self.ends += 1

    # The listener
    def came(self, data: bytes) -> None:
        self.got += data
        self.untaken += len(data)

    def told(self, word: str, values: list[Any]) -> None:
        self.words.append((word, values))

    def roomy(self) -> None:
        self.roomy_times += 1

    def broken(self, dead: bool) -> None:
        self.breaks += 1

    def hang_up(self, sentence: str) -> None:
        raise AssertionError("nobody hangs up")

    def takes(self, size: int) -> None:
        size = min(size, self.untaken)
        self.untaken -= size
        self.line.took(size)


def deliver(one: End, other: End) -> None:
    """Let arrive what both have said."""
    while one.letters or other.letters:
        for sender, addressee in ((one, other), (other, one)):
            while sender.letters:
                addressee.line.take(sender.letters.popleft())


PIECES = st.lists(st.binary(max_size=WINDOW_BYTES + 10) | st.binary(max_size=20), max_size=8)


@given(PIECES, PIECES, st.lists(st.integers(0, WINDOW_BYTES), max_size=12))
def test_any_cutting_of_bytes_arrives_whole_both_ways(
    there: list[bytes], back: list[bytes], takes: list[int]
) -> None:
    one, other = End(), End()
    steps = deque(takes)
    for number in range(max(len(there), len(back))):
        for end, pieces in ((one, there), (other, back)):
            if number < len(pieces):
                end.line.write(pieces[number])
        deliver(one, other)
        if steps:
            other.takes(steps.popleft())
        assert other.untaken <= WINDOW_BYTES
        assert one.untaken <= WINDOW_BYTES
    while one.untaken or other.untaken or one.line.pending or other.line.pending:
        for end in (one, other):
            end.takes(WINDOW_BYTES)
            end.line.acknowledge()
        deliver(one, other)
    assert other.got == b"".join(there)
    assert one.got == b"".join(back)
    assert not one.breaks + other.breaks


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=2, max_size=8), st.data())
def test_a_message_that_is_lost_breaks_the_line_and_nothing_after_it_arrives(
    pieces: list[bytes], data: st.DataObject
) -> None:
    one, other = End(), End()
    lost = data.draw(st.integers(0, len(pieces) - 2))
    for piece in pieces:
        one.line.write(piece)
    del one.letters[lost]
    deliver(one, other)
    assert other.got == b"".join(pieces[:lost])
    assert (other.breaks, other.ends, other.line.over) == (1, 1, True)


def test_a_window_is_under_way_and_not_a_byte_more() -> None:
    one, other = End(), End()
    assert one.line.send(b"x" * (WINDOW_BYTES + 1)) == WINDOW_BYTES
    assert one.line.full
    assert all(len(said["data"]) <= MESSAGE_BYTES * 4 // 3 + 4 for said in one.letters)
    one.line.write(b"y")
    assert one.line.pending == 1
    deliver(one, other)
    assert len(other.got) == WINDOW_BYTES
    other.takes(DUE_BYTES)
    deliver(one, other)
    assert (one.line.pending, other.got[-1:], one.roomy_times) == (0, b"y", 1)


def test_a_server_that_sends_more_than_the_window_is_not_listened_to() -> None:
    one, other = End(), End()
    one.line.write(b"x" * WINDOW_BYTES)
    deliver(one, other)
    other.line.take({"line": "a line", "n": other.line.heard + 1, "took": 0, "data": "eHg="})
    assert other.breaks == 1
    assert len(other.got) == WINDOW_BYTES


def test_a_last_word_follows_all_that_waits_and_other_words_overtake_it() -> None:
    one, other = End(), End()
    one.line.write(b"x" * (WINDOW_BYTES + 1))
    one.line.say_last("end")
    one.line.say("size", 90, 20)
    deliver(one, other)
    assert other.words == [("size", [90, 20])]
    other.takes(WINDOW_BYTES)
    deliver(one, other)
    assert other.words == [("size", [90, 20]), ("end", [])]
    assert len(other.got) == WINDOW_BYTES + 1


def test_what_is_acknowledged_late_is_not_under_way_for_who_asks_later() -> None:
    one, other = End(), End()
    one.line.write(b"hello")
    deliver(one, other)
    other.takes(5)
    deliver(one, other)
    assert one.line.under_way == 5
    other.line.acknowledge()
    deliver(one, other)
    assert (one.line.under_way, one.line.arrived) == (0, 5)


@given(st.lists(st.sampled_from([b"a", b"bc", b"\r", b"d\r", b"\x03"]), max_size=12), st.data())
def test_what_was_typed_and_not_done_is_what_follows_the_last_line_that_was_taken(
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


def test_of_a_line_without_an_end_only_so_much_is_kept() -> None:
    typed = ReplayBuffer()
    typed.add(b"x" * LINE_BYTES, 0)
    assert len(typed.rest(LINE_BYTES)) == LINE_BYTES
    typed.add(b"x", LINE_BYTES + 1)
    assert typed.rest(LINE_BYTES + 1) == b""


def test_a_secret_is_not_kept() -> None:
    typed = ReplayBuffer()
    typed.hidden = True
    typed.add(b"swordf", 0)
    assert typed.rest(0) == b""
