"""Logins: when and from where the owner of each account has logged in, to tell them the next time.

Each account has one record in the store.  It is not part of the account's own, as a login on one
server must not undo a change of the account on another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from chatd.chat.limits import CHANGES_TOLD_SECONDS, LOGIN_PLACES
from chatd.chat.ratelimit.addresses import prefix
from chatd.chat.records.loading import RecordLoader
from chatd.chat.records.writing import Records

#: The kind of the records of logins in the store.
KIND = "logins"

#: Seconds within which logins of one place are stored once: a program may reconnect all the time.
STORED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Login:
    """One login of an account's owner; ``time`` in seconds since the epoch.

    ``proof`` is the fingerprint of the key, empty for a password; ``address`` is empty for a client
    on this machine.
    """

    time: float
    proof: str
    address: str

    @property
    def place(self) -> str:
        """The place: the proof, and the network of the address."""
        return f"{self.proof} {prefix(self.address)}"


class _Logins:
    """The last login of an account, and the time of the last one from each place.

    ``stored`` is the last one that was stored.
    """

    __slots__ = ("last", "places", "stored")

    def __init__(self, last: Login, places: dict[str, float], stored: Login | None = None) -> None:
        self.last = last
        self.places = places
        self.stored = stored


class Logins:
    """The last logins of every account, by its folded nick."""

    def __init__(self, records: Records) -> None:
        self._records = records
        records.register(KIND, self.apply_change)
        self.load = RecordLoader(records, KIND, take=self._restore).load
        self._logins: dict[str, _Logins] = {}

    def _restore(self, records: Mapping[str, str]) -> None:
        for account, value in records.items():
            self.apply_change(account, value)

    def apply_change(self, account: str, value: str | None) -> None:
        """Apply a record of the store, or one that another server has stored, or (None) dropped."""
        if value is None:
            self._logins.pop(account, None)
            return
        record = json.loads(value)
        self._logins[account] = _Logins(Login(*record["last"][:3]), dict(record["places"]))

    def last(self, account: str) -> Login | None:
        """Return the last login of an account's owner."""
        found = self._logins.get(account)
        return found.last if found is not None else None

    def told_until(self, account: str, login: Login) -> float:
        """Return until when an owner who logs in has been told of changes, by their last login.

        Only a login by the same proof and from the same network counts: whoever has stolen a
        password logs in from elsewhere, and takes no notice away.
        """
        found = self._logins.get(account)
        since = found.places.get(login.place) if found is not None else None
        return since if since is not None else login.time - CHANGES_TOLD_SECONDS

    def add(self, account: str, login: Login) -> None:
        """Note a login of an account's owner; beyond the bound the oldest place is forgotten."""
        found = self._logins.setdefault(account, _Logins(login, {}))
        found.last = login
        found.places.pop(login.place, None)
        found.places[login.place] = login.time
        if len(found.places) > LOGIN_PLACES:
            del found.places[next(iter(found.places))]
        stored = found.stored
        if (
            stored is None
            or stored.place != login.place
            or abs(login.time - stored.time) >= STORED_SECONDS
        ):
            self._put(account, found)

    def forget(self, account: str) -> None:
        """Drop the record of an account that exists no more."""
        if self._logins.pop(account, None) is not None:
            self._records.keep_quietly(KIND, account, None)

    def _put(self, account: str, logins: _Logins) -> None:
        last = logins.stored = logins.last
        record = {"last": [last.time, last.proof, last.address], "places": logins.places}
        self._records.keep_quietly(KIND, account, json.dumps(record))
