"""RoomLog: a bounded window of a room's events, each rendered once per style.

Positions count every event that the log ever took; a cursor is such a position.  The log knows no
members: `chatd.chat.fanout.audience` has their cursors.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol, Self

from chatd.chat.events import Entry, PersonalEvent
from chatd.chat.limits import CHUNK_BYTES, LOG_BYTES, LOG_EVENTS, LOG_STYLES


class Style(Protocol):
    """How events look to somebody, as bytes.  Equal styles render alike and share the work."""

    def __hash__(self) -> int: ...

    #: Whether somebody who is mentioned sees the event otherwise than the others.
    @property
    def highlights(self) -> bool: ...

    #: The style for rooms that do not have the focus: it names the room.
    @property
    def unfocused(self) -> Style: ...

    def render(self, entry: Entry, mentioned: bool = False) -> bytes:
        """What happened in a room, as members see it; empty when this style does not show it."""

    def render_all(self, entries: Sequence[Entry], since: float | None) -> list[bytes]:
        """What happened in a room, in its order, a piece for each event.

        ``since`` is when something happened before, in seconds since the epoch.  A style that
        ``folds`` may let the last piece of a run tell it all; the others are empty then.
        """

    #: Whether an empty piece is told by one that follows it.
    @property
    def folds(self) -> bool: ...

    def separator(self, since: float, time: float) -> bytes:
        """What stands between two events that happened at these times, a new day perhaps.

        `render_all` has it in its pieces, `render` has not.
        """

    #: The style for what one said oneself, when it is shown as the others see it.
    @property
    def quiet(self) -> Style: ...

    def render_personal(self, event: PersonalEvent) -> bytes:
        """What is for one person alone."""


class ProgramStyle(ABC):
    """What the styles of programs have in common: each event stands for itself."""

    __slots__ = ()

    @property
    def highlights(self) -> bool:
        """A program finds for itself whether it is meant."""
        return False

    @property
    def unfocused(self) -> Self:
        """Every event names its room."""
        return self

    @property
    def quiet(self) -> Self:
        """Nothing rings."""
        return self

    @property
    def folds(self) -> bool:
        """Each event is told."""
        return False

    @abstractmethod
    def render(self, entry: Entry, mentioned: bool = False) -> bytes:
        """What happened in a room."""

    def render_all(self, entries: Sequence[Entry], since: float | None) -> list[bytes]:
        """Each event by itself."""
        return [self.render(entry) for entry in entries]

    def separator(self, since: float, time: float) -> bytes:
        """Every event has its time."""
        return b""


class _Rendering:
    """A log's events in one style, and their bytes in all.

    ``runs`` are the positions of events that one piece tells of: the first, and behind the last.
    """

    __slots__ = ("pieces", "runs", "size")

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.runs: list[tuple[int, int]] = []
        self.size = 0

    def run_around(self, position: int) -> tuple[int, int] | None:
        """The run that an event is in, if it is in one."""
        return next((run for run in self.runs if run[0] <= position < run[1]), None)

    def find_runs(self, new: list[bytes], start: int) -> None:
        """Note which of some new pieces, from a position on, are runs."""
        begun: int | None = None
        for position, piece in enumerate(new, start):
            if not piece:
                begun = position if begun is None else begun
            elif begun is not None:
                self.runs.append((begun, position + 1))
                begun = None


class RoomLog:
    """The newest events of a room, from position ``first`` up to, not including, ``end``.

    It grows until its owner says what can be forgotten, and says when it `is_large`.
    """

    __slots__ = ("_entries", "_renderings", "_since", "_size", "first")

    def __init__(self) -> None:
        self.first = 0
        self._since: float | None = None  # when the last of what is forgotten happened
        self._entries: list[Entry] = []
        self._renderings: dict[Style, _Rendering] = {}
        self._size = 0

    @property
    def end(self) -> int:
        """The position of the next event."""
        return self.first + len(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def is_large(self) -> bool:
        """Whether it has ``LOG_EVENTS`` events or ``LOG_BYTES`` of them in one style.

        All styles together may have ``LOG_STYLES`` times as much.
        """
        return (
            len(self._entries) >= LOG_EVENTS
            or self._size > LOG_BYTES * LOG_STYLES
            or (
                self._size > LOG_BYTES
                and any(each.size > LOG_BYTES for each in self._renderings.values())
            )
        )

    def append(self, entry: Entry) -> None:
        """Take an event at the end."""
        self._entries.append(entry)

    def entries(self, start: int) -> Sequence[Entry]:
        """The events from a position on."""
        return self._entries[start - self.first :]

    def chunk(self, style: Style, start: int, end: int | None = None) -> tuple[bytes, int]:
        """Render from a position on, at most ``CHUNK_BYTES``; return that and where to go on.

        It goes up to, not including, ``end``, or to the end of the log.  A single event that is
        longer comes alone, and so does the rest of a run that begins in the middle of it.
        """
        rendering = self._render(style)
        run = rendering.run_around(start) if rendering.runs else None
        if run is not None and run[0] < start:
            return self._rest(style, start, run[1]), run[1]
        until = None if end is None else end - self.first
        pieces = rendering.pieces[start - self.first : until]
        data = b"".join(pieces)
        if len(data) <= CHUNK_BYTES or len(pieces) == 1:
            return data, start + len(pieces)
        size = count = 0
        for piece in pieces:
            if size + len(piece) > CHUNK_BYTES and count:
                break
            size += len(piece)
            count += 1
        return data[:size], start + count

    def piece(self, style: Style, position: int) -> bytes:
        """One event by itself, as everybody with a style is shown it."""
        rendering = self._render(style)
        if rendering.runs and rendering.run_around(position) is not None:
            return self._rest(style, position, position + 1)
        return rendering.pieces[position - self.first]

    def _rest(self, style: Style, start: int, end: int) -> bytes:
        """What happened between two positions, for somebody to whom nothing before it was told."""
        at = start - self.first
        return b"".join(style.render_all(self._entries[at : end - self.first], self._before(at)))

    def separator(self, style: Style, position: int) -> bytes:
        """What stands before an event because of when it happened: see `Style.turn`."""
        at = position - self.first
        since = self._before(at)
        return style.separator(since, self._entries[at].event.time) if since is not None else b""

    def _before(self, at: int) -> float | None:
        """When the event before one happened, by its place in what is kept."""
        return self._entries[at - 1].event.time if at else self._since

    def _render(self, style: Style) -> _Rendering:
        rendering = self._renderings.get(style)
        if rendering is None:
            rendering = self._renderings[style] = _Rendering()
        missing = len(self._entries) - len(rendering.pieces)
        if missing:
            at = len(rendering.pieces)
            new = style.render_all(self._entries[at:], self._before(at))
            rendering.pieces += new
            if style.folds:
                rendering.find_runs(new, self.first + at)
            size = sum(map(len, new))
            rendering.size += size
            self._size += size
        return rendering

    def forget(self, before: int) -> None:
        """Drop the events before a position."""
        count = before - self.first
        if count <= 0:
            return
        if self._entries:
            self._since = self._entries[:count][-1].event.time
        self.first = before
        if count >= len(self._entries):
            self._entries.clear()
            self._renderings.clear()
            self._size = 0
            return
        del self._entries[:count]
        for rendering in self._renderings.values():
            size = sum(map(len, rendering.pieces[:count]))
            rendering.size -= size
            self._size -= size
            del rendering.pieces[:count]
            rendering.runs = [run for run in rendering.runs if run[1] > before]
