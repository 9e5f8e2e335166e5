"""Chat benchmark: the chat itself, in this process, without sockets, for clients that never block.

It knows the chat and how to measure its time and memory, but no server and no network.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar, cast

from bench.figures import median, shown, table
from bench.machine import rss_kib
from chatd.chat.actions.ignoring import ignore
from chatd.chat.actions.messages import say
from chatd.chat.chat import Chat
from chatd.chat.entry.entrance import Visitor
from chatd.chat.model.client import ALIVE, DeliveryReport
from chatd.chat.model.entities import Session
from chatd.chat.model.preferences import THEMES, TIMES, Preferences
from chatd.chat.options import Environment
from chatd.chat.peers import ALONE
from chatd.cluster.bus import Bus
from chatd.cluster.cluster import Cluster
from chatd.store.memory import MemoryStore
from chatd.terminal.preferred import style_for
from chatd.terminal.style import TextStyle
from chatd.terminal.text.colours import ALL, INDEXED
from chatd.transport.services.passwords import Argon2, PasswordThread

Result = TypeVar("Result")

#: Rooms of one member that each user of the room benchmark is in, besides the lobby.
ROOMS_EACH = 49


class UnlimitedClient:
    """A client whose connection accepts everything immediately."""

    echoes_input = copy_per_room = closes_on_gap = resumable = full = is_gone = shows_pending = (
        False
    )
    pending_bytes = 0

    def __init__(self, style: TextStyle) -> None:
        self._style = style

    def send(self, data: bytes) -> int:
        """Accept it."""
        return len(data)

    def style(self, preferences: Preferences) -> TextStyle:
        """Return the style that it was created with."""
        return self._style

    def stalled(self, data: bytes, taken: int) -> None:
        """Never called."""

    def write(self, data: bytes) -> None:
        """Accept it."""

    def delivery_report(self) -> DeliveryReport:
        return ALIVE

    def refocused(self) -> None:
        """Do nothing: there is no prompt."""

    def pending_changed(self) -> None:
        """Do nothing: nothing is ever unacknowledged here."""

    async def ask(self, question: str, *, secret: bool) -> tuple[str, float]:
        """Answer nothing: no user is here."""
        return "", 0.0

    def abort(self) -> None:
        """Do nothing: the connection stays."""

    def close(self) -> None:
        """Do nothing: nothing has to be closed."""

    def broken(self, bug: Exception) -> None:
        """A bug ends the benchmark."""
        raise bug


def result_of(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Return the result of a coroutine, which need not wait for a store in memory."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return cast(Result, done.value)
    raise AssertionError("a store in memory answers at once")


class ManualChat:
    """A chat whose scheduled calls run only in `run_scheduled`."""

    def __init__(self, bus: Bus | None = None) -> None:
        self._scheduled: list[Callable[[], None]] = []
        environment = Environment(
            schedule=self._scheduled.append,
            expire_later=lambda step: None,
            hasher=Argon2(PasswordThread(None)),
        )
        self._cluster = Cluster(bus, self._scheduled.append) if bus is not None else None
        self.chat = Chat(MemoryStore(0), environment, peers=self._cluster or ALONE)
        if self._cluster is not None:
            self._cluster.start(self.chat)

    @property
    def cluster(self) -> Cluster:
        """The other servers, where there are any."""
        assert self._cluster is not None
        return self._cluster

    def enter(self, nick: str, style: TextStyle) -> Session:
        """Let a user enter, and join the lobby."""
        session, _ = result_of(self.chat.enter(Visitor(nick), UnlimitedClient(style), 0.0))
        result_of(self.chat.join(session, "lobby", 0.0))
        return session

    def run_scheduled(self) -> tuple[int, float]:
        """Run scheduled calls until there are none.

        :return: the number of turns, and the seconds of the longest.
        """
        turns, longest = 0, 0.0
        while self._scheduled:
            steps, self._scheduled[:] = self._scheduled[:], []
            began = time.perf_counter()
            for step in steps:
                step()
            longest = max(longest, time.perf_counter() - began)
            turns += 1
        return turns, longest


def _full_lobby(styles: Iterable[TextStyle]) -> tuple[ManualChat, list[Session]]:
    manual = ManualChat()
    sessions = []
    for number, style in enumerate(styles):
        sessions.append(manual.enter(f"p{number}", style))
        if number % 1000 == 999:
            manual.run_scheduled()
    manual.run_scheduled()
    return manual, sessions


def _message_cost(manual: ManualChat, session: Session, text: str, messages: int) -> float:
    """Return the CPU time of sending a message to every member, in µs."""
    spans = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(messages):
            say(manual.chat, session, text, 0.0)
            manual.run_scheduled()
        spans.append((time.process_time() - began) / messages * 1e6)
    return median(spans)


def rendering(members: int, messages: int) -> str:
    """Measure a message by its receivers' number of styles, with mentions, and when ignored."""

    def of(count: int) -> list[TextStyle]:
        return [TextStyle(timezone=f"Z{number % count}") for number in range(members)]

    rows: list[tuple[str, float]] = []
    for styles in (1, 2, 10, 100):
        manual, sessions = _full_lobby(of(min(styles, members)))
        rows.append((f"{styles} styles", _message_cost(manual, sessions[0], "x" * 64, messages)))
    manual, sessions = _full_lobby([TextStyle(bell="on")] * members)
    rows.append(
        ("one is mentioned", _message_cost(manual, sessions[0], "p1: " + "x" * 60, messages))
    )
    for ignoring in (1, members // 10):
        manual, sessions = _full_lobby([TextStyle()] * members)
        for session in sessions[1 : 1 + ignoring]:
            ignore(manual.chat, session.person, sessions[-1].person.nick)
        cost = _message_cost(manual, sessions[0], "x" * 64, messages)
        rows.append((f"{ignoring} ignore somebody", cost))
    plain = rows[0][1]
    return table(
        [f"one message to {members} members", "µs", "more µs", "µs a member"],
        [
            [name, shown(cost, 1), shown(cost - plain, 1), shown(cost / members, 3)]
            for name, cost in rows
        ],
    )


#: The texts that are sent to a room of terminals.
_TEXTS = {
    "64 letters": "word and " * 7 + "x",
    "480 letters": "hello there " * 40,
    "60 wide": "部屋" * 30,
}
_ZONES = ("UTC", "Europe/Vienna", "Asia/Tokyo", "America/New_York")


def screens(members: int, messages: int) -> str:
    """Measure a message to a room full of terminals, by how much these differ."""
    alike = [style_for(Preferences(), 256, 80, 24)]
    usual = [
        style_for(Preferences(theme=theme, timezone=zone), depth, columns, 24)
        for theme in ("default", "light")
        for zone in _ZONES[:2]
        for depth in (INDEXED, ALL)
        for columns in (80, 100, 120, 160, 200)
    ]
    widths = [style_for(Preferences(), 256, columns, 24) for columns in range(20, 501)]
    everything = [
        style_for(Preferences(theme, timezone=zone, timestamps=TIMES[at % 2]), 256, columns, 24)
        for at, columns in enumerate(range(20, 501, 8))
        for theme in THEMES[:3]
        for zone in _ZONES
    ]
    rows = []
    for name, styles in (
        ("all alike", alike),
        ("as usual", usual),
        ("every width", widths),
        ("widths, themes, zones, times", everything),
    ):
        manual, sessions = _full_lobby([styles[at % len(styles)] for at in range(members)])
        different = len({*styles[:members]})
        costs = [_message_cost(manual, sessions[0], text, messages) for text in _TEXTS.values()]
        rows.append([name, str(different), *(shown(cost, 0) for cost in costs)])
    return table(
        [f"one message to {members} screens", "styles", *(f"{x}, µs" for x in _TEXTS)], rows
    )


def slices(members: int) -> str:
    """Measure how long a message to a very large room keeps the reactor from reading."""
    manual, sessions = _full_lobby([TextStyle()] * members)
    gc.collect()
    gc.freeze()  # the garbage collector's work with so many objects is not to be measured
    found = []
    for _ in range(5):
        say(manual.chat, sessions[0], "x" * 64, 0.0)
        found.append(manual.run_scheduled())
    gc.unfreeze()
    turns, longest = found[0][0], median([each for _, each in found])
    heading = [f"one message to {members} members", "turns", "longest ms"]
    return table(heading, [["simulated connections", str(turns), shown(longest * 1000, 2)]])


def rooms(people: int, rounds: int) -> str:
    """Measure the memory of rooms of one member, which are filled and emptied again and again."""
    manual, rows = ManualChat(), []
    for number in range(rounds):
        sessions = [manual.enter(f"p{number}x{each}", TextStyle()) for each in range(people)]
        manual.run_scheduled()
        gc.collect()
        before = rss_kib(os.getpid())
        for each, session in enumerate(sessions):
            for room in range(ROOMS_EACH):
                result_of(manual.chat.join(session, f"room{each}x{room}", 0.0))
            manual.run_scheduled()
        gc.collect()
        full, count = rss_kib(os.getpid()), len(manual.chat.rooms) - 1
        for session in sessions:
            manual.chat.leave(session, "", 0.0)
        manual.run_scheduled()
        sessions.clear()
        gc.collect()
        cells = [
            shown((full - before) / count),
            shown(full / 1024, 0),
            shown(rss_kib(os.getpid()) / 1024, 0),
        ]
        rows.append([f"round {number + 1}", str(count), *cells])
    return table(["rooms of one member", "rooms", "KiB a room", "full MiB", "empty MiB"], rows)


def inside(members: int, messages: int, many: int, people: int, rounds: int) -> str:
    """Run all benchmarks; memory first, because later parts would reuse memory freed by others."""
    return "\n\n".join(
        (
            rooms(people, rounds),
            rendering(members, messages),
            screens(members, messages),
            slices(many),
        ),
    )
