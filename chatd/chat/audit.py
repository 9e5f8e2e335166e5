"""Audit: who of those who look after rooms and the server did what, to whom and why."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields

from chatd.chat.limits import AUDITED, REASON_LENGTH
from chatd.chat.people import Person
from chatd.chat.records import Records
from chatd.chat.room import Room
from chatd.chat.store import Store
from chatd.chat.text import cut

#: What the records of the log are called in the store.
KIND = "audit"
#: Numbers of entries, with zeros before them so that keys are in their order.
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that was done; ``time`` in seconds since the epoch.

    ``account`` is the folded nick of who did it; ``whom`` is what everybody may know of whom it was
    done to and ``covered`` what only operators may.  ``room`` is empty for the server, and
    ``room_id`` tells rooms of one name apart.
    """

    time: float
    nick: str
    account: str | None
    what: str
    whom: str = ""
    covered: str = ""
    room: str = ""
    room_id: str = ""
    reason: str = ""


#: What is known here of a deed; a newer server may write down more.
_FIELDS = frozenset(each.name for each in fields(Deed))


class Audit:
    """The last deeds, oldest first: a record of the store each, so that one costs one.

    Each has a number above those that were known when it was done, and with ``server``, the name of
    one of several, that beside it: what two do at once has a place of its own each.
    """

    def __init__(self, store: Store, server: str = "") -> None:
        self._store = store
        self._server = server
        self._deeds: deque[tuple[str, Deed]] = deque()
        self._last = 0
        self.load = Records(store, KIND, take=self._restore).load

    def _restore(self, records: Mapping[str, str]) -> None:
        for key in sorted(records):
            self._deeds.append((key, _deed(records[key])))
            self._last = _number(key)
        self._prune()

    def learn(self, key: str, value: str | None) -> None:
        """Take what was done on another server, or is to be remembered no longer."""
        self._last = max(self._last, _number(key))
        place = self._place(key)
        if place < len(self._deeds) and self._deeds[place][0] == key:
            del self._deeds[place]
        if value is not None:
            self._deeds.insert(place, (key, _deed(value)))
        while len(self._deeds) > AUDITED:  # who has written it down drops the record
            self._deeds.popleft()

    def _place(self, key: str) -> int:
        """Where a deed belongs: nearly always at the end, or, to be dropped, at the beginning."""
        if self._deeds and self._deeds[0][0] == key:
            return 0
        place = len(self._deeds)
        while place and self._deeds[place - 1][0] >= key:
            place -= 1
        return place

    def note(
        self,
        now: float,
        person: Person,
        what: str,
        whom: str = "",
        *,
        room: Room | None = None,
        reason: str = "",
        covered: str = "",
    ) -> None:
        """Write down what somebody did who looks after a room, or after the server.

        ``what`` is the word of the command, ``whom`` the nick of whom it was done to, or what was
        set.
        """
        where, ident = (room.name.shown, room.id) if room is not None else ("", "")
        reason = cut(reason, REASON_LENGTH)
        deed = Deed(now, person.nick, person.account, what, whom, covered, where, ident, reason)
        self._last += 1
        key = f"{self._last:0{_DIGITS}}{self._server and '.'}{self._server}"
        self._deeds.append((key, deed))
        self._store.put(KIND, key, json.dumps(asdict(deed)))
        self._prune()

    def _prune(self) -> None:
        while len(self._deeds) > AUDITED:
            key, _ = self._deeds.popleft()
            self._store.put(KIND, key, None)

    def last(self, count: int, room: Room | None = None) -> list[Deed]:
        """The last deeds in a room, or all that there are, oldest first."""
        found: list[Deed] = []
        for deed in self._newest():
            if len(found) == count:
                break
            if room is None or deed.room_id == room.id:
                found.append(deed)
        return found[::-1]

    def _newest(self) -> Iterator[Deed]:
        return (deed for _, deed in reversed(self._deeds))


def _number(key: str) -> int:
    return int(key.partition(".")[0])


def _deed(value: str) -> Deed:
    return Deed(**{name: each for name, each in json.loads(value).items() if name in _FIELDS})
