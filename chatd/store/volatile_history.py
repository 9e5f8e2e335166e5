"""Volatile history: accounts and rooms in a persistent store, messages in memory only."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping, Sequence

from chatd.chat.store import Record, Store, Written
from chatd.store.memory import MemoryStore
from chatd.store.threads.main_thread import MainThread


class VolatileHistoryStore(MemoryStore):
    """The last ``events`` of each room in memory, and the records in another store."""

    def __init__(self, events: int, main_thread: MainThread, records_store: Store) -> None:
        super().__init__(events, main_thread)
        self._records_store = records_store
        self.health = records_store.health

    def put_all(self, records: Sequence[Record]) -> Awaitable[None]:
        """Put records into the other store."""
        return self._records_store.put_all(records)

    def put_quietly(self, record: Record, written: Written) -> None:
        """Put a record into the other store."""
        self._records_store.put_quietly(record, written)

    async def records(self, kind: str) -> Mapping[str, str]:
        """Return the records of a kind from the other store."""
        return await self._records_store.records(kind)

    def drop_rooms_but(self, rooms: Collection[str]) -> None:
        """Drop every room but these, from the other store as well, which may have old messages."""
        super().drop_rooms_but(rooms)
        self._records_store.drop_rooms_but(rooms)

    async def close(self) -> None:
        """Close the other store."""
        await self._records_store.close()
