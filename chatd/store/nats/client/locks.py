"""Turns: one at a time of those who are about the same thing; nothing is kept of who is done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _KeyedLock:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    people: int = 0


class KeyedLocks:
    """Whose turn it is, by what it is about."""

    def __init__(self) -> None:
        self._turns: dict[Hashable, _KeyedLock] = {}

    @asynccontextmanager
    async def of(self, what: Hashable) -> AsyncIterator[None]:
        """Wait for one's turn, and have it."""
        turn = self._turns.setdefault(what, _KeyedLock())
        turn.people += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.people -= 1
            if not turn.people:
                del self._turns[what]

    def __len__(self) -> int:
        """How many things somebody is about now."""
        return len(self._turns)
