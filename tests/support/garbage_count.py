"""The real twistd, which collects garbage only when it gets SIGUSR2, and prints what it found.

Run as a program, with twistd's options.
"""

from __future__ import annotations

import gc
import json
import signal
import sys
from collections import Counter
from typing import Any

#: Seconds between two looks whether all connections have ended.
_WAIT_SECONDS = 0.01


def _count(reactor: Any) -> None:
    """Collect once there are no connections, and print what was found: objects by their type."""
    from twisted.internet import tcp

    if any(isinstance(each, tcp.Server) for each in reactor.getReaders()):
        reactor.callLater(_WAIT_SECONDS, _count, reactor)
        return
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    found = Counter(type(each).__qualname__ for each in gc.garbage)
    gc.set_debug(0)
    gc.garbage.clear()
    gc.collect()
    print(f"garbage: {json.dumps(found)}", file=sys.__stdout__, flush=True)


def main() -> None:
    """Run twistd."""
    from twisted.internet import reactor
    from twisted.scripts.twistd import run

    known: Any = reactor
    gc.disable()
    signal.signal(signal.SIGUSR2, lambda *_: known.callFromThread(_count, known))
    sys.argv[0] = "twistd"
    run()


if __name__ == "__main__":
    main()
