"""One conversation of the window: its lines in their order, and the people in it.

It knows the order of a room's events; it must not know requests, windows or connections.
"""

from __future__ import annotations

from collections import deque

from chatd.clients.window.lines import Line

#: Lines of one conversation; the oldest go first.  Terminals keep 1,000 to 10,000.
MAX_LINES = 5000
#: People whose names are kept for one room.
MAX_MEMBERS = 10_000
#: People of one room whom the server lists; then it may have left some out.
LISTED = 200
#: Messages that are remembered in order to show none of them twice.
REMEMBERED_MESSAGES = 1000

#: Where a line belongs: which visit to the room, the event's number, and 0 for the event that has
#: this number itself.
Position = tuple[int, int, int]


class Conversation:
    """Lines in the order of the room's events, at most ``most``.

    ``ended`` counts the lines that were ever put at the end, ``changed`` those that went between
    others: who has drawn all of it needs to draw only what is new unless ``changed`` moved.
    """

    def __init__(self, name: str, most: int = MAX_LINES) -> None:
        self.name = name
        self.topic = ""
        self.lines: deque[Line] = deque(maxlen=most)
        self.members: dict[str, str] = {}
        #: Whether there are more people than the server lists.
        self.is_incomplete = False
        self.unread = 0
        self.appended = 0
        self.inserted = 0
        #: The number of the last event that is known.
        self.last = 0
        self._visit = 0
        self._positions: deque[Position] = deque(maxlen=most)
        self._seen: deque[int] = deque(maxlen=REMEMBERED_MESSAGES)

    def entered(self) -> None:
        """Somebody is in the room anew: the server may have begun to count from 0."""
        self._visit += 1
        self.last = 0
        self._seen.clear()

    def is_known(self, number: int) -> bool:
        """Whether the message of this number stands here already."""
        return number in self._seen

    def add(self, line: Line, number: int | None = None, *, kept: bool = False) -> None:
        """Take a line in, behind what happened up to ``number``; None is now.

        ``kept`` says that the event has this number for itself, as messages have.
        """
        if number is None:
            number = self.last
        self.last = max(self.last, number)
        if kept:
            self._seen.append(number)
        self._insert(line, (self._visit, number, 0 if kept else 1))

    def _insert(self, line: Line, place: Position) -> None:
        """Put a line where it belongs: nearly always that is the end."""
        at = len(self._positions)
        while at and self._positions[at - 1] > place:
            at -= 1
        if at == len(self._positions):
            self.lines.append(line)
            self._positions.append(place)
            self.appended += 1
        elif at or len(self.lines) != self.lines.maxlen:
            if len(self.lines) == self.lines.maxlen:
                self.lines.popleft()
                self._positions.popleft()
                at -= 1
            self.lines.insert(at, line)
            self._positions.insert(at, place)
            self.inserted += 1

    # People ---------------------------------------------------------------------------------------

    def set_members(self, people: dict[str, str]) -> None:
        """These are the people of the room, as far as the server lists them."""
        self.members = dict(list(people.items())[:MAX_MEMBERS])
        self.is_incomplete = len(people) >= LISTED

    def add_member(self, nick: str, role: str = "member") -> None:
        """Somebody is in the room."""
        if nick and len(self.members) < MAX_MEMBERS:
            self.members[nick] = role

    def remove_member(self, nick: str) -> None:
        """Somebody is in the room no longer."""
        self.members.pop(nick, None)

    def rename_member(self, nick: str, new: str) -> None:
        """Somebody is called otherwise now."""
        self.add_member(new, self.members.pop(nick, "member"))

    def sorted_members(self) -> list[str]:
        """The people, those with a role first, by name."""
        ranks = {"operator": 0, "owner": 1, "moderator": 2}
        return sorted(
            self.members, key=lambda nick: (ranks.get(self.members[nick], 3), nick.casefold())
        )
