"""Worker: the number of this process among those of a service; parses ``--processes``."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass

#: Processes of one service.  More than one per core gain nothing, and each has a connection to the
#: cluster.
PROCESSES_AT_MOST = 128
#: The first of the sockets that a worker inherits, one for each port; 0 to 2 are the standard ones.
FIRST_SOCKET = 3


@dataclass(frozen=True, slots=True)
class Worker:
    """Number ``number`` (from 1) of ``count`` workers; 0 is the process started by hand."""

    number: int
    count: int

    @property
    def is_supervisor(self) -> bool:
        """Return whether this process serves no connections, and starts the workers that do."""
        return self.count > 1 and not self.number

    @property
    def is_worker(self) -> bool:
        """Return whether this process was started by a supervisor."""
        return self.number > 0

    @property
    def option(self) -> str:
        """Return the option that starts a process as this worker."""
        return f"--processes={self.number}/{self.count}"

    def server_name(self, name: str) -> str:
        """Return the name of this worker in the cluster, given the name of the service."""
        return f"{name}/{self.number}"

    def share_of(self, number: int) -> int:
        """Return one worker's share of a limit of the service, rounded up."""
        return -(-number // self.count)


def read_worker(text: str) -> Worker:
    """Parse the number of processes, or the number of this worker.

    :raises ValueError: with a sentence.
    """
    number, slash, of = text.rpartition("/")
    if slash and number.isdigit() and of.isdigit() and _is_socket(FIRST_SOCKET):
        return Worker(int(number), int(of))
    count = int(of[:9]) if not slash and of.isascii() and of.isdigit() else 0
    if not 1 <= count <= PROCESSES_AT_MOST:
        raise ValueError(f"it is a number, 1 to {PROCESSES_AT_MOST}, not {text}")
    if count > 1 and sys.platform != "linux":
        raise ValueError("only Linux shares the connections of a port out to several processes")
    return Worker(0, count)


def working_folder() -> str | None:
    """Return the working folder, which relative paths start from; None if it was deleted."""
    try:
        return os.getcwd()
    except OSError:
        return None


def _is_socket(descriptor: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        return False
