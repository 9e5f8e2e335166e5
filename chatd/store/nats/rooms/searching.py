"""Searching rooms, from the newest message back, within bounds.

A stream has no index of words.  A room is read backwards in batches; of several rooms, the next
batch is always of the room that has been read least far back, so matches are found newest first.  A
range of times is located by the stream's own timestamps.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from chatd.chat.store import too_slow
from chatd.chat.text.query import SearchQuery
from chatd.store.nats.client.client import Message
from chatd.store.nats.jetstream.api import JetStream
from chatd.store.nats.jetstream.layout import RoomSubject
from chatd.store.nats.jetstream.messages import read
from chatd.store.nats.rooms import reading
from chatd.store.nats.rooms.reading import RoomMessage

#: The most messages that one search scans, newest first: each takes about 20 µs of this process,
#: and is sent over the network.
MAX_MESSAGES = 50_000
#: Seconds after which a search ends: longer than one in a file, as it reads over the network.
SEARCH_SECONDS = 5.0
#: Searches that run simultaneously; others wait.  So do searches for an author's last message,
#: which moderators need, beside them.
CONCURRENT_SEARCHES = 2
#: Messages that are examined between two moments in which the connection's thread does other work:
#: some 2 ms.
_SLICE = 100
#: Messages of a room in the first batch, and in the largest: batches double.
_FIRST_BATCH, _MAX_BATCH = 100, 2000
#: Seconds by which the time of an event and the stream's timestamp may differ.
CLOCK_SKEW_SECONDS = 120.0

#: A room and a match in it.
Row = tuple[str, RoomMessage]
_LONG_AGO = ("", "")
_NEVER = ("~", "")


def for_query(
    streams: JetStream, subjects: Sequence[tuple[str, RoomSubject]], search: SearchQuery
) -> Search:
    """Return the search for a query of a user."""
    words = [phrase.partition(" ")[0] for phrase in search.phrases] or [search.author or ""]
    return Search(
        streams,
        subjects,
        lambda found: found.stored_event is not None and search.finds(found.stored_event),
        _plain(words[0]),
        since=search.since,
        until=search.until,
    )


def for_author(streams: JetStream, subject: RoomSubject, nick: str, account: str | None) -> Search:
    """Return the search for messages of a folded nick."""
    return Search(
        streams,
        [("", subject)],
        lambda found: reading.is_by(found, nick, account),
        _plain(nick),
    )


def _plain(word: str) -> bytes:
    return word.encode() if word.isascii() else b""


class Search:
    """One search through some rooms; ``matches`` returns whether a message matches.

    ``word`` is in every match, as lower-case ASCII bytes, and empty if there is no such word: it
    rules most messages out without parsing them.  Times are seconds since the epoch, None for an
    open end.
    """

    def __init__(
        self,
        streams: JetStream,
        subjects: Sequence[tuple[str, RoomSubject]],
        matches: Callable[[RoomMessage], bool],
        word: bytes = b"",
        *,
        since: float | None = None,
        until: float | None = None,
    ) -> None:
        self._rooms = [
            _RoomCursor(streams, room, subject, since, until) for room, subject in subjects
        ]
        self._matches = matches
        self._word = word

    async def newest(self, count: int) -> list[Row]:
        """Return the newest matches, at most ``count``, newest first.

        :raises UnavailableError: when there is no answer in time.
        :raises Refused: ``too-slow`` when `SEARCH_SECONDS` were not enough.
        """
        found: list[Row] = []
        scanned, deadline = 0, time.monotonic() + SEARCH_SECONDS
        while scanned < MAX_MESSAGES:
            open_rooms = [room for room in self._rooms if not room.is_exhausted]
            oldest = max((room.oldest for room in open_rooms), default=_LONG_AGO)
            settled = sum(each.stored_at >= oldest for _, each in found)
            if not open_rooms or settled >= count:
                break
            if time.monotonic() >= deadline:
                raise too_slow()
            room = max(open_rooms, key=lambda room: room.oldest)
            batch = await room.read_older(MAX_MESSAGES - scanned)
            for number, (message, text) in enumerate(batch[: MAX_MESSAGES - scanned]):
                if number % _SLICE == 0:
                    await asyncio.sleep(0)
                each = self._read(message, text)
                if each is not None:
                    found.append((room.ident, each))
            scanned += len(batch)
        found.sort(key=lambda row: (row[1].stored_at, row[1].number), reverse=True)
        return found[:count]

    def _read(self, message: Message, text: str | None) -> RoomMessage | None:
        """Return a message if it matches; ``text`` is its text if that was edited."""
        is_plain = text is None and b"\\u" not in message.data  # nearly always
        if is_plain and self._word not in message.data.lower():
            return None
        envelope = read(message.data)
        if envelope is None:
            return None
        each = reading.room_message(message, envelope)
        if text is not None:
            each = reading.with_text(each, text)
        return each if each.stored_event is not None and self._matches(each) else None


class _RoomCursor:
    """How far a room has been read; ``oldest`` is when the oldest message read was stored."""

    def __init__(
        self,
        streams: JetStream,
        ident: str,
        subject: RoomSubject,
        since: float | None,
        until: float | None,
    ) -> None:
        self.ident = ident
        self.oldest = _NEVER
        self.is_exhausted = False
        self._streams = streams
        self._subject = subject
        self._since = _stamp(since - CLOCK_SKEW_SECONDS) if since is not None else ""
        self._until = until
        self._end: int | None = None
        self._batch = _FIRST_BATCH
        self._texts: dict[int, str] = {}
        self._texts_from: int | None = None

    async def read_older(self, maximum: int) -> list[tuple[Message, str | None]]:
        """Return the next older messages, newest first, ``maximum`` or a few more.

        Each is returned with its edited text, if any.
        """
        if self._end is None:
            self._end = await self._newest()
        if self._end == 0:
            self.is_exhausted = True
            return []
        batch = min(self._batch, max(maximum, 1))
        start = await reading.find_start(self._streams, self._subject, self._end, batch)
        pages = reading.messages(self._streams, self._subject, start, self._end)
        messages = [message async for page in pages for message in page]
        texts = await self._edits(start)
        if messages:
            self.oldest = reading.stored_at(messages[0])
        self.is_exhausted = start <= 1 or self.oldest[0] < self._since
        self._end, self._batch = start - 1, min(2 * self._batch, _MAX_BATCH)
        return [(message, texts.get(message.seq)) for message in reversed(messages)]

    async def _newest(self) -> int:
        """Return the sequence number to read back from; 0 when there is nothing."""
        newest = await self._streams.last(self._subject.stream, self._subject.log)
        if newest is None:
            return 0
        if self._until is not None:
            stamp = f"{_stamp(self._until + CLOCK_SKEW_SECONDS)}Z"
            later = await self._streams.first(self._subject.stream, self._subject.log, stamp)
            if later is not None:
                return later.seq - 1
        return newest.seq

    async def _edits(self, start: int) -> dict[int, str]:
        """Return the texts of edited messages from a sequence number on."""
        last, self._texts_from = self._texts_from, start
        more = 1
        while more and (last is None or start < last):
            found, more = await self._streams.page(
                self._subject.stream, self._subject.edits(), start
            )
            self._texts.update(map(reading.read_edit, found))
            start = found[-1].seq + 1 if found else start
        return self._texts


def _stamp(seconds: float) -> str:
    """Return a time in the streams' format, without fractions of a second."""
    return datetime.fromtimestamp(max(0.0, seconds), UTC).strftime("%Y-%m-%dT%H:%M:%S")
