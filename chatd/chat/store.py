"""Store: the interface of a message store, in the chat's words.

A store gives the events of a room their order.  `Store.post` never waits: the observer is notified
of each event, in order, once it is stored, and only then is it shown to users.  In memory that is
immediately.  Posting the same message id twice stores it once.

Numbers rise within a room.  An event that is not stored (`chatd.chat.events.KeptEvent` says which
are) passes through at its place in the order, with the number of the last stored event.  So does a
`chatd.chat.events.Change`, which also changes a stored event: an edit replaces the text of a
message, a deletion drops the event.  If that event was dropped, or never existed, a change has no
effect.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from chatd.chat.events import KeptEvent, Refused, RoomEvent
from chatd.chat.store_health import StoreHealth
from chatd.chat.text.query import SearchQuery


class NotStoredError(Exception):
    """A record could not be stored; the argument is the reason, for users."""


class NotClosedError(Exception):
    """A store could not be closed in time; the argument says what is lost, for the log."""


class Record(NamedTuple):
    """A record to be stored under its kind and key; the value None drops it."""

    kind: str
    key: str
    value: str | None


#: Called when a record that nobody waits for has been stored (None), or with why it was not.
Written = Callable[[str | None], None]


def unavailable() -> Refused:
    """Return the refusal for a user whose request needs a store that cannot be read now."""
    return Refused("away", "The cluster does not answer now; try again in a moment.")


def too_slow() -> Refused:
    """Return the refusal for a search that has used up its time."""
    return Refused("too-slow", "The search took too long; try fewer or longer words.")


def too_many_searches() -> Refused:
    """Return the refusal for a search while many others are in progress."""
    return Refused("busy", "Many people are searching now; try again in a moment.")


class StoreObserver(Protocol):
    """The receiver of a store's notifications; called in the main thread."""

    def stored(self, room: str, message_id: str, number: int, event: RoomEvent) -> None:
        """Note that an event is stored, with its number in the room's order."""

    def subscribed(self, room: str, number: int) -> None:
        """Note that a subscription has begun: all events of a room above this number follow."""

    def record_changed(self, kind: str, key: str, value: str | None) -> None:
        """Apply a record that another server has put, or (None) dropped."""

    def failed(self, room: str, message_id: str, reason: str) -> None:
        """Note that an event could not be stored; the reason can be shown to its author."""


class Store(Protocol):
    """A store of events, records and claims on nicks.

    Rooms go by `chatd.chat.model.entities.Room.id`, nicks by their keys.
    """

    @property
    def health(self) -> StoreHealth:
        """How its disk does."""

    def open(self, observer: StoreObserver) -> None:
        """Notify this observer from now on."""

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        """Post an event to a room; the observer is notified of it.

        ``author`` is the account of its author, empty if they have none; it is stored with the
        event.
        """

    def subscribe(self, room: str) -> None:
        """Start delivering the events that other servers post to a room: it has a member here."""

    def unsubscribe(self, room: str) -> None:
        """Stop delivering the room's events: it has no member here."""

    async def before(
        self, room: str, number: int | None, count: int, skip: int = 0
    ) -> Sequence[tuple[int, RoomEvent]]:
        """Return the last ``count`` events, oldest first; with a ``number``, those below it.

        The last ``skip`` of them are left out first.
        """

    async def after(self, room: str, number: int, count: int) -> Sequence[tuple[int, RoomEvent]]:
        """Return the first ``count`` events numbered above ``number``, oldest first."""

    async def count(self, room: str, above: int, below: int) -> int:
        """Return how many events are numbered between two numbers.

        May overcount by stored edits and deletions.
        """

    async def last_by(
        self, room: str, nick: str, account: str | None = None
    ) -> tuple[int, KeptEvent] | None:
        """Return the last message of a folded nick in a room.

        With an ``account``, only messages count that its owner sent under this nick.
        """

    async def search(
        self, rooms: Sequence[str], search: SearchQuery, skip: int, count: int
    ) -> Sequence[tuple[str, int, KeptEvent]]:
        """Return matches in some rooms, with room and number, the last stored first.

        The first ``skip`` matches are left out, and at most ``count`` are returned.  Searches delay
        no other reading.

        :raises Refused: ``too-slow`` when it takes too long, and ``busy`` when it has waited too
            long for other searches; see `chatd.chat.limits.SEARCH_SECONDS`.
        """

    async def claim(self, nick: str, holder: str, *, owner: bool = False) -> bool:
        """Claim a nick for a holder; return False when another holds it.

        A holder who has proved to be the ``owner`` of the nick takes it from any other.
        """

    def release(self, nick: str, holder: str) -> None:
        """Release a nick, if this holder has it."""

    def drop_room(self, room: str) -> None:
        """Drop the events of a room that is gone for good."""

    def limit(self, room: str, maximum: int | None) -> None:
        """Keep at most ``maximum`` events of a room, or (None) as many as of other rooms.

        A limit ends with the process or the room.
        """

    def put_all(self, records: Sequence[Record]) -> Awaitable[None]:
        """Store records, replacing those with their keys: all of them, or none.

        A store without transactions puts them in this order, one after the other: when the process
        is killed meanwhile, the first ones are stored.
        Writing begins immediately.  The chat calls this and `put_quietly` in
        `chatd.chat.records.writing` alone.

        :raises NotStoredError: from the awaitable, when it failed; then nothing has changed.
        """

    def put_quietly(self, record: Record, written: Written) -> None:
        """Store a record that nobody waits for; ``written`` is called with the outcome."""

    async def records(self, kind: str) -> Mapping[str, str]:
        """Return the records of a kind, by their keys."""

    def drop_rooms_but(self, rooms: Collection[str]) -> None:
        """Drop every room except these: the others were left behind by a killed process."""

    async def close(self) -> None:
        """Store the events and records still in progress, then close.

        :raises NotClosedError: when that takes too long; only the end of the process helps then.
        """
