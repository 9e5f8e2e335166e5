"""The store of a cluster, as the chat sees it: `chatd.chat.store.Store` on NATS.

The chat's thread hands jobs to the thread of the connection, and is handed what came of them; each
way is bounded.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar, cast

from chatd.chat.events import Change, KeptEvent, RoomEvent
from chatd.chat.neighbours import Hear
from chatd.chat.search import Search
from chatd.chat.store import Keeper
from chatd.store.nats import layout, reading
from chatd.store.nats.claims import Claims
from chatd.store.nats.client import Message
from chatd.store.nats.crossing import Crossing
from chatd.store.nats.jetstream import DeclinedError, JetStream
from chatd.store.nats.layout import UnfitError
from chatd.store.nats.line import Line, Post
from chatd.store.nats.link import AwayError, Link
from chatd.store.nats.records import Records
from chatd.store.nats.where import Where
from chatd.store.turn import Turn

Found = TypeVar("Found")

#: Posts that may wait for the cluster; more are refused.
WAITING = 50_000
#: Rooms that are remembered although nothing goes on in them here.
REMEMBERED = 1000
#: Seconds that the beginning may take: a cluster that starts at the same time needs some.
CONNECT_SECONDS = 30.0
#: Rooms that are looked after each time that the lease is renewed, should a copy not have come.
AUDITED = 20
#: Seconds that the end may take: what was posted is kept by then, or its writer is told.
END_SECONDS = 10.0


class NatsStore(Crossing):
    """`chatd.chat.store.Store` on a cluster.

    `begin` comes before everything else, and after a process has forked.  ``name`` is what the
    connection is called in the eyes of who runs the cluster; ``shards`` and ``replicas`` and
    ``days`` hold when the streams are made, by the first server of all.
    """

    def __init__(
        self,
        where: Where,
        turn: Turn,
        *,
        name: str = "chatd",
        shards: int = layout.SHARDS,
        replicas: int | None = None,
        days: float | None = None,
    ) -> None:
        super().__init__(turn)
        self._keeper: Keeper | None = None
        self._where = where
        self._name = name
        self._made = {"shards": shards, "replicas": replicas, "days": days}
        self.lease = secrets.token_hex(8)
        self._waiting = 0
        self._lines: dict[str, Line] = {}
        self._calm = asyncio.Event()
        self._calm.set()
        self._hear: Hear = _nobody_hears
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
            self.link = Link(self._where, self._name, self._returned)
            await self.link.connect(CONNECT_SECONDS)
            self.streams = JetStream(self.link)
            await layout.check(self.streams)
            prepare = partial(layout.prepare, self.streams, **cast(Any, self._made))
            self._layout = await self._patiently(prepare)
            self._claims = Claims(self.streams, self.lease)
            self._records = Records(self.streams, self.lease, self.tell, self._recorded)
            await self._patiently(self._claims.renew)
            await self._records.begin()
            await self._patiently(self._records.catch_up)
            await self.link.hear("all.*", self._said)
            await self.link.hear(f"ctl.{self.lease}.*", self._said)
        except AwayError as why:
            started.set_exception(UnfitError(str(why)))
        except BaseException as why:
            started.set_exception(why)
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

    def renew(self, renewed: Callable[[], None]) -> None:
        """Say that this server lives, and tell when that has been taken; every few seconds.

        What may not have been heard is looked for by and by.
        """
        self._call(lambda: self.spawn(self._renew(renewed)))

    async def _renew(self, renewed: Callable[[], None]) -> None:
        await self._claims.renew()
        self.tell(renewed)
        await self._records.catch_up()
        listening = [line for line in self._lines.values() if line.listens]
        for line in listening[self._audited : self._audited + AUDITED]:
            line.audit()
        self._audited = self._audited + AUDITED if self._audited < len(listening) else 0

    def _returned(self) -> None:
        """The connection is there again: something may not have been heard."""
        for line in self._lines.values():
            line.audit()
        self.spawn(self._records.catch_up())

    # Posting --------------------------------------------------------------------------------------

    def open(self, keeper: Keeper) -> None:
        """Begin, and tell this keeper from now on."""
        self._keeper = keeper

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        """Put an event into the room's order; the keeper hears of it once it is acknowledged."""
        keeper = self._keeper
        if keeper is None:
            raise RuntimeError("the store is not open")
        if self._waiting >= WAITING and isinstance(event, KeptEvent | Change):
            why = "the server cannot keep up; try again later."
            self._turn.soon(partial(keeper.not_kept, room, message_id, why))
            return
        self._waiting += 1
        self._call(self._post, room, message_id, event, author)

    def _post(self, room: str, message_id: str, event: RoomEvent, author: str) -> None:
        self._waiting -= 1
        self._line(room).post(Post(message_id, event, author, self._loop.loop.time()))

    def _line(self, room: str) -> Line:
        line = self._lines.get(room)
        if line is None:
            if len(self._lines) > REMEMBERED:
                for each in [each for each in self._lines.values() if each.idle]:
                    del self._lines[each.ident]
            line = self._lines[room] = Line(room, self._layout.room(room), self)
            if not self._calm.is_set():
                line.wait_for(self._calm)
        return line

    def kept(self, room: str, message_id: str, number: int, event: RoomEvent) -> None:
        """An event has its place."""
        if self._keeper is not None:
            self._keeper.kept(room, message_id, number, event)

    def not_kept(self, room: str, message_id: str, why: str) -> None:
        """An event could not be kept."""
        if self._keeper is not None:
            self._keeper.not_kept(room, message_id, why)

    # Rooms ----------------------------------------------------------------------------------------

    def listen(self, room: str) -> None:
        """Hear what others post to a room."""
        self._call(lambda: self._line(room).listen())

    def unlisten(self, room: str) -> None:
        """Hear it no more."""
        self._call(lambda: self._line(room).unlisten())

    def forget(self, room: str) -> None:
        """The room is gone for good: drop its events."""
        self._call(lambda: self._line(room).forget())

    def limit(self, room: str, most: int | None) -> None:
        """Keep only the last so many events of a room, or (None) as many as of the others."""
        self._call(lambda: self._line(room).limit(most))

    def retain(self, rooms: Collection[str]) -> None:
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
            if await self._claims.alone():
                await self._forget_all_but(rooms)
        finally:
            self._calm.set()

    async def _forget_all_but(self, rooms: frozenset[str]) -> None:
        logs = {self._layout.room(room).log for room in rooms}
        for line in self._lines.values():
            if line.ident not in rooms:
                line.forget()
        for stream in self._layout.streams():
            info = await self.streams.info(stream, subjects_filter="room.*.*")
            subjects = (info or {}).get("state", {}).get("subjects") or {}
            for subject in subjects.keys() - logs:
                await self.streams.purge(stream, subject)
                await self.streams.purge(stream, f"{subject.replace('room', 'over', 1)}.*")

    # Reading --------------------------------------------------------------------------------------

    async def before(
        self, room: str, number: int | None, count: int
    ) -> Sequence[tuple[int, RoomEvent]]:
        """Return the last ``count`` events numbered below ``number``, oldest first."""
        return await self._read(self._before, room, number, count)

    async def _before(
        self, room: str, number: int | None, count: int
    ) -> list[tuple[int, RoomEvent]]:
        line = await self._settled(room)
        return _rows(await reading.last(self.streams, line.spot, number, count))

    async def after(self, room: str, number: int, count: int) -> Sequence[tuple[int, RoomEvent]]:
        """Return the first ``count`` events numbered above ``number``, oldest first."""
        return await self._read(self._after, room, number, count)

    async def _after(self, room: str, number: int, count: int) -> list[tuple[int, RoomEvent]]:
        line = await self._settled(room)
        return _rows(await reading.after(self.streams, line.spot, number, count))

    async def count(self, room: str, above: int, below: int) -> int:
        """Return how many events and changes are numbered between two numbers."""
        return await self._read(self._count, room, above, below)

    async def _count(self, room: str, above: int, below: int) -> int:
        line = await self._settled(room)
        return await reading.count(self.streams, line.spot, above, below)

    async def last_by(
        self, room: str, nick: str, account: str | None = None
    ) -> tuple[int, KeptEvent] | None:
        """Return the last message of somebody in a room, if it is among the newest there."""
        return await self._read(self._last_by, room, nick, account)

    async def _last_by(
        self, room: str, nick: str, account: str | None
    ) -> tuple[int, KeptEvent] | None:
        line = await self._settled(room)
        return await reading.last_by(self.streams, line.spot, nick, account)

    async def search(
        self, rooms: Sequence[str], search: Search, skip: int, count: int
    ) -> Sequence[tuple[str, int, KeptEvent]]:
        """Return what is found among the newest of some rooms, what was kept last first."""
        return await self._read(self._search, rooms, search, skip, count)

    async def _search(
        self, rooms: Sequence[str], search: Search, skip: int, count: int
    ) -> list[tuple[str, int, KeptEvent]]:
        spots = [(room, (await self._settled(room)).spot) for room in rooms]
        return await reading.search(self.streams, spots, search, skip, count)

    async def _settled(self, room: str) -> Line:
        """A room, once what was posted to it before is kept."""
        line = self._line(room)
        if not line.idle:
            await line.settled()
        return line

    # Records --------------------------------------------------------------------------------------

    def put(self, kind: str, key: str, value: str | None) -> Awaitable[None]:
        """Keep a record in the place of the one that is known, or (None) drop that.

        :raises NotKeptError: to who waits, when it is not kept.
        """
        answer = self._turn.answer()
        self._call(lambda: self.spawn(self._records.put(kind, key, value, answer)))
        return answer

    async def records(self, kind: str) -> Mapping[str, str]:
        """Every record of a kind, by its key."""
        return await self._read(self._records.of_kind, kind)

    def _recorded(self, kind: str, key: str, value: str | None) -> None:
        """Another server has changed a record."""
        if self._keeper is not None:
            self._keeper.recorded(kind, key, value)

    # The other servers ----------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What this server is called among them."""
        return self.lease

    def hear(self, hear: Hear) -> None:
        """Let this function hear what the others say; called before `begin`."""
        self._hear = hear

    def tell_all(self, text: str) -> None:
        """Say something to every other server."""
        self._call(self._say, f"all.{self.lease}", text)

    def tell_one(self, server: str, text: str) -> None:
        """Say something to one of them."""
        self._call(self._say, f"ctl.{server}.{self.lease}", text)

    def _say(self, subject: str, text: str) -> None:
        self.spawn(self.link.tell(subject, text.encode()))

    def _said(self, message: Message) -> None:
        server = message.subject.rpartition(".")[2]
        self.tell(partial(self._hear, server, message.data.decode()))

    # Nicks, and the end ---------------------------------------------------------------------------

    async def claim(self, nick: str, holder: str) -> bool:
        """Take a nick for a holder; False when another holds it, here or on another server."""
        return await self._read(self._claims.claim, nick, holder)

    def release(self, nick: str, holder: str) -> None:
        """Give a nick back, if this holder has it."""
        self._call(lambda: self.spawn(self._claims.release(nick, holder)))

    async def close(self) -> None:
        """Keep what was posted, then end; every nick is free at once."""
        await self._read(self._close)
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


def _rows(found: Sequence[reading.Found]) -> list[tuple[int, RoomEvent]]:
    return [(each.number, each.written.event) for each in found]


def _nobody_hears(server: str, text: str) -> None:
    """There is no chat yet."""


__all__ = ["NatsStore", "UnfitError", "Where"]
