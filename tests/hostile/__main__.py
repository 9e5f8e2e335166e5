"""The program: floods a server of its own in every way, and prints the honest latency."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.hostile.flood import Flood, Target
from tests.hostile.registry import ALL
from tests.support.served import Served

#: The bound that is promised for an honest ping, in milliseconds.
BOUND = 100.0
#: Seconds that a flood runs before the first ping, and that anything may take beyond its time.
HEAD_START, PATIENCE = 0.5, 60.0
#: The most seconds of one flood, and the most connections of it.
MOST_SECONDS, MOST_CONNECTIONS = 60.0, 1000


def _module(name: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", f"tests.hostile.{name}", *map(str, arguments)]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a flood cost: the seconds of each honest ping, and what the server did meanwhile.

    ``busy`` is the share of a core that it used: if that is little, it refuses the flood.
    ``waited`` is the share of the time in which it had something to do and no core to do it on: if
    that is much, the machine was busy with other things, and the pings say little.
    """

    pings: list[float]
    busy: float
    waited: float


def scheduled(pid: int) -> tuple[float, float]:
    """Return the seconds that a process has run, and those that it has waited for a core.

    From Documentation/scheduler/sched-stats.rst of Linux; it is the main thread's.
    """
    ran, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    return int(ran) / 1e9, int(waited) / 1e9


def measure(flood: Flood, seconds: float, connections: int) -> Outcome:
    """Run a flood against a new server, and an honest client beside it."""
    with (
        TemporaryDirectory() as folder,
        Served(Path(folder), options=("--data", folder, *flood.options)) as server,
    ):
        port = server.port()
        flood.prepare(Target(port, connections, time.monotonic() + PATIENCE))
        with subprocess.Popen(
            _module("honest", port, seconds, flood.asks),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as honest:
            assert honest.stdin is not None
            assert honest.stdout is not None
            assert honest.stdout.readline() == "ready\n", "the honest client did not get in"
            command = _module("attack", flood.name, port, connections, seconds + HEAD_START)
            attack = subprocess.Popen(command)
            time.sleep(HEAD_START)
            before, began = scheduled(server.pid), time.monotonic()
            printed, _ = honest.communicate("\n", seconds + PATIENCE)
            after, elapsed = scheduled(server.pid), time.monotonic() - began
            attack.wait(PATIENCE)
    busy, waited = ((later - sooner) / elapsed for sooner, later in zip(before, after, strict=True))
    return Outcome([float(line) for line in printed.splitlines()], busy, waited)


def report(flood: Flood, outcome: Outcome, bound: float) -> bool:
    """Print one line of the table; return whether every ping was within the bound, in seconds."""
    pings = outcome.pings
    if not pings:
        print(f"{flood.name:18} no answer to any ping !  {flood.description}", flush=True)
        return False
    longest, kept = max(pings) * 1000, max(pings) <= bound
    figures = f"{median(pings) * 1000:8.1f} {longest:8.1f} {len(pings):5}"
    shares = f"{outcome.busy:5.0%} {outcome.waited:6.0%}"
    mark = " " if kept else "!"
    print(f"{flood.name:18} {figures} {shares} {mark}  {flood.description}", flush=True)
    return kept


def _bounded(text: str, most: float) -> float:
    number = float(text)
    if not 0 < number <= most:
        raise argparse.ArgumentTypeError(f"a number above 0, up to {most:g}")
    return number


def _parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="python -m tests.hostile",
        description=(
            "Flood a real server in every way that is known, one after the other, and print how "
            "long an honest client waits for its pings meanwhile: the median and the longest, in "
            "milliseconds, and how many there were; then how busy the server was, of one core, and "
            "how much of the time it waited for a core, because the machine was busy with other "
            "things.  A line with ! is beyond the bound."
        ),
    )
    options.add_argument(
        "names", nargs="*", metavar="NAME", help="the floods to run, or what their names begin with"
    )
    options.add_argument("--list", action="store_true", help="list the floods and stop")
    options.add_argument(
        "--seconds",
        type=lambda text: _bounded(text, MOST_SECONDS),
        default=4.0,
        help="how long each flood runs (4)",
    )
    options.add_argument(
        "--connections",
        type=lambda text: int(_bounded(text, MOST_CONNECTIONS)),
        default=20,
        help="connections of the attackers (20)",
    )
    options.add_argument(
        "--bound",
        type=float,
        default=BOUND,
        metavar="MS",
        help=f"exit with status 1 if a ping took more milliseconds than this ({BOUND:g})",
    )
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    given = _parser().parse_args(arguments)
    wanted = tuple(given.names) or ("",)
    chosen = [flood for flood in ALL if flood.name.startswith(wanted)]
    if given.list:
        for flood in chosen:
            print(f"{flood.name:18} {flood.description}")
        return 0
    if not chosen:
        print("There is no flood of that name; --list shows them.", file=sys.stderr)
        return 2
    print(f"{'flood':18} {'median':>8} {'longest':>8} {'pings':>5} {'busy':>5} {'waited':>6}")
    kept = [
        report(flood, measure(flood, given.seconds, given.connections), given.bound / 1000)
        for flood in chosen
    ]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
