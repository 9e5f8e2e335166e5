"""Logins: whether somebody who brings a password is the owner of an account.

Passwords are hashed and checked one at a time elsewhere; here is who may ask for that, how often,
and how many wait.
"""

from __future__ import annotations

from collections.abc import Coroutine
from math import ceil
from typing import Any, TypeVar

from chatd.chat.entry.passwords import (
    NotCheckedError,
    PasswordChecker,
    PasswordHasher,
    check_new,
    prepared,
)
from chatd.chat.events import Refused
from chatd.chat.limits import NEW_PASSWORDS, PENDING_PASSWORD_CHECKS
from chatd.chat.model.entities import Person
from chatd.chat.model.people import People
from chatd.chat.ratelimit.login_throttle import LoginThrottle, PerAddressRate
from chatd.chat.records.accounts import Account, Accounts
from chatd.chat.text import names
from chatd.chat.text.names import GUEST, Name

_T = TypeVar("_T")


class Authenticator:
    """Proves accounts by passwords.  ``checker`` knows people from elsewhere, if anybody does."""

    def __init__(
        self,
        people: People,
        accounts: Accounts,
        hasher: PasswordHasher,
        checker: PasswordChecker | None = None,
    ) -> None:
        self._people = people
        self._accounts = accounts
        self._hasher = hasher
        self._checker = checker
        self._slowing = LoginThrottle()
        self._setting = PerAddressRate(NEW_PASSWORDS)
        self._waiting = 0

    def came(self, account: str, address: str) -> None:
        """The owner of an account, by whatever proof, has come from an address."""
        self._slowing.owner_logged_in(account, address)

    async def check(self, nick: str, address: str, now: float) -> Name:
        """Whether a password may be tried for a nick now; return the name of the account.

        :raises Refused: ``bad-nick``, ``no-such-account``, ``no-password``, ``too-fast``.
        """
        await self._accounts.load()
        name = names.nick(nick)
        account = self._accounts.get(name.key)
        if account is None and self._checker is None:
            raise Refused("no-such-account", f"There is no account {name}; /register makes one.")
        if account is not None and not account.password and self._checker is None:
            raise Refused("no-password", f"{name} has no password; its owner has an ssh key.")
        wait = self._slowing.wait(name.key, address, now)
        if wait > 0:
            raise Refused(
                "too-fast", f"There were too many wrong passwords; try again in {ceil(wait)} s."
            )
        return account.name if account is not None else name

    async def prove(
        self, nick: str, password: str, address: str, now: float, by: Person | None = None
    ) -> Account:
        """Return the account that a password proves, for somebody who may be here already.

        One of elsewhere is made when there is none.

        :raises Refused: ``wrong-password``, ``not-checked``, ``nick-taken``, ``busy``,
            ``too-many``, ``not-kept`` and as `check`.
        """
        name = await self.check(nick, address, now)
        known = self._slowing.is_known(name.key, address)

        self._check_room(known=known)
        attempt = self._slowing.begin(name.key, address, now)
        own, outside = await self._in_turn(self._proves(name, prepared(password)))
        if not (own or outside):
            raise Refused("wrong-password", f"That is not the password of {name}.")
        account = self._accounts.get(name.key)
        if account is None or not (own or account.external):
            try:
                account = await self._make(name, now, by)
            except Refused:
                self._slowing.withdraw(attempt, now)
                raise
        self._slowing.succeeded(attempt, now)
        return account

    async def _proves(self, name: Name, password: str | None) -> tuple[bool, bool]:
        """Whether a password is that of the account, else whether it is that of elsewhere."""
        account = self._accounts.get(name.key)
        if password is None:
            return False, False
        try:
            kept = account.password if account is not None else ""
            if kept and await self._hasher.matches(kept, password):
                return True, False
            if self._checker is None:
                return False, False
            return False, await self._checker.check(name.key, password)
        except NotCheckedError:
            raise Refused(
                "not-checked",
                "Passwords cannot be checked now; who runs this server finds why in its log.",
            ) from None

    async def _make(self, name: Name, now: float, by: Person | None) -> Account:
        """Make the account of somebody whom the checker knows.

        :raises Refused: ``nick-taken``, ``too-many``, ``not-kept``.
        """
        self._accounts.check_unowned(name)
        if name.key.startswith(GUEST) or not self._people.is_free(name, by):
            raise Refused("nick-taken", f"{name} is taken, or looks like a nick that is.")
        return await self._accounts.register(name, None, now, external=True)

    async def hash(self, text: str, nick: str, address: str, now: float) -> str:
        """What is kept of the new password of somebody.

        :raises Refused: ``bad-password``, ``busy``, ``too-fast``.
        """
        password = check_new(text, nick)
        wait = self._setting.wait(address, now)
        if wait > 0:
            raise Refused(
                "too-fast",
                f"Many passwords were set from your address; try again in {ceil(wait)} s.",
            )
        self._check_room()
        return await self._in_turn(self._hasher.hash(password))

    def _check_room(self, *, known: bool = False) -> None:
        """Whether one more may wait.

        :raises Refused: ``busy``.
        """
        if self._waiting >= PENDING_PASSWORD_CHECKS * (1 + known):
            raise Refused("busy", "Many people are logging in now; try again in a moment.")

    async def _in_turn(self, work: Coroutine[Any, Any, _T]) -> _T:
        self._waiting += 1
        try:
            return await work
        finally:
            self._waiting -= 1
