"""What every test of chatd gets: no unasked failure goes by, and no missing client is hidden."""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from twisted.logger import ILogObserver, LogEvent, globalLogBeginner, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.support.callers import Connect, LineClient
from tests.support.clients import find
from tests.support.cluster.nats import Nats, running
from tests.support.served import Served

IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")

#: Clients that a test asked for and that are not installed.
MISSING: set[str] = set()

# Nothing here asserts how long something took, Hypothesis included.
settings.register_profile(
    "chatd",
    deadline=None,
    print_blob=True,
    derandomize=False,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("chatd-ci", settings.get_profile("chatd"), database=None)
settings.load_profile("chatd-ci" if IN_CI else "chatd")


@implementer(ILogObserver)
class LoggedFailures:
    """The failures that were logged during a test; what is left at its end fails it."""

    def __init__(self) -> None:
        self._events: list[LogEvent] = []

    def __call__(self, event: LogEvent) -> None:
        """Observe an event."""
        if "log_failure" in event:
            self._events.append(event)

    def flush(self, *kinds: type[BaseException]) -> list[Failure]:
        """Take out the failures of these exceptions (of any, if none are named) and return them."""
        gc.collect()
        asked: list[Failure] = []
        left: list[LogEvent] = []
        for event in self._events:
            if not kinds or event["log_failure"].check(*kinds):
                asked.append(event["log_failure"])
            else:
                left.append(event)
        self._events = left
        return asked


def pytest_configure() -> None:
    """Begin logging, to nobody.

    Until it has begun, Twisted keeps every event for the observers to come; and with the
    events the failed Deferreds that we want to see collected.
    """
    globalLogBeginner.beginLoggingTo([], discardBuffer=True, redirectStandardIO=False)


def pytest_collection_finish() -> None:
    """Leave what is here to stay out of every later garbage collection: a tenth of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def logged_failures() -> Iterator[LoggedFailures]:
    """Fail a test that logs a failure it did not ask for.

    Without this a failed Deferred that nobody handled passes in silence.  A test that provokes
    one takes it: ``[failure] = logged_failures.flush(ZeroDivisionError)``.
    """
    logged = LoggedFailures()
    globalLogPublisher.addObserver(logged)
    yield logged
    unasked = logged.flush()
    globalLogPublisher.removeObserver(logged)
    if unasked:
        tracebacks = "\n".join(failure.getTraceback() for failure in unasked)
        pytest.fail(f"Logged, and not asked for:\n{tracebacks}", pytrace=False)


@pytest.fixture
def client() -> Callable[[str], str]:
    """Return what gives the path of a client: ``client("plink")``.

    Where it is not installed, the test is skipped and the end of the run names the client;
    in CI, where all are to be installed, the test fails.
    """

    def path_of(name: str) -> str:
        path = find(name)
        if path is None:
            MISSING.add(name)
            if IN_CI:
                pytest.fail(f"{name} is not installed, and in CI it has to be", pytrace=False)
            pytest.skip(f"{name} is not installed")
        return path

    return path_of


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a chatd that runs for the whole session, as ``--port`` would start it.

    Tests share it, so each keeps to rooms and nicks of its own.  For other options there is
    ``with Served(tmp_path, …)``.
    """
    with Served(Path(tmp_path_factory.mktemp("served"))) as server:
        yield server


@pytest.fixture
def line_client() -> Iterator[Connect]:
    """Return what connects a client by plain lines; all are closed at the end of the test."""
    with ExitStack() as stack:

        def connect(server: Served, nick: str) -> LineClient:
            client = LineClient(server, nick)
            stack.callback(client.close)
            return client

        yield connect


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    """Return a NATS server; whoever uses it takes an account of their own."""
    yield from running(Path(tmp_path_factory.mktemp("nats")))


@pytest.fixture(scope="session")
def three_nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    """Return a cluster of three NATS servers."""
    yield from running(Path(tmp_path_factory.mktemp("nats3")), servers=3)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first JSON clients have all their objects without the pauses between them."""
    monkeypatch.setattr("chatd.transport.json.WRITE_SECONDS", 0.0)


def pytest_xdist_auto_num_workers() -> int:
    """Say in how many processes the tests run: they wait more than they work."""
    return min(8, 2 * (os.cpu_count() or 1))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that sums up which clients were missing in this one."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["missing"] = sorted(MISSING)


def pytest_testnodedown(node: Any) -> None:
    """Hear of the clients that were missing in one of the processes, unless it has crashed."""
    MISSING.update(getattr(node, "workeroutput", {}).get("missing", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the clients that nothing was tested with."""
    if MISSING:
        terminalreporter.section("clients")
        terminalreporter.line(f"not run, because missing: {', '.join(sorted(MISSING))}")
