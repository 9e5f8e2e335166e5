"""Flow: counts what is in flight from one thread to another, and whether it is too much."""

from __future__ import annotations


class Flow:
    """Counters, each changed by only one thread, so that no lock is needed.

    ``max_count`` and ``max_bytes`` bound what is in flight.
    """

    def __init__(self, max_count: int, max_bytes: int | None = None) -> None:
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._added = self._added_bytes = 0
        self._removed = self._removed_bytes = 0

    def add(self, size: int = 0) -> None:
        """Count one item of ``size`` bytes; in the sending thread."""
        self._added += 1
        self._added_bytes += size

    def remove(self, count: int = 1, size: int = 0) -> None:
        """Count items that have arrived, and their bytes in total; in the receiving thread."""
        self._removed += count
        self._removed_bytes += size

    @property
    def count(self) -> int:
        """The number of items in flight; the other thread may see a few more."""
        return self._added - self._removed

    @property
    def is_full(self) -> bool:
        """Whether no further item may be added."""
        size = self._added_bytes - self._removed_bytes
        return self.count >= self._max_count or (
            self._max_bytes is not None and size >= self._max_bytes
        )
