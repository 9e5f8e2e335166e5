"""Clients of every kind at the one port of a server in memory: their requests and their output.

They know the bytes of their protocol and nothing of the expected output.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from twisted.internet.task import Clock

from chatd.transport.gate.gate import PROBE_SECONDS, SILENCE_SECONDS, Door, GateFactory
from chatd.transport.ssh.protocol.factory import SSHFactory
from chatd.transport.ways import ways_in
from chatd.wire.ssh import Fields, string, uint32
from tests.support.displays import TIPS, Display
from tests.support.memory_server import MemoryServer
from tests.support.ssh import peer as ssh_peer
from tests.support.ssh.peer import CLOSE, DATA, EXTENDED, REQUEST, SUCCESS, Peer

#: A screen so large that nothing is wrapped or scrolls away between two checks.
COLUMNS, ROWS = 200, 100

#: A telnet client's negotiation: a terminal of that size, in character mode.
TELNET = b"\xff\xfb\x18\xff\xfb\x1f\xff\xfa\x1f\0%c\0%c\xff\xf0" % (COLUMNS, ROWS)
TELNET += b"\xff\xfd\x01\xff\xfd\x03\xff\xfb\x03\xff\xfa\x18\0XTERM-256COLOR\xff\xf0"
#: Telnet commands, negotiations and subnegotiations.
TELNET_COMMANDS = re.compile(rb"\xff(?:[\xfb-\xfe].|\xfa.*?\xff\xf0|[\xec-\xf9])", re.DOTALL)


# Requests -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Join:
    room: str


@dataclass(frozen=True)
class Leave:
    room: str


@dataclass(frozen=True)
class Focus:
    room: str


@dataclass(frozen=True)
class Say:
    """A message in a room; in clients that type lines, in the room with the focus."""

    room: str
    text: str


@dataclass(frozen=True)
class Act:
    text: str


@dataclass(frozen=True)
class DirectMessage:
    nick: str
    text: str


@dataclass(frozen=True)
class Rename:
    nick: str


@dataclass(frozen=True)
class SetTopic:
    """A topic for a room; in clients that type lines, for the room with the focus."""

    room: str
    topic: str


@dataclass(frozen=True)
class Kick:
    nick: str
    reason: str


@dataclass(frozen=True)
class Quit:
    reason: str


Request = Join | Leave | Focus | Say | Act | DirectMessage | Rename | SetTopic | Kick | Quit


class AllProtocolsServer(ssh_peer.Server):
    """A server with one port for all protocols, under the host key that the tests' ssh knows."""

    def __init__(self) -> None:
        self.memory_server = MemoryServer(joins="on")  # each join is compared
        self.clock: Clock = self.memory_server.clock
        host = self.memory_server.host
        door = Door(host, self.memory_server.admission, ways_in(host, ssh_peer.HOST_KEY))
        self.memory_server.factory = GateFactory(door)
        # The ssh client only needs it to build a protocol.
        self.factory = cast(SSHFactory, self.memory_server.factory)

    def end_turn(self) -> None:
        """End the reactor's turn."""
        self.memory_server.end_turn()


class Client(ABC):
    """One connection of one kind."""

    #: Bells that rang since the last time.
    bells = 0
    #: The prompt before the line being typed, on terminals that have one.
    prompt: str | None = None

    @abstractmethod
    def encode_request(self, request: Request) -> bytes | None:
        """Return the bytes of a request; None when the protocol has none for it."""

    @abstractmethod
    def send(self, data: bytes, cut: int = 0) -> None:
        """Send bytes, in two pieces when ``cut`` is given."""

    @abstractmethod
    def read_output(self) -> list[str]:
        """Return the output since the last call, in the units of the protocol."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether the server has closed the connection."""

    @abstractmethod
    def lose_connection(self) -> None:
        """Lose the connection."""


def typed_line(request: Request) -> bytes:
    """Return the line that a user types for a request, without its end."""
    match request:
        case Join(room=room):
            text = f"/join {room}"
        case Leave(room=room):
            text = f"/leave {room}"
        case Focus(room=room):
            text = f"/focus {room}"
        case Say(text=text):
            pass
        case Act(text=text):
            text = f"/me {text}"
        case DirectMessage(nick=nick, text=text):
            text = f"/dm {nick} {text}"
        case Rename(nick=nick):
            text = f"/nick {nick}"
        case SetTopic(topic=topic):
            text = f"/topic {topic}"
        case Kick(nick=nick, reason=reason):
            text = f"/kick {nick} {reason}"
        case Quit(reason=reason):
            text = f"/quit {reason}"
    return text.encode()


# Plain connections --------------------------------------------------------------------------------


class TcpClient(Client):
    """A client whose protocol runs directly over TCP."""

    def __init__(self, port: AllProtocolsServer) -> None:
        self.connection = port.memory_server.connects()

    def send(self, data: bytes, cut: int = 0) -> None:
        for piece in (data[:cut], data[cut:]):
            if piece:
                self.connection.sends(piece)

    @property
    def closed(self) -> bool:
        return self.connection.closed

    def lose_connection(self) -> None:
        self.connection.loses_connection()


class Netcat(TcpClient):
    """A netcat: plain lines."""

    def __init__(self, port: AllProtocolsServer) -> None:
        super().__init__(port)
        port.clock.pump([SILENCE_SECONDS, PROBE_SECONDS])
        self._probed = False

    def encode_request(self, request: Request) -> bytes | None:
        return typed_line(request) + b"\n"

    def read_output(self) -> list[str]:
        data = self.connection.receives()
        if not self._probed:
            self._probed = True
            data = data.removeprefix(b"\xff\xfd\x18\r     \r")
        return _lines(data, "\r\n")


class DrawnScreen:
    """A screen that the server draws: whole lines, and the prompt below them."""

    def __init__(self) -> None:
        self.prompt = ""

    def display(self, data: bytes) -> list[str]:
        """Display output; return the lines that were added above the prompt."""
        display = Display(COLUMNS, ROWS)
        display.feed(self.prompt.encode() + data)
        screen = display.screen
        assert screen.cursor.y < ROWS - 1, "nothing has scrolled away"
        rows = [
            "".join(screen.buffer[y][x].data for x in range(COLUMNS)).rstrip()
            for y in range(screen.cursor.y + 1)
        ]
        last = rows.pop()
        self.prompt = f"{last} " if last else ""
        assert screen.cursor.x == len(self.prompt)
        # Lines after the first of a message are indented by four cells or more.
        return [re.sub("^ {5,}", "    ", row) for row in _without_tips(rows)]


def _without_tips(rows: list[str]) -> list[str]:
    """Return the rows without the tips that new users on a terminal are shown."""
    if TIPS[0] not in rows:
        return rows
    first = rows.index(TIPS[0])
    assert rows[first : first + len(TIPS)] == TIPS
    return rows[:first] + rows[first + len(TIPS) :]


class Telnet(TcpClient):
    """A telnet client in character mode."""

    def __init__(self, port: AllProtocolsServer) -> None:
        super().__init__(port)
        self._drawn = DrawnScreen()
        self.send(TELNET)

    def encode_request(self, request: Request) -> bytes | None:
        return typed_line(request) + b"\r\n"

    def read_output(self) -> list[str]:
        text = TELNET_COMMANDS.sub(b"", self.connection.receives())
        self.bells = text.count(b"\a")
        lines = self._drawn.display(text)
        self.prompt = self._drawn.prompt
        return lines


class AssignmentClient(TcpClient):
    """A client of the socket assignment.

    ``refs`` has the JOIN_ID of each ROOM_REF that it was given; ``ref_of`` returns that of a room.
    """

    def __init__(self, port: AllProtocolsServer, nick: str, ref_of: Callable[[str], int]) -> None:
        super().__init__(port)
        self.nick = nick
        self._ref_of = ref_of
        self.refs: dict[int, int] = {}

    def encode_request(self, request: Request) -> bytes | None:
        whose = f"CLIENT_NAME: {self.nick}\n"
        match request:
            case Join(room=room):
                text = f"JOIN_CHATROOM: {room}\nCLIENT_IP: 0\nPORT: 0\n{whose}"
            case Leave(room=room) | Say(room=room):
                ref = self._ref_of(room)
                place = f"{ref}\nJOIN_ID: {self.refs.get(ref, 1)}\n{whose}"
                text = f"LEAVE_CHATROOM: {place}"
                if isinstance(request, Say):
                    text = f"CHAT: {place}MESSAGE: {request.text}\n\n"
            case Quit():
                text = f"DISCONNECT: 0\nPORT: 0\n{whose}"
            case _:
                return None
        return text.encode()

    def read_output(self) -> list[str]:
        text = self.connection.receives().decode()
        pieces = _ASSIGNMENT.findall(text)
        assert "".join(pieces) == text
        return [self._without_join_id(piece) for piece in pieces]

    def _without_join_id(self, piece: str) -> str:
        found = re.search(r"ROOM_REF: (\d+)\nJOIN_ID: (\d+)\n", piece)
        if found is None:
            return re.sub(r"(?<=^ERROR_DESCRIPTION: ).+$", "TEXT", piece, flags=re.MULTILINE)
        ref, join_id = int(found[1]), int(found[2])
        assert self.refs.setdefault(ref, join_id) == join_id
        return piece.replace(found[2], "ID")


_ASSIGNMENT = re.compile(
    r"(?:CHAT: \d+\nCLIENT_NAME: .+\nMESSAGE: .+\n(?:.+\n)*\n"
    r"|JOINED_CHATROOM: .+\nSERVER_IP: .+\nPORT: \d+\nROOM_REF: \d+\nJOIN_ID: \d+\n"
    r"|LEFT_CHATROOM: \d+\nJOIN_ID: \d+\n"
    r"|ERROR_CODE: \d+\nERROR_DESCRIPTION: .+\n)"
)


class JsonClient(TcpClient):
    """A program that speaks JSON; a bot (version 2) numbers its requests."""

    def __init__(self, port: AllProtocolsServer, nick: str, *, bot: bool) -> None:
        super().__init__(port)
        self.nick = nick
        self.request_count = 0
        self._bot = bot

    def login_request(self) -> bytes:
        """Return the login request."""
        return to_json({"username": self.nick} | ({"version": 2} if self._bot else {})).encode()

    def encode_request(self, request: Request) -> bytes | None:
        fields: dict[str, object]
        match request:
            case Join(room=room):
                fields = {"join": room}
            case Leave(room=room):
                fields = {"leave": room}
            case Say(room=room, text=text):
                fields = {"message": text, "sender": self.nick, "dm": None}
                fields |= {"room": room} if self._bot else {}
            case DirectMessage(nick=nick, text=text):
                fields = {"message": text, "sender": self.nick, "dm": nick}
            case SetTopic(room=room, topic=topic):
                fields = {"room": room, "topic": topic}
            case Quit():
                return to_json({"disconnect": True, "sender": self.nick}).encode()
            case _:
                return None
        if self._bot:
            self.request_count += 1
            fields["id"] = self.request_count
        return to_json(fields).encode()

    def read_output(self) -> list[str]:
        return [to_json(json.loads(each)) for each in _lines(self.connection.receives(), "\n")]


def to_json(fields: dict[str, object]) -> str:
    """Return an object as text with sorted keys, so that equal objects are equal texts."""
    return json.dumps(fields, sort_keys=True, ensure_ascii=False)


# SSH ----------------------------------------------------------------------------------------------


class Ssh(Client):
    """One channel of an ssh connection."""

    def __init__(self, port: AllProtocolsServer, user: str) -> None:
        self._port = port
        self.peer = Peer(server=port)
        self.peer.exchange().ask_service().try_keyboard(user.encode())
        self.channel = -1
        self.errors = b""
        self.status: int | None = None
        self._closed = False

    def send(self, data: bytes, cut: int = 0) -> None:
        self._send(DATA, uint32(self.channel) + string(data), cut)

    def _send(self, number: int, payload: bytes, cut: int = 0) -> None:
        packet = self.peer.sealer.seal(bytes((number,)) + payload)
        for piece in (packet[:cut], packet[cut:]):
            if piece:
                self.peer.feed(piece)

    def read_channel(self) -> bytes:
        """Return the data written to the channel since the last call."""
        self._port.end_turn()
        text = b""
        for number, payload in self.peer.take():
            if number == DATA:
                text += Fields(payload[4:]).string()
            elif number == EXTENDED:
                self.errors += Fields(payload[8:]).string()
            elif number == REQUEST and Fields(payload[4:]).string() == b"exit-status":
                self.status = int.from_bytes(payload[-4:], "big")
            elif number == CLOSE:
                self._closed = True
        return text

    @property
    def closed(self) -> bool:
        return self._closed

    def lose_connection(self) -> None:
        self.peer.hang_up()

    def run(self, command: str) -> Ssh:
        """Open a channel and execute a command."""
        self.channel, self._closed, self.status = self.peer.open(), False, None
        assert SUCCESS in self.peer.request(self.channel, b"exec", string(command.encode()))
        return self

    def output(self, command: str) -> list[str]:
        """Execute a command that ends by itself; return the lines of its output."""
        text = self.run(command).read_channel()
        self._port.end_turn()
        text += self.read_channel()
        assert (self.status, self.errors, self._closed) == (0, b"", True)
        self.peer.send(CLOSE, uint32(self.channel))
        return _lines(text, "\n")

    def encode_request(self, request: Request) -> bytes | None:
        return None

    def read_output(self) -> list[str]:
        return _lines(self.read_channel(), "\n")


class Shell(Ssh):
    """An ssh shell, on a terminal or in plain lines."""

    def __init__(self, port: AllProtocolsServer, user: str, *, terminal: bool) -> None:
        super().__init__(port, user)
        self._drawn = DrawnScreen() if terminal else None
        self.channel = self.peer.open()
        if terminal:
            size = uint32(COLUMNS) + uint32(ROWS) + 2 * uint32(0)
            request = string(b"xterm") + size + string(b"\0")
            assert self.peer.request(self.channel, b"pty-req", request) == [SUCCESS]
        assert SUCCESS in self.peer.request(self.channel, b"shell")

    def encode_request(self, request: Request) -> bytes | None:
        return typed_line(request) + (b"\r" if self._drawn else b"\n")

    def read_output(self) -> list[str]:
        text = self.read_channel()
        if self._drawn is None:
            return _lines(text, "\r\n")
        self.bells = text.count(b"\a")
        lines = self._drawn.display(text)
        self.prompt = self._drawn.prompt
        return lines


class Tail(Ssh):
    """``ssh host tail ROOM``: it only receives, until it is interrupted."""

    def __init__(
        self, port: AllProtocolsServer, user: str, room: str, *, objects: bool, last: int
    ) -> None:
        super().__init__(port, user)
        self._objects = objects
        self.run(f"tail{' --json' * objects} -n {last} {room}")

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        signal = string(b"signal") + b"\0" + string(b"INT")
        self._send(REQUEST, uint32(self.channel) + signal)

    def read_output(self) -> list[str]:
        lines = super().read_output()
        return [to_json(json.loads(each)) for each in lines] if self._objects else lines


def _lines(data: bytes, end: str) -> list[str]:
    *lines, rest = data.decode().split(end)
    assert rest == "", "only whole lines are sent"
    return lines
