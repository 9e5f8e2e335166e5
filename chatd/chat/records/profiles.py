"""Profiles: the preferences of each account's owner, and how far they have read.

Each profile is one record of the store.  For a persistent room it has the number of the last event
that the owner was sent, so that unread messages are found even after days and restarts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from chatd.chat.limits import BOOKMARKS
from chatd.chat.model.entities import Person, Room
from chatd.chat.model.preferences import Preferences
from chatd.chat.records.writing import Records

#: The kind of the records of profiles in the store.
KIND = "profile"


class _Profile:
    """The profile of one account: the preferences that were set, and how far rooms were read."""

    __slots__ = ("chosen", "read")

    def __init__(self) -> None:
        self.chosen: dict[str, Any] = {}
        self.read: dict[str, int] = {}


class Profiles:
    """The profiles of all accounts; ``defaults`` are the preferences of users who set none."""

    def __init__(self, records: Records, defaults: Preferences) -> None:
        self._records = records
        records.register(KIND, self.apply_change)
        self._defaults = defaults
        self._loaded = False
        self._profiles: dict[str, _Profile] = {}

    async def load(self) -> None:
        """Load the profiles from the store, once."""
        if self._loaded:
            return
        records = await self._records.of_kind(KIND)
        if not self._loaded:
            self._loaded = True
            for account, value in records.items():
                self.apply_change(account, value)

    def apply_change(self, account: str, value: str | None) -> None:
        """Apply a record of the store, or one that another server has stored, or (None) dropped."""
        if value is None:
            self._profiles.pop(account, None)
            return
        profile = self._profiles[account] = _Profile()
        record = json.loads(value)
        profile.chosen, profile.read = record["chosen"], record["read"]

    def preferences(self, account: str | None) -> Preferences:
        """Return the initial preferences of an account's owner, or of a guest."""
        profile = self._profiles.get(account) if account is not None else None
        return self._defaults.restored(profile.chosen) if profile is not None else self._defaults

    def set_preferences(self, person: Person, preferences: Preferences) -> None:
        """Set the preferences of a person with an account, for their next session.

        It is part of a change of records.
        """
        account = person.account
        if account is not None:
            defaults = asdict(self._defaults)
            before = self._encoded(account)
            chosen = {k: v for k, v in asdict(preferences).items() if v != defaults[k]}
            self._profile(account).chosen = chosen
            self._records.put(KIND, account, self._encoded(account), before)

    def last_read(self, person: Person, room: Room) -> int | None:
        """Return the number of the last event of a room that a person was sent, if it is known."""
        profile = self._profiles.get(person.account) if person.account is not None else None
        return profile.read.get(room.id) if profile is not None else None

    def mark_read(self, person: Person, last_sent: Mapping[Room, int]) -> None:
        """Store how far a person who leaves has read their rooms, by event number."""
        if person.account is None:
            return
        persistent = {room.id: at for room, at in last_sent.items() if room.is_persistent}
        if not persistent:
            return
        read = self._profile(person.account).read
        for ident, at in persistent.items():
            read[ident] = max(at, read.pop(ident, 0))
            if len(read) > BOOKMARKS:
                del read[next(iter(read))]
        self._records.keep_quietly(KIND, person.account, self._encoded(person.account))

    def drop(self, account: str) -> None:
        """Drop the profile of an account that is gone, as part of a change of records."""
        before = self._encoded(account)
        if self._profiles.pop(account, None) is not None:
            self._records.put(KIND, account, None, before)

    def forget(self, account: str) -> None:
        """Drop what the sessions of an account that is gone have left as they ended."""
        if self._profiles.pop(account, None) is not None:
            self._records.keep_quietly(KIND, account, None)

    def move(self, account: str, new: str) -> None:
        """Keep the profile of an account under its new nick, as part of a change of records."""
        profile = self._profiles.get(account)
        if profile is not None:
            self.drop(account)
            self._profiles[new] = profile
            self._records.put(KIND, new, self._encoded(new), None)

    def _profile(self, account: str) -> _Profile:
        return self._profiles.setdefault(account, _Profile())

    def _encoded(self, account: str) -> str | None:
        """Return the record of an account's profile; None when there is none."""
        profile = self._profiles.get(account)
        if profile is None:
            return None
        return json.dumps({"chosen": profile.chosen, "read": profile.read})
