"""The records of the cluster: all of them in memory, and compare-and-set to change them.

A record is replaced only if the stream's message is still the one that this server knows
(``Nats-Expected-Last-Subject-Sequence``): a server never overwrites a version that it has not
read.  Changes of other servers are received in the order of the stream and without gaps, and the
chat is notified.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial

from chatd.chat.store import NotStoredError, Record
from chatd.store.nats.client.client import Message
from chatd.store.nats.client.locks import KeyedLocks
from chatd.store.nats.jetstream.api import WrongSequenceError, retrying
from chatd.store.nats.jetstream.layout import RECORDS, from_subject_token, subject_token
from chatd.store.nats.rooms.context import StoreContext
from chatd.store.threads.main_thread import Outcome, Quietly

#: Seconds after which a record that was not acknowledged is abandoned.
GIVE_UP_SECONDS = 20.0
#: Messages without an answer that are remembered: what users may change while a cluster is away.
ABANDONED = 2000
_ALL = "$KV.records.*.*"
#: Kinds with last-write-wins semantics, whatever the writer has read: preferences of an account,
#: and records that are written once and dropped by the first server that finds them expired.
LAST_WINS = frozenset({"profile", "audit"})
#: Headers of a deletion, which stays for a day, so that every server can receive it.
_DROPPED = {"KV-Operation": "DEL", "Nats-TTL": "86400s"}


class Records:
    """Every record, by kind and key; a dropped one has the value None.

    ``locks`` serialises the changes to each record.  ``_abandoned`` has the messages that were
    published without an answer in time, and may be stored although nobody was told so.
    """

    def __init__(self, context: StoreContext, lease: str) -> None:
        self._context = context
        self._streams = context.streams
        self._lease = lease
        self._records: dict[tuple[str, str], tuple[int, str | None]] = {}
        self.locks = KeyedLocks()
        self._last = 0
        self._put_count = 0
        self._abandoned: OrderedDict[str, None] = OrderedDict()
        self._to_undo: deque[_Done] = deque()
        self._reading = asyncio.Lock()
        self._ready = asyncio.Event()

    async def subscribe(self) -> None:
        """Start receiving changes; the existing records have to be read afterwards."""
        await self._streams.connection.subscribe("live.r.*.*", self._received)

    async def of_kind(self, kind: str) -> dict[str, str]:
        """Return the records of a kind, by their keys."""
        await self._ready.wait()
        return {
            key: value
            for (each_kind, key), (_, value) in self._records.items()
            if each_kind == kind and value is not None
        }

    async def catch_up(self) -> None:
        """Read the changes that were not received.

        :raises UnavailableError: when the cluster does not answer.
        """
        async with self._reading:
            more = 1
            while more:
                async with self._context.bridge.page_slot():
                    messages, more = await self._streams.page(RECORDS, _ALL, self._last + 1)
                    for message in messages:
                        self._apply(message)
        self._ready.set()

    def _received(self, message: Message) -> None:
        """Apply a live copy if it is the next one; otherwise `catch_up` reads it, in order."""
        is_next = message.seq == self._last + 1
        if self._ready.is_set() and is_next and not self._context.bridge.is_full:
            self._apply(message)

    def _apply(self, message: Message) -> None:
        """Apply the next message of the stream."""
        if message.seq <= self._last:
            return
        self._last = message.seq
        kind, key = map(from_subject_token, message.subject.split(".")[-2:])
        message_id = message.headers.get("Nats-Msg-Id", "")
        is_own = message_id.startswith(f"{self._lease}.") and message_id not in self._abandoned
        self._update(kind, key, message.seq, _value(message), is_own=is_own)

    def _update(
        self, kind: str, key: str, revision: int, value: str | None, *, is_own: bool = False
    ) -> None:
        known = self._records.get((kind, key))
        if known is None or known[0] < revision:
            self._records[kind, key] = (revision, value)
            if self._ready.is_set() and not is_own:
                changed = self._context.observer.record_changed
                self._context.bridge.call_main(partial(changed, kind, key, value))

    async def put_all(self, records: Sequence[Record], outcome: Outcome) -> None:
        """Replace the known versions of records, or (None) drop them, and resolve the outcome.

        It fails with `NotStoredError` if that is not done.  JetStream has no transactions: what
        was replaced before one failed is put back, and so is what the cluster stores although it
        has not answered in time: as soon as it answers.
        """
        done: list[_Done] = []
        async with AsyncExitStack() as held:
            for each in sorted({record[:2] for record in records}):  # in one order: no deadlock
                await held.enter_async_context(self.locks.of(each))
            try:
                async with asyncio.timeout(GIVE_UP_SECONDS):
                    await self._ready.wait()
                    known = [self._known(*record[:2]) for record in records]
                    for record, version in zip(records, known, strict=True):
                        before = Record(record.kind, record.key, version[1])
                        done.append(_Done(before, self._new_id()))
                        await self._put(record, version, done[-1].message_id)
            except TimeoutError:
                error = NotStoredError("the cluster does not answer.")
                if not isinstance(outcome, Quietly):  # those are put again later
                    self._abandon(done)
                done = []
            except WrongSequenceError:
                error = NotStoredError("somebody else changed it at the same moment; try again.")
                done.pop()
            else:
                self._context.bridge.call_main(partial(outcome.resolve, None))
                for record in records:  # another server may have replaced one since
                    if self._known(*record[:2])[1] != record.value:
                        self._tell(record.kind, record.key)
                return
            await self._put_back(done)
            self._context.bridge.call_main(partial(outcome.fail, error))

    def _tell(self, kind: str, key: str) -> None:
        """Tell the chat what a record is now."""
        changed, value = self._context.observer.record_changed, self._known(kind, key)[1]
        self._context.bridge.call_main(partial(changed, kind, key, value))

    async def _put_back(self, done: Sequence[_Done]) -> None:
        """Return records to the values that they had, unless another server has changed them."""
        left = [*done]
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                while left:
                    record = left[-1].before
                    with suppress(WrongSequenceError):
                        await self._put(record, self._known(*record[:2]), self._new_id())
                    left.pop()
        except TimeoutError:
            self._abandon(left)

    def _abandon(self, done: Sequence[_Done]) -> None:
        """Give up on messages that were published; what is stored all the same is undone."""
        for each in reversed(done):
            self._abandoned[each.message_id] = None
            if len(self._abandoned) > ABANDONED:
                self._abandoned.popitem(last=False)
            self._to_undo.append(each)
        if done and len(self._to_undo) == len(done):
            self._context.bridge.spawn(self._undo_all())

    async def _undo_all(self) -> None:
        while self._to_undo:
            try:
                await self._undo(self._to_undo[0])
            finally:
                self._to_undo.popleft()

    async def _undo(self, put: _Done) -> None:
        """Undo a message once the cluster answers again, unless another one has replaced it.

        The chat is told what the record is then: it has not been, if that message was its own.
        """
        kind, key, _ = put.before
        find = partial(self._streams.last, RECORDS, _subject(kind, key))
        while True:
            await retrying(find)
            try:
                async with asyncio.timeout(GIVE_UP_SECONDS), self.locks.of((kind, key)):
                    message = await retrying(find)
                    if message is None or message.headers.get("Nats-Msg-Id") != put.message_id:
                        return
                    known = (message.seq, _value(message))
                    with suppress(WrongSequenceError):
                        await self._put(put.before, known, self._new_id())
                    self._tell(kind, key)
                    return
            except TimeoutError:
                continue

    def _known(self, kind: str, key: str) -> tuple[int, str | None]:
        """Return the revision and the value of a record, as this server knows it."""
        return self._records.get((kind, key), (0, None))

    def _new_id(self) -> str:
        self._put_count += 1
        return f"{self._lease}.{self._put_count}"

    async def _put(self, record: Record, known: tuple[int, str | None], message_id: str) -> None:
        """Put a record in the place of a version that this server knows."""
        kind, key, value = record
        subject = _subject(kind, key)
        data, headers = (b"", _DROPPED) if value is None else (value.encode(), None)
        while True:
            publish = partial(
                self._streams.publish,
                subject,
                data,
                message_id=message_id,
                expected=known[0],
                headers=headers,
            )
            try:
                ack = await retrying(publish)
            except WrongSequenceError:
                if await self._is_ours(subject, message_id, kind, key):
                    return
                # A different value is another server's change.  The same value under another
                # revision only means that the known revision was out of date: retry.
                current = self._known(kind, key)
                if current[1] != known[1] and kind not in LAST_WINS:
                    raise
                known = current
            else:
                if self._known(kind, key)[0] < ack.seq:
                    self._records[kind, key] = (ack.seq, value)
                return

    async def _is_ours(self, subject: str, message_id: str, kind: str, key: str) -> bool:
        """Return whether the current message is the one we published, its acknowledgement lost.

        From now on the record is known as it is in the stream: as put by another server, or absent.
        """
        message = await retrying(partial(self._streams.last, RECORDS, subject))
        if message is None:  # it was dropped so long ago that the deletion itself has expired
            self._records.pop((kind, key), None)
            return False
        if message.headers.get("Nats-Msg-Id") == message_id:
            self._records[kind, key] = (message.seq, _value(message))
            return True
        self._update(kind, key, message.seq, _value(message))
        return False


@dataclass(frozen=True, slots=True)
class _Done:
    """A record that was put by a message: as it was ``before``."""

    before: Record
    message_id: str


def _subject(kind: str, key: str) -> str:
    return f"$KV.records.{subject_token(kind)}.{subject_token(key)}"


def _value(message: Message) -> str | None:
    return None if "KV-Operation" in message.headers else message.data.decode()
