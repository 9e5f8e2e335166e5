"""Places: who has lost their connection, and may come back to where they were.

A place is kept for `DETACHED_SECONDS` for whoever can prove that it is theirs: by an account, by
the ssh key with which they came, or by the token that they were shown.  Others see nothing of it.
What is said meanwhile is shown from where the reader stopped, once, when they come back.
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
    """Where somebody was, and how far they had read.

    ``read`` has the number of the last event that they were sent in each room; the last
    ``unreached`` bytes of that, in these ``styles`` and with these ``private`` messages and their
    sizes, have not arrived.  ``waiting`` is what was for them alone.
    """

    person: Person
    read: dict[Room, int]
    unreached: int = 0
    styles: dict[Room, Style] = field(default_factory=dict)
    private: list[tuple[PrivateMessage, int]] = field(default_factory=list)
    saw_own: bool = False
    focus: Room | None = None
    preferences: Preferences = DEFAULT
    waiting: list[PersonalEvent] = field(default_factory=list)


class DetachedSessions:
    """The places that are kept.

    ``expire_in_time`` is called with one that is kept although nobody has just lost their
    connection: it is for that to end it in time.
    ``make_token`` makes a word that nobody can guess; without it guests are shown none.  Where the
    store's numbers are ``is_dense`` every number of a room is that of a message.
    """

    def __init__(
        self,
        archive: History,
        make_token: Callable[[], str] | None,
        expire_in_time: Callable[[DetachedSession], object],
        *,
        is_dense: bool = True,
    ) -> None:
        self._archive = archive
        self._make_token = make_token
        self._is_dense = is_dense
        self._places: dict[Person, DetachedSession] = {}
        self._by_token: dict[str, Person] = {}
        self._by_key: dict[str, dict[Person, None]] = {}
        self._expire_in_time = expire_in_time

    def __len__(self) -> int:
        return len(self._places)

    # Who may come back ----------------------------------------------------------------------------

    def token(self, person: Person) -> str | None:
        """A new word with which somebody takes their place back; the one before is void.

        None for who needs none, because a key or a login proves who they are.
        """
        if self._make_token is None or person.account is not None or person.fingerprint is not None:
            return None
        self._void(person)
        person.token = self._make_token()
        self._by_token[person.token] = person
        return person.token

    def proved(self, person: Person) -> None:
        """Somebody has an account from now on, and comes back by what proves that alone."""
        self._void(person)
        self._forget_key(person)

    def _forget_key(self, person: Person) -> None:
        people = self._by_key.get(person.fingerprint or "")
        if people is not None and person in people:
            del people[person]
            if not people:
                del self._by_key[person.fingerprint or ""]

    def _void(self, person: Person) -> None:
        if person.token is not None:
            del self._by_token[person.token]
            person.token = None

    def holder(self, token: str) -> Person | None:
        """Who was shown this word, here or not."""
        return self._by_token.get(token)

    def came(self, person: Person) -> None:
        """Somebody is here who may come back by their key."""
        if person.fingerprint is not None and person.account is None:
            self._by_key.setdefault(person.fingerprint, {})[person] = None

    def of_key(self, fingerprint: str | None) -> Person | None:
        """Of the guests who came with this key the last one who is gone or seems to be."""
        people = self._by_key.get(fingerprint, {}) if fingerprint is not None else {}
        return next((person for person in reversed(people) if self.is_lost(person)), None)

    def is_lost(self, person: Person) -> bool:
        """Whether somebody has a place here, but no connection that works."""
        listening = [session for session in person.sessions if session.listens]
        return person in self._places or (
            bool(listening)
            and all(session.client.delivery_report().is_dead for session in listening)
        )

    def is_lost_wholly(self, person: Person) -> bool:
        """Whether somebody has a place here, and no connection at all that works."""
        dead = all(session.client.delivery_report().is_dead for session in person.sessions)
        return dead and self.is_lost(person)

    def may_keep(self, person: Person) -> bool:
        """Whether somebody could prove later that a place is theirs."""
        proofs = (person.account, person.fingerprint, person.token)
        return any(proof is not None for proof in proofs)

    # Keeping a place ------------------------------------------------------------------------------

    def get(self, person: Person) -> DetachedSession | None:
        """The place of somebody who has lost their connection."""
        return self._places.get(person)

    def keep(self, session: Session) -> list[DetachedSession]:
        """Keep the place of who had this connection; return which have to give way for it."""
        person = session.person
        self._places[person] = self._place(session)
        near = [each for each in self._places.values() if each.person.address == person.address]
        if len(near) > DETACHED_PER_ADDRESS:
            return near[:1]
        return list(self._places.values())[:1] if len(self._places) > DETACHED_SESSIONS else []

    def restore(self, place: DetachedSession, token: str | None) -> None:
        """Keep a place that was kept elsewhere, and the word that proves it."""
        person = place.person
        self._places[person] = place
        self._expire_in_time(place)
        if token is not None:
            self._void(person)
            person.token = token
            self._by_token[token] = person

    def end(self, person: Person) -> None:
        """Keep the place of somebody no longer."""
        del self._places[person]

    def _place(self, session: Session) -> DetachedSession:
        """Where somebody is by one of their connections."""
        report, read = session.client.delivery_report(), session.last_sent()
        place = DetachedSession(session.person, dict(read), report.unreached)
        if report.position is not None:
            arrived = report.position.read
            place.read = {room: min(at, arrived.get(room.id, at)) for room, at in read.items()}
            unseen = session.private_count - report.position.private_count
            unseen = min(unseen, len(session.private))
            place.waiting += session.private[len(session.private) - unseen :]
        place.focus, place.preferences = session.focus, session.preferences
        if report.unreached:
            place.styles = {room: session.style_in(room) for room in read}
            place.saw_own = session.client.echoes_input
            style = session.client.style(session.preferences)
            place.private = [(each, len(style.render_personal(each))) for each in session.private]
        if session.replaying is not None:  # lost again before all was shown
            place.read.update(session.replaying.read)
            place.waiting += session.replaying.waiting
        return place

    def leave_word(self, person: Person, event: PersonalEvent) -> bool:
        """Let something that is for somebody alone wait for them; False when too much does."""
        place = self._places.get(person)
        if place is None or len(place.waiting) >= OFFLINE_MESSAGES:
            return False
        place.waiting.append(event)
        return True

    def left(self, person: Person) -> None:
        """Somebody is gone for good."""
        self._places.pop(person, None)
        self._void(person)
        self._forget_key(person)

    # Coming back ----------------------------------------------------------------------------------

    def take(self, person: Person) -> DetachedSession | None:
        """Take the place of somebody who comes back, or who is to be had from a dead connection."""
        place = self.peek(person)
        self._places.pop(person, None)
        return place

    def peek(self, person: Person) -> DetachedSession | None:
        """The place of somebody, kept or to be had from a connection of theirs."""
        place = self._places.get(person)
        sessions = [session for session in person.sessions if session.listens]
        if place is not None or not sessions:
            return place
        return self._place(sessions[-1])

    def recover(self, person: Person) -> DetachedSession | None:
        """Take the place of somebody who has lost their connection, and close what is dead of it.

        None for who is here by a connection that works.  A program or a pipe of theirs goes on.
        """
        if not self.is_lost(person):
            return None
        place = self.take(person)
        for session in [each for each in person.sessions if each.client.delivery_report().is_dead]:
            session.detach()
            session.client.close()
        return place

    def give_up(self, session: Session, place: DetachedSession) -> None:
        """Nothing could be read for who has come back: they are lost again, with their place."""
        if session in session.person.sessions:
            session.detach()
        if self._places.setdefault(session.person, place) is place:
            self._expire_in_time(place)

    async def resume(self, session: Session, place: DetachedSession) -> None:
        """Show what was said since somebody stopped reading, and let them listen from there."""
        session.deliver(Notice(f"Welcome back, {session.person.nick}."))
        session.replaying = Replay(place.read, place.waiting)
        await self._resume(session, place)
        if not session.client.is_gone:  # else what is left of it is kept with the next place
            session.replaying = None

    async def _resume(self, session: Session, place: DetachedSession) -> None:
        session.preferences = place.preferences
        if place.focus is not None and session.person in place.focus.members:
            session.focus_on(place.focus)
        if place.unreached:
            await self.go_back(place)
        for room in tuple(session.person.rooms.values()):
            place.read.setdefault(room, room.audience.number)
            while room in place.read and not await self._catch_up(session, room, place):
                pass
        while place.waiting and session in session.person.sessions and not session.client.is_gone:
            session.show(place.waiting.pop(0))

    async def go_back(self, place: DetachedSession) -> None:
        """Find from how many bytes did not arrive which was the last message that did."""
        not_sent = {*place.person.ignored, *([place.person.name.key] * place.saw_own)}
        sent: list[tuple[float, int, Callable[[], None]]] = [
            (each.time, size, partial(place.waiting.insert, 0, each))
            for each, size in place.private
        ]
        for room, number in place.read.items():
            for entry in await self._archive.before(room, number + 1, REPLAYED):
                if entry.author not in not_sent:
                    size = _size(place.styles[room], entry)
                    unread = partial(place.read.__setitem__, room, entry.number - 1)
                    sent.append((entry.event.time, size, unread))
        for _, size, has_not_arrived in sorted(sent, key=itemgetter(0))[::-1]:
            if place.unreached <= 0:
                break
            has_not_arrived()
            place.unreached -= size
        place.unreached = 0

    async def _catch_up(self, session: Session, room: Room, place: DetachedSession) -> bool:
        """Show what was said in a room since; True once nothing more is to be shown."""
        at, until = place.read[room], room.audience.number
        entries: list[Entry] = []
        earlier = gone = 0
        if until > at:
            last = await self._archive.before(room, until + 1, REPLAYED)
            entries = [entry for entry in last if entry.number > at]
            if len(entries) == REPLAYED:
                earlier = await self._archive.count(room, at, entries[0].number)
            elif self._is_dense:
                gone = (last[0].number if last else until + 1) - 1 - at
        if session not in session.person.sessions or session.person not in room.members:
            return True
        if session.client.is_gone:
            return True
        shown = [each for each in entries if session.wants(each) and not _typed_by(session, each)]
        if gone > 0:
            are = "is" if gone == 1 else "are"
            said = f"{gone} message{'s' * (gone != 1)} that {'was' if gone == 1 else 'were'} said"
            session.show(Notice(f"{room}: {said} meanwhile {are} not kept any more."))
        if shown:
            fitting = newest_that_fit(shown)
            earlier += len(shown) - len(fitting)
            recalled = Recalled(room.name.shown, fitting, new=True, earlier=earlier)
            if not session.deliver(recalled):  # what several rooms have may be too much
                session.show(replace(recalled, entries=(), earlier=earlier + len(fitting)))
        place.read[room] = until
        if room.audience.number != until:
            return False
        room.audience.add(session, session.style_in(room))
        del place.read[room]
        return True


def _size(style: Style, entry: Entry) -> int:
    """The bytes that an entry took at least when it was sent; edited, it was another."""
    is_edited = isinstance(entry.event, Said | Acted) and entry.event.edited
    return 0 if is_edited else len(style.render(entry))


def _typed_by(session: Session, entry: Entry) -> bool:
    """Whether somebody has an entry on their screen because they typed it there."""
    return session.client.echoes_input and entry.author == session.person.name.key
