"""Who is present.  A person has a nick and one or more sessions, and is in rooms."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from chatd.chat.model.bans import Identity
from chatd.chat.text import names
from chatd.chat.text.names import GUEST, Name, fold

if TYPE_CHECKING:
    from chatd.chat.model.entities import Session
    from chatd.chat.model.rules import Room


class Person:
    """Somebody who is here.

    ``account`` is the folded nick of their account; who is beside the owner of one, as a script
    is, has that as ``beside``.  ``ignored`` holds folded nicks;
    ``ignored_by`` who has this person there, so that a rename is followed; ``token`` proves who has
    lost their connection; ``invited_into`` and
    ``named_in_bans`` are the rooms that know this nick.  ``server`` is the one of a cluster on which they
    are, empty for this one, and ``lost`` whether they have lost their connection to it.  Times are
    seconds since the epoch.
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
        "rooms",
        "server",
        "sessions",
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
        self.since = now
        self.last_active = now
        self.away: str | None = None
        self.rooms: dict[str, Room] = {}
        self.server = ""
        self.lost = False
        self.sessions: list[Session] = []
        # Empty, a dict takes less than a third of a set, and most people ignore nobody.
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
    def known(self) -> Identity:
        """What bans go by."""
        return Identity(self.name.key, self.proved, self.fingerprint, self.address)

    @property
    def proved(self) -> str | None:
        """The account that is theirs, or whose owner they are beside."""
        return self.account or self.on_behalf_of

    def sessions_changed(self) -> None:
        """Somebody is an operator by those connections that proved it, while they are here."""
        if self.sessions:
            self.operator = any(session.operator for session in self.sessions)

    @property
    def is_detached(self) -> bool:
        """Whether they have lost their connection, and may come back."""
        return self.lost if self.server else not self.sessions

    @property
    def is_guest_nick(self) -> bool:
        """Whether the nick is a generated one, which somebody else may be given tomorrow."""
        return self.name.key.startswith(GUEST)


class People:
    """Everyone who is here, by nick, and which nicks are free.

    ``on_displaced`` is called with a person on another server who has lost their nick, and with
    the person who has it now.
    """

    def __init__(self, on_displaced: Callable[[Person, Person], None]) -> None:
        self._on_displaced = on_displaced
        self._by_key: dict[str, Person] = {}
        self._looks: dict[str, Person] = {}
        self._guests = 0
        self._free_guests: list[int] = []
        self._given_back: set[int] = set()

    def __len__(self) -> int:
        return len(self._by_key)

    def everyone(self) -> list[Person]:
        """All who are here, or on another server of a cluster."""
        return list(self._by_key.values())

    def here(self) -> list[Person]:
        """All who are on this server."""
        return [person for person in self._by_key.values() if not person.server]

    def find(self, nick: str) -> Person | None:
        """Who carries this nick, however it is capitalised."""
        return self._by_key.get(nick.lower()) or self._by_key.get(fold(nick))

    def get(self, key: str) -> Person | None:
        """Who carries the nick with this key."""
        return self._by_key.get(key)

    def is_free(self, name: Name, by: Person | None = None, *, owner: bool = False) -> bool:
        """Whether somebody (who may have it already) can have a nick: not taken, no look-alike.

        Its ``owner`` can have it although somebody on another server is called so.
        """
        there = self._by_key.get(name.key)
        may = (None, by, there) if owner and there is not None and there.server else (None, by)
        return there in may and all(self._looks.get(look) in may for look in names.skeletons(name))

    def add(self, person: Person) -> None:
        """Somebody is here, under their nick; who was called so on another server is displaced."""
        there = self._by_key.get(person.name.key)
        if there is not None and there is not person:
            self.remove(there)
            self._on_displaced(there, person)
        self._by_key[person.name.key] = person
        for look in names.skeletons(person.name):
            self._looks[look] = person

    def remove(self, person: Person) -> None:
        """Somebody is here no longer, or not under this nick."""
        self._by_key.pop(person.name.key, None)
        for look in names.skeletons(person.name):
            self._looks.pop(look, None)
        digits = person.name.key.removeprefix(GUEST)
        if digits != person.name.key and digits.isascii() and digits.isdigit():
            self._give_back(digits)

    def _give_back(self, digits: str) -> None:
        if digits[0] == "0" or len(digits) > 9:
            return
        number = int(digits)
        if number <= self._guests and number not in self._given_back:
            self._given_back.add(number)
            heappush(self._free_guests, number)

    def guest(self) -> Name:
        """Make a nick for somebody who brings none: ``guest1``, or the lowest that is free."""
        while True:
            if self._free_guests:
                number = heappop(self._free_guests)
                self._given_back.discard(number)
            else:
                self._guests += 1
                number = self._guests
            name = Name(f"{GUEST}{number}", f"{GUEST}{number}")
            if self.is_free(name):
                return name
