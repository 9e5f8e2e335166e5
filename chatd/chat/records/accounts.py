"""Accounts: registered nicks, and the proofs of identity of their owners.

A proof is an ssh key, a password, or the answer of an external password checker, which knows users
by the same names.

All accounts are in memory, and every change is stored before it is reported.  An account exists
while its owner is away; a user who is here is a `chatd.chat.model.entities.Person`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from chatd.chat.events import Refused
from chatd.chat.limits import (
    ACCOUNT_CHANGES,
    ACCOUNTS,
    ESTABLISHED_SECONDS,
    KEYS_PER_ACCOUNT,
    SEEN_AGAIN_SECONDS,
)
from chatd.chat.records.loading import RecordLoader
from chatd.chat.records.writing import Records
from chatd.chat.text import names
from chatd.chat.text.names import Name
from chatd.chat.text.sanitizing import cut, safe

#: The kind of the records of accounts in the store.
KIND = "account"
#: The kind of the records of when an owner was last here: apart from those of accounts, as being
#: here on one server must not undo a change of the account on another.
SEEN = "seen"
_COMMENT_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Key:
    """An ssh key of an account; ``added`` in seconds since the epoch."""

    fingerprint: str
    comment: str
    added: float


@dataclass(frozen=True, slots=True)
class Change:
    """A change of what proves an account, to tell its owner; ``time`` in seconds since the epoch.

    ``text`` says what was done, from where and by which proof.
    """

    time: float
    text: str


@dataclass(frozen=True, slots=True)
class Account:
    """A registered nick; ``created`` in seconds since the epoch.

    ``password`` is a hash by `chatd.chat.entry.passwords.PasswordHasher`, or empty; ``external``
    says that the external password checker proves the account as well.  ``pending`` keys prove
    nothing: anybody can add a public key, so its holder has to accept.  ``changes`` are the newest
    ones, oldest first.  A password that an operator has set holds until ``password_until``.
    ``counts_use`` says that it is known whether its owner ever came back: earlier versions did not
    note that.
    """

    name: Name
    keys: tuple[Key, ...]
    created: float
    password: str = ""
    external: bool = False
    pending: tuple[Key, ...] = ()
    changes: tuple[Change, ...] = ()
    password_until: float | None = None
    counts_use: bool = False

    def is_established(self, now: float) -> bool:
        """Whether it is old enough that its owner goes before guests where capacity is tight."""
        return now - self.created >= ESTABLISHED_SECONDS

    def password_at(self, now: float) -> str:
        """Return the hash of the password that proves it now, or an empty string."""
        holds = self.password_until is None or now < self.password_until
        return self.password if holds else ""

    @property
    def has_password(self) -> bool:
        """Whether a password proves it."""
        return bool(self.password) or self.external

    @property
    def listed(self) -> tuple[Key, ...]:
        """The keys as /keys numbers them: those that prove the account, then the pending ones."""
        return (*self.keys, *self.pending)

    def encoded(self) -> str:
        """Return the record of the account.

        Earlier versions take a key with True at its end for one that its owner has proved.
        """
        keys = [[*_key_row(key), True] for key in self.keys]
        fields = {"nick": self.name.shown, "keys": keys, "created": self.created}
        if self.password:
            fields["password"] = self.password
        if self.external:
            fields["outside"] = True
        if self.pending:
            fields["pending"] = [_key_row(key) for key in self.pending]
        if self.changes:
            fields["changes"] = [[change.time, change.text] for change in self.changes]
        if self.counts_use:
            fields["counts_use"] = True
        if self.password_until is not None:
            fields["password_until"] = self.password_until
        return json.dumps(fields)

    def noted(self, change: Change) -> Account:
        """Return the account with a change to tell its owner; beyond the bound the oldest goes."""
        return replace(self, changes=(*self.changes, change)[-ACCOUNT_CHANGES:])


def _key_row(key: Key) -> list[str | float]:
    return [key.fingerprint, key.comment, key.added]


def _decoded(key: str, value: str) -> Account:
    """Return an account from its record.

    A key that the record does not say is proved was added by an earlier version, which did not ask
    its holder: it is pending.
    """
    fields = json.loads(value)
    keys = [(Key(*each[:3]), bool(each[3:4] and each[3])) for each in fields["keys"]]
    added = [Key(*each[:3]) for each in fields.get("pending", ())]
    return Account(
        Name(fields["nick"], key),
        tuple(each for each, proved in keys if proved),
        fields["created"],
        fields.get("password", ""),
        fields.get("outside", False),
        (*(each for each, proved in keys if not proved), *added),
        tuple(Change(*each[:2]) for each in fields.get("changes", ())),
        fields.get("password_until"),
        fields.get("counts_use", False),
    )


def read_key(text: str, now: float) -> Key:
    """Parse a public key, as in a line of ``authorized_keys`` or in ``id_ed25519.pub``.

    :raises Refused: ``bad-key``.
    """
    kind, _, rest = text.strip().partition(" ")
    blob, _, comment = rest.strip().partition(" ")
    try:
        data = base64.b64decode(blob, validate=True)
    except binascii.Error:
        data = b""
    name = kind.encode()
    if not data or not data.startswith(len(name).to_bytes(4, "big") + name):
        raise Refused("bad-key", "A key is a line such as: ssh-ed25519 AAAAC3Nza… comment.")
    digest = base64.b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return Key(f"SHA256:{digest}", cut(safe(comment), _COMMENT_LENGTH), now)


class Accounts:
    """Every account of the server, by nick, by the looks of its nick, and by ssh key."""

    def __init__(self, records: Records) -> None:
        self._records = records
        records.register(KIND, self.apply_change)
        records.register(SEEN, self.apply_seen)
        self.load = RecordLoader(records, KIND, SEEN, take=self._restore).load
        self._by_nick: dict[str, Account] = {}
        self._by_look: dict[str, Account] = {}
        self._by_key: dict[str, Account] = {}
        self._claims: dict[str, dict[str, None]] = {}  # of a pending key, by accounts
        self._unused: dict[str, None] = {}
        self._seen: dict[str, float] = {}

    def __iter__(self) -> Iterator[Account]:
        return iter(tuple(self._by_nick.values()))

    def _restore(self, records: Mapping[str, str], seen: Mapping[str, str]) -> None:
        for key, value in seen.items():
            self.apply_seen(key, value)
        for key, value in records.items():
            self._put(_decoded(key, value))

    def get(self, nick: str) -> Account | None:
        """Return the account with this folded nick, or None."""
        return self._by_nick.get(nick)

    def of_key(self, fingerprint: str | None) -> Account | None:
        """Return the account that a key proves, or None."""
        return self._by_key.get(fingerprint) if fingerprint is not None else None

    def claiming(self, fingerprint: str | None) -> list[Account]:
        """Return the accounts that a key is pending for, the newest claim last."""
        claims = self._claims.get(fingerprint, {}) if fingerprint is not None else {}
        return [self._by_nick[key] for key in claims]

    def owner(self, name: Name) -> Account | None:
        """Return the account whose nick equals or looks like this one, or None."""
        found = self._by_nick.get(name.key)
        if found is not None:
            return found
        looks = (self._by_look.get(look) for look in names.looks(name))
        return next((account for account in looks if account is not None), None)

    def _put(self, account: Account) -> None:
        self._by_nick[account.name.key] = account
        for look in names.looks(account.name):
            self._by_look.setdefault(look, account)
        for key in account.keys:
            self._by_key[key.fingerprint] = account
        for key in account.pending:
            self._claims.setdefault(key.fingerprint, {})[account.name.key] = None
        if account.counts_use and account.name.key not in self._seen:
            self._unused[account.name.key] = None

    def _take_out(self, account: Account) -> None:
        del self._by_nick[account.name.key]
        for look in names.looks(account.name):
            if self._by_look.get(look) is account:
                del self._by_look[look]
        for key in account.keys:
            if self._by_key.get(key.fingerprint) is account:  # else it has another nick already
                del self._by_key[key.fingerprint]
        for key in account.pending:
            claims = self._claims[key.fingerprint]
            del claims[account.name.key]
            if not claims:
                del self._claims[key.fingerprint]
        self._unused.pop(account.name.key, None)

    def apply_change(self, key: str, value: str | None) -> None:
        """Apply the record of an account that another server has stored, or (None) dropped."""
        before = self._by_nick.get(key)
        if before is not None:
            self._take_out(before)
        if value is not None:
            self._put(_decoded(key, value))

    async def _change(self, before: Account | None, after: Account) -> Account:
        """Replace an account, or add one, and wait until it is stored.

        The change is made in memory immediately, so that no other user claims the nick or a key
        meanwhile, and is undone when the store fails.
        """

        def change() -> Account:
            if before is not None:
                self._take_out(before)
            self._put(after)
            earlier = before.encoded() if before is not None else None
            self._records.put(KIND, after.name.key, after.encoded(), earlier)
            return after

        return await self._records.keep(change)

    def _check_free(self, fingerprint: str) -> None:
        owner = self._by_key.get(fingerprint)
        if owner is not None:
            raise Refused("key-taken", f"That key is one of {owner.name} already.")

    async def register(
        self,
        name: Name,
        fingerprint: str | None,
        now: float,
        *,
        password: str = "",
        external: bool = False,
    ) -> Account:
        """Register a nick, to be proved by its owner's ssh key or by another proof.

        :raises Refused: ``nick-taken``, ``key-taken``, ``too-many``, ``not-kept``.
        """
        self.check_unowned(name)
        if fingerprint is not None:
            self._check_free(fingerprint)
        if len(self._by_nick) >= ACCOUNTS:
            raise Refused("too-many", "The server has no place for another account.")
        keys = (Key(fingerprint, "", now),) if fingerprint is not None else ()
        account = Account(name, keys, now, password, external, counts_use=True)
        return await self._change(None, account)

    def note_use(self, key: str | None, now: float) -> None:
        """Note that the owner of an account, by its folded nick, says something or comes back.

        It is stored about once a day.
        """
        if key is None or key not in self._by_nick:
            return
        last = self.last_seen(key)
        if last is None or abs(now - last) >= SEEN_AGAIN_SECONDS:
            self.apply_seen(key, str(now))
            self._records.keep_quietly(SEEN, key, str(now))

    def apply_seen(self, key: str, value: str | None) -> None:
        """Apply a record of when an owner was last here, or (None) that it was dropped."""
        self._seen.pop(key, None)
        if value is not None:
            self._seen[key] = float(value)
            self._unused.pop(key, None)

    def last_seen(self, key: str) -> float | None:
        """Return when an owner was last here, to a day; None if never again, or not known."""
        return self._seen.get(key)

    def is_unused(self, account: Account) -> bool:
        """Whether it is known that its owner never said anything and never came back."""
        return account.name.key in self._unused

    def next_unused(self, count: int) -> list[Account]:
        """Return the next accounts, at most ``count``, whose owners never came back; in turns."""
        keys = [*islice(self._unused, count)]
        for key in keys:
            del self._unused[key]
            self._unused[key] = None
        return [self._by_nick[key] for key in keys]

    def drop(self, account: Account) -> None:
        """Drop an account, as part of a change of records."""
        key = account.name.key
        self._take_out(account)
        self._records.put(KIND, key, None, account.encoded())
        seen = self._seen.pop(key, None)
        if seen is not None:
            self._records.put(SEEN, key, None, str(seen))

    def rename(self, account: Account, name: Name) -> None:
        """Give an account another nick, as part of a change of records.

        :raises Refused: ``nick-taken``.
        """
        other = self.owner(name)
        if other is not None and other.name.key != account.name.key:
            raise Refused("nick-taken", f"{name} is registered, or looks like a nick that is.")
        seen = self.last_seen(account.name.key)
        self.drop(account)
        renamed = replace(account, name=name)
        self._put(renamed)
        self._records.put(KIND, name.key, renamed.encoded(), None)
        if seen is not None:
            self.apply_seen(name.key, str(seen))
            self._records.put(SEEN, name.key, str(seen), None)

    async def reset(
        self, account: Account, password: str, until: float, change: Change, *, without_keys: bool
    ) -> Account:
        """Set the hash of a password that an operator has chosen, and maybe drop all keys.

        ``change`` tells the owner of it.

        :raises Refused: ``not-kept``.
        """
        keys = () if without_keys else account.keys
        after = replace(account, password=password, password_until=until, keys=keys)
        return await self._change(account, after.noted(change))

    def check_unowned(self, name: Name) -> None:
        """Check that a nick is not registered, and does not look like one that is.

        :raises Refused: ``nick-taken``.
        """
        if self.owner(name) is not None:
            raise Refused("nick-taken", f"{name} is registered, or looks like a nick that is.")

    async def set_password(self, account: Account, password: str, change: Change) -> Account:
        """Set the hash of the password that proves an account; an empty one removes the password.

        :raises Refused: ``no-change``, ``last-proof``, ``not-kept``.
        """
        check_password_change(account, password)
        after = replace(account, password=password, password_until=None)
        return await self._change(account, after.noted(change))

    async def add_key(self, account: Account, key: Key, change: Change) -> Account:
        """Add a key that proves an account, whose holder has proved to have it and accepts.

        :raises Refused: ``key-taken``, ``too-many``, ``not-kept``.
        """
        self.check_new_key(account, key.fingerprint)
        pending = tuple(each for each in account.pending if each.fingerprint != key.fingerprint)
        added = replace(account, keys=(*account.keys, key), pending=pending)
        return await self._change(account, added.noted(change))

    async def add_pending(self, account: Account, key: Key, change: Change) -> Account:
        """Add a key that its holder has still to accept.

        :raises Refused: ``key-taken``, ``too-many``, ``not-kept``.
        """
        self.check_claim(account, key.fingerprint)
        added = replace(account, pending=(*account.pending, key))
        return await self._change(account, added.noted(change))

    def check_claim(self, account: Account, fingerprint: str) -> None:
        """Check that an account may claim a key: it has fewer than the bound, and not this one.

        It may be a key of another account: saying so would tell whose key it is.

        :raises Refused: ``key-taken``, ``too-many``.
        """
        if any(each.fingerprint == fingerprint for each in account.keys):
            raise Refused("key-taken", f"That key is one of {account.name} already.")
        if any(each.fingerprint == fingerprint for each in account.pending):
            raise Refused("key-taken", "That key waits for its holder already.")
        _check_number(account)

    def check_new_key(self, account: Account, fingerprint: str) -> None:
        """Check that a key can become one of an account.

        :raises Refused: ``key-taken``, ``too-many``.
        """
        self._check_free(fingerprint)
        if all(each.fingerprint != fingerprint for each in account.pending):
            _check_number(account)

    async def drop_key(self, account: Account, fingerprint: str, change: Change) -> Account:
        """Drop a key of an account, pending or not.

        :raises Refused: ``not-kept``.
        """
        keys = tuple(each for each in account.keys if each.fingerprint != fingerprint)
        pending = tuple(each for each in account.pending if each.fingerprint != fingerprint)
        without = replace(account, keys=keys, pending=pending)
        return await self._change(account, without.noted(change))


def check_password_change(account: Account, password: str) -> None:
    """Check that an account can have a password, or (if it is empty) none.

    :raises Refused: ``no-change``, ``last-proof``.
    """
    if not password and not account.password:
        raise Refused("no-change", "You have no password here.")
    if not password and not (account.keys or account.external):
        raise Refused("last-proof", "You have no key: without a password nothing proves you.")


def key_to_remove(account: Account, number: int) -> Key:
    """Return the key of an account with a number in `Account.listed`, from 1.

    :raises Refused: ``no-such-key``, ``last-key``.
    """
    if not 1 <= number <= len(account.listed):
        raise Refused("no-such-key", f"There is no key {number}; /keys lists them.")
    key = account.listed[number - 1]
    if account.keys == (key,) and not account.has_password:
        raise Refused("last-key", "That is your only key: without it you could not come back.")
    return key


def _check_number(account: Account) -> None:
    if len(account.listed) >= KEYS_PER_ACCOUNT:
        raise Refused("too-many", f"You have {KEYS_PER_ACCOUNT} keys; /keys remove one first.")
