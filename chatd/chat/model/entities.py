"""Session: one connection's part in the chat; and Reader, what a way in gives to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from chatd.chat.events import Entry, Missed, PersonalEvent, PrivateMessage, Refused
from chatd.chat.fanout.log import Style
from chatd.chat.limits import DEAD_SECONDS, PERSONAL_BYTES, PRIVATE_KEPT
from chatd.chat.model import unread as tally
from chatd.chat.model.client import RelayTo
from chatd.chat.model.people import Person
from chatd.chat.model.preferences import DEFAULT, Preferences

if TYPE_CHECKING:
    from chatd.chat.delivery.unacknowledged import PendingLines
    from chatd.chat.entry.detached import DetachedSession
    from chatd.chat.model.rules import Room


@dataclass(frozen=True, slots=True)
class Position:
    """How far a connection has been sent what happens.

    ``read`` has the store's number of the last event in each room, ``told`` how many private
    messages there were.
    """

    read: Mapping[Room, int]
    told: int


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What of that which was sent has arrived, as far as the connection can tell.

    ``mark`` says how far what has arrived goes (None: all of it did), ``unreached`` how
    many bytes of the last have not; ``owing`` is for how many seconds the other end has not
    answered what it should have.
    """

    mark: Position | None = None
    unreached: int = 0
    owing: float = 0.0

    @property
    def is_dead(self) -> bool:
        """Whether nobody seems to be at the other end any more."""
        return self.owing >= DEAD_SECONDS


#: A connection of which nothing is known but that it takes what it is sent.
ALIVE = DeliveryReport()


class Client(Protocol):
    """What a way in gives the chat: somewhere that bytes can go, and how they should look.

    While ``full`` is false ``send`` may be called, and says how many bytes it took.  Any answer but
    ``len(data)``, or an ``OSError``, is followed by ``stalled(data, taken)`` (0 after an error),
    which keeps the rest and makes the reader full.  When there is room again the way in calls
    `Session.resume`.
    """

    @property
    def send(self) -> Callable[[bytes], int]:
        """Takes bytes for the connection and says how many it took."""

    @property
    def echoes_input(self) -> bool:
        """Whether one sees on one's own screen already what one sends (netcat does)."""

    @property
    def copy_per_room(self) -> bool:
        """Whether what happens in several rooms at once is shown in each, as programs want it.

        People are shown it once.
        """

    @property
    def closes_on_gap(self) -> bool:
        """Whether it makes no sense to go on after something was missed: a program starts anew."""

    @property
    def resumable(self) -> bool:
        """Whether who loses this connection may come back to their place; a program begins anew."""

    @property
    def full(self) -> bool:
        """Whether the connection takes nothing now."""

    @property
    def is_gone(self) -> bool:
        """Whether the connection is lost, and nothing that is shown now is seen."""

    @property
    def pending(self) -> int:
        """Bytes that wait for the connection."""

    def style(self, preferences: Preferences) -> Style:
        """How somebody with these preferences is shown things on this way in."""

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep what ``send`` did not take."""

    def write(self, data: bytes) -> None:
        """Send or keep; the caller has looked at ``pending``."""

    def refocused(self) -> None:
        """The focus is on another room, or on none; where there is a prompt, it shows that."""

    @property
    def shows_pending(self) -> bool:
        """Whether one is told in words that what one said waits: people to whom it is not shown."""

    def pending_changed(self) -> None:
        """`Session.waits` is otherwise; where what waits is shown, show it as it is now."""

    def delivery_report(self) -> DeliveryReport:
        """What of that which was sent has arrived."""

    async def ask(self, question: str, *, secret: bool) -> tuple[str, float]:
        """Ask for one line, which is no command; return it, and when it came.

        It is empty when they would rather not say, or when nobody is there to be asked.  What is
        ``secret`` is not shown while it is typed, where that can be helped.
        """

    def close(self) -> None:
        """Send what is pending and end the connection."""

    def broken(self, bug: Exception) -> None:
        """A bug of ours came up in sending: log it and end this connection, later."""


class Session:
    """One connection of a person.

    It is in the audience of each of its person's rooms; one of them may have the focus, which is
    where plain lines go and which is shown without its name.  One that does not listen speaks only.
    ``private`` are the last of the ``told`` private messages that it was sent; ``tally`` is
    what `chatd.chat.model.unread` keeps.  ``address`` and ``fingerprint`` are those with which this
    one came, ``operator`` whether it proved to be one; ``resuming`` is what has still to be shown
    to who has come back by it, ``waits`` what it said that is not kept after a moment; ``lend``
    lends its line, where that can be.
    """

    __slots__ = (
        "address",
        "client",
        "fingerprint",
        "focus",
        "lend",
        "listens",
        "operator",
        "pending",
        "person",
        "preferences",
        "private",
        "private_count",
        "resuming",
        "send",
        "unread",
    )

    def __init__(self, person: Person, reader: Client, *, listens: bool = True) -> None:
        self.listens = listens
        self.person = person
        self.client = reader
        self.send: Callable[[bytes], int] = reader.send
        self.preferences = DEFAULT
        self.focus: Room | None = None
        self.unread: dict[Room, tally.ReadMark] = {}
        self.private: tuple[PrivateMessage, ...] = ()
        self.private_count = 0
        self.address = ""
        self.fingerprint: str | None = None
        self.resuming: DetachedSession | None = None
        self.lend: RelayTo | None = None
        self.operator = False
        self.pending: PendingLines | None = None

    # What an audience asks of a listener --------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether the connection takes nothing now."""
        return self.client.full

    @property
    def filters(self) -> bool:
        """Whether this person ignores anybody."""
        return bool(self.person.ignored)

    def wants(self, entry: Entry) -> bool:
        """Whether this person does not ignore who did it."""
        return entry.author not in self.person.ignored

    def stalled(self, data: bytes, taken: int) -> None:
        """The connection is full: keep the rest, and the place in every room."""
        self.client.stalled(data, taken)
        self.hold()

    def broken(self, bug: Exception) -> None:
        """A bug of ours came up in sending."""
        self.client.broken(bug)

    def missed(self, room: str, count: int) -> None:
        """Tell that events of a room are gone before they could be read."""
        self._write(Missed(room, count))
        if self.client.closes_on_gap:
            self.client.close()

    # What the chat and the ways in ask ----------------------------------------------------------

    def style_in(self, room: Room) -> Style:
        """How this session is shown what happens in a room."""
        style = self.client.style(self.preferences)
        return style if room is self.focus else style.unfocused

    def deliver(self, event: PersonalEvent) -> bool:
        """Show something to this session alone; False when it cannot be, or too much waits already.

        What happened in its rooms before is shown before.
        """
        return self.client.pending <= PERSONAL_BYTES and self.show(event)

    def show(self, event: PersonalEvent) -> bool:
        """Show something that has a bound of its own, however much waits already.

        False when it cannot be shown at all.
        """
        if not self.listens or self.client.is_gone:
            return False
        self.catch_up()
        self._write(event)
        if isinstance(event, PrivateMessage):
            self.private_count += 1
            self.private = (*self.private, event)[-PRIVATE_KEPT:]
        return True

    def _write(self, event: PersonalEvent) -> None:
        self.client.write(self.client.style(self.preferences).render_personal(event))
        if self.client.full:
            self.hold()

    def hold(self) -> None:
        """The connection is full: no room sends to it until `resume`."""
        for room in self.person.rooms.values():
            room.audience.hold(self)

    def resume(self) -> None:
        """The connection has room: catch up in every room, as far as it goes."""
        for room in tuple(self.person.rooms.values()):
            if self.client.full:
                return
            room.audience.resume(self)

    def position(self) -> Position:
        """How far it has been sent what happens."""
        rooms = self.person.rooms.values()
        read = {room: room.audience.sent_to(self) for room in rooms}
        if self.resuming is not None:
            read.update(self.resuming.read)
        return Position(read, self.private_count)

    def restyle(self) -> None:
        """Show every room as the preferences and the focus say now."""
        for room in self.person.rooms.values():
            room.audience.restyle(self, self.style_in(room))

    def focus_on(self, room: Room | None) -> None:
        """Give a room, or none, the focus."""
        before, self.focus = self.focus, room
        tally.refocused(self, before)
        for other in (before, room):
            if other is not None:
                other.audience.restyle(self, self.style_in(other))
        self.client.refocused()

    def focus_on_newest(self) -> None:
        """Give the focus to the room that this person has come into last, or to none."""
        self.focus_on(next(reversed(self.person.rooms.values()), None))

    def detach(self) -> None:
        """Take this connection away from its person: it listens in none of their rooms any more."""
        self.person.sessions.remove(self)
        self.person.sessions_changed()
        for room in self.person.rooms.values():
            room.audience.catch_up(self)
            room.audience.remove(self)

    def catch_up(self) -> None:
        """Show now what has happened in every room: what follows belongs after it."""
        for room in self.person.rooms.values():
            room.audience.catch_up(self)

    def room(self) -> Room:
        """The room that has the focus.

        :raises Refused: ``no-room`` when none has.
        """
        if self.focus is None:
            raise Refused("no-room", "You are in no room; /join ROOM takes you into one.")
        return self.focus
