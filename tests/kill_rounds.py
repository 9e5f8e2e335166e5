"""Kill the server at random moments while people talk: ``python -m tests.kill_rounds``.

What must hold after every kill: each message that its writer was told is kept, and each that
anybody was shown, is in the store once, in the order in which it was shown; and the store opens
without a repair.  The moments follow from the seed, as far as a machine repeats itself.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random, SystemRandom
from tempfile import TemporaryDirectory
from threading import Thread

from .served import PATIENCE, Served

#: People who talk at once, and messages that each may have on their way.
TALKERS, WINDOW = 4, 8
#: Options of a server that is talked to as fast as it goes.
OPTIONS = ("--flood", "none", "--per-address", "none")


class Talker(Thread):
    """A bot that talks until its connection is gone, and remembers what it was told."""

    def __init__(self, port: int, nick: str) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.nick = nick
        self.acknowledged: list[str] = []
        self.seen: list[tuple[int, str]] = []

    def run(self) -> None:
        try:
            with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
                self._talk(connection)
        except OSError:
            return  # the server was killed

    def _talk(self, connection: socket.socket) -> None:
        lines = connection.makefile("rb")
        self._ask(connection, username=self.nick, version=2)
        said = 0
        for line in lines:
            if not line.endswith(b"\n"):
                return
            fields = json.loads(line)
            if fields.get("event") == "said":
                self.seen.append((fields["seq"], fields["message"]))
            elif "seq" in fields and fields.get("ok"):
                self.acknowledged.append(fields["id"])
            while said < len(self.acknowledged) + WINDOW:
                text = f"{self.nick} {said}"
                self._ask(connection, message=text, room="lobby", id=text)
                said += 1

    @staticmethod
    def _ask(connection: socket.socket, **request: object) -> None:
        connection.sendall(json.dumps(request).encode() + b"\n")


def kept(database: Path) -> list[tuple[int, str]]:
    """What the store has of the lobby, in order; it has to be whole."""
    with closing(sqlite3.connect(database)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        query = "SELECT number, text FROM event JOIN room ON room.id = room WHERE name = 'lobby'"
        return opened.execute(f"{query} ORDER BY number").fetchall()


def check(talkers: Sequence[Talker], rows: list[tuple[int, str]]) -> None:
    """Compare what people were told with what is kept.

    :raises AssertionError: when something is lost, doubled or elsewhere.
    """
    assert [number for number, _ in rows] == list(range(1, len(rows) + 1)), "numbers have gaps"
    texts = [text for _, text in rows]
    assert len(set(texts)) == len(texts), "something is kept twice"
    for talker in talkers:
        lost = set(talker.acknowledged) - set(texts)
        assert not lost, f"acknowledged and lost: {sorted(lost)[:5]}"
        assert talker.seen == sorted(talker.seen), "shown out of order"
        wrong = [row for row in talker.seen if row not in rows[row[0] - 1 : row[0]]]
        assert not wrong, f"shown, and not kept as it was shown: {wrong[:5]}"


def one_round(folder: Path, number: int, chance: Random) -> tuple[int, int]:
    """Talk, kill, look; return how many messages were acknowledged and are kept in all."""
    with ExitStack() as stack:
        server = Served(folder, ("json",), (*OPTIONS, "--data", str(folder / "data")))
        server.__enter__()
        stack.callback(server.kill)
        talkers = [Talker(server.port("json"), f"bot{number}x{each}") for each in range(TALKERS)]
        for talker in talkers:
            talker.start()
        wanted = chance.randrange(1, 400)
        while sum(len(talker.acknowledged) for talker in talkers) < wanted:
            assert any(talker.is_alive() for talker in talkers), "nobody talks any more"
            talkers[0].join(0.001)
        os.kill(server.pid, signal.SIGKILL)
        for talker in talkers:
            talker.join(PATIENCE)
    rows = kept(folder / "data" / "chatd.db")
    check(talkers, rows)
    return sum(len(talker.acknowledged) for talker in talkers), len(rows)


def rounds(folder: Path, count: int, seed: int) -> int:
    """Kill so many servers, one after the other, on the same data; return what is kept then."""
    chance, all_kept = Random(seed), 0
    for number in range(count):
        acknowledged, now_kept = one_round(folder, number, chance)
        assert now_kept >= all_kept + acknowledged, "something that was kept is gone"
        all_kept = now_kept
        print(f"round {number + 1}: {acknowledged} acknowledged, {all_kept} kept", flush=True)
    return all_kept


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = argparse.ArgumentParser(prog="python -m tests.kill_rounds")
    options.add_argument("--rounds", type=int, default=200)
    options.add_argument("--seed", type=int, default=SystemRandom().randrange(2**32))
    given = options.parse_args(arguments)
    print(f"seed {given.seed}")
    with TemporaryDirectory() as folder:
        rounds(Path(folder), given.rounds, given.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
