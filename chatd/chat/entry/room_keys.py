"""Room keys: entry to rooms that have one, with guessing made as slow as that of passwords."""

from __future__ import annotations

from math import ceil

from chatd.chat.events import Refused
from chatd.chat.model import rules
from chatd.chat.model.entities import Room, Session
from chatd.chat.ratelimit.login_throttle import LoginThrottle
from chatd.chat.ratelimit.reports import Report, TurnedAway, WrongSecret


class RoomKeys:
    """Checks who may enter a room, and counts wrong keys by address and by room.

    They are counted apart from passwords, so that neither delays the other.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._throttle = LoginThrottle()

    def check_entry(self, room: Room, session: Session, key: str, now: float) -> None:
        """Check that the person of a session may enter a room, with the key that they give.

        :param now: in seconds since the epoch.
        :raises Refused: ``too-fast``, and as `chatd.chat.model.rules.check_entry`.
        """
        tried = bool(key and room.settings.key) and not rules.is_admitted(room, session)
        if not tried or rules.ban_of(room, session, now) is not None:
            rules.check_entry(room, session, now, key)
            return
        address, way = session.address, session.way
        wait = self._throttle.wait(room.id, address, now)
        if wait > 0:
            self._report(TurnedAway(address, way, "too-many-wrong-keys"))
            raise Refused(
                "too-fast", f"There were too many wrong keys; try again in {ceil(wait)} s."
            )
        try:
            rules.check_entry(room, session, now, key)
        except Refused:
            self._throttle.begin(room.id, address, now)
            self._report(WrongSecret(address, way, room=room.name.shown))
            raise
        self._throttle.owner_logged_in(room.id, address)
