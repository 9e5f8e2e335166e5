"""Handover: a conversation goes on where its person is, and comes back when that server is gone.

It knows conversations and lines; what is typed meanwhile only passes here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from chatd.chat.entry.entrance import Visitor
from chatd.chat.events import Notice
from chatd.transport.host import Host
from chatd.transport.relay.edge import Edge, EdgeClient
from chatd.transport.relay.stream import LOST, Stream

if TYPE_CHECKING:
    from chatd.transport.conversation.conversation import Conversation
    from chatd.transport.relay.streams import Streams

#: Seconds until somebody whose server is gone comes in here: one that ends says so before the last
#: of it is done.
BACK_SECONDS = 1.0
#: Seconds between the servers at which several screens of one person come in: those that follow
#: find the first, by whose line they go on.
APART_SECONDS = 0.5

#: The program that a conversation is at the other server.
SHELL = "shell"
#: How it begins: for who comes in, who has logged in, and who has lost another server.
IN, LOGGED_IN, BACK = "in", "logged in", "back"


class Handover:
    """Lends one conversation's line for a visitor; ``lent`` is what it goes on as meanwhile."""

    __slots__ = (
        "_back",
        "_conversation",
        "_exchange",
        "_host",
        "_opening",
        "_tell",
        "_visitor",
        "lent",
    )

    def __init__(
        self,
        host: Host,
        exchange: Streams,
        conversation: Conversation,
        visitor: Visitor,
        entered: Callable[[], None] | None,
    ) -> None:
        self._host = host
        self._exchange = exchange
        self._conversation = conversation
        self._visitor = visitor
        self._tell = entered
        self._back = self._opening = False
        self.lent: Edge | None = None

    @property
    def visitor(self) -> Visitor:
        """The visitor, who may be lent."""
        return replace(self._visitor, relay_to=self.lend)

    async def lend(self, server: str, account: str) -> bool:
        """Let a server run the conversation for the owner of an account, if it does."""
        if self._opening or self.lent is not None:
            return False
        self._opening = True
        try:
            return await self._open(server, account)
        finally:
            self._opening = False

    async def _open(self, server: str, account: str) -> bool:
        conversation = self._conversation
        visitor = replace(self._visitor, account=account)
        how = {"screen": conversation.display.described(), "begins": self._begins(account)}
        line = await self._exchange.open(server, visitor, SHELL, how)
        if line is None:
            return False
        if conversation.lost:
            line.say(LOST, 0)
            line.end()
            return True
        self._visitor = visitor
        self._lend(line)
        return True

    def _begins(self, account: str) -> str:
        session = self._conversation.session
        if self._back or (session is not None and session.person.account == account):
            return BACK
        return IN if session is None else LOGGED_IN

    def _lend(self, line: Stream) -> None:
        """Only pass on from now on, first what waits."""
        conversation = self._conversation
        lines, typed = conversation.let_go()
        lender = EdgeClient(
            conversation.outbox,
            conversation.set_reading,
            self._come_back,
            self._part,
            lambda status: conversation.outbox.close(),
            conversation.ask_client,
        )
        self.lent = Edge(line, lender)
        self.lent.begin()
        for text in lines:
            self.lent.waited(text)
        if typed:
            self.lent.data_received(typed.encode())

    def _come_back(self, why: str, typed: bytes) -> None:
        """The other server is gone: go on here, in a moment."""
        self.lent, self._back = None, True
        self._conversation.come_back(typed)
        self._conversation.deliver(Notice(why))
        apart = self._exchange.rank * APART_SECONDS
        self._host.clock.callLater(BACK_SECONDS + apart, self._begin)

    def _part(self, why: str) -> None:
        """This server lets go of everybody."""
        self.lent = None
        self._conversation.come_back(b"")
        self._conversation.deliver(Notice(why))
        self._conversation.close()

    def _begin(self) -> None:
        if not self._conversation.lost:
            self._conversation.begin(self.visitor, self.entered)

    def entered(self) -> None:
        """They are in here: where they were, if that is known."""
        session = self._conversation.session
        if self._back and session is not None and session.focus is None:
            session.focus_on_newest()
        if self._tell is not None:
            self._tell()
