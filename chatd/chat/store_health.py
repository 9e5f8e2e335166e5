"""Store health: what a store reports of its disk, for its operators.

A store that writes to a disk updates it; the services log it, and operators are told.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Seconds that a transaction takes when a disk is slow: people notice a line that takes longer.
SLOW_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction with so many lines; ``seconds`` is how long it took, once it is done."""

    lines: int
    seconds: float = 0.0


class StoreHealth:
    """How a store does.  ``current`` and ``slow`` are set by its thread, the rest in the main one.

    ``error`` has the system's words for the failure of the last transaction, for the log only, and
    ``reason`` the sentence for users; both are empty while the store works.  ``lines`` and
    ``changes`` are the messages and the records that were refused since it last worked.
    ``current`` is the transaction in progress, and ``slow`` the slowest one since a service has
    taken it.
    """

    __slots__ = ("changes", "current", "error", "failures", "lines", "reason", "slow")

    def __init__(self) -> None:
        self.error = self.reason = ""
        self.lines = self.changes = self.failures = 0
        self.current: Transaction | None = None
        self.slow: Transaction | None = None

    @property
    def is_failing(self) -> bool:
        """Whether the last transaction failed."""
        return bool(self.error)

    def failed(self, error: str, reason: str, lines: int, changes: int) -> None:
        """Note that a transaction with so many lines and changes of records failed."""
        self.error, self.reason = error, reason
        self.failures += 1
        self.lines += lines
        self.changes += changes

    def stored(self) -> None:
        """Note that a transaction has succeeded."""
        self.error = self.reason = ""

    def begun(self, lines: int) -> None:
        """Note that a transaction with so many lines begins."""
        self.current = Transaction(lines)

    def ended(self, seconds: float) -> None:
        """Note that the transaction in progress has ended, after some seconds."""
        current, self.current = self.current, None
        slow = self.slow
        if current is not None and seconds > max(SLOW_SECONDS, slow.seconds if slow else 0.0):
            self.slow = Transaction(current.lines, seconds)

    def take_slow(self) -> Transaction | None:
        """Return the slowest transaction since the last call, if one was slow."""
        slow, self.slow = self.slow, None
        return slow

    def take_refused(self) -> tuple[int, int]:
        """Return how many lines and changes were refused since the last call."""
        refused = self.lines, self.changes
        self.lines = self.changes = 0
        return refused

    def status(self) -> str:
        """Return the state of the disk in a few words, for operators."""
        return self.reason.rstrip(".") or "ok"
