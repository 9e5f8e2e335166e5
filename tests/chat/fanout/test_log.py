"""The room log renders an event once per style, hands out chunks and forgets on request."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.events import Entry, PersonalEvent, Said
from chatd.chat.fanout.log import ProgramStyle, RoomLog
from chatd.chat.limits import CHUNK_BYTES, LOG_BYTES, LOG_EVENTS, LOG_STYLES


class Counting(ProgramStyle):
    """A style that counts how often it renders each event."""

    def __init__(self) -> None:
        self.rendered: Counter[int] = Counter()

    def render(self, entry: Entry, mentioned: bool = False) -> bytes:
        self.rendered[entry.number] += 1
        assert isinstance(entry.event, Said)
        return entry.event.text.encode()

    def render_personal(self, event: PersonalEvent) -> bytes:
        return b""


def log_of(*texts: str) -> RoomLog:
    log = RoomLog()
    for number, text in enumerate(texts):
        log.append(Entry("lobby", number, "ada", Said(0.0, "ada", text)))
    return log


def test_an_event_is_rendered_once_per_style_however_often_it_is_read() -> None:
    log, one, other = log_of("a", "b", "c"), Counting(), Counting()
    for start in (0, 0, 1, 2):
        log.chunk(one, start), log.chunk(other, start)
    log.append(Entry("lobby", 3, "ada", Said(0.0, "ada", "d")))
    assert log.chunk(one, 0) == (b"abcd", 4)
    assert set(one.rendered.values()) == {1}
    assert other.rendered == Counter({0: 1, 1: 1, 2: 1})


def test_a_chunk_is_filled_to_its_bound_and_not_past_it() -> None:
    log = log_of("x" * (CHUNK_BYTES - 1), "y", "z")
    assert log.chunk(Counting(), 0) == (b"x" * (CHUNK_BYTES - 1) + b"y", 2)
    assert log.chunk(Counting(), 2) == (b"z", 3)


def test_an_event_longer_than_a_chunk_comes_alone() -> None:
    log = log_of("x" * (CHUNK_BYTES + 1), "y")
    assert log.chunk(Counting(), 0) == (b"x" * (CHUNK_BYTES + 1), 1)


@given(st.lists(st.integers(0, 40_000), max_size=12), st.integers(0, 12))
def test_the_chunks_from_a_position_on_are_all_that_was_said_from_there(
    sizes: list[int], at: int
) -> None:
    texts = [str(number % 10) * size for number, size in enumerate(sizes)]
    log, style = log_of(*texts), Counting()
    position, read = min(at, len(texts)), b""
    while position < log.end:
        data, further = log.chunk(style, position)
        assert further > position
        read, position = read + data, further
    assert read == "".join(texts[at:]).encode()


def test_forgotten_events_are_gone_and_positions_stay() -> None:
    log, style = log_of("a", "b", "c"), Counting()
    log.chunk(style, 0), log.forget(2)
    assert (log.first, log.end, len(log)) == (2, 3, 1)
    assert log.chunk(style, 2) == (b"c", 3)
    log.forget(3), log.forget(1)
    assert (log.first, log.end, len(log)) == (3, 3, 0)


def test_a_log_is_large_at_its_bounds() -> None:
    assert not log_of(*["a"] * (LOG_EVENTS - 1)).is_large
    assert log_of(*["a"] * LOG_EVENTS).is_large
    log, style = log_of("x" * LOG_BYTES), Counting()
    log.chunk(style, 0)
    assert not log.is_large
    log.append(Entry("lobby", 1, "ada", Said(0.0, "ada", "x")))
    log.chunk(style, 1)
    assert log.is_large


def test_many_styles_together_have_a_bound_of_their_own() -> None:
    log, first, last = log_of("x" * (LOG_BYTES // 2), "y"), Counting(), Counting()
    for style in (first, *(Counting() for _ in range(2 * LOG_STYLES - 2)), last):
        log.chunk(style, 0)
    log.chunk(first, 0), log.chunk(last, 0)
    assert (first.rendered[0], last.rendered[0]) == (2, 1)  # the others were dropped for the last
    assert not log.is_large  # events are not forgotten for the number of styles
    assert log.chunk(first, 1) == (b"y", 2)


def test_a_style_renders_only_what_its_listeners_have_not_been_sent() -> None:
    log, style = log_of("a", "b", "c"), Counting()
    assert log.chunk(style, 2) == (b"c", 3)
    assert style.rendered == Counter({2: 1})
    assert log.chunk(style, 1) == (b"bc", 3)  # one of them is behind after all
    assert log.piece(style, 2) == b"c"
    assert style.rendered == Counter({1: 1, 2: 2})
    log.forget(2)
    for number, text in ((3, "d"), (4, "e")):
        log.append(Entry("lobby", number, "ada", Said(0.0, "ada", text)))
    assert log.chunk(style, 4) == (b"e", 5)
    assert style.rendered[3] == 0
    assert log.chunk(style, 2) == (b"cde", 5)


def test_the_chunk_at_the_end_is_empty() -> None:
    log, style = log_of("a"), Counting()
    assert log.chunk(style, 1) == (b"", 1)
    assert log.entries(1) == []
    assert RoomLog().chunk(style, 0) == (b"", 0)


def test_events_that_a_style_does_not_show_are_skipped() -> None:
    log = log_of("", "a", "", "")
    assert log.chunk(Counting(), 0) == (b"a", 4)
    assert log.chunk(Counting(), 2) == (b"", 4)


def test_equal_styles_share_one_rendering() -> None:
    rendered: list[int] = []

    class Equal(Counting):
        def __eq__(self, other: object) -> bool:
            return isinstance(other, Equal)

        def __hash__(self) -> int:
            return 1

        def render(self, entry: Entry, mentioned: bool = False) -> bytes:
            rendered.append(entry.number)
            return super().render(entry, mentioned)

    log = log_of("a", "b")
    assert log.chunk(Equal(), 0) == log.chunk(Equal(), 0) == (b"ab", 2)
    assert rendered == [0, 1]


def test_a_log_is_no_longer_large_after_it_has_forgotten() -> None:
    log, style = log_of(*["a"] * LOG_EVENTS), Counting()
    log.forget(1)
    assert not log.is_large
    log = log_of("x" * LOG_BYTES, "y")
    log.chunk(style, 0), log.chunk(style, 1)
    assert log.is_large
    log.forget(1)
    assert not log.is_large
    assert log.chunk(style, 1) == (b"y", 2)
