"""Room log: a bounded window of a room's events, each rendered once per style.

An event's position is the number of events appended before it; a cursor is a position.  The log
does not know its listeners: `chatd.chat.fanout.audience` has the cursors.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol, Self

from chatd.chat.events import Entry, PersonalEvent
from chatd.chat.limits import (
    CHUNK_BYTES,
    LOG_BYTES,
    LOG_EVENTS,
    LOG_STYLES,
    RENDERED_CHARACTERS,
    RENDERED_EVENT,
)


class Style(Protocol):
    """A way to render events as bytes.  Equal styles render alike, and share the result."""

    def __hash__(self) -> int: ...

    #: Whether an event is rendered differently for users who are mentioned in it.
    @property
    def highlights(self) -> bool: ...

    #: The style for rooms that do not have the focus, which names the room.
    @property
    def unfocused(self) -> Style: ...

    def render(self, entry: Entry, mentioned: bool = False) -> bytes:
        """Render one event of a room; empty when this style does not show it."""

    def render_all(self, entries: Sequence[Entry], since: float | None) -> list[bytes]:
        """Render consecutive events of a room; return a piece for each of them.

        ``since`` is the time of the event before them, in seconds since the epoch, or None when
        there is none.  A style that ``folds`` may render a run of events in one piece, that of the
        last event of the run, and leave the pieces of the others empty.
        """

    #: Whether `render_all` may fold runs of events (several users who join) into one piece.
    @property
    def folds(self) -> bool: ...

    def separator(self, since: float, time: float) -> bytes:
        """Render the separator between two events of these times: the date, if the day changed.

        The pieces of `render_all` include it, those of `render` do not.
        """

    #: The style for a user's own messages where they are echoed to them like any other: no bell.
    @property
    def quiet(self) -> Style: ...

    def render_personal(self, event: PersonalEvent) -> bytes:
        """Render an event for one user alone."""


class ProgramStyle(ABC):
    """Base of the styles for programs: each event stands for itself."""

    __slots__ = ()

    @property
    def highlights(self) -> bool:
        """Return False: a program finds mentions itself."""
        return False

    @property
    def unfocused(self) -> Self:
        """Return this style: every event names its room."""
        return self

    @property
    def quiet(self) -> Self:
        """Return this style: there is no bell."""
        return self

    @property
    def folds(self) -> bool:
        """Return False: each event is rendered."""
        return False

    @abstractmethod
    def render(self, entry: Entry, mentioned: bool = False) -> bytes:
        """Render one event of a room."""

    def render_all(self, entries: Sequence[Entry], since: float | None) -> list[bytes]:
        """Render each event by itself."""
        return [self.render(entry) for entry in entries]

    def separator(self, since: float, time: float) -> bytes:
        """Return nothing: every event has its time."""
        return b""


class _Rendering:
    """A log's events in one style, from one of them on: a piece for each, and the bytes of all.

    It is filled when a listener of the style needs it, so a style without listeners costs nothing,
    and a thousand listeners of one style share one rendering.

    ``runs`` are the ranges of positions that a style has folded into the piece of their last event,
    each from its first position up to, not including, its end.  A cursor in the middle of a run
    cannot be served from that piece, which also reports events already shown to its listener; the
    rest of the run is rendered again for it.
    """

    __slots__ = ("first", "pieces", "runs", "size")

    def __init__(self, first: int) -> None:
        self.first = first  # the position of the first piece
        self.pieces: list[bytes] = []
        self.runs: list[tuple[int, int]] = []
        self.size = 0

    @property
    def end(self) -> int:
        """The position after the last piece."""
        return self.first + len(self.pieces)

    def run_around(self, position: int) -> tuple[int, int] | None:
        """Return the run that a position is in, if it is in one."""
        return next((run for run in self.runs if run[0] <= position < run[1]), None)

    def find_runs(self, new: list[bytes], start: int) -> None:
        """Find the runs in new pieces; ``start`` is the position of the first one.

        A run is one or more empty pieces and the piece after them.
        """
        first: int | None = None
        for position, piece in enumerate(new, start):
            if not piece:
                first = position if first is None else first
            elif first is not None:
                self.runs.append((first, position + 1))
                first = None


class RoomLog:
    """The newest events of a room, from position ``first`` up to, not including, ``end``.

    It grows until its owner calls `forget`, which is due when it `is_large`.
    """

    __slots__ = ("_bytes", "_entries", "_renderings", "_since", "_size", "first")

    def __init__(self) -> None:
        self.first = 0
        self._since: float | None = None  # the time of the last event that was forgotten
        self._entries: list[Entry] = []
        self._renderings: dict[Style, _Rendering] = {}
        self._bytes = 0  # of the events' texts
        self._size = 0  # of all renderings

    @property
    def end(self) -> int:
        """The position that the next event will have."""
        return self.first + len(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def is_large(self) -> bool:
        """Whether it has ``LOG_EVENTS`` events, or more than ``LOG_BYTES`` of them in one style."""
        return (
            len(self._entries) >= LOG_EVENTS
            or self._bytes > LOG_BYTES
            or (
                self._size > LOG_BYTES
                and any(each.size > LOG_BYTES for each in self._renderings.values())
            )
        )

    def append(self, entry: Entry) -> None:
        """Append an event."""
        self._entries.append(entry)
        self._bytes += len(_text(entry).encode())

    def entries(self, start: int) -> Sequence[Entry]:
        """Return the events from a position on."""
        return self._entries[start - self.first :]

    def rendering_cost(self, start: int, end: int) -> int:
        """Return about how many sends rendering these events takes, in one style."""
        entries = self._entries[max(0, start - self.first) : end - self.first]
        characters = sum(len(_text(entry)) for entry in entries)
        return RENDERED_EVENT * len(entries) + characters // RENDERED_CHARACTERS

    def chunk(self, style: Style, start: int, end: int | None = None) -> tuple[bytes, int]:
        """Render from a position on; return at most ``CHUNK_BYTES`` and the position after them.

        The chunk goes up to, not including, ``end``, or to the end of the log.  A single event that
        is longer than a chunk is returned alone, and so is the rest of a run when ``start`` is in
        the middle of one.
        """
        rendering = self._render(style, start)
        run = rendering.run_around(start) if rendering.runs else None
        if run is not None and run[0] < start:
            return self._rest(style, start, run[1]), run[1]
        until = None if end is None else end - rendering.first
        pieces = rendering.pieces[start - rendering.first : until]
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
        """Return one event by itself, as a style shows it."""
        rendering = self._render(style, position)
        if rendering.runs and rendering.run_around(position) is not None:
            return self._rest(style, position, position + 1)
        return rendering.pieces[position - rendering.first]

    def _rest(self, style: Style, start: int, end: int) -> bytes:
        """Render part of a run again: the events from ``start`` up to, not including, ``end``."""
        at = start - self.first
        return b"".join(style.render_all(self._entries[at : end - self.first], self._before(at)))

    def separator(self, style: Style, position: int) -> bytes:
        """Return the separator between an event and the one before it: see `Style.separator`."""
        at = position - self.first
        since = self._before(at)
        return style.separator(since, self._entries[at].event.time) if since is not None else b""

    def _before(self, at: int) -> float | None:
        """Return the time of the event before the one at an index of the log, if it is known."""
        return self._entries[at - 1].event.time if at else self._since

    def _render(self, style: Style, start: int) -> _Rendering:
        """Return the rendering in a style, which has the events from a position on.

        What all renderings have together is bounded by dropping those of other styles: they are
        made again when they are needed.
        """
        rendering = self._renderings.get(style)
        if rendering is None or not rendering.first <= start <= rendering.end:
            self._size -= rendering.size if rendering is not None else 0
            rendering = self._renderings[style] = _Rendering(start)
        at = rendering.end - self.first
        if at < len(self._entries):
            new = style.render_all(self._entries[at:], self._before(at))
            rendering.pieces += new
            if style.folds:
                rendering.find_runs(new, self.first + at)
            size = sum(map(len, new))
            rendering.size += size
            self._size += size
            if self._size > LOG_BYTES * LOG_STYLES:
                self._renderings = {style: rendering}
                self._size = rendering.size
        return rendering

    def forget(self, before: int) -> None:
        """Drop the events before a position, and their renderings."""
        count = before - self.first
        if count <= 0:
            return
        if self._entries:
            self._since = self._entries[:count][-1].event.time
        self.first = before
        if count >= len(self._entries):
            self._entries.clear()
            self._renderings.clear()
            self._bytes = self._size = 0
            return
        self._bytes -= sum(len(_text(entry).encode()) for entry in self._entries[:count])
        del self._entries[:count]
        for rendering in self._renderings.values():
            dropped = max(0, before - rendering.first)
            size = sum(map(len, rendering.pieces[:dropped]))
            rendering.size -= size
            self._size -= size
            del rendering.pieces[:dropped]
            rendering.first = max(rendering.first, before)
            rendering.runs = [run for run in rendering.runs if run[1] > before]


def _text(entry: Entry) -> str:
    """Return the text of an event, which may be long; others than messages have none."""
    text: str = getattr(entry.event, "text", "")
    return text
