"""People told: what the other servers of a cluster know of the people here, each by a number.

A number is for good: who leaves takes theirs along, and whoever comes has another.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from chatd.chat.limits import MOVED, SEEN_AT_ONCE
from chatd.chat.model.entities import Person, Room

if TYPE_CHECKING:
    from chatd.chat.chat import Chat

State = dict[str, Any]


class LocalPeople:
    """What was told of whom; ``parted`` is called with who is here no longer, as it is told."""

    def __init__(self, chat: Chat, parted: Callable[[Person], None]) -> None:
        self._chat = chat
        self._parted = parted
        self._count = 0
        self._numbers: dict[Person, int] = {}
        self._people: dict[int, Person] = {}
        self._sent: dict[Person, State] = {}
        self._unseen: list[Person] = []
        self._origins: dict[Person, tuple[str, int]] = {}
        self._moved: OrderedDict[int, tuple[str, str]] = OrderedDict()

    # What is told ---------------------------------------------------------------------------------

    def news_of(self, people: Iterable[Person]) -> list[State]:
        """What the others do not know yet of some people; they know it then."""
        news = []
        for person in people:
            if self._is_here(person):
                state = self.state(person)
                if self._sent.get(person) != state:
                    self._sent[person] = state
                    news.append({**state, "active": person.last_active})
            elif person in self._sent:
                number = self._forget(person)
                news.append({"number": number, "gone": True, "moved": number in self._moved})
        return news

    def _forget(self, person: Person) -> int:
        del self._sent[person]
        number = self._numbers.pop(person)
        del self._people[number]
        self._origins.pop(person, None)
        self._parted(person)
        return number

    def state(self, person: Person) -> State:
        """Somebody who is here, as the others are told of them."""
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
            "lost": person.is_detached,
        }

    def everything(self) -> tuple[list[State], set[Room]]:
        """All that the others are to know: everybody who was told of, and their rooms."""
        people = [{**state, "active": each.last_active} for each, state in self._sent.items()]
        return people, {room for person in self._sent for room in person.rooms.values()}

    def in_turn(self) -> list[Person]:
        """Some of those of whom something may be otherwise that nobody has said, each in turn."""
        if not self._unseen:
            self._unseen = [*dict.fromkeys((*self._chat.people.here(), *self._sent))]
        some = self._unseen[-SEEN_AT_ONCE:]
        del self._unseen[-SEEN_AT_ONCE:]
        return some

    # By which number, and where they have gone ----------------------------------------------------

    def number(self, person: Person) -> int:
        """The number of somebody who is here."""
        number = self._numbers.get(person)
        if number is None:
            self._count += 1
            number = self._numbers[person] = self._count
            self._people[number] = person
        return number

    def here(self, number: int) -> Person | None:
        """Somebody who is here, by their number."""
        person = self._people.get(number)
        return person if person is not None and self._is_here(person) else None

    def _is_here(self, person: Person) -> bool:
        return self._chat.people.get(person.name.key) is person and not person.server

    def came_from(self, person: Person, server: str, number: int) -> None:
        """Somebody is here now who had a number at another server."""
        self._origins[person] = (server, number)

    def went_to(self, person: Person, server: str) -> None:
        """Somebody is at another server now: what is still asked of them here is to go there."""
        self._moved[self.number(person)] = (server, person.name.key)
        if len(self._moved) > MOVED:
            self._moved.popitem(last=False)

    def gone_to(self, number: int) -> tuple[str, str] | None:
        """To which server somebody who was here has gone, and their folded nick."""
        return self._moved.get(number)
