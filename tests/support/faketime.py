"""A time of day that a test sets while a server runs: Debian's libfaketime, preloaded.

It sets the clock of the epoch alone; the monotonic ones, which nobody can set, go on.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

#: What libfaketime takes for the true time.
TRUE = "+0"


class SetClock:
    """The clock of the processes with this ``environment``; ``faketime`` is the program's path."""

    def __init__(self, folder: Path, faketime: str) -> None:
        self._file = folder / "faketime"
        found = subprocess.run(
            [faketime, "-f", TRUE, "sh", "-c", "echo $LD_PRELOAD"],
            capture_output=True,
            text=True,
            check=True,
        )
        self.environment = {
            "LD_PRELOAD": found.stdout.strip(),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",  # the name in older versions
        }
        self.set(TRUE)

    def set(self, difference: str) -> None:
        """Set the clock: ``-1h``, ``+400d`` from the true time, or `TRUE`."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{difference}\n")
        os.replace(new, self._file)
