"""Offline messages: private messages for account owners who are not here (as in XEP-0160)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from chatd.chat.events import PrivateMessage, Recipient, Refused
from chatd.chat.limits import OFFLINE_MESSAGES
from chatd.chat.model.entities import Session
from chatd.chat.records.accounts import Account
from chatd.chat.records.loading import RecordLoader
from chatd.chat.store import Store

#: The kind of the records of offline messages in the store.
KIND = "mail"


class OfflineMessages:
    """The offline messages of each account; an account's messages are one record of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.load = RecordLoader(store, KIND, take=self._restore).load
        self._messages: dict[str, list[PrivateMessage]] = {}

    def _restore(self, records: Mapping[str, str]) -> None:
        for account, value in records.items():
            self.apply_change(account, value)

    def apply_change(self, account: str, value: str | None) -> None:
        """Apply a record of the store, or one that another server has stored, or (None) dropped."""
        self._messages.pop(account, None)
        if value is not None:
            self._messages[account] = [
                PrivateMessage(time, sender, addressee, text, Recipient.ADDRESSEE)
                for time, sender, addressee, text, *_ in json.loads(value)
            ]

    def add(self, account: Account, sender: str, text: str, now: float) -> None:
        """Keep a message for the owner of an account.

        :raises Refused: ``not-reading`` when `OFFLINE_MESSAGES` are kept already.
        """
        waiting = self._messages.setdefault(account.name.key, [])
        if len(waiting) >= OFFLINE_MESSAGES:
            raise Refused("not-reading", f"{account.name} is not reading now; try again later.")
        addressee = account.name.shown
        waiting.append(PrivateMessage(now, sender, addressee, text, Recipient.ADDRESSEE))
        self._store_record(account.name.key)

    def deliver(self, account: str, session: Session) -> None:
        """Show the messages for an account, each once; those that cannot be shown now are kept."""
        waiting = self._messages.get(account, [])
        count = len(waiting)
        while waiting and session.deliver(waiting[0]):
            del waiting[0]
        if len(waiting) < count:
            self._store_record(account)

    def _store_record(self, account: str) -> None:
        rows = [
            [each.time, each.sender, each.addressee, each.text] for each in self._messages[account]
        ]
        if not rows:
            del self._messages[account]
        self._store.put(KIND, account, json.dumps(rows) if rows else None)
