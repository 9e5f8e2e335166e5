"""chatd-client: a prompt for servers of the socket assignment, chatd's or any other.

It knows the command line, the terminal's modes and the reactor; `chatd.clients.prompt.protocol`
talks to the server and `chatd.clients.prompt.displays` to the user.
"""

from __future__ import annotations

import argparse
import getpass
import os
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.error import ConnectionRefusedError, DNSLookupError, TimeoutError
from twisted.internet.stdio import StandardIO
from twisted.python.failure import Failure

from chatd.clients.prompt.displays import LineDisplay, TerminalDisplay
from chatd.clients.prompt.protocol import PromptProtocol
from chatd.terminal.screen.screen import Screen
from chatd.terminal.screen.typewriter import LineModeScreen

#: Seconds to connect to the server.
CONNECT_SECONDS = 15
#: The size that programs assume if a terminal does not report one.
COLUMNS, ROWS = 80, 24
#: Exit status that shells use for a program that Ctrl-C ended: 128 and the number of SIGINT.
INTERRUPTED: Final = 130

_STDIN: Final = 0
_STDOUT: Final = 1

_REASONS: Final = {
    ConnectionRefusedError: "the connection was refused",
    DNSLookupError: "there is no such host",
    TimeoutError: "it does not answer",
}


def _port(text: str) -> int:
    """Parse a port number.

    :raises argparse.ArgumentTypeError: with a sentence.
    """
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text} is no port: it has to be 1 to 65535")
    return int(text)


def _name(text: str) -> str:
    """Parse a name, which has to be one line of printable text.

    :raises argparse.ArgumentTypeError: with a sentence.
    """
    if not text.strip() or not text.isprintable():
        raise argparse.ArgumentTypeError("a name has to be one line of text")
    return text.strip()


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "guest"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; ``-h`` is the host, as in the assignment itself."""
    options = argparse.ArgumentParser(
        "chatd-client",
        description="Talk at a chat server that speaks the socket assignment's protocol "
        "(JOIN_CHATROOM and so on). Type help at the prompt; with a pipe each line is a command.",
        add_help=False,
    )
    options.add_argument("--help", action="help", help="show this and exit")
    options.add_argument("-h", "--host", default="localhost", help="the server (%(default)s)")
    options.add_argument(
        *("-p", "--port"), type=_port, default=1134, help="the server's port (%(default)s)"
    )
    options.add_argument(
        *("-n", "--name"), type=_name, default=_login_name(), help="your name (%(default)s)"
    )
    return options


class Program:
    """One run of the program: from connecting to the exit status."""

    def __init__(self, reactor: Any, host: str, port: int, name: str) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port
        self.status = INTERRUPTED
        self._ending = False
        self._terminal: TerminalDisplay | None = None
        self._display: TerminalDisplay | LineDisplay
        if os.isatty(_STDIN) and os.isatty(_STDOUT):
            greeting = f"You are {name} at {host} port {port}; help lists the commands."
            dumb = os.environ.get("TERM", "dumb") == "dumb"
            screen = LineModeScreen(*_size(), repeats=True) if dumb else Screen(*_size())
            self._display = self._terminal = TerminalDisplay(self._end, reactor, screen, greeting)
        else:
            self._display = LineDisplay(self._end)
        self._protocol = PromptProtocol(
            name, self._display, reactor, in_order=self._terminal is None
        )
        self._display.begin(self._protocol)

    def run(self) -> int:
        """Run until the connection is over; return the exit status."""
        self._reactor.callWhenRunning(self._connect)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._interrupted)
        with _restored_terminal():
            self._reactor.run()
        return self.status

    def _connect(self) -> None:
        reach = HostnameEndpoint(self._reactor, self._host, self._port, CONNECT_SECONDS)
        reached = connectProtocol(reach, self._protocol)
        reached.addCallbacks(self._connected, self._connect_failed)
        reached.addErrback(self._bug)

    def _connected(self, _protocol: PromptProtocol) -> None:
        """Open copies of the terminal, or of the pipes, so that our own descriptors stay open."""
        if self._terminal is not None:
            tty.setraw(_STDIN, termios.TCSANOW)
            signal.signal(signal.SIGWINCH, self._resized)
        opened: Any = StandardIO  # mypy assumes the Windows one
        stdio = opened(self._display, os.dup(_STDIN), os.dup(_STDOUT), self._reactor)
        # The server waits while what it sends can't be written.
        stdio.registerProducer(self._protocol.transport, True)

    def _connect_failed(self, failure: Failure) -> None:
        known = [words for kind, words in _REASONS.items() if failure.check(kind)]
        reason = known[0] if known else failure.getErrorMessage().rstrip(".")
        print(
            f"chatd-client: cannot reach {self._host} port {self._port}: {reason}.",
            file=sys.stderr,
        )
        self._end(1)

    def _bug(self, failure: Failure) -> None:
        """Report a bug, and end."""
        failure.printTraceback(sys.stderr)
        self._end(1)

    def _resized(self, _signal: int, _frame: object) -> None:
        if self._terminal is not None:
            self._reactor.callFromThread(self._fit, self._terminal)

    def _fit(self, drawn: TerminalDisplay) -> None:
        drawn.resize(*_size())

    def _end(self, status: int) -> None:
        """End with this status; only the first call counts."""
        if not self._ending:
            self._ending = True
            self.status = status
            self._reactor.stop()

    def _interrupted(self) -> None:
        """Disconnect if the reactor stops by a signal, before `_end` was called."""
        if not self._ending:
            self._ending = True
            if self._protocol.transport is not None and not self._protocol.is_disconnecting:
                self._protocol.disconnect()


def _size() -> tuple[int, int]:
    """Return the terminal's columns and rows."""
    try:
        size = os.get_terminal_size(_STDOUT)
    except OSError:
        return COLUMNS, ROWS
    return size.columns or COLUMNS, size.lines or ROWS


@contextmanager
def _restored_terminal() -> Iterator[None]:
    """Restore the terminal, or the pipes, at the end: the shell's next program uses them too."""
    blocking = [(fd, os.get_blocking(fd)) for fd in (_STDIN, _STDOUT)]
    attributes = termios.tcgetattr(_STDIN) if os.isatty(_STDIN) else None
    try:
        yield
    finally:
        for fd, was_blocking in blocking:
            os.set_blocking(fd, was_blocking)
        if attributes is not None:
            termios.tcsetattr(_STDIN, termios.TCSANOW, attributes)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run chatd-client; return its exit status."""
    options = parser().parse_args(arguments)
    from twisted.internet import reactor

    measuring: Any = reactor
    measuring.seconds = time.monotonic  # Twisted's is the time of day, which may be set
    return Program(reactor, options.host, options.port, options.name).run()
