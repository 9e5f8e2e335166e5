"""Lifeline: one of several processes says when it takes connections, and does not stay alone.

The process that started it holds the other end of its standard input and never writes.  When that
closes, this one is to stop, or the other was killed: the same thing.
"""

from __future__ import annotations

import os
import signal
import threading
import time

from twisted.application.service import Service
from twisted.logger import Logger

from chatd.tap.worker import Worker
from chatd.transport.services.shutdown import MIGRATION_SECONDS

#: Seconds that a process has to hand its people over, to say goodbye and to close the store, which
#: gives itself 10; who is not done then is killed.
STOP_SECONDS = MIGRATION_SECONDS + 15.0
#: What a process logs as it begins to take connections; the one that started it reads that.
READY = "process {number} of {of} takes connections, pid {pid}"


def _deaf() -> None:
    """Not hear a second time that the process is to stop: systemd and a terminal tell everyone."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


class ParentWatch(Service):
    """Ends this process when its standard input does.

    Also before the reactor runs, while the cluster is waited for, and at last when nothing runs any
    more: a thread watches.
    """

    def __init__(self, pipe: int = 0) -> None:
        self._pipe = pipe
        self._stopping = False

    def startService(self) -> None:
        """Watch."""
        super().startService()
        threading.Thread(target=self._watch, name="lifeline", daemon=True).start()

    def stopService(self) -> None:
        """The process stops already."""
        super().stopService()
        self._stopping = True
        _deaf()

    def _watch(self) -> None:
        while os.read(self._pipe, 64):
            pass
        if not self._stopping:
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(STOP_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)


class Ready(Service):
    """Says that this process takes connections: the last of its services."""

    _log = Logger()

    def __init__(self, part: Worker) -> None:
        self._part = part

    def startService(self) -> None:
        """Say it."""
        super().startService()
        self._log.info(READY, number=self._part.number, of=self._part.of, pid=os.getpid())
