"""JSON way in: for programs that speak JSON, the first clients and bots (version 2).

docs/protocol.rst, "The JSON protocol".  The first object identifies the client; the others are
requests and are answered.  "sender" is checked, not trusted.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial

from chatd.chat.actions.direct_messages import send
from chatd.chat.actions.login import end_if_outdated
from chatd.chat.actions.messages import say
from chatd.chat.actions.moderation.room_settings import set_topic
from chatd.chat.entry.entrance import Visitor
from chatd.chat.events import Refused
from chatd.chat.limits import HISTORY_SHOWN, HISTORY_SHOWN_AT_MOST, LISTED
from chatd.chat.model import rules
from chatd.chat.model.entities import Room, Session
from chatd.chat.model.preferences import Preferences
from chatd.chat.ratelimit.line_budget import Standing
from chatd.chat.ratelimit.reports import TurnedAway
from chatd.chat.records.accounts import Account
from chatd.chat.records.server_access import FINAL_REFUSALS
from chatd.chat.text import names
from chatd.cluster.bus import State
from chatd.transport.channel import Connection
from chatd.transport.conversation.arrival import Arrival
from chatd.transport.conversation.connection import ProgramProtocol
from chatd.transport.conversation.conversation import Conversation
from chatd.transport.conversation.program import ProgramConversation
from chatd.transport.host import Host, Relay
from chatd.transport.net.paced import PacedOutbox
from chatd.transport.relay.edge import Edge, EdgeClient
from chatd.transport.relay.remote_channel import RemoteChannel
from chatd.transport.relay.stream import Stream
from chatd.wire.json import requests
from chatd.wire.json.codec import TOO_MUCH_REFUSED, JsonCodec, encode
from chatd.wire.json.events import EventStyle, Fields, entry_fields
from chatd.wire.json.messages import MessageStyle, error_fields
from chatd.wire.json.objects import BadObject, Object
from chatd.wire.json.requests import ErrorCode

#: The version in which events are typed and requests have answers.
BOT = 2

#: Seconds between two writes to the first clients, which take one packet for one object: longer
#: than a client on a busy machine takes to read a packet.
WRITE_SECONDS = 0.06

#: The name, between servers, of the program that runs a relayed connection.
PROGRAM = "json"
#: The name of this way in, in the log.
WAY = "json"

#: The answer of a full server.
FULL_ANSWER = encode({"isConnected": False, "errorCode": int(ErrorCode.FULL)})


def turned_away(sentence: str) -> bytes:
    """Return the answer to a client that is not admitted, with the reason."""
    code = int(ErrorCode.NOT_ALLOWED)
    return encode({"isConnected": False, "errorCode": code, "error": sentence})


#: The error code of each refusal of the chat, by its code word.
_ERRORS = {
    "bad-nick": ErrorCode.NOT_A_NAME,
    "bad-room": ErrorCode.NOT_A_NAME,
    "nick-taken": ErrorCode.TAKEN,
    "nobody": ErrorCode.NOBODY,
    "no-such-room": ErrorCode.NO_SUCH_ROOM,
    "no-room": ErrorCode.NOT_IN_ROOM,
    "not-in-room": ErrorCode.NOT_IN_ROOM,
    "slow": ErrorCode.TOO_FAST,
    "too-fast": ErrorCode.TOO_FAST,
    "busy": ErrorCode.TOO_FAST,
    "wrong-password": ErrorCode.WRONG_PASSWORD,
    "private": ErrorCode.NOT_ALLOWED,
    "muted": ErrorCode.NOT_ALLOWED,
    "banned": ErrorCode.NOT_ALLOWED,
    "key-needed": ErrorCode.NOT_ALLOWED,
    "wrong-key": ErrorCode.NOT_ALLOWED,
    "not-invited": ErrorCode.NOT_ALLOWED,
    "locked": ErrorCode.NOT_ALLOWED,
    "not-moderator": ErrorCode.NOT_ALLOWED,
}


class _RemoteDoor:
    """The gate's interface for a relayed connection, whose real gate is at its edge."""

    def pause(self) -> None:
        """Do nothing: the stream is paused."""

    def resume(self) -> None:
        """Do nothing: the stream is resumed."""

    def reached(self) -> tuple[str, int]:
        """Return an empty address: it is unknown here."""
        return "", 0

    def become(self, name: str, conversation: Conversation, data: bytes) -> None:
        """Do nothing: a program's connection has no other way in."""

    def admit(self, standing: Standing) -> str | None:
        """Return None: the client has already been admitted."""
        return None


def register_relay(host: Host) -> None:
    """Let other servers relay their connections to this way in."""

    def start(stream: Stream, visitor: Visitor, how: State) -> None:
        here = replace(host, relay=None)  # a relayed connection is not relayed again
        arrival, channel = Arrival(visitor.address, _RemoteDoor()), RemoteChannel(stream)
        channel.pass_to(JsonConversation(here, arrival, channel, visitor.account))

    if host.relay is not None:
        host.relay.programs[PROGRAM] = start


class JsonProtocol(ProgramProtocol):
    """A connection of a program that speaks JSON."""

    def __init__(self, host: Host, arrival: Arrival) -> None:
        super().__init__(host.clock, arrival.door, partial(JsonConversation, host, arrival))


class JsonConversation(ProgramConversation[Object | BadObject]):
    """A client of either version; its first object names the version.

    ``proved`` is the account that the client has proved to its edge, if it is relayed.
    """

    def __init__(
        self, host: Host, arrival: Arrival, connection: Connection, proved: str = ""
    ) -> None:
        super().__init__(host, arrival, connection)
        self._codec = JsonCodec()
        self._paced = PacedOutbox(self.outbox, host.clock, WRITE_SECONDS, super().ready)
        self.outbox = self._paced
        self._version = 1
        self._proved = proved

    def read(self, data: bytes) -> list[Object | BadObject]:
        """Return the objects that these bytes complete."""
        return self._codec.receive_data(data)

    # Client ---------------------------------------------------------------------------------------

    @property
    def echoes_input(self) -> bool:
        """True: a client does not receive its own messages; their answers confirm them."""
        return True

    @property
    def copy_per_room(self) -> bool:
        """Whether it is a bot, which keeps track of rooms; the first clients are for people."""
        return self._version == BOT

    @property
    def closes_on_gap(self) -> bool:
        """Whether it is a bot, which reconnects and requests the missed events."""
        return self._version == BOT

    def ready(self) -> None:
        """Continue: the connection has room again."""
        if self.outbox is self._paced:
            self._paced.ready()
        else:
            super().ready()

    def style(self, preferences: Preferences) -> EventStyle | MessageStyle:
        """Return the style: typed events, or messages."""
        return EventStyle() if self._version == BOT else MessageStyle()

    # Requests -------------------------------------------------------------------------------------

    def _answer(self, given: requests.Id, **fields: object) -> None:
        answer: Fields = {"ok": True, **({} if given is None else {"id": given}), **fields}
        self.write(encode(answer))

    def _error(self, code: ErrorCode, sentence: str, given: requests.Id = None) -> None:
        answer: Fields = {"error": sentence, "errorCode": int(code)}
        if self._version != BOT:
            answer |= error_fields(sentence)
        self.write(encode(answer if given is None else {**answer, "id": given}))

    def refuse(self, request: Object | BadObject, refused: Refused) -> None:
        """Answer a request that the chat refuses."""
        code = _ERRORS.get(refused.code, ErrorCode.REFUSED)
        if self.session is None and refused.code in FINAL_REFUSALS:
            self.write(turned_away(refused.sentence))
            self.close()
            return
        if self.session is None:
            answer: Fields = {"isConnected": False, "errorCode": int(code)}
            if self._version == BOT:
                answer["error"] = refused.sentence
            self.write(encode(answer))
            return
        asked = requests.request_from(request.fields) if isinstance(request, Object) else None
        self._error(code, refused.sentence, getattr(asked, "id", None))

    async def serve(self, request: Object | BadObject) -> None:
        """Carry out the request of an object."""
        if isinstance(request, BadObject):
            self._error(ErrorCode.BROKEN, request.sentence)
            if request is TOO_MUCH_REFUSED:
                address = self.arrival.address
                self.host.chat.report(TurnedAway(address, "json", "too-much-broken-json"))
                self.close()
            return
        asked = requests.request_from(request.fields)
        session = self.session
        match asked:
            case requests.BadRequest(code=code) if session is None and "username" in request.fields:
                self.write(encode({"isConnected": False, "errorCode": int(code)}))
            case requests.BadRequest(sentence=sentence, code=code, id=given):
                self._error(code, sentence, given)
            case requests.Username():
                await self._enter(asked)
            case requests.DisconnectRequest():
                self._disconnect()
            case requests.Ping(value=value, id=given):
                self._answer(given, pong=value)
            case _ if session is None:
                self._error(ErrorCode.OUT_OF_TURN, "Say who you are first: a username.")
            case requests.Say(message=text, sender=sender, dm=dm):
                await self._say(session, text, sender, dm, None, None)
            case requests.SayIn(message=text, sender=sender, dm=dm, room=room, id=given):
                await self._say(session, text, sender, dm, room, given)
            case requests.Join(room=room, key=key, id=given):
                joined = await self.host.chat.join(session, room, self.host.now(), key)
                self._answer(given, room=joined.name.shown, topic=joined.settings.topic)
            case requests.Leave(room=room, id=given):
                where = self.host.chat.find_room(room, session)
                self.host.chat.part(session.person, where, "", self.host.now())
                self._answer(given, room=where.name.shown)
            case requests.History():
                await self._history(session, asked)
            case requests.Users(room=room, id=given):
                where = self.host.chat.find_room(room, session)
                count, users = len(where.members), _users(where, self.host.now())
                self._answer(given, room=where.name.shown, count=count, users=users)
            case requests.Topic(room=room, topic=topic, id=given):
                where = self._room(session, room)

                def acknowledge(outcome: int | Refused) -> None:
                    if isinstance(outcome, Refused):
                        self._error(ErrorCode.REFUSED, outcome.sentence, given)
                    else:
                        self._answer(given, room=where.name.shown)

                now = self.host.now()
                await set_topic(self.host.chat, session, where, topic, now, acknowledge)

    def _room(self, session: Session, room: str | None) -> Room:
        return self.host.chat.find_room(room, session) if room else session.room()

    async def _enter(self, who: requests.Username) -> None:
        if self.session is not None:
            self._error(ErrorCode.OUT_OF_TURN, f"You are {self.session.person.nick} already.")
            return
        host, now = self.host, self.host.now()
        self._version = version = who.version
        self.outbox = self._paced.release() if version == BOT else self._paced
        nick, address, account = who.username, self.arrival.address, self._proved
        proved: Account | None = None
        if who.password is not None:
            proved = await host.chat.authentication.authenticate(
                nick, who.password, address, now, way=WAY
            )
            account = proved.name.key
        visitor = Visitor(nick, address, account=account, way=WAY)
        if host.relay is not None:
            visitor = replace(visitor, relay_to=partial(self._relay, host.relay, visitor, who))
        session, _ = await host.chat.enter(visitor, self, now, exactly=True)
        if self.closed:
            host.chat.leave(session, "", now)
            return
        self.session = session
        if proved is not None:
            end_if_outdated(host.chat, session, proved, now)
        entered: Fields = {"isConnected": True, "errorCode": int(ErrorCode.NONE)}
        lobby = host.chat.lobby
        with suppress(Refused):  # it may be private now
            await host.chat.join(session, lobby.name.shown, now)
        if version == BOT:
            entered["room"] = session.focus.name.shown if session.focus else None
        self.write(encode(entered))

    async def _relay(
        self, relay: Relay, visitor: Visitor, who: requests.Username, server: str, account: str
    ) -> bool:
        """Let a server run this for the owner of an account; return whether it does so."""
        begun = self.session is not None  # the program would have to start over
        stream = None if begun else await relay.open(server, visitor, PROGRAM, {})
        if stream is None:
            return False
        if self.closed:
            stream.give_up()
            return True
        client = EdgeClient(
            self.outbox,
            self.set_reading,
            come_back=lambda *_: self.outbox.close(),
            disconnect=lambda sentence: self.outbox.close(),
            finish=lambda status: self.outbox.close(),
            lost=self.lost,
        )
        edge = Edge(stream, client)
        self.connection.pass_to(edge)
        edge.begin(typed=self._unserved(who), input_ended=self._input_ended)
        return True

    def _unserved(self, who: requests.Username) -> bytes:
        """Return the first object, without its password, and everything after it."""
        first = Object({"username": who.username, "version": who.version})
        objects = b""
        for request in (first, *self.take_pending()):
            if isinstance(request, Object):
                objects += encode(request.fields)
            else:
                self._error(ErrorCode.BROKEN, request.sentence)
        return objects + self._codec.unfinished

    def _disconnect(self) -> None:
        if self.session is not None:
            self.session.catch_up()
        self.write(encode({"disconnect": True}))
        if self.session is not None:
            self.host.chat.leave(self.session, "", self.host.now())
        self.close()

    async def _say(
        self,
        session: Session,
        text: str,
        sender: str | None,
        dm: str | None,
        room: str | None,
        given: requests.Id,
    ) -> None:
        # The first clients may send a name that they no longer have; a bot is told of its mistake.
        if self._version != BOT:
            sender = None
        if sender is not None and names.existing(sender).key != session.person.name.key:
            self._error(ErrorCode.NOT_YOU, f"You are {session.person.nick}, not {sender}.", given)
            return
        now = self.host.now()
        if dm is not None:
            awaited = send(self.host.chat, session, dm, text, now)
            if awaited is not None:
                await awaited
            if given is not None:
                self._answer(given)
            return

        def acknowledge(outcome: int | Refused) -> None:
            if isinstance(outcome, Refused):
                self._error(ErrorCode.REFUSED, outcome.sentence, given)
            elif given is not None:
                self._answer(given, seq=outcome)

        where = self._room(session, room)
        say(self.host.chat, session, text, now, room=where, acknowledge=acknowledge)

    async def _history(self, session: Session, asked: requests.History) -> None:
        where = self.host.chat.find_room(asked.room, session)
        rules.check_membership(where, session.person)
        count = HISTORY_SHOWN if asked.count is None else asked.count
        count = max(1, min(count, HISTORY_SHOWN_AT_MOST))
        history = self.host.chat.history
        if asked.after is None:
            entries = await history.last(where, count)
        else:
            entries = await history.after(where, asked.after, count)
        wanted = [entry_fields(entry) for entry in entries if session.wants(entry)]
        self._answer(asked.id, room=where.name.shown, events=wanted)


def _users(room: Room, now: float) -> list[Fields]:
    """Return the first members of a room, with the fields that others may see."""
    return [
        {
            "nick": person.nick,
            "role": room.role_of(person).value,
            "away": person.away,
            "muted": rules.mute_of(room, person, now) is not None,
        }
        for person in list(room.members)[:LISTED]
    ]
