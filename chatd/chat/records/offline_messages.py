"""Mail: what was said to owners of accounts alone while they were not here."""

from __future__ import annotations

import json
from collections.abc import Mapping

from chatd.chat.events import PrivateMessage, Recipient, Refused
from chatd.chat.limits import OFFLINE_MESSAGES
from chatd.chat.model.entities import Session
from chatd.chat.records.accounts import Account
from chatd.chat.records.loading import RecordLoader
from chatd.chat.store import Store

#: What the records of mail are called in the store.
KIND = "mail"


class OfflineMessages:
    """The messages that wait, by account; each account's are one record of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.load = RecordLoader(store, KIND, take=self._restore).load
        self._waiting: dict[str, list[PrivateMessage]] = {}

    def _restore(self, records: Mapping[str, str]) -> None:
        for account, value in records.items():
            self.learn(account, value)

    def learn(self, account: str, value: str | None) -> None:
        """Take a record of the store, or one that another server has changed."""
        self._waiting.pop(account, None)
        if value is not None:
            self._waiting[account] = [
                PrivateMessage(time, sender, addressee, text, Recipient.ADDRESSEE)
                for time, sender, addressee, text, *_ in json.loads(value)
            ]

    def leave(self, account: Account, sender: str, text: str, now: float) -> None:
        """Let a message wait for the owner of an account.

        :raises Refused: ``not-reading`` when too many wait.
        """
        waiting = self._waiting.setdefault(account.name.key, [])
        if len(waiting) >= OFFLINE_MESSAGES:
            raise Refused("not-reading", f"{account.name} is not reading now; try again later.")
        addressee = account.name.shown
        waiting.append(PrivateMessage(now, sender, addressee, text, Recipient.ADDRESSEE))
        self._keep(account.name.key)

    def deliver(self, account: str, session: Session) -> None:
        """Show what waits for an account, once; what a connection does not take waits on."""
        waiting = self._waiting.get(account, [])
        count = len(waiting)
        while waiting and session.deliver(waiting[0]):
            del waiting[0]
        if len(waiting) < count:
            self._keep(account)

    def _keep(self, account: str) -> None:
        rows = [
            [each.time, each.sender, each.addressee, each.text] for each in self._waiting[account]
        ]
        if not rows:
            del self._waiting[account]
        self._store.put(KIND, account, json.dumps(rows) if rows else None)
