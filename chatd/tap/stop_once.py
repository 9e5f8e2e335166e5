"""Stop once: the reactor is told to stop only once, however many requests there are.

Twisted's reactor raises when it is told to stop while it is already stopping, and logs that as
critical.  Several requests are usual: systemd signals every process of a service and a terminal
every process of its group, the supervisor closes the standard input of its workers, a client sends
KILL_SERVICE, and people press Ctrl-C twice.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from threading import Lock
from types import FrameType
from typing import Any

from twisted.application.service import Service

_Handler = Callable[[int, FrameType | None], Any]

#: The signals on which Twisted stops a reactor.
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopOnce(Service):
    """Passes the first request to stop on to the reactor, and ignores all later ones.

    A request is a call of `stop`, or SIGTERM or SIGINT once the reactor has begun to run; the first
    signal goes to the reactor's own handler, which also decides the exit status of the process.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._guards = False
        # Acquired by the first request.  A lock, because a signal handler may run between any two
        # steps of the code that it interrupts, and so between testing and setting a flag.
        self._first = Lock()

    def startService(self) -> None:
        """Wrap the reactor's signal handlers as soon as it has set them."""
        super().startService()
        if self._guards:
            return
        self._guards = True
        # Something else may stop the reactor; this runs before twistd stops the services.
        self._reactor.addSystemEventTrigger("before", "shutdown", self._is_first)
        if self._reactor.running:
            self._guard()
        else:
            # The reactor sets its own handlers at the beginning of this phase, not before.
            self._reactor.addSystemEventTrigger("during", "startup", self._guard)

    def stop(self) -> None:
        """Stop the reactor, unless it has been asked to stop before."""
        if self._is_first():
            self._reactor.stop()

    def _is_first(self) -> bool:
        return self._first.acquire(blocking=False)

    def _guard(self) -> None:
        """Put a handler before each of the reactor's."""
        for number in SIGNALS:
            handler = signal.getsignal(number)
            # SIGINT may be ignored (a shell's background job) or Python's own (in a debugger).
            if callable(handler) and handler is not signal.default_int_handler:
                signal.signal(number, self._guarded(handler))

    def _guarded(self, handler: _Handler) -> _Handler:
        # Later signals are handled by this function and not SIG_IGN: if two arrive together, Python
        # would find SIG_IGN in place of the second handler, and print that as an error.
        def on_signal(number: int, frame: FrameType | None) -> None:
            if self._is_first():
                handler(number, frame)

        return on_signal
