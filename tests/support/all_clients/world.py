"""Entities of the model: rooms, users, room events and refusals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support.all_clients.clients import Client

if TYPE_CHECKING:
    from tests.support.all_clients.renderings import Rendering


@dataclass(eq=False)
class Room:
    """A room: its members in the order in which they joined, its owner, topic and history.

    ``ref`` is its ROOM_REF; 0 while no client of the socket assignment has joined one of its name.
    """

    name: str
    number: int
    ref: int = 0
    members: list[Person] = field(default_factory=list)
    owner: Person | None = None
    topic: str = ""
    history: list[RoomEvent] = field(default_factory=list)


@dataclass(eq=False)
class Person:
    """A user: their client, and the output that it should show.

    ``pending`` is the output at the end of the turn, by its queue: that of a room, or, for None,
    that of a program's replies.  ``steps`` are lists of such queues; the order of steps matters,
    and the order within a queue, but not the order of the queues of a step.
    """

    nick: str
    rendering: Rendering
    client: Client
    rooms: list[Room] = field(default_factory=list)
    focus: Room | None = None
    pending: list[tuple[Room | None, RoomEvent | list[str]]] = field(default_factory=list)
    steps: list[list[list[str]]] = field(default_factory=list)
    bells: int = 0

    def show_pending(self, only: Room | None = None) -> None:
        """Show the pending output now: that of one room, or of all."""
        queues: dict[Room | None, list[str]] = {}
        later: list[tuple[Room | None, RoomEvent | list[str]]] = []
        for room, what in self.pending:
            if only is not None and room not in (only, None):
                later.append((room, what))
                continue
            lines = self.rendering.room_event(what, self) if isinstance(what, RoomEvent) else what
            queues.setdefault(room, []).extend(lines)
            if isinstance(what, RoomEvent) and self in what.mentioned:
                self.bells += self.rendering.rings_bell
        self.pending = later
        self.steps.append(list(queues.values()))

    def show_personal(self, lines: list[str]) -> None:
        """Show lines for this user alone, after all pending output."""
        self.show_pending()
        self.steps.append([lines])


@dataclass(frozen=True, eq=False)
class RoomEvent:
    """An event in a room; ``seq`` is its number, or that of the last event that has one."""

    kind: str
    room: Room
    nick: str
    time: float
    seq: int
    text: str = ""
    other: str = ""
    mentioned: frozenset[Person] = frozenset()


class Refused(Exception):  # noqa: N818 - a refusal, not an error
    """A refused request: its code and its sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
