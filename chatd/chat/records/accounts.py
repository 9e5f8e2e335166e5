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
from chatd.chat.limits import ACCOUNTS, KEYS_PER_ACCOUNT, SEEN_AGAIN_SECONDS
from chatd.chat.records.loading import RecordLoader
from chatd.chat.store import NotStoredError, Store
from chatd.chat.text import names
from chatd.chat.text.names import Name
from chatd.chat.text.sanitizing import cut, safe

#: The kind of the records of accounts in the store.
KIND = "account"
_COMMENT_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Key:
    """An ssh key of an account; ``added`` in seconds since the epoch.

    ``proved`` says that its owner has logged in with it; any user can add a public key.
    """

    fingerprint: str
    comment: str
    added: float
    proved: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """A registered nick; ``created`` in seconds since the epoch.

    ``password`` is a hash by `chatd.chat.entry.passwords.PasswordHasher`, or empty; ``external``
    says that the external password checker proves the account as well.  ``used`` says that its
    owner has said something or come back, ``seen`` is when they were here, to a day or so (0: it is
    not known).  A password that an operator has set holds until ``password_until``.
    """

    name: Name
    keys: tuple[Key, ...]
    created: float
    password: str = ""
    external: bool = False
    used: bool = True
    seen: float = 0.0
    password_until: float | None = None

    def password_at(self, now: float) -> str:
        """Return the hash of the password that proves it now, or an empty string."""
        holds = self.password_until is None or now < self.password_until
        return self.password if holds else ""

    @property
    def has_password(self) -> bool:
        """Whether a password proves it."""
        return bool(self.password) or self.external

    def encoded(self) -> str:
        """Return the record of the account."""
        keys = [[key.fingerprint, key.comment, key.added, key.proved] for key in self.keys]
        fields = {"nick": self.name.shown, "keys": keys, "created": self.created}
        if self.password:
            fields["password"] = self.password
        if self.external:
            fields["outside"] = True
        if not self.used:
            fields["used"] = False
        if self.seen:
            fields["seen"] = self.seen
        if self.password_until is not None:
            fields["password_until"] = self.password_until
        return json.dumps(fields)


def _decoded(key: str, value: str) -> Account:
    fields = json.loads(value)
    keys = tuple(Key(*each) for each in fields["keys"])
    return Account(
        Name(fields["nick"], key),
        keys,
        fields["created"],
        fields.get("password", ""),
        fields.get("outside", False),
        fields.get("used", True),
        fields.get("seen", 0.0),
        fields.get("password_until"),
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
    """Every account of the server, by nick, by the skeletons of its nick, and by ssh key."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.load = RecordLoader(store, KIND, take=self._restore).load
        self._by_nick: dict[str, Account] = {}
        self._by_look: dict[str, Account] = {}
        self._by_key: dict[str, Account] = {}
        self._unused: dict[str, None] = {}

    def __iter__(self) -> Iterator[Account]:
        return iter(tuple(self._by_nick.values()))

    def _restore(self, records: Mapping[str, str]) -> None:
        for key, value in records.items():
            self._put(_decoded(key, value))

    def get(self, nick: str) -> Account | None:
        """Return the account with this folded nick, or None."""
        return self._by_nick.get(nick)

    def of_key(self, fingerprint: str | None, *, proved: bool = False) -> Account | None:
        """Return the account that a key proves, or None.

        With ``proved`` only an account whose owner has logged in with the key counts.
        """
        account = self._by_key.get(fingerprint) if fingerprint is not None else None
        if account is None or not proved:
            return account
        [key] = (each for each in account.keys if each.fingerprint == fingerprint)
        return account if key.proved else None

    def owner(self, name: Name) -> Account | None:
        """Return the account whose nick equals or looks like this one, or None."""
        found = self._by_nick.get(name.key)
        if found is not None:
            return found
        looks = (self._by_look.get(look) for look in names.skeletons(name))
        return next((account for account in looks if account is not None), None)

    def _put(self, account: Account) -> None:
        self._by_nick[account.name.key] = account
        for look in names.skeletons(account.name):
            self._by_look[look] = account
        for key in account.keys:
            self._by_key[key.fingerprint] = account
        if not account.used:
            self._unused[account.name.key] = None

    def _take_out(self, account: Account) -> None:
        del self._by_nick[account.name.key]
        for look in names.skeletons(account.name):
            self._by_look.pop(look, None)
        for key in account.keys:
            self._by_key.pop(key.fingerprint, None)
        self._unused.pop(account.name.key, None)

    def apply_change(self, key: str, value: str | None) -> None:
        """Apply the record of an account that another server has stored, or (None) dropped."""
        before = self._by_nick.get(key)
        if before is not None:
            self._take_out(before)
        if value is not None:
            self._put(_decoded(key, value))

    async def _change(self, before: Account | None, after: Account) -> Account:
        """Replace an account, or add one, and have it stored.

        The change is made in memory immediately, so that no other user claims the nick or a key
        meanwhile, and is undone when the store fails.
        """
        if before is not None:
            self._take_out(before)
        self._put(after)
        try:
            await self._store.put(KIND, after.name.key, after.encoded())
        except NotStoredError as why:
            self._take_out(after)
            if before is not None:
                self._put(before)
            raise Refused("not-kept", f"That was not done: {why}") from None
        return after

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
        keys = (Key(fingerprint, "", now, proved=True),) if fingerprint is not None else ()
        account = Account(name, keys, now, password, external, used=False, seen=now)
        return await self._change(None, account)

    def note_use(self, key: str | None, now: float) -> None:
        """Note that the owner of an account, by its folded nick, says something or comes back.

        It is stored about once a day.
        """
        account = self._by_nick.get(key) if key is not None else None
        if account is None or (account.used and abs(now - account.seen) < SEEN_AGAIN_SECONDS):
            return
        self._take_out(account)
        used = replace(account, used=True, seen=now)
        self._put(used)
        self._store.put(KIND, used.name.key, used.encoded())

    def next_unused(self, count: int) -> list[Account]:
        """Return the next accounts, at most ``count``, whose owners never came back; in turns."""
        keys = [*islice(self._unused, count)]
        for key in keys:
            del self._unused[key]
            self._unused[key] = None
        return [self._by_nick[key] for key in keys]

    async def drop(self, account: Account) -> None:
        """Drop an account.

        :raises Refused: ``not-kept``; it remains then.
        """
        self._take_out(account)
        try:
            await self._store.put(KIND, account.name.key, None)
        except NotStoredError as why:
            self._put(account)
            raise Refused("not-kept", f"That was not done: {why}") from None

    async def rename(self, account: Account, name: Name) -> Account:
        """Give an account another nick.

        :raises Refused: ``nick-taken``, ``not-kept``.
        """
        other = self.owner(name)
        if other is not None and other.name.key != account.name.key:
            raise Refused("nick-taken", f"{name} is registered, or looks like a nick that is.")
        await self.drop(account)
        try:
            return await self._change(None, replace(account, name=name))
        except Refused:
            await self._change(None, account)
            raise

    async def reset(
        self, account: Account, password: str, until: float, *, without_keys: bool
    ) -> Account:
        """Set the hash of a password that an operator has chosen, and maybe drop all keys.

        :raises Refused: ``not-kept``.
        """
        keys = () if without_keys else account.keys
        after = replace(account, password=password, password_until=until, keys=keys)
        return await self._change(account, after)

    def check_unowned(self, name: Name) -> None:
        """Check that a nick is not registered, and does not look like one that is.

        :raises Refused: ``nick-taken``.
        """
        if self.owner(name) is not None:
            raise Refused("nick-taken", f"{name} is registered, or looks like a nick that is.")

    async def set_password(self, account: Account, password: str) -> Account:
        """Set the hash of the password that proves an account; an empty one removes the password.

        :raises Refused: ``no-change``, ``last-proof``, ``not-kept``.
        """
        if not password and not account.password:
            raise Refused("no-change", "You have no password here.")
        if not password and not (account.keys or account.external):
            raise Refused("last-proof", "You have no key: without a password nothing proves you.")
        return await self._change(account, replace(account, password=password, password_until=None))

    async def add_key(self, account: Account, key: Key) -> Account:
        """Add a key that proves an account; a known key may become ``proved``.

        :raises Refused: ``key-taken``, ``too-many``, ``not-kept``.
        """
        others = tuple(
            each
            for each in account.keys
            if each.proved or not key.proved or each.fingerprint != key.fingerprint
        )
        if len(others) < len(account.keys):  # the owner has logged in with it now
            return await self._change(account, replace(account, keys=(*others, key)))
        self._check_free(key.fingerprint)
        if len(account.keys) >= KEYS_PER_ACCOUNT:
            raise Refused("too-many", f"You have {KEYS_PER_ACCOUNT} keys; /keys remove one first.")
        return await self._change(account, replace(account, keys=(*account.keys, key)))

    async def remove_key(self, account: Account, number: int) -> Account:
        """Remove a key of an account, by its number in the list, from 1.

        :raises Refused: ``no-such-key``, ``last-key``, ``not-kept``.
        """
        if not 1 <= number <= len(account.keys):
            raise Refused("no-such-key", f"There is no key {number}; /keys lists them.")
        if len(account.keys) == 1 and not account.has_password:
            raise Refused("last-key", "That is your only key: without it you could not come back.")
        keys = account.keys[: number - 1] + account.keys[number:]
        return await self._change(account, replace(account, keys=keys))
