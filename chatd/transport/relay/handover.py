"""Handover: a conversation goes on where its person is, and comes back when that server is gone.

It knows conversations and lines; what is typed meanwhile only passes here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Protocol

from twisted.internet.interfaces import IReactorTime

from chatd.chat.entry.entrance import Visitor
from chatd.chat.events import Notice, PersonalEvent
from chatd.chat.model.session import Session
from chatd.transport.net.outbox import Outbox
from chatd.transport.relay.edge import Edge, EdgeClient
from chatd.transport.relay.stream import LOST, State, Stream

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


#: Opens a stream to a server for a visitor and a program: see `Streams.open`.
Open = Callable[[str, Visitor, str, State], Awaitable[Stream | None]]


class Handed(Protocol):
    """A conversation, as far as handing it over needs it."""

    @property
    def outbox(self) -> Outbox:
        """The way out to the client."""

    @property
    def session(self) -> Session | None:
        """The session here, if the conversation runs here and its user has entered."""

    @property
    def lost(self) -> bool:
        """Whether the connection is lost."""

    @property
    def ask_client(self) -> Callable[[], None]:
        """Ask the client for a sign of life."""

    def described(self) -> Mapping[str, object] | None:
        """Return the display for another server that is to draw on it; None: nothing is drawn."""

    def let_go(self) -> tuple[list[str], str]:
        """Leave the chat here; return the lines that wait and what is typed and not entered."""

    def come_back(self, typed: bytes) -> None:
        """Run here again, with what was typed that the other server has not done."""

    def begin(self, visitor: Visitor, entered: Callable[[], None] | None = None) -> None:
        """Enter the chat here."""

    def deliver(self, event: PersonalEvent) -> None:
        """Show something."""

    def set_reading(self, reading: bool) -> None:
        """Let the client send, or not."""

    def close(self) -> None:
        """Send what is pending and end the connection."""


class Handover:
    """Lends one conversation's line for a visitor; ``lent`` is what it goes on as meanwhile."""

    __slots__ = (
        "_back",
        "_clock",
        "_delay",
        "_handed",
        "_open_stream",
        "_opening",
        "_tell",
        "_visitor",
        "lent",
    )

    def __init__(
        self,
        handed: Handed,
        visitor: Visitor,
        entered: Callable[[], None] | None,
        *,
        open_stream: Open,
        clock: IReactorTime,
        delay: Callable[[], float],
    ) -> None:
        self._handed = handed
        self._open_stream = open_stream
        self._clock = clock
        self._delay = delay
        self._visitor = visitor
        self._tell = entered
        self._back = self._opening = False
        self.lent: Edge | None = None

    @property
    def visitor(self) -> Visitor:
        """The visitor, who may be lent."""
        return replace(self._visitor, lend=self.lend)

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
        visitor = replace(self._visitor, account=account)
        how = {"screen": self._handed.described(), "begins": self._begins(account)}
        line = await self._open_stream(server, visitor, SHELL, how)
        if line is None:
            return False
        if self._handed.lost:
            line.say(LOST, 0)
            line.end()
            return True
        self._visitor = visitor
        self._lend(line)
        return True

    def _begins(self, account: str) -> str:
        session = self._handed.session
        if self._back or (session is not None and session.person.account == account):
            return BACK
        return IN if session is None else LOGGED_IN

    def _lend(self, line: Stream) -> None:
        """Only pass on from now on, first what waits."""
        lines, typed = self._handed.let_go()
        lender = EdgeClient(
            self._handed.outbox,
            self._handed.set_reading,
            self._come_back,
            self._part,
            lambda status: self._handed.outbox.close(),
            self._handed.ask_client,
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
        self._handed.come_back(typed)
        self._handed.deliver(Notice(why))
        self._clock.callLater(BACK_SECONDS + self._delay(), self._begin)

    def _part(self, why: str) -> None:
        """This server lets go of everybody."""
        self.lent = None
        self._handed.come_back(b"")
        self._handed.deliver(Notice(why))
        self._handed.close()

    def _begin(self) -> None:
        if not self._handed.lost:
            self._handed.begin(self.visitor, self.entered)

    def entered(self) -> None:
        """They are in here: where they were, if that is known."""
        session = self._handed.session
        if self._back and session is not None and session.focus is None:
            session.focus_on_newest()
        if self._tell is not None:
            self._tell()
