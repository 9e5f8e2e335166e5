"""Profiles: what an account remembers of its owner: preferences, and how far they have read.

Each is one record of the store.  Of a room that lasts an account knows the number of the last event
that its owner was sent, so that what is new can be told from what is not, after days and restarts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from chatd.chat.limits import BOOKMARKS
from chatd.chat.model.entities import Person, Room
from chatd.chat.model.preferences import Preferences
from chatd.chat.store import Store

#: What the records of profiles are called in the store.
KIND = "profile"


class _Profile:
    """What one account remembers: what its owner has set, and the bookmarks of its rooms."""

    __slots__ = ("chosen", "read")

    def __init__(self) -> None:
        self.chosen: dict[str, Any] = {}
        self.read: dict[str, int] = {}


class Profiles:
    """The profiles of all accounts; ``usual`` is for who has set nothing."""

    def __init__(self, store: Store, usual: Preferences) -> None:
        self._store = store
        self._usual = usual
        self._loaded = False
        self._profiles: dict[str, _Profile] = {}

    async def load(self) -> None:
        """Read what the store has, unless that is done."""
        if self._loaded:
            return
        records = await self._store.records(KIND)
        if not self._loaded:
            self._loaded = True
            for account, value in records.items():
                self.learn(account, value)

    def learn(self, account: str, value: str | None) -> None:
        """Take a record of the store, or one that another server has changed."""
        if value is None:
            self._profiles.pop(account, None)
            return
        profile = self._profiles[account] = _Profile()
        record = json.loads(value)
        profile.chosen, profile.read = record["chosen"], record["read"]

    def preferences(self, account: str | None) -> Preferences:
        """How the owner of an account, or a guest, is shown things to begin with."""
        profile = self._profiles.get(account) if account is not None else None
        return self._usual.restored(profile.chosen) if profile is not None else self._usual

    def prefer(self, person: Person, preferences: Preferences) -> None:
        """Somebody has set something: the next time it is so from the beginning."""
        if person.account is not None:
            usual = asdict(self._usual)
            chosen = {k: v for k, v in asdict(preferences).items() if v != usual[k]}
            self._profile(person.account).chosen = chosen
            self._keep(person.account)

    def read(self, person: Person, room: Room) -> int | None:
        """The number of the last event of a room that somebody was sent, if that is known."""
        profile = self._profiles.get(person.account) if person.account is not None else None
        return profile.read.get(room.id) if profile is not None else None

    def has_read(self, person: Person, mark: Mapping[Room, int]) -> None:
        """Somebody goes, and has been sent so much of some rooms."""
        if person.account is None:
            return
        lasting = {room.id: at for room, at in mark.items() if room.is_persistent}
        if not lasting:
            return
        read = self._profile(person.account).read
        for ident, at in lasting.items():
            read[ident] = max(at, read.pop(ident, 0))
            if len(read) > BOOKMARKS:
                del read[next(iter(read))]
        self._keep(person.account)

    def _profile(self, account: str) -> _Profile:
        return self._profiles.setdefault(account, _Profile())

    def _keep(self, account: str) -> None:
        profile = self._profiles[account]
        record = {"chosen": profile.chosen, "read": profile.read}
        self._store.put(KIND, account, json.dumps(record))
