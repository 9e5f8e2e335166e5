"""Flow: how much is on its way from one thread to the other, and whether that is enough."""

from __future__ import annotations


class Flow:
    """What has begun and what has ended, in numbers that one thread each may change."""

    def __init__(self, most: int, most_bytes: int | None = None) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._begun = self._begun_bytes = 0
        self._ended = self._ended_bytes = 0

    def begins(self, size: int = 0) -> None:
        """Something of so many bytes is on its way; in the thread that it comes from."""
        self._begun += 1
        self._begun_bytes += size

    def ends(self, count: int = 1, size: int = 0) -> None:
        """So much has come, of so many bytes in all; in the thread that it goes to."""
        self._ended += count
        self._ended_bytes += size

    @property
    def count(self) -> int:
        """How much is on its way; a little more, perhaps, as the other thread sees it."""
        return self._begun - self._ended

    @property
    def is_full(self) -> bool:
        """Whether nothing more may begin."""
        size = self._begun_bytes - self._ended_bytes
        return self.count >= self._most or (
            self._most_bytes is not None and size >= self._most_bytes
        )
