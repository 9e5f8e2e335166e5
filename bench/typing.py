"""Terminal benchmark: memory of a terminal, messages above a half typed line, and keys.

It runs without sockets, in this process; each figure is compared with that of plain lines.  It
knows `chatd.transport.conversation.terminal` and how to measure time and memory.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import cast

from twisted.internet.task import Clock

from bench.figures import median, ratio, shown, table
from chatd.transport.conversation.conversation import Conversation
from chatd.transport.conversation.display import Plain
from chatd.transport.conversation.terminal import Terminal
from chatd.transport.net.outbox import Outbox
from chatd.transport.net.turns import Turns
from chatd.wire.line import LineCodec

COLUMNS, ROWS = 80, 24

#: Half typed lines of 80 cells.
LINES = {
    "English": ("the quick brown fox jumps over the lazy dog " * 2)[:80],
    "Chinese": "天地玄黃宇宙洪荒日月盈昃辰宿列張" * 2 + "寒來暑往秋收冬藏",
    "accents of their own": "cafe\u0301 nai\u0308f " * 8,
    "emoji": "ok \U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467 " * 8,
}

#: A message of the usual length.
_MESSAGE = b"bob: " + b"x" * 59 + b"\r\n"


class _UnlimitedOutbox:
    """An outbox that accepts everything, and a conversation around it without a session."""

    full = lost = False
    pending = 0
    session = None

    @property
    def outbox(self) -> Outbox:
        """Return itself."""
        return cast(Outbox, self)

    def send(self, data: bytes) -> int:
        """Accept it."""
        return len(data)

    def write(self, data: bytes) -> None:
        """Accept it."""

    def stalled(self, data: bytes, taken: int) -> None:
        """Never called."""

    def check(self) -> None:
        """Do nothing: nothing is ever full."""

    def pause(self, paused: bool) -> None:
        """Do nothing: nothing is read."""

    def line(self, text: str) -> None:
        """Ignore the line."""


_CLOCK = Clock()


def _new_terminal(clock: Clock, conversation: Conversation) -> Terminal:
    return Terminal(conversation, clock, Turns(clock), COLUMNS, ROWS, colours=256)


def _terminal(line: str = "", back: int = 0) -> Terminal:
    """Return a terminal with a half typed line, the cursor ``back`` characters before its end."""
    made = _new_terminal(_CLOCK, cast(Conversation, _UnlimitedOutbox()))
    made.refresh()
    made.receive(line.encode())
    made.receive(b"\x02" * back)
    return made


def _cost(step: Callable[[], object], times: int) -> float:
    """Return the CPU time of one step, in µs."""
    spans = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(times):
            step()
        spans.append((time.process_time() - began) / times * 1e6)
    return median(spans)


def memory(idle: int) -> str:
    """Measure the memory of ``idle`` terminals on which one line was sent."""
    conversations = [cast(Conversation, _UnlimitedOutbox()) for _ in range(idle)]
    makes: dict[str, Callable[[Conversation], object]] = {
        "a terminal": partial(_new_terminal, _CLOCK),
        "plain lines": lambda each: (Plain(each.outbox), LineCodec()),
    }
    rows = []
    for name, make in makes.items():
        gc.collect()
        tracemalloc.start()
        kept = [make(each) for each in conversations]
        for each in kept:
            if isinstance(each, Terminal):
                each.refresh()
                each.receive(b"hello\r")
        gc.collect()
        size, _peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        rows.append((name, size / idle))
    plain = rows[-1][1]
    return table(
        [f"{idle} where nothing is typed", "bytes each", "/ plain lines"],
        [[name, shown(size, 0), shown(ratio(size, plain))] for name, size in rows],
    )


def messages(times: int) -> str:
    """Measure showing a message above a half typed line."""
    outbox = _UnlimitedOutbox()
    rows = [("plain lines", _cost(partial(outbox.send, _MESSAGE), times))]
    for name, line in (("nothing", ""), *LINES.items()):
        for back in (0, 40) if line else (0,):
            where = ", cursor within it" if back else ""
            terminal = _terminal(line, back)
            rows.append((name + where, _cost(partial(terminal.send, _MESSAGE), times)))
    plain = rows[0][1]
    return table(
        ["a message above", "µs", "more µs", "/ plain lines"],
        [
            [name, shown(cost, 3), shown(cost - plain, 3), shown(ratio(cost, plain))]
            for name, cost in rows
        ],
    )


def keys(times: int) -> str:
    """Measure the cost of keys: one that types, one that deletes, and two that move."""
    codec, outbox = LineCodec(), _UnlimitedOutbox()

    def plain_keys() -> None:
        for key in (b"x", b"\n"):
            codec.receive_data(key)
            outbox.write(key)

    plain = _cost(plain_keys, times) / 2
    rows = [["plain lines", shown(plain), "-", "-", "1.00"]]
    for name, line in LINES.items():
        costs = []
        for back, pressed in ((0, b"x\x7f"), (20, b"x\x7f"), (20, b"\x02\x06")):
            terminal = _terminal(line, back)
            one, other = pressed[:1], pressed[1:]

            def press(
                terminal: Terminal = terminal, one: bytes = one, other: bytes = other
            ) -> None:
                terminal.receive(one)
                terminal.receive(other)

            costs.append(_cost(press, times) / 2)
        rows.append([name, *map(shown, costs), shown(ratio(max(costs), plain))])
    headings = ["a key in a line of 80 cells, µs", "at its end", "within it", "moving", "/ plain"]
    return table(headings, rows)


def typing(idle: int, times: int) -> str:
    """Run all terminal benchmarks."""
    return "\n\n".join((memory(idle), messages(times), keys(times)))
