"""Person, room and session: the state of the chat, with memberships and focus.

They share a file because they refer to each other: a person has sessions and is in rooms, a room
has people as members, a session has a person and the focus on one of the rooms.  Only state and
membership are here: permissions are in `chatd.chat.model.rules`, the registry of people in
`chatd.chat.model.people`, and what a session requires of its connection in
`chatd.chat.model.client`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from chatd.chat.events import Entry, Missed, PersonalEvent, PrivateMessage, Refused, Role, RoomEvent
from chatd.chat.fanout.audience import Audience
from chatd.chat.fanout.log import Style
from chatd.chat.limits import (
    BANS,
    FORMER_SPEAKERS,
    INVITATIONS,
    MUTES,
    NAMED_IN_BANS,
    PERSONAL_BYTES,
    PRIVATE_REMEMBERED,
    ROOM_INVITATIONS,
    ROOM_VOICES,
)
from chatd.chat.model.bans import Bans, Identity
from chatd.chat.model.client import Client, Position, RelayTo
from chatd.chat.model.password_guard import PasswordGuard
from chatd.chat.model.preferences import DEFAULT
from chatd.chat.model.unread import UnreadCounts, summary
from chatd.chat.text.names import GUEST, Name


class Person:
    """A user who is here, or on another server of the cluster.

    ``account`` is the folded nick of their account; a guest who acts for an account's owner, as a
    script does, has that account as ``on_behalf_of``.  ``registered`` is when that account was
    made.  ``ignored`` holds folded nicks, ``ignored_by`` the people who ignore this one, so that a
    rename is followed.  ``token`` resumes a guest's detached session.  ``invited_into`` and
    ``named_in_bans`` are the rooms that store this nick in an invitation, or in a ban, a mute or a
    voice.  ``server`` is the server of the cluster they are connected to, empty for this one, and
    ``lost`` whether they have lost that connection.  Times are seconds since the epoch.
    """

    __slots__ = (
        "account",
        "address",
        "away",
        "fingerprint",
        "ignored",
        "ignored_by",
        "invited_into",
        "last_active",
        "last_correspondent",
        "lost",
        "name",
        "named_in_bans",
        "on_behalf_of",
        "operator",
        "registered",
        "rooms",
        "server",
        "sessions",
        "sessions_made",
        "since",
        "token",
    )

    def __init__(
        self,
        name: Name,
        now: float,
        *,
        address: str = "",
        fingerprint: str | None = None,
        operator: bool = False,
    ) -> None:
        self.name = name
        self.address = address
        self.fingerprint = fingerprint
        self.operator = operator
        self.account: str | None = None
        self.on_behalf_of: str | None = None
        self.registered: float | None = None
        self.since = now
        self.last_active = now
        self.away: str | None = None
        self.rooms: dict[str, Room] = {}
        self.server = ""
        self.lost = False
        self.sessions: list[Session] = []
        self.sessions_made = 0
        # Empty, a dict takes less than a third of a set, and most people ignore no user.
        self.ignored: dict[str, None] = {}
        self.ignored_by: dict[Person, None] = {}
        self.last_correspondent: Person | None = None
        self.token: str | None = None
        self.invited_into: dict[Room, None] = {}
        self.named_in_bans: dict[Room, None] = {}

    @property
    def nick(self) -> str:
        """The nick as it is shown."""
        return self.name.shown

    @property
    def identity(self) -> Identity:
        """The identity by which bans cover this person."""
        return Identity(
            self.name.key, self.effective_account, self.fingerprint, self.address, self.registered
        )

    @property
    def effective_account(self) -> str | None:
        """The account whose rights they have: their own, or the one they act for."""
        return self.account or self.on_behalf_of

    def attach(self, session: Session) -> None:
        """Add a session, under the next number."""
        self.sessions_made += 1
        session.number = self.sessions_made
        self.sessions.append(session)
        self.sessions_changed()

    def sessions_changed(self) -> None:
        """Recompute whether they are an operator: any session has proved it.

        Nobody can ban or outrank them then; what an operator may do, only that session may.
        """
        if self.sessions:
            self.operator = any(session.operator for session in self.sessions)

    @property
    def is_detached(self) -> bool:
        """Whether they have lost their connection and may resume their session."""
        return self.lost if self.server else not self.sessions

    def forget_references(self) -> None:
        """Drop the references between this person, who is gone, and rooms that store their nick."""
        for room in {**self.invited_into, **self.named_in_bans}:
            room.referenced_by.pop(self, None)
        self.invited_into.clear()
        self.named_in_bans.clear()

    @property
    def is_guest_nick(self) -> bool:
        """Whether the nick is a generated one, which may be given to a stranger later."""
        return self.name.key.startswith(GUEST)


class Actor(Protocol):
    """Who does something: a person, by a connection that is an operator's or is not.

    A `Session` is an actor.  Operator rights belong to the connection that proved them, and to no
    other one of the same person, who may have logged in there by a password.
    """

    @property
    def person(self) -> Person:
        """The person."""

    @property
    def operator(self) -> bool:
        """Whether this connection proved to be an operator's."""


@dataclass(frozen=True, slots=True)
class Outsider:
    """An `Actor` without a session; ``operator`` as there."""

    person: Person
    operator: bool = False


@dataclass(slots=True)
class LastMessage:
    """The last message of a member, for /edit and /delete.  ``time`` in seconds since the epoch.

    ``number`` is 0 until it is stored; ``gone`` says that it was deleted or could not be stored.
    """

    time: float
    number: int = 0
    gone: bool = False


@dataclass(slots=True)
class Member:
    """What a room stores about one of its members.

    ``last_said`` is in seconds since the epoch; ``since`` is the store's number of their join.
    """

    role: Role
    last_said: float = 0.0
    warned: bool = False
    since: int | None = None
    last_message: LastMessage | None = None


@dataclass(slots=True)
class Settings:
    """The settings of a room (/room).

    ``slow`` is in seconds between messages; ``history`` is how many events are kept, 0 for the
    server's default.  ``speak`` is who may speak beside those who look after the room.  A value
    must not be None: that would not be replicated.
    """

    topic: str = ""
    private: bool = False
    slow: float = 0.0
    shouting: str = "allow"
    lasting: bool = False
    history: int = 0
    key: str = ""
    speak: str = "everyone"


class Room:
    """A room: its members, its settings, its bans and invitations, and its audience.

    ``id`` identifies it in the store: a room recreated under an old name is a different room.
    ``number`` rises in the order in which rooms are created.  ``members`` keeps the order of
    joining.  Invitations of guests (``invited``) go by folded nick, follow their person to another
    nick and end when they leave the server, as a stranger may have the nick later; those of
    accounts (``invited_accounts``) last.  So do ``bans`` and ``mutes``, by any part of an identity.
    ``voices`` are the targets, as text, of those who may speak where only some may: accounts, and
    nicks of guests while they are here.  ``roles`` are those of the accounts that own and moderate
    a persistent room, whether their owners are here or not.  ``last_spoke`` remembers when former
    members last spoke, for slow mode.  ``referenced_by`` are the people who have this room in
    ``invited_into`` or ``named_in_bans``, so that they do not keep it when it closes.
    """

    __slots__ = (
        "audience",
        "bans",
        "id",
        "invited",
        "invited_accounts",
        "last_spoke",
        "members",
        "mutes",
        "name",
        "number",
        "permanent",
        "referenced_by",
        "roles",
        "settings",
        "voices",
    )

    def __init__(
        self,
        name: Name,
        ident: str,
        number: int,
        request_flush: Callable[[Audience], None],
        *,
        permanent: bool = False,
    ) -> None:
        self.name = name
        self.id = ident
        self.number = number
        self.permanent = permanent
        self.members: dict[Person, Member] = {}
        self.settings = Settings()
        self.audience = Audience(name.shown, request_flush)
        self.roles: dict[str, Role] = {}
        self.invited: dict[str, None] = {}
        self.invited_accounts: dict[str, None] = {}
        self.voices: dict[str, None] = {}
        self.bans = Bans(BANS)
        self.mutes = Bans(MUTES)
        self.last_spoke: dict[str, float] = {}
        self.referenced_by: dict[Person, None] = {}

    def __str__(self) -> str:
        return self.name.shown

    @property
    def is_persistent(self) -> bool:
        """Whether the room stays when it is empty."""
        return self.permanent or self.settings.lasting

    @property
    def is_guarded(self) -> bool:
        """Whether entry is restricted: it is private or has a key."""
        return self.settings.private or bool(self.settings.key)

    @property
    def has_local_members(self) -> bool:
        """Whether it has members on this server."""
        return any(not person.server for person in self.members)

    def role_of(self, person: Person) -> Role:
        """Return the role of a person as others see it; an operator's is that in every room."""
        return Role.OPERATOR if person.operator else self._own_role(person)

    def role_by(self, actor: Actor) -> Role:
        """Return the role with which somebody acts: an operator's by an operator's connection."""
        return Role.OPERATOR if actor.operator else self._own_role(actor.person)

    def _own_role(self, person: Person) -> Role:
        member = self.members.get(person)
        return member.role if member else self.roles.get(person.account or "", Role.MEMBER)

    # Members --------------------------------------------------------------------------------------

    def add(self, person: Person, role: Role) -> None:
        """Make a person a member."""
        self.members[person] = Member(role, self.last_spoke.pop(person.name.key, 0.0))

    def remove(self, person: Person) -> None:
        """Remove a member; slow mode still counts from their last message when they return."""
        member = self.members.pop(person)
        for session in person.sessions:
            session.left(self)
        if self.settings.slow:
            self.last_spoke[person.name.key] = member.last_said
            if len(self.last_spoke) > FORMER_SPEAKERS:
                del self.last_spoke[next(iter(self.last_spoke))]

    # Invitations and bans that go by nick ---------------------------------------------------------

    def invite(self, person: Person) -> None:
        """Invite a person; an account's invitation lasts until revoked."""
        if person.account is None:
            self.invite_for_now(person)
            return
        self.invited_accounts[person.account] = None
        if len(self.invited_accounts) > ROOM_INVITATIONS:
            del self.invited_accounts[next(iter(self.invited_accounts))]

    def invite_for_now(self, person: Person) -> None:
        """Invite a person until they leave the server; beyond the bound, the oldest lapses."""
        self.invited[person.name.key] = None
        if len(self.invited) > ROOM_INVITATIONS:
            del self.invited[next(iter(self.invited))]
        self.follow_invitation(person)

    def follow_invitation(self, person: Person) -> None:
        """Remember that an invitation is for this person's nick, and has to follow it."""
        person.invited_into[self] = None
        self.referenced_by[person] = None
        if len(person.invited_into) > INVITATIONS:
            first = next(iter(person.invited_into))
            first.invited.pop(person.name.key, None)
            first.unfollow_invitation(person)

    def unfollow_invitation(self, person: Person) -> None:
        """Forget that an invitation was for this person's nick."""
        person.invited_into.pop(self, None)
        self._forget_reference(person)

    def _forget_reference(self, person: Person) -> None:
        if not (self in person.invited_into or self in person.named_in_bans):
            self.referenced_by.pop(person, None)

    def uninvite(self, person: Person) -> bool:
        """Revoke all invitations of a person; return whether there was one."""
        nick, account = person.name.key, person.account
        was_invited = nick in self.invited or account in self.invited_accounts
        self.unfollow_invitation(person)
        self.invited.pop(nick, None)
        if account is not None:
            self.invited_accounts.pop(account, None)
        return was_invited

    def give_voice(self, person: Person) -> None:
        """Let a person speak where only some may; beyond the bound, the oldest voice lapses."""
        if person.account is not None:
            self.voices[f"account:{person.account}"] = None
        else:
            self.voices[f"nick:{person.name.key}"] = None
            self.follow_nick(person)
        if len(self.voices) > ROOM_VOICES:
            del self.voices[next(iter(self.voices))]

    def take_voice(self, person: Person) -> bool:
        """Take a person's voice away; return whether they had one."""
        had_voice = self.has_voice(person)
        self.voices.pop(f"account:{person.account}", None)
        self.voices.pop(f"nick:{person.name.key}", None)
        return had_voice

    def has_voice(self, person: Person) -> bool:
        """Whether a person has been given a voice."""
        voices = self.voices
        return bool(voices) and (
            f"account:{person.effective_account}" in voices or f"nick:{person.name.key}" in voices
        )

    def follow_nick(self, person: Person) -> None:
        """Remember that a ban, a mute or a voice has this person's nick, and has to follow it."""
        person.named_in_bans[self] = None
        self.referenced_by[person] = None
        if len(person.named_in_bans) > NAMED_IN_BANS:
            first = next(iter(person.named_in_bans))
            del person.named_in_bans[first]
            first._forget_reference(person)

    def renamed(self, old: str, new: str) -> None:
        """Let invitations, voices, bans and mutes follow a person to another folded nick."""
        if old in self.invited:
            del self.invited[old]
            self.invited[new] = None
        if f"nick:{old}" in self.voices:
            del self.voices[f"nick:{old}"]
            self.voices[f"nick:{new}"] = None
        self.bans.renamed(old, new)
        self.mutes.renamed(old, new)

    def departed(self, person: Person) -> None:
        """Drop the invitation, voice and bans of a nick that is free: its next user is a stranger.

        Only bans and mutes of generated nicks are dropped.
        """
        self.invited.pop(person.name.key, None)
        self.voices.pop(f"nick:{person.name.key}", None)
        if person.is_guest_nick:
            for bans in (self.bans, self.mutes):
                bans.forget_nick(person.name.key)

    def closed(self) -> None:
        """Drop the references to this room, which is gone, from people whose nicks it stored."""
        for person in self.referenced_by:
            person.invited_into.pop(self, None)
            person.named_in_bans.pop(self, None)
        self.referenced_by.clear()


@dataclass(slots=True, eq=False)
class PendingLines:
    """The lines of one session that are not stored yet, oldest first; never empty.

    ``lines`` has the rooms in which each is pending.  A line is keyed by its identity, as the same
    text may be said twice.  ``since`` is when the first was found pending, in seconds since the
    epoch; ``announced`` says whether the user was told in words, and ``failed`` whether any of the
    lines could not be stored.
    """

    since: float
    lines: dict[int, tuple[RoomEvent, tuple[Room, ...]]] = field(default_factory=dict)
    announced: bool = False
    failed: bool = False


@dataclass(slots=True, eq=False)
class Replay:
    """The missed events that a resumed session has still to be shown.

    ``read`` has the store's number of the last event that was sent, for each room that is not yet
    caught up; ``waiting`` are the events for this user alone.  Both shrink as they are shown.
    """

    read: dict[Room, int]
    waiting: list[PersonalEvent]


class Session:
    """One connection of a person.

    It is in the audience of each of its person's rooms; one of them may have the focus, which is
    where plain lines go and which is shown without its name.  A session that does not listen is
    send-only.  ``private`` are the last of the ``private_count`` private messages that it was sent.
    ``address``, ``fingerprint`` and ``way`` (the name of its way in) are those of this connection,
    ``operator`` whether it proved to be an operator's; ``by_password`` is whether its owner proved
    their account by a password, ``since`` when it began, in seconds since the epoch, and ``number``
    what /sessions calls it; ``replaying`` is what a resumed session has still to be shown,
    ``pending_lines`` are its lines that are not stored yet; ``guard`` keeps passwords that were
    refused out of rooms; ``relay_to`` relays the connection to another server, where that is
    possible.
    """

    __slots__ = (
        "address",
        "by_password",
        "client",
        "fingerprint",
        "focus",
        "guard",
        "listens",
        "number",
        "operator",
        "pending_lines",
        "person",
        "preferences",
        "private",
        "private_count",
        "relay_to",
        "replaying",
        "send",
        "since",
        "unread",
        "way",
    )

    def __init__(self, person: Person, client: Client, *, listens: bool = True) -> None:
        self.listens = listens
        self.person = person
        self.client = client
        self.send: Callable[[bytes], int] = client.send
        self.preferences = DEFAULT
        self.focus: Room | None = None
        self.unread = UnreadCounts()
        self.private: tuple[PrivateMessage, ...] = ()
        self.private_count = 0
        self.address = ""
        self.fingerprint: str | None = None
        self.way = ""
        self.replaying: Replay | None = None
        self.relay_to: RelayTo | None = None
        self.operator = False
        self.by_password = False
        self.since = 0.0
        self.number = 0
        self.pending_lines: PendingLines | None = None
        self.guard: PasswordGuard | None = None

    # What an audience requires of a listener ------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether the connection takes no more data now."""
        return self.client.full

    @property
    def filters(self) -> bool:
        """Whether this person ignores any users."""
        return bool(self.person.ignored)

    def wants(self, entry: Entry) -> bool:
        """Whether this person does not ignore the author."""
        return entry.author not in self.person.ignored

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep the rest of ``data`` and hold the session in every room: the connection is full."""
        self.client.stalled(data, taken)
        self.hold()

    def broken(self, bug: Exception) -> None:
        """End this connection after a bug of ours in rendering or sending."""
        self.client.broken(bug)

    def missed(self, room: str, count: int) -> None:
        """Tell the user that events of a room were dropped before they could be sent."""
        self._write(Missed(room, count))
        if self.client.closes_on_gap:
            self.client.close()

    # For the chat and the ways in -----------------------------------------------------------------

    def style_in(self, room: Room) -> Style:
        """Return how this session is shown the events of a room."""
        style = self.client.style(self.preferences)
        return style if room is self.focus else style.unfocused

    def deliver(self, event: PersonalEvent) -> bool:
        """Show an event to this session alone, after everything that has happened in its rooms.

        Returns False when it cannot be shown, or when too much is pending for the connection.
        """
        return self.client.pending_bytes <= PERSONAL_BYTES and self.show(event)

    def show(self, event: PersonalEvent) -> bool:
        """Show an event that has a bound of its own, however much is pending already.

        Returns False when it cannot be shown at all.
        """
        if not self.listens or self.client.is_gone:
            return False
        self.catch_up()
        self._write(event)
        if isinstance(event, PrivateMessage):
            self.private_count += 1
            self.private = (*self.private, event)[-PRIVATE_REMEMBERED:]
        return True

    def _write(self, event: PersonalEvent) -> None:
        self.client.write(self.client.style(self.preferences).render_personal(event))
        if self.client.full:
            self.hold()

    def hold(self) -> None:
        """Let no room send to this session until `release`: the connection is full."""
        for room in self.person.rooms.values():
            room.audience.hold(self)

    def release(self) -> None:
        """Catch up in every room, as far as the connection has room."""
        for room in tuple(self.person.rooms.values()):
            if self.client.full:
                return
            room.audience.release(self)

    def last_sent(self) -> dict[Room, int]:
        """Return the store's number of the last event that was sent, for each room."""
        numbers = {room: room.audience.sent_to(self) for room in self.person.rooms.values()}
        if self.replaying is not None:
            numbers.update(self.replaying.read)
        return numbers

    def position(self) -> Position:
        """Return how far this session has been sent its rooms' events and private messages."""
        read = {room.id: number for room, number in self.last_sent().items()}
        return Position(read, self.private_count)

    def restyle(self) -> None:
        """Show every room according to the current preferences and focus."""
        for room in self.person.rooms.values():
            room.audience.restyle(self, self.style_in(room))

    def focus_on(self, room: Room | None) -> None:
        """Give a room, or none, the focus."""
        before, self.focus = self.focus, room
        self.unread.refocused(before, room, self.person.rooms.values())
        for other in (before, room):
            if other is not None:
                other.audience.restyle(self, self.style_in(other))
        self.client.refocused()

    def focus_on_newest(self) -> None:
        """Give the focus to the room that this person joined last, or to none."""
        self.focus_on(next(reversed(self.person.rooms.values()), None))

    def left(self, room: Room) -> None:
        """Forget how far a room was read that this person has left."""
        self.unread.forget(room)
        if self.replaying is not None:
            self.replaying.read.pop(room, None)

    def unread_counts(self) -> list[tuple[str, int, bool]]:
        """Return the rooms with unread events: name, count, and whether one mentions the user."""
        return self.unread.counts(self.focus) if self.unread else []

    def unread_summary(self) -> str:
        """Return the unread counts for a prompt: see `chatd.chat.model.unread.summary`."""
        return summary(self.unread_counts())

    def detach(self) -> None:
        """Remove this session from its person, and from the audiences of their rooms."""
        self.person.sessions.remove(self)
        self.person.sessions_changed()
        for room in self.person.rooms.values():
            room.audience.catch_up(self)
            room.audience.remove(self)

    def catch_up(self) -> None:
        """Send what is new in every room now, so that what follows is shown after it."""
        for room in self.person.rooms.values():
            room.audience.catch_up(self)

    def room(self) -> Room:
        """Return the room that has the focus.

        :raises Refused: ``no-room`` when none has.
        """
        if self.focus is None:
            raise Refused("no-room", "You are in no room; /join ROOM takes you into one.")
        return self.focus


def sessions_in(room: Room) -> Iterator[Session]:
    """Return every session of every member of a room."""
    for person in room.members:
        yield from person.sessions
