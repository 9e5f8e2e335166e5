"""One room of the cluster: what this server posts to it, and what it hears of it.

Jobs are done in the order in which they came.  What is to be kept is published, again with the same
id until that is acknowledged or too late; a server that listens hands everything to the chat as the
stream has it, its own posts too:

- a live copy at place s that follows place p:  ``s <= last`` is dropped, ``p <= last`` happens,
  and anything else is a gap, which is read from the stream up to s first;
- what is not kept carries the place after which it belongs, and waits for that.

An edit is laid over what it changes, and a deleted message is erased, before the change itself is
published: who reads never sees what was taken away, whatever dies between the two.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from chatd.chat.events import Acted, Change, Deleted, Edited, KeptEvent, RoomEvent, Said
from chatd.store.nats.asked import Asked
from chatd.store.nats.bound import Bound
from chatd.store.nats.client import Message
from chatd.store.nats.jetstream import TOO_LARGE, DeclinedError, JetStream, Place, place_of
from chatd.store.nats.layout import Spot
from chatd.store.nats.link import AwayError
from chatd.store.nats.messages import Written, read, write
from chatd.store.steps import raises

#: Messages that are under way at once; what comes meanwhile goes with the next ones.
UNDER_WAY = 64
#: Seconds after which a message that nobody acknowledged is given up.  Half of the time for which
#: the stream knows its id, so that it is never there twice.
GIVE_UP_SECONDS = 60.0
#: Events of other servers that wait for what comes before them.
HELD = 1000
#: Pauses between two attempts, in seconds.
_PAUSE, _LONGEST = 0.05, 1.0
#: How often a gap is read anew before what was there counts as dropped.
_BEHIND = 8
#: Messages that are looked through for the last number of a room.
_TAIL = 16

Step = Callable[[], None]
Job = Callable[[], Awaitable[None]]


class House(Protocol):
    """What a room needs of its store."""

    @property
    def streams(self) -> JetStream:
        """The streams."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something go on beside."""

    def tell(self, step: Step) -> None:
        """Run something in the chat's thread, in the order of the calls."""

    def kept(self, room: str, message_id: str, number: int, event: RoomEvent) -> None:
        """An event has its place; in the chat's thread."""

    def not_kept(self, room: str, message_id: str, why: str) -> None:
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


class Line:
    """A room; ``last`` is the place up to which it has happened here, ``number`` the last number.

    Everything is called in the thread of the loop.
    """

    def __init__(self, ident: str, spot: Spot, house: House) -> None:
        self.ident = ident
        self.spot = spot
        self._house = house
        self._jobs: deque[Post | Job] = deque()
        self._busy = False
        self._known = False
        self._end: Callable[[], Awaitable[None]] | None = None
        self._posted: dict[str, Post] = {}
        self.last = 0
        self.number = 0
        self._wanted = 0
        self._repairing = False
        self._held: deque[tuple[int, str, RoomEvent]] = deque(maxlen=HELD)
        self._bound = Bound(spot)

    @property
    def idle(self) -> bool:
        """Whether it need not be remembered."""
        return not (self._busy or self._jobs or self._end or self._bound.most is not None)

    @property
    def listens(self) -> bool:
        """Whether it is heard here."""
        return self._end is not None

    # Jobs -----------------------------------------------------------------------------------------

    def post(self, post: Post) -> None:
        """Let something happen."""
        self._do(post)

    async def settled(self) -> None:
        """Wait until all that was posted before is done with."""
        done = asyncio.Event()

        async def here() -> None:
            done.set()

        self._do(here)
        await done.wait()

    def wait_for(self, event: asyncio.Event) -> None:
        """Do nothing more until something has come about."""

        async def wait() -> None:
            await event.wait()

        self._do(wait)

    def listen(self) -> None:
        """Hear the room from now on."""
        self._do(self._listen)

    def unlisten(self) -> None:
        """Hear it no more."""
        self._do(self._unlisten)

    def forget(self) -> None:
        """The room is gone for good."""
        self._do(self._forget)

    def limit(self, most: int | None) -> None:
        """Keep only so many events from now on, or as many as of the others."""
        self._do(lambda: self._bound.limit(self._house.streams, most))

    def audit(self) -> None:
        """See whether something was not heard."""
        self._do(self._audit)

    def _do(self, job: Post | Job) -> None:
        self._jobs.append(job)
        if not self._busy:
            self._busy = True
            self._house.spawn(self._work())

    async def _work(self) -> None:
        while self._jobs:
            try:
                await self._work_on(self._jobs[0])
            except Exception as bug:  # it costs the jobs that follow nothing
                self._house.tell(partial(raises, bug))
        self._busy = False

    async def _work_on(self, first: Post | Job) -> None:
        if isinstance(first, Post) and isinstance(first.event, KeptEvent):
            await self._keep(self._run_of_posts())
            return
        self._jobs.popleft()
        if isinstance(first, Post):
            await self._pass(first)
        else:
            await self._persist(first)

    async def _persist(self, job: Job) -> None:
        """Do something until it is done, however long nobody answers."""
        pause, begun = _PAUSE, asyncio.get_running_loop().time()
        while True:
            try:
                return await job()
            except DeclinedError:  # servers that come and go decline much for a while
                if asyncio.get_running_loop().time() - begun > GIVE_UP_SECONDS:
                    raise
                await asyncio.sleep(_LONGEST)
            except AwayError:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST)

    def _run_of_posts(self) -> list[Post]:
        """Take the posts that may be under way at once."""
        run: list[Post] = []
        while self._jobs and len(run) < UNDER_WAY:
            first = self._jobs[0]
            if not isinstance(first, Post) or not isinstance(first.event, KeptEvent):
                break
            run.append(first)
            self._jobs.popleft()
        return run

    # Posting --------------------------------------------------------------------------------------

    async def _keep(self, posts: list[Post]) -> None:
        """Publish some posts, and hand them back."""
        await self._persist(self._know)
        for post in posts:
            self._posted[post.message_id] = post
        waiting = posts
        while waiting:
            under_way = [(post, await self._publish(post)) for post in waiting]
            for post, asked in under_way:
                await self._place(post, asked)
            waiting = [post for post in waiting if self._waits(post)]
            if waiting:
                await asyncio.sleep(min(_PAUSE * 2 ** waiting[0].tries, _LONGEST))
        await self._hand_back(posts)

    async def _publish(self, post: Post) -> Asked | None:
        """Publish a post, unless it is too late for that; None when nothing is under way."""
        if asyncio.get_running_loop().time() - post.since > GIVE_UP_SECONDS:
            self._refuse(post, "the cluster did not answer in time.")
            return None
        post.tries += 1
        data = write(Written(post.event, post.account, self.number))
        head = {"Nats-Msg-Id": post.message_id}
        try:
            return await self._house.streams.link.begin(self.spot.log, data, head)
        except AwayError:
            return None

    async def _place(self, post: Post, asked: Asked | None) -> None:
        """Learn what became of a post; where it lies only if it was not heard meanwhile."""
        if asked is None:
            return
        try:
            answer = await self._house.streams.link.answer(asked)
            if self._waits(post):
                post.place = place_of(answer)
        except AwayError:
            pass
        except DeclinedError as why:  # while servers come and go they decline much for a while
            if why.code == TOO_LARGE:
                self._refuse(post, "it is too large.")

    def _waits(self, post: Post) -> bool:
        """Whether it has been neither acknowledged, heard nor refused."""
        return post.place is None and post.message_id in self._posted

    def _refuse(self, post: Post, why: str) -> None:
        if self._posted.pop(post.message_id, None) is not None:  # it may have been heard meanwhile
            self._house.tell(partial(self._house.not_kept, self.ident, post.message_id, why))

    async def _hand_back(self, posts: list[Post]) -> None:
        """Let what has its place happen; what listens has heard it meanwhile, or hears it now."""
        places = [post.place.seq for post in posts if post.place is not None]
        if self.listens and places:
            await self._reach(max(places))
        for post in posts:
            waits = self._posted.pop(post.message_id, None) is not None
            if not waits or post.place is None or (post.place.again and post.tries == 1):
                continue  # it has happened, or had been posted before
            self.last = max(self.last, post.place.seq)
            self._happens(post.message_id, post.place.seq, post.event)

    async def _pass(self, post: Post) -> None:
        """Let something happen that is not kept, or that changes what is."""
        await self._persist(self._know)
        if not isinstance(post.event, Change):
            self._happens(post.message_id, self.number, post.event)
            data = write(Written(post.event, post.account, self.last, post.message_id))
            await self._house.streams.link.tell(self.spot.live("e"), data)
            return
        await self._persist(partial(self._apply, post.event, post.message_id))
        await self._keep([post])

    async def _apply(self, change: Change, message_id: str) -> None:
        """Change what is kept, if it is there."""
        streams, spot = self._house.streams, self.spot
        found = await streams.get(spot.stream, change.number) if change.number > 0 else None
        written = read(found.data) if found is not None and found.subject == spot.log else None
        if written is None:
            return
        if isinstance(change, Edited) and isinstance(written.event, Said | Acted):
            over = json.dumps({"text": change.text, "by": change.nick}).encode()
            await streams.publish(
                spot.over(change.number),
                over,
                message_id=f"{message_id}.over",
                headers={"Nats-Rollup": "sub"},
            )
        elif isinstance(change, Deleted) and isinstance(written.event, KeptEvent):
            await streams.erase(spot.stream, change.number)
            await streams.purge(spot.stream, spot.over(change.number))

    # Hearing --------------------------------------------------------------------------------------

    async def _know(self) -> None:
        """Learn how far the room is."""
        if self._known:
            return
        newest = await self._house.streams.last(self.spot.stream, self.spot.log)
        if newest is not None:
            start = max(1, newest.seq - 10 * _TAIL)
            messages, _ = await self._house.streams.page(
                self.spot.stream, self.spot.log, start, 10 * _TAIL
            )
            for message in [*messages, newest]:
                self.number = max(self.number, _number_at(message))
            self.last = newest.seq
        self._known = True

    async def _listen(self) -> None:
        if self._end is None:
            hear = self._house.streams.link.hear
            self._known = False
            self._end = await hear(self.spot.live(), self._heard)
            await self._persist(self._know)
            await self._reach(self._wanted)

    async def _unlisten(self) -> None:
        if self._end is not None:
            end, self._end = self._end, None
            await end()
            self._known = False

    async def _audit(self) -> None:
        if self.listens:
            newest = await self._house.streams.last(self.spot.stream, self.spot.log)
            await self._reach(newest.seq if newest is not None else 0)

    def _heard(self, message: Message) -> None:
        """Something was told of this room."""
        if message.subject.endswith(".e"):
            self._heard_passing(message)
            return
        if not self._known or int(message.headers.get("Nats-Last-Sequence", 0)) > self.last:
            self._wanted = max(self._wanted, message.seq)
            if self._known:
                self._house.spawn(self._repair())
        else:
            self._take(message)

    def _heard_passing(self, message: Message) -> None:
        written = read(message.data)
        if written is None or not self._known:
            return
        self._held.append((written.after, written.message_id, written.event))
        if written.after > self.last:
            self._wanted = max(self._wanted, written.after)
            self._house.spawn(self._repair())
        self._release()

    def _take(self, message: Message) -> None:
        """The next message of the room."""
        if message.seq <= self.last:
            return
        self.last = message.seq
        message_id = message.headers.get("Nats-Msg-Id", "")
        posted = self._posted.pop(message_id, None)
        written = posted or read(message.data)  # one's own need not be read
        if written is not None:
            self._happens(message_id, message.seq, written.event)
        self._release()

    def _release(self) -> None:
        """Let happen what waited for what has happened now."""
        while self._held and self._held[0][0] <= self.last:
            _, message_id, event = self._held.popleft()
            self._happens(message_id, self.number, event)

    async def _reach(self, place: int) -> None:
        """Let everything up to a place happen."""
        if self.last < place:
            await self._house.streams.link.round_trip()
            await asyncio.sleep(0)
        if self.last < place:
            self._wanted = max(self._wanted, place)
            await self._repair()
        while self.last < place:
            await asyncio.sleep(_PAUSE)  # somebody else is at it

    async def _repair(self) -> None:
        """Read what was not heard."""
        if self._repairing:
            return
        self._repairing = True
        try:
            behind = 0
            while self.last < self._wanted:
                behind = 0 if await self._read_on() else behind + 1
                if behind > _BEHIND:  # it has been dropped since
                    self.last = self._wanted
                    self._release()
                elif behind:
                    await asyncio.sleep(0.005 * 2**behind)
        finally:
            self._repairing = False

    async def _read_on(self) -> bool:
        """Read some more of the room; False when there was nothing."""
        before = self.last
        try:
            messages, _ = await self._house.streams.page(
                self.spot.stream, self.spot.log, self.last + 1
            )
        except (AwayError, DeclinedError):
            await asyncio.sleep(_LONGEST)
            return True
        for message in messages:
            self._take(message)
        return self.last > before

    def _happens(self, message_id: str, number: int, event: RoomEvent) -> None:
        if isinstance(event, KeptEvent):
            self.number = max(self.number, number)
            if self._bound.grew(number):
                self._do(lambda: self._bound.trim(self._house.streams))
        elif isinstance(event, Deleted):
            self._bound.lost(event.number)
        told = partial(self._house.kept, self.ident, message_id, self.number, event)
        self._house.tell(told)

    # How much is kept -----------------------------------------------------------------------------

    async def _forget(self) -> None:
        if not self.last:
            await self._know()
        # Not what is newer: somebody on another server may have made a room of this name since.
        await self._house.streams.purge(self.spot.stream, self.spot.log, below=self.last + 1)
        await self._house.streams.purge(self.spot.stream, self.spot.over())
        self.number = 0
        self._bound = Bound(self.spot)


def _number_at(message: Message) -> int:
    """The last number of a room at one of its messages."""
    written = read(message.data)
    if written is None:
        return 0
    return message.seq if isinstance(written.event, KeptEvent) else written.after
