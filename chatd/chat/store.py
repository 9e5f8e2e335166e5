"""What the chat asks of a store, in the chat's own words.

A store gives the events of a room their order.  `post` never waits: what was posted comes back to
the `StoreObserver`, in order, once it is kept, and only then was it *said*.  In memory that is at once.
Posting the same message id twice keeps it once.  Numbers rise within a room; an event that is not
kept (`chatd.chat.events.KeptEvent` says which are) passes through in its place and carries
the number of the last that was.  So does a `chatd.chat.events.Change`, but for what it does to an
event that is kept: an edit puts its text in the place of that of a message, a deletion takes the
event away.  Of one that is not kept any more, or never was, it changes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import Protocol

from chatd.chat.events import KeptEvent, Refused, RoomEvent
from chatd.chat.text.query import SearchQuery


class NotStoredError(Exception):
    """A record could not be kept; the argument is the reason, for people."""


def unavailable() -> Refused:
    """What somebody is told who wants to read what cannot be read for a while."""
    return Refused("away", "The cluster does not answer now; try again in a moment.")


class StoreObserver(Protocol):
    """Who is told what became of what was posted; called in the thread of the chat."""

    def stored(self, room: str, message_id: str, number: int, event: RoomEvent) -> None:
        """The event has its place in the room's order."""

    def subscribed(self, room: str, number: int) -> None:
        """What others post to a room from now on is told, all that comes after this number."""

    def record_changed(self, kind: str, key: str, value: str | None) -> None:
        """Another server has kept a record, or (None) dropped it."""

    def failed(self, room: str, message_id: str, reason: str) -> None:
        """An event that is to be kept could not be; the reason can be shown to its writer."""


class Store(Protocol):
    """Where a room's events and the claims on nicks are kept.

    Rooms go by `chatd.chat.model.rules.Room.id`, nicks by their keys.
    """

    def open(self, observer: StoreObserver) -> None:
        """Begin, and tell this keeper from now on."""

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        """Put an event into the room's order; the keeper hears of it.

        ``author`` is the account of who did it, nothing when they have none; it is kept with it.
        """

    def subscribe(self, room: str) -> None:
        """Somebody here is in the room: the keeper hears of what others post to it from now on."""

    def unsubscribe(self, room: str) -> None:
        """Nobody here is in the room any more."""

    async def before(
        self, room: str, number: int | None, count: int
    ) -> Sequence[tuple[int, RoomEvent]]:
        """Return the last ``count`` events, oldest first; below ``number`` if there is one."""

    async def after(self, room: str, number: int, count: int) -> Sequence[tuple[int, RoomEvent]]:
        """Return the first ``count`` events numbered above ``number``, oldest first."""

    async def count(self, room: str, above: int, below: int) -> int:
        """Return how many events are numbered between two numbers.

        Where changes are kept with them there may be as many more.
        """

    async def last_by(
        self, room: str, nick: str, account: str | None = None
    ) -> tuple[int, KeptEvent] | None:
        """Return the last that somebody said or did in a room, by a folded nick.

        With an ``account``, only what was said under this nick by its owner.
        """

    async def search(
        self, rooms: Sequence[str], search: SearchQuery, skip: int, count: int
    ) -> Sequence[tuple[str, int, KeptEvent]]:
        """Return what is found in some rooms, with room and number, what was kept last first.

        Of all that is found the first ``skip`` are left out, and ``count`` returned.
        """

    async def claim(self, nick: str, holder: str, *, owner: bool = False) -> bool:
        """Take a nick for a holder; False when another holds it.

        Who has proved to be the ``owner`` of the nick takes it from whoever holds it.
        """

    def release(self, nick: str, holder: str) -> None:
        """Give a nick back, if this holder has it."""

    def drop_room(self, room: str) -> None:
        """The room is gone for good: drop its events."""

    def limit(self, room: str, maximum: int | None) -> None:
        """Keep only the last so many events of a room, or (None) as many as of the others.

        It is forgotten when the process ends or the room is gone.
        """

    def put(self, kind: str, key: str, value: str | None) -> Awaitable[None]:
        """Keep a record in the place of the one with this key, or (None) drop that.

        It is begun at once; who has to know waits for it.

        :raises NotKeptError: to who waits, when it is not kept; nothing has changed then.
        """

    async def records(self, kind: str) -> Mapping[str, str]:
        """Every record of a kind, by its key."""

    def drop_rooms_but(self, rooms: Collection[str]) -> None:
        """Forget every room but these: of the others a process that was killed has left."""

    async def close(self) -> None:
        """Keep what was posted, then end."""
