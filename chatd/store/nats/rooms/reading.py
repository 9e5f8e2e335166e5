"""Reading rooms: the last events, the next events, and their number.

JetStream reads a subject only forward.  The beginning of a room's last N messages is found by
bisection: a direct get reports how many messages of a subject follow a sequence number
(``Nats-Num-Pending``).  Deleted messages are gone from the stream; the texts of edited messages are
replaced here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from chatd.chat.events import Acted, KeptEvent, Said
from chatd.chat.text.names import fold
from chatd.store.nats.client.client import Message
from chatd.store.nats.jetstream.api import PAGE_MESSAGES, JetStream
from chatd.store.nats.jetstream.layout import RoomSubject
from chatd.store.nats.jetstream.messages import Envelope, read

#: Events that are counted exactly; above that, edits and deletions are counted with them.
MAX_COUNTED = 2000
#: Messages that are scanned for the number of the last event.
_SCANNED = 160
#: The number of times that a page is read again while a replica lacks messages that must exist.
_MAX_RETRIES = 8


@dataclass(frozen=True, slots=True)
class RoomMessage:
    """A message of a room: its number, its event, and when it was stored (sortable)."""

    number: int
    envelope: Envelope
    stored_at: tuple[str, str]

    @property
    def stored_event(self) -> KeptEvent | None:
        """The event, unless the message is an edit or a deletion."""
        return self.envelope.event if isinstance(self.envelope.event, KeptEvent) else None


async def last_position(streams: JetStream, subject: RoomSubject) -> tuple[int, int]:
    """Return the last sequence number of a room, and the number of its last event.

    :raises UnavailableError: when there is no answer in time.
    """
    newest = await streams.last(subject.stream, subject.log)
    if newest is None:
        return 0, 0
    start = newest.seq - _SCANNED
    messages, _ = await streams.page(subject.stream, subject.log, start, _SCANNED)
    return newest.seq, max(_number_at(message) for message in [*messages, newest])


def _number_at(message: Message) -> int:
    """Return the number of the last event at one of the room's messages."""
    envelope = read(message.data)
    if envelope is None:
        return 0
    return message.seq if isinstance(envelope.event, KeptEvent) else envelope.after


async def last_events(
    streams: JetStream, subject: RoomSubject, below: int | None, count: int
) -> list[RoomMessage]:
    """Return the last ``count`` stored events below a number, oldest first.

    :raises UnavailableError: when there is no answer in time.
    """
    newest = await streams.last(subject.stream, subject.log) if count else None
    if newest is None:
        return []
    end = newest.seq if below is None else min(newest.seq, below - 1)
    wanted = count
    while True:
        start = await find_start(streams, subject, end, wanted)
        found = await _read_between(streams, subject, start, end)
        stored = [each for each in found if each.stored_event is not None]
        if len(stored) >= count or start <= 1:
            return await _with_edits(
                streams, subject, stored[len(stored) - min(count, len(stored)) :]
            )
        wanted = 2 * wanted + 16


async def after(
    streams: JetStream, subject: RoomSubject, number: int, count: int
) -> list[RoomMessage]:
    """Return the first ``count`` stored events above a number, oldest first.

    :raises UnavailableError: when there is no answer in time.
    """
    newest = await streams.last(subject.stream, subject.log) if count else None
    if newest is None or newest.seq <= number:
        return []
    stored: list[RoomMessage] = []
    async for page in messages(
        streams, subject, number + 1, newest.seq, min(PAGE_MESSAGES, count + 16)
    ):
        stored += [each for each in _read(page) if each.stored_event is not None]
        if len(stored) >= count:
            break
    return await _with_edits(streams, subject, stored[:count])


async def count(streams: JetStream, subject: RoomSubject, above: int, below: int) -> int:
    """Return how many events are numbered between two numbers; if very many, with their changes."""
    newest = await streams.last(subject.stream, subject.log)
    end = min(below - 1, newest.seq if newest is not None else 0)
    if end <= above:
        return 0
    estimate = await _count_from(streams, subject, above + 1) - await _count_from(
        streams, subject, end + 1
    )
    if estimate > MAX_COUNTED:
        return estimate
    return sum(
        each.stored_event is not None
        for each in await _read_between(streams, subject, above + 1, end)
    )


def is_by(found: RoomMessage, nick: str, account: str | None) -> bool:
    """Return whether a message is by a folded nick, and by an account unless that is None."""
    event = found.stored_event
    is_by_nick = isinstance(event, Said | Acted) and fold(event.nick) == nick
    return is_by_nick and account in (None, found.envelope.account)


# Where to begin -----------------------------------------------------------------------------------


async def find_start(streams: JetStream, subject: RoomSubject, end: int, wanted: int) -> int:
    """Return a sequence number from which at least ``wanted`` messages of a room lead up to
    ``end``.

    There may be more, at most about twice as many.
    """
    after_end = await _count_from(streams, subject, end + 1)
    low, high = 1, end
    total = await _count_from(streams, subject, low) - after_end
    if total <= 2 * wanted + PAGE_MESSAGES // 4:
        return low
    guess = max(low, round(end - 1.5 * wanted * (end - low) / total))
    while high - low > wanted:
        between = await _count_from(streams, subject, guess) - after_end
        if wanted <= between <= 2 * wanted + PAGE_MESSAGES // 4:
            return guess
        low, high = (guess, high) if between > wanted else (low, guess)
        guess = (low + high) // 2
    return low


async def _count_from(streams: JetStream, subject: RoomSubject, sequence: int) -> int:
    """Return how many messages of a room there are from a sequence number on."""
    messages, more = await streams.page(subject.stream, subject.log, sequence, 1)
    return len(messages) + more


async def messages(
    streams: JetStream, subject: RoomSubject, start: int, end: int, size: int = PAGE_MESSAGES
) -> AsyncIterator[list[Message]]:
    """Yield pages of a room's messages from ``start`` to ``end``.

    A replica that is behind is asked again; messages that are still missing then have been deleted
    since.
    """
    behind = 0
    while start <= end:
        page, more = await streams.page(subject.stream, subject.log, start, size)
        if page:
            start = page[-1].seq + 1
            yield [message for message in page if message.seq <= end]
        if not more and start <= end:
            behind += 1
            if behind > _MAX_RETRIES:
                break  # it existed, and has been deleted since
            await asyncio.sleep(0.005 * 2**behind)


async def _read_between(
    streams: JetStream, subject: RoomSubject, start: int, end: int
) -> list[RoomMessage]:
    """Return the room's messages from one sequence number to another."""
    pages = messages(streams, subject, start, end)
    return [each async for page in pages for each in _read(page)]


def _read(messages: list[Message]) -> list[RoomMessage]:
    pairs = ((message, read(message.data)) for message in messages)
    return [room_message(message, envelope) for message, envelope in pairs if envelope is not None]


def room_message(message: Message, envelope: Envelope) -> RoomMessage:
    """Return a message of a room with its event."""
    return RoomMessage(message.seq, envelope, stored_at(message))


def stored_at(message: Message) -> tuple[str, str]:
    """Return the time at which a message was stored, as a sort key."""
    second, _, fraction = message.headers.get("Nats-Time-Stamp", "").rstrip("Z").partition(".")
    return second, fraction.ljust(9, "0")


# What was edited ----------------------------------------------------------------------------------


async def _with_edits(
    streams: JetStream, subject: RoomSubject, found: list[RoomMessage]
) -> list[RoomMessage]:
    """Return messages with the texts that edits have given them."""
    if not found:
        return found
    texts: dict[int, str] = {}
    start, more = found[0].number, 1
    while more:
        messages, more = await streams.page(subject.stream, subject.edits(), start)
        texts.update(map(read_edit, messages))
        start = messages[-1].seq + 1 if messages else start
    return [with_text(each, texts[each.number]) if each.number in texts else each for each in found]


def read_edit(message: Message) -> tuple[int, str]:
    """Return the number of a message, and the text that an edit has given it."""
    return int(message.subject.rpartition(".")[2]), json.loads(message.data)["text"]


def with_text(found: RoomMessage, text: str) -> RoomMessage:
    """Return an edited message, with another text."""
    event = found.envelope.event
    if not isinstance(event, Said | Acted):
        return found
    envelope = replace(found.envelope, event=replace(event, text=text, edited=True))
    return replace(found, envelope=envelope)
