"""People: the registry of everybody who is here, by nick, and of the nicks that are free."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from chatd.chat.model.entities import Person
from chatd.chat.text import names
from chatd.chat.text.names import GUEST, Name, fold


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
