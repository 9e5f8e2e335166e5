"""``chatd-window NAME``: the chat in a window.

It creates the model, the connection and the Tk view.  They know nothing of the server but its JSON
protocol.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

from twisted.internet.endpoints import HostnameEndpoint

from chatd.clients.window.connection import Connection
from chatd.clients.window.model import Model
from chatd.clients.window.view import View

HOST, PORT = "localhost", 1134
#: Milliseconds between two polls of Tk's events.
TK_MILLISECONDS = 20

NO_TKINTER = "chatd-window needs Tkinter; on Debian: apt install python3-tk"


def main(arguments: Sequence[str] | None = None) -> int:
    """Show the window until it is closed; return the status of the program."""
    options = _parser().parse_args(arguments)
    try:
        import tkinter
    except ImportError:
        return _fail(NO_TKINTER)
    try:
        root = tkinter.Tk(className="chatd")
    except tkinter.TclError as error:
        return _fail(f"chatd-window cannot open a window: {error}")
    _run(root, options.name, options.host, options.port)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chatd-window", description="Chat on a chatd server in a window."
    )
    parser.add_argument("name", metavar="NAME", help="what to be called")
    parser.add_argument("--host", default=HOST, help="the server (%(default)s)")
    parser.add_argument("--port", type=port, default=PORT, help="its port (%(default)s)")
    return parser


def port(text: str) -> int:
    """Parse a port number.

    :raises argparse.ArgumentTypeError: with a sentence.
    """
    if text.isascii() and text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {text!r}")


def _fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


def _run(root: Any, nick: str, host: str, port: int) -> None:
    """Run the reactor, and the window in it, until the window is closed."""
    from twisted.internet import tksupport

    reactor = _reactor()
    model = Model(nick, time.time)
    endpoint = HostnameEndpoint(reactor, host, port)
    connection = Connection(model, endpoint, f"{host} port {port}", reactor)

    def close() -> None:
        if root.state() != "withdrawn":
            root.withdraw()
            reactor.stop()

    view = View(root, model, connection, close)
    connection.changed = view.refresh
    tksupport.install(root, ms=TK_MILLISECONDS)
    reactor.addSystemEventTrigger("before", "shutdown", connection.disconnect)
    reactor.addSystemEventTrigger("after", "shutdown", _destroy, root)
    reactor.callWhenRunning(connection.connect)
    reactor.run()


def _destroy(root: Any) -> None:
    """Close the window, after the last poll of its events."""
    from twisted.internet import tksupport

    tksupport.uninstall()
    root.destroy()


def _reactor() -> Any:
    """Return the reactor; importing it installs it, which an import of this module must not do."""
    from twisted.internet import reactor

    measuring: Any = reactor
    measuring.seconds = time.monotonic  # Twisted's is the time of day, which may be set
    return measuring


if __name__ == "__main__":
    sys.exit(main())
