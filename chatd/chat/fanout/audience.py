"""Audience: the listeners of a room, and how far each of them has been sent its events.

The broadcast is built for rooms with thousands of members that nearly all see the same.  No
listener has a queue: events are appended to one log, and a cursor into it says how far a listener
has been sent.  Listeners that are up to date share *one* cursor, the audience's, and are grouped by
style.  A flush at the end of the reactor's turn renders new events once for each style, and then
is one loop over the group's bound ``send`` methods, without any bookkeeping for a listener that
takes everything.

A listener has a cursor of its own only while it cannot be served with its group: its connection is
full, it was just added, or it is shown something different from the others (a mention, an ignored
author, its own message).  It rejoins its group once it is up to date, unless it ignores any users:
then every event has to be checked for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

from chatd.chat.events import Entry, KeptEvent
from chatd.chat.fanout.listener import Group, Listener
from chatd.chat.fanout.log import RoomLog, Style
from chatd.chat.fanout.slices import Slices
from chatd.chat.limits import CHUNK_BYTES, FLUSH_EVENTS, LOG_EVENTS, RENDERED_EVENT, SLICE

#: While so few listeners are behind, the oldest of their cursors is looked up on every flush.
FEW = 16

#: The listeners that an event is hidden from, those that it mentions, and those that are shown it
#: without a bell because its author listens there.
_Special = tuple[frozenset[Listener], frozenset[Listener], frozenset[Listener]]
_NOBODY: _Special = (frozenset(), frozenset(), frozenset())


class Audience:
    """The listeners of one room and their cursors in its log.

    A listener is in exactly one place: a style's group in ``_groups`` (at the ``_shared`` cursor);
    ``_slices`` (at `Slices.start`: its group's broadcast has not reached it yet); ``_late`` (at a
    cursor of its own, to be served at the next flush); or ``_held`` (likewise, but its connection
    is full: it is served when that has room).  ``_special`` has, by position, the listeners to
    which an event is shown differently.

    ``request_flush`` is called with the audience when `flush` is to be called at the end of the
    reactor's turn.  ``number`` is the store's number of the last event; ``count`` is how many
    numbered events there have been since the room was opened here.
    """

    __slots__ = (
        "_groups",
        "_held",
        "_late",
        "_log",
        "_request_flush",
        "_room",
        "_scheduled",
        "_shared",
        "_slices",
        "_special",
        "count",
        "number",
    )

    def __init__(self, room: str, request_flush: Callable[[Audience], None]) -> None:
        self._room = room
        self.number = 0
        self.count = 0
        self._log = RoomLog()
        self._request_flush = request_flush
        self._shared = 0
        self._scheduled = False  # a flush at the end of the turn is scheduled
        self._groups: dict[Style, Group] = {}
        self._slices = Slices()
        self._late: dict[Listener, tuple[Style, int]] = {}
        self._held: dict[Listener, tuple[Style, int]] = {}
        self._special: dict[int, _Special] = {}

    @property
    def backlog(self) -> int:
        """How many events are kept for listeners that have not been sent them."""
        return len(self._log)

    @property
    def highlights(self) -> bool:
        """Whether any listener has a style that shows mentions."""
        return any(style.highlights for style in chain(self._groups, self._slices.styles())) or any(
            style.highlights for behind in (self._late, self._held) for style, _ in behind.values()
        )

    def sent_to(self, listener: Listener) -> int:
        """Return the store's number of the last event that a listener has been sent.

        When that event is no longer in the log, the number is counted back from the oldest one.
        """
        behind = self._late.get(listener) or self._held.get(listener)
        if behind is not None:
            cursor = behind[1]
        else:
            cursor = self._slices.start if listener in self._slices else self._shared
        if cursor >= self._log.end:
            return self.number
        first = max(cursor, self._log.first)
        entry = self._log.entries(first)[0]
        before = entry.number - 1 if isinstance(entry.event, KeptEvent) else entry.number
        return max(0, before - (first - cursor))

    # Listeners ------------------------------------------------------------------------------------

    def add(self, listener: Listener, style: Style) -> None:
        """Add a listener, which receives events from now on."""
        self._take_out(listener)
        self._settle(listener, style, self._log.end)

    def remove(self, listener: Listener) -> None:
        """Remove a listener, which is sent no more events."""
        self._take_out(listener)

    def restyle(self, listener: Listener, style: Style) -> None:
        """Send a listener later events in another style, or by changed filters."""
        cursor = self._take_out(listener)
        if cursor is not None:
            self._settle(listener, style, cursor)

    def hold(self, listener: Listener) -> None:
        """Send a listener nothing until `release`: its connection is full.  It keeps its cursor."""
        for style, group in self._groups.items():
            if group.pop(listener, None) is not None:
                self._held[listener] = (style, self._shared)
                return
        behind = self._take_behind(listener)
        if behind is not None:
            self._held[listener] = behind

    def _take_behind(self, listener: Listener) -> tuple[Style, int] | None:
        """Take out a listener that is behind but not held; return its style and cursor."""
        if self._slices:
            style = self._slices.take_out(listener)
            if style is not None:
                return style, self._slices.start
        return self._late.pop(listener, None)

    def release(self, listener: Listener) -> None:
        """Serve a held listener from its own cursor: its connection has room again."""
        held = self._held.pop(listener, None)
        if held is not None:
            self._serve(listener, *held)
            self._forget()

    def catch_up(self, listener: Listener) -> None:
        """Send a listener pending events now, not at the end of the turn: other data follows."""
        if (self._shared == self._log.end and not self._slices) or listener.full:
            return
        for style, group in self._groups.items():
            if group.pop(listener, None) is not None:
                self._serve(listener, style, self._shared)
                return
        behind = self._take_behind(listener)
        if behind is not None:
            self._serve(listener, *behind)

    def _settle(self, listener: Listener, style: Style, cursor: int) -> None:
        """File a listener under its style's group, as late or as held."""
        if listener.full:
            self._held[listener] = (style, cursor)
        elif cursor != self._shared or listener.filters:
            self._late[listener] = (style, cursor)
        else:
            group = self._groups.get(style)
            if group is None:
                group = self._groups[style] = {}
            group[listener] = listener.send

    def _take_out(self, listener: Listener) -> int | None:
        """Take a listener out of the place where it is; return its cursor."""
        for style, group in self._groups.items():
            if group.pop(listener, None) is not None:
                if not group:
                    del self._groups[style]
                return self._shared
        behind = self._take_behind(listener) or self._held.pop(listener, None)
        return behind[1] if behind else None

    # Events ---------------------------------------------------------------------------------------

    def append(
        self,
        entry: Entry,
        unseen_by: Iterable[Listener] = (),
        mentions: Iterable[Listener] = (),
        quiet: Iterable[Listener] = (),
    ) -> None:
        """Append an event, which is sent at the next flush.

        ``unseen_by`` are not shown it (they typed it, or are shown it in another room);
        ``mentions`` are shown it highlighted as a mention, ``quiet`` without a bell (they said it).
        """
        log = self._log
        if log.is_large:
            before = log.first + max(1, len(log) // 8)
            if before > self._first_unsent():  # listeners that are up to date would miss events
                self.flush(wholly=True)
            log.forget(before)
        special = frozenset(unseen_by), frozenset(mentions), frozenset(quiet)
        if any(special):
            self._special[log.end] = special
        log.append(entry)
        self.count += entry.number > self.number
        self.number = entry.number
        if not self._scheduled:
            self._schedule_flush()
        elif log.end - self._shared >= FLUSH_EVENTS and not self._slices:
            self.flush()

    def _first_unsent(self) -> int:
        """Return the position of the first event that a listener with room was not sent."""
        shared = self._slices.start if self._slices else self._shared
        return min([shared, *(cursor for _, cursor in self._late.values())])

    def flush(self, *, wholly: bool = False) -> None:
        """Send new events to every listener whose connection has room.

        In a large audience this sends one slice and schedules the next flush; ``wholly`` sends all
        slices now.
        """
        self._scheduled = False
        if not self._slices:
            self._send_news()
        more = self._serve_slice()
        while more and wholly:
            if not self._slices:
                self._send_news()
            more = self._serve_slice()
        if more:
            self._schedule_flush()
        self._forget()

    def _schedule_flush(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._request_flush(self)

    def _send_news(self) -> None:
        """Broadcast new events to the listeners that are up to date, in slices if there are many.

        Afterwards the groups are at the end of the log.
        """
        log = self._log
        start, end = self._shared, log.end
        if start == end:
            return
        skipped = self._set_apart(start, end)
        rendering = log.rendering_cost(start, end)
        if sum(len(group) + rendering for group in self._groups.values()) > SLICE:
            self._slices.begin(self._groups, start, end, rendering)
        for style, group in tuple(self._groups.items()):
            self._broadcast(style, group, max(start, log.first), end)
            if not group:
                del self._groups[style]
        self._shared = end
        for listener, style in skipped:
            self._settle(listener, style, end)

    def _serve_slice(self) -> bool:
        """Send one slice of the broadcast, then serve late listeners; return whether any remain."""
        slices, log = self._slices, self._log
        count = SLICE
        while slices and count > 0:
            style, group = slices.take_slice(count)
            count -= len(group) + slices.rendering
            self._broadcast(style, group, max(slices.start, log.first), slices.end)
            self._groups.setdefault(style, {}).update(group)
        end = log.end
        behind = [listener for listener, (_, cursor) in self._late.items() if cursor != end]
        served = 0
        for listener in behind:
            if count <= 0:
                break
            served += 1
            late = self._late.pop(listener, None)
            if late is not None:
                count -= 1 + RENDERED_EVENT * (end - late[1])  # some are rendered for it alone
                self._serve(listener, *late)
        return bool(slices) or served < len(behind) or self._shared != end

    def _set_apart(self, start: int, end: int) -> list[tuple[Listener, Style]]:
        """Take the listeners that are to be shown something special out of their groups.

        A broadcast sends the same bytes to a whole group.  Between ``start`` and ``end`` there may
        be events that are hidden from a listener, that mention it or that it said itself; such a
        listener must not get the group's bytes for any of them.  It becomes late, with a cursor of
        its own at ``start``, and `_serve` renders for it event by event; then it rejoins its group.

        By far the most frequent case needs no rendering: one message, hidden only from its sender,
        whose terminal has shown it already.  The sender is taken out of its group for the moment of
        the broadcast and put back at ``end``; without that, everyone who says something would be
        late once per message.  Those listeners are returned, and are in no place until `_settle` is
        called for them.
        """
        if not self._special:
            return []
        hidden, mentioned, quiet = self._special.get(start, _NOBODY)
        if end - start == 1 and not (mentioned or quiet):
            return [
                (listener, style)
                for listener in hidden
                for style, group in self._groups.items()
                if group.pop(listener, None) is not None
            ]
        apart: set[Listener] = set()
        for position in range(start, end):
            apart = apart.union(*self._special.get(position, ()))
        for style, group in self._groups.items():
            members = [listener for listener in apart if listener in group]
            for listener in members:
                del group[listener]
                self._late[listener] = (style, start)
        return []

    def _broadcast(
        self, style: Style, group: dict[Listener, Callable[[bytes], int]], start: int, end: int
    ) -> None:
        """Send everything from ``start`` up to ``end`` to a group.

        A listener whose connection becomes full leaves the group and is held where it is.
        """
        while start < end and group:
            try:
                data, start = self._log.chunk(style, start, end)
            except Exception as unexpected:
                self._end_group(group, unexpected)
                return
            size = len(data)
            if not size:
                continue
            short: list[tuple[Listener, int]] = []
            bugs: list[tuple[Listener, Exception]] = []
            for listener, send in group.items():
                try:
                    taken = send(data)
                except OSError:
                    taken = 0
                except Exception as unexpected:
                    bugs.append((listener, unexpected))
                    continue
                if taken != size:
                    short.append((listener, taken))
            for listener, taken in short:
                del group[listener]
                self._held[listener] = (style, start)
                listener.stalled(data, taken)
            for listener, bug in bugs:
                group.pop(listener, None)
                listener.broken(bug)

    def _end_group(
        self, group: dict[Listener, Callable[[bytes], int]], unexpected: Exception
    ) -> None:
        """End the connections of a group whose style has failed to render."""
        listeners = list(group)
        group.clear()
        for listener in listeners:
            listener.broken(unexpected)

    def _serve(self, listener: Listener, style: Style, cursor: int) -> None:
        """Send one listener its unsent events, as many as its connection takes."""
        log, end = self._log, self._log.end
        if cursor < log.first:
            missed = log.first - cursor - self._hidden_from(listener, cursor, log.first)
            if missed > 0:
                listener.missed(self._room, missed)
            cursor = log.first
        while cursor < end and not listener.full:
            try:
                if listener.filters or self._is_shown_specially(listener, cursor):
                    data, cursor = self._personal_chunk(listener, style, cursor)
                else:
                    data, cursor = log.chunk(style, cursor)
            except Exception as unexpected:
                listener.broken(unexpected)
                return
            if data and not self._send(listener, data):
                break
        self._settle(listener, style, cursor)

    def _hidden_from(self, listener: Listener, start: int, end: int) -> int:
        """Count the events that are hidden from a listener, which it cannot miss."""
        special = self._special.items()
        return sum(start <= at < end and listener in hidden for at, (hidden, *_) in special)

    def _send(self, listener: Listener, data: bytes) -> bool:
        try:
            taken = listener.send(data)
        except OSError:
            taken = 0
        except Exception as bug:
            listener.broken(bug)
            return False
        if taken == len(data):
            return True
        listener.stalled(data, taken)
        return False

    def _is_shown_specially(self, listener: Listener, cursor: int) -> bool:
        """Whether any event from a position on is shown differently to a listener."""
        special = self._special
        return bool(special) and any(
            listener in listeners
            for position in range(cursor, self._log.end)
            for listeners in special.get(position, ())
        )

    def _personal_chunk(self, listener: Listener, style: Style, cursor: int) -> tuple[bytes, int]:
        """Render about one chunk for one listener; return it and the position after it."""
        pieces: list[bytes] = []
        size = 0
        for entry in self._log.entries(cursor):
            position, cursor = cursor, cursor + 1
            hidden, mentioned, quiet = self._special.get(position, _NOBODY)
            if listener in hidden or not listener.wants(entry):
                pieces.append(self._log.separator(style, position))
            elif listener in mentioned:
                pieces += self._log.separator(style, position), style.render(entry, True)
            else:
                own_style = style.quiet if listener in quiet else style
                pieces.append(self._log.piece(own_style, position))
            size += len(pieces[-1])
            if size > CHUNK_BYTES // 2:
                break
        return b"".join(pieces), cursor

    def _forget(self) -> None:
        """Drop the events that every listener has been sent.

        With many listeners behind, finding the oldest cursor is a long loop, and is done only once
        the log has grown.
        """
        log = self._log
        if self._slices or self._shared != log.end:
            return
        behind = len(self._held) + len(self._late)
        if not behind:
            log.forget(log.end)
        elif behind <= FEW or len(log) > LOG_EVENTS // 4:
            cursors = (at for behind in (self._held, self._late) for _, at in behind.values())
            log.forget(min(cursors))
        if not len(log):
            self._special.clear()
        elif len(self._special) > 2 * LOG_EVENTS:
            # A listener does not miss an event that was hidden from it, even a dropped one:
            # `_hidden_from` needs these entries for a while longer.
            first = log.first - LOG_EVENTS
            self._special = {at: each for at, each in self._special.items() if at >= first}
