"""One attack in its process: ``python -m tests.hostile.attack NAME PORT COUNT SECONDS``."""

from __future__ import annotations

import os
import sys
import time

from tests.hostile.flood import Target
from tests.hostile.registry import ALL

#: How far an attacker's priority is below that of the server.
NICENESS = 5


def main(name: str, port: int, connections: int, seconds: float) -> None:
    """Run the flood of this name, at a low priority: attackers have machines of their own."""
    os.nice(NICENESS)
    [flood] = [each for each in ALL if each.name == name]
    flood.attack(Target(port, connections, time.monotonic() + seconds))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
