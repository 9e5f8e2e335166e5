"""Memory store that takes its time with records, for tests of what happens meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from chatd.chat.store import NotStoredError, Record
from chatd.store.memory import MemoryStore
from tests.support.steps import Step


class SlowStore(MemoryStore):
    """A memory store; while ``is_slow``, records that are awaited take a step.

    Those of which the step ends while it ``fails`` are not stored.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_slow = self.fails = False

    def put_all(self, records: Sequence[Record]) -> Awaitable[None]:
        return self._put_slowly(records) if self.is_slow else super().put_all(records)

    async def _put_slowly(self, records: Sequence[Record]) -> None:
        await Step()
        if self.fails:
            raise NotStoredError("the server's disk is full.")
        await super().put_all(records)
