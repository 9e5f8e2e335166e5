"""Kill the server at random moments while clients send: ``python -m tests.kill_rounds``.

What must hold after every kill: each message that was acknowledged or delivered is in the store
once, in the order of delivery; each edit and deletion that was delivered is stored, and none by
half; and the store opens without a repair.  The moments follow from the seed, as far as a machine
is deterministic.
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
from typing import BinaryIO

from chatd.admin.check import find_faults
from tests.support.served import PATIENCE, Served

#: Bots that send at once, and unacknowledged messages of each, at most.
BOTS, WINDOW = 4, 8
#: Options of a server that accepts messages as fast as possible.
OPTIONS = ("--flood", "none", "--per-address", "none")


class SendingBot(Thread):
    """A bot that sends until its connection is lost, and remembers what it received."""

    def __init__(self, port: int, nick: str) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.nick = nick
        self.acknowledged: list[str] = []
        self.received: list[tuple[int, str]] = []

    def run(self) -> None:
        try:
            with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
                self._run(connection)
        except OSError:
            return  # the server was killed

    def _run(self, connection: socket.socket) -> None:
        lines = connection.makefile("rb")
        self._request(connection, username=self.nick, version=2)
        said = 0
        for line in lines:
            if not line.endswith(b"\n"):
                return
            fields = json.loads(line)
            if fields.get("event") == "said":
                self.received.append((fields["seq"], fields["message"]))
            elif "seq" in fields and fields.get("ok"):
                self.acknowledged.append(fields["id"])
            while said < len(self.acknowledged) + WINDOW:
                text = f"{self.nick} {said}"
                self._request(connection, message=text, room="lobby", id=text)
                said += 1

    @staticmethod
    def _request(connection: socket.socket, **request: object) -> None:
        connection.sendall(json.dumps(request).encode() + b"\n")


class EditingClient(Thread):
    """A client that sends, edits and deletes messages in a room of its own, as fast as possible."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.sent = 0
        self.edited: set[str] = set()
        self.deleted: set[str] = set()

    def run(self) -> None:
        try:
            with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
                connection.sendall(b"/join desk\n")
                self._write(connection)
        except OSError:
            return  # the server was killed

    def _write(self, connection: socket.socket) -> None:
        lines = connection.makefile("rb")
        while True:
            burst = range(self.sent + 1, self.sent + WINDOW + 1)
            said = (b"said %d\n/edit edited %d\n" % (number, number) for number in burst)
            connection.sendall(b"/delete\n" * bool(self.sent) + b"".join(said))
            last, self.sent = self.sent, burst[-1]
            if last and not self._receives(lines, b"deleted a message in desk\r\n"):
                return
            if last:
                self.deleted.add(str(last))
            for number in burst:
                if not self._receives(lines, b"corrects: edited %d\r\n" % number):
                    return
                self.edited.add(str(number))

    @staticmethod
    def _receives(lines: BinaryIO, words: bytes) -> bool:
        return any(line.endswith(words) for line in lines)

    def check(self, rows: list[tuple[int, str]]) -> None:
        """Compare what was delivered with what is stored.

        :raises AssertionError: when a delivered change is not stored.
        """
        kept = {number: word for word, number in (text.split() for _, text in rows)}
        assert len(kept) == len(rows), "something is kept twice"
        gone = self.edited - set(kept)
        assert gone >= self.deleted, "deleted and kept"
        assert gone - self.deleted <= {str(self.sent), str(self.sent - WINDOW)}, "lost"
        left = {number for number in self.edited & set(kept) if kept[number] != "edited"}
        assert not left, f"edited, and kept as it was: {sorted(left)[:5]}"


def check_consistency(database: Path) -> None:
    """Check that the store's own check finds no fault, in its tables or its index."""
    with closing(sqlite3.connect(database)) as opened:
        assert list(find_faults(opened)) == []


def stored_rows(database: Path, room: str = "lobby") -> list[tuple[int, str]]:
    """Return the stored messages of a room, in order; check the file's integrity."""
    with closing(sqlite3.connect(database)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        query = "SELECT number, text FROM event JOIN room ON room.id = room WHERE name LIKE ?"
        return opened.execute(f"{query} ORDER BY number", (room,)).fetchall()


def check(bots: Sequence[SendingBot], rows: list[tuple[int, str]]) -> None:
    """Compare what clients received with what is stored.

    :raises AssertionError: when a message is lost, doubled or in another place.
    """
    assert [number for number, _ in rows] == list(range(1, len(rows) + 1)), "numbers have gaps"
    texts = [text for _, text in rows]
    assert len(set(texts)) == len(texts), "something is kept twice"
    for bot in bots:
        lost = set(bot.acknowledged) - set(texts)
        assert not lost, f"acknowledged and lost: {sorted(lost)[:5]}"
        assert bot.received == sorted(bot.received), "shown out of order"
        wrong = [row for row in bot.received if row not in rows[row[0] - 1 : row[0]]]
        assert not wrong, f"shown, and not kept as it was shown: {wrong[:5]}"


def one_round(folder: Path, number: int, random: Random) -> tuple[int, int, int]:
    """Send, kill, check; return the numbers of acknowledged, edited, and all stored messages."""
    with ExitStack() as stack:
        options = (*OPTIONS, "--data", str(folder / "data"))
        server = Served(folder, ("json", "line"), options)
        server.__enter__()
        stack.callback(server.kill)
        editor = EditingClient(server.port("line"))
        editor.start()
        bots = [SendingBot(server.port("json"), f"bot{number}x{each}") for each in range(BOTS)]
        for bot in bots:
            bot.start()
        wanted = random.randrange(1, 400)
        while sum(len(bot.acknowledged) for bot in bots) < wanted:
            assert any(bot.is_alive() for bot in bots), "nobody talks any more"
            bots[0].join(0.001)
        os.kill(server.pid, signal.SIGKILL)
        for thread in (*bots, editor):
            thread.join(PATIENCE)
    database = folder / "data" / "chatd.db"
    check_consistency(database)
    rows = stored_rows(database)
    check(bots, rows)
    editor.check(stored_rows(database, "desk@%"))
    return sum(len(bot.acknowledged) for bot in bots), len(editor.edited), len(rows)


def rounds(folder: Path, count: int, seed: int) -> int:
    """Kill so many servers, one after the other, on the same data; return how much is stored."""
    random, all_kept = Random(seed), 0
    for number in range(count):
        acknowledged, edited, now_kept = one_round(folder, number, random)
        assert now_kept >= all_kept + acknowledged, "something that was kept is gone"
        all_kept = now_kept
        print(
            f"round {number + 1}: {acknowledged} acknowledged, {edited} edited, {all_kept} kept",
            flush=True,
        )
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
