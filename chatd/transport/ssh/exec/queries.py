"""Shell pipes that tell what is there and end: ``who``, ``rooms``, ``search``."""

from __future__ import annotations

from chatd.chat.commands.history import readable
from chatd.chat.model import rules
from chatd.chat.model.entities import Person, Room
from chatd.chat.text.names import Name
from chatd.chat.text.query import EVERYWHERE, read_query
from chatd.chat.text.sanitizing import safe
from chatd.terminal.style import TextStyle
from chatd.transport.ssh.exec.command import OK, REFUSED, Call, ExecCommand, Misused


class Who(ExecCommand):
    """``who``: a person a line, with the rooms that everybody may know of."""

    def begin(self) -> None:
        """Write them down."""
        self.call.check_alone("who")
        seen = _visible_rooms(self.call)
        rows = []
        for person in self.call.host.chat.people.everyone():
            rooms = ",".join(str(room) for room in person.rooms.values() if room in seen)
            rows.append(f"{person.nick} {rooms}".rstrip())
        self.call.put(rows)
        self.finish()


class Rooms(ExecCommand):
    """``rooms``: a room a line, with the number of its people and its topic."""

    def begin(self) -> None:
        """Write them down."""
        self.call.check_alone("rooms")
        self.call.put(
            [
                f"{room} {len(room.members)} {room.settings.topic}".rstrip()
                for room in _visible_rooms(self.call)
            ]
        )
        self.finish()


class Find(ExecCommand):
    """``search WORDS``: what was said in the rooms that everybody may read, a message a line."""

    def begin(self) -> None:
        """Read the words, then look."""
        if not self.call.words:
            raise Misused("search WORDS")
        self.wait_for(self._look())

    async def _look(self) -> None:
        query = read_query(safe(self.call.rest), "UTC")
        chat, nobody, now = self.call.host.chat, _nobody(self.call), self.call.host.now()
        if query.room in ("", EVERYWHERE):
            rooms = readable(chat, nobody, now)
        else:
            rooms = [chat.find_room(query.room, nobody)]
            rules.check_entry(rooms[0], nobody, now)
        entries, more = await chat.history.search(rooms, query.search, query.page)
        if self.ended:
            return
        style = TextStyle(timestamps="HH:MM", days=True, names_room=True)
        for entry in entries:
            self.call.channel.outbox.write(style.render(entry).replace(b"\r\n", b"\n"))
        if more:
            told = f"chatd: there is more; page:{query.page + 1} shows earlier ones.\n"
            self.call.channel.write_error(told.encode())
        self.finish(OK if entries else REFUSED)


def _nobody(call: Call) -> Person:
    """Somebody who is in no room, with the rights of who asks, and held by what holds them."""
    who = call.who
    nobody = Person(
        Name("", ""), 0.0, address=who.address, fingerprint=who.fingerprint, operator=who.operator
    )
    account = call.host.chat.accounts.of_key(who.fingerprint)
    nobody.account = account.name.key if account is not None else None
    return nobody


def _visible_rooms(call: Call) -> list[Room]:
    nobody = _nobody(call)
    return [room for room in call.host.chat.rooms.values() if call.host.chat.may_see(nobody, room)]
