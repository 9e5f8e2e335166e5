"""Keyed locks: one lock per key, kept only while it is held or awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _KeyedLock:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class KeyedLocks:
    """Locks by their keys."""

    def __init__(self) -> None:
        self._locks: dict[Hashable, _KeyedLock] = {}

    @asynccontextmanager
    async def of(self, key: Hashable) -> AsyncIterator[None]:
        """Hold the lock of a key."""
        keyed = self._locks.setdefault(key, _KeyedLock())
        keyed.users += 1
        try:
            async with keyed.lock:
                yield
        finally:
            keyed.users -= 1
            if not keyed.users:
                del self._locks[key]

    def __len__(self) -> int:
        """Return the number of locks that are held or awaited."""
        return len(self._locks)
