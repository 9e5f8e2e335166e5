"""An honest client, in a process of its own: how long its pings take while others flood.

``python -m tests.hostile.honest PORT SECONDS QUESTION`` prints "ready" once it has entered, and
then the seconds of each answer, one a line.  It is several bots, each within the flood limit of
one, from addresses that no attacker has.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from contextlib import suppress
from itertools import cycle
from queue import Empty, Queue
from threading import Thread

#: Addresses of the loopback, one for each bot; attackers come from 127.0.0.1.
ADDRESSES = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")
#: Seconds between two pings of all bots together: each may send ten at once, then two a second.
INTERVAL = 0.1
#: Seconds that one ping may take; a longer one counts as this long.
PATIENCE = 30.0


class HonestBot:
    """A bot that has entered the chat, and reads whatever comes, as any client does."""

    def __init__(self, port: int, address: str) -> None:
        self.address = address
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE, (address, 0))
        self._lines = self._socket.makefile("rb")
        self._send(username=f"honest{address.rpartition('.')[2]}", version=2)
        while "isConnected" not in json.loads(next(self._lines)):
            pass
        self._answers: Queue[tuple[object, float]] = Queue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        """Note when each answer has come, among what others say."""
        with suppress(OSError):
            for line in self._lines:
                if b'"id"' in line:
                    self._answers.put((json.loads(line).get("id"), time.perf_counter()))

    def _send(self, **fields: object) -> None:
        self._socket.sendall(json.dumps(fields).encode() + b"\n")

    def ping(self, number: int) -> float:
        """Send a ping; return the seconds until its answer."""
        return self._ask(number, ping=number)

    def look_back(self, number: int) -> float:
        """Ask for the newest messages of the lobby; return the seconds until they are here."""
        return self._ask(number, history="lobby", count=20)

    def _ask(self, number: int, **fields: object) -> float:
        began = time.perf_counter()
        self._send(**fields, id=number)
        answer, came = None, began + PATIENCE
        with suppress(Empty):
            while answer != number:
                answer, came = self._answers.get(timeout=PATIENCE)
        return came - began


def join(port: int, address: str) -> float:
    """Come in as a new user; return the seconds until the lobby's last messages are shown."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), PATIENCE, (address, 0)) as newcomer:
        newcomer.sendall(b"/away\n")  # whoever speaks first is not probed for telnet
        received = b""
        with suppress(TimeoutError):
            while b"lobby, the last " not in received:
                received += newcomer.recv(64 * 1024)
    return time.perf_counter() - began


#: What the bots ask for: a ping, or the history of the lobby, and what newcomers are shown of it.
QUESTIONS = ("ping", "history")


def main(port: int, seconds: float, question: str) -> None:
    """Ask until the time is up."""
    bots = [HonestBot(port, address) for address in ADDRESSES]
    print("ready", flush=True)
    sys.stdin.readline()  # the floods have begun
    until = time.monotonic() + seconds
    for number, bot in enumerate(cycle(bots)):
        if time.monotonic() >= until:
            return
        if question == "ping":
            print(bot.ping(number), flush=True)
        elif number % 2:
            print(bot.look_back(number), flush=True)
        else:
            print(join(port, bot.address), flush=True)
        time.sleep(INTERVAL)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
