"""TCD way in: for clients of the socket assignment, many rooms on one connection, by header lines.

docs/protocol.rst, "The socket assignment's protocol".  The connection is the identity; its JOIN_IDs
are unguessable, so one may be used from another connection.  Rooms and people are shared with all
ways in.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from twisted.logger import Logger

from chatd.chat.actions.messages import say
from chatd.chat.entry.entrance import Visitor
from chatd.chat.events import Refused
from chatd.chat.limits import ROOMS_PER_PERSON
from chatd.chat.model.entities import Room, Session
from chatd.chat.model.preferences import Preferences
from chatd.chat.records.server_access import FINAL_REFUSALS
from chatd.chat.text import names
from chatd.chat.text.names import fold
from chatd.transport.channel import Connection
from chatd.transport.conversation.arrival import Arrival
from chatd.transport.conversation.connection import ProgramProtocol
from chatd.transport.conversation.program import ProgramConversation
from chatd.transport.host import Host
from chatd.wire.tcd import answers, requests
from chatd.wire.tcd.codec import TcdCodec
from chatd.wire.tcd.events import TcdStyle
from chatd.wire.tcd.refs import RoomRefs
from chatd.wire.tcd.requests import ErrorCode

#: The most current and past memberships that are kept for a connection; a person may be in fewer
#: than half as many rooms.
MEMBERSHIPS = 2 * ROOMS_PER_PERSON + 1

#: The largest JOIN_ID.
MOST_JOIN_ID = 2**31 - 1

#: The answer of a full server.
FULL_ANSWER = answers.error(ErrorCode.SERVER_FULL, ErrorCode.SERVER_FULL.sentence)


def turned_away(sentence: str) -> bytes:
    """Return the answer to a client that is not admitted, with the reason."""
    return answers.error(ErrorCode.NOT_ALLOWED, sentence)


#: The error code of each refusal of the chat, by its code word.
_ERRORS = {
    "bad-nick": ErrorCode.BAD_NAME,
    "bad-room": ErrorCode.BAD_ROOM,
    "nick-taken": ErrorCode.NAME_TAKEN,
    "no-such-room": ErrorCode.NO_SUCH_ROOM,
    "not-in-room": ErrorCode.NOT_IN_ROOM,
    "wrong-join-id": ErrorCode.WRONG_JOIN_ID,
    "private": ErrorCode.NOT_ALLOWED,
    "muted": ErrorCode.NOT_ALLOWED,
    "banned": ErrorCode.NOT_ALLOWED,
    "key-needed": ErrorCode.NOT_ALLOWED,
    "not-invited": ErrorCode.NOT_ALLOWED,
    "locked": ErrorCode.NOT_ALLOWED,
    "slow": ErrorCode.TOO_FAST,
}


#: Refusals whose sentence for people suggests something that this protocol cannot do.
_SENTENCES = {"key-needed": "That room needs a key, which this protocol cannot give."}


@dataclass(slots=True)
class JoinIds:
    """The table of JOIN_IDs, shared by all connections of this way in.

    ``joined`` has the conversation and the ROOM_REF of every JOIN_ID in use; ``kill`` stops the
    server where KILL_SERVICE is allowed.
    """

    student_id: str = "0"
    kill: Callable[[], None] | None = None
    joined: dict[int, tuple[TcdConversation, int]] = field(default_factory=dict)

    def new(self) -> int:
        """Return a JOIN_ID that is not in use; clients keep it in 31 bits, as Java's Integer."""
        while (join_id := secrets.randbelow(MOST_JOIN_ID) + 1) in self.joined:
            pass
        return join_id


@dataclass(slots=True)
class _Membership:
    """A room that a connection is or was in, by its folded name and its ROOM_REF.

    The room may be gone; its JOIN_ID is kept for a repeated LEAVE.
    """

    key: str
    ref: int
    join_id: int


def room_refs(host: Host) -> RoomRefs:
    """Return the ROOM_REFs of a server's rooms, of which it has one table."""
    return RoomRefs(host.chat.rooms.__contains__)


def _no_ref(sender: str) -> int:
    """Return no ROOM_REF: the connection is gone."""
    return 0


def _without_blanks(text: str) -> str:
    """Return a name with its blanks replaced; clients of this protocol ask for such names."""
    return "_".join(text.split())


class TcdProtocol(ProgramProtocol):
    """A connection of a client of the socket assignment."""

    def __init__(self, host: Host, arrival: Arrival, join_ids: JoinIds, refs: RoomRefs) -> None:
        begin = partial(TcdConversation, host, arrival, join_ids, refs)
        super().__init__(host.clock, arrival.door, begin)


class TcdConversation(ProgramConversation[requests.Request | requests.Bad]):
    """One client, with its memberships in rooms."""

    _log = Logger()

    def __init__(
        self,
        host: Host,
        arrival: Arrival,
        join_ids: JoinIds,
        refs: RoomRefs,
        connection: Connection,
    ) -> None:
        super().__init__(host, arrival, connection)
        self._join_ids = join_ids
        self._refs = refs
        self._codec = TcdCodec()
        self._memberships: dict[int, _Membership] = {}
        self._style = TcdStyle(refs.of_name, self._private_ref)

    def read(self, data: bytes) -> list[requests.Request | requests.Bad]:
        """Return the requests that these bytes complete."""
        return self._codec.receive_data(data)

    def read_end(self) -> list[requests.Request | requests.Bad]:
        """Return the request that lacks only its end."""
        return self._codec.finish()

    @property
    def unfinished(self) -> bool:
        """Whether a silence may complete a request."""
        return self._codec.pending

    def style(self, preferences: Preferences) -> TcdStyle:
        """Return the style of CHATs; preferences have no effect on it."""
        return self._style

    def _private_ref(self, sender: str) -> int:
        """Return the ROOM_REF of a room shared with a sender, or of any room of this connection."""
        if self.session is None:
            return 0
        other = self.host.chat.people.find(sender)
        mine = self.session.person.rooms.values()
        shared = [room for room in mine if other is not None and other in room.members]
        shown_in = next(iter(shared or mine), None)
        return self._refs.of(shown_in.name.key) if shown_in is not None else 0

    def connection_lost(self) -> None:
        """Forget this connection's JOIN_IDs."""
        for membership in self._memberships.values():
            self._join_ids.joined.pop(membership.join_id, None)
        self._style = TcdStyle(self._refs.of_name, _no_ref)

    def refuse(self, request: requests.Request | requests.Bad, refused: Refused) -> None:
        """Answer a request that the chat refuses."""
        code = _ERRORS.get(refused.code, ErrorCode.REFUSED)
        self.write(answers.error(code, _SENTENCES.get(refused.code, refused.sentence)))
        if self.session is None and refused.code in FINAL_REFUSALS:
            self.close()

    async def serve(self, request: requests.Request | requests.Bad) -> None:
        """Carry out a request."""
        match request:
            case requests.Bad(code=code, sentence=sentence):
                self.write(answers.error(code, sentence))
            case requests.Helo(text=text):
                host, port = self.arrival.door.reached()
                self.write(answers.helo(text, host, port, self._join_ids.student_id))
            case requests.KillService():
                self._kill()
            case requests.Join(room=room, nick=nick):
                await self._join(room, nick)
            case requests.Leave():
                self._leave(request)
            case requests.Say():
                self._say(request)
            case requests.Disconnect():
                self._disconnect()

    def _kill(self) -> None:
        if self._join_ids.kill is None:
            self.write(answers.error(ErrorCode.NOT_ALLOWED, "This server is not stopped that way."))
        else:
            self._log.info("{address} sent KILL_SERVICE", address=self.arrival.address)
            self._join_ids.kill()

    async def _join(self, asked: str, client_name: str) -> None:
        host, now = self.host, self.host.now()
        room, nick = _without_blanks(asked), _without_blanks(client_name)
        newcomer = self.session is None
        if self.session is None:
            visitor = Visitor(nick, self.arrival.address, way="tcd")
            session, _ = await host.chat.enter(visitor, self, now, exactly=True)
            if self.closed:
                host.chat.leave(session, "", now)
                return
            self.session = session
        session = self.session
        try:
            await self._join_as(session, nick, room, asked, now)
        except Refused:
            if newcomer:  # the nick is that of the first successful JOIN
                self.session = None
                host.chat.leave(session, "", now)
            raise

    async def _join_as(
        self, session: Session, nick: str, room: str, asked: str, now: float
    ) -> None:
        host = self.host
        if names.existing(nick).key != session.person.name.key:
            raise Refused("nick-taken", f"This connection is {session.person.nick}.")
        key = names.room(room).key
        before = session.person.rooms.get(key)
        where = await host.chat.join(session, room, now)
        if self.closed:
            return
        membership = self._membership_in(where)
        address, port = self.arrival.door.reached()
        self.write(answers.joined(asked, address, port, membership.ref, membership.join_id))
        if before is None:
            text = f"{session.person.nick} has joined this chatroom."
            self.write(answers.chat(membership.ref, session.person.nick, text))

    def membership(self, ref: int) -> _Membership | None:
        """Return the membership in the room with this ROOM_REF; None: this connection has none."""
        return self._memberships.get(ref)

    def _membership_in(self, room: Room) -> _Membership:
        """Return the membership in a room that was just joined."""
        ref = self._refs.joined(room.name.key)
        membership = self.membership(ref)
        if membership is None:
            self._forget_memberships()
            join_id = self._join_ids.new()
            membership = self._memberships[ref] = _Membership(room.name.key, ref, join_id)
            self._join_ids.joined[join_id] = (self, ref)
        return membership

    def joined_room(self, membership: _Membership) -> Room | None:
        """Return the room of a membership, if this connection is still in it."""
        room = self.host.chat.rooms.get(membership.key)
        if room is None or self.session is None:
            return None
        return room if self.session.person in room.members else None

    def _forget_memberships(self) -> None:
        """Forget rooms that were left long ago: a repeated LEAVE is no longer answered."""
        for number, membership in list(self._memberships.items()):
            if len(self._memberships) < MEMBERSHIPS:
                return
            if self.joined_room(membership) is None:
                del self._memberships[number]
                self._join_ids.joined.pop(membership.join_id, None)

    def _find(
        self, asked: int | str, join_id: int | None, nick: str
    ) -> tuple[TcdConversation, _Membership]:
        """Return the connection that a request speaks for, and its membership in the room.

        The connection is the identity: for its own rooms any JOIN_ID is as good, and so is the name
        of a room in place of its ROOM_REF.

        :raises Refused: ``no-such-room``, ``not-in-room``, ``wrong-join-id``.
        """
        ref = asked if isinstance(asked, int) else self._refs.of_name(_without_blanks(asked))
        membership = self.membership(ref)
        if membership is not None:
            return self, membership
        other, joined = self._join_ids.joined.get(join_id or 0, (None, 0))
        if other is not None and joined == ref:
            session = other.session
            if session is not None and session.person.name.key == fold(_without_blanks(nick)):
                membership = other.membership(ref)
                assert membership is not None  # it is in the table of JOIN_IDs
                return other, membership
            sentence = "That JOIN_ID and CLIENT_NAME do not belong together."
            raise Refused("wrong-join-id", sentence)
        if not self._refs.was_given(ref):
            raise Refused("no-such-room", f"There is no room with ROOM_REF {asked}.")
        raise Refused("not-in-room", "You are not in that room.")

    def _leave(self, request: requests.Leave) -> None:
        speaker, membership = self._find(request.ref, request.join_id, request.nick)
        session = speaker.session
        assert session is not None  # a connection with a membership has entered
        room, person = speaker.joined_room(membership), session.person
        if room is not None:
            room.audience.catch_up(session)
        join_id = membership.join_id if request.join_id is None else request.join_id
        self.write(answers.left(membership.ref, join_id))
        if room is not None:
            self.host.chat.part(person, room, "", self.host.now())
            text = f"{person.nick} has left this chatroom."
            speaker.write(answers.chat(membership.ref, person.nick, text))

    def _say(self, request: requests.Say) -> None:
        speaker, membership = self._find(request.ref, request.join_id, request.nick)
        session = speaker.session
        assert session is not None  # a connection with a membership has entered
        room = speaker.joined_room(membership)
        if room is None:
            raise Refused("not-in-room", "You are not in that room.")
        say(self.host.chat, session, "\n".join(request.lines), self.host.now(), room=room)

    def _disconnect(self) -> None:
        session = self.session
        if session is not None:
            nick = session.person.nick
            session.catch_up()
            for ref in sorted(map(self._refs.of, session.person.rooms)):
                self.write(answers.chat(ref, nick, f"{nick} has left this chatroom."))
            self.host.chat.leave(session, "", self.host.now())
        self.close()
