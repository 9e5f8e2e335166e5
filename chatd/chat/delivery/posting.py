"""Posting: from what somebody does to what a room sees, by way of the store.

An event is posted to the store; when it comes back it has its place in the room's order, and only
then has it happened.  The rooms that have news flush once, at the end of the reactor's turn.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter

from chatd.chat.delivery.unacknowledged import LATE_SECONDS, Unacknowledged, refusal
from chatd.chat.events import (
    Acted,
    Deleted,
    Edited,
    Entry,
    Joined,
    Left,
    Refused,
    Renamed,
    RoomEvent,
    Said,
)
from chatd.chat.fanout.audience import Audience
from chatd.chat.model.entities import LastMessage, Person, Room, Session, sessions_in
from chatd.chat.model.mentions import mentioned
from chatd.chat.model.people import People
from chatd.chat.peers import Peers
from chatd.chat.store import Store
from chatd.chat.text.names import fold

#: Told what became of a post: its number in the room, or why it was not kept.
Acknowledge = Callable[[int | Refused], None]

#: Events of other servers that are remembered, as one may come in several rooms.
SHOWN = 64


@dataclass(slots=True)
class _Posted:
    """What is remembered of an event until the store hands it back.

    ``session`` is whose own terminal may show it already, ``spoken`` what a member can change.
    """

    room: Room
    event: RoomEvent
    author: Person
    session: Session | None
    unseen_by: Iterable[Session]
    acknowledge: Acknowledge | None
    spoken: LastMessage | None

    @property
    def is_a_line(self) -> bool:
        """Whether a person said it, who is not answered as programs are."""
        return self.acknowledge is None and isinstance(self.event, Said | Acted)


class Posting:
    """The keeper of a store (`chatd.chat.store.StoreObserver`).

    ``schedule`` runs a function at the end of the reactor's turn; ``incarnation`` makes message ids
    unique beyond this process.
    """

    def __init__(
        self,
        store: Store,
        schedule: Callable[[Callable[[], None]], object],
        incarnation: str,
        rooms: Mapping[str, Room],
        people: People,
        peers: Peers,
        unacknowledged: Unacknowledged,
    ) -> None:
        self._store = store
        self._schedule = schedule
        self._incarnation = incarnation
        self._rooms = rooms
        self._people = people
        self._posts = 0
        self._posted: dict[str, _Posted] = {}
        self._late: dict[str, _Posted] = {}
        self._unacknowledged = unacknowledged
        self._refused: RoomEvent | None = None
        self._peers = peers
        self._followed: dict[str, Room] = {}
        self._shown: OrderedDict[RoomEvent, list[Room]] = OrderedDict()
        self._news: list[Audience] = []
        store.open(self)

    def post(
        self,
        room: Room,
        event: RoomEvent,
        author: Person,
        session: Session | None = None,
        *,
        unseen_by: Iterable[Session] = (),
        acknowledge: Acknowledge | None = None,
    ) -> None:
        """Let something happen in a room, once the store has given it its place.

        ``session`` said it itself; ``unseen_by`` are not shown it.
        """
        self._posts += 1
        message_id = f"{self._incarnation}.{self._posts}"
        spoken = _spoken(room, event, author)
        self._posted[message_id] = _Posted(
            room, event, author, session, unseen_by, acknowledge, spoken
        )
        if isinstance(event, Joined):
            self.follow(room)
        if not isinstance(event, Said | Acted | Edited | Deleted):
            other = self._people.find(event.nick)
            self._peers.person_changed(author, *([other] if other is not None else ()))
            if not isinstance(event, Joined | Left | Renamed):
                self._peers.room_changed(room)
        self._store.post(room.id, message_id, event, author.account or "")

    def follow(self, room: Room) -> None:
        """Hear what other servers post to a room in which somebody is here, and to no other."""
        if room.has_local_members == (room.id in self._followed):
            return
        if room.id in self._followed:
            del self._followed[room.id]
            self._store.unsubscribe(room.id)
        else:
            self._followed[room.id] = room
            self._store.subscribe(room.id)

    def announce(
        self,
        person: Person,
        event_in: Callable[[Room], RoomEvent],
        but: Iterable[Session] = (),
        session: Session | None = None,
    ) -> None:
        """Let something happen in all rooms of a person, shown to each person once.

        The rooms come in the order in which they were made.  ``session`` said it itself.
        """
        several = len(person.rooms) > 1
        seen: set[Session] = set(but)
        for room in sorted(person.rooms.values(), key=attrgetter("number")):
            here = set(sessions_in(room)) if several else set()
            unseen_by = seen & here if several else but
            self.post(room, event_in(room), person, session, unseen_by=unseen_by)
            seen.update(session for session in here if not session.client.copy_per_room)

    def stored(self, room: str, message_id: str, number: int, event: RoomEvent) -> None:
        """The store has given an event its place: it happens now."""
        posted = self._posted.pop(message_id, None)
        if posted is None and self._late:
            posted = self._no_longer_late(message_id, kept=True)
        if posted is None:
            where_else = self._followed.get(room)
            if where_else is not None:
                self.happened_elsewhere(where_else, event, number)
            return
        where = posted.room
        if self._rooms.get(where.name.key) is where:
            self._happens(where, posted, number, event)
            if posted.spoken is not None:
                posted.spoken.number = number
        if posted.acknowledge is not None:
            posted.acknowledge(number)

    def happened_elsewhere(self, where: Room, event: RoomEvent, number: int | None = None) -> None:
        """Show what somebody did on another server, in several rooms perhaps, to each once."""
        author = fold(getattr(event, "by", None) or event.nick)
        self._speaks(where, event, author)
        at = where.audience.number if number is None else number
        rooms = self._shown.setdefault(event, [])
        if len(self._shown) > SHOWN:
            self._shown.popitem(last=False)
        unseen_by = [
            session
            for session in (sessions_in(where) if rooms else ())
            if not session.client.copy_per_room
            and any(session.person in room.members for room in rooms)
        ]
        rooms.append(where)
        meant = mentioned(event, where, self._people)
        for each in meant:
            if each.focus is not where:
                each.unread.mentioned(where)
        where.audience.append(Entry(where.name.shown, at, author, event), unseen_by, meant)
        if isinstance(event, Deleted):
            for member in where.members.values():
                if member.last_message is not None and member.last_message.number == event.number:
                    member.last_message.gone = True

    def _speaks(self, where: Room, event: RoomEvent, author: str) -> None:
        """Somebody elsewhere has spoken: slow mode knows it, and who asks how idle they are."""
        person = self._people.get(author) if isinstance(event, Said | Acted | Edited) else None
        if person is not None and person.server:
            person.last_active = max(person.last_active, event.time)
            if person in where.members:
                where.members[person].last_said = event.time

    def _happens(self, where: Room, posted: _Posted, number: int, event: RoomEvent) -> None:
        author, session = posted.author, posted.session
        entry = Entry(where.name.shown, number, author.name.key, event)
        unseen_by = posted.unseen_by
        if session is not None and session.client.echoes_input:
            unseen_by = (session, *unseen_by)
        meant = mentioned(event, where, self._people)
        for each in meant:
            if each.focus is not where:
                each.unread.mentioned(where)
        where.audience.append(entry, unseen_by, meant, _rung(event, author))
        for each in author.sessions:
            if each.unread:
                each.unread.wrote(where)
        if isinstance(event, Joined) and author in where.members:
            where.members[author].since = number
            for each in author.sessions:
                if each.listens:
                    where.audience.add(each, each.style_in(where))

    def subscribed(self, room: str, number: int) -> None:
        """A room is heard, and this is the number of what happened there last."""
        where = self._followed.get(room)
        if where is not None:
            where.audience.number = max(where.audience.number, number)

    def record_changed(self, kind: str, key: str, value: str | None) -> None:
        """Another server has changed a record."""
        self._peers.record_changed(kind, key, value)

    def failed(self, room: str, message_id: str, why: str) -> None:
        """The store could not keep an event: its writer is told."""
        posted = self._posted.pop(message_id, None)
        if posted is None:
            posted = self._no_longer_late(message_id, kept=False)
        if posted is None:
            return
        if posted.spoken is not None:
            posted.spoken.gone = True
        if posted.acknowledge is not None:
            posted.acknowledge(Refused("not-kept", f"That was not delivered: {why}"))
        elif posted.event is not self._refused:  # in another of the rooms where it was said
            self._refused = posted.event
            for session in posted.author.sessions:
                session.deliver(refusal(posted.event, why).as_event())

    def check_pending(self, now: float) -> None:
        """See what the store has not kept after a moment; to be called several times a second."""
        self._find_late(now)
        self._unacknowledged.check(now)

    def _find_late(self, now: float) -> None:
        """Set apart what was posted more than a moment ago; of that, lines of people are shown."""
        late = []
        for message_id, posted in self._posted.items():
            if 0 <= now - posted.event.time < LATE_SECONDS:
                break
            late.append(message_id)
        for message_id in late:
            posted = self._late[message_id] = self._posted.pop(message_id)
            if posted.is_a_line and posted.session is not None:
                self._unacknowledged.begin(posted.session, posted.room, posted.event, now)

    def _no_longer_late(self, message_id: str, *, kept: bool) -> _Posted | None:
        posted = self._late.pop(message_id, None)
        if posted is not None and posted.session is not None:
            self._unacknowledged.end(posted.session, posted.room, posted.event, kept=kept)
        return posted

    def has_news(self, audience: Audience) -> None:
        """A room has something to send at the end of the turn."""
        if not self._news:
            self._schedule(self.flush)
        self._news.append(audience)

    def flush(self, *, wholly: bool = False) -> None:
        """Send to everyone what happened since the last time; to very many in slices."""
        news, self._news = self._news, []
        for audience in news:
            audience.flush(wholly=wholly)


def _rung(event: RoomEvent, author: Person) -> list[Session]:
    """The sessions of who said something that ring for every message: for this one they do not."""
    if not isinstance(event, Said | Acted | Edited):
        return []
    return [session for session in author.sessions if session.preferences.bell == "all"]


def _spoken(room: Room, event: RoomEvent, author: Person) -> LastMessage | None:
    """Remember what a member says, for /edit and /delete."""
    member = room.members.get(author)
    if member is None or not isinstance(event, Said | Acted):
        return None
    member.last_message = LastMessage(event.time)
    return member.last_message
