"""Conversation of the window: its lines in their order, and its members.

It knows the order of a room's events; it must not know requests, windows or connections.
"""

from __future__ import annotations

from collections import deque

from chatd.clients.window.lines import Line

#: Lines of one conversation; the oldest are dropped first.  Terminals keep 1,000 to 10,000.
MAX_LINES = 5000
#: Members whose nicks are kept for one room.
MAX_MEMBERS = 10_000
#: Members of one room that the server lists at most; with so many, it may have left some out.
LISTED = 200
#: Messages that are remembered so that none is shown twice.
REMEMBERED_MESSAGES = 1000

#: Position of a line: which visit to the room, the event's number, and 0 for the event that has
#: this number itself, 1 for what follows it.
Position = tuple[int, int, int]


class Conversation:
    """Lines in the order of the room's events, at most ``most``.

    ``appended`` counts lines that were ever added at the end, ``inserted`` those between others: a
    view that has drawn all lines draws only the appended ones while ``inserted`` stays the same.
    """

    def __init__(self, name: str, most: int = MAX_LINES) -> None:
        self.name = name
        self.topic = ""
        self.lines: deque[Line] = deque(maxlen=most)
        self.members: dict[str, str] = {}
        #: Whether there may be more members than the server has listed.
        self.is_incomplete = False
        self.unread = 0
        self.appended = 0
        self.inserted = 0
        #: Number of the last known event.
        self.last = 0
        self._visit = 0
        self._positions: deque[Position] = deque(maxlen=most)
        self._seen: deque[int] = deque(maxlen=REMEMBERED_MESSAGES)

    def entered(self) -> None:
        """Begin a new visit to the room: the server may have restarted counting from 0."""
        self._visit += 1
        self.last = 0
        self._seen.clear()

    def is_known(self, number: int) -> bool:
        """Return whether the message of this number is already shown."""
        return number in self._seen

    def add(self, line: Line, number: int | None = None, *, kept: bool = False) -> None:
        """Add a line after the events up to ``number``; None is the last known one.

        ``kept`` is true if the event itself has this number, as messages have.
        """
        if number is None:
            number = self.last
        self.last = max(self.last, number)
        if kept:
            self._seen.append(number)
        self._insert(line, (self._visit, number, 0 if kept else 1))

    def _insert(self, line: Line, position: Position) -> None:
        """Insert a line at its position: nearly always that is the end."""
        at = len(self._positions)
        while at and self._positions[at - 1] > position:
            at -= 1
        if at == len(self._positions):
            self.lines.append(line)
            self._positions.append(position)
            self.appended += 1
        elif at or len(self.lines) != self.lines.maxlen:
            if len(self.lines) == self.lines.maxlen:
                self.lines.popleft()
                self._positions.popleft()
                at -= 1
            self.lines.insert(at, line)
            self._positions.insert(at, position)
            self.inserted += 1

    # People ---------------------------------------------------------------------------------------

    def set_members(self, people: dict[str, str]) -> None:
        """Replace the members, by nick with their roles, as far as the server lists them."""
        self.members = dict(list(people.items())[:MAX_MEMBERS])
        self.is_incomplete = len(people) >= LISTED

    def add_member(self, nick: str, role: str = "member") -> None:
        """Add a member, or change a role."""
        if nick and len(self.members) < MAX_MEMBERS:
            self.members[nick] = role

    def remove_member(self, nick: str) -> None:
        """Remove a member."""
        self.members.pop(nick, None)

    def rename_member(self, nick: str, new: str) -> None:
        """Change a member's nick."""
        self.add_member(new, self.members.pop(nick, "member"))

    def sorted_members(self) -> list[str]:
        """Return the nicks in order of their roles, then by name."""
        ranks = {"operator": 0, "owner": 1, "moderator": 2}
        return sorted(
            self.members, key=lambda nick: (ranks.get(self.members[nick], 3), nick.casefold())
        )
