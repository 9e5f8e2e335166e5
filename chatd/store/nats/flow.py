"""Flow: how much is on its way from one thread to the other, and whether that is enough."""

from __future__ import annotations


class Flow:
    """What has begun and what has ended, in numbers that one thread each may change."""

    def __init__(self, max_count: int, max_bytes: int | None = None) -> None:
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._added = self._added_bytes = 0
        self._removed = self._removed_bytes = 0

    def add(self, size: int = 0) -> None:
        """Something of so many bytes is on its way; in the thread that it comes from."""
        self._added += 1
        self._added_bytes += size

    def remove(self, count: int = 1, size: int = 0) -> None:
        """So much has come, of so many bytes in all; in the thread that it goes to."""
        self._removed += count
        self._removed_bytes += size

    @property
    def count(self) -> int:
        """How much is on its way; a little more, perhaps, as the other thread sees it."""
        return self._added - self._removed

    @property
    def is_full(self) -> bool:
        """Whether nothing more may begin."""
        size = self._added_bytes - self._removed_bytes
        return self.count >= self._max_count or (
            self._max_bytes is not None and size >= self._max_bytes
        )
