"""What a room of the cluster, and the records, need of their store; what is posted to a room."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from chatd.chat.events import RoomEvent
from chatd.store.nats.jetstream.api import JetStream, Place
from chatd.store.nats.rooms.tail_cache import Tails

Step = Callable[[], None]


class StoreContext(Protocol):
    """What they need of their store."""

    @property
    def streams(self) -> JetStream:
        """The streams."""

    @property
    def tails(self) -> Tails:
        """What is remembered of all rooms."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something go on beside."""

    def tell(self, step: Step) -> None:
        """Run something in the chat's thread, in the order of the calls."""

    @property
    def is_full(self) -> bool:
        """Whether the chat has so much to do that nothing more is to be taken in for it."""

    def passage(self) -> AbstractAsyncContextManager[None]:
        """Wait until a page may be taken in for the chat; hold it until that is done."""

    def done(self, posts: Sequence[Post]) -> None:
        """Something that was posted here waits for nothing more."""

    def stored(self, room: str, message_id: str, number: int, event: RoomEvent) -> None:
        """An event has its place; in the chat's thread."""

    def subscribed(self, room: str, number: int) -> None:
        """A room is heard from now on, and so far it is; in the chat's thread."""

    def failed(self, room: str, message_id: str, why: str) -> None:
        """An event could not be kept; in the chat's thread."""


@dataclass(slots=True, eq=False)
class Post:
    """What somebody here does; ``since`` in seconds of the loop's clock."""

    message_id: str
    event: RoomEvent
    account: str
    since: float
    tries: int = 0
    place: Place | None = field(default=None)
