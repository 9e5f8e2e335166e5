"""Exec commands that answer a query and end: ``who``, ``rooms``, ``search``."""

from __future__ import annotations

from collections.abc import Iterator

from chatd.chat.commands.history import readable
from chatd.chat.model import rules
from chatd.chat.model.entities import Outsider, Person
from chatd.chat.text.names import Name
from chatd.chat.text.query import EVERYWHERE, read_query
from chatd.chat.text.sanitizing import safe
from chatd.terminal.style import TextStyle
from chatd.transport.ssh.exec.command import OK, REFUSED, Call, ExecCommand, UsageError

#: Bytes of a list that are written at a time: a client that does not read costs no more.
LIST_BYTES = 16 * 1024


class Listing(ExecCommand):
    """A command that writes a list, a piece in each turn while the client takes it."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._rows: Iterator[str] = iter(())

    def rows(self) -> Iterator[str]:
        """Return the rows, each of which is made when it is written."""
        raise RuntimeError("a list has rows of its own")

    def begin(self) -> None:
        """Begin to write the list."""
        self._rows = self.rows()
        self._write()

    def _write(self) -> None:
        piece, size = [], 0
        for row in self._rows:
            piece.append(row)
            size += len(row.encode())
            if size >= LIST_BYTES:
                break
        self.call.put(piece)
        if size < LIST_BYTES:
            self.finish()
        elif not self.call.channel.outbox.full:
            self.call.host.clock.callLater(0, self.ready)

    def ready(self) -> None:
        """Write the next piece, unless the client does not take it yet."""
        if not self.call.channel.outbox.full:
            self.attempt(self._write)


class Who(Listing):
    """``who``: lists the users, each with the rooms that a visitor may see, one per line."""

    def begin(self) -> None:
        """Check that there are no words, then write the list."""
        self.call.check_no_words("who")
        super().begin()

    def rows(self) -> Iterator[str]:
        """Return a row for each user."""
        chat, outsider = self.call.host.chat, _outsider(self.call)
        for person in chat.people.everyone():
            rooms = [room for room in person.rooms.values() if chat.may_see(outsider, room)]
            yield f"{person.nick} {','.join(map(str, rooms))}".rstrip()


class Rooms(Listing):
    """``rooms``: lists the rooms, each with its number of members and its topic, one per line."""

    def begin(self) -> None:
        """Check that there are no words, then write the list."""
        self.call.check_no_words("rooms")
        super().begin()

    def rows(self) -> Iterator[str]:
        """Return a row for each room that the visitor may see."""
        chat, outsider = self.call.host.chat, _outsider(self.call)
        for room in list(chat.rooms.values()):
            if chat.may_see(outsider, room):
                yield f"{room} {len(room.members)} {room.settings.topic}".rstrip()


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
