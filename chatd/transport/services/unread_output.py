"""Unread output: bounds the memory of what all clients together have asked for and do not read.

One answer may be much longer than what is kept for a client otherwise, as a page of history is sent
as a whole.  A client that does not read is disconnected after minutes only, and until then hundreds
of them could use up the memory.
"""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chatd.chat.actions.status import counted
from chatd.chat.chat import Chat
from chatd.chat.limits import CHECKED_AT_ONCE, PERSONAL_BYTES, UNREAD_BYTES
from chatd.chat.model.client import Client
from chatd.chat.model.entities import Person

#: Seconds between two checks, each of which looks at some of the people.
CHECK_SECONDS = 0.2


class UnreadOutput(Service):
    """Ends the connections with the most unread output while all have too much together."""

    _log = Logger()

    def __init__(self, chat: Chat, clock: IReactorTime) -> None:
        self._chat = chat
        self._unchecked: list[Person] = []
        self._unread: list[tuple[int, Client]] = []
        self._checks = LoopingCall(self._check)
        self._checks.clock = clock

    def startService(self) -> None:
        """Start checking."""
        super().startService()
        checking = self._checks.start(CHECK_SECONDS)
        checking.addErrback(lambda failure: self._log.failure("a check failed", failure=failure))

    def stopService(self) -> None:
        """Stop checking."""
        super().stopService()
        if self._checks.running:
            self._checks.stop()

    def _check(self) -> None:
        """Look at some of the people; after the last of them, end connections if need be."""
        self._unchecked = self._unchecked or self._chat.people.here()
        some = self._unchecked[-CHECKED_AT_ONCE:]
        del self._unchecked[-CHECKED_AT_ONCE:]
        clients = (session.client for person in some for session in person.sessions)
        self._unread += [
            (client.pending_bytes, client)
            for client in clients
            if client.pending_bytes > PERSONAL_BYTES and not client.is_gone
        ]
        if not self._unchecked:
            unread, self._unread = self._unread, []
            self._bound(unread)

    def _bound(self, unread: list[tuple[int, Client]]) -> None:
        """End the connections with the most unread output, until half of the bound is free."""
        total, ended = sum(size for size, _ in unread), 0
        if total <= UNREAD_BYTES:
            return
        for size, client in sorted(unread, key=lambda each: each[0], reverse=True):
            if total <= UNREAD_BYTES // 2:
                break
            total -= size
            ended += 1
            client.abort()
        self._log.warn(
            "unread: more than {bound} MiB was asked for and not read; {connections} closed",
            connections=counted(ended, "connection"),
            bound=UNREAD_BYTES // 1024**2,
        )
