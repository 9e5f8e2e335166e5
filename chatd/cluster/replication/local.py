"""Local people: the people on this server, as the other servers of its cluster know them.

Each has a number, which is never used again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from chatd.chat.chat import Chat
from chatd.chat.limits import CHECKED_AT_ONCE, MIGRATIONS_REMEMBERED
from chatd.chat.model.entities import Person, Room
from chatd.cluster.bus import State


class LocalPeople:
    """The states that were sent, and the numbers of people.

    ``on_departed`` is called with a person who is no longer here, when that is sent.
    """

    def __init__(self, chat: Chat, on_departed: Callable[[Person], None]) -> None:
        self._chat = chat
        self._on_departed = on_departed
        self._count = 0
        self._numbers: dict[Person, int] = {}
        self._people: dict[int, Person] = {}
        self._sent: dict[Person, State] = {}
        self._unchecked: list[Person] = []
        self._origins: dict[Person, tuple[str, int]] = {}
        self._migrated: OrderedDict[int, tuple[str, str]] = OrderedDict()

    # States ---------------------------------------------------------------------------------------

    def changes_of(self, people: Iterable[Person]) -> list[State]:
        """Return the changes to some people since they were last sent, and record them as sent."""
        changes = []
        for person in people:
            if self._is_here(person):
                state = self.state(person)
                if self._sent.get(person) != state:
                    self._sent[person] = state
                    changes.append({**state, "active": person.last_active})
            elif person in self._sent:
                number = self._forget(person)
                changes.append({"number": number, "gone": True, "moved": number in self._migrated})
        return changes

    def _forget(self, person: Person) -> int:
        del self._sent[person]
        number = self._numbers.pop(person)
        del self._people[number]
        self._origins.pop(person, None)
        self._on_departed(person)
        return number

    def state(self, person: Person) -> State:
        """Return the state of a person, as it is sent to the others."""
        return {
            "number": self.number(person),
            "nick": person.name.shown,
            "key": person.name.key,
            "account": person.account,
            "operator": person.operator,
            "away": person.away,
            "came": person.since,
            "print": person.fingerprint,
            "from": self._origins.get(person),
            "rooms": {
                key: [room.name.shown, room.id, room.members[person].role.value]
                for key, room in person.rooms.items()
            },
            "address": person.address,
            "beside": person.on_behalf_of,
            "registered": person.registered,
            "lost": person.is_detached,
        }

    def full_state(self) -> tuple[list[State], set[Room]]:
        """Return the states of all people whom the others know, and the rooms of those people."""
        people = [{**state, "active": each.last_active} for each, state in self._sent.items()]
        return people, {room for person in self._sent for room in person.rooms.values()}

    def next_to_check(self) -> list[Person]:
        """Return the next batch of people, to check for changes without `person_changed`."""
        if not self._unchecked:
            self._unchecked = [*dict.fromkeys((*self._chat.people.here(), *self._sent))]
        some = self._unchecked[-CHECKED_AT_ONCE:]
        del self._unchecked[-CHECKED_AT_ONCE:]
        return some

    # Numbers, and migrations ----------------------------------------------------------------------

    def number(self, person: Person) -> int:
        """Return the number of a person who is here."""
        number = self._numbers.get(person)
        if number is None:
            self._count += 1
            number = self._numbers[person] = self._count
            self._people[number] = person
        return number

    def person(self, number: int) -> Person | None:
        """Return the person with a number, if they are here."""
        person = self._people.get(number)
        return person if person is not None and self._is_here(person) else None

    def _is_here(self, person: Person) -> bool:
        return self._chat.people.get(person.name.key) is person and not person.server

    def moved_here(self, person: Person, server: str, number: int) -> None:
        """Note that a person has come from another server, where they had a number."""
        self._origins[person] = (server, number)

    def moved_away(self, person: Person, server: str) -> None:
        """Note that a person has gone to another server: calls for them are forwarded to it."""
        self._migrated[self.number(person)] = (server, person.name.key)
        if len(self._migrated) > MIGRATIONS_REMEMBERED:
            self._migrated.popitem(last=False)

    def moved_to(self, number: int) -> tuple[str, str] | None:
        """Return the server to which the person with a number has gone, and their folded nick."""
        return self._migrated.get(number)
