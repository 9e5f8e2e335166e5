"""Memory store on a disk that can be full, for tests of what is said and undone then."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from chatd.chat.events import Change, KeptEvent, RoomEvent
from chatd.chat.store import NotStoredError, Record, Written
from chatd.store.memory import MemoryStore

ERROR = "database or disk is full"
REASON = "the server's disk is full."


async def _refusal() -> None:
    raise NotStoredError(REASON)


class FullStore(MemoryStore):
    """A memory store that stores nothing while ``is_full``.

    ``refused`` are the records that it did not store, ``quiet`` those of them that nobody awaited.
    """

    def __init__(self, *, is_full: bool = True) -> None:
        super().__init__()
        self.is_full = is_full
        self.refused: list[Record] = []
        self.quiet: list[Record] = []

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        if self.is_full and isinstance(event, KeptEvent | Change):
            assert self._observer is not None
            self.health.failed(ERROR, REASON, 1, 0)
            self._observer.failed(room, message_id, REASON)
        else:
            self.health.stored()
            super().post(room, message_id, event, author)

    def put_all(self, records: Sequence[Record]) -> Awaitable[None]:
        if not self.is_full:
            self.health.stored()
            return super().put_all(records)
        self.health.failed(ERROR, REASON, 0, len(records))
        self.refused += records
        return _refusal()

    def put_quietly(self, record: Record, written: Written) -> None:
        if self.is_full:
            self.health.failed(ERROR, REASON, 0, 1)
            self.quiet.append(record)
            written(REASON)
        else:
            super().put_quietly(record, written)
