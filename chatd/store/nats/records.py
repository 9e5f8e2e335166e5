"""The records of the cluster: all of them in memory, each change by the revision that was seen.

Whoever changes a record changes what they have seen, or nothing: the stream takes a record only in
the place of the one that this server knows.  What others change is heard, in the stream's order and
without gaps, and told to the chat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from chatd.chat.store import NotStoredError
from chatd.store.nats.client.client import Message
from chatd.store.nats.client.locks import KeyedLocks
from chatd.store.nats.jetstream.api import ElsewhereError, JetStream, answered
from chatd.store.nats.jetstream.layout import RECORDS, subject_token, unword
from chatd.store.nats.rooms.context import StoreContext
from chatd.store.threads.main_thread import Promise

#: Seconds after which a record that nobody acknowledged is given up.
GIVE_UP_SECONDS = 20.0
_ALL = "$KV.records.*.*"
#: Kinds of which the last word counts, whoever has it: an account's preferences, its mail, and what
#: is written down once and dropped by whoever finds it old.
LAST_WINS = frozenset({"profile", "mail", "audit"})
#: What is dropped is remembered for a day, so that everyone can hear of it.
_DROPPED = {"KV-Operation": "DEL", "Nats-TTL": "86400s"}

#: Told of a record that another server has put, or (None) dropped: kind, key, value.
Changed = Callable[[str, str, str | None], None]


class Records:
    """Every record, by kind and key; what was dropped is None there."""

    def __init__(
        self, streams: JetStream, lease: str, house: StoreContext, changed: Changed
    ) -> None:
        self._streams = streams
        self._lease = lease
        self._house = house
        self._changed = changed
        self._records: dict[tuple[str, str], tuple[int, str | None]] = {}
        self._turns = KeyedLocks()
        self._last = 0
        self._own = 0
        self._reading = asyncio.Lock()
        self._ready = asyncio.Event()

    async def begin(self) -> None:
        """Hear what comes; what there is has to be read then."""
        await self._streams.link.hear("live.r.*.*", self._heard)

    async def of_kind(self, kind: str) -> dict[str, str]:
        """Every record of a kind, by its key."""
        await self._ready.wait()
        return {
            key: value
            for (of, key), (_, value) in self._records.items()
            if of == kind and value is not None
        }

    async def catch_up(self) -> None:
        """Read what was not heard.

        :raises AwayError: when nobody answers.
        """
        async with self._reading:
            more = 1
            while more:
                async with self._house.passage():
                    messages, more = await self._streams.page(RECORDS, _ALL, self._last + 1)
                    for message in messages:
                        self._take(message)
        self._ready.set()

    def _heard(self, message: Message) -> None:
        is_next = message.seq == self._last + 1
        if self._ready.is_set() and is_next and not self._house.is_full:
            self._take(message)

    def _take(self, message: Message) -> None:
        """The next message of the stream."""
        if message.seq <= self._last:
            return
        self._last = message.seq
        kind, key = map(unword, message.subject.split(".")[-2:])
        value = None if "KV-Operation" in message.headers else message.data.decode()
        own = message.headers.get("Nats-Msg-Id", "").startswith(f"{self._lease}.")
        self._learn(kind, key, message.seq, value, own=own)

    def _learn(
        self, kind: str, key: str, revision: int, value: str | None, *, own: bool = False
    ) -> None:
        known = self._records.get((kind, key))
        if known is None or known[0] < revision:
            self._records[kind, key] = (revision, value)
            if self._ready.is_set() and not own:
                self._house.tell(partial(self._changed, kind, key, value))

    async def put(self, kind: str, key: str, value: str | None, answer: Promise) -> None:
        """Put a record in the place of the one that is known, or drop that, and answer."""
        async with self._turns.of((kind, key)):
            self._own += 1
            message_id = f"{self._lease}.{self._own}"
            try:
                async with asyncio.timeout(GIVE_UP_SECONDS):
                    await self._ready.wait()
                    await self._put(kind, key, value, message_id)
            except TimeoutError:
                why = NotStoredError("the cluster does not answer.")
                self._house.tell(partial(answer.fail, why))
            except ElsewhereError:
                why = NotStoredError("somebody else changed it at the same moment; try again.")
                self._house.tell(partial(answer.fail, why))
            else:
                self._house.tell(partial(answer.give, None))

    async def _put(self, kind: str, key: str, value: str | None, message_id: str) -> None:
        subject = f"$KV.records.{subject_token(kind)}.{subject_token(key)}"
        data, headers = (b"", _DROPPED) if value is None else (value.encode(), None)
        while True:
            known = self._records.get((kind, key), (0, None))
            publish = partial(
                self._streams.publish,
                subject,
                data,
                message_id=message_id,
                expected=known[0],
                headers=headers,
            )
            try:
                place = await answered(publish)
            except ElsewhereError:
                if await self._is_ours(subject, message_id, kind, key):
                    return
                there = self._records.get((kind, key), (0, None))
                if there[1] != known[1] and kind not in LAST_WINS:
                    raise
            else:
                if self._records.get((kind, key), (0, None))[0] < place.seq:
                    self._records[kind, key] = (place.seq, value)
                return

    async def _is_ours(self, subject: str, message_id: str, kind: str, key: str) -> bool:
        """Whether what is there is what was published, and only its acknowledgement was lost.

        What is there is known from now on: that of another server, or nothing.
        """
        message = await answered(partial(self._streams.last, RECORDS, subject))
        if message is None:  # it was dropped so long ago that even that is forgotten
            self._records.pop((kind, key), None)
            return False
        value = None if "KV-Operation" in message.headers else message.data.decode()
        if message.headers.get("Nats-Msg-Id") == message_id:
            self._records[kind, key] = (message.seq, value)
            return True
        self._learn(kind, key, message.seq, value)
        return False
