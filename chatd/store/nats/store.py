"""NATS store: `chatd.chat.store.Store` on a cluster.

The main thread passes jobs to the connection's thread, which returns the outcomes; each direction
is bounded (`chatd.store.nats.threads`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar, cast

from chatd.chat.events import Change, KeptEvent, RoomEvent
from chatd.chat.store import NotStoredError, Record, StoreObserver, Written
from chatd.chat.store_health import StoreHealth
from chatd.chat.text.query import SearchQuery
from chatd.store.nats.bus import NatsBus
from chatd.store.nats.claims import Claims
from chatd.store.nats.client.connection import Connection, UnavailableError
from chatd.store.nats.client.servers import Servers
from chatd.store.nats.flow import Flow
from chatd.store.nats.jetstream import layout
from chatd.store.nats.jetstream.api import JetStream, JetStreamError
from chatd.store.nats.jetstream.layout import UnfitError
from chatd.store.nats.records import Records
from chatd.store.nats.rooms.context import Post, StoreContext
from chatd.store.nats.rooms.history import RoomHistory
from chatd.store.nats.rooms.room import RoomStream
from chatd.store.nats.rooms.tail_cache import TAIL_EVENTS, TailCache
from chatd.store.nats.stale_claims import StaleClaims
from chatd.store.nats.threads import ThreadBridge
from chatd.store.threads.main_thread import MainThread, Outcome, Quietly

Result = TypeVar("Result")

#: Posts, and their bytes, that may be pending; further ones are refused.  Events that are not
#: stored have a separate bound, equally high: their authors would not repeat them.
MAX_PENDING = 50_000
MAX_PENDING_BYTES = 64 * 1024 * 1024
#: Bytes that a post takes besides its text.
_POST_BYTES = 500
#: Records that may be pending; further ones are refused.
MAX_PENDING_RECORDS = 10_000
#: The reason given to users for a refusal by the bounds above.
BUSY = "the server cannot keep up; try again later."
#: Room streams that are kept although they are idle.
MAX_IDLE_ROOMS = 1000
#: Seconds to connect: a server that cannot be reached is told to whoever starts this one at once.
CONNECT_SECONDS = 4.0
#: Seconds to set up: the streams of a cluster that starts at the same time need a while.
SET_UP_SECONDS = 30.0
#: Rooms that are audited each time the lease is renewed, in case a live copy was lost.
AUDITED_ROOMS = 20
#: Seconds for shutting down: by then each post is stored, or its author notified.
END_SECONDS = 10.0


class _ObserverProxy:
    """Calls the store's observer, if there is one yet."""

    def __init__(self) -> None:
        self.target: StoreObserver | None = None

    def stored(self, room: str, message_id: str, number: int, event: RoomEvent) -> None:
        if self.target is not None:
            self.target.stored(room, message_id, number, event)

    def subscribed(self, room: str, number: int) -> None:
        if self.target is not None:
            self.target.subscribed(room, number)

    def record_changed(self, kind: str, key: str, value: str | None) -> None:
        if self.target is not None:
            self.target.record_changed(kind, key, value)

    def failed(self, room: str, message_id: str, reason: str) -> None:
        if self.target is not None:
            self.target.failed(room, message_id, reason)


class NatsStore:
    """A store on a cluster; ``bus`` is the way to the cluster's other servers.

    `begin` comes before everything else, and after a process has forked.  ``called`` is the
    operators' name for this server; ``shards``, ``replicas``, ``days`` and ``lease_seconds`` are
    used only when the streams are created, by the very first server.  The newest ``tail`` events of
    each subscribed room are cached.
    """

    def __init__(
        self,
        servers: Servers,
        main_thread: MainThread,
        *,
        called: str = "",
        shards: int = layout.SHARDS,
        replicas: int | None = None,
        days: float | None = None,
        tail: int = TAIL_EVENTS,
        lease_seconds: int = layout.LEASE_SECONDS,
    ) -> None:
        self.bridge = ThreadBridge(main_thread)
        self.health = StoreHealth()
        self.bus = NatsBus(self.bridge, called)
        self._main_thread = main_thread
        self._observer = _ObserverProxy()
        self._servers = servers
        self._stream_options = {
            "shards": shards,
            "replicas": replicas,
            "days": days,
            "lease_seconds": lease_seconds,
        }
        self._tail = tail
        self._pending = Flow(MAX_PENDING, MAX_PENDING_BYTES)
        self._pending_unstored = Flow(MAX_PENDING)
        self._pending_records = Flow(MAX_PENDING_RECORDS)
        self._room_streams: dict[str, RoomStream] = {}
        self._purge_done = asyncio.Event()
        self._purge_done.set()
        self._next_audited = 0

    # Connection -----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the connection's thread, and wait until it is connected.

        :raises UnfitError: when the cluster cannot be used, or does not answer.
        """
        self.bridge.start()
        try:
            self.bridge.submit(self._begin()).result()
        except BaseException:
            self.bridge.stop()
            raise

    async def _begin(self) -> None:
        bus = self.bus
        self.connection = Connection(self._servers, bus.display_name, bus.token, self._reconnected)
        try:
            await self.connection.connect(CONNECT_SECONDS)
            await self._set_up()
        except BaseException as error:
            if self.connection.is_up:
                await self.connection.close()
            if isinstance(error, UnavailableError):
                raise UnfitError(self.connection.last_error or str(error)) from None
            raise

    async def _set_up(self) -> None:
        self.streams = JetStream(self.connection)
        await layout.check(self.streams)
        prepare = partial(layout.prepare, self.streams, **cast(Any, self._stream_options))
        self.layout = await _patiently(prepare)
        self.tails = TailCache(self.layout.max_age, self._tail)
        self._context = StoreContext(
            self.streams, self.tails, self.bridge, self._observer, self._posts_done
        )
        self.history = RoomHistory(self.streams, self.room_stream, self.tails)
        self.claims = Claims(self.streams, self.bus.name)
        self._stale_claims = StaleClaims(self.streams, self.claims, self.tails.clear)
        self.record_cache = Records(self._context, self.bus.name)
        await _patiently(self.claims.renew)
        await self.record_cache.subscribe()
        await _patiently(self.record_cache.catch_up)
        await self.bus.connect(self.connection, self.claims)

    @property
    def is_up(self) -> bool:
        """Whether there is a connection to the cluster; also read in the main thread."""
        return self.connection.is_up

    @property
    def answers(self) -> int:
        """The number of messages that the cluster has stored; also read in the main thread."""
        return self.streams.ack_count

    def declined(self) -> str:
        """Return why the cluster has refused a message since the last call; empty if it has not."""
        reason, self.streams.last_error = self.streams.last_error, ""
        return reason

    def renew(self, renewed: Callable[[], None]) -> None:
        """Renew the lease of this server, and call back when that is acknowledged.

        It is called every few seconds; `maintain` performs other tasks that are due.
        """
        self.bridge.call(lambda: self.bridge.spawn(self.maintain(renewed)))

    async def maintain(self, renewed: Callable[[], None]) -> None:
        """Renew the lease, drop stale claims, and look for messages that were not received.

        In the connection's thread.

        :raises UnavailableError: when the cluster does not answer; it is soon repeated.
        """
        await self.claims.renew()
        self.bridge.call_main(renewed)
        await self._stale_claims.check()
        await self.record_cache.catch_up()
        subscribed = [stream for stream in self._room_streams.values() if stream.is_subscribed]
        start, end = self._next_audited, self._next_audited + AUDITED_ROOMS
        for stream in subscribed[start:end]:
            stream.audit()
        self._next_audited = end if start < len(subscribed) else 0
        self.bus.replicas = await layout.count_replicas(self.streams)

    def audit_rooms(self) -> None:
        """Look for missed messages in every subscribed room; in the connection's thread."""
        for stream in self._room_streams.values():
            stream.audit()

    def _reconnected(self) -> None:
        """Look for everything that was missed without a connection."""
        self.tails.clear()
        self.audit_rooms()
        self.bridge.spawn(self.record_cache.catch_up())

    # Posting --------------------------------------------------------------------------------------

    def open(self, observer: StoreObserver) -> None:
        """Notify this observer from now on."""
        self._observer.target = observer

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        """Post an event to a room; the observer is notified once it is acknowledged."""
        observer = self._observer.target
        if observer is None:
            raise RuntimeError("the store is not open")
        flow = self._flow(event)
        if flow.is_full:
            self._main_thread.call_soon(partial(observer.failed, room, message_id, BUSY))
            return
        flow.add(_size(event))
        self.bridge.call(self._post, room, message_id, event, author)

    def _flow(self, event: RoomEvent) -> Flow:
        is_stored = isinstance(event, KeptEvent | Change)
        return self._pending if is_stored else self._pending_unstored

    @property
    def pending_posts(self) -> int:
        """The number of pending posts."""
        return self._pending.count + self._pending_unstored.count

    def _post(self, room: str, message_id: str, event: RoomEvent, author: str) -> None:
        now = asyncio.get_running_loop().time()
        self.room_stream(room).post(Post(message_id, event, author, now))

    def _posts_done(self, posts: Sequence[Post]) -> None:
        for post in posts:
            self._flow(post.event).remove(1, _size(post.event))

    # Rooms ----------------------------------------------------------------------------------------

    def room_stream(self, room: str) -> RoomStream:
        """Return the stream of a room, created if necessary; in the connection's thread."""
        stream = self._room_streams.get(room)
        if stream is None:
            if len(self._room_streams) > MAX_IDLE_ROOMS:
                for each in [each for each in self._room_streams.values() if each.is_idle]:
                    del self._room_streams[each.ident]
            stream = RoomStream(room, self.layout.room(room), self._context)
            self._room_streams[room] = stream
            if not self._purge_done.is_set():
                stream.wait_for(self._purge_done)
        return stream

    async def drain(self) -> None:
        """Wait until all jobs of the room streams are done; in the connection's thread."""
        for stream in list(self._room_streams.values()):
            if not stream.is_idle:
                await stream.drain()

    def subscribe(self, room: str) -> None:
        """Start receiving other servers' posts to a room."""
        self.bridge.call(lambda: self.room_stream(room).subscribe())

    def unsubscribe(self, room: str) -> None:
        """Stop receiving them."""
        self.bridge.call(lambda: self.room_stream(room).unsubscribe())

    def drop_room(self, room: str) -> None:
        """Drop the events of a room that is gone."""
        self.bridge.call(lambda: self.room_stream(room).drop())

    def limit(self, room: str, maximum: int | None) -> None:
        """Keep at most so many events of a room; None: as many as of other rooms."""
        self.bridge.call(lambda: self.room_stream(room).limit(maximum))

    def drop_rooms_but(self, rooms: Collection[str]) -> None:
        """Drop every room but these, unless another server lives, which may have others."""
        self.bridge.call(self._begin_purge, frozenset(rooms))

    def _begin_purge(self, kept: frozenset[str]) -> None:
        """Pause the rooms to be dropped, and those not known yet, until the purge is done."""
        self._purge_done.clear()
        for stream in self._room_streams.values():
            if stream.ident not in kept:
                stream.wait_for(self._purge_done)
        self.bridge.spawn(self._purge_all_but(kept))

    async def _purge_all_but(self, kept: frozenset[str]) -> None:
        try:
            logs = {self.layout.room(room).log for room in kept}
            others = [await self._others(stream, logs) for stream in self.layout.streams()]
            # The leases are read after the rooms: a server whose messages were among them has a
            # lease, and posts of a server that starts later are above ``last``.
            if await self.claims.is_alone():
                for stream in self._room_streams.values():
                    if stream.ident not in kept:
                        stream.drop()
                for name, subjects, last in others:
                    for subject in subjects:
                        await self.streams.purge(name, subject, below=last + 1)
        finally:
            self._purge_done.set()

    async def _others(self, stream: str, logs: set[str]) -> tuple[str, list[str], int]:
        """Return a stream's name, the subjects of its other rooms, and its last sequence number."""
        info = await self.streams.info(stream, subjects_filter="room.*.*")
        state = (info or {}).get("state", {})
        rooms = (state.get("subjects") or {}).keys() - logs
        edits = [f"{room.replace('room', 'over', 1)}.*" for room in rooms]
        return stream, [*rooms, *edits], int(state.get("last_seq", 0))

    # Reading --------------------------------------------------------------------------------------

    async def before(
        self, room: str, number: int | None, count: int, skip: int = 0
    ) -> Sequence[tuple[int, RoomEvent]]:
        """Return the last ``count`` events below ``number`` and before ``skip`` more."""
        return await self.bridge.query(self.history.before, room, number, count, skip)

    async def after(self, room: str, number: int, count: int) -> Sequence[tuple[int, RoomEvent]]:
        """Return the first ``count`` events numbered above ``number``, oldest first."""
        return await self.bridge.query(self.history.after, room, number, count)

    async def count(self, room: str, above: int, below: int) -> int:
        """Return how many events and changes are numbered between two numbers."""
        return await self.bridge.query(self.history.count, room, above, below)

    async def last_by(
        self, room: str, nick: str, account: str | None = None
    ) -> tuple[int, KeptEvent] | None:
        """Return the last message of a nick in a room, if it is among the newest there."""
        return await self.bridge.query(self.history.last_by, room, nick, account)

    async def search(
        self, rooms: Sequence[str], search: SearchQuery, skip: int, count: int
    ) -> Sequence[tuple[str, int, KeptEvent]]:
        """Return matches among the newest events of some rooms, newest first."""
        return await self.bridge.query(self.history.search, rooms, search, skip, count)

    # Records --------------------------------------------------------------------------------------

    def put_all(self, records: Sequence[Record]) -> Awaitable[None]:
        """Replace the known versions of records; if one cannot be replaced, none is.

        :raises NotStoredError: from the awaitable, if that is not done.
        """
        promise = self._main_thread.promise()
        self._begin_put(records, promise)
        return promise

    def put_quietly(self, record: Record, written: Written) -> None:
        """Replace a record that nobody waits for; ``written`` is called with the outcome."""
        self._begin_put([record], Quietly(written))

    def _begin_put(self, records: Sequence[Record], outcome: Outcome) -> None:
        if self._pending_records.is_full:
            self._main_thread.call_soon(partial(outcome.fail, NotStoredError(BUSY)))
        else:
            self._pending_records.add()
            self.bridge.call(lambda: self.bridge.spawn(self._put(records, outcome)))

    async def _put(self, records: Sequence[Record], outcome: Outcome) -> None:
        try:
            await self.record_cache.put_all(records, outcome)
        finally:
            self._pending_records.remove()

    async def records(self, kind: str) -> Mapping[str, str]:
        """Return the records of a kind, by their keys."""
        return await self.bridge.query(self.record_cache.of_kind, kind)

    # Nicks, and the end ---------------------------------------------------------------------------

    async def claim(self, nick: str, holder: str, *, owner: bool = False) -> bool:
        """Claim a nick for a holder; return False if another has it, here or on another server.

        Its ``owner`` takes it from either.
        """
        return await self.bridge.query(self.claims.claim, nick, holder, owner)

    def release(self, nick: str, holder: str) -> None:
        """Release a nick, if this holder has it."""
        self.bridge.call(lambda: self.bridge.spawn(self.claims.release(nick, holder)))

    async def close(self) -> None:
        """Store what was posted, release every nick together, and shut down."""
        await self.bridge.run(self._close, ())
        self.bridge.stop()

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(END_SECONDS):
                await self.drain()
                await self.claims.end_lease()
        except (TimeoutError, UnavailableError, JetStreamError):
            pass
        await self.connection.close()


async def _patiently(work: Callable[[], Awaitable[Result]]) -> Result:
    """Retry for `SET_UP_SECONDS`: the streams of a starting cluster have no leaders yet."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SET_UP_SECONDS
    while True:
        try:
            return await work()
        except UnavailableError:
            if loop.time() > deadline:
                raise
            await asyncio.sleep(0.2)


def _size(event: RoomEvent) -> int:
    return _POST_BYTES + len(getattr(event, "text", ""))


__all__ = ["NatsStore", "Servers", "UnfitError"]
