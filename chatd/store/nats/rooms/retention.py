"""Retention of a room that keeps fewer events than others do."""

from __future__ import annotations

from collections import deque

from chatd.store.nats.jetstream.api import JetStream
from chatd.store.nats.jetstream.layout import RoomSubject
from chatd.store.nats.rooms import reading


class Retention:
    """The numbers of the room's last ``maximum`` events; None: only the stream's limit applies."""

    def __init__(self, subject: RoomSubject) -> None:
        self._subject = subject
        self.maximum: int | None = None
        self._numbers: deque[int] = deque()
        self._due = False

    async def limit(self, streams: JetStream, maximum: int | None) -> None:
        """Keep at most ``maximum`` events from now on."""
        await self.trim(streams)
        if maximum is not None:
            newest = await reading.last_events(streams, self._subject, None, maximum)
            self._numbers = deque(each.number for each in newest)
        self.maximum = maximum
        await self.trim(streams)

    def added(self, number: int) -> bool:
        """Count an event; return whether `trim` is due, once until that is done."""
        if self.maximum is None:
            return False
        self._numbers.append(number)
        due, self._due = not self._due, self._due or len(self._numbers) > self.maximum
        return due and self._due

    def removed(self, number: int) -> None:
        """Count off a deleted event."""
        if number in self._numbers:
            self._numbers.remove(number)

    async def trim(self, streams: JetStream) -> None:
        """Delete the oldest events beyond the limit."""
        self._due = False
        if self.maximum is not None and len(self._numbers) >= self.maximum:
            while len(self._numbers) > self.maximum:
                self._numbers.popleft()
            await streams.purge(self._subject.stream, self._subject.log, below=self._numbers[0])
