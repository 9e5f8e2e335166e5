"""Offline messages: private messages for account owners who are not here (as in XEP-0160)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from chatd.chat.events import PrivateMessage, Recipient, Refused
from chatd.chat.limits import OFFLINE_MESSAGES
from chatd.chat.model.entities import Session
from chatd.chat.records.accounts import Account
from chatd.chat.records.loading import RecordLoader
from chatd.chat.records.writing import Records

#: The kind of the records of offline messages in the store.
KIND = "mail"


class OfflineMessages:
    """The offline messages of each account; an account's messages are one record of the store."""

    def __init__(self, records: Records) -> None:
        self._records = records
        records.register(KIND, self.apply_change)
        self.load = RecordLoader(records, KIND, take=self._restore).load
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
        """Add a message for the owner of an account, as part of a change of records.

        :raises Refused: ``not-reading`` when `OFFLINE_MESSAGES` are kept already.
        """
        key, addressee = account.name.key, account.name.shown
        if len(self._messages.get(key, ())) >= OFFLINE_MESSAGES:
            raise Refused("not-reading", f"{account.name} is not reading now; try again later.")
        before = self._encoded(key)
        message = PrivateMessage(now, sender, addressee, text, Recipient.ADDRESSEE)
        self._messages.setdefault(key, []).append(message)
        self._records.put(KIND, key, self._encoded(key), before)

    def deliver(self, account: str, session: Session) -> None:
        """Show the messages for an account, each once; those that cannot be shown now are kept."""
        waiting = self._messages.get(account, [])
        count = len(waiting)
        while waiting and session.deliver(waiting[0]):
            del waiting[0]
        if len(waiting) < count:
            if not waiting:
                del self._messages[account]
            self._records.keep_quietly(KIND, account, self._encoded(account))

    def _encoded(self, account: str) -> str | None:
        """Return the record of an account's messages; None when there are none."""
        messages = self._messages.get(account, ())
        rows = [[each.time, each.sender, each.addressee, each.text] for each in messages]
        return json.dumps(rows) if rows else None
