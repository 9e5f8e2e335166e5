"""Writing records: the only way from the chat to `chatd.chat.store.Store.put_all`.

A change that somebody asked for is made by `Records.keep`, a coroutine: a command awaits it before
it says that anything is done.  What nobody asked for, such as how far a user has read, goes through
`Records.keep_quietly`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from chatd.chat.events import Refused
from chatd.chat.model.bans import Ban
from chatd.chat.store import NotStoredError, Record, Store

Result = TypeVar("Result")

#: Records that nobody waits for, and that are written later when the store has failed to: an audit
#: entry and a profile for each of some thousand people, some MiB.
OWED_RECORDS = 10_000
#: The record that is written to learn whether the disk takes anything; every server ignores it.
_PROBE = ("probe", "disk")

#: Applies a record to the memory of the chat, given its key and its value, or None for no record.
Apply = Callable[[str, str | None], None]


@dataclass(slots=True)
class _Change:
    """A record that a change replaces: its value, and the one to which a failure returns."""

    value: str | None
    before: str | None


@dataclass(slots=True)
class _Writing:
    """The writes of one record that are in progress; the ``newest`` decides what memory has.

    ``kept`` is the value to which memory returns if that one fails.
    """

    kept: str | None
    count: int = 0
    newest: int = 0


@dataclass(frozen=True, slots=True)
class _Owed:
    """A record that nobody waits for: the number of its write, and its value."""

    number: int
    value: str | None


def _in_safe_order(changes: Mapping[tuple[str, str], _Change]) -> list[Record]:
    """Return records in the order in which a store without transactions puts them.

    If that ends halfway, with the process, nothing is lost: what is replaced by another record, as
    an account that gets another nick, is dropped after that is put.  What was changed first is
    dropped last: an account after what belongs to it, which the next owner of the nick must not
    find.
    """
    all_of_them = [Record(*key, each.value) for key, each in changes.items()]
    dropped = [each for each in all_of_them if each.value is None]
    return [*(each for each in all_of_them if each.value is not None), *reversed(dropped)]


class Records:
    """Writes the records of the chat, and undoes in memory what could not be stored.

    Each kind of record has one function that applies a record to memory.  It undoes a change that
    could not be stored, and applies the changes of other servers.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._apply: dict[str, Apply] = {}
        self._undo: dict[str, Apply] = {}
        self._changes: dict[tuple[str, str], _Change] | None = None
        self._writing: dict[tuple[str, str], _Writing] = {}
        self._owed: OrderedDict[tuple[str, str], _Owed] = OrderedDict()
        self._count = 0

    def register(self, kind: str, apply: Apply, undo: Apply | None = None) -> None:
        """Let ``apply`` change the memory of the chat for the records of a kind.

        ``undo`` returns memory to a record after a change that was not stored, where that is not
        the same.
        """
        self._apply[kind] = apply
        self._undo[kind] = undo or apply

    async def of_kind(self, kind: str) -> Mapping[str, str]:
        """Return the records of a kind that the store has, by their keys."""
        return await self._store.records(kind)

    def apply_change(self, kind: str, key: str, value: str | None) -> None:
        """Apply a record that another server has stored, or (None) dropped.

        Records of an unknown kind are ignored: a newer server may have them.
        """
        if kind not in self._apply:
            return
        writing = self._writing.get((kind, key))
        if writing is not None:
            writing.kept = value
        self._apply[kind](key, value)

    async def keep(self, change: Callable[[], Result]) -> Result:
        """Change memory, and wait until all records that were put meanwhile are stored together.

        ``change`` checks what has to be checked, changes memory and returns a result; modules of
        records `put` what has changed.  If that cannot be stored, memory is as it was before.  No
        user is shown anything of the change until this has returned.

        :raises Refused: ``not-kept``, and what ``change`` raises; nothing has changed then.
        """
        if self._changes is not None:
            raise RuntimeError("a change of records within another one")
        changes: dict[tuple[str, str], _Change] = {}
        self._changes = changes
        try:
            result = change()
        except BaseException:
            for (kind, key), each in changes.items():
                self._undo[kind](key, each.before)
            raise
        finally:
            self._changes = None
        if changes:
            await self._write(changes)
        return result

    def put(self, kind: str, key: str, value: str | None, before: str | None) -> None:
        """Put a record, or (None) drop it, as part of a change.

        ``before`` is the value that describes the state in memory before the change.

        :raises RuntimeError: outside of `keep`: then nobody would wait for the store.
        """
        if self._changes is None:
            raise RuntimeError(f"a record of {kind} is changed, and nobody waits until it is kept")
        earlier = self._changes.get((kind, key))
        self._changes[kind, key] = _Change(value, earlier.before if earlier else before)

    async def _write(self, changes: dict[tuple[str, str], _Change]) -> None:
        self._count = number = self._count + 1
        for record, change in changes.items():
            writing = self._writing.setdefault(record, _Writing(change.before))
            writing.count += 1
            writing.newest = number
        stored = False
        try:
            await self._store.put_all(_in_safe_order(changes))
            stored = True
        except NotStoredError as why:
            raise Refused("not-kept", f"That was not done: {why}") from None
        finally:
            for record, change in changes.items():
                self._written(record, change, number, stored=stored)

    def _written(
        self, record: tuple[str, str], change: _Change, number: int, *, stored: bool
    ) -> None:
        writing = self._writing[record]
        writing.count -= 1
        if not writing.count:
            del self._writing[record]
        if stored:
            writing.kept = change.value
            self._owed.pop(record, None)
        elif writing.newest == number:
            kind, key = record
            self._undo[kind](key, writing.kept)

    def ban_changed(
        self, kind: str, prefix: str, before: Ban | None, after: Ban | None, *, quietly: bool
    ) -> None:
        """Put the record of a ban that was set or lifted; its key is a prefix and its target."""
        ban = after or before
        if ban is None:
            return
        key = f"{prefix}{ban.target}"
        value, earlier = (each.encoded() if each else None for each in (after, before))
        if quietly:
            self.keep_quietly(kind, key, value)
        else:
            self.put(kind, key, value, earlier)

    def keep_quietly(self, kind: str, key: str, value: str | None) -> None:
        """Put a record, or (None) drop it, for which nobody waits.

        If that fails, memory stays ahead of the store, and `retry` writes it later.
        """
        self._count = number = self._count + 1
        writing = self._writing.get((kind, key))
        if writing is not None:
            writing.newest = number
        self._put_quietly((kind, key), _Owed(number, value))

    def _put_quietly(self, record: tuple[str, str], owed: _Owed) -> None:
        written = partial(self._written_quietly, record, owed)
        self._store.put_quietly(Record(*record, owed.value), written)

    def _written_quietly(self, record: tuple[str, str], owed: _Owed, reason: str | None) -> None:
        earlier = self._owed.get(record)
        if earlier is not None and earlier.number > owed.number:
            return
        self._owed.pop(record, None)
        if reason is not None and record not in self._writing:
            self._owed[record] = owed
            if len(self._owed) > OWED_RECORDS:
                self._owed.popitem(last=False)

    def retry(self) -> None:
        """Write again what nobody waits for and could not be stored, or else a probe.

        The store learns by that whether its disk takes anything again.
        """
        for record, owed in tuple(self._owed.items()) or [(_PROBE, _Owed(0, ""))]:
            self._put_quietly(record, owed)
