"""The way in for clients of the socket assignment: many rooms on one connection, by header lines.

docs/protocol.rst, "The socket assignment's protocol".  The connection is the identity; its JOIN_IDs
are unguessable, so that one may be used from another connection.  The rooms and the people are
those of everyone else.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.chat import names
from chatd.chat.chat import Visitor
from chatd.chat.events import Refused
from chatd.chat.limits import ROOMS_PER_PERSON
from chatd.chat.pace import Pace
from chatd.chat.preferences import Preferences
from chatd.chat.room import Room
from chatd.chat.session import Session
from chatd.transport.host import Arrival, Host
from chatd.transport.outbox import Outbox, outbox_for, stream
from chatd.wire import tcd
from chatd.wire.tcd_events import TcdStyle

#: Seconds of silence after which a complete set of fields counts although its end is missing.
SILENCE_SECONDS = 0.3
#: Requests that wait for their turn; beyond it nothing more is read.
REQUESTS = 500

#: Rooms that a connection is in or was in; one may be in fewer than half as many.
PLACES = 2 * ROOMS_PER_PERSON + 1

#: What the chat declines, by its code word.
_ERRORS = {
    "bad-nick": tcd.ErrorCode.BAD_NAME,
    "bad-room": tcd.ErrorCode.BAD_ROOM,
    "nick-taken": tcd.ErrorCode.NAME_TAKEN,
    "not-in-room": tcd.ErrorCode.NOT_IN_ROOM,
    "private": tcd.ErrorCode.NOT_ALLOWED,
    "muted": tcd.ErrorCode.NOT_ALLOWED,
    "slow": tcd.ErrorCode.TOO_FAST,
}


@dataclass(slots=True)
class Desk:
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


@implementer(IHalfCloseableProtocol)
class TcdProtocol(Protocol):
    """One connection; it is the chat's reader as well (`chatd.chat.session.Reader`)."""

    _log = Logger()

    def __init__(self, host: Host, arrival: Arrival, desk: Desk) -> None:
        self._host = host
        self._arrival = arrival
        self._desk = desk
        self._codec = tcd.TcdCodec()
        self._requests: deque[tcd.Request | tcd.Bad] = deque()
        self._places: dict[int, _Place] = {}
        self._session: Session | None = None
        self._working = False
        self._paused = False
        self._ending = False
        self._over = False
        self._silence: IDelayedCall | None = None
        self._later: IDelayedCall | None = None
        self._pace = Pace(host.flood, host.clock.seconds()) if host.flood else None
        self._style = TcdStyle(self._ref_of, self._private_ref)

    # Reader ---------------------------------------------------------------------------------------

    @property
    def send(self) -> Callable[[bytes], int]:
        """The connection's own."""
        return self._outbox.send

    @property
    def sees_own(self) -> bool:
        """One is sent one's own CHATs, as everybody is."""
        return False

    @property
    def each_room(self) -> bool:
        """What happens in several rooms is a CHAT in each."""
        return True

    @property
    def full(self) -> bool:
        """Whether the connection takes nothing now."""
        return self._over or self._outbox.full

    @property
    def pending(self) -> int:
        """Bytes that wait for the connection."""
        return self._outbox.pending

    def style(self, preferences: Preferences) -> TcdStyle:
        """CHATs; there is nothing to prefer."""
        return self._style

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep what ``send`` did not take."""
        self._outbox.stalled(data, taken)

    def write(self, data: bytes) -> None:
        """Send in any case."""
        if data and not self._over:
            self._outbox.write(data)
            if self._outbox.full and self._session is not None:
                self._session.hold()

    def close(self) -> None:
        """Send what is pending and end the connection."""
        self._over = True
        self._requests.clear()
        self._outbox.close()

    def broken(self, bug: Exception) -> None:
        """A bug of ours came up: log it and end this connection."""
        self._log.failure("a request failed", failure=Failure(bug))
        self._outbox.abort()

    def _ref_of(self, room: str) -> int:
        found = self._host.chat.rooms.get(names.room(room).key)
        return found.number if found is not None else 0

    def _private_ref(self, sender: str) -> int:
        """A room that one shares with somebody, or any of one's own."""
        if self._session is None:
            return 0
        other = self._host.chat.people.find(sender)
        mine = self._session.person.rooms.values()
        shared = [room.number for room in mine if other is not None and other in room.members]
        return next(iter(shared), next((room.number for room in mine), 0))

    # Bytes ----------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Somebody is there; they speak first."""
        assert self.transport is not None  # Twisted's promise
        self._outbox: Outbox = outbox_for(self.transport, self._host.clock, self._ready)

    def _ready(self) -> None:
        if self._session is not None:
            self._session.resume()
        self._go_on()

    def dataReceived(self, data: bytes) -> None:
        """Bytes came: take the requests that they complete."""
        if self._over:
            return
        self._stop(self._silence)
        self._requests += self._codec.receive_data(data)
        self._go_on()
        if self._codec.pending and not self._over:
            self._silence = self._host.clock.callLater(SILENCE_SECONDS, self._finish)
        if len(self._requests) > REQUESTS and not self._paused:
            self._paused = True
            stream(self.transport).pauseProducing()

    def _finish(self) -> None:
        self._requests += self._codec.finish()
        self._go_on()

    def readConnectionLost(self) -> None:
        """Nothing more will come: do what waits, then part."""
        self._stop(self._silence)
        self._ending = True
        self._finish()

    def writeConnectionLost(self) -> None:
        """We never close one direction only."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self._over = True
        self._requests.clear()
        self._stop(self._silence)
        self._stop(self._later)
        self._outbox.forget()
        for place in self._places.values():
            self._desk.joined.pop(place.join_id, None)
        if self._session is not None:
            self._host.chat.leave(self._session, "", self._host.now())

    def _stop(self, call: IDelayedCall | None) -> None:
        if call is not None and call.active():
            call.cancel()

    # Requests -------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        if not self._working:
            self._working = True
            Deferred.fromCoroutine(self._work()).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        self._log.failure("a request failed", failure=failure)
        self._outbox.abort()

    async def _work(self) -> None:
        """Do the requests that may be done now."""
        while self._requests and not (self._over or self._outbox.full or self._later):
            wait = self._pace.wait(self._host.clock.seconds()) if self._pace else 0.0
            if wait:
                self._later = self._host.clock.callLater(wait, self._waited)
                break
            try:
                await self._serve(self._requests.popleft())
            except Refused as refused:
                code = _ERRORS.get(refused.code, tcd.ErrorCode.REFUSED)
                self.write(tcd.error(code, refused.sentence))
        self._working = False
        if self._requests or self._over:
            return
        if self._paused:
            self._paused = False
            stream(self.transport).resumeProducing()
        if self._ending and not self._outbox.full:
            self.close()

    def _waited(self) -> None:
        self._later = None
        self._go_on()

    async def _serve(self, request: tcd.Request | tcd.Bad) -> None:
        match request:
            case tcd.Bad(code=code, sentence=sentence):
                self.write(tcd.error(code, sentence))
            case tcd.Helo(text=text):
                host, port = self._arrival.reached
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
            self._log.info("{address} sent KILL_SERVICE", address=self._arrival.address)
            self._desk.kill()

    async def _join(self, room: str, nick: str) -> None:
        host, now = self._host, self._host.now()
        if self._session is None:
            visitor = Visitor(nick, self._arrival.address)
            session, _ = await host.chat.enter(visitor, self, now, exactly=True)
            if self._over:
                host.chat.leave(session, "", now)
                return
            self._session = session
        session = self._session
        if names.nick(nick).key != session.person.name.key:
            raise Refused("nick-taken", f"This connection is {session.person.nick}.")
        key = names.room(room).key
        before = session.person.rooms.get(key)
        where = host.chat.join(session, room, now)
        place = self._place(where)
        address, port = self._arrival.reached
        self.write(tcd.joined(where.name.shown, address, port, where.number, place.join_id))
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

        :raises Refused: ``no-such-room``, ``not-in-room``.
        """
        place = self._places.get(ref)
        if place is not None:
            return self, place
        other, room = self._desk.joined.get(join_id, (None, None))
        if other is not None and room is not None and room.number == ref:
            session = other._session
            if session is not None and session.person.name.key == nick.lower():
                return other, other._places[ref]
        if not any(room.number == ref for room in self._host.chat.rooms.values()):
            raise Refused("no-such-room", f"There is no room with ROOM_REF {ref}.")
        raise Refused("not-in-room", "That JOIN_ID and CLIENT_NAME are not in this room.")

    def _leave(self, request: tcd.Leave) -> None:
        whose, place = self._whose(request.ref, request.join_id, request.nick)
        session = whose._session
        assert session is not None  # who has a place has come in
        room, person = place.room, session.person
        self.write(tcd.left(request.ref, request.join_id))
        if person in room.members:
            self._host.chat.part(person, room, "", self._host.now())
            text = f"{person.nick} has left this chatroom."
            whose.write(tcd.chat(room.number, person.nick, text))
        place.left = True

    def _say(self, request: tcd.Say) -> None:
        whose, place = self._whose(request.ref, request.join_id, request.nick)
        session = whose._session
        assert session is not None  # who has a place has come in
        text = "\n".join(request.lines)
        self._host.chat.say(session, text, self._host.now(), room=place.room)

    def _disconnect(self) -> None:
        session = self._session
        if session is not None:
            nick = session.person.nick
            for room in session.person.rooms.values():
                room.audience.catch_up(session)
            for number in sorted(room.number for room in session.person.rooms.values()):
                self.write(tcd.chat(number, nick, f"{nick} has left this chatroom."))
            self._host.chat.leave(session, "", self._host.now())
        self.close()
