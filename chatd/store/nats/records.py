"""The records of the cluster: all of them in memory, and compare-and-set to change them.

A record is replaced only if the stream's message is still the one that this server knows
(``Nats-Expected-Last-Subject-Sequence``): a server never overwrites a version that it has not
read.  Changes of other servers are received in the order of the stream and without gaps, and the
chat is notified.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial

from chatd.chat.store import NotStoredError, Record
from chatd.store.nats.client.client import Message
from chatd.store.nats.client.locks import KeyedLocks
from chatd.store.nats.jetstream.api import WrongSequenceError, retrying
from chatd.store.nats.jetstream.layout import RECORDS, from_subject_token, subject_token
from chatd.store.nats.rooms.context import StoreContext
from chatd.store.threads.main_thread import Outcome

#: Seconds after which a record that was not acknowledged is abandoned.
GIVE_UP_SECONDS = 20.0
_ALL = "$KV.records.*.*"
#: Kinds with last-write-wins semantics, whatever the writer has read: preferences of an account,
#: its offline messages, and records that are written once and dropped by the first server that
#: finds them expired.
LAST_WINS = frozenset({"profile", "mail", "audit"})
#: Headers of a deletion, which stays for a day, so that every server can receive it.
_DROPPED = {"KV-Operation": "DEL", "Nats-TTL": "86400s"}


class Records:
    """Every record, by kind and key; a dropped one has the value None.

    ``locks`` serialises the changes to each record.
    """

    def __init__(self, context: StoreContext, lease: str) -> None:
        self._context = context
        self._streams = context.streams
        self._lease = lease
        self._records: dict[tuple[str, str], tuple[int, str | None]] = {}
        self.locks = KeyedLocks()
        self._last = 0
        self._put_count = 0
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
        is_own = message.headers.get("Nats-Msg-Id", "").startswith(f"{self._lease}.")
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
        was replaced before one failed is put back.
        """
        done: list[Record] = []
        async with AsyncExitStack() as held:
            for each in sorted({record[:2] for record in records}):  # in one order: no deadlock
                await held.enter_async_context(self.locks.of(each))
            try:
                async with asyncio.timeout(GIVE_UP_SECONDS):
                    await self._ready.wait()
                    known = [self._known(*record[:2]) for record in records]
                    for record, version in zip(records, known, strict=True):
                        await self._put(record, version)
                        done.append(Record(record.kind, record.key, version[1]))
            except TimeoutError:
                error = NotStoredError("the cluster does not answer.")
            except WrongSequenceError:
                error = NotStoredError("somebody else changed it at the same moment; try again.")
            else:
                self._context.bridge.call_main(partial(outcome.resolve, None))
                return
            await self._put_back(done)
            self._context.bridge.call_main(partial(outcome.fail, error))

    async def _put_back(self, records: Sequence[Record]) -> None:
        """Return records to the values that they had, unless another server has changed them."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GIVE_UP_SECONDS):
                for record in reversed(records):
                    with suppress(WrongSequenceError):
                        await self._put(record, self._known(*record[:2]))

    def _known(self, kind: str, key: str) -> tuple[int, str | None]:
        """Return the revision and the value of a record, as this server knows it."""
        return self._records.get((kind, key), (0, None))

    async def _put(self, record: Record, known: tuple[int, str | None]) -> None:
        """Put a record in the place of a version that this server knows."""
        kind, key, value = record
        self._put_count += 1
        message_id = f"{self._lease}.{self._put_count}"
        subject = f"$KV.records.{subject_token(kind)}.{subject_token(key)}"
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


def _value(message: Message) -> str | None:
    return None if "KV-Operation" in message.headers else message.data.decode()
