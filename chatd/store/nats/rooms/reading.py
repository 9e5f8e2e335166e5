"""How a room is read: what was said last, and next, and how much that is.

A stream is read forward only.  Where the last so many messages of a room begin is found by asking,
for some places, how many come after.  What was deleted is erased; what was edited is patched here,
with what lies over it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from chatd.chat.events import Acted, KeptEvent, Said
from chatd.chat.text.names import fold
from chatd.store.nats.client.client import Message
from chatd.store.nats.jetstream.api import PAGE, JetStream
from chatd.store.nats.jetstream.layout import RoomSubject
from chatd.store.nats.jetstream.messages import Written, read

#: Events that are counted one by one; more are counted with what changed them.
COUNTED = 2000
#: Messages that are looked through for the last number of a room.
_TAIL = 160
#: How often a page is read anew when a replica does not have yet what has to be there.
_BEHIND = 8


@dataclass(frozen=True, slots=True)
class Found:
    """A message of a room: its place, what it says, and when the stream took it."""

    number: int
    written: Written
    taken: tuple[str, str]

    @property
    def kept(self) -> KeptEvent | None:
        """What it says, unless it changed something else."""
        return self.written.event if isinstance(self.written.event, KeptEvent) else None


async def ends(streams: JetStream, spot: RoomSubject) -> tuple[int, int]:
    """The last place of a room, and the number of the last event that is kept there.

    :raises AwayError: when nobody answers in time.
    """
    newest = await streams.last(spot.stream, spot.log)
    if newest is None:
        return 0, 0
    start = newest.seq - _TAIL
    messages, _ = await streams.page(spot.stream, spot.log, start, _TAIL)
    return newest.seq, max(_number_at(message) for message in [*messages, newest])


def _number_at(message: Message) -> int:
    """The last number of a room at one of its messages."""
    written = read(message.data)
    if written is None:
        return 0
    return message.seq if isinstance(written.event, KeptEvent) else written.after


async def last(streams: JetStream, spot: RoomSubject, below: int | None, count: int) -> list[Found]:
    """The last ``count`` kept events below a number, oldest first.

    :raises AwayError: when nobody answers in time.
    """
    newest = await streams.last(spot.stream, spot.log) if count else None
    if newest is None:
        return []
    end = newest.seq if below is None else min(newest.seq, below - 1)
    wanted = count
    while True:
        start = await start_of(streams, spot, end, wanted)
        found = await _between(streams, spot, start, end)
        kept = [each for each in found if each.kept is not None]
        if len(kept) >= count or start <= 1:
            return await _patched(streams, spot, kept[len(kept) - min(count, len(kept)) :])
        wanted = 2 * wanted + 16


async def after(streams: JetStream, spot: RoomSubject, number: int, count: int) -> list[Found]:
    """The first ``count`` kept events above a number, oldest first.

    :raises AwayError: when nobody answers in time.
    """
    newest = await streams.last(spot.stream, spot.log) if count else None
    if newest is None or newest.seq <= number:
        return []
    kept: list[Found] = []
    async for page in messages(streams, spot, number + 1, newest.seq, min(PAGE, count + 16)):
        kept += [each for each in _read(page) if each.kept is not None]
        if len(kept) >= count:
            break
    return await _patched(streams, spot, kept[:count])


async def count(streams: JetStream, spot: RoomSubject, above: int, below: int) -> int:
    """How many events are numbered between two numbers; if very many, with what changed them."""
    newest = await streams.last(spot.stream, spot.log)
    end = min(below - 1, newest.seq if newest is not None else 0)
    if end <= above:
        return 0
    about = await _from(streams, spot, above + 1) - await _from(streams, spot, end + 1)
    if about > COUNTED:
        return about
    return sum(each.kept is not None for each in await _between(streams, spot, above + 1, end))


def is_by(found: Found, nick: str, account: str | None) -> bool:
    """Whether somebody said something, by a folded nick, and as the owner of an account."""
    event = found.kept
    is_theirs = isinstance(event, Said | Acted) and fold(event.nick) == nick
    return is_theirs and account in (None, found.written.account)


# Where to begin -----------------------------------------------------------------------------------


async def start_of(streams: JetStream, spot: RoomSubject, end: int, wanted: int) -> int:
    """A place from which at least so many messages of a room come up to another, and few more."""
    beyond = await _from(streams, spot, end + 1)
    low, high = 1, end
    in_all = await _from(streams, spot, low) - beyond
    if in_all <= 2 * wanted + PAGE // 4:
        return low
    at = max(low, round(end - 1.5 * wanted * (end - low) / in_all))
    while high - low > wanted:
        there = await _from(streams, spot, at) - beyond
        if wanted <= there <= 2 * wanted + PAGE // 4:
            return at
        low, high = (at, high) if there > wanted else (low, at)
        at = (low + high) // 2
    return low


async def _from(streams: JetStream, spot: RoomSubject, place: int) -> int:
    """How many messages of a room there are from a place on."""
    messages, more = await streams.page(spot.stream, spot.log, place, 1)
    return len(messages) + more


async def messages(
    streams: JetStream, spot: RoomSubject, start: int, end: int, size: int = PAGE
) -> AsyncIterator[list[Message]]:
    """The messages of a room from one place to another, which is there; a page at a time."""
    behind = 0
    while start <= end:
        page, more = await streams.page(spot.stream, spot.log, start, size)
        if page:
            start = page[-1].seq + 1
            yield [message for message in page if message.seq <= end]
        if not more and start <= end:
            behind += 1
            if behind > _BEHIND:
                break  # it was there when we asked, and has been dropped since
            await asyncio.sleep(0.005 * 2**behind)


async def _between(streams: JetStream, spot: RoomSubject, start: int, end: int) -> list[Found]:
    """What the messages of a room say from one place to another."""
    pages = messages(streams, spot, start, end)
    return [each async for page in pages for each in _read(page)]


def _read(messages: list[Message]) -> list[Found]:
    pairs = ((message, read(message.data)) for message in messages)
    return [found_in(message, written) for message, written in pairs if written is not None]


def found_in(message: Message, written: Written) -> Found:
    """A message of a room that says what was written."""
    return Found(message.seq, written, taken(message))


def taken(message: Message) -> tuple[str, str]:
    """When a stream took a message, as something to sort by."""
    second, _, fraction = message.headers.get("Nats-Time-Stamp", "").rstrip("Z").partition(".")
    return second, fraction.ljust(9, "0")


# What was edited ----------------------------------------------------------------------------------


async def _patched(streams: JetStream, spot: RoomSubject, found: list[Found]) -> list[Found]:
    """Put into what was said what has been put in its place since."""
    if not found:
        return found
    texts: dict[int, str] = {}
    start, more = found[0].number, 1
    while more:
        messages, more = await streams.page(spot.stream, spot.over(), start)
        texts.update(map(text_over, messages))
        start = messages[-1].seq + 1 if messages else start
    return [edited(each, texts[each.number]) if each.number in texts else each for each in found]


def text_over(message: Message) -> tuple[int, str]:
    """The number of a message, and the text that an edit has put in the place of its own."""
    return int(message.subject.rpartition(".")[2]), json.loads(message.data)["text"]


def edited(found: Found, text: str) -> Found:
    """A message with another text in the place of its own."""
    event = found.written.event
    if not isinstance(event, Said | Acted):
        return found
    written = replace(found.written, event=replace(event, text=text, edited=True))
    return replace(found, written=written)
