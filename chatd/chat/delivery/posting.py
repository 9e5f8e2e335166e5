"""Posting: the write path of an event, from its author through the store to a room's audience.

An event is posted to the store, which calls back once the event is stored and has its number in the
room's order.  Only then is it appended to the room's audience.  Audiences that have something to
send are flushed once, at the end of the reactor's turn.
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

#: Called with the outcome of a post: its number in the room, or why it was not stored.
Acknowledge = Callable[[int | Refused], None]
#: Called when a post has been stored, or (False) has not, beside what its author is told then.
Settled = Callable[[bool], object]

#: How many of the last events from other servers are remembered.  One event, such as a departure,
#: is posted to several rooms, and a user who is in more than one of them is shown it only once.
REMEMBERED_EVENTS = 64


@dataclass(slots=True)
class _Post:
    """An event that the store has not acknowledged yet.

    ``session`` is the one that sent it, whose terminal may show it already (`Client.echoes_input`);
    it is not shown to the sessions in ``unseen_by``.  ``last_message`` is the author's entry for
    /edit and /delete, which is given the number.
    """

    room: Room
    event: RoomEvent
    author: Person
    session: Session | None
    unseen_by: Iterable[Session]
    acknowledge: Acknowledge | None
    settled: Settled | None
    last_message: LastMessage | None

    @property
    def is_user_message(self) -> bool:
        """Whether it is a message typed by a user; a program's post is acknowledged instead."""
        return self.acknowledge is None and isinstance(self.event, Said | Acted)


class Posting:
    """Posts to the store, and observes it (`chatd.chat.store.StoreObserver`).

    ``schedule`` runs a function at the end of the reactor's turn; ``incarnation`` makes message ids
    unique beyond this process.  Posts that the store answers late move from ``_posts`` to
    ``_late``.  ``_followed`` has the rooms to which this server is subscribed, by id.
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
        self._post_count = 0
        self._posts: dict[str, _Post] = {}
        self._late: dict[str, _Post] = {}
        self._unacknowledged = unacknowledged
        self._last_refused: RoomEvent | None = None
        self._peers = peers
        self._followed: dict[str, Room] = {}
        self._shown_in: OrderedDict[RoomEvent, list[Room]] = OrderedDict()
        self._to_flush: list[Audience] = []
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
        settled: Settled | None = None,
    ) -> None:
        """Post an event to a room; the room's audience is sent it once it is stored.

        ``session`` is the one that sent it; it is not shown to the sessions in ``unseen_by``.
        ``acknowledge`` is called with the outcome, in place of telling its author of a failure;
        ``settled`` is called as well, to confirm what it was for or to undo it.
        """
        self._post_count += 1
        message_id = f"{self._incarnation}.{self._post_count}"
        last_message = _remember_last_message(room, event, author)
        self._posts[message_id] = _Post(
            room, event, author, session, unseen_by, acknowledge, settled, last_message
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
        """Subscribe to a room that has members on this server, or unsubscribe from any other."""
        if room.has_local_members == (room.id in self._followed):
            return
        if room.id in self._followed:
            del self._followed[room.id]
            self._store.unsubscribe(room.id)
        else:
            self._followed[room.id] = room
            self._store.subscribe(room.id)

    def room_closed(self, room: Room) -> None:
        """Forget a room that is gone: no event is shown there any more."""
        for rooms in self._shown_in.values():
            if room in rooms:
                rooms.remove(room)

    def announce(
        self,
        person: Person,
        event_in: Callable[[Room], RoomEvent],
        unseen_by: Iterable[Session] = (),
        session: Session | None = None,
        settled: Settled | None = None,
    ) -> None:
        """Post an event to every room of a person; each member is shown it in one of them only.

        That is the oldest room that they share.  A program is shown it in each of them
        (`Client.copy_per_room`).  The other parameters are as for `post`.
        """
        several = len(person.rooms) > 1
        seen: set[Session] = set(unseen_by)
        for room in sorted(person.rooms.values(), key=attrgetter("number")):
            present = set(sessions_in(room)) if several else set()
            hidden = seen & present if several else unseen_by
            event = event_in(room)
            self.post(room, event, person, session, unseen_by=hidden, settled=settled)
            seen.update(session for session in present if not session.client.copy_per_room)

    def stored(self, room: str, message_id: str, number: int, event: RoomEvent) -> None:
        """Publish a stored event: this server's own, or another's in a followed room."""
        post = self._posts.pop(message_id, None)
        if post is None and self._late:
            post = self._pop_late(message_id, stored=True)
        if post is None:
            followed = self._followed.get(room)
            if followed is not None:
                self.happened_elsewhere(followed, event, number)
            return
        # The room may have been closed meanwhile, and another opened under its name.
        if self._rooms.get(post.room.name.key) is post.room:
            self._publish(post, number, event)
            if post.last_message is not None:
                post.last_message.number = number
        if post.acknowledge is not None:
            post.acknowledge(number)
        if post.settled is not None:
            post.settled(True)

    def happened_elsewhere(self, room: Room, event: RoomEvent, number: int | None = None) -> None:
        """Append an event from another server to a room's audience.

        It may arrive in several rooms: each user is shown it once.  Without a ``number`` it has
        that of the room's last event.
        """
        author = fold(getattr(event, "by", None) or event.nick)
        self._note_activity(room, event, author)
        at = room.audience.number if number is None else number
        shown_in = self._shown_in.setdefault(event, [])
        if len(self._shown_in) > REMEMBERED_EVENTS:
            self._shown_in.popitem(last=False)
        unseen_by = [
            session
            for session in (sessions_in(room) if shown_in else ())
            if not session.client.copy_per_room
            and any(session.person in other.members for other in shown_in)
        ]
        shown_in.append(room)
        mentions = self._count_mentions(event, room)
        room.audience.append(Entry(room.name.shown, at, author, event), unseen_by, mentions)
        if isinstance(event, Deleted):
            for member in room.members.values():
                if member.last_message is not None and member.last_message.number == event.number:
                    member.last_message.gone = True

    def _note_activity(self, room: Room, event: RoomEvent, author: str) -> None:
        """Note when a user on another server was last active, for idle times and slow mode."""
        person = self._people.get(author) if isinstance(event, Said | Acted | Edited) else None
        if person is not None and person.server:
            person.last_active = max(person.last_active, event.time)
            if person in room.members:
                room.members[person].last_said = event.time

    def _publish(self, post: _Post, number: int, event: RoomEvent) -> None:
        """Append this server's own event to its room's audience, and let a new member listen."""
        room, author, session = post.room, post.author, post.session
        entry = Entry(room.name.shown, number, author.name.key, event)
        unseen_by = post.unseen_by
        if session is not None and session.client.echoes_input:
            unseen_by = (session, *unseen_by)
        mentions = self._count_mentions(event, room)
        room.audience.append(entry, unseen_by, mentions, _without_bell(event, author))
        for each in author.sessions:
            if each.unread:
                each.unread.wrote(room)
        # A new member listens from its own join on: what was stored before belongs to history.
        if isinstance(event, Joined) and author in room.members:
            room.members[author].since = number
            for each in author.sessions:
                if each.listens:
                    room.audience.add(each, each.style_in(room))

    def _count_mentions(self, event: RoomEvent, room: Room) -> list[Session]:
        """Return the sessions that an event mentions; those with another focus count it."""
        mentions = mentioned(event, room, self._people)
        for session in mentions:
            if session.focus is not room:
                session.unread.mentioned(room)
        return mentions

    def subscribed(self, room: str, number: int) -> None:
        """Note the number of a room's last event at the start of its subscription."""
        followed = self._followed.get(room)
        if followed is not None:
            followed.audience.number = max(followed.audience.number, number)

    def record_changed(self, kind: str, key: str, value: str | None) -> None:
        """Pass on a record that another server has changed."""
        self._peers.record_changed(kind, key, value)

    def failed(self, room: str, message_id: str, reason: str) -> None:
        """Tell the author of an event that it could not be stored, and why."""
        post = self._posts.pop(message_id, None)
        if post is None:
            post = self._pop_late(message_id, stored=False)
        if post is None:
            return
        if post.last_message is not None:
            post.last_message.gone = True
        if post.acknowledge is not None:
            post.acknowledge(Refused("not-kept", f"That was not delivered: {reason}"))
        elif post.event is not self._last_refused:  # else told already, for another of its rooms
            self._last_refused = post.event
            for session in post.author.sessions:
                session.deliver(refusal(post.event, reason).as_event())
        if post.settled is not None:
            post.settled(False)

    def check_pending(self, now: float) -> None:
        """Find posts that the store is late to acknowledge; called several times a second."""
        self._set_late_apart(now)
        self._unacknowledged.check(now)

    def _set_late_apart(self, now: float) -> None:
        """Set apart posts that are older than `LATE_SECONDS`; messages of users are marked pending.

        Posts are in the order of their times, so the search stops at the first that is not late.
        A post with a time in the future is late as well: the clock was set back.
        """
        late = []
        for message_id, post in self._posts.items():
            if 0 <= now - post.event.time < LATE_SECONDS:
                break
            late.append(message_id)
        for message_id in late:
            post = self._late[message_id] = self._posts.pop(message_id)
            if post.is_user_message and post.session is not None:
                self._unacknowledged.add(post.session, post.room, post.event, now)

    def _pop_late(self, message_id: str, *, stored: bool) -> _Post | None:
        """Return a late post that the store has answered, and mark it as no longer pending."""
        post = self._late.pop(message_id, None)
        if post is not None and post.session is not None:
            self._unacknowledged.remove(post.session, post.room, post.event, stored=stored)
        return post

    def request_flush(self, audience: Audience) -> None:
        """Flush an audience at the end of the turn."""
        if not self._to_flush:
            self._schedule(self.flush)
        self._to_flush.append(audience)

    def flush(self, *, wholly: bool = False) -> None:
        """Send what was appended since the last flush; a large audience is served in slices.

        ``wholly`` sends all of it before returning.
        """
        audiences, self._to_flush = self._to_flush, []
        for audience in audiences:
            audience.flush(wholly=wholly)


def _without_bell(event: RoomEvent, author: Person) -> list[Session]:
    """Return the author's sessions that ring for every message, but need not for their own."""
    if not isinstance(event, Said | Acted | Edited):
        return []
    return [session for session in author.sessions if session.preferences.bell == "all"]


def _remember_last_message(room: Room, event: RoomEvent, author: Person) -> LastMessage | None:
    """Record a message as its author's last one in the room, for /edit and /delete."""
    member = room.members.get(author)
    if member is None or not isinstance(event, Said | Acted):
        return None
    member.last_message = LastMessage(event.time)
    return member.last_message
