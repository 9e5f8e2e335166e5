"""One room of the cluster: what this server posts to it, and what it hears of it.

Jobs are done in the order in which they came.  What is to be kept is published, again with the same
id until that is acknowledged or too late; a server that listens hands everything to the chat as the
stream has it, its own posts too:

- a live copy at place s that follows place p:  ``s <= last`` is dropped, ``p <= last`` happens,
  and anything else is a gap, which is read from the stream up to s first;
- what is not kept carries the place after which it belongs, and waits for that.

What changes something that is kept is done (`chatd.store.nats.rooms.edits`) before it is published.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

from chatd.chat.events import Change, Deleted, KeptEvent, RoomEvent
from chatd.store.nats.client.client import Message
from chatd.store.nats.client.connection import AwayError, NobodyError
from chatd.store.nats.client.requests import PendingRequest
from chatd.store.nats.jetstream.api import TOO_LARGE, DeclinedError
from chatd.store.nats.jetstream.layout import RoomSubject
from chatd.store.nats.jetstream.messages import Written, read, write
from chatd.store.nats.rooms import reading
from chatd.store.nats.rooms.context import Post, StoreContext
from chatd.store.nats.rooms.edits import apply
from chatd.store.nats.rooms.retention import Retention
from chatd.store.nats.rooms.tail_cache import Tail
from chatd.store.threads.steps import raises

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

Job = Callable[[], Awaitable[None]]


class RoomStream:
    """A room; ``last`` is the place up to which it has happened here, ``number`` the last number.

    ``_others`` is the last place of what another server has posted, as far as it was heard.

    Everything is called in the thread of the loop.
    """

    def __init__(self, ident: str, spot: RoomSubject, house: StoreContext) -> None:
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
        self._others = 0
        self._wanted = 0
        self._repairing = False
        self._audit_due = False
        self._held: deque[tuple[int, str, RoomEvent]] = deque(maxlen=HELD)
        self._bound = Retention(spot)
        self.tail = Tail(house.tails)

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

    def subscribe(self) -> None:
        """Hear the room from now on."""
        self._do_instead(self._unlisten, self._listen)

    def unsubscribe(self) -> None:
        """Hear it no more."""
        self._do_instead(self._listen, self._unlisten)

    def drop(self) -> None:
        """The room is gone for good."""
        self._do(partial(self._forget, self.last, self._others))

    def limit(self, most: int | None) -> None:
        """Keep only so many events from now on, or as many as of the others."""
        self._do(partial(self._limit, most))

    def audit(self) -> None:
        """See whether something was not heard."""
        if self.listens and not self._audit_due:
            self._audit_due = True
            self._do(self._audit)

    def _do_instead(self, other: Job, job: Job) -> None:
        """Do a job, and not the other before it: however often, one of them waits."""
        if self._jobs and self._jobs[-1] == other:
            self._jobs[-1] = job
        elif not self._jobs or self._jobs[-1] != job:
            self._do(job)

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
                if not isinstance(bug, DeclinedError):  # which is reported in any case
                    self._house.tell(partial(raises, bug))
        self._busy = False

    async def _work_on(self, first: Post | Job) -> None:
        if not isinstance(first, Post):
            self._jobs.popleft()
            await self._persist(first)
            return
        posts = self._run_of_posts() or [first]
        try:
            if isinstance(first.event, KeptEvent):
                await self._keep(posts)
            else:
                self._jobs.popleft()
                await self._pass(first)
        finally:
            self._house.done(posts)

    async def _persist(self, job: Job) -> None:
        """Do something until it is done, however long nobody answers."""
        pause, begun = _PAUSE, asyncio.get_running_loop().time()
        while True:
            try:
                return await job()
            except DeclinedError as why:  # servers that come and go decline much for a while
                self._house.streams.declined = str(why)
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

    async def _publish(self, post: Post) -> PendingRequest | None:
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

    async def _place(self, post: Post, asked: PendingRequest | None) -> None:
        """Learn what became of a post; where it lies only if it was not heard meanwhile."""
        if asked is None:
            return
        try:
            place = self._house.streams.took(await self._house.streams.link.answer(asked))
            if self._waits(post):
                post.place = place
        except NobodyError:
            self._house.streams.declined = f"nobody keeps {self.spot.stream}"
        except AwayError:
            pass
        except DeclinedError as why:  # while servers come and go they decline much for a while
            if why.code == TOO_LARGE:
                self._refuse(post, "it is too large.")

    def _waits(self, post: Post) -> bool:
        """Whether it has been neither acknowledged, heard nor refused."""
        return post.place is None and post.message_id in self._posted

    def _refuse(self, post: Post, why: str) -> None:
        if self._posted.pop(post.message_id, None) is None:
            return  # it was heard meanwhile
        self._house.tell(partial(self._house.failed, self.ident, post.message_id, why))
        if isinstance(post.event, Change):
            self.tail.forget()  # it may be there in part

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
        streams = self._house.streams
        await self._persist(partial(apply, streams, self.spot, post.event, post.message_id))
        await self._keep([post])

    # Hearing --------------------------------------------------------------------------------------

    async def _know(self) -> None:
        """Learn how far the room is."""
        if self._known:
            return
        last, number = await reading.ends(self._house.streams, self.spot)
        self.last, self.number = last or self.last, max(self.number, number)
        self._known = True

    async def _listen(self) -> None:
        if self._end is None:
            hear = self._house.streams.link.hear
            self._known = False
            self._end = await hear(self.spot.live(), self._heard)
            await self._persist(self._know)
            await self._reach(self._wanted)
            self._house.tell(partial(self._house.subscribed, self.ident, self.number))

    async def _unlisten(self) -> None:
        if self._end is not None:
            end, self._end = self._end, None
            self.tail.forget()
            await end()
            self._known = False

    async def _audit(self) -> None:
        self._audit_due = False
        if self.listens:
            newest = await self._house.streams.last(self.spot.stream, self.spot.log)
            await self._reach(newest.seq if newest is not None else 0)

    def _heard(self, message: Message) -> None:
        """Something was told of this room."""
        if message.subject.endswith(".e"):
            self._heard_passing(message)
            return
        previous = int(message.headers.get("Nats-Last-Sequence", 0))
        if previous < self.last < message.seq:
            self.tail.forget()  # what was the last is there no longer
        if previous > self.last or self._house.is_full or not self._known:
            self._want(message.seq)
        else:
            self._take(message)

    def _want(self, place: int) -> None:
        """Let everything up to a place be read, when it can be."""
        self._wanted = max(self._wanted, place)
        if self._known and not self._repairing:
            self._house.spawn(self._repair())

    def _heard_passing(self, message: Message) -> None:
        written = read(message.data)
        if written is None or not self._known:
            return
        self._held.append((written.after, written.message_id, written.event))
        if written.after > self.last or self._house.is_full:
            self._want(written.after)
        else:
            self._release()

    def _take(self, message: Message) -> None:
        """The next message of the room."""
        if message.seq <= self.last:
            return
        self.last = message.seq
        message_id = message.headers.get("Nats-Msg-Id", "")
        post = self._posted.pop(message_id, None)
        if post is None:
            self._others = message.seq
        # One's own need not be read again.
        written = read(message.data) if post is None else Written(post.event, post.account)
        if written is not None:
            self._happens(message_id, message.seq, written.event)
            self.tail.take(reading.found_in(message, written), self._bound.most)
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
        while self.last < min(place, self._wanted):
            await asyncio.sleep(_PAUSE)  # somebody else is at it

    async def _repair(self) -> None:
        """Read what was not heard."""
        if self._repairing:
            return
        self._repairing = True
        try:
            behind = 0
            async with self._house.passage():
                self._release()
            while self.last < self._wanted:
                async with self._house.passage():
                    behind = 0 if await self._read_on() else behind + 1
                if behind > _BEHIND:
                    await self._pass_over()
                elif behind:
                    await asyncio.sleep(0.005 * 2**behind)
        finally:
            self._repairing = False

    async def _pass_over(self) -> None:
        """What is wanted has been dropped since, or was told of in error: no stream is so long."""
        end = await self._house.streams.end(self.spot.stream)
        self.last = self._wanted = min(self._wanted, max(end, self.last))
        self.tail.forget()
        self._held = deque((held for held in self._held if held[0] <= end), maxlen=HELD)
        self._release()

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
        told = partial(self._house.stored, self.ident, message_id, self.number, event)
        self._house.tell(told)

    # How much is kept -----------------------------------------------------------------------------

    async def _forget(self, last: int, others: int) -> None:
        if not self.last:
            await self._know()
        # Not what is newer: somebody on another server may have made a room of this name since,
        # and what was still to be posted then may have its place after that.
        end = self.last if self._others == others else last
        await self._house.streams.purge(self.spot.stream, self.spot.log, below=end + 1)
        await self._house.streams.purge(self.spot.stream, self.spot.over())
        self.number = 0
        self.tail.forget()
        self._bound = Retention(self.spot)

    async def _limit(self, most: int | None) -> None:
        await self._bound.limit(self._house.streams, most)
        self.tail.forget()
