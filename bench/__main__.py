"""Command line of the benchmark: ``python -m bench WHAT``; bench/README.rst lists the benchmarks.

It knows the options and which benchmarks there are; it measures nothing itself.
"""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Callable, Sequence

from bench import machine, nats, servers
from bench.cluster import cluster
from bench.config import Config
from bench.fanout import fan_out
from bench.idle import IdleBenchmark
from bench.inside import inside
from bench.joins import joins
from bench.protocols import WAYS
from bench.rooms import rooms, slow, slow_ratios
from bench.storage import storage
from bench.typing import typing

_Benchmark = Callable[[argparse.Namespace, Config], str]


def _load(text: str) -> tuple[int, int]:
    senders, _, window = text.partition(",")
    return int(senders), int(window)


def _fan_out(given: argparse.Namespace, config: Config) -> str:
    peers = config.peers(given.way)
    return str(fan_out(config, peers, given.receivers, given.load))


def _ways(given: argparse.Namespace, config: Config) -> str:
    peers = config.peers(["line", "tcd", "bots"], floor=False, irc=False)
    return str(fan_out(config, peers, [given.members], given.load))


def _idle(given: argparse.Namespace, config: Config) -> str:
    presence = IdleBenchmark(config)
    peers = config.peers(given.way, floor=False)
    presence.measure(peers, given.members, given.in_one, 0)
    return str(presence)


def _joins(given: argparse.Namespace, config: Config) -> str:
    return joins(config, given.way, given.members)


def _rooms(given: argparse.Namespace, config: Config) -> str:
    return str(rooms(config, config.peers(given.way), given.rooms, given.rate))


def _slow(given: argparse.Namespace, config: Config) -> str:
    peers = config.peers(given.way)
    report = slow(config, peers, given.readers, given.rate)
    return f"{report}\n\n{slow_ratios(report, peers, given.readers, given.rate)}"


def _ssh(given: argparse.Namespace, config: Config) -> str:
    peers = config.peers(["ssh", "line"], irc=False)
    report = fan_out(config, peers, given.sessions, given.load)
    presence = IdleBenchmark(config)
    presence.measure(config.peers(["ssh"], floor=False, irc=False), given.idle, 0, given.idle)
    return f"{report}\n\n{presence}"


def _inside(given: argparse.Namespace, config: Config) -> str:
    return inside(given.members, given.messages, given.many, given.people, given.rounds)


def _typing(given: argparse.Namespace, config: Config) -> str:
    return typing(given.idle, given.keys)


def _storage(given: argparse.Namespace, config: Config) -> str:
    return storage(config, given.members, given.load, given.stored, given.asked)


def _cluster(given: argparse.Namespace, config: Config) -> str:
    if lacks := nats.missing():
        if given.what != "all":
            raise SystemExit(f"cluster: {lacks}")
        return f"left out: {lacks}"
    return cluster(config, given.members, given.load, given.nats, given.asked, given.people)


class _Command:
    """One subcommand; each option has its default, and its default with ``--quick``."""

    def __init__(self, run: _Benchmark, says: str, **options: tuple[object, object]) -> None:
        self.run, self.summary, self.options = run, says, options

    def with_defaults(self, given: argparse.Namespace) -> argparse.Namespace:
        """Return the given options, with defaults for the others."""
        filled = argparse.Namespace(**vars(given))
        for name, defaults in self.options.items():
            if getattr(given, name, None) is None:
                setattr(filled, name, defaults[given.quick])
        return filled


_LOADS = ([(1, 1), (10, 50)], [(1, 1), (2, 5)])
_WAY = (["line"], ["line"])

_COMMANDS = {
    "fan-out": _Command(
        _fan_out,
        "one room, many listeners, few speakers",
        way=_WAY,
        receivers=([100, 1000, 5000], [10]),
        load=_LOADS,
    ),
    "ways": _Command(
        _ways, "the ways into chatd against the line protocol", members=(1000, 10), load=_LOADS
    ),
    "idle": _Command(
        _idle, "memory of idle members, and joins", way=_WAY, members=(5000, 20), in_one=(1000, 10)
    ),
    "joins": _Command(
        _joins,
        "the longest turns of the server while very many people come in",
        way=_WAY,
        members=(19_000, 20),
    ),
    "rooms": _Command(
        _rooms, "many small rooms", way=_WAY, rooms=([100, 500], [2]), rate=(2000, 100)
    ),
    "slow": _Command(
        _slow, "readers who never read", way=_WAY, readers=(100, 10), rate=(1000, 100)
    ),
    "ssh": _Command(
        _ssh, "ssh sessions, and logins", sessions=([50, 200], [5]), idle=(500, 10), load=_LOADS
    ),
    "inside": _Command(
        _inside,
        "what things cost inside the chat, without sockets",
        members=(1000, 20),
        messages=(100, 2),
        many=(50_000, 1200),
        people=(2000, 3),
        rounds=(10, 2),
    ),
    "typing": _Command(
        _typing,
        "what it costs to draw the line that somebody types, without sockets",
        idle=(1000, 20),
        keys=(2000, 5),
    ),
    "kept": _Command(
        _storage,
        "what it costs to keep what is said, and a large store",
        members=(1000, 10),
        load=_LOADS,
        stored=(1_000_000, 2000),
        asked=(100, 2),
    ),
    "cluster": _Command(
        _cluster,
        "many servers that are one: what a message costs in chatd and in NATS",
        members=(1000, 10),
        load=_LOADS,
        nats=([1, 3], [1]),
        asked=(200, 2),
        people=(4000, 10),
    ),
}

_OPTIONS: dict[str, dict[str, object]] = {
    "way": {"choices": sorted(WAYS), "nargs": "+", "help": "ways into chatd"},
    "receivers": {"type": int, "nargs": "+", "help": "how many listen"},
    "load": {"type": _load, "nargs": "+", "metavar": "S,W", "help": "senders, window of each"},
    "members": {"type": int, "help": "how many are there"},
    "in_one": {"type": int, "help": "how many join one room"},
    "rooms": {"type": int, "nargs": "+", "help": "how many rooms of 10"},
    "rate": {"type": float, "help": "messages a second in all"},
    "readers": {"type": int, "help": "how many listen, with those who never read"},
    "sessions": {"type": int, "nargs": "+", "help": "how many sessions listen"},
    "idle": {"type": int, "help": "idle sessions, and logins"},
    "keys": {"type": int, "help": "how often each key is pressed for one figure"},
    "messages": {"type": int, "help": "how many are said for one figure"},
    "many": {"type": int, "help": "members of a very large room"},
    "people": {"type": int, "help": "people who fill rooms of their own, or are on another server"},
    "rounds": {"type": int, "help": "how often rooms are filled and emptied"},
    "stored": {"type": int, "help": "messages of the large store"},
    "nats": {"type": int, "nargs": "+", "help": "how many NATS servers"},
    "asked": {"type": int, "help": "how often a store is asked each question"},
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--runs", type=int, help="how often; medians are shown [3; 1 of all]")
    common.add_argument("--seconds", type=float, help="how long each span is [2]")
    common.add_argument("--quick", action="store_true", help="small numbers, to see that it works")
    irc = "one more IRC daemon; {port} in its command is where it has to listen (repeatable)"
    common.add_argument("--irc", action="append", default=[], metavar="NAME=COMMAND", help=irc)
    only = "leave out all servers but these (repeatable)"
    common.add_argument("--only", action="append", default=[], metavar="NAME", help=only)
    chosen = parser.add_subparsers(dest="what", required=True)
    chosen.add_parser("all", help="everything, with its defaults", parents=[common])
    for name, command in _COMMANDS.items():
        sub = chosen.add_parser(name, help=command.summary, parents=[common])
        for option in command.options:
            sub.add_argument("--" + option.replace("_", "-"), **_OPTIONS[option])  # type: ignore[arg-type]  # argparse takes what it is given
    return parser


def _config(given: argparse.Namespace) -> Config:
    core = None if given.quick else machine.reserve_cores()
    apart = core is not None
    print("server and load on a core each" if apart else "server and load NOT on a core each")
    return Config(
        core=core,
        others=servers.irc_daemons(given.irc),
        floor=servers.floor(),
        only=given.only,
        runs=given.runs or (1 if given.quick or given.what == "all" else 3),
        seconds=given.seconds or (0.1 if given.quick else 2.0),
        quick=given.quick,
    )


def _on_sigterm(number: int, frame: object) -> None:
    """Exit by an exception, so that every ``with`` stops its server."""
    raise SystemExit(128 + number)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmarks that the command line names, and print their tables."""
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _on_sigterm)
    config = _config(given)
    for name, command in _COMMANDS.items():
        if given.what in (name, "all"):
            begun = time.monotonic()
            text = command.run(command.with_defaults(given), config)
            print(f"\n== {name}: {command.summary}\n\n{text}", flush=True)
            print(f"({config.runs} runs, {time.monotonic() - begun:.0f} s)")


if __name__ == "__main__":
    main()
