"""Chat protocols: how a client introduces itself, joins a room and sends in each protocol.

It knows the bytes on the wire, but no sockets and no servers.  Entering has two steps: ``hello`` is
sent immediately, and ``move`` once ``welcome`` has been received; after ``moved`` the client is in
its room and in no other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

_Words = Callable[[str, str], bytes]


@dataclass(frozen=True, slots=True)
class ChatProtocol:
    """A protocol, as far as the benchmark speaks it.

    ``hello``, ``move`` and ``join`` are built from a nick and a room.  A message is a text between
    the result of ``before``, built from nick, room and the match of ``moved``, and ``after``.
    """

    name: str
    hello: _Words
    #: None if the server does not greet new clients.
    welcome: re.Pattern[bytes] | None
    move: _Words
    moved: re.Pattern[bytes]
    join: _Words
    joined: re.Pattern[bytes]
    before: Callable[[str, str, re.Match[bytes]], bytes]
    after: bytes
    #: Line ends in one delivery of one message.
    lines_per_message: int = 1
    #: Whether senders receive their own messages.
    echoes: bool = False
    #: How many clients may enter simultaneously.  In chatd they meet in the lobby, where each is
    #: announced to the others; ngircd lets the kernel queue no more than ten connections.
    max_connecting: int = 20
    #: Whether it is spoken inside an ssh session.
    by_ssh: bool = False


def _nothing(nick: str, room: str) -> bytes:
    return b""


def _object(**fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def _line(name: str, *, by_ssh: bool = False) -> ChatProtocol:
    return ChatProtocol(
        name=name,
        hello=_nothing,
        welcome=re.compile(rb"-- You are .*\n"),
        move=lambda nick, room: f"/join {room}\n/leave lobby\n".encode(),
        moved=re.compile(rb"-- You left lobby;.*\n"),
        join=lambda nick, room: f"/join {room}\n".encode(),
        joined=re.compile(rb"-- You .*\n"),
        before=lambda nick, room, moved: b"",
        after=b"\n",
        by_ssh=by_ssh,
    )


def _tcd_join(nick: str, room: str) -> bytes:
    return f"JOIN_CHATROOM: {room}\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: {nick}\n".encode()


def _tcd_before(nick: str, room: str, moved: re.Match[bytes]) -> bytes:
    ref, join_id = moved[1].decode(), moved[2].decode()
    return f"CHAT: {ref}\nJOIN_ID: {join_id}\nCLIENT_NAME: {nick}\nMESSAGE: ".encode()


_TCD_JOINED = re.compile(rb"ROOM_REF: (\d+)\nJOIN_ID: (\d+)\n")
_IRC_JOINED = re.compile(rb" 366 .*\n")
_BOT_JOINED = re.compile(rb'"id": 777\b.*\n')
_CONNECTED = re.compile(rb'"isConnected": true.*\n')
_ANYTHING = re.compile(rb"")


def _irc_join(nick: str, room: str) -> bytes:
    return f"JOIN #{room}\r\n".encode()


LINE = _line("line")
SSH = _line("ssh", by_ssh=True)
TCD = ChatProtocol(
    name="tcd",
    hello=_nothing,
    welcome=None,
    move=_tcd_join,
    moved=_TCD_JOINED,
    join=_tcd_join,
    joined=_TCD_JOINED,
    before=_tcd_before,
    after=b"\n\n",
    lines_per_message=4,
    echoes=True,
)
#: The first clients of the JSON protocol, which are only in the lobby.
JSON = ChatProtocol(
    name="json",
    hello=lambda nick, room: _object(username=nick),
    welcome=_CONNECTED,
    move=lambda nick, room: _object(message="here", sender=nick, dm=nick),
    moved=re.compile(rb'"here".*\n|"error".*\n'),
    join=_nothing,
    joined=_ANYTHING,
    before=lambda nick, room, moved: b'{"dm": null, "sender": "%s", "message": "' % nick.encode(),
    after=b'"}\n',
)
#: Version 2 of it.
BOTS = ChatProtocol(
    name="bots",
    hello=lambda nick, room: _object(username=nick, version=2),
    welcome=_CONNECTED,
    move=lambda nick, room: _object(join=room) + _object(leave="lobby", id=777),
    moved=_BOT_JOINED,
    join=lambda nick, room: _object(join=room, id=777),
    joined=_BOT_JOINED,
    before=lambda nick, room, moved: b'{"room": "%s", "message": "' % room.encode(),
    after=b'"}\n',
)
IRC = ChatProtocol(
    name="irc",
    hello=lambda nick, room: f"NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\n".encode(),
    welcome=re.compile(rb" 001 .*\n"),
    move=_irc_join,
    moved=_IRC_JOINED,
    join=_irc_join,
    joined=_IRC_JOINED,
    before=lambda nick, room, moved: f"PRIVMSG #{room} :".encode(),
    after=b"\r\n",
    max_connecting=10,
)
#: The same for servers that admit waiting clients once a second.
IRC_BY_THE_SECOND = replace(IRC, max_connecting=500)
#: The protocol of the floor (floor.c); its rooms are numbers.
FLOOR = ChatProtocol(
    name="floor",
    hello=_nothing,
    welcome=None,
    move=lambda nick, room: b"/join %d\n" % int("0" + re.sub(r"\D", "", room)),
    moved=re.compile(rb"joined\n"),
    join=_nothing,
    joined=_ANYTHING,
    before=lambda nick, room, moved: b"",
    after=b"\n",
    echoes=True,
)
#: The ways in of chatd that are measured.
WAYS = {protocol.name: protocol for protocol in (LINE, TCD, JSON, BOTS, SSH)}
