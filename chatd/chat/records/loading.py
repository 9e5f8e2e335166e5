"""Record loader: reads the records of some kinds from the store, once."""

from __future__ import annotations

from collections.abc import Callable

from chatd.chat.records.writing import Records


class RecordLoader:
    """Loads the records of some kinds.

    ``take`` is called once, with a mapping from keys to records for each kind; ``loaded`` says
    whether it has been.
    """

    def __init__(self, records: Records, *kinds: str, take: Callable[..., None]) -> None:
        self._records = records
        self._kinds = kinds
        self._take = take
        self.loaded = False

    async def load(self) -> None:
        """Load the records, unless already loaded."""
        if self.loaded:
            return
        records = [await self._records.of_kind(kind) for kind in self._kinds]
        if not self.loaded:  # another call may have been faster while this one waited
            self.loaded = True
            self._take(*records)
