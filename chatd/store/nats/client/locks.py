"""Turns: one at a time of those who are about the same thing; nothing is kept of who is done."""

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
    """Whose turn it is, by what it is about."""

    def __init__(self) -> None:
        self._locks: dict[Hashable, _KeyedLock] = {}

    @asynccontextmanager
    async def of(self, key: Hashable) -> AsyncIterator[None]:
        """Wait for one's turn, and have it."""
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
        """How many things somebody is about now."""
        return len(self._locks)
