"""An honest client, in a process of its own: how long its pings take while others flood.

``python -m tests.hostile.honest PORT SECONDS`` prints "ready" once it has entered, and then the
seconds of each ping, one a line.  It is several bots, each within the flood limit of one, from
addresses that no attacker has.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from itertools import cycle

#: Addresses of the loopback, one for each bot; attackers come from 127.0.0.1.
ADDRESSES = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")
#: Seconds between two pings of all bots together: each may send ten at once, then two a second.
INTERVAL = 0.1
#: Seconds that one ping may take; a longer one counts as this long.
PATIENCE = 30.0


class HonestBot:
    """A bot that has entered the chat."""

    def __init__(self, port: int, address: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE, (address, 0))
        self._lines = self._socket.makefile("rb")
        self._send(username=f"honest{address.rpartition('.')[2]}", version=2)
        while "isConnected" not in json.loads(next(self._lines)):
            pass

    def _send(self, **fields: object) -> None:
        self._socket.sendall(json.dumps(fields).encode() + b"\n")

    def ping(self, number: int) -> float:
        """Send a ping; return the seconds until its answer."""
        began = time.perf_counter()
        self._send(ping=number, id=number)
        try:
            while json.loads(next(self._lines)).get("id") != number:
                pass
        except TimeoutError:
            pass
        return time.perf_counter() - began


def main(port: int, seconds: float) -> None:
    """Ping until the time is up."""
    bots = [HonestBot(port, address) for address in ADDRESSES]
    print("ready", flush=True)
    sys.stdin.readline()  # the floods have begun
    until = time.monotonic() + seconds
    for number, bot in enumerate(cycle(bots)):
        if time.monotonic() >= until:
            return
        print(bot.ping(number), flush=True)
        time.sleep(INTERVAL)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
