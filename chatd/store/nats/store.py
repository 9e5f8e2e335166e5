"""The store of a cluster, as the chat sees it: `chatd.chat.store.Store` on NATS.

The chat's thread hands jobs to the thread of the connection, and is handed what came of them; each
way is bounded (`chatd.store.nats.threads`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar, cast

from chatd.chat.events import Change, KeptEvent, RoomEvent
from chatd.chat.store import NotStoredError, StoreObserver
from chatd.chat.text.query import SearchQuery
from chatd.store.nats.bus import NatsBus
from chatd.store.nats.claims import Claims
from chatd.store.nats.client.connection import AwayError, Connection
from chatd.store.nats.client.servers import Servers
from chatd.store.nats.flow import Flow
from chatd.store.nats.jetstream import layout
from chatd.store.nats.jetstream.api import DeclinedError, JetStream
from chatd.store.nats.jetstream.layout import UnfitError
from chatd.store.nats.records import Records
from chatd.store.nats.rooms.context import Post
from chatd.store.nats.rooms.history import RoomHistory
from chatd.store.nats.rooms.room import RoomStream
from chatd.store.nats.rooms.tail_cache import EVENTS, Tails
from chatd.store.nats.stale_claims import StaleClaims
from chatd.store.threads.main_thread import MainThread, Promise

Found = TypeVar("Found")

#: Posts, and their bytes, that may wait for the cluster; more are refused.  What is not kept has
#: as much again, as nobody says it again who is told that it was refused.
WAITING = 50_000
WAITING_BYTES = 64 * 1024 * 1024
#: What a post costs beside its text.
_POST_BYTES = 500
#: Records that may be about to be kept; more are refused.
PUTS = 10_000
#: Why something is refused that the bounds above have no place for.
BUSY = "the server cannot keep up; try again later."
#: Rooms that are remembered although nothing goes on in them here.
REMEMBERED = 1000
#: Seconds that the beginning may take: a cluster that starts at the same time needs some.
CONNECT_SECONDS = 30.0
#: Rooms that are looked after each time that the lease is renewed, should a copy not have come.
AUDITED = 20
#: Seconds that the end may take: what was posted is kept by then, or its writer is told.
END_SECONDS = 10.0


class NatsStore(NatsBus):
    """`chatd.chat.store.Store` on a cluster.

    `begin` comes before everything else, and after a process has forked.  ``called`` is what who
    runs the cluster calls this server; ``shards``, ``replicas``, ``days`` and ``lease_seconds``
    hold when the streams are made, by the first server of all.  Of each room that is heard the
    newest ``tail`` events are remembered here.
    """

    def __init__(
        self,
        where: Servers,
        turn: MainThread,
        *,
        called: str = "",
        shards: int = layout.SHARDS,
        replicas: int | None = None,
        days: float | None = None,
        tail: int = EVENTS,
        lease_seconds: int = layout.LEASE_SECONDS,
    ) -> None:
        super().__init__(turn, called)
        self._keeper: StoreObserver | None = None
        self._where = where
        self._made = {
            "shards": shards,
            "replicas": replicas,
            "days": days,
            "lease_seconds": lease_seconds,
        }
        self._tail = tail
        self._waiting = Flow(WAITING, WAITING_BYTES)
        self._passing = Flow(WAITING)
        self._puts = Flow(PUTS)
        self._lines: dict[str, RoomStream] = {}
        self._calm = asyncio.Event()
        self._calm.set()
        self.replicas = (0, 0)
        self._audited = 0

    # The two threads ------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the thread that is connected to the cluster; wait until it is.

        :raises UnfitError: when the cluster cannot be used, or does not answer.
        """
        self._start()
        started: Future[None] = Future()
        self._call(self._loop.spawn, self._begin(started))
        try:
            started.result()
        except BaseException:
            self._stop()
            raise

    async def _begin(self, started: Future[None]) -> None:
        try:
            self.link = Connection(self._where, self.display_name, self.word, self._returned)
            await self.link.connect(CONNECT_SECONDS)
            self.streams = JetStream(self.link)
            await layout.check(self.streams)
            prepare = partial(layout.prepare, self.streams, **cast(Any, self._made))
            self._layout = await self._patiently(prepare)
            self.tails = Tails(self._layout.age, self._tail)
            self._library = RoomHistory(self.streams, self._line, self.tails)
            self._claims = Claims(self.streams, self.lease)
            self._sweep = StaleClaims(self.streams, self._claims, self.tails.forget)
            self._records = Records(self.streams, self.lease, self, self._recorded)
            await self._patiently(self._claims.renew)
            await self._records.begin()
            await self._patiently(self._records.catch_up)
            await self._listen_to_others()
        except BaseException as why:
            if self.link.is_up:
                await self.link.close()
            unfit = isinstance(why, AwayError)
            started.set_exception(UnfitError(self.link.trouble or str(why)) if unfit else why)
        else:
            started.set_result(None)

    async def _patiently(self, work: Callable[[], Awaitable[Found]]) -> Found:
        """Do what a cluster that begins may not answer yet: streams are led a moment later."""
        until = self._loop.loop.time() + CONNECT_SECONDS
        while True:
            try:
                return await work()
            except AwayError:
                if self._loop.loop.time() > until:
                    raise
                await asyncio.sleep(0.2)

    @property
    def is_up(self) -> bool:
        """Whether there is a connection to the cluster; also asked in the chat's thread."""
        return self.link.is_up

    @property
    def answers(self) -> int:
        """How often the cluster has kept something; also asked in the chat's thread."""
        return self.streams.kept

    def declined(self) -> str:
        """Why the cluster has not taken something since this was asked; empty when it has."""
        why, self.streams.declined = self.streams.declined, ""
        return why

    def renew(self, renewed: Callable[[], None]) -> None:
        """Say that this server lives, and tell when that has been taken; every few seconds.

        What may not have been heard is looked for by and by.
        """
        self._call(lambda: self.spawn(self._renew(renewed)))

    async def _renew(self, renewed: Callable[[], None]) -> None:
        await self._claims.renew()
        self.tell(renewed)
        await self._sweep.look()
        await self._records.catch_up()
        listening = [line for line in self._lines.values() if line.listens]
        for line in listening[self._audited : self._audited + AUDITED]:
            line.audit()
        self._audited = self._audited + AUDITED if self._audited < len(listening) else 0
        self.replicas = await layout.copies(self.streams)

    def _returned(self) -> None:
        """Something may not have been heard."""
        self.tails.forget()
        for line in self._lines.values():
            line.audit()
        self.spawn(self._records.catch_up())

    # Posting --------------------------------------------------------------------------------------

    def open(self, keeper: StoreObserver) -> None:
        """Begin, and tell this keeper from now on."""
        self._keeper = keeper

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        """Put an event into the room's order; the keeper hears of it once it is acknowledged."""
        keeper = self._keeper
        if keeper is None:
            raise RuntimeError("the store is not open")
        flow = self._flow(event)
        if flow.is_full:
            self._turn.soon(partial(keeper.failed, room, message_id, BUSY))
            return
        flow.begins(_size(event))
        self._call(self._post, room, message_id, event, author)

    def _flow(self, event: RoomEvent) -> Flow:
        return self._waiting if isinstance(event, KeptEvent | Change) else self._passing

    def _post(self, room: str, message_id: str, event: RoomEvent, author: str) -> None:
        self._line(room).post(Post(message_id, event, author, self._loop.loop.time()))

    def done(self, posts: Sequence[Post]) -> None:
        """Some posts wait for nothing more."""
        for post in posts:
            self._flow(post.event).ends(1, _size(post.event))

    def _line(self, room: str) -> RoomStream:
        line = self._lines.get(room)
        if line is None:
            if len(self._lines) > REMEMBERED:
                for each in [each for each in self._lines.values() if each.idle]:
                    del self._lines[each.ident]
            line = self._lines[room] = RoomStream(room, self._layout.room(room), self)
            if not self._calm.is_set():
                line.wait_for(self._calm)
        return line

    def stored(self, room: str, message_id: str, number: int, event: RoomEvent) -> None:
        """An event has its place."""
        if self._keeper is not None:
            self._keeper.stored(room, message_id, number, event)

    def subscribed(self, room: str, number: int) -> None:
        """A room is heard from now on."""
        if self._keeper is not None:
            self._keeper.subscribed(room, number)

    def failed(self, room: str, message_id: str, why: str) -> None:
        """An event could not be kept."""
        if self._keeper is not None:
            self._keeper.failed(room, message_id, why)

    # Rooms ----------------------------------------------------------------------------------------

    def subscribe(self, room: str) -> None:
        """Hear what others post to a room."""
        self._call(lambda: self._line(room).subscribe())

    def unsubscribe(self, room: str) -> None:
        """Hear it no more."""
        self._call(lambda: self._line(room).unsubscribe())

    def drop_room(self, room: str) -> None:
        """The room is gone for good: drop its events."""
        self._call(lambda: self._line(room).drop())

    def limit(self, room: str, most: int | None) -> None:
        """Keep only the last so many events of a room, or (None) as many as of the others."""
        self._call(lambda: self._line(room).limit(most))

    def drop_rooms_but(self, rooms: Collection[str]) -> None:
        """Forget every room but these, if no other server is there, which may have others."""
        self._call(self._begin_to_retain, frozenset(rooms))

    def _begin_to_retain(self, rooms: frozenset[str]) -> None:
        """Let rooms that are to be forgotten, or not known yet, wait until that is done."""
        self._calm.clear()
        for line in self._lines.values():
            if line.ident not in rooms:
                line.wait_for(self._calm)
        self.spawn(self._retain(rooms))

    async def _retain(self, rooms: frozenset[str]) -> None:
        try:
            logs = {self._layout.room(room).log for room in rooms}
            left = [await self._left(stream, logs) for stream in self._layout.streams()]
            # Whoever has said something by then that is not to be forgotten is there by now.
            if await self._claims.alone():
                for line in self._lines.values():
                    if line.ident not in rooms:
                        line.drop()
                for stream, subjects, last in left:
                    for subject in subjects:
                        await self.streams.purge(stream, subject, below=last + 1)
        finally:
            self._calm.set()

    async def _left(self, stream: str, logs: set[str]) -> tuple[str, list[str], int]:
        """What there is of other rooms in a stream, and up to which place."""
        info = await self.streams.info(stream, subjects_filter="room.*.*")
        state = (info or {}).get("state", {})
        rooms = (state.get("subjects") or {}).keys() - logs
        overs = [f"{room.replace('room', 'over', 1)}.*" for room in rooms]
        return stream, [*rooms, *overs], int(state.get("last_seq", 0))

    # Reading --------------------------------------------------------------------------------------

    async def before(
        self, room: str, number: int | None, count: int
    ) -> Sequence[tuple[int, RoomEvent]]:
        """Return the last ``count`` events numbered below ``number``, oldest first."""
        return await self._read(self._library.before, room, number, count)

    async def after(self, room: str, number: int, count: int) -> Sequence[tuple[int, RoomEvent]]:
        """Return the first ``count`` events numbered above ``number``, oldest first."""
        return await self._read(self._library.after, room, number, count)

    async def count(self, room: str, above: int, below: int) -> int:
        """Return how many events and changes are numbered between two numbers."""
        return await self._read(self._library.count, room, above, below)

    async def last_by(
        self, room: str, nick: str, account: str | None = None
    ) -> tuple[int, KeptEvent] | None:
        """Return the last message of somebody in a room, if it is among the newest there."""
        return await self._read(self._library.last_by, room, nick, account)

    async def search(
        self, rooms: Sequence[str], search: SearchQuery, skip: int, count: int
    ) -> Sequence[tuple[str, int, KeptEvent]]:
        """Return what is found among the newest of some rooms, what was kept last first."""
        return await self._read(self._library.search, rooms, search, skip, count)

    # Records --------------------------------------------------------------------------------------

    def put(self, kind: str, key: str, value: str | None) -> Awaitable[None]:
        """Keep a record in the place of the one that is known, or (None) drop that.

        :raises NotKeptError: to who waits, when it is not kept.
        """
        answer = self._turn.answer()
        if self._puts.is_full:
            self._turn.soon(partial(answer.fail, NotStoredError(BUSY)))
        else:
            self._puts.begins()
            self._call(lambda: self.spawn(self._put(kind, key, value, answer)))
        return answer

    async def _put(self, kind: str, key: str, value: str | None, answer: Promise) -> None:
        try:
            await self._records.put(kind, key, value, answer)
        finally:
            self._puts.ends()

    async def records(self, kind: str) -> Mapping[str, str]:
        """Every record of a kind, by its key."""
        return await self._read(self._records.of_kind, kind)

    def _recorded(self, kind: str, key: str, value: str | None) -> None:
        """Another server has changed a record."""
        if self._keeper is not None:
            self._keeper.record_changed(kind, key, value)

    # Nicks, and the end ---------------------------------------------------------------------------

    def hand_over_nick(self, nick: str, server: str) -> None:
        """Let the claim on a nick be another server's."""
        self._call(lambda: self.spawn(self._claims.give(nick, server)))

    async def claim(self, nick: str, holder: str, *, owner: bool = False) -> bool:
        """Take a nick for a holder; False when another holds it, here or on another server.

        Its ``owner`` takes it from either.
        """
        return await self._read(self._claims.claim, nick, holder, owner)

    def release(self, nick: str, holder: str) -> None:
        """Give a nick back, if this holder has it."""
        self._call(lambda: self.spawn(self._claims.release(nick, holder)))

    async def close(self) -> None:
        """Keep what was posted, then end; every nick is free at once."""
        await self._look_up(self._close, ())
        self._stop()

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(END_SECONDS):
                for line in list(self._lines.values()):
                    await line.settled()
                await self._claims.end()
        except (TimeoutError, AwayError, DeclinedError):
            pass
        await self.link.close()


def _size(event: RoomEvent) -> int:
    return _POST_BYTES + len(getattr(event, "text", ""))


__all__ = ["NatsStore", "Servers", "UnfitError"]
