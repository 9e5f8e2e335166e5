"""What is kept in the rooms of a cluster, and whether people were shown that and nothing else."""

from __future__ import annotations

from collections import Counter

from chatd.chat.events import Said
from chatd.store.nats.client.servers import Servers
from tests.support.cluster.people import Visit, parse_text
from tests.support.cluster.stores import Node
from tests.support.turns import TestTurn, waited

Row = tuple[int, str]


class StoredMessages:
    """Everything that was said in some rooms, as the cluster has it.

    ``said`` has numbers and texts of a room in its order, ``at`` where a text is in there.  It is
    read by a server of its own, on which nobody is.
    """

    def __init__(self, where: Servers, rooms: tuple[str, ...]) -> None:
        self._reader = Node(where, TestTurn(), shards=4)
        self.rooms: dict[str, list[Row]] = {room: [] for room in rooms}
        self.index: dict[str, int] = {}

    def read(self) -> None:
        """Read what has come since.

        :raises AssertionError: when something is there twice.
        """
        for room, known in self.rooms.items():
            store = self._reader.store
            while rows := waited(store.after(room, known[-1][0] if known else 0, 1000)):
                for number, event in rows:
                    if isinstance(event, Said):
                        assert event.text not in self.index, f"twice in {room}: {event.text}"
                        self.index[event.text] = len(known)
                        known.append((number, event.text))

    def leader(self, room: str) -> str:
        """The NATS server that leads the stream of a room."""
        store = self._reader.store
        stream = store._layout.room(room).stream
        return str(waited(store._read(store.streams.info, stream))["cluster"]["leader"])

    def close(self) -> None:
        """Read no more."""
        waited(self._reader.store.close())

    def missing_last(self, stays: list[Visit]) -> list[str]:
        """Who of those who are there has not been shown yet what others said last."""
        rows = []
        for stay in stays:
            for room, known in self.rooms.items():
                others = (text for _, text in reversed(known) if text not in stay.sent)
                last, seen = next(others, ""), stay.received.get(room, ())
                shown = seen[-1][1] if seen else ""
                is_new = not shown and (not last or parse_text(last)[1] <= stay.sent_before)
                if not stay.over and last != shown and not is_new:
                    rows.append(f"{stay.nick} saw {shown} in {room}, where there is {last}")
        return rows

    def check(self, stay: Visit) -> None:
        """Compare what somebody was told with what is kept.

        :raises AssertionError: when something is lost, doubled or elsewhere.
        """
        own: dict[str, int] = {}
        for text, number in stay.acknowledged.items():
            room, _ = parse_text(text)
            assert text in self.index, f"acknowledged to {stay.nick} and lost: {text}"
            assert self.rooms[room][self.index[text]][0] == number, f"elsewhere: {text}"
            own[room] = min(self.index[text], own.get(room, self.index[text]))
        for room, seen in stay.received.items():
            strange = [text for _, text in seen if text not in self.index]
            assert not strange, f"shown to {stay.nick} and not kept: {strange[:5]}"
            if seen:
                first = self.index[seen[0][1]]
                begin = first if room in stay.checked else min(first, own.get(room, first))
                self._check_seen(stay, room, begin)

    def _check_seen(self, stay: Visit, room: str, begin: int) -> None:
        """Compare what was shown of a room with what there is from one place on to the last."""
        seen = stay.received[room]
        there = [
            (number if seen[0][0] else 0, text)
            for number, text in self.rooms[room][begin : self.index[seen[-1][1]] + 1]
            if text not in stay.sent
        ]
        if there != seen:
            raise AssertionError(
                f"{stay.nick} at {stay.node} was shown {room} otherwise: {_difference(there, seen)}"
            )
        stay.checked.add(room)
        del seen[:-1]  # the next look begins with the last


def _difference(there: list[Row], seen: list[Row]) -> str:
    """Where two lists part, in a line."""
    missing = [row for row in there if row not in set(seen)]
    added = [row for row in seen if row not in set(there)]
    twice = [row for row, times in Counter(seen).items() if times > 1]
    return f"missing {missing[:5]}, added {added[:5]}, twice {twice[:5]}, or in another order"
