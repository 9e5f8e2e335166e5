"""Stamps: of what two servers change in a room at once, all servers take the same.

A stamp is a number that rises with whatever is told and heard (Lamport, 1978), and the name of the
server: the higher one holds.
"""

from __future__ import annotations

from chatd.cluster.replication.room_state import Parts

Stamp = tuple[int, str]


class LamportClock:
    """The stamps of what has changed lately: what was told longer ago has arrived everywhere.

    ``number`` is the highest that was told or heard.
    """

    def __init__(self) -> None:
        self.number = 0
        self._lately: dict[tuple[str, str, str], Stamp] = {}
        self._before: dict[tuple[str, str, str], Stamp] = {}

    def stamp(self, room: str, news: Parts, server: str) -> int:
        """This server has changed something of a room; return the number that is told with it."""
        self.number += 1
        for part, table in news.items():
            for key in table:
                self._lately[room, part, key] = (self.number, server)
        return self.number

    def newer(self, room: str, news: Parts, stamp: Stamp) -> Parts:
        """What of that which another server has changed holds."""
        self.number = max(self.number, stamp[0])
        found: Parts = {}
        for part, table in news.items():
            for key, value in table.items():
                where = (room, part, key)
                if stamp >= self._lately.get(where, self._before.get(where, (0, ""))):
                    self._lately[where] = stamp
                    found.setdefault(part, {})[key] = value
        return found

    def settled(self, room: str, news: Parts, told: Parts) -> Parts:
        """Of what is otherwise what was told, or has not changed lately: that was gone unheard."""
        found: Parts = {}
        for part, table in news.items():
            for key, value in table.items():
                where = (room, part, key)
                if key in told.get(part, {}) or not (
                    where in self._lately or where in self._before
                ):
                    found.setdefault(part, {})[key] = value
        return found

    def forget(self) -> None:
        """Some seconds have passed: forget what was not lately."""
        self._before, self._lately = self._lately, {}
