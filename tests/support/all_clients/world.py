"""The world of the model of everyone: rooms, people, what happens, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support.all_clients.clients import Client

if TYPE_CHECKING:
    from tests.support.all_clients.renderings import Words


@dataclass(eq=False)
class Room:
    """A room: who is in it, in the order in which they came, whose it is, and what it keeps."""

    name: str
    number: int
    members: list[Person] = field(default_factory=list)
    owner: Person | None = None
    topic: str = ""
    kept: list[Happening] = field(default_factory=list)


@dataclass(eq=False)
class Person:
    """Somebody: what they came with, and what they are to see.

    ``waiting`` is what the end of the turn shows, by what it is in order with: a room's, or the
    answers of a program.  ``steps`` are such queues; the order of steps matters.
    """

    nick: str
    words: Words
    client: Client
    rooms: list[Room] = field(default_factory=list)
    focus: Room | None = None
    waiting: list[tuple[Room | None, Happening | list[str]]] = field(default_factory=list)
    steps: list[list[list[str]]] = field(default_factory=list)
    bells: int = 0

    def is_shown(self, only: Room | None = None) -> None:
        """What waits is shown now: in one room, or in all."""
        queues: dict[Room | None, list[str]] = {}
        later: list[tuple[Room | None, Happening | list[str]]] = []
        for room, what in self.waiting:
            if only is not None and room not in (only, None):
                later.append((room, what))
                continue
            lines = self.words.happened(what, self) if isinstance(what, Happening) else what
            queues.setdefault(room, []).extend(lines)
            if isinstance(what, Happening) and self in what.meant:
                self.bells += self.words.drawn
        self.waiting = later
        self.steps.append(list(queues.values()))

    def is_told(self, lines: list[str]) -> None:
        """Something is for them alone, and comes after what happened before."""
        self.is_shown()
        self.steps.append([lines])


@dataclass(frozen=True, eq=False)
class Happening:
    """Something that happens in a room; ``seq`` is its number or that of the last that has one."""

    what: str
    room: Room
    nick: str
    time: float
    seq: int
    text: str = ""
    other: str = ""
    meant: frozenset[Person] = frozenset()


class No(Exception):  # noqa: N818 - a no, not an error
    """What is declined: its code word and its sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
