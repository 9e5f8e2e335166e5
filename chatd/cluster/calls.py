"""Remote calls on the bus: sending them to the server where a person is, and receiving them.

Words and the order of their values are a protocol between servers of several versions: an unknown
call comes from a newer server and is ignored, and so are extra values.  A call for a person who has
moved to a third server meanwhile is forwarded to it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from chatd.chat.chat import Chat
from chatd.chat.events import Refused
from chatd.chat.model.entities import Person
from chatd.chat.peers import (
    Announce,
    CloseRoom,
    Disconnect,
    EndSessions,
    Invite,
    Kick,
    LastActive,
    Notify,
    RemoteCall,
    Rename,
    SendDirect,
    SetRole,
)
from chatd.cluster import handlers
from chatd.cluster.bus import State
from chatd.cluster.replication.local import LocalPeople
from chatd.cluster.replication.outgoing import Outgoing
from chatd.cluster.replication.remote import RemotePeople
from chatd.cluster.replication.room_state import role_of


class Word(StrEnum):
    """The words for calls on the bus: older than the calls' names, and part of the protocol."""

    KICK = "kick"
    INVITE = "invite"
    NOTICE = "notice"
    DISCONNECT = "disconnect"
    ROLE = "role"

    ANNOUNCE = "announce"
    CLOSE = "close"

    WHISPER = "whisper"
    RENAME = "rename"
    SEEN = "seen"
    END = "end"


def encode(call: RemoteCall) -> tuple[Word, list[Any]]:
    """Return the word for a call and its values, in their order on the bus."""
    match call:
        case Kick():
            return Word.KICK, [call.room, call.reason, call.time, call.ban]
        case Invite():
            return Word.INVITE, [call.time, call.room]
        case Notify():
            return Word.NOTICE, [call.text]
        case Disconnect():
            return Word.DISCONNECT, [call.reason, call.time]
        case SetRole():
            return Word.ROLE, [call.room, call.role.value]
        case Announce():
            return Word.ANNOUNCE, [call.time, call.text]
        case CloseRoom():
            return Word.CLOSE, [call.room, call.reason, call.time]
        case SendDirect():
            return Word.WHISPER, [call.time, call.text]
        case Rename():
            return Word.RENAME, [call.nick, call.time]
        case LastActive():
            return Word.SEEN, []
        case EndSessions():
            return Word.END, [call.account, call.proof, call.sentence, call.time]


def decode(word: str, values: list[Any]) -> RemoteCall | None:
    """Return the call for a word and its values; None for one that is not known here."""
    match word, values:
        case Word.KICK, [room, reason, time, ban, *_]:
            return Kick(room, reason, time, tuple(ban) if ban else None)
        case Word.INVITE, [time, room, *_]:
            return Invite(time, room)
        case Word.NOTICE, [text, *_]:
            return Notify(text)
        case Word.DISCONNECT, [reason, time, *_]:
            return Disconnect(reason, time)
        case Word.ROLE, [room, role, *_]:
            return SetRole(room, role_of(role))
        case Word.ANNOUNCE, [time, text, *_]:
            return Announce(time, text)
        case Word.CLOSE, [room, reason, time, *_]:
            return CloseRoom(room, reason, time)
        case Word.WHISPER, [time, text, *_]:
            return SendDirect(time, text)
        case Word.RENAME, [nick, time, *_]:
            return Rename(nick, time)
        case Word.SEEN, _:
            return LastActive()
        case Word.END, [account, proof, sentence, time, *_]:
            return EndSessions(account, proof, sentence, time)
        case _:
            return None


class _Refusal(NamedTuple):
    """A refusal, as it is encoded in an answer."""

    code: str
    sentence: str


class Calls:
    """Sends calls to other servers, and dispatches incoming calls."""

    def __init__(
        self, chat: Chat, outgoing: Outgoing, local: LocalPeople, remote: RemotePeople
    ) -> None:
        self._chat = chat
        self._outgoing = outgoing
        self._local = local
        self._remote = remote

    # Calling --------------------------------------------------------------------------------------

    def send(self, person: Person, by: Person | None, call: RemoteCall) -> None:
        """Send a one-way call to a remote person's server on behalf of ``by``."""
        self._outgoing.send(person.server, self._message(person, by, call))

    def broadcast(self, by: Person, call: RemoteCall) -> None:
        """Send a call to every other server on behalf of ``by``."""
        self._outgoing.broadcast(self._message(None, by, call))

    async def request(self, person: Person, by: Person, call: RemoteCall) -> State:
        """Send a call to a remote person's server, and return its answer.

        :raises Refused: the other server's refusal, ``nobody`` or ``away``.
        """
        message = self._message(person, by, call)
        try:
            answer = await self._outgoing.request(person.server, message)
            if "moved" in answer:
                server, message["key"] = answer["moved"]
                answer = await self._outgoing.request(server, message)
        except Refused as refused:
            if refused.code != "gone":
                raise
            raise Refused("away", f"The server of {person.nick} is gone; try again soon.") from None
        if "refused" in answer:
            refusal = _Refusal(*answer["refused"][:2])
            raise Refused(refusal.code, refusal.sentence)
        if not answer.get("done"):
            raise Refused("nobody", f"{person.nick} is gone.")
        return answer

    def _message(self, person: Person | None, by: Person | None, call: RemoteCall) -> State:
        word, values = encode(call)
        return {
            "errand": word,
            "to": self._remote.number_of(person) if person is not None else None,
            "by": self._outgoing.introduce(by) if by is not None else None,
            "with": values,
        }

    # Being called ---------------------------------------------------------------------------------

    def receive(self, server: str, message: State) -> None:
        """Carry out a call from another server, or forward it to where the person is now."""
        by = self._remote.person_of(message.get("sender", server), message.get("by"))
        call = decode(message["errand"], message["with"])
        if message["to"] is None:
            if call is not None:
                handlers.handle_broadcast(self._chat, by, call)
            return
        person, moved_to = self._addressee(message), self._local.moved_to(message["to"])
        if person is not None:
            if call is not None:
                handlers.handle(self._chat, person, by, call)
        elif moved_to is not None and "key" not in message:
            other, key = moved_to
            self._outgoing.send(other, {**message, "sender": server, "key": key})

    async def answer(self, server: str, message: State) -> State:
        """Carry out a call from another server, and return the answer."""
        by = self._remote.person_of(server, message.get("by"))
        person = self._addressee(message)
        if person is None:
            moved_to = self._local.moved_to(message["to"])
            return {"moved": moved_to} if moved_to is not None else {}
        call = decode(message["errand"], message["with"])
        try:
            answer = await handlers.answer(self._chat, person, by, call)
        except Refused as refused:
            return {"refused": [refused.code, refused.sentence]}
        return {"done": True, **answer}

    def _addressee(self, message: State) -> Person | None:
        """Return the person that a call is for, if they are here.

        A forwarded call names them by nick, as numbers are per server.
        """
        if "key" not in message:
            return self._local.person(message["to"])
        person = self._chat.people.get(message["key"])
        return person if person is not None and not person.server else None
