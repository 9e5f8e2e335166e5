"""Offline messages: private messages for account owners who are not here (as in XEP-0160)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from chatd.chat.events import PrivateMessage, Recipient, Refused
from chatd.chat.limits import (
    OFFLINE_BYTES,
    OFFLINE_FROM_GUEST,
    OFFLINE_FROM_GUESTS_OF_ADDRESS,
    OFFLINE_FROM_SENDER,
    OFFLINE_MESSAGES,
)
from chatd.chat.model.entities import Person, Session
from chatd.chat.ratelimit.addresses import prefix
from chatd.chat.records.accounts import Account
from chatd.chat.records.loading import RecordLoader
from chatd.chat.records.writing import Records
from chatd.chat.text.names import fold

#: The kind of the records of offline messages in the store.
KIND = "mail"
#: The beginning of the source of a guest's message.
_GUEST = "guest:"


class OfflineMessages:
    """The offline messages of each account; an account's messages are one record of the store.

    Each has a source: the account of its sender, or a digest of a guest's address prefix, by which
    the messages of one sender are counted.  Older records have none.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        records.register(KIND, self.apply_change)
        self.load = RecordLoader(records, KIND, take=self._restore).load
        self._messages: dict[str, list[tuple[PrivateMessage, str]]] = {}

    def _restore(self, records: Mapping[str, str]) -> None:
        for account, value in records.items():
            self.apply_change(account, value)

    def apply_change(self, account: str, value: str | None) -> None:
        """Apply a record of the store, or one that another server has stored, or (None) dropped."""
        self._messages.pop(account, None)
        if value is not None:
            self._messages[account] = [_decoded(*row) for row in json.loads(value)]

    def add(self, account: Account, sender: Person, text: str, now: float) -> None:
        """Add a message for the owner of an account, as part of a change of records.

        :raises Refused: ``not-reading`` when the mailbox is full, ``too-many`` when it has enough
            messages of the sender.
        """
        key, source = account.name.key, _source(account, sender)
        waiting = self._messages.get(key, [])
        self._check_room(account, waiting, text)
        _check_share(account, waiting, sender, source)
        before = self._encoded(key)
        message = PrivateMessage(now, sender.nick, account.name.shown, text, Recipient.ADDRESSEE)
        self._messages.setdefault(key, []).append((message, source))
        self._records.put(KIND, key, self._encoded(key), before)

    def _check_room(
        self, account: Account, waiting: list[tuple[PrivateMessage, str]], text: str
    ) -> None:
        used = sum(len(message.text.encode()) for message, _ in waiting)
        if len(waiting) >= OFFLINE_MESSAGES or used + len(text.encode()) > OFFLINE_BYTES:
            raise Refused("not-reading", f"The mailbox of {account.name} is full; try again later.")

    def drop(self, account: str) -> None:
        """Drop the messages for an account that is gone, as part of a change of records."""
        before = self._encoded(account)
        if self._messages.pop(account, None) is not None:
            self._records.put(KIND, account, None, before)

    def move(self, account: str, new: str) -> None:
        """Keep the messages for an account under its new nick, as part of a change of records."""
        waiting = self._messages.get(account)
        if waiting is not None:
            self.drop(account)
            self._messages[new] = waiting
            self._records.put(KIND, new, self._encoded(new), None)

    def deliver(self, account: str, session: Session) -> None:
        """Show the messages for an account, each once; those that cannot be shown now are kept."""
        waiting = self._messages.get(account, [])
        count = len(waiting)
        while waiting and session.deliver(waiting[0][0]):
            del waiting[0]
        if len(waiting) < count:
            if not waiting:
                del self._messages[account]
            self._records.keep_quietly(KIND, account, self._encoded(account))

    def _encoded(self, account: str) -> str | None:
        """Return the record of an account's messages; None when there are none."""
        rows = [
            [each.time, each.sender, each.addressee, each.text, source]
            for each, source in self._messages.get(account, ())
        ]
        return json.dumps(rows) if rows else None


def _decoded(
    time: float, sender: str, addressee: str, text: str, source: str = "", *_: object
) -> tuple[PrivateMessage, str]:
    return PrivateMessage(time, sender, addressee, text, Recipient.ADDRESSEE), source


def _source(account: Account, sender: Person) -> str:
    """Return the source of a message; for guests it differs from mailbox to mailbox."""
    if sender.effective_account is not None:
        return f"account:{sender.effective_account}"
    text = f"{account.name.key} {prefix(sender.address)}"
    return _GUEST + hashlib.blake2s(text.encode(), digest_size=8).hexdigest()


def _check_share(
    account: Account, waiting: list[tuple[PrivateMessage, str]], sender: Person, source: str
) -> None:
    """Check that a mailbox may have one more message of a sender.

    :raises Refused: ``too-many``.
    """
    from_source = sum(source == each for _, each in waiting)
    from_nick = sum(fold(message.sender) == sender.name.key for message, _ in waiting)
    is_guest = source.startswith(_GUEST)
    if is_guest and from_source >= OFFLINE_FROM_GUESTS_OF_ADDRESS:
        raise Refused(
            "too-many",
            f"{from_source} messages of guests at your address wait for {account.name} already; "
            "send more once they are read, or /register.",
        )
    count = from_nick if is_guest else max(from_source, from_nick)
    most = OFFLINE_FROM_GUEST if is_guest else OFFLINE_FROM_SENDER
    if count >= most:
        raise Refused(
            "too-many",
            f"{count} messages of yours wait for {account.name} already; "
            f"send more once they are read{', or /register' * is_guest}.",
        )
