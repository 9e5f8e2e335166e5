"""Stored messages of a cluster's rooms, to check that users received them and nothing else."""

from __future__ import annotations

from collections import Counter

from chatd.chat.events import Said
from chatd.store.nats.client.servers import Servers
from tests.support.cluster.people import Visit, parse_text
from tests.support.cluster.stores import Node
from tests.support.main_thread import TestMainThread, wait_for

Row = tuple[int, str]


class StoredMessages:
    """All messages of some rooms, as the cluster's store has them.

    ``rooms`` has the numbers and texts of each room in order, ``index`` the index of each text in
    there.  They are read by a store of its own, which no user is on.
    """

    def __init__(self, where: Servers, rooms: tuple[str, ...]) -> None:
        self._reader = Node(where, TestMainThread(), shards=4)
        self.rooms: dict[str, list[Row]] = {room: [] for room in rooms}
        self.index: dict[str, int] = {}

    def read(self) -> None:
        """Read what was stored since the last time.

        :raises AssertionError: when a message is stored twice.
        """
        for room, known in self.rooms.items():
            store = self._reader.store
            while rows := wait_for(store.after(room, known[-1][0] if known else 0, 1000)):
                for number, event in rows:
                    if isinstance(event, Said):
                        assert event.text not in self.index, f"twice in {room}: {event.text}"
                        self.index[event.text] = len(known)
                        known.append((number, event.text))

    def leader(self, room: str) -> str:
        """Return the name of the NATS server that leads the stream of a room."""
        store = self._reader.store
        stream = store.layout.room(room).stream
        return str(wait_for(store.bridge.query(store.streams.info, stream))["cluster"]["leader"])

    def close(self) -> None:
        """Close the store."""
        wait_for(self._reader.store.close())

    def missing_last(self, visits: list[Visit]) -> list[str]:
        """Return a line for each connected user who has not received the last message of others."""
        rows = []
        for visit in visits:
            for room, known in self.rooms.items():
                others = (text for _, text in reversed(known) if text not in visit.sent)
                last, seen = next(others, ""), visit.received.get(room, ())
                shown = seen[-1][1] if seen else ""
                is_new = not shown and (not last or parse_text(last)[1] <= visit.sent_before)
                if not visit.over and last != shown and not is_new:
                    rows.append(f"{visit.nick} saw {shown} in {room}, where there is {last}")
        return rows

    def check(self, visit: Visit) -> None:
        """Compare what a user sent and received with what is stored.

        :raises AssertionError: when a message is lost, doubled or in another place.
        """
        own: dict[str, int] = {}
        for text, number in visit.acknowledged.items():
            room, _ = parse_text(text)
            assert text in self.index, f"acknowledged to {visit.nick} and lost: {text}"
            assert self.rooms[room][self.index[text]][0] == number, f"elsewhere: {text}"
            own[room] = min(self.index[text], own.get(room, self.index[text]))
        for room, seen in visit.received.items():
            strange = [text for _, text in seen if text not in self.index]
            assert not strange, f"shown to {visit.nick} and not kept: {strange[:5]}"
            if seen:
                first = self.index[seen[0][1]]
                begin = first if room in visit.checked else min(first, own.get(room, first))
                self._check_seen(visit, room, begin)

    def _check_seen(self, visit: Visit, room: str, begin: int) -> None:
        """Compare what was received of a room with what is stored, from index ``begin`` on."""
        seen = visit.received[room]
        there = [
            (number if seen[0][0] else 0, text)
            for number, text in self.rooms[room][begin : self.index[seen[-1][1]] + 1]
            if text not in visit.sent
        ]
        if there != seen:
            difference = _difference(there, seen)
            raise AssertionError(f"{visit.nick} at {visit.node} received {room} as {difference}")
        visit.checked.add(room)
        del seen[:-1]  # the next check begins with the last one


def _difference(there: list[Row], seen: list[Row]) -> str:
    """Describe how two lists differ, in a line."""
    missing = [row for row in there if row not in set(seen)]
    added = [row for row in seen if row not in set(there)]
    twice = [row for row, times in Counter(seen).items() if times > 1]
    return f"missing {missing[:5]}, added {added[:5]}, twice {twice[:5]}, or in another order"
