"""Alerts: warn the operators who are here of a flood, from one address or by a wave of guests."""

from __future__ import annotations

from chatd.chat.events import Notice
from chatd.chat.model.bans import of_address
from chatd.chat.model.people import People
from chatd.chat.peers import Notify, Peers
from chatd.chat.ratelimit.addresses import prefix
from chatd.chat.ratelimit.flood_watch import FloodWatch
from chatd.chat.ratelimit.reports import Flood, Report


class Alerts:
    """Warns the operators on all servers of a cluster of what this server notices.

    Nobody is warned of the same address, or of another wave, within five minutes.
    """

    def __init__(self, people: People, peers: Peers, report: Report) -> None:
        self._people = people
        self._peers = peers
        self._report = report
        self._watch = FloodWatch()

    def line_waits(self, address: str, now: float) -> None:
        """Note a line that waits because its address sends too much."""
        if not self._watch.line_waits(address, now):
            return
        network = prefix(address)
        people = sum(prefix(person.address) == network for person in self._people.here())
        self._report(Flood(address, "lines", people))
        target = of_address(address) or address
        who = "1 person writes" if people == 1 else f"{people} people write"
        self._warn(
            f"A flood from {target}: {who} from there, more than one address may. "
            f"/server ban {target} 10m ends it."
        )

    def guest_came(self, address: str, opened: float, now: float) -> None:
        """Note a new guest."""
        wave, most = self._watch.guest_came(address, len(self._people), opened, now)
        if not wave:
            return
        self._report(Flood(most, "guests", wave))
        whence = f", most of them from {of_address(most) or most}" if most else ""
        self._warn(
            f"A wave of guests: {wave} came in within a minute{whence}. "
            "/server lock 10m keeps guests out."
        )

    def _warn(self, text: str) -> None:
        for person in self._people.everyone():
            if person.operator and not self._peers.forward(person, None, Notify(text)):
                for session in person.sessions:
                    if session.operator:
                        session.deliver(Notice(text))
