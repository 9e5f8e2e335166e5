"""Audience: who listens to a room, and how far each has read.

Listeners that are up to date share *one* cursor, the audience's, and are grouped by style, so that
a flush renders once a style and is then one loop over bound ``send`` calls.  A listener has a
cursor of its own only while it is behind: its connection is full, it has just come, or it
is to be shown something otherwise than the others (a mention, /ignore, its own words).  Nobody
has a queue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

from chatd.chat.events import Entry, KeptEvent
from chatd.chat.fanout.listener import Group, Listener
from chatd.chat.fanout.log import RoomLog, Style
from chatd.chat.fanout.slices import Slices
from chatd.chat.limits import CHUNK_BYTES, FLUSH_EVENTS, LOG_EVENTS, SLICE

#: Listeners behind whose cursors are looked at on every flush.
FEW = 16


#: Who an event is hidden from, who is mentioned in it, and who said it and is to hear no bell.
_Special = tuple[frozenset[Listener], frozenset[Listener], frozenset[Listener]]
_NOBODY: _Special = (frozenset(), frozenset(), frozenset())


class Audience:
    """The listeners of one room and their cursors in its log.

    A listener is in exactly one of: a style's group, ``_slices`` (about to be sent what the groups
    have been sent), ``_late`` (behind, to be served at the next flush) or ``_held`` (behind and
    full, to be served when its connection has room).  ``number`` is the store's of what happened
    last, ``count`` how much that has a number has happened since the room was opened here.
    """

    __slots__ = (
        "_awaited",
        "_groups",
        "_held",
        "_late",
        "_log",
        "_on_news",
        "_room",
        "_shared",
        "_slices",
        "_special",
        "count",
        "number",
    )

    def __init__(self, room: str, on_news: Callable[[Audience], None]) -> None:
        self._room = room
        self.number = 0
        self.count = 0
        self._log = RoomLog()
        self._on_news = on_news
        self._shared = 0
        self._awaited = False  # whether a flush at the end of the turn has been asked for
        self._groups: dict[Style, Group] = {}
        self._slices = Slices()
        self._late: dict[Listener, tuple[Style, int]] = {}
        self._held: dict[Listener, tuple[Style, int]] = {}
        self._special: dict[int, _Special] = {}

    @property
    def highlights(self) -> bool:
        """Whether anybody here is shown it otherwise when they are mentioned."""
        return any(style.highlights for style in chain(self._groups, self._slices.styles())) or any(
            style.highlights for places in (self._late, self._held) for style, _ in places.values()
        )

    def sent_to(self, listener: Listener) -> int:
        """The store's number of the last event that a listener has been sent."""
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

    # Coming and going ---------------------------------------------------------------------------

    def add(self, listener: Listener, style: Style) -> None:
        """Let somebody listen from now on; what happened before is not for them."""
        self._take_out(listener)
        self._settle(listener, style, self._log.end)

    def remove(self, listener: Listener) -> None:
        """Let somebody go; they are shown nothing more."""
        self._take_out(listener)

    def restyle(self, listener: Listener, style: Style) -> None:
        """Show somebody in this style, or by changed filters, what they have not seen yet."""
        cursor = self._take_out(listener)
        if cursor is not None:
            self._settle(listener, style, cursor)

    def hold(self, listener: Listener) -> None:
        """A connection is full: its listener keeps its place and is sent nothing."""
        for style, group in self._groups.items():
            if group.pop(listener, None) is not None:
                self._held[listener] = (style, self._shared)
                return
        behind = self._take_late(listener)
        if behind is not None:
            self._held[listener] = behind

    def _take_late(self, listener: Listener) -> tuple[Style, int] | None:
        """Take a listener out of those who are behind, although their connection has room."""
        if self._slices:
            swept = self._slices.take_out(listener)
            if swept is not None:
                return swept, self._slices.start
        return self._late.pop(listener, None)

    def resume(self, listener: Listener) -> None:
        """A connection has room again: serve its listener from its own cursor."""
        held = self._held.pop(listener, None)
        if held is not None:
            self._serve(listener, *held)
            self._forget()

    def catch_up(self, listener: Listener) -> None:
        """Show somebody now what waits for the end of the turn: something else follows it."""
        if (self._shared == self._log.end and not self._slices) or listener.full:
            return
        for style, group in self._groups.items():
            if group.pop(listener, None) is not None:
                self._serve(listener, style, self._shared)
                return
        behind = self._take_late(listener)
        if behind is not None:
            self._serve(listener, *behind)

    def _settle(self, listener: Listener, style: Style, cursor: int) -> None:
        """Put a listener where its cursor and its connection say."""
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
        """Take a listener out of wherever it is and return its cursor."""
        for style, group in self._groups.items():
            if group.pop(listener, None) is not None:
                if not group:
                    del self._groups[style]
                return self._shared
        behind = self._take_late(listener) or self._held.pop(listener, None)
        return behind[1] if behind else None

    # What happens -------------------------------------------------------------------------------

    def append(
        self,
        entry: Entry,
        unseen_by: Iterable[Listener] = (),
        mentions: Iterable[Listener] = (),
        quiet: Iterable[Listener] = (),
    ) -> None:
        """Take an event; it is sent at the next flush.

        ``unseen_by`` are not shown it (they typed it, or see it elsewhere); ``mentions`` are shown
        that they are meant, ``quiet`` are shown it as what they said themselves.
        """
        log = self._log
        if log.is_large:
            self.flush(wholly=True)  # nobody who is up to date may lose what is to be forgotten
            log.forget(log.first + max(1, len(log) // 8))
        special = frozenset(unseen_by), frozenset(mentions), frozenset(quiet)
        if any(special):
            self._special[log.end] = special
        log.append(entry)
        self.count += entry.number > self.number
        self.number = entry.number
        if not self._awaited:
            self._ask_for_flush()
        elif log.end - self._shared >= FLUSH_EVENTS and not self._slices:
            self.flush()

    def flush(self, *, wholly: bool = False) -> None:
        """Send what is new to everyone who can take it.

        When there are very many this is a slice of it, and more is asked for in the next turn;
        unless it is to be done ``wholly``.
        """
        self._awaited = False
        if not self._slices:
            self._send_news()
        more = self._serve_slice()
        while more and wholly:
            if not self._slices:
                self._send_news()
            more = self._serve_slice()
        if more:
            self._ask_for_flush()
        self._forget()

    def _ask_for_flush(self) -> None:
        if not self._awaited:
            self._awaited = True
            self._on_news(self)

    def _send_news(self) -> None:
        """Send what is new to those who are up to date; to very many, let it begin."""
        log = self._log
        start, end = self._shared, log.end
        if start == end:
            return
        passed_over = self._set_apart(start, end)
        if sum(map(len, self._groups.values())) > SLICE:
            self._slices.begin(self._groups, start, end)
        for style, group in tuple(self._groups.items()):
            self._broadcast(style, group, max(start, log.first), end)
            if not group:
                del self._groups[style]
        self._shared = end
        for listener, style in passed_over:
            self._settle(listener, style, end)

    def _serve_slice(self) -> bool:
        """Go on with a broadcast to very many, and those who are behind; say if there is more."""
        sweeps, log = self._slices, self._log
        count = SLICE
        while sweeps and count > 0:
            style, part = sweeps.part(count)
            count -= len(part)
            self._broadcast(style, part, max(sweeps.start, log.first), sweeps.end)
            self._groups.setdefault(style, {}).update(part)
        end = log.end
        behind = [listener for listener, (_, cursor) in self._late.items() if cursor != end]
        for listener in behind[: max(0, count)]:
            late = self._late.pop(listener, None)
            if late is not None:
                self._serve(listener, *late)
        return bool(sweeps) or len(behind) > max(0, count) or self._shared != end

    def _set_apart(self, start: int, end: int) -> list[tuple[Listener, Style]]:
        """Give those their own cursor who are to see something otherwise than the others.

        Return those who are shown nothing at all; they are in no group until they are settled.
        """
        if not self._special:
            return []
        hidden, marked, quiet = self._special.get(start, _NOBODY)
        if end - start == 1 and not (marked or quiet):  # one message, which its writer has seen
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
            own = [listener for listener in apart if listener in group]
            for listener in own:
                del group[listener]
                self._late[listener] = (style, start)
        return []

    def _broadcast(
        self, style: Style, group: dict[Listener, Callable[[bytes], int]], start: int, end: int
    ) -> None:
        """Send everything from start to end to a whole group; who is full leaves it."""
        while start < end and group:
            try:
                data, start = self._log.chunk(style, start, end)
            except Exception as unexpected:
                self._give_up(group, unexpected)
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

    def _give_up(
        self, group: dict[Listener, Callable[[bytes], int]], unexpected: Exception
    ) -> None:
        """A style that cannot be rendered costs those who have it their connections."""
        listeners = list(group)
        group.clear()
        for listener in listeners:
            listener.broken(unexpected)

    def _serve(self, listener: Listener, style: Style, cursor: int) -> None:
        """Bring one listener as far as its connection takes it."""
        log, end = self._log, self._log.end
        if cursor < log.first:
            missed = log.first - cursor - self._hidden_from(listener, cursor, log.first)
            if missed > 0:
                listener.missed(self._room, missed)
            cursor = log.first
        while cursor < end and not listener.full:
            try:
                if listener.filters or self._is_apart(listener, cursor):
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
        """How many events are hidden from a listener: what they said themselves is not missed."""
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

    def _is_apart(self, listener: Listener, cursor: int) -> bool:
        special = self._special
        return bool(special) and any(
            listener in who
            for position in range(cursor, self._log.end)
            for who in special.get(position, ())
        )

    def _personal_chunk(self, listener: Listener, style: Style, cursor: int) -> tuple[bytes, int]:
        """Render for one listener, event by event, about one chunk."""
        pieces: list[bytes] = []
        size = 0
        for entry in self._log.entries(cursor):
            position, cursor = cursor, cursor + 1
            hidden, marked, quiet = self._special.get(position, _NOBODY)
            if listener in hidden or not listener.wants(entry):
                pieces.append(self._log.separator(style, position))
            elif listener in marked:
                pieces += self._log.separator(style, position), style.render(entry, True)
            else:
                shown = style.quiet if listener in quiet else style
                pieces.append(self._log.piece(shown, position))
            size += len(pieces[-1])
            if size > CHUNK_BYTES // 2:
                break
        return b"".join(pieces), cursor

    def _forget(self) -> None:
        """Keep only what somebody has still to read; with many behind, look only now and then."""
        log = self._log
        if self._slices or self._shared != log.end:
            return
        behind = len(self._held) + len(self._late)
        if not behind:
            log.forget(log.end)
        elif behind <= FEW or len(log) > LOG_EVENTS // 4:
            cursors = (at for places in (self._held, self._late) for _, at in places.values())
            log.forget(min(cursors))
        if not len(log):
            self._special.clear()
        elif len(self._special) > 2 * LOG_EVENTS:  # of what is forgotten, who has not missed it
            first = log.first - LOG_EVENTS
            self._special = {at: who for at, who in self._special.items() if at >= first}
