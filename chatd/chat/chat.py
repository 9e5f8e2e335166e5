"""Chat: everyone and every room; the one object that the ways in talk to.

Who comes, goes and moves between rooms is here; who speaks, in `chatd.chat.actions.messages`; what
moderators do, in `chatd.chat.actions.room_settings`.  What is refused raises `Refused` and has
changed nothing.  Times are seconds since the epoch and come from whoever calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from chatd.chat.delivery.history import History
from chatd.chat.delivery.posting import Posting
from chatd.chat.delivery.unacknowledged import Unacknowledged
from chatd.chat.entry.authentication import Authenticator
from chatd.chat.entry.detached import DetachedSession, DetachedSessions
from chatd.chat.entry.entrance import Entrance, Visitor
from chatd.chat.entry.nicks import NickRegistry
from chatd.chat.events import (
    Joined,
    Left,
    Notice,
    PersonalEvent,
    Refused,
    Renamed,
    Role,
    RoleGiven,
    RoomEvent,
)
from chatd.chat.limits import ROOMS, ROOMS_PER_PERSON
from chatd.chat.model import rules
from chatd.chat.model.client import Client
from chatd.chat.model.entities import Person, Room, Session
from chatd.chat.model.people import People
from chatd.chat.options import DEFAULTS, Environment, Options
from chatd.chat.peers import ALONE, Peers, SetRole
from chatd.chat.records.accounts import Accounts
from chatd.chat.records.audit import AuditLog
from chatd.chat.records.offline_messages import OfflineMessages
from chatd.chat.records.persistent_rooms import PersistentRooms
from chatd.chat.records.profiles import Profiles
from chatd.chat.records.server_access import ServerAccess
from chatd.chat.store import Store
from chatd.chat.text import names
from chatd.chat.text.names import Name
from chatd.chat.text.sanitizing import cut


class Chat:
    """The chat of one server; ``peers`` are the others of its cluster."""

    def __init__(
        self,
        store: Store,
        environment: Environment,
        options: Options = DEFAULTS,
        peers: Peers = ALONE,
    ) -> None:
        self.peers = peers
        self.people = People(on_displaced=peers.displaced)
        self.rooms: dict[str, Room] = {}
        self._store = store
        self.history = History(store)
        self._shouting = options.shouting
        self.rooms_made = 0
        self._incarnation = incarnation = environment.incarnation
        self.accounts = Accounts(store)
        self.offline = OfflineMessages(store)
        self._schedule = environment.schedule
        self._expire_later = environment.expire_later
        self.nicks = NickRegistry(self.people, self.accounts, store, incarnation)
        self.authentication = Authenticator(
            self.people, self.accounts, environment.hasher, environment.checker
        )
        self.detached = DetachedSessions(
            self.history,
            environment.make_token,
            self.expire_in_time,
            is_dense=not peers.is_clustered,
        )
        self.profiles = Profiles(store, options.preferences)
        self.access = ServerAccess(store, options.allowed)
        self.audit = AuditLog(store, incarnation if peers.is_clustered else "")
        self.opened: float | None = None
        self.entrance = Entrance(
            self.people, self.accounts, self.nicks, self.detached, self.profiles, self.access, peers
        )
        self.unacknowledged = Unacknowledged(
            self.people, self._schedule, is_clustered=peers.is_clustered
        )
        self.posting = Posting(
            store,
            self._schedule,
            incarnation,
            self.rooms,
            self.people,
            peers,
            self.unacknowledged,
        )
        self.lobby = self._open_room(names.room(options.lobby), permanent=True)
        self.persistent = PersistentRooms(store, self.lobby, self.open_room)

    # Coming and going -----------------------------------------------------------------------------

    async def enter(
        self,
        visitor: Visitor,
        reader: Client,
        now: float,
        *,
        exactly: bool = False,
        listens: bool = True,
    ) -> tuple[Session, str]:
        """Let somebody in: see `chatd.chat.entry.entrance.Entrance.enter`; ``away`` as well."""
        self.unacknowledged.check_reachable()
        await self.load(now)
        session, remark = await self.entrance.enter(
            visitor, reader, now, exactly=exactly, listens=listens
        )
        account = session.person.account
        self.peers.person_changed(session.person)
        if account is not None:
            self.authentication.came(account, visitor.address)
            if listens:  # after the greeting
                self._schedule(lambda: self.offline.deliver(account, session))
        return session, remark

    async def load(self, now: float) -> None:
        """Read what the store has, unless that is done."""
        kept = (
            self.accounts,
            self.persistent,
            self.offline,
            self.profiles,
            self.access,
            self.audit,
        )
        for part in kept:
            await part.load()
        self.opened = now if self.opened is None else self.opened

    def leave(self, session: Session, reason: str, now: float) -> None:
        """One connection of somebody ends; with the last one they leave the server."""
        person = session.person
        if session in person.sessions:
            if session.listens:
                self.profiles.mark_read(person, session.last_sent())
            session.detach()
            self.peers.person_changed(person)
            if not person.sessions and self.detached.get(person) is None:
                self.depart(person, reason, now)

    def become(self, session: Session, person: Person, now: float, *, listens: bool = True) -> None:
        """Let a connection go on as somebody who is here; who it was leaves with their last one.

        Unless it ``listens`` somebody else lets it hear their rooms.
        """
        before = session.person
        if before is person:
            return
        session.detach()
        session.focus = None
        session.person = person
        session.preferences = self.profiles.preferences(person.account)
        person.sessions.append(session)
        person.sessions_changed()
        self.peers.person_changed(person)
        if listens and session.listens:
            for room in person.rooms.values():
                room.audience.add(session, session.style_in(room))
        session.focus_on_newest()
        if not before.sessions:
            self.depart(before, "", now, unseen_by=(session,))

    def expire_in_time(self, detached: DetachedSession) -> None:
        """Let a detached session expire in time, unless somebody resumes it."""
        self._expire_later(lambda now: self.expire(detached, now))

    def expire(self, detached: DetachedSession, now: float) -> None:
        """Let the person of a detached session leave, unless it has been resumed."""
        person = detached.person
        if self.detached.get(person) is detached:
            self.detached.end(person)
            self.profiles.mark_read(person, detached.read)
            if not person.sessions:
                self.depart(person, "", now)

    def depart(
        self, person: Person, reason: str, now: float, unseen_by: Iterable[Session] = ()
    ) -> None:
        """Somebody leaves the server; ``unseen_by`` are not shown it."""
        self.posting.announce(
            person,
            lambda room: Left(
                now, person.nick, rules.leave_message(room, person, reason, now), gone=True
            ),
            unseen_by=unseen_by,
        )
        for room in tuple(person.rooms.values()):
            self._remove(person, room, now)
        self._forget(person)
        person.last_correspondent = None
        self.detached.left(person)
        self.entrance.left(person)
        self.people.remove(person)
        self.nicks.release(person.name)
        self.peers.person_changed(person)

    def _forget(self, person: Person) -> None:
        """Undo what ties others to somebody who leaves; who ignores a chosen nick goes on to."""
        for room in {**person.invited_into, **person.named_in_bans}:
            room.departed(person)
        if person.is_guest_nick:
            for other in person.ignored_by:
                other.ignored.pop(person.name.key, None)
        for key in person.ignored:
            ignored = self.people.get(key)
            if ignored is not None:
                ignored.ignored_by.pop(person, None)

    async def rename(self, person: Person, text: str, now: float) -> None:
        """Give somebody another nick; who shares a room with them sees it, once.

        :raises Refused: ``bad-nick``, ``nick-taken``, ``banned`` or ``away``.
        """
        name = names.nick(text)
        if name == person.name:
            raise Refused("nick-taken", f"You are {name} already.")
        self.nicks.check_owner(name, person)
        if not person.operator:
            self.access.check_nick(name.key, now)
        self.unacknowledged.check_reachable()
        if not await self.nicks.claim(name, person):
            raise Refused("nick-taken", f"{name} is taken, or looks like a nick that is.")
        if self.people.get(person.name.key) is not person:  # gone while we waited
            self.nicks.release(name)
            return
        self.carry(person, name, now)

    def carry(self, person: Person, name: Name, now: float) -> None:
        """Let somebody carry a nick from now on that was claimed for them."""
        old = person.name
        self.people.remove(person)
        person.name = name
        self.people.add(person)
        if old.key != name.key:
            self.nicks.release(old)
            self._carry_over(person, old.key)
        self.peers.person_changed(person)
        renamed = Renamed(now, old.shown, name.shown)
        self.posting.announce(person, lambda room: renamed, unseen_by=person.sessions)
        self.tell(person, Notice(f"You are now known as {name}."))

    def _carry_over(self, person: Person, old: str) -> None:
        """Let what goes by folded nick follow somebody to another one."""
        for room in {**person.invited_into, **person.named_in_bans}:
            room.renamed(old, person.name.key)
            self.peers.room_changed(room)
        if person.ignored_by:
            self.posting.flush(wholly=True)  # what was done under the old nick is judged by it
        for other in person.ignored_by:
            other.ignored[person.name.key] = None
            if not any(session.full for session in other.sessions):  # they have read all of it
                other.ignored.pop(old, None)

    # Rooms ----------------------------------------------------------------------------------------

    def find_room(self, text: str, person: Person) -> Room:
        """The room that somebody names, if there is one that they may know of.

        :raises Refused: ``bad-room`` or ``no-such-room``.
        """
        name = names.room(text)
        room = self.rooms.get(name.key)
        if room is None or not self.may_see(person, room):
            raise Refused("no-such-room", f"There is no room {name}; /rooms lists them.")
        return room

    def number_of(self, shown: str) -> int:
        """The number of a room by its name as it is shown; 0 when there is none any more."""
        room = self.rooms.get(names.room(shown).key)
        return room.number if room is not None else 0

    def may_see(self, person: Person, room: Room) -> bool:
        """Whether somebody may know who is in a room and what it is about."""
        if not room.settings.private or person in room.members or person.operator:
            return True
        return (
            person.effective_account in room.roles
            or person.effective_account in room.invited_accounts
        )

    def join(self, session: Session, text: str, now: float, key: str = "") -> Room:
        """Take somebody into a room, make it if there is none, and give it this session's focus.

        :raises Refused: ``bad-room``, ``too-many-rooms``, and as `Room.check_entry`.
        """
        person, name = session.person, names.room(text)
        room = self.rooms.get(name.key)
        if room is not None and person in room.members:
            session.focus_on(room)
            return room
        if len(person.rooms) >= ROOMS_PER_PERSON:
            raise Refused("too-many-rooms", f"You are in {ROOMS_PER_PERSON} rooms; /leave one.")
        if room is None:
            if len(self.rooms) >= ROOMS:
                raise Refused("too-many-rooms", "The server has no place for another room.")
            room = self._open_room(name)
            role = Role.OWNER
            with suppress(Refused):  # who has no account, or many rooms, has one for a while
                self.persistent.make_persistent(room, person)
            self.peers.room_changed(room)
        else:
            rules.check_entry(room, person, now, key)
            role = room.roles.get(person.account or "", Role.MEMBER)
        room.add(person, role)
        person.rooms[name.key] = room
        session.focus_on(room)
        self.posting.post(room, Joined(now, person.nick), person)
        return room

    def part(self, person: Person, room: Room, reason: str, now: float) -> None:
        """Take somebody out of a room at their own wish.

        :raises Refused: ``not-in-room``.
        """
        rules.check_membership(room, person)
        reason = rules.leave_message(room, person, reason, now)
        self.take_out(person, room)
        if room.is_guarded:  # who leaves of their own accord may come back
            if room.uninvite(person):
                self.persistent.changed(room)
            room.invite_for_now(person)
            self.peers.room_changed(room)
        self.posting.post(room, Left(now, person.nick, reason, gone=False), person)
        self.after_leaving(room, now)

    def open_room(self, name: Name, ident: str) -> Room:
        """Return the room of a name, or open it under the id by which the store knows it."""
        return self.rooms.get(name.key) or self._open_room(name, ident=ident)

    def _open_room(self, name: Name, *, permanent: bool = False, ident: str = "") -> Room:
        self.rooms_made += 1
        made = self.rooms_made
        if not ident:
            same = permanent or self.peers.is_clustered  # for every server
            ident = name.key if same else f"{name.key}@{self._incarnation}.{made}"
        room = Room(name, ident, made, self.posting.request_flush, permanent=permanent)
        room.settings.shouting = self._shouting
        self.rooms[name.key] = room
        return room

    def take_out(self, person: Person, room: Room) -> None:
        """Let somebody be in a room no more; what follows from that is `after_leaving`'s."""
        for session in person.sessions:
            if session.listens:
                self.profiles.mark_read(person, {room: room.audience.sent_to(session)})
            room.audience.catch_up(session)
            room.audience.remove(session)
        room.remove(person)
        del person.rooms[room.name.key]
        for session in person.sessions:
            if session.focus is room:
                session.focus = None
                session.focus_on_newest()

    def _remove(self, person: Person, room: Room, now: float) -> None:
        room.remove(person)
        del person.rooms[room.name.key]
        self.after_leaving(room, now)

    def after_leaving(self, room: Room, now: float) -> None:
        """Somebody has left: a room with nobody in it is gone; one without an owner has an heir."""
        self.posting.follow(room)
        if not (room.members or room.is_persistent):
            self.rooms.pop(room.name.key, None)
            self.peers.room_changed(room, closed=True)
            if self.peers.may_drop(room):  # else somebody may be there, and has said something
                self._store.drop_room(room.id)
            return
        heir = rules.successor(room)
        if heir is not None:
            self.give_role(heir, room, Role.OWNER, None, now)

    def give_role(
        self, person: Person, room: Room, role: Role, by: Person | None, now: float
    ) -> None:
        """Let somebody do more or less in a room, in somebody's name or in the server's."""
        room.members[person].role = role
        self.peers.forward(person, by, SetRole(room.name.key, role))
        given = RoleGiven(now, person.nick, role, by.nick if by is not None else None)
        self.posting.post(room, given, by or person)

    def post(self, room: Room, event: RoomEvent, author: Person) -> None:
        """Let something happen in a room, once the store has given it its place."""
        self.posting.post(room, event, author)

    # People ---------------------------------------------------------------------------------------

    def find_person(self, nick: str) -> Person:
        """Who carries a nick.

        :raises Refused: ``nobody``.
        """
        person = self.people.find(nick)
        if person is None:
            raise Refused(
                "nobody", f"There is nobody called {cut(nick, 40)}; /users says who is here."
            )
        return person

    def tell(self, person: Person, event: PersonalEvent) -> None:
        """Show something to every session of one person, or when they are back."""
        for session in person.sessions:
            session.deliver(event)
        self.detached.leave_word(person, event)
