"""Lamport clock: decides which of two changes to a room's entry wins, on all servers alike.

A stamp is a number that rises with every change that is sent or received (Lamport, "Time, clocks,
and the ordering of events in a distributed system", 1978), and the name of the server, which breaks
ties: the last writer wins.
"""

from __future__ import annotations

from chatd.cluster.replication.room_state import Tables

Stamp = tuple[int, str]


class LamportClock:
    """The clock, and the stamps of recent changes; older changes have arrived everywhere.

    ``number`` is the highest one sent or received.
    """

    def __init__(self) -> None:
        self.number = 0
        self._recent: dict[tuple[str, str, str], Stamp] = {}
        self._older: dict[tuple[str, str, str], Stamp] = {}

    def stamp(self, room: str, changes: Tables, server: str) -> int:
        """Stamp this server's changes to a room; return the number to send with them."""
        self.number += 1
        for table, entries in changes.items():
            for key in entries:
                self._recent[room, table, key] = (self.number, server)
        return self.number

    def winning(self, room: str, changes: Tables, stamp: Stamp) -> Tables:
        """Return the peer's changes that win over ours."""
        self.number = max(self.number, stamp[0])
        won: Tables = {}
        for table, entries in changes.items():
            for key, value in entries.items():
                entry = (room, table, key)
                if stamp >= self._recent.get(entry, self._older.get(entry, (0, ""))):
                    self._recent[entry] = stamp
                    won.setdefault(table, {})[key] = value
        return won

    def settled(self, room: str, differences: Tables, sent: Tables) -> Tables:
        """Return the differences from a peer's full state that are not changes in flight.

        They are in what it ``sent``, or have not changed recently: then the peer removed those
        entries, and the message saying so was lost.
        """
        found: Tables = {}
        for table, entries in differences.items():
            for key, value in entries.items():
                entry = (room, table, key)
                is_recent = entry in self._recent or entry in self._older
                if key in sent.get(table, {}) or not is_recent:
                    found.setdefault(table, {})[key] = value
        return found

    def expire(self) -> None:
        """Forget the stamps that were set before the previous call."""
        self._older, self._recent = self._recent, {}
