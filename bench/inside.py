"""What things cost inside the chat: without sockets, in this process, on readers that take all.

It knows the chat and how to count its time and memory; it knows no server and no network.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterable

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

#: Rooms of one member that each person of the room benchmark is in, beside the lobby.
ROOMS_EACH = 49


class TakesAll:
    """A reader with a connection that takes everything at once."""

    echoes_input = copy_per_room = closes_on_gap = resumable = full = is_gone = shows_pending = (
        False
    )
    pending = 0

    def __init__(self, style: TextStyle) -> None:
        self._style = style

    def send(self, data: bytes) -> int:
        """Take it."""
        return len(data)

    def style(self, preferences: Preferences) -> TextStyle:
        """What it was made with."""
        return self._style

    def stalled(self, data: bytes, taken: int) -> None:
        """Never called."""

    def write(self, data: bytes) -> None:
        """Take it."""

    def delivery_report(self) -> DeliveryReport:
        return ALIVE

    def refocused(self) -> None:
        """There is no prompt."""

    def pending_changed(self) -> None:
        """Nothing waits in memory."""

    async def ask(self, question: str, *, secret: bool) -> tuple[str, float]:
        """Nobody is there to be asked."""
        return "", 0.0

    def close(self) -> None:
        """Nothing has to be closed."""

    def broken(self, bug: Exception) -> None:
        """A bug ends the benchmark."""
        raise bug


class Hall:
    """A chat, and turns that end when they are told to."""

    def __init__(self, bus: Bus | None = None) -> None:
        self._steps: list[Callable[[], None]] = []
        environment = Environment(
            schedule=self._steps.append,
            expire_later=lambda step: None,
            hasher=Argon2(PasswordThread(None)),
        )
        self._cluster = Cluster(bus, self._steps.append) if bus is not None else None
        self.chat = Chat(MemoryStore(0), environment, peers=self._cluster or ALONE)
        if self._cluster is not None:
            self._cluster.start(self.chat)

    @property
    def cluster(self) -> Cluster:
        """The other servers, where there are any."""
        assert self._cluster is not None
        return self._cluster

    def enters(self, nick: str, style: TextStyle) -> Session:
        """Somebody comes into the lobby."""
        coming = self.chat.enter(Visitor(nick), TakesAll(style), 0.0).__await__()
        try:
            next(coming)
        except StopIteration as done:
            session: Session = done.value[0]
            self.chat.join(session, "lobby", 0.0)
            return session
        raise AssertionError("memory keeps nobody waiting")

    def end_turns(self) -> tuple[int, float]:
        """End turns until there is nothing to do; return how many, and the longest in seconds."""
        turns, longest = 0, 0.0
        while self._steps:
            steps, self._steps[:] = self._steps[:], []
            began = time.perf_counter()
            for step in steps:
                step()
            longest = max(longest, time.perf_counter() - began)
            turns += 1
        return turns, longest


def _full_hall(styles: Iterable[TextStyle]) -> tuple[Hall, list[Session]]:
    hall = Hall()
    sessions = []
    for number, style in enumerate(styles):
        sessions.append(hall.enters(f"p{number}", style))
        if number % 1000 == 999:
            hall.end_turns()
    hall.end_turns()
    return hall, sessions


def _message(hall: Hall, session: Session, text: str, messages: int) -> float:
    """The CPU time of a message that is said and sent to everyone, in µs."""
    spans = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(messages):
            say(hall.chat, session, text, 0.0)
            hall.end_turns()
        spans.append((time.process_time() - began) / messages * 1e6)
    return median(spans)


def rendering(members: int, messages: int) -> str:
    """What a message costs, by who reads it."""

    def of(count: int) -> list[TextStyle]:
        return [TextStyle(timezone=f"Z{number % count}") for number in range(members)]

    rows: list[tuple[str, float]] = []
    for styles in (1, 2, 10, 100):
        hall, sessions = _full_hall(of(min(styles, members)))
        rows.append((f"{styles} styles", _message(hall, sessions[0], "x" * 64, messages)))
    hall, sessions = _full_hall([TextStyle(bell="on")] * members)
    rows.append(("one is mentioned", _message(hall, sessions[0], "p1: " + "x" * 60, messages)))
    for ignoring in (1, members // 10):
        hall, sessions = _full_hall([TextStyle()] * members)
        for session in sessions[1 : 1 + ignoring]:
            ignore(hall.chat, session.person, sessions[-1].person.nick)
        cost = _message(hall, sessions[0], "x" * 64, messages)
        rows.append((f"{ignoring} ignore somebody", cost))
    plain = rows[0][1]
    return table(
        [f"one message to {members} members", "µs", "more µs", "µs a member"],
        [
            [name, shown(cost, 1), shown(cost - plain, 1), shown(cost / members, 3)]
            for name, cost in rows
        ],
    )


#: What is said to a room of screens.
_SAID = {
    "64 letters": "word and " * 7 + "x",
    "480 letters": "hello there " * 40,
    "60 wide": "部屋" * 30,
}
_ZONES = ("UTC", "Europe/Vienna", "Asia/Tokyo", "America/New_York")


def screens(members: int, messages: int) -> str:
    """What a message costs in a room full of terminals, by how different those are."""
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
        hall, sessions = _full_hall([styles[at % len(styles)] for at in range(members)])
        different = len({*styles[:members]})
        costs = [_message(hall, sessions[0], text, messages) for text in _SAID.values()]
        rows.append([name, str(different), *(shown(cost, 0) for cost in costs)])
    return table(
        [f"one message to {members} screens", "styles", *(f"{x}, µs" for x in _SAID)], rows
    )


def slices(members: int) -> str:
    """How long reading is held up by a message in a very large room."""
    hall, sessions = _full_hall([TextStyle()] * members)
    gc.collect()
    gc.freeze()  # what the garbage collector does with so many is not what is asked here
    found = []
    for _ in range(5):
        say(hall.chat, sessions[0], "x" * 64, 0.0)
        found.append(hall.end_turns())
    gc.unfreeze()
    turns, longest = found[0][0], median([each for _, each in found])
    heading = [f"one message to {members} members", "turns", "longest ms"]
    return table(heading, [["simulated connections", str(turns), shown(longest * 1000, 2)]])


def rooms(people: int, rounds: int) -> str:
    """What a room of one member takes, filled and emptied again and again."""
    hall, rows = Hall(), []
    for number in range(rounds):
        sessions = [hall.enters(f"p{number}x{each}", TextStyle()) for each in range(people)]
        hall.end_turns()
        gc.collect()
        before = rss_kib(os.getpid())
        for each, session in enumerate(sessions):
            for room in range(ROOMS_EACH):
                hall.chat.join(session, f"room{each}x{room}", 0.0)
            hall.end_turns()
        gc.collect()
        full, count = rss_kib(os.getpid()), len(hall.chat.rooms) - 1
        for session in sessions:
            hall.chat.leave(session, "", 0.0)
        hall.end_turns()
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
    """All of it; what memory takes first, for what is given back later is used again."""
    return "\n\n".join(
        (
            rooms(people, rounds),
            rendering(members, messages),
            screens(members, messages),
            slices(many),
        ),
    )
