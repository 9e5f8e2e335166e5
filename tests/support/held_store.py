"""A store that stands still for as long as a test wants it to."""

from __future__ import annotations

from chatd.chat.events import RoomEvent
from chatd.store.memory import MemoryStore


class Holding(MemoryStore):
    """A store in memory; while it ``stands`` what it is given is held, to be kept or refused."""

    def __init__(self) -> None:
        super().__init__()
        self.stands = False
        self.held: list[tuple[str, str, RoomEvent, str]] = []

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        if self.stands:
            self.held.append((room, message_id, event, author))
        else:
            super().post(room, message_id, event, author)

    def keep(self, count: int | None = None) -> None:
        """Keep so many of those that are held, the oldest first, or all."""
        count = len(self.held) if count is None else count
        kept, self.held = self.held[:count], self.held[count:]
        for each in kept:
            super().post(*each)

    def refuse(self) -> None:
        """Keep nothing of what is held."""
        held, self.held = self.held, []
        assert self._keeper is not None
        for room, message_id, _, _ in held:
            self._keeper.failed(room, message_id, "the disk is full.")
