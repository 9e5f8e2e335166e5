"""Bound: how much one room keeps, when that is less than the others do."""

from __future__ import annotations

from collections import deque

from chatd.store.nats.jetstream.api import JetStream
from chatd.store.nats.jetstream.layout import RoomSubject
from chatd.store.nats.rooms import reading


class Retention:
    """The last ``most`` numbers of a room; None: there is no bound but that of the stream."""

    def __init__(self, subject: RoomSubject) -> None:
        self._subject = subject
        self.maximum: int | None = None
        self._numbers: deque[int] = deque()
        self._due = False

    async def limit(self, streams: JetStream, maximum: int | None) -> None:
        """Keep only so many from now on."""
        await self.trim(streams)
        if maximum is not None:
            newest = await reading.last_events(streams, self._subject, None, maximum)
            self._numbers = deque(each.number for each in newest)
        self.maximum = maximum
        await self.trim(streams)

    def added(self, number: int) -> bool:
        """The room has another event; say whether it is to be trimmed, once."""
        if self.maximum is None:
            return False
        self._numbers.append(number)
        due, self._due = not self._due, self._due or len(self._numbers) > self.maximum
        return due and self._due

    def removed(self, number: int) -> None:
        """An event of the room was taken away."""
        if number in self._numbers:
            self._numbers.remove(number)

    async def trim(self, streams: JetStream) -> None:
        """Drop what is more than the room keeps."""
        self._due = False
        if self.maximum is not None and len(self._numbers) >= self.maximum:
            while len(self._numbers) > self.maximum:
                self._numbers.popleft()
            await streams.purge(self._subject.stream, self._subject.log, below=self._numbers[0])
