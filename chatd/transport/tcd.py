"""The way in for clients of the socket assignment: many rooms on one connection, by header lines.

docs/protocol.rst, "The socket assignment's protocol".  The connection is the identity; its JOIN_IDs
are unguessable, so that one may be used from another connection.  The rooms and the people are
those of everyone else.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from twisted.logger import Logger

from chatd.chat.actions.messages import say
from chatd.chat.entry.entrance import Visitor
from chatd.chat.events import Refused
from chatd.chat.limits import ROOMS_PER_PERSON
from chatd.chat.model.people import fold
from chatd.chat.model.preferences import Preferences
from chatd.chat.model.room import Room
from chatd.chat.model.session import Session
from chatd.chat.records.server_access import FINAL_REFUSALS
from chatd.chat.text import names
from chatd.transport.conversation.arrival import Arrival
from chatd.transport.conversation.program import ProgramProtocol
from chatd.transport.host import Host
from chatd.wire.tcd import codec as tcd
from chatd.wire.tcd.events import TcdStyle

#: Rooms that a connection is in or was in; one may be in fewer than half as many.
PLACES = 2 * ROOMS_PER_PERSON + 1

#: What one is told when the server is full.
FULL_ANSWER = tcd.error(tcd.ErrorCode.SERVER_FULL, tcd.ErrorCode.SERVER_FULL.sentence)


def turned_away(sentence: str) -> bytes:
    """What one is told who may not come in at all, and why."""
    return tcd.error(tcd.ErrorCode.NOT_ALLOWED, sentence)


#: What the chat declines, by its code word.
_ERRORS = {
    "bad-nick": tcd.ErrorCode.BAD_NAME,
    "bad-room": tcd.ErrorCode.BAD_ROOM,
    "nick-taken": tcd.ErrorCode.NAME_TAKEN,
    "no-such-room": tcd.ErrorCode.NO_SUCH_ROOM,
    "not-in-room": tcd.ErrorCode.NOT_IN_ROOM,
    "wrong-join-id": tcd.ErrorCode.WRONG_JOIN_ID,
    "private": tcd.ErrorCode.NOT_ALLOWED,
    "muted": tcd.ErrorCode.NOT_ALLOWED,
    "banned": tcd.ErrorCode.NOT_ALLOWED,
    "key-needed": tcd.ErrorCode.NOT_ALLOWED,
    "not-invited": tcd.ErrorCode.NOT_ALLOWED,
    "slow": tcd.ErrorCode.TOO_FAST,
}


#: What is said otherwise here than to people, who may be able to do something about it.
_SENTENCES = {"key-needed": "That room needs a key, which this protocol cannot give."}


@dataclass(slots=True)
class JoinIds:
    """What all connections of this way in share.

    ``joined`` has the connection and the room of every JOIN_ID in use; ``kill`` stops the server
    where KILL_SERVICE is allowed.
    """

    student_id: str = "0"
    kill: Callable[[], None] | None = None
    joined: dict[int, tuple[TcdProtocol, Room]] = field(default_factory=dict)


@dataclass(slots=True)
class _Place:
    """A room that a connection is in, or was in: its JOIN_ID stays for a repeated LEAVE."""

    room: Room
    join_id: int
    left: bool = False


def _joined_up(text: str) -> str:
    """A name without blanks; clients of this protocol ask for some that have them."""
    return "_".join(text.split())


class TcdProtocol(ProgramProtocol[tcd.Request | tcd.Bad]):
    """One connection, with its places in rooms."""

    _log = Logger()

    def __init__(self, host: Host, arrival: Arrival, desk: JoinIds) -> None:
        super().__init__(host, arrival)
        self._desk = desk
        self._codec = tcd.TcdCodec()
        self._places: dict[int, _Place] = {}
        self._style = TcdStyle(host.chat.number_of, self._private_ref)

    def read(self, data: bytes) -> list[tcd.Request | tcd.Bad]:
        """The requests that these bytes complete."""
        return self._codec.receive_data(data)

    def read_end(self) -> list[tcd.Request | tcd.Bad]:
        """What is complete but for its end."""
        return self._codec.finish()

    @property
    def unfinished(self) -> bool:
        """Whether a silence may complete a request."""
        return self._codec.pending

    def style(self, preferences: Preferences) -> TcdStyle:
        """CHATs; there is nothing to prefer."""
        return self._style

    def _private_ref(self, sender: str) -> int:
        """A room that one shares with somebody, or any of one's own."""
        if self.session is None:
            return 0
        other = self.host.chat.people.find(sender)
        mine = self.session.person.rooms.values()
        shared = [room.number for room in mine if other is not None and other in room.members]
        return next(iter(shared), next((room.number for room in mine), 0))

    def gone(self) -> None:
        """Nobody can use this connection's JOIN_IDs any more."""
        for place in self._places.values():
            self._desk.joined.pop(place.join_id, None)

    def refuse(self, request: tcd.Request | tcd.Bad, refused: Refused) -> None:
        """Answer a request that the chat declines."""
        code = _ERRORS.get(refused.code, tcd.ErrorCode.REFUSED)
        self.write(tcd.error(code, _SENTENCES.get(refused.code, refused.sentence)))
        if self.session is None and refused.code in FINAL_REFUSALS:
            self.close()

    async def serve(self, request: tcd.Request | tcd.Bad) -> None:
        """Do what a request asks for."""
        match request:
            case tcd.Bad(code=code, sentence=sentence):
                self.write(tcd.error(code, sentence))
            case tcd.Helo(text=text):
                host, port = self.arrival.door.reached()
                self.write(tcd.helo(text, host, port, self._desk.student_id))
            case tcd.KillService():
                self._kill()
            case tcd.Join(room=room, nick=nick):
                await self._join(room, nick)
            case tcd.Leave():
                self._leave(request)
            case tcd.Say():
                self._say(request)
            case tcd.Disconnect():
                self._disconnect()

    def _kill(self) -> None:
        if self._desk.kill is None:
            self.write(tcd.error(tcd.ErrorCode.NOT_ALLOWED, "This server is not stopped that way."))
        else:
            self._log.info("{address} sent KILL_SERVICE", address=self.arrival.address)
            self._desk.kill()

    async def _join(self, asked: str, client_name: str) -> None:
        host, now = self.host, self.host.now()
        room, nick = _joined_up(asked), _joined_up(client_name)
        newcomer = self.session is None
        if self.session is None:
            visitor = Visitor(nick, self.arrival.address)
            session, _ = await host.chat.enter(visitor, self, now, exactly=True)
            if self.over:
                host.chat.leave(session, "", now)
                return
            self.session = session
        session = self.session
        try:
            self._join_as(session, nick, room, asked, now)
        except Refused:
            if newcomer:  # the nick is that of the first who joins
                self.session = None
                host.chat.leave(session, "", now)
            raise

    def _join_as(self, session: Session, nick: str, room: str, asked: str, now: float) -> None:
        host = self.host
        if names.nick(nick).key != session.person.name.key:
            raise Refused("nick-taken", f"This connection is {session.person.nick}.")
        key = names.room(room).key
        before = session.person.rooms.get(key)
        where = host.chat.join(session, room, now)
        place = self._place(where)
        address, port = self.arrival.door.reached()
        self.write(tcd.joined(asked, address, port, where.number, place.join_id))
        if before is None:
            text = f"{session.person.nick} has joined this chatroom."
            self.write(tcd.chat(where.number, session.person.nick, text))

    def _place(self, room: Room) -> _Place:
        place = self._places.get(room.number)
        if place is None:
            self._forget_places()
            place = self._places[room.number] = _Place(room, secrets.randbelow(2**63 - 1) + 1)
            self._desk.joined[place.join_id] = (self, room)
        place.left = False
        return place

    def _forget_places(self) -> None:
        """Of rooms that were left long ago a repeated LEAVE is not answered any more."""
        for number, place in list(self._places.items()):
            if len(self._places) < PLACES:
                return
            if place.left:
                del self._places[number]
                self._desk.joined.pop(place.join_id, None)

    def _whose(self, ref: int, join_id: int, nick: str) -> tuple[TcdProtocol, _Place]:
        """The connection that a request speaks for, and its place in the room.

        :raises Refused: ``no-such-room``, ``not-in-room``, ``wrong-join-id``.
        """
        place = self._places.get(ref)
        if place is not None:
            return self, place
        other, room = self._desk.joined.get(join_id, (None, None))
        if other is not None and room is not None and room.number == ref:
            session = other.session
            if session is not None and session.person.name.key == fold(_joined_up(nick)):
                return other, other._places[ref]
            sentence = "That JOIN_ID and CLIENT_NAME do not belong together."
            raise Refused("wrong-join-id", sentence)
        if not 1 <= ref <= self.host.chat.rooms_made:
            raise Refused("no-such-room", f"There is no room with ROOM_REF {ref}.")
        raise Refused("not-in-room", "You are not in that room.")

    def _leave(self, request: tcd.Leave) -> None:
        whose, place = self._whose(request.ref, request.join_id, request.nick)
        session = whose.session
        assert session is not None  # who has a place has come in
        room, person = place.room, session.person
        if person in room.members:
            room.audience.catch_up(session)
        self.write(tcd.left(request.ref, request.join_id))
        if person in room.members:
            self.host.chat.part(person, room, "", self.host.now())
            text = f"{person.nick} has left this chatroom."
            whose.write(tcd.chat(room.number, person.nick, text))
        place.left = True

    def _say(self, request: tcd.Say) -> None:
        whose, place = self._whose(request.ref, request.join_id, request.nick)
        session = whose.session
        assert session is not None  # who has a place has come in
        text = "\n".join(request.lines)
        say(self.host.chat, session, text, self.host.now(), room=place.room)

    def _disconnect(self) -> None:
        session = self.session
        if session is not None:
            nick = session.person.nick
            session.catch_up()
            for number in sorted(room.number for room in session.person.rooms.values()):
                self.write(tcd.chat(number, nick, f"{nick} has left this chatroom."))
            self.host.chat.leave(session, "", self.host.now())
        self.close()
