"""Part: which of several processes this one is that are one service; what ``--processes`` says."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass

#: Processes of one service.  One for each core is what brings something, and each has a connection
#: to the cluster.
PROCESSES_AT_MOST = 128
#: The first of the sockets that a process is given, one for each port; 0 to 2 are the usual ones.
FIRST_SOCKET = 3


@dataclass(frozen=True, slots=True)
class Worker:
    """Number ``number``, from 1 on, of ``of`` processes; 0 is the one that was started by hand."""

    number: int
    count: int

    @property
    def is_supervisor(self) -> bool:
        """Whether this process serves nobody, and starts those that do."""
        return self.count > 1 and not self.number

    @property
    def is_worker(self) -> bool:
        """Whether this process was started by such a one."""
        return self.number > 0

    @property
    def option(self) -> str:
        """What tells a process that it is this one."""
        return f"--processes={self.number}/{self.count}"

    def server_name(self, name: str) -> str:
        """What this process is called, which is one of a service of this name."""
        return f"{name}/{self.number}"

    def share_of(self, number: int) -> int:
        """What falls to one process of what is there for all; rounded up."""
        return -(-number // self.count)


def read_worker(text: str) -> Worker:
    """Read how many processes there are to be, or which one this is.

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
    """Where this process is, and files are that were named without a folder; None: it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return None


def _is_socket(descriptor: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        return False
