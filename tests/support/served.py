"""The real ``twistd chatd``, started for a test and stopped after it.

It knows how chatd is started and how it logs its ports; it knows nothing of the protocols.
"""

import os
import re
import select
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

#: Seconds to wait for anything.  It measures nothing, but only ends a test that would hang.
PATIENCE = 30

#: What chatd logs for each way in when it listens.
LISTENING = r"chatd listening: way={way} host=(?P<host>\S+) port=(?P<port>\d+)"

#: Words that the log of a server must not have.
FAILURE_WORDS = ("Traceback", "Unhandled")


class Served:
    """A chatd in a process of its own, in ``directory``, which is its home folder too.

    It listens on the loopback, each way in on a port that the kernel chooses: ``port("line")``.
    ``options`` are passed to chatd after ``--listen``, and ``environment`` is added to the test's
    own; the server runs during ``with``.  The end of ``with`` fails when the log has a traceback,
    or when the server had ended before.
    """

    def __init__(
        self,
        directory: Path,
        ways: Sequence[str] = ("auto",),
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.ways = tuple(ways)
        self.options = tuple(options)
        self.environment = dict(environment or {})
        self._lines: list[str] = []
        self._ended = False
        self._more = threading.Condition()

    def __enter__(self) -> Self:
        """Start the server and wait until it listens on every way."""
        self._process = subprocess.Popen(
            self._command(),
            cwd=self.directory,
            env={
                **os.environ,
                "HOME": str(self.directory),
                "PYTHONUNBUFFERED": "1",
                **self.environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            for way in self.ways:
                self.port(way)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the server; check its log unless the test has failed already."""
        died = self._process.poll()
        self._end()
        if error is not None:
            error.add_note(self._report())
        elif died is not None:
            raise AssertionError(f"chatd ended of itself, with status {died}.\n{self._report()}")
        elif any(word in self.log for word in FAILURE_WORDS):
            raise AssertionError(f"chatd logged a failure.\n{self._report()}")

    @property
    def log(self) -> str:
        """Return everything that the server has logged so far."""
        with self._more:
            return "".join(self._lines)

    def kill(self) -> None:
        """Kill the server, if it still runs; its log is not checked."""
        self._process.kill()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        if self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def pid(self) -> int:
        """Return the server's process id."""
        return self._process.pid

    def host(self, way: str = "auto") -> str:
        """Return the address that a way in listens on."""
        return self.wait_for(LISTENING.format(way=re.escape(way)))["host"]

    def port(self, way: str = "auto") -> int:
        """Return the port that a way in listens on."""
        return int(self.wait_for(LISTENING.format(way=re.escape(way)))["port"])

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until the log matches ``pattern``, a regular expression; return the first match.

        :raises AssertionError: with the log, when the server ends or takes too long.
        """
        sought = re.compile(pattern)
        with self._more:
            self._more.wait_for(
                lambda: self._ended or sought.search("".join(self._lines)), timeout=PATIENCE
            )
            found = sought.search("".join(self._lines))
        if found is None:
            raise AssertionError(f"chatd did not log {pattern!r}.\n{self._report()}")
        return found

    def _command(self) -> list[str]:
        """Return the command line, with the twistd of this Python's environment."""
        listen = [f"--listen={way}=tcp:0:interface=127.0.0.1" for way in self.ways]
        twistd = Path(sys.executable).with_name("twistd")
        return [str(twistd), "-n", "--pidfile=", "chatd", *listen, *self.options]

    def _read(self) -> None:
        """Collect what the server logs, until it ends (in a thread of its own)."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._more:
                self._lines.append(line)
                self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()

    def _end(self) -> None:
        """Terminate the server, kill it if it does not end, and collect the rest of its log."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"chatd did not stop when told to.\n{self._report()}") from None
        finally:
            self._reader.join(PATIENCE)
            if self._process.stdout is not None:
                self._process.stdout.close()

    def _report(self) -> str:
        """Return the command line and the log, for the message of a failed test."""
        return f"Command: {' '.join(self._command())}\nLog of the server:\n{self.log}"


@contextmanager
def killed(server: Served) -> Iterator[None]:
    """Run a server, and kill it at the end, as if the machine lost power."""
    server.__enter__()
    try:
        yield
    finally:
        server.kill()


class Ends:
    """Waits for processes to end, also for those that are not our children."""

    def __init__(self, stack: ExitStack, *pids: int) -> None:
        self._poll = select.poll()
        self._left = set()
        for pid in pids:
            descriptor = os.pidfd_open(pid)
            stack.callback(os.close, descriptor)
            self._poll.register(descriptor, select.POLLIN)
            self._left.add(descriptor)

    def end(self) -> bool:
        """Return whether all end in time."""
        while self._left:
            ended = self._poll.poll(PATIENCE * 1000)
            if not ended:
                return False
            for descriptor, _ in ended:
                self._poll.unregister(descriptor)
                self._left.discard(descriptor)
        return True
