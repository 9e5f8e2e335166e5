"""A town whose servers have doors: several whole servers in memory that are one cluster."""

from __future__ import annotations

from tests.support.cluster.chat_cluster import Branch, Town
from tests.support.memory_server import Wire
from tests.support.people import Server
from tests.support.ssh.clients import Guest, Hall
from tests.support.ssh.peer import USER_KEY


class House(Server):
    """A whole server of a town."""

    def __init__(self, branch: Branch) -> None:
        self.hall = Hall(branch=branch)
        self.building = self.hall.building
        self.chat = self.building.chat
        self._cluster = self.building.cluster

    @property
    def now(self) -> float:
        return self.building.clock.seconds()

    @now.setter
    def now(self, now: float) -> None:
        self.building.clock.advance(now - self.building.clock.seconds())

    def end_turn(self) -> None:
        self.building.turn()


class Street(Town):
    """A town of houses; the first two are ``here`` and ``there``."""

    def start(self, branch: Branch) -> House:
        return House(branch)

    def house(self, number: int) -> House:
        house = self.servers[number]
        assert isinstance(house, House)
        return house

    def passes(self, seconds: float) -> None:
        """Let time pass in small steps, in which everything that is told arrives."""
        while seconds > 0:
            self.beat(min(seconds, 0.25))
            seconds -= 0.25

    def dies(self, number: int) -> None:
        """A server is killed: it keeps its number, and is heard no more."""
        self.cut(self.servers[number])

    def guest(self, number: int, terminal: bytes | None = b"xterm", key: bool = True) -> Guest:
        """Somebody comes to a server by ssh, with ada's key, and has read the greeting."""
        guest = Guest(self.house(number).hall, key=USER_KEY if key else None)
        guest.opens(terminal)
        self.sees(guest)
        return guest

    def sees(self, guest: Guest) -> list[str]:
        """The rows of somebody's screen, when everything has arrived."""
        for _ in range(4):
            guest.gets()
            self.settle()
        return guest.sees()

    def says(self, guest: Guest, text: str) -> list[str]:
        """Let somebody type, and return the rows of their screen."""
        guest.types(text)
        return self.sees(guest)

    def wire(self, number: int) -> Wire:
        """Somebody comes by netcat, and has read the greeting."""
        wire = self.house(number).building.enters()
        self.settle()
        return wire

    def gets(self, wire: Wire) -> list[str]:
        """The lines that somebody was sent, when everything has arrived."""
        data = b""
        for _ in range(4):
            data += wire.gets()
            self.settle()
        return (data + wire.gets()).decode().splitlines()
