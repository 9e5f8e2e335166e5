"""Streams to other servers: opened, checked for liveness and closed.

It knows which streams there are and which programs may be started on one; it knows neither their
contents nor their users.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from chatd.chat.chat import Chat
from chatd.chat.entry.entrance import Visitor
from chatd.chat.events import Refused
from chatd.chat.model.client import RelayTo
from chatd.chat.model.entities import Person
from chatd.cluster.bus import State
from chatd.cluster.cluster import Cluster
from chatd.transport.relay.stream import Stream

#: Streams that one other server may have opened here, each a session of a user.
STREAMS_PER_SERVER = 1000
#: Seconds between two liveness checks of the other ends of all streams.
LIVENESS_SECONDS = 2.0
#: Consecutive unanswered checks until a server counts as gone: a server that reconnects to the
#: cluster is away for a moment.
MISSED_CHECKS = 2
#: Seconds until consumed bytes are acknowledged, if no message does so sooner.
ACKNOWLEDGE_SECONDS = 0.2

#: Starts a program on a stream, for a visitor, with the parameters of the request.
StartProgram = Callable[[Stream, Visitor, State], None]


class Streams:
    """The streams between this server and the others.

    ``name`` is unique to this instance, and part of the names of its streams.  ``programs`` are the
    programs that other servers may start here.
    """

    _log = Logger()

    def __init__(self, chat: Chat, cluster: Cluster, clock: IReactorTime, name: str) -> None:
        self._chat = chat
        self._cluster = cluster
        self._name = name
        self._clock = clock
        self._streams: dict[str, Stream] = {}
        self._remote: set[Stream] = set()  # opened by others
        self._unacknowledged: dict[Stream, None] = {}
        self._missed: dict[str, int] = {}
        self._numbers = count(1)
        self._check: IDelayedCall | None = None
        self._acknowledging: IDelayedCall | None = None
        self.programs: dict[str, StartProgram] = {}

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def rank(self) -> int:
        """The number of servers of the cluster that are ordered before this one."""
        return self._cluster.rank

    # Opening --------------------------------------------------------------------------------------

    async def open(self, server: str, visitor: Visitor, program: str, how: State) -> Stream | None:
        """Ask a server to run a program for a visitor who is there; return None if it refuses.

        The answer arrives in a later turn: everything that came with the last bytes has been read.
        """
        stream = self._add(f"{self._name}.{next(self._numbers)}", server)
        request = {
            "open": stream.name,
            "who": _visitor_to_state(visitor),
            "program": program,
            "how": how,
        }
        try:
            answer = await self._cluster.ask_server(server, request)
        except Refused:
            answer = {}
        turn: Deferred[None] = Deferred()
        self._clock.callLater(0, turn.callback, None)
        await turn
        if answer.get("open") and not stream.over:
            return stream
        stream.give_up()  # it may have been opened nevertheless
        return None

    def answer(self, server: str, said: State) -> State:
        """Answer a request of another server: open a stream, or check its streams."""
        if "roll" in said:
            return {"unknown": self._check_known(server, said["roll"])}
        visitor = _visitor_from_state(said["who"])
        start = self.programs.get(said["program"])
        streams = sum(stream.server == server for stream in self._remote)
        present = self._chat.entrance.is_here(visitor.account)
        if start is None or streams >= STREAMS_PER_SERVER or not present:
            return {}
        stream = self._add(said["open"], server)
        self._remote.add(stream)
        start(stream, visitor, said["how"])
        return {"open": True}

    def merge_connections(self, person: Person, server: str) -> None:
        """Let another server run all connections of a user that can be relayed."""
        for session in tuple(person.sessions):
            if session.relay_to is not None and person.account is not None:
                relaying = Deferred.fromCoroutine(_relay(session.relay_to, server, person.account))
                relaying.addErrback(lambda why: self._log.failure("relaying failed", failure=why))

    def _add(self, name: str, server: str) -> Stream:
        stream = self._streams[name] = Stream(name, server, self)
        if self._check is None:
            self._check = self._clock.callLater(LIVENESS_SECONDS, self._check_liveness)
        return stream

    def closed(self, stream: Stream) -> None:
        """Forget a stream that is over."""
        self._streams.pop(stream.name, None)
        self._remote.discard(stream)
        self._unacknowledged.pop(stream, None)

    # Messages -------------------------------------------------------------------------------------

    def send(self, stream: Stream, message: State) -> None:
        """Send a message to the server at the other end of a stream."""
        self._cluster.tell_server(stream.server, message)

    def received(self, server: str, said: State) -> None:
        """Pass a message of another server to its stream."""
        stream = self._streams.get(said["line"])
        if stream is not None and stream.server == server:
            stream.take(said)

    def acknowledge_later(self, stream: Stream) -> None:
        """Schedule a stream's acknowledgement of consumed bytes."""
        self._unacknowledged[stream] = None
        if self._acknowledging is None:
            self._acknowledging = self._clock.callLater(ACKNOWLEDGE_SECONDS, self._acknowledge)

    def _acknowledge(self) -> None:
        self._acknowledging = None
        streams, self._unacknowledged = self._unacknowledged, {}
        for stream in streams:
            stream.acknowledge()

    # Liveness -------------------------------------------------------------------------------------

    def _check_liveness(self) -> None:
        """Tell each server which streams it has with this one; it answers with those it does not
        know.

        For each stream, the number of the last message and the client's silence are included.
        """
        self._check = None
        by_server: dict[str, dict[str, list[Any]]] = {}
        for stream in self._streams.values():
            checks = by_server.setdefault(stream.server, {})
            checks[stream.name] = [stream.sent, stream.silence()]
        for server, checks in by_server.items():
            checking = Deferred.fromCoroutine(self._check_server(server, checks))
            checking.addErrback(
                lambda why: self._log.failure("a liveness check failed", failure=why)
            )
        if by_server:
            self._check = self._clock.callLater(LIVENESS_SECONDS, self._check_liveness)

    async def _check_server(self, server: str, checks: dict[str, list[Any]]) -> None:
        try:
            answer = await self._cluster.ask_server(server, {"roll": checks})
        except Refused as refused:
            if refused.code == "gone":
                self._missed[server] = self._missed.get(server, 0) + 1
                if self._missed[server] >= MISSED_CHECKS:
                    self._fail_all(server, dead=True)
            return
        self._missed.pop(server, None)
        for name in answer.get("unknown", ()):
            self._fail(server, name)

    def _check_known(self, server: str, checks: dict[str, list[Any]]) -> list[str]:
        """Return which streams of another server are not known here.

        A stream with a message that was sent and has not arrived has failed.
        """
        unknown = []
        for name, (sent, silence) in checks.items():
            stream = self._streams.get(name)
            if stream is None or stream.server != server:
                unknown.append(name)
            elif sent > stream.seen:
                self._fail(server, name)
            else:
                stream.client_silence = silence
        return unknown

    def _fail(self, server: str, name: str) -> None:
        stream = self._streams.get(name)
        if stream is not None and stream.server == server:
            stream.fail()

    def server_gone(self, server: str) -> None:
        """Fail every stream to a server that seems to be gone."""
        self._fail_all(server, dead=False)

    def _fail_all(self, server: str, *, dead: bool) -> None:
        self._missed.pop(server, None)
        for stream in [each for each in self._streams.values() if each.server == server]:
            stream.fail(dead=dead)

    def hang_up(self, sentence: str) -> None:
        """Close every stream, with a sentence for the users whose connections are here."""
        for stream in list(self._streams.values()):
            stream.hang_up(sentence)
            stream.end()


async def _relay(relay: RelayTo, server: str, account: str) -> None:
    await relay(server, account)


def _visitor_to_state(visitor: Visitor) -> State:
    return {
        "nick": visitor.nick,
        "address": visitor.address,
        "print": visitor.fingerprint,
        "operator": visitor.operator,
        "account": visitor.account,
        "wishes": visitor.preferences,
        "way": visitor.way,
    }


def _visitor_from_state(state: State) -> Visitor:
    """Return a visitor of another server, whose statements about them are trusted."""
    return Visitor(
        state["nick"],
        state["address"],
        state["print"],
        state["operator"],
        account=state["account"],
        preferences=tuple((name, value) for name, value in state["wishes"]),
        way=state.get("way", ""),  # an older server does not say it
    )
