"""Room stream: posts to one room of the cluster, and receives it.

Jobs run one after the other, in the order in which they were given.  An event that is to be stored
is published, repeatedly with the same message id, until it is acknowledged or timed out.  A server
that is subscribed to the room passes everything to the observer in the order of the stream,
including its own posts.  JetStream republishes each message with its sequence number ``s`` and that
of the message before it in the room, ``p`` (``Nats-Sequence``, ``Nats-Last-Sequence``):

- if ``s <= last``, it was handed over already and is dropped;
- if ``p <= last``, it is the next one and is handed over;
- otherwise some are missing, and the stream is read up to ``s`` first.

An event that is not stored is sent outside the stream, carries the sequence number after which it
belongs, and waits for that message.  Edits and deletions are applied
(`chatd.store.nats.rooms.edits`) before they are published.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

from chatd.chat.events import Change, Deleted, KeptEvent, RoomEvent
from chatd.store.nats.client.client import Message
from chatd.store.nats.client.connection import NoRespondersError, UnavailableError
from chatd.store.nats.client.requests import PendingRequest
from chatd.store.nats.jetstream.api import TOO_LARGE, JetStreamError
from chatd.store.nats.jetstream.layout import RoomSubject
from chatd.store.nats.jetstream.messages import Envelope, read, write
from chatd.store.nats.rooms import reading
from chatd.store.nats.rooms.context import Post, StoreContext
from chatd.store.nats.rooms.edits import apply
from chatd.store.nats.rooms.retention import Retention
from chatd.store.nats.rooms.tail_cache import Tail
from chatd.store.threads.steps import raises

#: Messages that are published before the first of them is acknowledged; the next batch follows when
#: all of them are.
MAX_IN_FLIGHT = 64
#: Seconds after which a message that was not acknowledged is abandoned.  Half of the stream's
#: duplicate window, so that no retry comes after the stream has forgotten the message id and would
#: store the message twice.
GIVE_UP_SECONDS = 60.0
#: The most events of other servers that wait for the messages before them.
MAX_HELD = 1000
#: Seconds between two attempts: the first pause, and the longest.
_RETRY_SECONDS, _MAX_RETRY_SECONDS = 0.05, 1.0
#: The number of times that missing messages are looked for before they count as dropped.
_MAX_RETRIES = 8

Job = Callable[[], Awaitable[None]]


class RoomStream:
    """A room; ``last`` is the sequence number up to which it was handed over here.

    ``number`` is the number of the last stored event, ``_last_foreign`` the sequence number of the
    last message of another server, as far as that was received.  Used in the connection's thread.
    """

    def __init__(self, ident: str, subject: RoomSubject, context: StoreContext) -> None:
        self.ident = ident
        self.subject = subject
        self._context = context
        self._streams = context.streams
        self._jobs: deque[Post | Job] = deque()
        self._is_busy = False
        self._has_position = False
        self._end_subscription: Callable[[], Awaitable[None]] | None = None
        self._pending: dict[str, Post] = {}
        self.last = 0
        self.number = 0
        self._last_foreign = 0
        self._target = 0
        self.is_catching_up = False
        self._audit_due = False
        self._held: deque[tuple[int, str, RoomEvent]] = deque(maxlen=MAX_HELD)
        self._retention = Retention(subject)
        self.tail = Tail(context.tails)

    @property
    def is_idle(self) -> bool:
        """Whether this object can be dropped without losing anything."""
        return not (
            self._is_busy
            or self._jobs
            or self._end_subscription
            or self._retention.maximum is not None
        )

    @property
    def is_subscribed(self) -> bool:
        """Whether other servers' posts to the room are received here."""
        return self._end_subscription is not None

    @property
    def pending_jobs(self) -> int:
        """The number of jobs that have not been started."""
        return len(self._jobs)

    # Jobs -----------------------------------------------------------------------------------------

    def post(self, post: Post) -> None:
        """Post an event."""
        self._enqueue(post)

    async def drain(self) -> None:
        """Wait until all jobs queued so far are done."""
        done = asyncio.Event()

        async def finish() -> None:
            done.set()

        self._enqueue(finish)
        await done.wait()

    def wait_for(self, event: asyncio.Event) -> None:
        """Hold the jobs that follow until an event is set."""

        async def wait() -> None:
            await event.wait()

        self._enqueue(wait)

    def subscribe(self) -> None:
        """Start receiving other servers' posts."""
        self._enqueue_instead(self._unsubscribe, self._subscribe)

    def unsubscribe(self) -> None:
        """Stop receiving them."""
        self._enqueue_instead(self._subscribe, self._unsubscribe)

    def drop(self) -> None:
        """Drop the events of a room that is gone."""
        self._enqueue(partial(self._drop_events, self.last, self._last_foreign))

    def limit(self, maximum: int | None) -> None:
        """Keep at most ``maximum`` events from now on; None: as many as other rooms."""
        self._enqueue(partial(self._limit, maximum))

    def audit(self) -> None:
        """Check whether a message was missed, and read it."""
        if self.is_subscribed and not self._audit_due:
            self._audit_due = True
            self._enqueue(self._audit)

    def _enqueue_instead(self, other: Job, job: Job) -> None:
        """Enqueue a job in place of its opposite, if that is the last pending job.

        So a room whose members join and leave while the cluster is unreachable has one such job,
        not many.
        """
        if self._jobs and self._jobs[-1] == other:
            self._jobs[-1] = job
        elif not self._jobs or self._jobs[-1] != job:
            self._enqueue(job)

    def _enqueue(self, job: Post | Job) -> None:
        self._jobs.append(job)
        if not self._is_busy:
            self._is_busy = True
            self._context.bridge.spawn(self._run_jobs())

    async def _run_jobs(self) -> None:
        while self._jobs:
            try:
                await self._run_job(self._jobs[0])
            except Exception as bug:  # it does not delay the jobs that follow
                if not isinstance(bug, JetStreamError):  # which `last_error` reports anyway
                    self._context.bridge.call_main(partial(raises, bug))
        self._is_busy = False

    async def _run_job(self, first: Post | Job) -> None:
        if not isinstance(first, Post):
            self._jobs.popleft()
            await self._retry(first)
            return
        posts = self._take_posts() or [first]
        try:
            if isinstance(first.event, KeptEvent):
                await self._store(posts)
            else:
                self._jobs.popleft()
                await self._post_unstored(first)
        finally:
            self._context.posts_done(posts)

    async def _retry(self, job: Job) -> None:
        """Run a job until it succeeds, however long the cluster is unreachable.

        :raises JetStreamError: when the cluster has refused it for `GIVE_UP_SECONDS`.
        """
        pause, begun = _RETRY_SECONDS, asyncio.get_running_loop().time()
        while True:
            try:
                return await job()
            except JetStreamError as error:  # frequent while servers join and leave
                self._streams.last_error = str(error)
                if asyncio.get_running_loop().time() - begun > GIVE_UP_SECONDS:
                    raise
                await asyncio.sleep(_MAX_RETRY_SECONDS)
            except UnavailableError:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _MAX_RETRY_SECONDS)

    def _take_posts(self) -> list[Post]:
        """Take the posts at the head of the queue that may be in flight together.

        Waiting for each acknowledgement before the next message would limit a room to one message
        per round trip.  An edit or an event that is not stored ends the run: it depends on the
        outcome of the posts before it.
        """
        posts: list[Post] = []
        while self._jobs and len(posts) < MAX_IN_FLIGHT:
            first = self._jobs[0]
            if not isinstance(first, Post) or not isinstance(first.event, KeptEvent):
                break
            posts.append(first)
            self._jobs.popleft()
        return posts

    # Posting --------------------------------------------------------------------------------------

    async def _store(self, posts: list[Post]) -> None:
        """Publish posts until each is acknowledged, received or failed, and deliver them."""
        await self._retry(self._load_position)
        for post in posts:
            self._pending[post.message_id] = post
        waiting = posts
        while waiting:
            # All requests are sent before the first answer is awaited.  Only unacknowledged
            # requests are sent again; their message ids prevent duplicates.
            in_flight = [(post, await self._publish(post)) for post in waiting]
            for post, request in in_flight:
                await self._await_ack(post, request)
            waiting = [post for post in waiting if self._is_pending(post)]
            if waiting:
                pause = _RETRY_SECONDS * 2 ** waiting[0].tries
                await asyncio.sleep(min(pause, _MAX_RETRY_SECONDS))
        await self._complete(posts)

    async def _publish(self, post: Post) -> PendingRequest | None:
        """Publish a post unless it has timed out; return None if nothing was sent."""
        if asyncio.get_running_loop().time() - post.posted_at > GIVE_UP_SECONDS:
            self._fail(post, "the cluster did not answer in time.")
            return None
        post.tries += 1
        data = write(Envelope(post.event, post.account, self.number))
        headers = {"Nats-Msg-Id": post.message_id}
        try:
            return await self._streams.connection.send_request(self.subject.log, data, headers)
        except UnavailableError:
            return None

    async def _await_ack(self, post: Post, request: PendingRequest | None) -> None:
        """Wait for the acknowledgement; it counts only if the message was not received meanwhile.

        While a first attempt is still being stored, the leader answers a retry with "duplicate
        message id is in process" (10158), which is an `UnavailableError`: it is asked again.
        """
        if request is None:
            return
        try:
            ack = self._streams.acknowledge(await self._streams.connection.response(request))
            if self._is_pending(post):
                post.ack = ack
        except NoRespondersError:
            self._streams.last_error = f"nobody keeps {self.subject.stream}"
        except UnavailableError:
            pass
        except JetStreamError as error:  # frequent while servers join and leave
            if error.code == TOO_LARGE:
                self._fail(post, "it is too large.")

    def _is_pending(self, post: Post) -> bool:
        """Whether a post was neither acknowledged nor received, and has not failed."""
        return post.ack is None and post.message_id in self._pending

    def _fail(self, post: Post, reason: str) -> None:
        if self._pending.pop(post.message_id, None) is None:
            return  # it was received meanwhile
        failed = self._context.observer.failed
        self._context.bridge.call_main(partial(failed, self.ident, post.message_id, reason))
        if isinstance(post.event, Change):
            self.tail.clear()  # the edit may have been applied

    async def _complete(self, posts: list[Post]) -> None:
        """Deliver acknowledged posts; a subscribed room receives them, or reads them now."""
        sequences = [post.ack.seq for post in posts if post.ack is not None]
        if self.is_subscribed and sequences:
            await self._reach(max(sequences))
        for post in posts:
            is_pending = self._pending.pop(post.message_id, None) is not None
            if not is_pending or post.ack is None or (post.ack.duplicate and post.tries == 1):
                continue  # it was received, has failed, or had been posted before
            self.last = max(self.last, post.ack.seq)
            self._hand_over(post.message_id, post.ack.seq, post.event)

    async def _post_unstored(self, post: Post) -> None:
        """Post an event that is not stored, or one that changes a stored event."""
        await self._retry(self._load_position)
        if not isinstance(post.event, Change):
            self._hand_over(post.message_id, self.number, post.event)
            data = write(Envelope(post.event, post.account, self.last, post.message_id))
            await self._streams.connection.publish(self.subject.live("e"), data)
            return
        change = partial(apply, self._streams, self.subject, post.event, post.message_id)
        await self._retry(change)
        await self._store([post])

    # Receiving ------------------------------------------------------------------------------------

    async def _load_position(self) -> None:
        """Read the room's last position, once."""
        if self._has_position:
            return
        last, number = await reading.last_position(self._streams, self.subject)
        self.last, self.number = last or self.last, max(self.number, number)
        self._has_position = True

    async def _subscribe(self) -> None:
        if self._end_subscription is None:
            # The position is read after the subscription has begun, so that no message is lost
            # between the two: messages received meanwhile only move the target.
            self._has_position = False
            subscribe = self._streams.connection.subscribe
            self._end_subscription = await subscribe(self.subject.live(), self._received)
            await self._retry(self._load_position)
            await self._reach(self._target)
            subscribed = self._context.observer.subscribed
            self._context.bridge.call_main(partial(subscribed, self.ident, self.number))

    async def _unsubscribe(self) -> None:
        if self._end_subscription is not None:
            end, self._end_subscription = self._end_subscription, None
            self.tail.clear()
            await end()
            self._has_position = False

    async def _audit(self) -> None:
        self._audit_due = False
        if self.is_subscribed:
            newest = await self._streams.last(self.subject.stream, self.subject.log)
            await self._reach(newest.seq if newest is not None else 0)

    def _received(self, message: Message) -> None:
        if message.subject.endswith(".e"):
            self._received_unstored(message)
            return
        previous = int(message.headers.get("Nats-Last-Sequence", 0))
        if previous < self.last < message.seq:
            self.tail.clear()  # the previous last message no longer exists
        if previous > self.last or self._context.bridge.is_full or not self._has_position:
            self._catch_up_to(message.seq)
        else:
            self._apply(message)

    def _catch_up_to(self, sequence: int) -> None:
        """Schedule reading everything up to a sequence number, as soon as the position is known."""
        self._target = max(self._target, sequence)
        if self._has_position and not self.is_catching_up:
            self._context.bridge.spawn(self._catch_up())

    def _received_unstored(self, message: Message) -> None:
        envelope = read(message.data)
        if envelope is None or not self._has_position:
            return
        self._held.append((envelope.after, envelope.message_id, envelope.event))
        if envelope.after > self.last or self._context.bridge.is_full:
            self._catch_up_to(envelope.after)
        else:
            self._release_held()

    def _apply(self, message: Message) -> None:
        """Deliver the next message of the room."""
        if message.seq <= self.last:
            return
        self.last = message.seq
        message_id = message.headers.get("Nats-Msg-Id", "")
        post = self._pending.pop(message_id, None)
        if post is None:
            self._last_foreign = message.seq
            envelope = read(message.data)
        else:  # this server's own event need not be parsed again
            envelope = Envelope(post.event, post.account)
        if envelope is not None:
            self._hand_over(message_id, message.seq, envelope.event)
            self.tail.append(reading.room_message(message, envelope), self._retention.maximum)
        self._release_held()

    def _release_held(self) -> None:
        """Deliver the unstored events that waited for the messages up to `last`."""
        while self._held and self._held[0][0] <= self.last:
            _, message_id, event = self._held.popleft()
            self._hand_over(message_id, self.number, event)

    async def _reach(self, sequence: int) -> None:
        """Wait until everything up to a sequence number has been delivered.

        Live copies in flight are awaited first: that is one round trip for all of them, where
        reading the stream takes several.
        """
        if self.last < sequence:
            await self._streams.connection.flush()
            await asyncio.sleep(0)
        if self.last < sequence:
            self._target = max(self._target, sequence)
            await self._catch_up()
        while self.last < min(sequence, self._target):
            await asyncio.sleep(_RETRY_SECONDS)  # another task is reading

    async def _catch_up(self) -> None:
        """Read the missing messages up to the target from the stream."""
        if self.is_catching_up:
            return
        self.is_catching_up = True
        try:
            retries = 0
            async with self._context.bridge.page_slot():
                self._release_held()
            while self.last < self._target:
                async with self._context.bridge.page_slot():
                    retries = 0 if await self._read_page() else retries + 1
                if retries > _MAX_RETRIES:
                    await self._skip_dropped()
                elif retries:  # a replica may be behind the leader
                    await asyncio.sleep(0.005 * 2**retries)
        finally:
            self.is_catching_up = False

    async def _skip_dropped(self) -> None:
        """Abandon a target that was dropped since, or that no stream has reached (an error)."""
        end = await self._streams.last_sequence(self.subject.stream)
        self.last = self._target = min(self._target, max(end, self.last))
        self.tail.clear()
        self._held = deque((held for held in self._held if held[0] <= end), maxlen=MAX_HELD)
        self._release_held()

    async def _read_page(self) -> bool:
        """Read the next messages of the room; return False if there were none."""
        before = self.last
        try:
            messages, _ = await self._streams.page(
                self.subject.stream, self.subject.log, self.last + 1
            )
        except (UnavailableError, JetStreamError):
            await asyncio.sleep(_MAX_RETRY_SECONDS)
            return True
        for message in messages:
            self._apply(message)
        return self.last > before

    def _hand_over(self, message_id: str, sequence: int, event: RoomEvent) -> None:
        """Notify the observer of an event with its number in the room."""
        if isinstance(event, KeptEvent):
            self.number = max(self.number, sequence)
            if self._retention.added(sequence):
                self._enqueue(lambda: self._retention.trim(self._streams))
        elif isinstance(event, Deleted):
            self._retention.removed(event.number)
        stored = self._context.observer.stored
        self._context.bridge.call_main(partial(stored, self.ident, message_id, self.number, event))

    # Retention ------------------------------------------------------------------------------------

    async def _drop_events(self, last: int, last_foreign: int) -> None:
        if not self.last:
            await self._load_position()
        # Newer messages stay: a user on another server may have opened a room of this name since,
        # and posts that were pending here when the room was dropped may follow theirs.
        end = self.last if self._last_foreign == last_foreign else last
        await self._streams.purge(self.subject.stream, self.subject.log, below=end + 1)
        await self._streams.purge(self.subject.stream, self.subject.edits())
        self.number = 0
        self.tail.clear()
        self._retention = Retention(self.subject)

    async def _limit(self, maximum: int | None) -> None:
        await self._retention.limit(self._streams, maximum)
        self.tail.clear()
