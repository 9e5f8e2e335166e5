"""Memory store that can hold posts back, for tests of what happens until they are stored."""

from __future__ import annotations

from chatd.chat.events import RoomEvent
from chatd.store.memory import MemoryStore


class HeldStore(MemoryStore):
    """A memory store; while ``is_holding``, posts are held, to be stored or refused later."""

    def __init__(self) -> None:
        super().__init__()
        self.is_holding = False
        self.held: list[tuple[str, str, RoomEvent, str]] = []

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        if self.is_holding:
            self.held.append((room, message_id, event, author))
        else:
            super().post(room, message_id, event, author)

    def store_held(self, count: int | None = None) -> None:
        """Store so many of the held posts, the oldest first, or all."""
        count = len(self.held) if count is None else count
        stored, self.held = self.held[:count], self.held[count:]
        for each in stored:
            super().post(*each)

    def fail_held(self) -> None:
        """Store none of the held posts."""
        held, self.held = self.held, []
        assert self._observer is not None
        for room, message_id, _, _ in held:
            self._observer.failed(room, message_id, "the disk is full.")
