"""Last time: a time of day that was believed, kept so that the next start has one to compare with.

Without it, a server where nobody has said anything for a day would doubt its clock after a restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from chatd.chat.believed_time import BelievedTime
from chatd.chat.records.loading import RecordLoader
from chatd.chat.records.writing import Records

#: The kind and the key of the record, whose value is in seconds since the epoch.
KIND = "clock"
_KEY = "believed"
#: Seconds after which it is stored again; much less than what `BelievedTime` tolerates.
STORED_SECONDS = 3600.0


class LastTime:
    """Stores the time of day that is believed, and tells the next process."""

    def __init__(self, records: Records, believed: BelievedTime) -> None:
        self._records = records
        self._believed = believed
        self._stored: float | None = None
        self._loader = RecordLoader(records, KIND, take=self._restore)
        self.load = self._loader.load

    def _restore(self, records: Mapping[str, str]) -> None:
        with suppress(KeyError, ValueError):
            self._believed.saw(float(records[_KEY]))

    def keep(self, now: float) -> None:
        """Store a time of day that is believed, unless it was stored within the last hour."""
        last = self._stored
        if not self._loader.loaded or (last is not None and abs(now - last) < STORED_SECONDS):
            return
        self._stored = now
        self._records.keep_quietly(KIND, _KEY, str(now))
