"""Audit: who of those who look after rooms and the server did what, to whom and why."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from itertools import takewhile

from chatd.chat.limits import AUDITED, REASON_LENGTH
from chatd.chat.model.entities import Person, Room
from chatd.chat.records.loading import RecordLoader
from chatd.chat.store import Store
from chatd.chat.text.sanitizing import cut

#: What the records of the log are called in the store.
KIND = "audit"
#: Numbers of entries, with zeros before them so that keys are in their order.
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class AuditEntry:
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
_FIELDS = frozenset(each.name for each in fields(AuditEntry))


class AuditLog:
    """The last deeds, oldest first: a record of the store each, so that one costs one.

    ``holder`` is this server where others share the store: what two write down at once has two
    records then.
    """

    def __init__(self, store: Store, holder: str = "") -> None:
        self._store = store
        self._holder = holder
        self._deeds: OrderedDict[str, AuditEntry] = OrderedDict()
        self._last = 0
        self.load = RecordLoader(store, KIND, take=self._restore).load

    def _restore(self, records: Mapping[str, str]) -> None:
        for key in sorted(records):
            self._take(key, records[key])
        self._prune()

    def learn(self, key: str, value: str | None) -> None:
        """Take what was done on another server, which lets go of what is too much itself."""
        self._deeds.pop(key, None)
        if value is not None:
            self._take(key, value)
            if len(self._deeds) > AUDITED:
                self._deeds.popitem(last=False)

    def _take(self, key: str, value: str) -> None:
        fields = {name: each for name, each in json.loads(value).items() if name in _FIELDS}
        later = [*takewhile(lambda each: each > key, reversed(self._deeds))]
        self._deeds[key] = AuditEntry(**fields)
        for each in reversed(later):  # what two did at once is in one order everywhere
            self._deeds.move_to_end(each)
        self._last = max(self._last, int(key.partition(".")[0]))

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
        deed = AuditEntry(
            now, person.nick, person.account, what, whom, covered, where, ident, reason
        )
        self._last += 1
        key = f"{self._last:0{_DIGITS}}{'.' * bool(self._holder)}{self._holder}"
        self._deeds[key] = deed
        self._store.put(KIND, key, json.dumps(asdict(deed)))
        self._prune()

    def _prune(self) -> None:
        while len(self._deeds) > AUDITED:
            key, _ = self._deeds.popitem(last=False)
            self._store.put(KIND, key, None)

    def last(self, count: int, room: Room | None = None) -> list[AuditEntry]:
        """The last deeds in a room, or all that there are, oldest first."""
        found: list[AuditEntry] = []
        for deed in self._newest():
            if len(found) == count:
                break
            if room is None or deed.room_id == room.id:
                found.append(deed)
        return found[::-1]

    def _newest(self) -> Iterator[AuditEntry]:
        return reversed(self._deeds.values())
