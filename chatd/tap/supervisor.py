"""Supervisor: several servers of a cluster on one machine, as one service.

The initial process opens the ports, starts the workers with the same command line, logs their
output, restarts those that die, and stops them when it ends.  It serves no connections and must not
know what a server is.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import LogEvent, Logger, LogLevel, globalLogPublisher
from twisted.python.failure import Failure

from chatd.store.sqlite.files import change_owner
from chatd.tap.child_log import ChildLog
from chatd.tap.options import Options
from chatd.tap.parent_watch import READY, STOP_SECONDS
from chatd.tap.worker import FIRST_SOCKET, Worker, working_folder
from chatd.transport.net.shared_ports import SharedPorts

#: Seconds until a worker that ended is restarted: initially, and at most.  They double each time
#: that it ends before it has run for `STABLE_SECONDS`.
RESTART_SECONDS = 0.5
MAX_RESTART_SECONDS = 30.0
STABLE_SECONDS = 60.0


def make_supervisor(options: Options, reactor: Any, stop: Callable[[], None]) -> Supervisor:
    """Return the supervisor of the workers that the options request; ``stop`` ends this process.

    :raises SystemExit: with a sentence, when the data folder cannot be given to the workers' user.
    """
    twistd: Any = options.parent or {}  # twistd's own options
    try:
        change_owner(options["data"], twistd.get("uid"), twistd.get("gid"))
    except OSError as why:
        raise SystemExit(f"chatd cannot keep what is said: {why}") from None
    count = options["processes"].count
    ports = SharedPorts(options["listen"], count)
    return Supervisor(reactor, command(options), options.folder, count, ports, stop)


def command(options: Options) -> list[str]:
    """Return the command of a worker with the same options: a ``twist`` that logs to its parent."""
    twistd: Any = options.parent or {}
    reactor = twistd.get("reactorName", twistd.get("reactor"))
    chosen = [f"--reactor={reactor}"] if reactor else []
    twist = [sys.executable, "-P", "-m", "twisted", "--log-format=json", "--log-level=debug"]
    return [*twist, *chosen, "chatd", *options.arguments]


def exit_with_failure() -> None:
    """Make this process end with status 1; twistd offers no other way once it runs."""
    atexit.register(os._exit, 1)


def _exit_reason(reason: Failure) -> str:
    """Describe how a process ended."""
    signal = getattr(reason.value, "signal", None)
    return f"signal {signal}" if signal else f"status {getattr(reason.value, 'exitCode', 0)}"


class ChildProtocol(ProcessProtocol):
    """One worker, from its start to its end."""

    def __init__(
        self, number: int, since: float, ended: Callable[[ChildProtocol, Failure], None]
    ) -> None:
        self.number = number
        self.since = since
        self.ready = False
        self._ended = ended
        self._out = ChildLog()
        self._err = ChildLog(LogLevel.error)

    def outReceived(self, data: bytes) -> None:
        """Log the worker's log events."""
        self._log(self._out.receive_data(data))

    def errReceived(self, data: bytes) -> None:
        """Log the worker's output outside its log, such as a traceback."""
        self._log(self._err.receive_data(data))

    def _log(self, events: list[LogEvent]) -> None:
        for event in events:
            if event.get("log_format") == READY:
                self.ready = True
            namespace, level = event.get("log_namespace", "chatd"), event.get("log_level")
            system = event.get("log_system") or f"{namespace}#{getattr(level, 'name', '')}"
            event["log_system"] = f"{self.number} {system}"
            event.setdefault("log_time", time.time())
            globalLogPublisher(event)

    def processEnded(self, reason: Failure) -> None:  # noqa: N802 - Twisted calls this
        """Log the rest of its output, and report its end."""
        self._log(self._out.end() + self._err.end())
        self._ended(self, reason)

    def stop(self) -> None:
        """Stop it by closing its standard input (`chatd.tap.parent_watch`)."""
        if self.transport is not None:
            self.transport.closeStdin()

    def kill(self) -> None:
        """Kill it."""
        if self.transport is not None:
            with suppress(ProcessExitedAlready):
                self.transport.signalProcess("KILL")


class Supervisor(Service):
    """Keeps ``count`` workers running while the service runs; all end when it does.

    ``command`` starts one, in the working folder ``folder``.  ``stop`` is called when this process
    is to end, and ``failed`` before that if a worker cannot start.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        command: Sequence[str],
        folder: str | None,
        count: int,
        ports: SharedPorts,
        stop: Callable[[], None],
        failed: Callable[[], None] = exit_with_failure,
    ) -> None:
        self._reactor = reactor
        self._command = list(command)
        self._folder = folder
        self._count = count
        self._ports = ports
        self._stop = stop
        self._failed = failed
        self._opened = False
        self._children: dict[int, ChildProtocol] = {}
        self._started_before: set[int] = set()
        self._pauses: dict[int, float] = {}
        self._restarts: dict[int, IDelayedCall] = {}
        self._stopping = False
        self._ended: Deferred[None] | None = None

    # Starting -------------------------------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Open the ports, while the process may still open those below 1024.

        :raises SystemExit: with a sentence, when one cannot be opened.
        """
        super().privilegedStartService()
        self._open()

    def startService(self) -> None:
        """Start every worker."""
        super().startService()
        if not self._opened:
            self._open()
        for number in range(1, self._count + 1):
            self._start(number)

    def _open(self) -> None:
        self._ports.open()
        self._opened = True

    def _start(self, number: int) -> None:
        self._restarts.pop(number, None)
        child = ChildProtocol(number, self._reactor.seconds(), self._child_ended)
        self._children[number] = child
        descriptors: dict[int, int | str] = {0: "w", 1: "r", 2: "r"}
        descriptors |= dict(enumerate(self._ports.of(number), FIRST_SOCKET))
        command = [*self._command, Worker(number, self._count).option]
        path = None if self._folder == working_folder() else self._folder
        self._reactor.spawnProcess(
            child, command[0], command, env=None, path=path, childFDs=descriptors
        )

    # When one ends --------------------------------------------------------------------------------

    def _child_ended(self, child: ChildProtocol, reason: Failure) -> None:
        del self._children[child.number]
        if child.ready:
            self._started_before.add(child.number)
        self._ports.rest(child.number)
        if self._ended is not None:
            self._fire_if_all_ended()
        elif self._stopping:
            pass
        elif child.ready and reason.check(ProcessDone):  # stopped by a client's KILL_SERVICE
            self._log.info("process {number} was told to stop, and so all do", number=child.number)
            self._stop_all()
        elif self._can_never_start(child):
            self._log.critical(
                "process {number} cannot start, and so all end ({how})",
                number=child.number,
                how=_exit_reason(reason),
            )
            self._failed()
            self._stop_all()
        else:
            self._restart(child, reason)

    def _can_never_start(self, child: ChildProtocol) -> bool:
        """Return whether restarting this worker is known to be pointless.

        A worker that has started before is worth another try while other workers serve.
        """
        others_serve = any(other.ready for other in self._children.values())
        return not child.ready and not (child.number in self._started_before and others_serve)

    def _restart(self, child: ChildProtocol, reason: Failure) -> None:
        number, lived = child.number, self._reactor.seconds() - child.since
        pause = RESTART_SECONDS
        if number in self._pauses and lived < STABLE_SECONDS:
            pause = min(2 * self._pauses[number], MAX_RESTART_SECONDS)
        self._pauses[number] = pause
        self._log.error(
            "process {number} ended, another starts in {pause} s ({how})",
            number=number,
            pause=pause,
            how=_exit_reason(reason),
        )
        self._restarts[number] = self._reactor.callLater(pause, self._start, number)

    # Stopping -------------------------------------------------------------------------------------

    def _stop_all(self) -> None:
        self._stopping = True
        self._stop()

    def stopService(self) -> Deferred[None]:
        """Stop all workers, and wait until they have ended; kill those that take too long."""
        super().stopService()
        for waiting in self._restarts.values():
            waiting.cancel()
        self._restarts.clear()
        ended = self._ended = Deferred()
        deadline = self._reactor.callLater(STOP_SECONDS, self._kill)
        ended.addCallback(lambda _: self._close(deadline))
        for child in self._children.values():
            child.stop()
        self._fire_if_all_ended()
        return ended

    def _kill(self) -> None:
        for child in self._children.values():
            self._log.error("process {number} does not stop: killed", number=child.number)
            child.kill()

    def _fire_if_all_ended(self) -> None:
        if not self._children and self._ended is not None:
            self._ended.callback(None)

    def _close(self, deadline: IDelayedCall) -> None:
        if deadline.active():
            deadline.cancel()
        self._ports.close()
        self._opened = False
        self._ended = None
