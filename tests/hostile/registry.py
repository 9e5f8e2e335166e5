"""Registry: every flood that the program knows.  A new module of floods is added to ``ALL``."""

from __future__ import annotations

from tests.hostile import floods, json, searches, ssh, telnet, typed
from tests.hostile.flood import Flood, nothing

#: What the others are compared with: no flood at all.
CONTROL = Flood("control", "no flood: what the machine itself costs", nothing)

#: Every flood, in the order in which they run.
ALL: tuple[Flood, ...] = (
    CONTROL,
    *json.FLOODS,
    *telnet.FLOODS,
    *typed.FLOODS,
    *ssh.FLOODS,
    *floods.FLOODS,
    *searches.FLOODS,
)
