"""Audit: who of those who look after rooms and the server did what, to whom and why."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

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


class Audit:
    """The last deeds, oldest first: a record of the store each, so that one costs one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._deeds: deque[tuple[int, Deed]] = deque()
        self._last = 0
        self.load = Records(store, KIND, take=self._restore).load

    def _restore(self, records: Mapping[str, str]) -> None:
        for key in sorted(records):
            self._deeds.append((int(key), Deed(**json.loads(records[key]))))
        if self._deeds:
            self._last = self._deeds[-1][0]
        self._prune()

    def learn(self, key: str, value: str | None) -> None:
        """Take what was done on another server."""
        number = int(key)
        if value is not None and number > self._last:
            self._deeds.append((number, Deed(**json.loads(value))))
            self._last = number

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
        self._deeds.append((self._last, deed))
        self._store.put(KIND, _key(self._last), json.dumps(asdict(deed)))
        self._prune()

    def _prune(self) -> None:
        while len(self._deeds) > AUDITED:
            number, _ = self._deeds.popleft()
            self._store.put(KIND, _key(number), None)

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


def _key(number: int) -> str:
    return f"{number:0{_DIGITS}}"
