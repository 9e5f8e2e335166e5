"""Turns: runs twistd, and notes its reactor's longest turn: ``python -m bench.turns OPTIONS``.

A turn is all that happens between two waits for sockets; nobody is read or written meanwhile except
whom it is about.  It is measured in CPU time, so that other processes of the machine do not count.
SIGUSR1 forgets what was noted so far; SIGUSR2 prints it as one line of JSON, times in ms.
"""

from __future__ import annotations

import gc
import json
import select
import signal
import sys
import time
from typing import Any


class Turns:
    """An epoll object for a reactor, which measures the time between its polls."""

    def __init__(self, epoll: select.epoll) -> None:
        self._epoll = epoll
        self._began = time.thread_time()
        self._collecting = 0.0
        self.longest = 0.0
        self.collections: list[float] = []
        gc.callbacks.append(self._collection)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._epoll, name)

    def poll(self, timeout: float, maximum: int) -> list[tuple[int, int]]:
        """End a turn, and wait for sockets."""
        self.longest = max(self.longest, time.thread_time() - self._began)
        found = self._epoll.poll(timeout, maximum)
        self._began = time.thread_time()
        return found

    def _collection(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._collecting = time.thread_time()
        else:
            self.collections.append(time.thread_time() - self._collecting)

    def forget(self, *_: object) -> None:
        """Forget what was noted; the turn that is going on begins now."""
        self._began = time.thread_time()
        self.longest = 0.0
        self.collections = []

    def show(self, *_: object) -> None:
        """Print what was noted."""
        figures = {
            "turn": self.longest * 1000,
            "collection": max(self.collections, default=0.0) * 1000,
            "collections": sum(self.collections) * 1000,
        }
        print(json.dumps({"longest": figures}), file=sys.__stdout__, flush=True)


def main() -> None:
    """Run twistd with the options of the command line."""
    from twisted.internet import epollreactor

    reactor: Any = epollreactor.EPollReactor()  # type: ignore[no-untyped-call]  # as in Twisted
    turns = Turns(reactor._poller)
    reactor._poller = turns
    from twisted.internet.main import installReactor
    from twisted.scripts.twistd import run

    installReactor(reactor)  # type: ignore[no-untyped-call]  # as in Twisted
    signal.signal(signal.SIGUSR1, turns.forget)
    signal.signal(signal.SIGUSR2, turns.show)
    sys.argv[0] = "twistd"
    run()  # type: ignore[no-untyped-call]  # as in Twisted


if __name__ == "__main__":
    main()
