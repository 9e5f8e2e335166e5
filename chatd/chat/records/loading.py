"""Records: what a part of the chat keeps in the store, read once."""

from __future__ import annotations

from collections.abc import Callable

from chatd.chat.store import Store


class RecordLoader:
    """The records of some kinds; ``take`` is given those of each kind, by their keys.

    ``loaded`` says that it was.
    """

    def __init__(self, store: Store, *kinds: str, take: Callable[..., None]) -> None:
        self._store = store
        self._kinds = kinds
        self._take = take
        self.loaded = False

    async def load(self) -> None:
        """Read what the store has, unless that is done."""
        if self.loaded:
            return
        records = [await self._store.records(kind) for kind in self._kinds]
        if not self.loaded:  # who else waited may have been first
            self.loaded = True
            self._take(*records)
