"""Exec commands that answer a query and end: ``who``, ``rooms``, ``search``."""

from __future__ import annotations

from chatd.chat.commands.history import readable
from chatd.chat.model import rules
from chatd.chat.model.entities import Outsider, Person, Room
from chatd.chat.text.names import Name
from chatd.chat.text.query import EVERYWHERE, read_query
from chatd.chat.text.sanitizing import safe
from chatd.terminal.style import TextStyle
from chatd.transport.ssh.exec.command import OK, REFUSED, Call, ExecCommand, UsageError


class Who(ExecCommand):
    """``who``: lists the users, each with the rooms that a visitor may see, one per line."""

    def begin(self) -> None:
        """Write the list."""
        self.call.check_no_words("who")
        visible = _visible_rooms(self.call)
        rows = []
        for person in self.call.host.chat.people.everyone():
            rooms = ",".join(str(room) for room in person.rooms.values() if room in visible)
            rows.append(f"{person.nick} {rooms}".rstrip())
        self.call.put(rows)
        self.finish()


class Rooms(ExecCommand):
    """``rooms``: lists the rooms, each with its number of members and its topic, one per line."""

    def begin(self) -> None:
        """Write the list."""
        self.call.check_no_words("rooms")
        self.call.put(
            [
                f"{room} {len(room.members)} {room.settings.topic}".rstrip()
                for room in _visible_rooms(self.call)
            ]
        )
        self.finish()


class Search(ExecCommand):
    """``search WORDS``: finds messages in the rooms that a visitor may read, one per line."""

    def begin(self) -> None:
        """Check the words, then search."""
        if not self.call.words:
            raise UsageError("search WORDS")
        self.wait_for(self._search())

    async def _search(self) -> None:
        query = read_query(safe(self.call.rest), "UTC")
        chat, outsider, now = self.call.host.chat, _outsider(self.call), self.call.host.now()
        if query.room in ("", EVERYWHERE):
            rooms = readable(chat, outsider, now)
        else:
            rooms = [chat.find_room(query.room, outsider)]
            rules.check_entry(rooms[0], outsider, now)
        searching = chat.history.search(rooms, query.search, query.page, outsider.person)
        entries, more = await searching
        if self.ended:
            return
        style = TextStyle(timestamps="HH:MM", days=True, names_room=True)
        for entry in entries:
            self.call.channel.outbox.write(style.render(entry).replace(b"\r\n", b"\n"))
        if more:
            hint = f"chatd: there is more; page:{query.page + 1} shows earlier ones.\n"
            self.call.channel.write_error(hint.encode())
        self.finish(OK if entries else REFUSED)


def _outsider(call: Call) -> Outsider:
    """Return somebody in no room with the visitor's rights and bans; they never enter the chat."""
    visitor = call.visitor
    person = Person(
        Name("", ""),
        0.0,
        address=visitor.address,
        fingerprint=visitor.fingerprint,
        operator=visitor.operator,
    )
    account = call.host.chat.accounts.of_key(visitor.fingerprint)
    if account is not None:
        person.account, person.registered = account.name.key, account.created
        call.host.chat.accounts.note_use(person.account, call.host.now())
    return Outsider(person, visitor.operator)


def _visible_rooms(call: Call) -> list[Room]:
    chat, outsider = call.host.chat, _outsider(call)
    return [room for room in chat.rooms.values() if chat.may_see(outsider, room)]
