"""Detached sessions: the state kept for users whose connection is lost, until they resume.

A session is kept for `DETACHED_SECONDS` if its user can prove later that it is theirs: by an
account, by the ssh key of the lost connection, or by the token that they were shown.  Other users
do not notice.  On resuming, users are shown what they missed, once, from the last message that
arrived.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from operator import itemgetter

from chatd.chat.delivery.history import History, newest_that_fit
from chatd.chat.events import (
    Acted,
    Entry,
    Notice,
    PersonalEvent,
    PrivateMessage,
    Recalled,
    Said,
)
from chatd.chat.fanout.log import Style
from chatd.chat.limits import DETACHED_PER_ADDRESS, DETACHED_SESSIONS, OFFLINE_MESSAGES, REPLAYED
from chatd.chat.model.entities import Person, Replay, Room, Session
from chatd.chat.model.preferences import DEFAULT, Preferences


@dataclass(slots=True, eq=False)
class DetachedSession:
    """The state of a session whose connection is lost, and how far it had been read.

    ``read`` has the number of the last event that was sent, for each room.  The last ``unreached``
    bytes sent have not arrived; they are found in the history of the rooms, rendered in these
    ``styles``, and among the ``private`` messages, which have their sizes in bytes
    (`DetachedSessions.rewind`).  ``echoed_input`` is whether the user's own messages were not sent.
    ``waiting`` are the events for this user alone that they have not been shown.
    """

    person: Person
    read: dict[Room, int]
    unreached: int = 0
    styles: dict[Room, Style] = field(default_factory=dict)
    private: list[tuple[PrivateMessage, int]] = field(default_factory=list)
    echoed_input: bool = False
    focus: Room | None = None
    preferences: Preferences = DEFAULT
    waiting: list[PersonalEvent] = field(default_factory=list)


class DetachedSessions:
    """The detached sessions on this server, and who may resume them.

    ``make_token`` makes a word that cannot be guessed; without it guests are given no token.
    ``expire_in_time`` is called with a session detached other than by a lost connection, to
    schedule its end.  ``is_dense`` says that the store's numbers in a room have no gaps, so that
    missing ones are messages that are no longer kept.
    """

    def __init__(
        self,
        history: History,
        make_token: Callable[[], str] | None,
        expire_in_time: Callable[[DetachedSession], object],
        *,
        is_dense: bool = True,
    ) -> None:
        self._history = history
        self._make_token = make_token
        self._is_dense = is_dense
        self._sessions: dict[Person, DetachedSession] = {}
        self._by_token: dict[str, Person] = {}
        self._by_key: dict[str, dict[Person, None]] = {}
        self._expire_in_time = expire_in_time

    def __len__(self) -> int:
        return len(self._sessions)

    # Who may resume -------------------------------------------------------------------------------

    def new_token(self, person: Person) -> str | None:
        """Return a new token that resumes a person's session, and revoke the previous one.

        None for a person who needs none, as a key or a login proves who they are.
        """
        if self._make_token is None or person.account is not None or person.fingerprint is not None:
            return None
        self._revoke_token(person)
        person.token = self._make_token()
        self._by_token[person.token] = person
        return person.token

    def account_proved(self, person: Person) -> None:
        """Note that a person has an account, and can resume only by proving it."""
        self._revoke_token(person)
        self._forget_key(person)

    def _forget_key(self, person: Person) -> None:
        people = self._by_key.get(person.fingerprint or "")
        if people is not None and person in people:
            del people[person]
            if not people:
                del self._by_key[person.fingerprint or ""]

    def _revoke_token(self, person: Person) -> None:
        if person.token is not None:
            del self._by_token[person.token]
            person.token = None

    def person_of_token(self, token: str) -> Person | None:
        """Return the person who was given a token, whether they have a connection or not."""
        return self._by_token.get(token)

    def person_entered(self, person: Person) -> None:
        """Note a person who entered; a guest with an ssh key may resume by it."""
        if person.fingerprint is not None and person.account is None:
            self._by_key.setdefault(person.fingerprint, {})[person] = None

    def lost_guest_of_key(self, fingerprint: str | None) -> Person | None:
        """Return the last guest with this key who has no working connection."""
        people = self._by_key.get(fingerprint, {}) if fingerprint is not None else {}
        return next((person for person in reversed(people) if self.is_lost(person)), None)

    def is_lost(self, person: Person) -> bool:
        """Whether a person has a session to resume, and no working connection that listens.

        The session is a detached one, or one to be taken from connections that are all dead.
        """
        listening = [session for session in person.sessions if session.listens]
        return person in self._sessions or (
            bool(listening)
            and all(session.client.delivery_report().is_dead for session in listening)
        )

    def is_lost_entirely(self, person: Person) -> bool:
        """Whether a person is lost, and none of their other connections works either."""
        dead = all(session.client.delivery_report().is_dead for session in person.sessions)
        return dead and self.is_lost(person)

    def is_resumable(self, person: Person) -> bool:
        """Whether a person could prove later that a detached session is theirs."""
        proofs = (person.account, person.fingerprint, person.token)
        return any(proof is not None for proof in proofs)

    # Keeping a session ----------------------------------------------------------------------------

    def get(self, person: Person) -> DetachedSession | None:
        """Return the session that is kept for a person, if there is one."""
        return self._sessions.get(person)

    def add(self, session: Session) -> list[DetachedSession]:
        """Keep the state of a lost connection; return the sessions to end, if too many are kept.

        That is the oldest from the same address if it has more than `DETACHED_PER_ADDRESS`, else
        the oldest of all beyond `DETACHED_SESSIONS`.
        """
        person = session.person
        self._sessions[person] = self._snapshot(session)
        same = [each for each in self._sessions.values() if each.person.address == person.address]
        if len(same) > DETACHED_PER_ADDRESS:
            return same[:1]
        return list(self._sessions.values())[:1] if len(self._sessions) > DETACHED_SESSIONS else []

    def restore(self, detached: DetachedSession, token: str | None) -> None:
        """Keep a session that another server kept, with the token that resumes it."""
        person = detached.person
        self._sessions[person] = detached
        self._expire_in_time(detached)
        if token is not None:
            self._revoke_token(person)
            person.token = token
            self._by_token[token] = person

    def remove(self, person: Person) -> None:
        """Drop the session that is kept for a person."""
        del self._sessions[person]

    def left_room(self, person: Person, room: Room) -> int | None:
        """Forget a room that a person was removed from; return how far their lost session read it.

        None when no session is kept for them.
        """
        detached = self._sessions.get(person)
        if detached is None:
            return None
        detached.styles.pop(room, None)
        if detached.focus is room:
            detached.focus = None
        return detached.read.pop(room, None)

    def _snapshot(self, session: Session) -> DetachedSession:
        """Return the state to be kept for a connection if it is lost now.

        A client that acknowledges has reported its ``position``; for others the number of bytes
        that have not arrived is known, and `rewind` finds out which messages those were.
        """
        report, read = session.client.delivery_report(), session.last_sent()
        detached = DetachedSession(session.person, dict(read), report.unreached)
        if report.position is not None:
            arrived = report.position.read
            detached.read = {room: min(at, arrived.get(room.id, at)) for room, at in read.items()}
            unseen = session.private_count - report.position.private_count
            unseen = min(unseen, len(session.private))
            detached.waiting += session.private[len(session.private) - unseen :]
        detached.focus, detached.preferences = session.focus, session.preferences
        if report.unreached:
            detached.styles = {room: session.style_in(room) for room in read}
            detached.echoed_input = session.client.echoes_input
            style = session.client.style(session.preferences)
            detached.private = [
                (message, len(style.render_personal(message))) for message in session.private
            ]
        if session.replaying is not None:  # lost again before all was shown
            detached.read.update(session.replaying.read)
            detached.waiting += session.replaying.waiting
        return detached

    def queue(self, person: Person, event: PersonalEvent) -> bool:
        """Queue an event for a person alone, to be shown when they resume.

        Return False when no session is kept for them, or when it has `OFFLINE_MESSAGES` already.
        """
        detached = self._sessions.get(person)
        if detached is None or len(detached.waiting) >= OFFLINE_MESSAGES:
            return False
        detached.waiting.append(event)
        return True

    def person_left(self, person: Person) -> None:
        """Drop the state kept for a person who has left the server."""
        self._sessions.pop(person, None)
        self._revoke_token(person)
        self._forget_key(person)

    # Resuming -------------------------------------------------------------------------------------

    def take(self, person: Person) -> DetachedSession | None:
        """Return the session of a person as `find` does, and drop it."""
        detached = self.find(person)
        self._sessions.pop(person, None)
        return detached

    def find(self, person: Person) -> DetachedSession | None:
        """Return the session kept for a person, else one made of their newest connection.

        None when there is neither.
        """
        detached = self._sessions.get(person)
        sessions = [session for session in person.sessions if session.listens]
        if detached is not None or not sessions:
            return detached
        return self._snapshot(sessions[-1])

    def reclaim(self, person: Person) -> DetachedSession | None:
        """Take the session of a person who is lost, and close their dead connections.

        None for a person with a working connection.  Their programs and ssh commands keep running.
        """
        if not self.is_lost(person):
            return None
        detached = self.take(person)
        for session in [each for each in person.sessions if each.client.delivery_report().is_dead]:
            session.detach()
            session.client.close()
        return detached

    def put_back(self, session: Session, detached: DetachedSession) -> None:
        """Put back a session whose resumption failed, as the store could not be read."""
        if session in session.person.sessions:
            session.detach()
        if self._sessions.setdefault(session.person, detached) is detached:
            self._expire_in_time(detached)

    async def resume(self, session: Session, detached: DetachedSession) -> None:
        """Show a connection the events that the detached session missed, and let it listen."""
        session.deliver(Notice(f"Welcome back, {session.person.nick}."))
        session.replaying = Replay(detached.read, detached.waiting)
        await self._resume(session, detached)
        if not session.client.is_gone:  # else the next snapshot needs the events still to be shown
            session.replaying = None

    async def _resume(self, session: Session, detached: DetachedSession) -> None:
        session.preferences = detached.preferences
        if detached.focus is not None and session.person in detached.focus.members:
            session.focus_on(detached.focus)
        if detached.unreached:
            await self.rewind(detached)
        for room in tuple(session.person.rooms.values()):
            detached.read.setdefault(room, room.audience.number)
            while room in detached.read and not await self._catch_up(session, room, detached):
                pass
        waiting = detached.waiting
        while waiting and session in session.person.sessions and not session.client.is_gone:
            session.show(waiting.pop(0))

    async def rewind(self, detached: DetachedSession) -> None:
        """Move ``read`` back to before the messages that the ``unreached`` bytes belong to.

        The bytes that were sent are not stored, so they are rendered again: walking back in time
        over the messages of all rooms and the private ones, each message's size is subtracted from
        the count, until all bytes are accounted for.  A size that is too small (`_size`) shows a
        message twice; no message is left out.
        """
        person = detached.person
        not_sent = {*person.ignored, *([person.name.key] * detached.echoed_input)}
        sent: list[tuple[float, int, Callable[[], None]]] = [
            (message.time, size, partial(detached.waiting.insert, 0, message))
            for message, size in detached.private
        ]
        for room, number in detached.read.items():
            for entry in await self._history.before(room, number + 1, REPLAYED):
                if entry.author not in not_sent:
                    size = _size(detached.styles[room], entry)
                    mark_unread = partial(detached.read.__setitem__, room, entry.number - 1)
                    sent.append((entry.event.time, size, mark_unread))
        for _, size, not_arrived in sorted(sent, key=itemgetter(0))[::-1]:
            if detached.unreached <= 0:
                break
            not_arrived()
            detached.unreached -= size
        detached.unreached = 0

    async def _catch_up(self, session: Session, room: Room, detached: DetachedSession) -> bool:
        """Show the events stored in a room since; return True once the session is up to date.

        Return False if more was stored while the store was read: then it is called again.
        """
        at, until = detached.read[room], room.audience.number
        entries: list[Entry] = []
        earlier = gone = 0
        if until > at:
            last = await self._history.before(room, until + 1, REPLAYED)
            entries = [entry for entry in last if entry.number > at]
            if len(entries) == REPLAYED:
                earlier = await self._history.count(room, at, entries[0].number)
            elif self._is_dense:
                gone = (last[0].number if last else until + 1) - 1 - at
        if session not in session.person.sessions or session.person not in room.members:
            return True
        if session.client.is_gone:
            return True
        shown = [
            entry for entry in entries if session.wants(entry) and not _is_own_echo(session, entry)
        ]
        if gone > 0:
            are = "is" if gone == 1 else "are"
            said = f"{gone} message{'s' * (gone != 1)} that {'was' if gone == 1 else 'were'} said"
            session.show(Notice(f"{room}: {said} meanwhile {are} not kept any more."))
        if shown:
            fitting = newest_that_fit(shown)
            earlier += len(shown) - len(fitting)
            recalled = Recalled(room.name.shown, fitting, new=True, earlier=earlier)
            if not session.deliver(recalled):  # too much from several rooms: show the count only
                session.show(replace(recalled, entries=(), earlier=earlier + len(fitting)))
        detached.read[room] = until
        if room.audience.number != until:
            return False
        room.audience.add(session, session.style_in(room))
        del detached.read[room]
        return True


def _size(style: Style, entry: Entry) -> int:
    """Return the least number of bytes that an entry took when it was sent.

    It is 0 for a message that was edited since, as its text was different then.
    """
    is_edited = isinstance(entry.event, Said | Acted) and entry.event.edited
    return 0 if is_edited else len(style.render(entry))


def _is_own_echo(session: Session, entry: Entry) -> bool:
    """Whether an entry is on the user's screen already because they typed it there."""
    return session.client.echoes_input and entry.author == session.person.name.key
