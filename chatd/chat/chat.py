"""Chat: all people and rooms on a server; the object that the ways in and the actions work on.

Entering, leaving, renaming, and joining and leaving rooms are here.  Messages are in
`chatd.chat.actions.messages`, moderation in `chatd.chat.actions.moderation`, and so on.  A
refusal raises `Refused`, and then nothing has changed.  Times are in seconds since the epoch and
come from the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from secrets import token_urlsafe

from chatd.chat.delivery.history import History
from chatd.chat.delivery.posting import Posting, Settled
from chatd.chat.delivery.unacknowledged import Unacknowledged
from chatd.chat.entry import owner_notices
from chatd.chat.entry.alerts import Alerts
from chatd.chat.entry.authentication import Authenticator
from chatd.chat.entry.detached import DetachedSession, DetachedSessions
from chatd.chat.entry.entrance import Entrance, Visitor
from chatd.chat.entry.nicks import NickRegistry
from chatd.chat.entry.room_keys import RoomKeys
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
from chatd.chat.limits import DETACHED_SECONDS, ROOMS, ROOMS_PER_PERSON
from chatd.chat.model import rules
from chatd.chat.model.client import Client
from chatd.chat.model.entities import Actor, Person, Room, Session
from chatd.chat.model.people import People
from chatd.chat.model.unread import UnreadCounts
from chatd.chat.options import DEFAULTS, Environment, Options
from chatd.chat.peers import ALONE, Peers, SetRole
from chatd.chat.records.accounts import Accounts
from chatd.chat.records.audit import AuditLog
from chatd.chat.records.last_time import LastTime
from chatd.chat.records.logins import Login, Logins
from chatd.chat.records.offline_messages import OfflineMessages
from chatd.chat.records.persistent_rooms import PersistentRooms
from chatd.chat.records.profiles import Profiles
from chatd.chat.records.server_access import ServerAccess
from chatd.chat.records.writing import Records
from chatd.chat.store import Store
from chatd.chat.text import names
from chatd.chat.text.names import Name
from chatd.chat.text.sanitizing import cut


class Chat:
    """The chat of one server; ``peers`` are the other servers of its cluster."""

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
        self.believed = environment.believed
        self._store = store
        self.health = store.health
        self.history = History(store)
        self._shouting = options.shouting
        self._rooms_made = 0
        self._changing: dict[Room, int] = {}
        self._incarnation = incarnation = environment.incarnation
        self.records = records = Records(store)
        self.accounts = Accounts(records)
        self.logins = Logins(records)
        self.offline = OfflineMessages(records)
        self._schedule = environment.schedule
        self._expire_later = environment.expire_later
        self.nicks = NickRegistry(self.people, self.accounts, store, incarnation)
        self.authentication = Authenticator(
            self.people,
            self.accounts,
            environment.hasher,
            environment.checker,
            environment.report,
            environment.make_token or token_urlsafe,
        )
        self.report = environment.report
        self.room_keys = RoomKeys(environment.report)
        self.alerts = Alerts(self.people, peers, environment.report)
        self.detached = DetachedSessions(
            self.history,
            environment.make_token,
            self.expire_in_time,
            is_dense=not peers.is_clustered,
        )
        self.profiles = Profiles(records, options.preferences)
        self.access = ServerAccess(records, options.allowed)
        self.access.bans.believed = self.believed.at
        self.last_time = LastTime(records, self.believed)
        self.audit = AuditLog(records, incarnation if peers.is_clustered else "")
        self.opened: float | None = None
        self.entrance = Entrance(
            self.people,
            self.accounts,
            self.nicks,
            self.detached,
            self.profiles,
            self.access,
            peers,
            environment.report,
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
        self.persistent = PersistentRooms(
            store,
            records,
            self.lobby,
            self.rooms,
            self.open_room,
            self._room_undone,
            options.room_owner_seconds,
        )

    # Entering and leaving -------------------------------------------------------------------------

    async def enter(
        self,
        visitor: Visitor,
        client: Client,
        now: float,
        *,
        exactly: bool = False,
        listens: bool = True,
    ) -> tuple[Session, str]:
        """Let a visitor in: see `chatd.chat.entry.entrance.Entrance.enter`.

        :raises Refused: as there, and ``away``.
        :raises Relayed: as there.
        """
        self.unacknowledged.check_reachable()
        await self.load(now)
        session, remark = await self.entrance.enter(
            visitor, client, now, exactly=exactly, listens=listens
        )
        account = session.person.account
        self._check_key(session, now)
        self.accounts.note_use(session.person.effective_account, now)
        self.peers.person_changed(session.person)
        if session.person.effective_account is None and len(session.person.sessions) == 1:
            opened = self.opened if self.opened is not None else now
            self.alerts.guest_came(visitor.address, opened, now)
        if account is not None:
            self.authentication.owner_logged_in(account, visitor.address)
            if listens:  # at the end of the turn, so that it comes after the greeting
                self._schedule(lambda: self.offline.deliver(account, session))
                self.owner_logged_in(session, account, now, resumed=session.focus is not None)
        if self.accounts.claiming(session.fingerprint):
            self._schedule(lambda: owner_notices.show_claims(self.accounts, session))
        lock = self.access.lock(now)
        if lock is not None and session.operator and listens:
            notice = Notice(f"{lock.by} locked this server for guests{lock.rest(now)}.")
            self._schedule(partial(self.deliver, session.person, notice))
        return session, remark

    def _check_key(self, session: Session, now: float) -> None:
        """Check that the key of a session that has entered was not removed meanwhile.

        Its owner has ended the sessions that there were.

        :raises Refused: ``no-key``.
        """
        account, proved = session.person.effective_account, not session.by_password
        if account is None or not proved or session.fingerprint is None:
            return
        found = self.accounts.of_key(session.fingerprint)
        if found is None or found.name.key != account:
            self.leave(session, "", now)
            raise Refused("no-key", f"Your key is none of {account} any more.")

    def owner_logged_in(
        self, session: Session, account: str, now: float, *, resumed: bool = False
    ) -> None:
        """Note that an owner has logged in, and tell them of the last time, after the greeting.

        One who has ``resumed`` a session has been told in it.

        A moment ago, from the same place, they had lost a connection or opened another window.
        """
        proof = "" if session.by_password else session.fingerprint or ""
        login, last = Login(now, proof, session.address), self.logins.last(account)
        if last is not None and last.place == login.place:
            last = last if abs(now - last.time) > DETACHED_SECONDS else None
        told_until = self.logins.told_until(account, login)
        self.logins.add(account, login)
        found = self.accounts.get(account)
        changes = found.changes if found is not None else ()
        unknown = tuple(change for change in changes if change.time > told_until)
        if not resumed:
            self._schedule(lambda: owner_notices.show_last_login(session, last, unknown))

    async def load(self, now: float) -> None:
        """Load all records from the store, unless already loaded."""
        parts = (
            self.accounts,
            self.logins,
            self.persistent,
            self.offline,
            self.profiles,
            self.access,
            self.audit,
            self.last_time,
        )
        for part in parts:
            await part.load()
        self.opened = now if self.opened is None else self.opened
        self.believed.check(now)  # so that a clock that is set in the first second is noticed

    def leave(self, session: Session, reason: str, now: float) -> None:
        """End one session of a person; they leave the server with their last one."""
        person = session.person
        if session in person.sessions:
            if session.listens:
                self.profiles.mark_read(person, session.last_sent())
            session.detach()
            self.peers.person_changed(person)
            if not person.sessions and self.detached.get(person) is None:
                self.depart(person, reason, now)

    def become(self, session: Session, person: Person, now: float, *, listens: bool = True) -> None:
        """Move a session to another person who is online.

        The previous one departs if it was their last.  Unless ``listens``, the caller adds the
        session to the audiences of the new person's rooms.
        """
        before = session.person
        if before is person:
            return
        session.detach()
        session.focus = None
        session.unread = UnreadCounts()  # of the rooms of another person
        session.person = person
        session.preferences = self.profiles.preferences(person.account)
        person.attach(session)
        self.peers.person_changed(person)
        if listens and session.listens:
            for room in person.rooms.values():
                room.audience.add(session, session.style_in(room))
        session.focus_on_newest()
        if not before.sessions:
            self.depart(before, "", now, unseen_by=(session,))

    def expire_in_time(self, detached: DetachedSession) -> None:
        """Schedule the expiry of a detached session, unless it is resumed before."""
        self._expire_later(lambda now: self.expire(detached, now))

    def expire(self, detached: DetachedSession, now: float) -> None:
        """Let the person of a detached session leave, unless it has been resumed."""
        person = detached.person
        if self.detached.get(person) is detached:
            self.detached.remove(person)
            self.profiles.mark_read(person, detached.read)
            if not person.sessions:
                self.depart(person, "", now)

    def depart(
        self, person: Person, reason: str, now: float, unseen_by: Iterable[Session] = ()
    ) -> None:
        """Let a person leave the server; their departure is hidden from ``unseen_by``."""
        self.posting.announce(
            person,
            lambda room: Left(
                now, person.nick, rules.leave_message(room, person, reason, now), gone=True
            ),
            unseen_by=unseen_by,
        )
        for room in tuple(person.rooms.values()):
            self._leave_room(person, room, now)
        self._untie(person)
        person.last_correspondent = None
        self.detached.person_left(person)
        self.entrance.person_left(person)
        self.people.remove(person)
        self.nicks.release(person.name)
        self.peers.person_changed(person)

    def _untie(self, person: Person) -> None:
        """Drop invitations, bans and ignores that go by the nick of a person who leaves.

        A chosen nick stays ignored; a generated one may be a stranger's later.
        """
        for room in {**person.invited_into, **person.named_in_bans}:
            room.departed(person)
        person.forget_references()
        if person.is_guest_nick:
            for other in person.ignored_by:
                other.ignored.pop(person.name.key, None)
        for key in person.ignored:
            ignored = self.people.get(key)
            if ignored is not None:
                ignored.ignored_by.pop(person, None)

    async def rename(
        self, person: Person, text: str, now: float, *, operator: bool = False
    ) -> None:
        """Give a person another nick; users who share a room with them are shown it once.

        An ``operator`` may take one that is banned.

        :raises Refused: ``bad-nick``, ``nick-taken``, ``banned`` or ``away``.
        """
        name = names.existing(text)
        if name.key != person.account:  # an account has its nick since earlier versions
            names.nick(text, staff=person.operator)
        if name == person.name:
            raise Refused("nick-taken", f"You are {name} already.")
        self.nicks.check_owner(name, person)
        if not operator:
            self.access.check_nick(name.key, now)
        self.unacknowledged.check_reachable()
        if not await self.nicks.claim(name, person):
            raise Refused("nick-taken", f"{name} is taken, or looks like a nick that is.")
        if self.people.get(person.name.key) is not person:  # they have left meanwhile
            self.nicks.release(name)
            return
        self.set_nick(person, name, now)

    def set_nick(self, person: Person, name: Name, now: float) -> None:
        """Give a person a nick that was claimed for them."""
        old = person.name
        self.people.remove(person)
        person.name = name
        self.people.add(person)
        if old.key != name.key:
            self.nicks.release(old)
            self._follow_nick(person, old.key)
        self.peers.person_changed(person)
        renamed = Renamed(now, old.shown, name.shown)
        self.posting.announce(person, lambda room: renamed, unseen_by=person.sessions)
        self.deliver(person, Notice(f"You are now known as {name}."))

    def _follow_nick(self, person: Person, old: str) -> None:
        """Let invitations, bans, mutes and ignores follow a person from one folded nick."""
        for room in {**person.invited_into, **person.named_in_bans}:
            room.renamed(old, person.name.key)
            self.peers.room_changed(room)
        if person.ignored_by:
            # Events that are not sent yet have the old nick as their author, and are filtered by it
            # when they are sent: send them now.  A full connection is sent them later, so its user
            # keeps ignoring the old nick as well.
            self.posting.flush(wholly=True)
        for other in person.ignored_by:
            other.ignored[person.name.key] = None
            if not any(session.full for session in other.sessions):
                other.ignored.pop(old, None)

    # Rooms ----------------------------------------------------------------------------------------

    def find_room(self, text: str, actor: Actor) -> Room:
        """Return the room with a name that somebody typed, if they may know of it.

        :raises Refused: ``bad-room`` or ``no-such-room``.
        """
        name = names.room(text)
        room = self.rooms.get(name.key)
        if room is None or not self.may_see(actor, room):
            raise Refused("no-such-room", f"There is no room {name}; /rooms lists them.")
        return room

    def is_open(self, text: str) -> bool:
        """Return whether there is a room with a name that a person typed, seen or not.

        :raises Refused: ``bad-room``.
        """
        return names.room(text).key in self.rooms

    def may_see(self, actor: Actor, room: Room) -> bool:
        """Whether somebody may know of a room, its members and its topic."""
        person = actor.person
        if not room.settings.private or person in room.members or actor.operator:
            return True
        return (
            person.effective_account in room.roles
            or person.effective_account in room.invited_accounts
        )

    async def join(self, session: Session, text: str, now: float, key: str = "") -> Room:
        """Make a person a member of a room, opened if necessary, and give it the focus.

        :raises Refused: ``bad-room``, ``too-many-rooms``, ``not-kept``, and as
            `chatd.chat.entry.room_keys.RoomKeys.check_entry`.
        """
        person, name = session.person, names.room(text)
        room = self.rooms.get(name.key)
        opened = room is None
        if room is None:
            self._check_may_join_more(person)
            room = await self._open_room_for(person, name, now)
            if session not in person.sessions:  # they have left meanwhile
                return room
            if self.rooms.get(name.key) is not room:
                raise Refused("no-such-room", f"{room} was closed just now.")
        if person in room.members:
            session.focus_on(room)
            return room
        self._check_may_join_more(person)
        if opened:
            role = Role.OWNER
        else:
            self.room_keys.check_entry(room, session, key, now)
            role = room.roles.get(person.account or "", Role.MEMBER)
        room.add(person, role)
        person.rooms[name.key] = room
        session.focus_on(room)
        self.posting.post(room, Joined(now, person.nick), person)
        return room

    def _check_may_join_more(self, person: Person) -> None:
        if len(person.rooms) >= ROOMS_PER_PERSON:
            raise Refused("too-many-rooms", f"You are in {ROOMS_PER_PERSON} rooms; /leave one.")

    async def _open_room_for(self, person: Person, name: Name, now: float) -> Room:
        """Open a new room for a person, persistent if they may have another one of those.

        :raises Refused: ``too-many-rooms`` or ``not-kept``.
        """
        if len(self.rooms) >= ROOMS:
            raise Refused("too-many-rooms", "The server has no place for another room.")
        room = self._open_room(name)

        def change() -> None:
            with suppress(Refused):  # without an account, or with too many rooms, it is temporary
                self.persistent.make_persistent(room, person, now)

        try:
            await self.records.keep(change)
        except Refused:
            self.after_leaving(room, now)  # others may be in it by now
            raise
        self.peers.room_changed(room)
        return room

    async def change_persistence(
        self, room: Room, change: Callable[[], object], now: float
    ) -> None:
        """Change whether a room is persistent; it is not closed before that is stored, or failed.

        Its last member may leave meanwhile, so the caller calls `after_leaving` later; that is done
        when it fails.

        :raises Refused: as `chatd.chat.records.writing.Records.keep`.
        """
        self._changing[room] = self._changing.get(room, 0) + 1
        try:
            await self.records.keep(change)
        except Refused:
            self._changed(room)
            self.after_leaving(room, now)
            raise
        self._changed(room)

    def _changed(self, room: Room) -> None:
        self._changing[room] -= 1
        if not self._changing[room]:
            del self._changing[room]

    def part(self, person: Person, room: Room, reason: str, now: float) -> None:
        """Let a person leave a room at their own request.

        :raises Refused: ``not-in-room``.
        """
        rules.check_membership(room, person)
        reason = rules.leave_message(room, person, reason, now)
        self.remove_from_room(person, room)
        if room.is_guarded:  # they may return until they leave the server
            if room.uninvite(person):
                self.persistent.changed(room, quietly=True)
            room.invite_for_now(person)
            self.peers.room_changed(room)
        self.posting.post(room, Left(now, person.nick, reason, gone=False), person)
        self.after_leaving(room, now)

    def open_room(self, name: Name, ident: str) -> Room:
        """Return the room with a name; open it, under its id in the store, if it is not open."""
        return self.rooms.get(name.key) or self._open_room(name, ident=ident)

    def _open_room(self, name: Name, *, permanent: bool = False, ident: str = "") -> Room:
        self._rooms_made += 1
        if not ident:
            # The id has to be the same on every server, and that of the lobby after a restart.
            same = permanent or self.peers.is_clustered
            ident = name.key if same else f"{name.key}@{self._incarnation}.{self._rooms_made}"
        room = Room(name, ident, self._rooms_made, self.posting.request_flush, permanent=permanent)
        room.settings.shouting = self._shouting
        room.bans.believed = room.mutes.believed = self.believed.at
        self.rooms[name.key] = room
        return room

    def remove_from_room(self, person: Person, room: Room) -> None:
        """Remove a person from a room; the caller calls `after_leaving` later."""
        for session in person.sessions:
            if session.listens:
                self.profiles.mark_read(person, {room: room.audience.sent_to(session)})
            room.audience.catch_up(session)
            room.audience.remove(session)
        read = self.detached.left_room(person, room)
        if read is not None:
            self.profiles.mark_read(person, {room: read})
        room.remove(person)
        del person.rooms[room.name.key]
        for session in person.sessions:
            if session.focus is room:
                session.focus = None
                session.focus_on_newest()

    def _leave_room(self, person: Person, room: Room, now: float) -> None:
        room.remove(person)
        del person.rooms[room.name.key]
        self.after_leaving(room, now)

    def after_leaving(self, room: Room, now: float) -> None:
        """Close a room whose last member has left; choose a new owner if the owner has left."""
        self.posting.follow(room)
        if self.rooms.get(room.name.key) is not room:  # it has been closed already
            return
        if not (room.members or room.is_persistent or room in self._changing):
            self.rooms.pop(room.name.key, None)
            self.room_closed(room)
            self.peers.room_changed(room, closed=True)
            if self.peers.may_drop(room):  # else another server may have members, and messages
                self._store.drop_room(room.id)
            return
        successor = rules.successor(room)
        if successor is not None:
            self.give_role(successor, room, Role.OWNER, None, now)

    def _room_undone(self, room: Room) -> None:
        """Give members the roles that a room has for their accounts, after a change was undone.

        Somebody may have joined meanwhile, with the role that was not stored.
        """
        if room.settings.lasting:
            for person, member in room.members.items():
                if person.account is not None and not person.server:
                    member.role = room.roles.get(person.account, Role.MEMBER)
                    self.peers.person_changed(person)
        self.peers.room_changed(room)

    def room_closed(self, room: Room) -> None:
        """Let nothing refer to a room that is gone."""
        room.closed()
        self.posting.room_closed(room)

    def give_role(
        self, person: Person, room: Room, role: Role, by: Person | None, now: float
    ) -> None:
        """Give a member a role, on behalf of ``by``, or of the server if None."""
        room.members[person].role = role
        self.peers.forward(person, by, SetRole(room.name.key, role))
        given = RoleGiven(now, person.nick, role, by.nick if by is not None else None)
        self.posting.post(room, given, by or person)

    def post(
        self, room: Room, event: RoomEvent, author: Person, settled: Settled | None = None
    ) -> None:
        """Post an event to a room: see `chatd.chat.delivery.posting.Posting.post`."""
        self.posting.post(room, event, author, settled=settled)

    # People ---------------------------------------------------------------------------------------

    def find_person(self, nick: str) -> Person:
        """Return the person with a nick, here or on another server.

        :raises Refused: ``nobody``.
        """
        person = self.people.find(nick)
        if person is None:
            raise Refused(
                "nobody", f"There is nobody called {cut(nick, 40)}; /users says who is here."
            )
        return person

    def deliver(self, person: Person, event: PersonalEvent) -> None:
        """Show an event to every session of a person, and once more when they resume a lost one."""
        for session in person.sessions:
            session.deliver(event)
        self.detached.queue(person, event)
