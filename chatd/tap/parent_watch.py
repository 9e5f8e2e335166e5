"""Parent watch: a worker reports when it is ready, and does not outlive its supervisor.

The supervisor holds the other end of the worker's standard input and never writes to it.  When that
closes, the supervisor wants the worker to stop or was itself killed: both mean the same.
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

#: Seconds that a worker has to move its users to other servers, to say goodbye and to close the
#: store, which gives itself 10; after that it is killed.
STOP_SECONDS = MIGRATION_SECONDS + 15.0
#: The log format with which a worker reports that it accepts connections; its supervisor recognises
#: it.
READY = "process {number} of {of} takes connections, pid {pid}"


class ParentWatch(Service):
    """Ends this process when its standard input ends: first by SIGTERM, finally by SIGKILL.

    A thread watches, because the reactor does not run yet while the cluster is awaited, and may
    never process its events again when something hangs.
    """

    def __init__(self, pipe: int = 0) -> None:
        self._pipe = pipe

    def startService(self) -> None:
        """Start the thread that watches."""
        super().startService()
        threading.Thread(target=self._watch, name="parent watch", daemon=True).start()

    def _watch(self) -> None:
        while os.read(self._pipe, 64):
            pass
        os.kill(os.getpid(), signal.SIGTERM)  # harmless if it is already stopping: StopOnce
        time.sleep(STOP_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)


class Ready(Service):
    """Logs that this process accepts connections; must be the last of its services."""

    _log = Logger()

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def startService(self) -> None:
        """Log it."""
        super().startService()
        self._log.info(READY, number=self._worker.number, of=self._worker.count, pid=os.getpid())
