"""A chat for tests, with users whose connections only remember what they were sent."""

from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Any

from chatd.chat.actions.resume import connection_lost
from chatd.chat.believed_time import BelievedTime
from chatd.chat.chat import Chat
from chatd.chat.commands import receive
from chatd.chat.entry.detached import DetachedSession
from chatd.chat.entry.entrance import Visitor
from chatd.chat.events import Refused
from chatd.chat.model.client import ALIVE, DeliveryReport
from chatd.chat.model.entities import Session
from chatd.chat.model.preferences import Preferences
from chatd.chat.options import Environment, Options
from chatd.chat.peers import ALONE
from chatd.chat.store import Store
from chatd.cluster.bus import Bus
from chatd.cluster.cluster import Cluster
from chatd.store.memory import MemoryStore
from chatd.terminal.style import TextStyle
from tests.support.passwords import Checker, Hasher


def result_of(awaitable: Awaitable[object]) -> object:
    """Run an awaitable that has nothing to wait for, and return its result."""
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits for something")


def records(store: Store, kind: str) -> Mapping[str, str]:
    """Return the records of a kind that a store has, by key."""
    found = result_of(store.records(kind))
    assert isinstance(found, Mapping)
    return dict(found)


class Client:
    """A connection that takes ``capacity`` bytes until it is full; None: any number."""

    def __init__(self, *, echoes_input: bool = True, capacity: int | None = None) -> None:
        self.echoes_input = echoes_input
        self.copy_per_room = False
        self.closes_on_gap = False
        self.resumable = True
        self.capacity = capacity
        self.received = b""
        self.unsent = b""
        self.full = False
        self.closed = False
        self.is_gone = False
        self.bugs: list[Exception] = []
        self.sends = 0
        self.report = ALIVE
        self.aborted = False
        self.asked: list[str] = []
        self.answers: list[str] = []
        self.now = 1_000_000.0

    @property
    def pending_bytes(self) -> int:
        return len(self.unsent)

    def send(self, data: bytes) -> int:
        assert not self.full, "the chat does not send to a connection that is full"
        self.sends += 1
        taken = len(data) if self.capacity is None else min(self.capacity, len(data))
        self.received += data[:taken]
        if self.capacity is not None:
            self.capacity -= taken
        return taken

    def stalled(self, data: bytes, taken: int) -> None:
        self.unsent += data[taken:]
        self.full = True

    def write(self, data: bytes) -> None:
        if self.full:
            self.unsent += data
            return
        taken = self.send(data)
        if taken != len(data):
            self.stalled(data, taken)

    def style(self, preferences: Preferences) -> TextStyle:
        return TextStyle(
            theme="plain" if self.echoes_input else preferences.theme,
            bell="off" if self.echoes_input else preferences.bell,
            joins=preferences.joins,
        )

    def delivery_report(self) -> DeliveryReport:
        return self.report

    def refocused(self) -> None:
        """There is no prompt."""

    @property
    def shows_pending(self) -> bool:
        return self.echoes_input

    def pending_changed(self) -> None:
        """Pending lines are not shown."""

    async def ask(self, question: str, *, secret: bool) -> tuple[str, float]:
        self.asked.append(f"{question}, secretly" if secret else question)
        return (self.answers.pop(0) if self.answers else ""), self.now

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def broken(self, bug: Exception) -> None:
        self.bugs.append(bug)


class User:
    """A user of a chat: what they type, and what they are shown."""

    def __init__(self, server: "Server", session: Session, client: Client) -> None:
        self.server = server
        self.session = session
        self.client = client

    @property
    def nick(self) -> str:
        return self.session.person.nick

    def types(self, line: str) -> None:
        """Type a line; a refusal is shown, as in every way in."""
        try:
            waited_for = receive(self.server.chat, self.session, line, self.server.now)
            if waited_for is not None:
                result_of(waited_for)
        except Refused as refused:
            self.session.deliver(refused.as_event())
        if self.client.full:
            self.session.hold()

    def sees(self) -> list[str]:
        """End the turn; return the lines that were shown since the last time."""
        self.server.end_turn()
        lines = self.client.received.decode().split("\r\n")
        assert lines.pop() == "", "only whole lines are sent"
        self.client.received = b""
        return lines

    def resumes_reading(self, capacity: int | None = None) -> None:
        """Read what is pending; the connection takes ``capacity`` bytes more from now on."""
        self.client.received += self.client.unsent
        self.client.unsent = b""
        self.client.full = False
        self.client.capacity = capacity
        self.session.release()

    def loses_connection(self) -> DetachedSession | None:
        """Lose the connection; return the detached session that is kept."""
        return connection_lost(self.server.chat, self.session, self.server.now)

    def leaves(self, reason: str = "") -> None:
        """Leave the server."""
        self.server.chat.leave(self.session, reason, self.server.now)


class Server:
    """A chat with a clock that stands still; the reactor's turns end when a test says so."""

    def __init__(
        self,
        store: Store | None = None,
        checker: Checker | None = None,
        *,
        replay: int = 0,
        incarnation: str = "",
        bus: Bus | None = None,
        believed: BelievedTime | None = None,
        **options: Any,
    ) -> None:
        self.now = 1_000_000.0
        self.elapsed = 100.0
        self._scheduled: list[Callable[[], None]] = []
        self.expiring: list[Callable[[float], None]] = []
        self.hasher = Hasher()
        tokens = map(f"{incarnation}token{{}}".format, count(1))
        environment = Environment(
            self._scheduled.append,
            self.expiring.append,
            self.hasher,
            incarnation=incarnation or "0",
            make_token=lambda: next(tokens),
            checker=checker,
            believed=believed or BelievedTime(),
        )
        options.setdefault("room_owner_seconds", 0.0)
        chosen = Options(preferences=Preferences(replay=replay), **options)
        self._cluster = Cluster(bus, self._scheduled.append) if bus is not None else None
        self.chat = Chat(store or MemoryStore(), environment, chosen, self._cluster or ALONE)
        if self._cluster is not None:
            self._cluster.start(self.chat)

    @property
    def cluster(self) -> Cluster:
        """The other servers, where there are any."""
        assert self._cluster is not None
        return self._cluster

    def end_turn(self) -> None:
        """Do what the reactor does at the end of a turn, until nothing is scheduled."""
        while self._scheduled:
            self._scheduled.pop(0)()

    def end_one_turn(self) -> bool:
        """Do what is scheduled now, not what that schedules; return whether there was anything."""
        scheduled, self._scheduled[:] = self._scheduled[:], []
        for step in scheduled:
            step()
        return bool(scheduled)

    def enters(
        self,
        nick: str = "",
        *,
        lobby: bool = True,
        client: Client | None = None,
        operator: bool = False,
        fingerprint: str | None = None,
        address: str = "192.0.2.1",
    ) -> User:
        """Let a user enter the server, and the lobby unless ``lobby`` is false."""
        client = client or Client()
        visitor = Visitor(nick, address, fingerprint, operator)
        entered = result_of(self.chat.enter(visitor, client, self.now))
        assert isinstance(entered, tuple)
        session, _remark = entered
        if lobby:
            result_of(self.chat.join(session, "lobby", self.now))
        return User(self, session, client)
