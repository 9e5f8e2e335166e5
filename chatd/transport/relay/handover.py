"""Handover: lets another server run a conversation, and takes it back when that server is gone.

It knows streams, and a conversation by the protocol `Handed`; it only forwards input.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Protocol

from twisted.internet.interfaces import IReactorTime

from chatd.chat.entry.entrance import Visitor
from chatd.chat.events import Notice, PersonalEvent
from chatd.chat.model.entities import Session
from chatd.cluster.bus import State
from chatd.transport.channel import Connection, Program
from chatd.transport.relay.edge import Edge, EdgeClient
from chatd.transport.relay.stream import Stream

#: Seconds until a conversation whose server is gone enters here: a server that stops says so before
#: it has processed the last of the input.
BACK_SECONDS = 1.0
#: Seconds by which the returns of a user's connections to several servers are staggered: the later
#: ones find the first, and are relayed to it.
STAGGER_SECONDS = 0.5

#: The name, between servers, of the program that runs a conversation.
SHELL = "shell"
#: The ways in which it begins: a new connection, after a login, after the loss of another server.
IN, LOGGED_IN, BACK = "in", "logged in", "back"

#: Opens a stream to a program on a server, for a visitor, with parameters; see
#: `chatd.transport.relay.streams.Streams.open`.
Open = Callable[[str, Visitor, str, State], Awaitable[Stream | None]]


class Handed(Protocol):
    """A conversation, as far as its handover needs it."""

    @property
    def connection(self) -> Connection:
        """The connection that it runs in."""

    @property
    def program(self) -> Program:
        """The way in's program, which runs while the conversation runs here."""

    @property
    def session(self) -> Session | None:
        """Its session here, if it runs here and its user has entered."""

    @property
    def lost(self) -> bool:
        """Whether the connection is lost."""

    @property
    def ask_client(self) -> Callable[[], None]:
        """Ask the client for a sign of life."""

    @property
    def take_answer(self) -> Callable[[], bool]:
        """Handle an answer to a question asked here; return whether it was one."""

    def described(self) -> Mapping[str, object] | None:
        """Return the display's description for another server; None: nothing is drawn."""

    def let_go(self) -> tuple[list[str], bytes]:
        """Leave the chat here; return the pending lines and the unfinished input."""

    def come_back(self, typed: bytes) -> None:
        """Run here again, with the input that the other server did not process."""

    def begin(self, visitor: Visitor, entered: Callable[[], None] | None = None) -> None:
        """Enter the chat here."""

    def deliver(self, event: PersonalEvent) -> None:
        """Show a personal event."""

    def set_reading(self, reading: bool) -> None:
        """Resume or pause reading."""

    def close(self) -> None:
        """Send what is pending and end the connection."""


class Handover:
    """Hands one conversation over, any number of times.

    ``delay`` returns the seconds by which its return is staggered among the servers; ``entered`` is
    called whenever its user has entered here.  ``proof_of`` returns what proves an account for a
    user with a key: if that is another one when the connection returns, as the key was removed
    while the other server was gone, its user is a guest here.
    """

    __slots__ = (
        "_back",
        "_clock",
        "_delay",
        "_entered",
        "_handed",
        "_is_relayed",
        "_open_stream",
        "_proof",
        "_proof_of",
        "_visitor",
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
        proof_of: Callable[[str, str | None], str],
    ) -> None:
        self._handed = handed
        self._visitor = visitor
        self._entered = entered
        self._open_stream = open_stream
        self._clock = clock
        self._delay = delay
        self._proof_of = proof_of
        self._proof = ""
        self._back = False
        self._is_relayed = False  # or is about to be

    @property
    def visitor(self) -> Visitor:
        """The visitor, whose connection can be relayed."""
        return replace(self._visitor, relay_to=self.relay)

    async def relay(self, server: str, account: str) -> bool:
        """Let a server run the conversation for an account's owner; return whether it does so."""
        if self._is_relayed:
            return False
        self._is_relayed = True
        relayed = False
        try:
            relayed = await self._relay(server, account)
        finally:
            if not relayed:
                self._is_relayed = False
        return relayed

    async def _relay(self, server: str, account: str) -> bool:
        visitor = replace(self._visitor, account=account)
        how = {"screen": self._handed.described(), "begins": self._begins(account)}
        stream = await self._open_stream(server, visitor, SHELL, how)
        if stream is None:
            return False
        if self._handed.lost:
            stream.give_up()
            return True
        self._visitor = visitor
        self._proof = self._proof_of(account, visitor.fingerprint)
        self._run_edge(stream)
        return True

    def _begins(self, account: str) -> str:
        session = self._handed.session
        if self._back or (session is not None and session.person.account == account):
            return BACK
        return IN if session is None else LOGGED_IN

    def _run_edge(self, stream: Stream) -> None:
        """Replace the program of the connection by one that only forwards bytes."""
        handed = self._handed
        lines, typed = handed.let_go()
        client = EdgeClient(
            handed.connection.outbox,
            handed.set_reading,
            self._come_back,
            self._disconnect,
            finish=lambda status: handed.connection.outbox.close(),
            # The program may be another one by then: plain lines turn out to be a telnet's.
            lost=lambda: handed.program.lost(),
            resized=lambda columns, rows: handed.program.resized(columns, rows),
            ask=handed.ask_client,
            take_answer=handed.take_answer,
        )
        edge = Edge(stream, client)
        handed.connection.pass_to(edge)
        edge.begin(lines, typed)

    def _come_back(self, why: str, typed: bytes, input_ended: bool) -> None:
        """Run the conversation here, as the other server is gone, and enter in a moment."""
        self._is_relayed, self._back = False, True
        self._handed.come_back(typed)
        if input_ended:
            self._handed.program.input_ended()
        self._handed.deliver(Notice(why))
        self._clock.callLater(BACK_SECONDS + self._delay(), self._begin)

    def _disconnect(self, sentence: str) -> None:
        """Run the conversation here only to end it with a sentence."""
        self._handed.come_back(b"")
        self._handed.deliver(Notice(sentence))
        self._handed.close()

    def _begin(self) -> None:
        visitor = self._visitor
        if self._proof_of(visitor.account, visitor.fingerprint) != self._proof:
            self._visitor = replace(visitor, account="")
        if not self._handed.lost:
            self._handed.begin(self.visitor, self.entered)

    def entered(self) -> None:
        """Restore the focus of a returned user to their previous room, if that is known."""
        session = self._handed.session
        if self._back and session is not None and session.focus is None:
            session.focus_on_newest()
        if self._entered is not None:
            self._entered()
