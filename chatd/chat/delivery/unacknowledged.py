"""Unacknowledged messages: lines that the store is late to acknowledge, shown as pending.

A message that is stored within `LATE_SECONDS` is never added.  There is no clock here: callers pass
the time in seconds since the epoch, by the same clock as the times of events.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from chatd.chat.events import Acted, Edited, Notice, Refused, RoomEvent, Said, TopicSet
from chatd.chat.model.entities import PendingLines, Room, Session
from chatd.chat.model.people import People
from chatd.chat.store import unavailable
from chatd.chat.text.sanitizing import cut

#: Seconds after which a line is marked as pending on its sender's screen; a shorter delay is not
#: noticed.  And seconds after which a notice says so where a mark cannot be drawn and erased again;
#: if more than one room is concerned, everyone has been told by then that the cluster is gone.
LATE_SECONDS = 0.3
LONG_SECONDS = 6.0

#: Notices: one of the user's lines is pending; all of theirs are stored now; the cluster does not
#: answer; it answers again.
PENDING_NOTICE = "Your line waits: {} does not answer."
DELIVERED_NOTICE = "What waited of yours is delivered now."
UNREACHABLE_NOTICE = "The cluster does not answer: what you say waits until it does."
REACHABLE_NOTICE = "The cluster answers again; what waits is delivered now."

#: Characters of a line that are quoted when it could not be stored, so that its sender knows it.
QUOTED = 60


class Unacknowledged:
    """The pending lines of all sessions; ``count`` counts a line in several rooms once per room.

    Only the store bounds them: it refuses a line that has been pending for too long, or one too
    many.  ``is_unreachable`` is whether everyone has been told that the cluster stores nothing.
    ``_unannounced`` has the sessions to be told in words, in the order in which their lines became
    pending; ``_changed`` those whose screens are redrawn at the end of the turn.
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
        self._pending_notice = Notice(
            PENDING_NOTICE.format("the cluster" if is_clustered else "the disk")
        )
        self._unannounced: dict[Session, PendingLines] = {}
        self._changed: dict[Session, PendingLines] = {}
        self.count = 0
        self.is_unreachable = False

    def add(self, session: Session, room: Room, event: RoomEvent, now: float) -> None:
        """Add a line that a session sent to a room; it is pending there from now on."""
        pending = session.pending_lines
        if pending is None:
            pending = session.pending_lines = self._unannounced[session] = PendingLines(now)
        _, rooms = pending.lines.get(id(event), (event, ()))
        pending.lines[id(event)] = (event, (*rooms, room))
        self.count += 1
        self._change(session, pending)

    def remove(self, session: Session, room: Room, event: RoomEvent, *, stored: bool) -> None:
        """Remove a line that is no longer pending in a room, as it is ``stored`` or has failed."""
        pending = session.pending_lines
        if pending is None or id(event) not in pending.lines:
            return
        self.count -= 1
        pending.failed = pending.failed or not stored
        rooms = tuple(each for each in pending.lines[id(event)][1] if each is not room)
        if rooms:
            pending.lines[id(event)] = (event, rooms)
        else:
            del pending.lines[id(event)]
        if not pending.lines:
            session.pending_lines = None
            self._unannounced.pop(session, None)
        self._change(session, pending)

    def check(self, now: float) -> None:
        """Announce lines pending for `LONG_SECONDS` in words, where no mark shows them."""
        for session, pending in tuple(self._unannounced.items()):
            if 0 <= now - pending.since < LONG_SECONDS:
                return
            del self._unannounced[session]
            if session.client.shows_pending and not self.is_unreachable:
                pending.announced = session.deliver(self._pending_notice)

    def _change(self, session: Session, pending: PendingLines) -> None:
        if not self._changed:
            self._schedule(self._show_changes)
        self._changed[session] = pending

    def _show_changes(self) -> None:
        """Redraw the pending lines of sessions in which they changed; called once per turn."""
        changed, self._changed = self._changed, {}
        for session, pending in changed.items():
            session.client.pending_changed()
            if pending.announced and not (pending.lines or pending.failed or self.is_unreachable):
                session.deliver(Notice(DELIVERED_NOTICE))

    # The cluster ----------------------------------------------------------------------------------

    def check_reachable(self) -> None:
        """Check that the cluster answers, as nicks are claimed there.

        :raises Refused: ``away``.
        """
        if self.is_unreachable:
            raise unavailable()

    def cluster_lost(self) -> None:
        """Tell everyone on this server, once, that the cluster stores nothing."""
        if not self.is_unreachable:
            self.is_unreachable = True
            self._notify_everyone(Notice(UNREACHABLE_NOTICE))

    def cluster_restored(self) -> None:
        """Tell everyone that the cluster answers again, if they were told that it does not."""
        if self.is_unreachable:
            self.is_unreachable = False
            self._notify_everyone(Notice(REACHABLE_NOTICE))

    def _notify_everyone(self, notice: Notice) -> None:
        for person in self._people.here():
            for session in person.sessions:
                session.deliver(notice)


def refusal(event: RoomEvent, reason: str) -> Refused:
    """Return the refusal for the author of an event that was not stored; it quotes their line."""
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
    return Refused("not-kept", f"That was not delivered: {reason}{quoted}")


def newest_pending(session: Session, most: int) -> tuple[int, list[tuple[Room, RoomEvent]]]:
    """Return how many lines of a session are pending, and the newest ``most``, oldest first.

    Each is paired with a room in which it is pending, the one with the focus if it is among them.
    """
    pending, focus = session.pending_lines, session.focus
    if pending is None:
        return 0, []
    lines = [
        (focus if focus is not None and focus in rooms else rooms[0], event)
        for event, rooms in islice(reversed(pending.lines.values()), most)
    ]
    return len(pending.lines), lines[::-1]
