"""Authentication by password, with limits on attempts and pending checks.

A `PasswordHasher` and a `PasswordChecker` do the hashing and checking, one at a time.  Times are in
seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from math import ceil
from secrets import token_urlsafe
from typing import Any, TypeVar

from chatd.chat.entry.passwords import (
    NotCheckedError,
    PasswordChecker,
    PasswordHasher,
    check_new,
    prepared,
)
from chatd.chat.events import Refused
from chatd.chat.limits import NEW_ACCOUNTS, NEW_PASSWORDS, PENDING_PASSWORD_CHECKS
from chatd.chat.model.entities import Person
from chatd.chat.model.people import People
from chatd.chat.ratelimit.login_throttle import LoginThrottle, PerAddressRate
from chatd.chat.ratelimit.reports import Report, TurnedAway, WrongSecret, ignore
from chatd.chat.records.accounts import Account, Accounts
from chatd.chat.text import names
from chatd.chat.text.durations import remaining
from chatd.chat.text.names import GUEST, Name

_T = TypeVar("_T")


def is_proved_as(account: Account | None, before: Account | None) -> bool:
    """Whether an account still has the password that it had when somebody proved it."""
    return account is not None and before is not None and account.password == before.password


class Authenticator:
    """Authenticates owners of accounts by their passwords.

    ``checker`` knows the passwords of users from outside the chat (of the machine, say).
    ``make_password`` makes a password that cannot be guessed.  ``pending_checks`` is how many
    passwords are being hashed or checked, or wait for that.
    """

    def __init__(
        self,
        people: People,
        accounts: Accounts,
        hasher: PasswordHasher,
        checker: PasswordChecker | None = None,
        report: Report = ignore,
        make_password: Callable[[], str] = token_urlsafe,
    ) -> None:
        self._people = people
        self._accounts = accounts
        self._hasher = hasher
        self._checker = checker
        self.make_password = make_password
        self._report = report
        self._throttle = LoginThrottle()
        self._new_password_rate = PerAddressRate(NEW_PASSWORDS)
        self._new_account_rate = PerAddressRate(NEW_ACCOUNTS)
        self.pending_checks = 0

    @property
    def asks_outside(self) -> bool:
        """Whether a checker is asked for passwords that are no account's."""
        return self._checker is not None

    def owner_logged_in(self, account: str, address: str) -> None:
        """Note that an owner connected from an address, by any proof; it is known from then on."""
        self._throttle.owner_logged_in(account, address)

    def check_registration(self, address: str, now: float) -> None:
        """Check that one more account may be registered from an address, and count it.

        :raises Refused: ``too-fast``.
        """
        wait = self._new_account_rate.wait(address, now)
        if wait > 0:
            raise Refused(
                "too-fast",
                f"Many accounts were registered from your address; try again in {remaining(wait)}.",
            )

    async def check_attempt(self, nick: str, address: str, now: float, way: str = "") -> Name:
        """Check that a password may be tried for a nick now; return the nick.

        Neither this nor `authenticate` tells whether there is such an account.

        :raises Refused: ``bad-nick``, ``too-fast``.
        """
        await self._accounts.load()
        name = names.existing(nick)
        wait = self._throttle.wait(name.key, address, now)
        if wait > 0:
            self._report(TurnedAway(address, way, "too-many-wrong-passwords"))
            raise Refused(
                "too-fast", f"There were too many wrong passwords; try again in {ceil(wait)} s."
            )
        return name

    async def authenticate(
        self,
        nick: str,
        password: str,
        address: str,
        now: float,
        by: Person | None = None,
        way: str = "",
    ) -> Account:
        """Return the account that a password proves; ``by`` is the person who gives it.

        ``way`` is the name of their way in, for the log.

        If the checker knows the user and there is no account yet, it is created.

        :raises Refused: ``wrong-password``, ``not-checked``, ``nick-taken``, ``busy``,
            ``too-many``, ``not-kept`` and as `check_attempt`.
        """
        name = await self.check_attempt(nick, address, now, way)
        known = self._throttle.is_known(name.key, address)
        self._check_capacity(known=known)
        # Counted before the check, not after: otherwise many guesses could be made simultaneously.
        attempt = self._throttle.begin(name.key, address, now)
        before = self._accounts.get(name.key)
        proving = self._is_proved(name, prepared(password), now)
        own, outside = await self._count_pending(proving)
        account = self._accounts.get(name.key)
        own = own and is_proved_as(account, before)  # it may have changed meanwhile
        if not (own or outside):
            # What is no account may be a password that was typed in the wrong place.
            self._report(WrongSecret(address, way, account=name.key if account else ""))
            raise Refused("wrong-password", f"That is not the password of {name}.")
        if account is None or not (own or account.external):
            try:
                account = await self._create_account(name, now, by)
            except Refused:
                self._throttle.withdraw(attempt, now)
                raise
        self._throttle.succeeded(attempt, now)
        return account

    async def _is_proved(self, name: Name, password: str | None, now: float) -> tuple[bool, bool]:
        """Return whether a password is the account's and, if not, whether the checker's."""
        account = self._accounts.get(name.key)
        if password is None:
            return False, False
        try:
            password_hash = account.password_at(now) if account is not None else ""
            if not password_hash:
                await self._hasher.hash(password)  # takes as long as comparing it
            elif await self._hasher.matches(password_hash, password):
                return True, False
            if self._checker is None:
                return False, False
            return False, await self._checker.check(name.key, password)
        except NotCheckedError:
            raise Refused(
                "not-checked",
                "Passwords cannot be checked now; who runs this server finds why in its log.",
            ) from None

    async def _create_account(self, name: Name, now: float, by: Person | None) -> Account:
        """Create the account of a user whom the checker knows.

        :raises Refused: ``nick-taken``, ``too-many``, ``not-kept``.
        """
        self._accounts.check_unowned(name)
        if name.key.startswith(GUEST) or not self._people.is_free(name, by):
            raise Refused("nick-taken", f"{name} is taken, or looks like a nick that is.")
        return await self._accounts.register(name, None, now, external=True)

    async def hash(self, text: str, nick: str, address: str, now: float) -> str:
        """Return the hash of a new password for the account of a nick.

        :raises Refused: ``bad-password``, ``busy``, ``too-fast``.
        """
        password = check_new(text, nick)
        wait = self._new_password_rate.wait(address, now)
        if wait > 0:
            raise Refused(
                "too-fast",
                f"Many passwords were set from your address; try again in {ceil(wait)} s.",
            )
        self._check_capacity()
        return await self._count_pending(self._hasher.hash(password))

    def _check_capacity(self, *, known: bool = False) -> None:
        """Check that one more check may be pending.

        Owners at an address where they have logged in before (``known``) have twice the bound, so
        that a flood of guesses does not lock them out.

        :raises Refused: ``busy``.
        """
        if self.pending_checks >= PENDING_PASSWORD_CHECKS * (1 + known):
            raise Refused("busy", "Many people are logging in now; try again in a moment.")

    async def _count_pending(self, work: Coroutine[Any, Any, _T]) -> _T:
        self.pending_checks += 1
        try:
            return await work
        finally:
            self.pending_checks -= 1
