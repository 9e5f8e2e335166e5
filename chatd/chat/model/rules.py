"""Room: owns its member set and its rules, and runs its broadcast."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil

from chatd.chat.events import Refused, Role
from chatd.chat.fanout.audience import Audience
from chatd.chat.limits import BANS, HELD_IN, INVITATIONS, INVITED, MUTED, SPOKE
from chatd.chat.model.bans import Ban, Bans, Kind, Target
from chatd.chat.model.entities import Session
from chatd.chat.model.people import Person
from chatd.chat.text.names import Name
from chatd.chat.text.sanitizing import is_shouting

_RANK = {role: rank for rank, role in enumerate(Role)}


def outranks(one: Role, other: Role) -> bool:
    """Whether the first role is the stronger one."""
    return _RANK[one] > _RANK[other]


@dataclass(slots=True)
class LastMessage:
    """The last that a member said or did, unless it is ``gone``.  Time in seconds since the epoch.

    Its ``number`` is 0 until it is kept.
    """

    time: float
    number: int = 0
    gone: bool = False


@dataclass(slots=True)
class Member:
    """What a room knows of one of its members.

    Times are seconds since the epoch; ``since`` is the store's number of when they came.
    """

    role: Role
    last_said: float = 0.0
    warned: bool = False
    since: int | None = None
    spoken: LastMessage | None = None


@dataclass(slots=True)
class Settings:
    """What the owner and the moderators may set (/room).

    ``history`` is how many events are kept; 0: as many as the server keeps of every room.
    """

    topic: str = ""
    private: bool = False
    slow: float = 0.0
    shouting: str = "allow"
    lasting: bool = False
    history: int = 0
    key: str = ""


class Room:
    """A room and the people in it.

    ``id`` is what the store knows it by: a room that is made anew under an old name is another.
    ``number`` rises in the order in which rooms are made.  Members keep the order in which they
    came.  Invitations (``invited``) go by folded nick, follow their person to another one and end
    when they leave the server, for a stranger may carry the nick tomorrow; those of accounts
    (``guests``) last.  So do ``bans`` and ``mutes``, by whatever is known of somebody.  ``keepers``
    are the accounts of those who own and moderate a room that lasts, here or not.
    """

    __slots__ = (
        "audience",
        "bans",
        "id",
        "invited",
        "invited_accounts",
        "members",
        "mutes",
        "name",
        "number",
        "permanent",
        "roles",
        "settings",
        "spoke",
    )

    def __init__(
        self,
        name: Name,
        ident: str,
        number: int,
        on_news: Callable[[Audience], None],
        *,
        permanent: bool = False,
    ) -> None:
        self.name = name
        self.id = ident
        self.number = number
        self.permanent = permanent
        self.members: dict[Person, Member] = {}
        self.settings = Settings()
        self.audience = Audience(name.shown, on_news)
        self.roles: dict[str, Role] = {}
        self.invited: dict[str, None] = {}
        self.invited_accounts: dict[str, None] = {}
        self.bans = Bans(BANS)
        self.mutes = Bans(MUTED)
        self.spoke: dict[str, float] = {}

    def __str__(self) -> str:
        return self.name.shown

    @property
    def is_persistent(self) -> bool:
        """Whether it is there when nobody is in it."""
        return self.permanent or self.settings.lasting

    def sessions(self) -> Iterator[Session]:
        """Every session of every member."""
        for person in self.members:
            yield from person.sessions

    def role_of(self, person: Person) -> Role:
        """What somebody may do here; an operator is one in every room."""
        if person.operator:
            return Role.OPERATOR
        member = self.members.get(person)
        return member.role if member else self.roles.get(person.account or "", Role.MEMBER)

    # Rules ----------------------------------------------------------------------------------------

    def check_entry(self, person: Person, now: float, key: str = "") -> None:
        """Let somebody in.

        :raises Refused: ``banned``, ``private``, ``key-needed`` or ``wrong-key``.
        """
        ban = self.ban_of(person, now)
        if ban is not None:
            raise Refused("banned", f"You are banned from {self} {ban.rest(now)}.")
        if not self.is_guarded or self.knows(person):
            return
        if not self.settings.key:
            raise Refused("private", f"{self} is private; its moderators can /invite you.")
        if not key:
            raise Refused("key-needed", f"{self} needs a key: /join {self} KEY.")
        if key != self.settings.key:
            raise Refused("wrong-key", f"That is not the key of {self}.")

    def ban_of(self, person: Person, now: float) -> Ban | None:
        """What keeps somebody out of the room, if anything."""
        ban = self.held_by(self.bans, person, now)
        return None if self.role_of(person) is Role.OWNER else ban

    def is_open_to(self, person: Person, now: float) -> bool:
        """Whether somebody might come in, without a key."""
        try:
            self.check_entry(person, now)
        except Refused:
            return False
        return True

    @property
    def is_guarded(self) -> bool:
        """Whether not everybody may come in."""
        return self.settings.private or bool(self.settings.key)

    def knows(self, person: Person) -> bool:
        """Whether somebody may come in although the room is private or has a key."""
        if person.operator or person.name.key in self.invited:
            return True
        return person.proved in self.roles or person.proved in self.invited_accounts

    def held_by(self, bans: Bans, person: Person, now: float) -> Ban | None:
        """The ban or the mute that holds somebody, if any.

        One of an address holds nobody who looks after the room: they may share it with others.
        """
        if not len(bans) or person.operator:
            return None
        by_address = self.role_of(person) is Role.MEMBER
        return bans.covering(person.known, now, by_address=by_address)

    def check_membership(self, person: Person) -> Member:
        """Whoever acts in a room is in it.

        :raises Refused: ``not-in-room``.
        """
        member = self.members.get(person)
        if member is None:
            raise Refused("not-in-room", f"You are not in {self}; /join {self} takes you there.")
        return member

    def check_role(self, person: Person, least: Role) -> None:
        """Some things only a moderator or the owner may do.

        :raises Refused: ``not-moderator`` or ``not-owner``.
        """
        if outranks(least, self.role_of(person)):
            who = "a moderator" if least is Role.MODERATOR else "the owner"
            raise Refused(f"not-{least.value}", f"Only {who} of {self} may do that.")

    def check_not_muted(self, person: Person, now: float) -> None:
        """Somebody is about to be shown to others in their own words.

        :raises Refused: ``muted``.
        """
        mute = self.held_by(self.mutes, person, now)
        if mute is not None:
            told = mute.rest(now)
            how = "" if told == "for good" else f" {told}"
            raise Refused("muted", f"You are muted in {self}{how}; nobody was shown that.")

    def check_speech(self, person: Person, now: float) -> Member:
        """Somebody is about to speak.

        :raises Refused: ``not-in-room``, ``muted`` or ``slow``.
        """
        member = self.check_membership(person)
        self.check_not_muted(person, now)
        if self.settings.slow and not outranks(self.role_of(person), Role.MEMBER):
            wait = member.last_said + self.settings.slow - now
            if wait > 0:
                raise Refused("slow", f"{self} is in slow mode; you may speak in {ceil(wait)} s.")
        return member

    def check_speech_from_outside(self, person: Person, now: float) -> None:
        """Somebody who is not here is about to speak into the room.

        :raises Refused: as `check_entry`, ``muted`` or ``slow``.
        """
        self.check_entry(person, now)
        self.check_not_muted(person, now)
        if self.settings.slow:
            raise Refused("slow", f"{self} is in slow mode; only who is in it may speak.")

    def is_too_loud(self, text: str) -> bool:
        """Whether this room does not deliver a line because it is shouted."""
        return self.settings.shouting != "allow" and is_shouting(text)

    # Who is here ----------------------------------------------------------------------------------

    def heir(self) -> Person | None:
        """Who should own a room that has no owner: its first moderator, else who came first."""
        if self.is_persistent:
            return None
        if any(m.role is Role.OWNER for m in self.members.values()):
            return None
        moderators = (p for p, m in self.members.items() if m.role is Role.MODERATOR)
        return next(moderators, None) or next(iter(self.members), None)

    def invite(self, person: Person) -> None:
        """Let somebody into a guarded room: who has an account until that is taken back."""
        if person.account is None:
            self.invite_for_now(person)
            return
        self.invited_accounts[person.account] = None
        if len(self.invited_accounts) > INVITED:
            del self.invited_accounts[next(iter(self.invited_accounts))]

    def invite_for_now(self, person: Person) -> None:
        """Let somebody in until they leave the server; with too many, the first one lapses."""
        self.invited[person.name.key] = None
        if len(self.invited) > INVITED:
            del self.invited[next(iter(self.invited))]
        person.invited_into[self] = None
        if len(person.invited_into) > INVITATIONS:
            first = next(iter(person.invited_into))
            first.invited.pop(person.name.key, None)
            del person.invited_into[first]

    def uninvite(self, person: Person) -> bool:
        """Take what invitations somebody has back; say if there was one."""
        person.invited_into.pop(self, None)
        had = [
            self.invited.pop(person.name.key, self),
            self.invited_accounts.pop(person.account, self) if person.account else self,
        ]
        return None in had

    def holds_by_nick(self, person: Person) -> None:
        """A ban or a mute goes by somebody's nick, and is to follow them to another one."""
        person.named_in_bans[self] = None
        if len(person.named_in_bans) > HELD_IN:
            del person.named_in_bans[next(iter(person.named_in_bans))]

    def renamed(self, old: str, new: str) -> None:
        """Let what goes by nick follow its person to another one."""
        if old in self.invited:
            del self.invited[old]
            self.invited[new] = None
        self.bans.renamed(old, new)
        self.mutes.renamed(old, new)

    def departed(self, person: Person) -> None:
        """Somebody has left the server: forget what was for them and not for their nick."""
        self.invited.pop(person.name.key, None)
        if person.is_guest_nick:
            for bans in (self.bans, self.mutes):
                bans.drop(Target(Kind.NICK, person.name.key))

    def remove(self, person: Person) -> None:
        """Somebody is a member no longer; slow mode does not begin anew when they return."""
        member = self.members.pop(person)
        if self.settings.slow:
            self.spoke[person.name.key] = member.last_said
            if len(self.spoke) > SPOKE:
                del self.spoke[next(iter(self.spoke))]

    def add(self, person: Person, role: Role) -> None:
        """Somebody is a member now."""
        self.members[person] = Member(role, self.spoke.pop(person.name.key, 0.0))

    @property
    def has_local_members(self) -> bool:
        """Whether anybody on this server is in it."""
        return any(not person.server for person in self.members)

    def words_of(self, person: Person, words: str, now: float) -> str:
        """The words with which somebody leaves, if they might have said them here."""
        try:
            self.check_speech(person, now)
        except Refused:
            return ""
        return "" if self.is_too_loud(words) else words
