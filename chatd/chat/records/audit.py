"""Audit log: the acts of moderators and operators, with their targets and reasons."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from itertools import takewhile

from chatd.chat.limits import AUDIT_ENTRIES, REASON_LENGTH
from chatd.chat.model.entities import Person, Room
from chatd.chat.records.loading import RecordLoader
from chatd.chat.records.writing import Records
from chatd.chat.text.sanitizing import cut

#: The kind of the records of the log in the store.
KIND = "audit"
#: Digits of an entry's number in its key, padded with zeros so that keys sort by number.
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act of a moderator or operator; ``time`` in seconds since the epoch.

    ``nick`` and ``account`` (a folded nick) are theirs; ``what`` is the command.  ``whom`` is the
    public description of its target, ``covered`` the part that only operators may see.  ``room`` is
    empty for the server, and ``room_id`` tells rooms of the same name apart.  The names of fields
    are stored.
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


#: The fields that this server knows; a newer one may store more.
_FIELDS = frozenset(each.name for each in fields(AuditEntry))


class AuditLog:
    """The newest entries, oldest first.

    Each is a separate record, so that adding one writes one.  ``holder`` identifies this server
    where others share the store, and is part of the keys: entries that two servers add
    simultaneously are two records.
    """

    def __init__(self, records: Records, holder: str = "") -> None:
        self._records = records
        records.register(KIND, self.apply_change)
        self._holder = holder
        self._entries: OrderedDict[str, AuditEntry] = OrderedDict()
        self._last = 0
        self.load = RecordLoader(records, KIND, take=self._restore).load

    def _restore(self, records: Mapping[str, str]) -> None:
        for key in sorted(records):
            self._take(key, records[key])
        self._prune()

    def apply_change(self, key: str, value: str | None) -> None:
        """Apply the record of an entry that another server has stored, or (None) dropped.

        The other server drops the records beyond the bound itself.
        """
        self._entries.pop(key, None)
        if value is not None:
            self._take(key, value)
            if len(self._entries) > AUDIT_ENTRIES:
                self._entries.popitem(last=False)

    def _take(self, key: str, value: str) -> None:
        fields = {name: each for name, each in json.loads(value).items() if name in _FIELDS}
        later = [*takewhile(lambda each: each > key, reversed(self._entries))]
        self._entries[key] = AuditEntry(**fields)
        for each in reversed(later):  # simultaneous entries have the same order on all servers
            self._entries.move_to_end(each)
        self._last = max(self._last, int(key.partition(".")[0]))

    def add(
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
        """Add an entry for an act of ``person`` in a room, or on the server.

        ``what`` is the name of the command, ``whom`` the nick that it was applied to, or the
        setting; ``covered`` is the part of the target that only operators may see.
        """
        where, ident = (room.name.shown, room.id) if room is not None else ("", "")
        reason = cut(reason, REASON_LENGTH)
        entry = AuditEntry(
            now, person.nick, person.account, what, whom, covered, where, ident, reason
        )
        self._last += 1
        key = f"{self._last:0{_DIGITS}}{'.' * bool(self._holder)}{self._holder}"
        self._entries[key] = entry
        self._records.keep_quietly(KIND, key, json.dumps(asdict(entry)))
        self._prune()

    def _prune(self) -> None:
        while len(self._entries) > AUDIT_ENTRIES:
            key, _ = self._entries.popitem(last=False)
            self._records.keep_quietly(KIND, key, None)

    def last(self, count: int, room: Room | None = None) -> list[AuditEntry]:
        """Return the last ``count`` entries, oldest first; with a ``room`` only that room's."""
        found: list[AuditEntry] = []
        for entry in self._newest():
            if len(found) == count:
                break
            if room is None or entry.room_id == room.id:
                found.append(entry)
        return found[::-1]

    def _newest(self) -> Iterator[AuditEntry]:
        return reversed(self._entries.values())
