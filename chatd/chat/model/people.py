"""People: the registry of everyone who is here, by nick, and of free guest nicks."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from chatd.chat.model.entities import Person
from chatd.chat.text import names
from chatd.chat.text.mentions import beginning
from chatd.chat.text.names import GUEST, Name, fold


class People:
    """The registry of everyone who is here, by nick, and of free guest nicks.

    ``on_displaced`` is called with a person on another server who has lost their nick, and with
    the person who has it now.
    """

    def __init__(self, on_displaced: Callable[[Person, Person], None]) -> None:
        self._on_displaced = on_displaced
        self._by_key: dict[str, Person] = {}
        self._looks: dict[str, Person] = {}
        #: How many nicks have each length, by the beginning with which a nick is recognised beside
        #: other letters (`chatd.chat.text.mentions.beginning`).
        self.lengths: dict[str, dict[int, int]] = {}
        self._guests = 0
        self._free_guests: list[int] = []
        self._freed: set[int] = set()

    def __len__(self) -> int:
        return len(self._by_key)

    def everyone(self) -> list[Person]:
        """Return everyone who is here, or on another server of the cluster."""
        return list(self._by_key.values())

    def here(self) -> list[Person]:
        """Return everyone who is connected to this server, or has a detached session on it."""
        return [person for person in self._by_key.values() if not person.server]

    def find(self, nick: str) -> Person | None:
        """Return the person with this nick, in any capitalisation, or None."""
        return self._by_key.get(nick.lower()) or self._by_key.get(fold(nick))

    def get(self, key: str) -> Person | None:
        """Return the person whose nick has this key, or None."""
        return self._by_key.get(key)

    def is_here(self, key: str) -> bool:
        """Whether a person has the nick with this key."""
        return key in self._by_key

    def is_free(self, name: Name, by: Person | None = None, *, owner: bool = False) -> bool:
        """Whether a nick and its look-alikes are free for ``by``, who may have it already.

        The ``owner`` of the nick can have it even if a person on another server has it now, or if
        somebody's differs in accents only: both may be registered since earlier versions.
        """
        holder = self._by_key.get(name.key)
        yields = owner and holder is not None and bool(holder.server)
        allowed = (None, by, holder) if yields else (None, by)
        alike = {self._looks.get(look) for look in names.looks(name)}.difference(allowed)
        if owner:
            exact = names.skeletons(name)
            alike = {each for each in alike if each and exact & names.skeletons(each.name)}
        return holder in allowed and not alike

    def add(self, person: Person) -> None:
        """Add a person under their nick; a person with that nick on another server is displaced."""
        there = self._by_key.get(person.name.key)
        if there is not None and there is not person:
            self.remove(there)
            self._on_displaced(there, person)
        if there is not person:
            self._count_length(person, 1)
        self._by_key[person.name.key] = person
        for look in names.looks(person.name):
            self._looks.setdefault(look, person)

    def remove(self, person: Person) -> None:
        """Remove a person who has left, or who changes their nick."""
        if self._by_key.pop(person.name.key, None) is not None:
            self._count_length(person, -1)
        for look in names.looks(person.name):
            if self._looks.get(look) is person:
                del self._looks[look]
        digits = person.name.key.removeprefix(GUEST)
        if digits != person.name.key and digits.isascii() and digits.isdigit():
            self._free_guest(digits)

    def _count_length(self, person: Person, change: int) -> None:
        key = person.name.key
        begins = beginning(key)
        if not begins:
            return
        counts = self.lengths.setdefault(begins, {})
        count = counts.pop(len(key), 0) + change
        if count:
            counts[len(key)] = count
        elif not counts:
            del self.lengths[begins]

    def _free_guest(self, digits: str) -> None:
        """Make the number of a generated nick available again."""
        if digits[0] == "0" or len(digits) > 9:
            return
        number = int(digits)
        if number <= self._guests and number not in self._freed:
            self._freed.add(number)
            heappush(self._free_guests, number)

    def guest(self) -> Name:
        """Return a nick for a user who has none: ``guest1``, or the lowest free number."""
        while True:
            if self._free_guests:
                number = heappop(self._free_guests)
                self._freed.discard(number)
            else:
                self._guests += 1
                number = self._guests
            name = Name(f"{GUEST}{number}", f"{GUEST}{number}")
            if self.is_free(name):
                return name
