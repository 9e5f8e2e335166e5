"""RoomLog: a bounded window of a room's events, each rendered once per style.

Positions count every event that the log ever took; a cursor is such a position.  The log knows no
members: `chatd.chat.audience` has their cursors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

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
    def aside(self) -> Style: ...

    def render(self, entry: Entry, mentioned: bool = False) -> bytes:
        """What happened in a room, as members see it; empty when this style does not show it."""

    def render_personal(self, event: PersonalEvent) -> bytes:
        """What is for one person alone."""


class _Rendering:
    """A log's events in one style, and their bytes in all."""

    __slots__ = ("pieces", "size")

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0


class RoomLog:
    """The newest events of a room, from position ``first`` up to, not including, ``end``.

    It grows until its owner says what can be forgotten, and says when it `is_large`.
    """

    __slots__ = ("_entries", "_renderings", "_size", "first")

    def __init__(self) -> None:
        self.first = 0
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
        longer comes alone.
        """
        until = None if end is None else end - self.first
        pieces = self._render(style)[start - self.first : until]
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
        """One event, as everybody with a style is shown it."""
        return self._render(style)[position - self.first]

    def _render(self, style: Style) -> list[bytes]:
        rendering = self._renderings.get(style)
        if rendering is None:
            rendering = self._renderings[style] = _Rendering()
        missing = len(self._entries) - len(rendering.pieces)
        if missing:
            new = [style.render(entry) for entry in self._entries[-missing:]]
            rendering.pieces += new
            size = sum(map(len, new))
            rendering.size += size
            self._size += size
        return rendering.pieces

    def forget(self, before: int) -> None:
        """Drop the events before a position."""
        count = before - self.first
        if count <= 0:
            return
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
