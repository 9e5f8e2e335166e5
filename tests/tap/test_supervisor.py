"""The supervisor and its workers: started, watched, restarted, and stopped together."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.task import Clock
from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    eventAsJSON,
    formatEventAsClassicLogText,
    globalLogPublisher,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.store.nats.client.servers import Servers
from chatd.tap import supervisor
from chatd.tap.child_log import EVENT_BYTES, ChildLog
from chatd.tap.options import Options
from chatd.tap.parent_watch import READY, STOP_SECONDS
from chatd.tap.supervisor import (
    MAX_RESTART_SECONDS,
    RESTART_SECONDS,
    STABLE_SECONDS,
    ChildProtocol,
    Supervisor,
    command,
    make_supervisor,
)
from chatd.tap.worker import FIRST_SOCKET
from chatd.transport.net.shared_ports import SharedPorts
from tests.docs.test_cluster import TEXT
from tests.end_to_end.test_cluster import options
from tests.support.callers import Connect, LineClient
from tests.support.cluster.nats import Nats, NatsServer
from tests.support.served import Ends, Served, killed


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Return the lines of the log, without their times."""
    lines: list[str] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        line = formatEventAsClassicLogText(event, formatTime=lambda when: "")
        lines.append((line or "").strip())

    observer: ILogObserver = observe
    globalLogPublisher.addObserver(observer)
    yield lines
    globalLogPublisher.removeObserver(observer)


class Ports(SharedPorts):
    """Ports that only record calls."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def open(self) -> None:
        self.done.append("open")

    def of(self, number: int) -> list[int]:
        return [100 + number, 200 + number]

    def rest(self, number: int) -> None:
        self.done.append(f"rest {number}")

    def close(self) -> None:
        self.done.append("close")


class Running:
    """A simulated process."""

    def __init__(self, child: ChildProtocol, words: list[str], **how: Any) -> None:
        self.child = child
        self.words = words
        self.how = how
        self.done: list[str] = []
        child.makeConnection(self)

    def closeStdin(self) -> None:  # noqa: N802 - Twisted's name
        self.done.append("stop")

    def signalProcess(self, number: str) -> None:  # noqa: N802 - Twisted's name
        self.done.append(number)
        raise ProcessExitedAlready

    def logs(self, event: LogEvent) -> None:
        self.child.childDataReceived(1, f"\x1e{eventAsJSON(event)}\n".encode())

    def is_ready(self) -> None:
        self.logs({"log_format": READY, "number": 1, "of": 2, "pid": 7})

    def ends(self, status: int | None = None, killed_by: int | None = None) -> None:
        ended = ProcessTerminated(status, killed_by) if status or killed_by else ProcessDone(0)
        self.child.processEnded(Failure(ended))


class Machine(Clock):
    """A reactor that simulates processes."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[Running] = []
        self.stopped = 0

    def spawnProcess(  # noqa: N802 - Twisted's name
        self, child: ChildProtocol, program: str, words: list[str], **how: Any
    ) -> None:
        assert program == words[0]
        self.started.append(Running(child, words, **how))

    def stop(self) -> None:
        assert not self.stopped, "a reactor is stopped once"
        self.stopped += 1


class Service:
    """A supervisor of two workers that have been started."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.ports = Ports()
        self.failed = 0
        self.processes = Supervisor(
            self.machine,
            ["python", "chatd"],
            os.getcwd(),
            2,
            self.ports,
            self.machine.stop,
            self._fails,
        )
        self.processes.privilegedStartService()
        self.processes.startService()

    def _fails(self) -> None:
        self.failed += 1

    @property
    def started(self) -> list[Running]:
        return self.machine.started

    def stops(self) -> Deferred[None]:
        return self.processes.stopService()


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def ready(service: Service) -> Service:
    for running in service.started:
        running.is_ready()
    return service


def test_each_worker_is_started_with_the_same_command_its_number_and_its_sockets(
    service: Service,
) -> None:
    assert service.ports.done == ["open"]
    assert [running.words for running in service.started] == [
        ["python", "chatd", "--processes=1/2"],
        ["python", "chatd", "--processes=2/2"],
    ]
    for number, running in enumerate(service.started, 1):
        assert running.how == {
            "env": None,
            "path": None,
            "childFDs": {0: "w", 1: "r", 2: "r", FIRST_SOCKET: 100 + number, 4: 200 + number},
        }


def test_ports_are_opened_once_also_without_a_privileged_start() -> None:
    machine, ports = Machine(), Ports()
    several = Supervisor(machine, ["python"], "/elsewhere", 2, ports, machine.stop)
    several.startService()
    assert ports.done == ["open"]
    assert machine.started[0].how["path"] == "/elsewhere"


def test_a_worker_that_dies_is_restarted_and_the_others_accept_its_connections_meanwhile(
    ready: Service, logged: list[str]
) -> None:
    ready.started[0].ends(killed_by=9)
    assert ready.ports.done == ["open", "rest 1"]
    assert logged == [
        "[chatd.tap.supervisor.Supervisor#error]"
        " process 1 ended, another starts in 0.5 s (signal 9)"
    ]
    assert len(ready.started) == 2
    ready.machine.advance(RESTART_SECONDS)
    assert ready.started[2].words == ready.started[0].words
    assert ready.started[2].how == ready.started[0].how
    assert not ready.machine.stopped


def test_the_pause_before_a_restart_grows_up_to_a_limit(ready: Service) -> None:
    pauses: list[float] = []
    while len(pauses) < 10:
        ready.started[-1].ends(status=1)
        [again] = ready.machine.getDelayedCalls()
        pauses.append(again.getTime() - ready.machine.seconds())
        ready.machine.advance(pauses[-1])
    assert pauses[:4] == [RESTART_SECONDS * factor for factor in (1, 2, 4, 8)]
    assert pauses[-1] == MAX_RESTART_SECONDS
    ready.machine.advance(STABLE_SECONDS)
    ready.started[-1].ends(status=1)
    [again] = ready.machine.getDelayedCalls()
    assert again.getTime() == ready.machine.seconds() + RESTART_SECONDS


@pytest.mark.parametrize("other_is_ready", [True, False])
def test_a_worker_that_cannot_start_at_all_ends_the_service_once(
    service: Service, logged: list[str], other_is_ready: bool
) -> None:
    one, other = service.started
    if other_is_ready:
        other.is_ready()
        logged.clear()
    one.child.childDataReceived(2, b"chatd cannot use the cluster: because")
    one.ends(status=1)
    assert logged == [
        "[1 chatd#error] chatd cannot use the cluster: because",
        "[chatd.tap.supervisor.Supervisor#critical]"
        " process 1 cannot start, and so all end (status 1)",
    ]
    assert (service.failed, service.machine.stopped) == (1, 1)
    other.ends(status=1)
    assert (service.failed, service.machine.stopped) == (1, 1)
    assert service.stops().called


def test_a_worker_that_cannot_restart_is_retried_while_others_serve(ready: Service) -> None:
    one, other = ready.started
    one.ends(killed_by=9)
    ready.machine.advance(RESTART_SECONDS)
    ready.started[-1].ends(status=1)
    assert not ready.machine.stopped
    ready.machine.advance(2 * RESTART_SECONDS)
    other.ends(killed_by=9)
    assert not ready.machine.stopped, "it may yet come"
    ready.started[-1].ends(status=1)
    assert (ready.failed, ready.machine.stopped) == (1, 1)


def test_when_a_client_stops_a_worker_all_workers_stop(ready: Service) -> None:
    ready.started[1].ends()
    assert (ready.failed, ready.machine.stopped) == (0, 1)
    stopped = ready.stops()
    assert not stopped.called
    ready.started[0].ends(killed_by=15)
    assert stopped.called


def test_stopping_waits_for_all_workers_and_closes_the_ports_last(ready: Service) -> None:
    stopped = ready.stops()
    assert [running.done for running in ready.started] == [["stop"], ["stop"]]
    ready.started[0].ends(killed_by=15)
    assert not stopped.called
    ready.started[1].ends(killed_by=15)
    assert stopped.called
    assert ready.ports.done == ["open", "rest 1", "rest 2", "close"]
    assert ready.machine.getDelayedCalls() == []
    ready.processes.startService()
    assert len(ready.started) == 4


def test_a_worker_that_does_not_stop_in_time_is_killed(ready: Service, logged: list[str]) -> None:
    stopped = ready.stops()
    ready.started[1].ends(killed_by=15)
    ready.machine.advance(STOP_SECONDS)
    assert ready.started[0].done == ["stop", "KILL"]
    assert logged[-1].endswith("process 1 does not stop: killed")
    ready.started[0].ends(killed_by=9)
    assert stopped.called


def test_no_worker_is_restarted_while_the_service_stops(ready: Service) -> None:
    ready.started[0].ends(killed_by=9)
    stopped = ready.stops()
    ready.machine.advance(MAX_RESTART_SECONDS)
    assert len(ready.started) == 2
    ready.started[1].ends(killed_by=15)
    assert stopped.called


def test_events_of_a_worker_are_logged_with_its_number(ready: Service, logged: list[str]) -> None:
    one, other = ready.started
    one.logs(
        {
            "log_format": "{who} comes",
            "who": "ada",
            "log_namespace": "x",
            "log_level": LogLevel.info,
        }
    )
    other.logs({"log_format": "old", "log_system": "-", "log_level": LogLevel.info})
    assert logged[-2:] == ["[1 x#info] ada comes", "[2 -] old"]


def test_a_traceback_of_a_worker_is_logged(ready: Service, logged_failures: Any) -> None:
    try:
        raise ZeroDivisionError("of the other process")
    except ZeroDivisionError:
        event = {"log_format": "it failed", "log_level": LogLevel.critical}
        ready.started[0].logs({**event, "log_failure": Failure()})
    [failure] = logged_failures.flush()
    assert "of the other process" in failure.getTraceback()


# What is relayed ----------------------------------------------------------------------------------


def texts(events: list[LogEvent]) -> list[object]:
    return [event.get("text", event) for event in events]


def test_any_cutting_of_the_bytes_gives_the_same_events() -> None:
    data = b'\x1e{"a": 1}\nplain \xff\n\n\x1e{"b": \n\x1e[]\n\x1e{"c": 2}'
    for cut in range(len(data)):
        relayed = ChildLog()
        events = relayed.receive_data(data[:cut]) + relayed.receive_data(data[cut:])
        assert texts(events + relayed.end()) == [
            {"a": 1},
            "plain \N{REPLACEMENT CHARACTER}",
            '{"b":',
            "[]",
            {"c": 2},
        ]
        assert relayed.end() == []


def test_a_line_without_an_end_is_not_buffered_for_ever() -> None:
    relayed = ChildLog()
    assert relayed.receive_data(b"x" * EVENT_BYTES) == []
    assert texts(relayed.receive_data(b"x")) == ["x" * (EVENT_BYTES + 1)]
    assert relayed.end() == []


# What starts them ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "reactor"),
    [
        ({}, []),
        ({"reactor": "poll"}, ["--reactor=poll"]),
        ({"reactorName": "default", "reactor": object()}, ["--reactor=default"]),
    ],
)
def test_workers_run_on_the_same_kind_of_reactor(
    told: dict[str, object], reactor: list[str]
) -> None:
    options = Options()
    options.parent = told  # type: ignore[assignment] # a dictionary too
    options.arguments = ["--port", "1"]
    python, *words = command(options)
    assert Path(python).is_absolute()
    assert words[3:] == ["--log-format=json", "--log-level=debug", *reactor, "chatd", "--port", "1"]


def test_a_data_folder_that_cannot_be_given_to_the_workers_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def may_not(*whose: object) -> None:
        raise PermissionError(1, "Operation not permitted", "/data")

    monkeypatch.setattr(supervisor, "change_owner", may_not)
    options = Options()
    options["data"] = Path("/data")
    with pytest.raises(SystemExit, match=r"^chatd cannot keep what is said: .*not permitted"):
        make_supervisor(options, Machine(), lambda: None)


# The real ones ------------------------------------------------------------------------------------


class Two(Served):
    """A service of two processes, as it is started by hand; it counts its clients."""

    def __init__(self, folder: Path, where: Servers, connect: Connect) -> None:
        super().__init__(folder, ["line"], [*options(folder, where), "--processes", "2"])
        self._connect = connect
        self._connected = 0

    def pid_of(self, number: int, other_than: int = 0) -> int:
        """Return the process of a number, once it takes connections."""
        ready = READY.format(number=number, of=2, pid=rf"(?!{other_than}\b)(\d+)")
        return int(self.wait_for(ready)[1])

    def client(self, nick: str) -> tuple[LineClient, int]:
        """Return a new client, and the number of the process that accepted it."""
        client = self._connect(self, nick)
        self._connected += 1
        each = r"(?s:.*?)\[(\d) chatd\.transport\.gate\.gate\.Gate#info\]"
        return client, int(self.wait_for(f"(?:{each}){{{self._connected}}}")[1])

    def client_on(self, number: int, nick: str) -> LineClient:
        """Return a new client of the process of this number; clients of the other one quit."""
        for attempt in range(60):
            client, accepted_by = self.client(f"{nick}{attempt}")
            if accepted_by == number:
                return client
            client.quits()
        raise AssertionError(f"no connection gets to {number}")


def test_users_of_two_workers_talk_and_a_killed_worker_is_restarted(
    nats: Nats, tmp_path: Path, line_client: Connect
) -> None:
    with ExitStack() as stack:
        with Two(tmp_path, nats.account(), line_client) as server:
            first, second = server.pid_of(1), server.pid_of(2)
            ada, bob = server.client_on(1, "ada"), server.client_on(2, "bob")
            ada.says("hello")
            assert bob.sees("hello").startswith("ada")
            os.kill(first, signal.SIGKILL)
            server.wait_for(r"process 1 ended, another starts in .* \(signal 9\)")
            ada.close()
            meanwhile, _ = server.client("eve")
            meanwhile.quits()
            again = server.pid_of(1, other_than=first)
            cy = server.client_on(1, "cy")
            bob.says("welcome")
            assert cy.sees("welcome").startswith("bob")
            watched = Ends(stack, again, second)
            for pid in again, second:  # systemd tells everyone, and then the first does
                os.kill(pid, signal.SIGTERM)
        assert watched.end()
        for caller in cy, bob:
            caller.sees("server is stopping.")  # one may move its people before the other ends
            caller.close()


class Documented(NatsServer):
    """The NATS server of docs/cluster.rst for several processes on one machine."""

    def configuration(self, own_route: int) -> str:
        _, _, text = TEXT.partition("The cores of one machine\n====")
        found = re.search(r"^ +listen: .*?^ +authorization \{.*?\}$", text, re.S | re.M)
        assert found is not None
        here = found[0].replace(":4222", ":-1").replace("/var/lib/nats", f"{self.folder}/js")
        return f'{here}\nports_file_dir: "{self.folder}"\n'


def test_when_the_supervisor_is_killed_its_workers_say_goodbye_and_end(
    tmp_path: Path, line_client: Connect
) -> None:
    beside = Documented(tmp_path)
    with ExitStack() as stack:
        stack.callback(beside.kill)
        beside.start()
        where = Servers((f"nats://127.0.0.1:{beside.port}",), "chatd", "secret")
        server = Two(tmp_path, where, line_client)
        with killed(server):
            watched = Ends(stack, server.pid_of(1), server.pid_of(2))
            ada, _ = server.client("ada")
        ada.sees("server is stopping.")
        ada.close()
        assert watched.end()
        with pytest.raises(ConnectionRefusedError):
            server.client("bob")


class Plain(NatsServer):
    """A NATS server without JetStream, which chatd cannot use."""

    def configuration(self, own_route: int) -> str:
        return f'listen: "127.0.0.1:-1"\nports_file_dir: "{self.folder}"\n'


def test_when_workers_cannot_start_the_service_says_why_and_ends_with_a_status(
    tmp_path: Path,
) -> None:
    plain = Plain(tmp_path)
    with ExitStack() as stack:
        stack.callback(plain.kill)
        plain.start()
        cluster = ["--processes", "2", "--cluster", f"nats://127.0.0.1:{plain.port}"]
        with (
            pytest.raises(AssertionError, match="chatd ended of itself, with status 1") as told,
            Served(tmp_path, ["line"], cluster) as server,
        ):
            assert Ends(stack, server.pid).end()
    assert "chatd cannot use the cluster: the NATS server has no JetStream" in str(told.value)
