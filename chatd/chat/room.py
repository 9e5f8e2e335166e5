"""Room: owns its member set and its rules, and runs its broadcast."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil

from chatd.chat.audience import Audience
from chatd.chat.events import Refused, Role
from chatd.chat.limits import INVITATIONS, INVITED, MUTED, MUTED_IN, SPOKE
from chatd.chat.names import Name
from chatd.chat.people import Person
from chatd.chat.session import Session
from chatd.chat.text import is_shouting

_RANK = {role: rank for rank, role in enumerate(Role)}


def outranks(one: Role, other: Role) -> bool:
    """Whether the first role is the stronger one."""
    return _RANK[one] > _RANK[other]


@dataclass(slots=True)
class Spoken:
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
    spoken: Spoken | None = None
    since: int | None = None


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


class Room:
    """A room and the people in it.

    ``id`` is what the store knows it by: a room that is made anew under an old name is another.
    ``number`` rises in the order in which rooms are made.  Members keep the order in which they
    came.  Invitations and mutes go by folded nick and follow their person to another one.  An
    invitation ends when its person leaves the server, for a stranger may carry the nick tomorrow;
    a mute stays with a nick that somebody chose.  ``keepers`` are the accounts of those who own and
    moderate a room that lasts, here or not.
    """

    __slots__ = (
        "audience",
        "id",
        "invited",
        "keepers",
        "members",
        "muted",
        "name",
        "number",
        "permanent",
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
        self.keepers: dict[str, Role] = {}
        self.invited: dict[str, None] = {}
        self.muted: dict[str, None] = {}
        self.spoke: dict[str, float] = {}

    def __str__(self) -> str:
        return self.name.shown

    @property
    def lasts(self) -> bool:
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
        return member.role if member else Role.MEMBER

    # Rules ----------------------------------------------------------------------------------------

    def check_entry(self, person: Person) -> None:
        """Let somebody in.

        :raises Refused: ``private``.
        """
        known = person.operator or person.name.key in self.invited or person.account in self.keepers
        if self.settings.private and not known:
            raise Refused("private", f"{self} is private; its moderators can /invite you.")

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

    def check_speech(self, person: Person, now: float) -> Member:
        """Somebody is about to speak.

        :raises Refused: ``not-in-room``, ``muted`` or ``slow``.
        """
        member = self.check_membership(person)
        if person.name.key in self.muted:
            raise Refused("muted", f"You are muted in {self}; nobody was shown that.")
        if self.settings.slow and not outranks(self.role_of(person), Role.MEMBER):
            wait = member.last_said + self.settings.slow - now
            if wait > 0:
                raise Refused("slow", f"{self} is in slow mode; you may speak in {ceil(wait)} s.")
        return member

    def check_speech_from_outside(self, person: Person) -> None:
        """Somebody who is not here is about to speak into the room.

        :raises Refused: ``private``, ``muted`` or ``slow``.
        """
        self.check_entry(person)
        if person.name.key in self.muted:
            raise Refused("muted", f"You are muted in {self}; nobody was shown that.")
        if self.settings.slow:
            raise Refused("slow", f"{self} is in slow mode; only who is in it may speak.")

    def is_too_loud(self, text: str) -> bool:
        """Whether this room does not deliver a line because it is shouted."""
        return self.settings.shouting != "allow" and is_shouting(text)

    # Who is here ----------------------------------------------------------------------------------

    def heir(self) -> Person | None:
        """Who should own a room that has no owner: its first moderator, else who came first."""
        if self.lasts:
            return None
        if any(m.role is Role.OWNER for m in self.members.values()):
            return None
        moderators = (p for p, m in self.members.items() if m.role is Role.MODERATOR)
        return next(moderators, None) or next(iter(self.members), None)

    def invite(self, person: Person) -> None:
        """Let somebody into a private room; with too many, the first invitation lapses."""
        self.invited[person.name.key] = None
        if len(self.invited) > INVITED:
            del self.invited[next(iter(self.invited))]
        person.invited_into[self] = None
        if len(person.invited_into) > INVITATIONS:
            first = next(iter(person.invited_into))
            first.uninvite(person)

    def uninvite(self, person: Person) -> None:
        """Take an invitation back."""
        self.invited.pop(person.name.key, None)
        person.invited_into.pop(self, None)

    def mute(self, person: Person) -> None:
        """Let somebody speak no more; with too many mute, the first of them may speak again."""
        self.muted[person.name.key] = None
        if len(self.muted) > MUTED:
            del self.muted[next(iter(self.muted))]
        person.muted_in[self] = None
        if len(person.muted_in) > MUTED_IN:
            del person.muted_in[next(iter(person.muted_in))]

    def renamed(self, old: str, new: str) -> None:
        """Let an invitation and a mute follow their person to another nick."""
        for names in (self.invited, self.muted):
            if old in names:
                del names[old]
                names[new] = None

    def departed(self, person: Person) -> None:
        """Somebody has left the server: forget what was for them and not for their nick."""
        self.invited.pop(person.name.key, None)
        if person.is_nameless:
            self.muted.pop(person.name.key, None)

    def left(self, person: Person) -> None:
        """Somebody is a member no longer; slow mode does not begin anew when they return."""
        member = self.members.pop(person)
        if self.settings.slow:
            self.spoke[person.name.key] = member.last_said
            if len(self.spoke) > SPOKE:
                del self.spoke[next(iter(self.spoke))]

    def came(self, person: Person, role: Role) -> None:
        """Somebody is a member now."""
        self.members[person] = Member(role, self.spoke.pop(person.name.key, 0.0))

    def came_from_elsewhere(self, person: Person, role: str | None) -> None:
        """Somebody on another server is a member now, with a role if they have one."""
        self.members[person] = Member(Role(role) if role else Role.MEMBER)

    @property
    def is_heard(self) -> bool:
        """Whether anybody on this server is in it."""
        return any(not person.server for person in self.members)

    def words_of(self, person: Person, words: str, now: float) -> str:
        """The words with which somebody leaves, if they might have said them here."""
        try:
            self.check_speech(person, now)
        except Refused:
            return ""
        return "" if self.is_too_loud(words) else words
