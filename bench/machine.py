"""Process figures: CPU time, memory and core of a process, and the limit of open files.

It knows Linux (``/proc``, ``sched_setaffinity``), but nothing of chat.
"""

from __future__ import annotations

import os
import resource
import socket
import time
from pathlib import Path

from chatd.transport.gate.admission import RESERVE

_TICKS = os.sysconf("SC_CLK_TCK")

#: Bits of the id of a process's CPU clock, as clock_getcpuclockid(3) makes it.
_CPU_CLOCK = 2

#: Descriptors that are not connections, with some to spare.
_OTHERS = 100


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process so far, in user mode and in the kernel.

    It is the value that ``/proc/PID/stat`` has in ticks of 10 ms, but exact.
    """
    return time.clock_gettime(~pid << 3 | _CPU_CLOCK)


def core_seconds(core: int | None) -> float:
    """Return the seconds so far in which a core was not idle; None sums up all cores."""
    name = "cpu" if core is None else f"cpu{core}"
    for line in Path("/proc/stat").read_text().splitlines():
        words = line.split()
        if words[0] == name:
            user, nice, system, _idle, _waiting, *others = map(int, words[1:9])
            return (user + nice + system + sum(others)) / _TICKS
    return 0.0


def rss_kib(pid: int) -> int:
    """Return the resident memory of a process, in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def reserve_cores() -> int | None:
    """Pin this process to one core; return another core for the servers, None if there is none."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return None
    os.sched_setaffinity(0, {cores[-1]})
    return cores[0]


def own_core(other: int | None) -> int | None:
    """Return the core that this process is pinned to; None when the servers have no other one."""
    return None if other is None else min(os.sched_getaffinity(0))


def pin(pid: int, core: int | None) -> None:
    """Pin a process to a core."""
    if core is not None:
        os.sched_setaffinity(pid, {core})


def connections_allowed(wanted: int) -> int:
    """Raise the limit of open files as far as needed; return how many connections it allows.

    Servers that are started later inherit it.  chatd keeps a tenth of what there is for the owners
    of accounts, and those who connect here are guests.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + -(-wanted // RESERVE) + _OTHERS
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    possible = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    return min(wanted, (possible - _OTHERS) * RESERVE // (RESERVE + 1))


def free_port() -> int:
    """Return a port of the loopback on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Return whether a port of the loopback accepts connections."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
