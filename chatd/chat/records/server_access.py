"""Server access: the bans from the server, its lock for guests, and the allow list of users.

The gate checks addresses alone; the entrance and ssh check the whole identity of a user.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial

from chatd.chat.events import Refused
from chatd.chat.limits import SERVER_BANS
from chatd.chat.model.bans import Ban, Bans, Identity, Kind
from chatd.chat.records.loading import RecordLoader
from chatd.chat.records.writing import Records
from chatd.chat.text.durations import rest

#: The kind of the records of bans from the server in the store.
KIND = "server ban"
#: The kind of the record of the lock, and the key of that record.
LOCK = "server lock"
_GUESTS = "guests"
#: Codes of refusals after which the user is not asked for another nick or password.
FINAL_REFUSALS = frozenset({"banned", "locked", "not-invited"})


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock of the server for guests: only users who prove an account may enter.

    It was set by ``by`` at ``made`` and holds until ``until`` (None: until it is lifted).
    """

    by: str
    made: float
    until: float | None
    reason: str = ""

    def holds(self, now: float) -> bool:
        """Whether it has not expired."""
        return self.until is None or now < self.until

    def rest(self, now: float) -> str:
        """Return how long it still holds, and why, as the end of a sentence."""
        how_long = f" {rest(self.until, now)}" if self.until is not None else ""
        return f"{how_long}{f' ({self.reason})' * bool(self.reason)}"


@dataclass(frozen=True, slots=True)
class AllowList:
    """The only identities that are let in: fingerprints of keys, and accounts (folded nicks)."""

    keys: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()

    def __contains__(self, identity: Identity) -> bool:
        return identity.key in self.keys or identity.account in self.accounts


def everybody() -> AllowList | None:
    """Return None, for no allow list: everyone may enter."""
    return None


class ServerAccess:
    """Checks who may enter the server.

    ``allowed`` returns the allow list, or None when everyone is let in.  Only the proved parts of
    an identity are checked: the account once the user has logged in to it.  Operators are always
    let in.
    """

    def __init__(self, records: Records, allowed: Callable[[], AllowList | None]) -> None:
        self.bans = Bans(SERVER_BANS, partial(records.ban_changed, KIND, ""))
        records.register(KIND, self.bans.apply_change)
        self._allowed = allowed
        self._records = records
        self._lock: Lock | None = None
        records.register(LOCK, self.apply_lock)
        self.load = RecordLoader(records, KIND, LOCK, take=self._restore).load

    def _restore(self, bans: Mapping[str, str], locks: Mapping[str, str]) -> None:
        for target, value in bans.items():
            self.bans.restore(Ban.decoded(target, value))
        for key, value in locks.items():
            self.apply_lock(key, value)

    def apply_lock(self, key: str, value: str | None) -> None:
        """Apply a record of the lock that is stored, or (None) dropped, perhaps by another server.

        Fields that only a newer server knows are skipped.
        """
        if key == _GUESTS:
            fields = json.loads(value) if value is not None else {}
            known = {name: fields[name] for name in Lock.__slots__ if name in fields}
            self._lock = Lock(**known) if known else None

    def lock(self, now: float) -> Lock | None:
        """Return the lock, if the server is locked for guests."""
        lock = self._lock
        return lock if lock is not None and lock.holds(self.bans.believed(now)) else None

    def set_lock(self, lock: Lock | None) -> None:
        """Lock the server for guests, or (None) unlock it, as part of a change of records."""
        before, self._lock = self._lock, lock
        self._records.put(LOCK, _GUESTS, _encoded(lock), _encoded(before))

    def check(self, identity: Identity, now: float, *, operator: bool = False) -> None:
        """Check that a user may enter the server.

        :raises Refused: ``banned``, ``locked`` or ``not-invited``.
        """
        if operator:
            return
        ban = self.bans.covering(identity, now)
        if ban is not None:
            # The account alone: its owner may come as a guest.
            is_suspension = ban.target.kind is Kind.ACCOUNT and not ban.also
            what = (
                "Your account is suspended" if is_suspension else "You are banned from this server"
            )
            raise Refused("banned", f"{what} {self.bans.rest(ban, now)}.")
        lock = self.lock(now)
        if lock is not None and identity.account is None:
            raise Refused(
                "locked", f"Only users with an account may enter this server{lock.rest(now)}."
            )
        invited = self._allowed()
        if invited is not None and identity not in invited:
            raise Refused(
                "not-invited",
                "This server is for invited people only; come by ssh with a key that it knows.",
            )

    def check_address(self, address: str, now: float) -> None:
        """Check that connections from an address are accepted.

        :raises Refused: ``banned``.
        """
        ban = self.bans.of_address(address, now)
        if ban is not None:
            raise Refused("banned", f"You are banned from this server {self.bans.rest(ban, now)}.")

    def check_nick(self, nick: str, now: float) -> None:
        """Check that a user who is here may change to a (folded) nick.

        :raises Refused: ``banned``.
        """
        if self.bans.covering(Identity(nick), now) is not None:
            raise Refused("banned", f"Nobody may be called {nick} here.")


def _encoded(lock: Lock | None) -> str | None:
    """Return the record of a lock; None without one."""
    return json.dumps(asdict(lock)) if lock is not None else None
