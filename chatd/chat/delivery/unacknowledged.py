"""Waiting: what was said and is not kept yet, for longer than a moment, and who is told so.

What is kept at once never comes here.  There is no clock: whoever looks says what time it is, by
the clock that events have their times from.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from chatd.chat.events import Acted, Edited, Notice, Refused, RoomEvent, Said, TopicSet
from chatd.chat.model.entities import PendingLines, Room, Session
from chatd.chat.model.people import People
from chatd.chat.store import unavailable
from chatd.chat.text.sanitizing import cut

#: Seconds after which what somebody said is shown to them as waiting: what is quicker is not
#: noticed.  And after which it is said in words, where it cannot be shown and taken away again;
#: by then everybody knows if it is not one room alone.
LATE_SECONDS = 0.3
LONG_SECONDS = 6.0

#: What people are told in words: of their own line, of everything, and when that is over.
WAITS = "Your line waits: {} does not answer."
KEPT = "What waited of yours is delivered now."
AWAY = "The cluster does not answer: what you say waits until it does."
BACK = "The cluster answers again; what waits is delivered now."

#: Characters of a line that could not be kept by which its writer knows which one that is.
QUOTED = 60


class Unacknowledged:
    """All that waits: ``count`` lines, one said in several rooms as so many.

    There is no bound but that of the store, which refuses what waits for too long, or is too much.
    ``away`` is whether everybody knows that nothing is kept.
    """

    def __init__(
        self,
        people: People,
        schedule: Callable[[Callable[[], None]], object],
        *,
        is_clustered: bool,
    ) -> None:
        self._people = people
        self._schedule = schedule
        self._waits = Notice(WAITS.format("the cluster" if is_clustered else "the disk"))
        self._untold: dict[Session, PendingLines] = {}
        self._changed: dict[Session, PendingLines] = {}
        self.count = 0
        self.away = False

    def begin(self, session: Session, room: Room, event: RoomEvent, now: float) -> None:
        """Something that was said waits for longer than a moment."""
        waits = session.pending
        if waits is None:
            waits = session.pending = self._untold[session] = PendingLines(now)
        _, rooms = waits.lines.get(id(event), (event, ()))
        waits.lines[id(event)] = (event, (*rooms, room))
        self.count += 1
        self._change(session, waits)

    def end(self, session: Session, room: Room, event: RoomEvent, *, kept: bool) -> None:
        """It is kept in a room, or could not be."""
        waits = session.pending
        if waits is None or id(event) not in waits.lines:
            return
        self.count -= 1
        waits.failed = waits.failed or not kept
        rooms = tuple(each for each in waits.lines[id(event)][1] if each is not room)
        if rooms:
            waits.lines[id(event)] = (event, rooms)
        else:
            del waits.lines[id(event)]
        if not waits.lines:
            session.pending = None
            self._untold.pop(session, None)
        self._change(session, waits)

    def check(self, now: float) -> None:
        """Say in words what has waited for long, to those who are told so."""
        for session, waits in tuple(self._untold.items()):
            if 0 <= now - waits.since < LONG_SECONDS:
                return
            del self._untold[session]
            if session.client.shows_pending and not self.away:
                waits.announced = session.deliver(self._waits)

    def _change(self, session: Session, waits: PendingLines) -> None:
        if not self._changed:
            self._schedule(self._show)
        self._changed[session] = waits

    def _show(self) -> None:
        """Let what is shown as waiting be as it is now, once a turn."""
        changed, self._changed = self._changed, {}
        for session, waits in changed.items():
            session.client.pending_changed()
            if waits.announced and not (waits.lines or waits.failed or self.away):
                session.deliver(Notice(KEPT))

    # The cluster ----------------------------------------------------------------------------------

    def check_reachable(self) -> None:
        """Whether the cluster can be asked who is who.

        :raises Refused: ``away``.
        """
        if self.away:
            raise unavailable()

    def lost_touch(self) -> None:
        """Nothing is kept any more: everybody here is told, once."""
        if not self.away:
            self.away = True
            self._tell(Notice(AWAY))

    def in_touch(self) -> None:
        """It is again."""
        if self.away:
            self.away = False
            self._tell(Notice(BACK))

    def _tell(self, notice: Notice) -> None:
        for person in self._people.here():
            for session in person.sessions:
                session.deliver(notice)


def refusal(event: RoomEvent, why: str) -> Refused:
    """What somebody is told whose line could not be kept, with its beginning."""
    typed = ""
    match event:
        case Said(text=text):
            typed = text
        case Acted(text=text):
            typed = f"/me {text}"
        case Edited(text=text):
            typed = f"/edit {text}"
        case TopicSet(topic=topic):
            typed = f"/topic {topic}"
        case _:
            pass
    quoted = f" You said: {cut(typed.partition(chr(10))[0], QUOTED)}" * bool(typed)
    return Refused("not-kept", f"That was not delivered: {why}{quoted}")


def newest(session: Session, most: int) -> tuple[int, list[tuple[Room, RoomEvent]]]:
    """How many lines of one session wait, and so many of the newest, oldest first.

    Each comes with a room in which it does, that with the focus if it can be.
    """
    waits, focus = session.pending, session.focus
    if waits is None:
        return 0, []
    lines = [
        (focus if focus is not None and focus in rooms else rooms[0], event)
        for event, rooms in islice(reversed(waits.lines.values()), most)
    ]
    return len(waits.lines), lines[::-1]
