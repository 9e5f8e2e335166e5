"""Store context: the parts of the store that room streams and records use, and a post."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from chatd.chat.events import RoomEvent
from chatd.chat.store import StoreObserver
from chatd.store.nats.jetstream.api import JetStream, PubAck
from chatd.store.nats.rooms.tail_cache import TailCache


class Bridge(Protocol):
    """The part of `chatd.store.nats.threads.ThreadBridge` that rooms and records use, in the
    connection's thread.
    """

    @property
    def is_full(self) -> bool:
        """Whether the main thread is so far behind that no more may be accepted for it."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine as a task."""

    def call_main(self, step: Callable[[], None]) -> None:
        """Run a step in the main thread; steps run in the order of the calls."""

    def page_slot(self) -> AbstractAsyncContextManager[None]:
        """Hold a slot for a page, from when the main thread can accept it until it is done."""


@dataclass(slots=True, eq=False)
class Post:
    """An event posted on this server; ``posted_at`` is a time of the event loop's clock."""

    message_id: str
    event: RoomEvent
    account: str
    posted_at: float
    tries: int = 0
    ack: PubAck | None = None


@dataclass(frozen=True, slots=True)
class StoreContext:
    """The parts that they share; the observer's methods are called in the main thread, by the
    bridge.

    ``posts_done`` is called with the posts that are finished.
    """

    streams: JetStream
    tails: TailCache
    bridge: Bridge
    observer: StoreObserver
    posts_done: Callable[[Sequence[Post]], None]
