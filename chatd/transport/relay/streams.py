"""The exchange: the lines of this server to the others, opened, looked after and hung up.

It knows which lines there are, and what programs run on those that are borrowed; it knows neither
what is said on them nor who says it.
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
from chatd.cluster.cluster import Cluster
from chatd.transport.relay.stream import LOST, State, Stream

#: Lines that one other server may have here, each a session of somebody.
LINES = 1000
#: Seconds between two looks at whether the other ends of all lines are there.
LOOK_SECONDS = 2.0
#: How often in turn nobody may be there until a server counts as gone: one that changes its
#: connection to the cluster is away for a moment.
LOOKS = 2
#: Seconds until bytes that were taken are acknowledged, if nothing else is said meanwhile.
ACKNOWLEDGE_SECONDS = 0.2

#: Begins a program on a line, for somebody, as it was asked for.
Begin = Callable[[Stream, Visitor, State], None]


class Streams:
    """The lines to the other servers; ``programs`` are what runs on one that is borrowed.

    ``name`` is one that no other exchange has: its lines are called by it.
    """

    _log = Logger()

    def __init__(self, chat: Chat, cluster: Cluster, clock: IReactorTime, name: str) -> None:
        self._chat = chat
        self._cluster = cluster
        self._name = name
        self._clock = clock
        self._lines: dict[str, Stream] = {}
        self._borrowed: set[Stream] = set()
        self._owing: dict[Stream, None] = {}
        self._missed: dict[str, int] = {}
        self._numbers = count(1)
        self._look: IDelayedCall | None = None
        self._acknowledging: IDelayedCall | None = None
        self.programs: dict[str, Begin] = {}

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def rank(self) -> int:
        """How many servers of the cluster come before this one."""
        return self._cluster.rank

    # Opening --------------------------------------------------------------------------------------

    async def open(self, server: str, visitor: Visitor, program: str, how: State) -> Stream | None:
        """Ask a server to run a program for somebody who is there; None: it does not.

        The answer comes in a turn of its own: whatever came with the last bytes has been read.
        """
        line = self._add(f"{self._name}.{next(self._numbers)}", server)
        asked = {"open": line.name, "who": _written(visitor), "program": program, "how": how}
        try:
            answer = await self._cluster.ask_server(server, asked)
        except Refused:
            answer = {}
        turn: Deferred[None] = Deferred()
        self._clock.callLater(0, turn.callback, None)
        await turn
        if answer.get("open") and not line.over:
            return line
        line.say(LOST, 0)  # it may have been opened all the same
        line.end()
        return None

    def asked(self, server: str, said: State) -> State:
        """Open a line that another server lends, or say which of its lines are not known here."""
        if "roll" in said:
            return {"unknown": self._called(server, said["roll"])}
        visitor = _read(said["who"])
        begin = self.programs.get(said["program"])
        lines = sum(line.server == server for line in self._borrowed)
        present = self._chat.entrance.is_here(visitor.account)
        if begin is None or lines >= LINES or not present:
            return {}
        line = self._add(said["open"], server)
        self._borrowed.add(line)
        begin(line, visitor, said["how"])
        return {"open": True}

    def gather(self, person: Person, server: str) -> None:
        """Let another server run all connections of somebody that can be lent."""
        for session in tuple(person.sessions):
            if session.relay_to is not None and person.account is not None:
                lending = Deferred.fromCoroutine(_lend(session.relay_to, server, person.account))
                lending.addErrback(lambda why: self._log.failure("lending failed", failure=why))

    def _add(self, name: str, server: str) -> Stream:
        line = self._lines[name] = Stream(name, server, self)
        if self._look is None:
            self._look = self._clock.callLater(LOOK_SECONDS, self._call_roll)
        return line

    def ended(self, line: Stream) -> None:
        """A line is over; nothing more is heard of it."""
        self._lines.pop(line.name, None)
        self._borrowed.discard(line)
        self._owing.pop(line, None)

    # What is said ---------------------------------------------------------------------------------

    def tell(self, line: Stream, said: State) -> None:
        """Say something to the server at the other end of a line."""
        self._cluster.tell_server(line.server, said)

    def heard(self, server: str, said: State) -> None:
        """Hand a message to its line."""
        line = self._lines.get(said["line"])
        if line is not None and line.server == server:
            line.take(said)

    def owes(self, line: Stream) -> None:
        """Let a line acknowledge by and by what was taken."""
        self._owing[line] = None
        if self._acknowledging is None:
            self._acknowledging = self._clock.callLater(ACKNOWLEDGE_SECONDS, self._acknowledge)

    def _acknowledge(self) -> None:
        self._acknowledging = None
        owing, self._owing = self._owing, {}
        for line in owing:
            line.acknowledge()

    # Whether the other ends are there -------------------------------------------------------------

    def _call_roll(self) -> None:
        """Tell each server which lines it has with this one, and hear which it does not know."""
        self._look = None
        rolls: dict[str, dict[str, list[Any]]] = {}
        for line in self._lines.values():
            rolls.setdefault(line.server, {})[line.name] = [line.sent, line.silence()]
        for server, roll in rolls.items():
            calling = Deferred.fromCoroutine(self._call(server, roll))
            calling.addErrback(
                lambda why: self._log.failure("calling the roll failed", failure=why)
            )
        if rolls:
            self._look = self._clock.callLater(LOOK_SECONDS, self._call_roll)

    async def _call(self, server: str, roll: dict[str, list[Any]]) -> None:
        try:
            answer = await self._cluster.ask_server(server, {"roll": roll})
        except Refused as refused:
            if refused.code == "gone":
                self._missed[server] = self._missed.get(server, 0) + 1
                if self._missed[server] >= LOOKS:
                    self._lose(server, dead=True)
            return
        self._missed.pop(server, None)
        for name in answer.get("unknown", ()):
            self._fail(server, name)

    def _called(self, server: str, roll: dict[str, list[Any]]) -> list[str]:
        """Another server tells its lines and their last numbers; return those not known here."""
        unknown = []
        for name, (sent, owing) in roll.items():
            line = self._lines.get(name)
            if line is None or line.server != server:
                unknown.append(name)
            elif sent > line.heard:
                self._fail(server, name)
            else:
                line.owing = owing
        return unknown

    def _fail(self, server: str, name: str) -> None:
        line = self._lines.get(name)
        if line is not None and line.server == server:
            line.fail()

    def gone(self, server: str) -> None:
        """A server is gone, as far as can be told, and every line to it."""
        self._lose(server, dead=False)

    def _lose(self, server: str, *, dead: bool) -> None:
        self._missed.pop(server, None)
        for line in [line for line in self._lines.values() if line.server == server]:
            line.fail(dead=dead)

    def hang_up(self, sentence: str) -> None:
        """Let go of every line."""
        for line in list(self._lines.values()):
            line.hang_up(sentence)
            line.end()


async def _lend(lend: RelayTo, server: str, account: str) -> None:
    await lend(server, account)


def _written(visitor: Visitor) -> State:
    return {
        "nick": visitor.nick,
        "address": visitor.address,
        "print": visitor.fingerprint,
        "operator": visitor.operator,
        "account": visitor.account,
        "wishes": visitor.preferences,
    }


def _read(said: State) -> Visitor:
    """Who comes by a line; what their server says of them is believed."""
    return Visitor(
        said["nick"],
        said["address"],
        said["print"],
        said["operator"],
        account=said["account"],
        preferences=tuple((name, value) for name, value in said["wishes"]),
    )
