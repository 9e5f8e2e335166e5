"""Clients of every kind at the one port of a server in memory: what each sends, and what it reads.

They know the bytes of their protocol and nothing of what the server should say.
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
from tests.support.ssh import peer as ssh_peer
from tests.support.ssh.peer import CLOSE, DATA, EXTENDED, REQUEST, SUCCESS, Peer
from tests.support.wires import Building

#: A screen on which nothing of these tests is wrapped or scrolls away between two looks.
COLUMNS, ROWS = 200, 100

#: What a telnet says of itself: a terminal of that size, on which it lets the server draw.
TELNET = b"\xff\xfb\x18\xff\xfb\x1f\xff\xfa\x1f\0%c\0%c\xff\xf0" % (COLUMNS, ROWS)
TELNET += b"\xff\xfd\x01\xff\xfd\x03\xff\xfb\x03\xff\xfa\x18\0XTERM-256COLOR\xff\xf0"
#: Anything that telnet says beside the text.
TELNET_COMMANDS = re.compile(rb"\xff(?:[\xfb-\xfe].|\xfa.*?\xff\xf0|[\xec-\xf9])", re.DOTALL)


# What somebody may ask for ------------------------------------------------------------------------


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
    """Said in a room; who types lines says it where their focus is."""

    room: str
    text: str


@dataclass(frozen=True)
class Act:
    text: str


@dataclass(frozen=True)
class Whisper:
    nick: str
    text: str


@dataclass(frozen=True)
class Rename:
    nick: str


@dataclass(frozen=True)
class SetTopic:
    """As `Say`."""

    room: str
    topic: str


@dataclass(frozen=True)
class Kick:
    nick: str
    reason: str


@dataclass(frozen=True)
class Quit:
    words: str


Request = Join | Leave | Focus | Say | Act | Whisper | Rename | SetTopic | Kick | Quit


class OnePort(ssh_peer.Server):
    """A building with the one port, under the host key that the ssh of these tests knows."""

    def __init__(self) -> None:
        self.building = Building(joins="on")  # what is told of each is compared
        self.clock: Clock = self.building.clock
        host = self.building.host
        door = Door(host, self.building.admission, ways_in(host, ssh_peer.HOST_KEY))
        self.building.factory = GateFactory(door)
        # All that the client asks of it is to make a protocol.
        self.factory = cast(SSHFactory, self.building.factory)

    def turn(self) -> None:
        """Let the reactor's turn end."""
        self.building.turn()


class Client(ABC):
    """One connection of one kind."""

    #: Bells that rang since the last time.
    bells = 0
    #: What stands before the line being typed, where there is one.
    prompt: str | None = None

    @abstractmethod
    def request(self, asked: Request) -> bytes | None:
        """The bytes that ask for something; None where the protocol has no words for it."""

    @abstractmethod
    def sends(self, data: bytes, cut: int = 0) -> None:
        """Send bytes, in two pieces when they are to be cut."""

    @abstractmethod
    def reads(self) -> list[str]:
        """What came since the last time, piece by piece as the protocol has them."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether the server has ended it."""

    @abstractmethod
    def goes(self) -> None:
        """The connection is lost."""


def line(asked: Request) -> bytes:
    """What somebody types, without its end."""
    match asked:
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
        case Whisper(nick=nick, text=text):
            text = f"/dm {nick} {text}"
        case Rename(nick=nick):
            text = f"/nick {nick}"
        case SetTopic(topic=topic):
            text = f"/topic {topic}"
        case Kick(nick=nick, reason=reason):
            text = f"/kick {nick} {reason}"
        case Quit(words=words):
            text = f"/quit {words}"
    return text.encode()


# By a plain connection ----------------------------------------------------------------------------


class Wired(Client):
    """A connection whose bytes are the protocol's."""

    def __init__(self, port: OnePort) -> None:
        self.wire = port.building.connects()

    def sends(self, data: bytes, cut: int = 0) -> None:
        for piece in (data[:cut], data[cut:]):
            if piece:
                self.wire.sends(piece)

    @property
    def closed(self) -> bool:
        return self.wire.closed

    def goes(self) -> None:
        self.wire.goes()


class Netcat(Wired):
    """Plain lines."""

    def __init__(self, port: OnePort) -> None:
        super().__init__(port)
        port.clock.pump([SILENCE_SECONDS, PROBE_SECONDS])
        self._probed = False

    def request(self, asked: Request) -> bytes | None:
        return line(asked) + b"\n"

    def reads(self) -> list[str]:
        data = self.wire.gets()
        if not self._probed:
            self._probed = True
            data = data.removeprefix(b"\xff\xfd\x18\r     \r")
        return _lines(data, "\r\n")


class Drawn:
    """What somebody sees whose screen the server draws: whole lines, and the prompt below them."""

    def __init__(self) -> None:
        self.prompt = ""

    def shows(self, data: bytes) -> list[str]:
        """The lines that came to stand above the prompt."""
        display = Display(COLUMNS, ROWS)
        display.takes(self.prompt.encode() + data)
        screen = display.screen
        assert screen.cursor.y < ROWS - 1, "nothing has scrolled away"
        rows = [
            "".join(screen.buffer[y][x].data for x in range(COLUMNS)).rstrip()
            for y in range(screen.cursor.y + 1)
        ]
        last = rows.pop()
        self.prompt = f"{last} " if last else ""
        assert screen.cursor.x == len(self.prompt)
        # The further lines of a message hang under its first, four cells in or more.
        return [re.sub("^ {5,}", "    ", row) for row in _without_tips(rows)]


def _without_tips(rows: list[str]) -> list[str]:
    """The rows but for what somebody is told to try who has come to a screen."""
    if TIPS[0] not in rows:
        return rows
    first = rows.index(TIPS[0])
    assert rows[first : first + len(TIPS)] == TIPS
    return rows[:first] + rows[first + len(TIPS) :]


class Telnet(Wired):
    """A telnet that lets the server draw."""

    def __init__(self, port: OnePort) -> None:
        super().__init__(port)
        self._drawn = Drawn()
        self.sends(TELNET)

    def request(self, asked: Request) -> bytes | None:
        return line(asked) + b"\r\n"

    def reads(self) -> list[str]:
        text = TELNET_COMMANDS.sub(b"", self.wire.gets())
        self.bells = text.count(b"\a")
        lines = self._drawn.shows(text)
        self.prompt = self._drawn.prompt
        return lines


class Assignment(Wired):
    """A client of the socket assignment.

    ``refs`` has the JOIN_ID of each ROOM_REF that it was given; ``ref_of`` says what a room's is.
    """

    def __init__(self, port: OnePort, nick: str, ref_of: Callable[[str], int]) -> None:
        super().__init__(port)
        self.nick = nick
        self._ref_of = ref_of
        self.refs: dict[int, int] = {}

    def request(self, asked: Request) -> bytes | None:
        whose = f"CLIENT_NAME: {self.nick}\n"
        match asked:
            case Join(room=room):
                text = f"JOIN_CHATROOM: {room}\nCLIENT_IP: 0\nPORT: 0\n{whose}"
            case Leave(room=room) | Say(room=room):
                ref = self._ref_of(room)
                place = f"{ref}\nJOIN_ID: {self.refs.get(ref, 1)}\n{whose}"
                text = f"LEAVE_CHATROOM: {place}"
                if isinstance(asked, Say):
                    text = f"CHAT: {place}MESSAGE: {asked.text}\n\n"
            case Quit():
                text = f"DISCONNECT: 0\nPORT: 0\n{whose}"
            case _:
                return None
        return text.encode()

    def reads(self) -> list[str]:
        text = self.wire.gets().decode()
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


class Program(Wired):
    """A program that speaks JSON; a bot numbers what it asks for."""

    def __init__(self, port: OnePort, nick: str, *, bot: bool) -> None:
        super().__init__(port)
        self.nick = nick
        self.asked = 0
        self._bot = bot

    def hello(self) -> bytes:
        """The first object."""
        return as_object({"username": self.nick} | ({"version": 2} if self._bot else {})).encode()

    def request(self, asked: Request) -> bytes | None:
        fields: dict[str, object]
        match asked:
            case Join(room=room):
                fields = {"join": room}
            case Leave(room=room):
                fields = {"leave": room}
            case Say(room=room, text=text):
                fields = {"message": text, "sender": self.nick, "dm": None}
                fields |= {"room": room} if self._bot else {}
            case Whisper(nick=nick, text=text):
                fields = {"message": text, "sender": self.nick, "dm": nick}
            case SetTopic(room=room, topic=topic):
                fields = {"room": room, "topic": topic}
            case Quit():
                return as_object({"disconnect": True, "sender": self.nick}).encode()
            case _:
                return None
        if self._bot:
            self.asked += 1
            fields["id"] = self.asked
        return as_object(fields).encode()

    def reads(self) -> list[str]:
        return [as_object(json.loads(each)) for each in _lines(self.wire.gets(), "\n")]


def as_object(fields: dict[str, object]) -> str:
    """An object as text, so that equal ones are equal."""
    return json.dumps(fields, sort_keys=True, ensure_ascii=False)


# By ssh -------------------------------------------------------------------------------------------


class Ssh(Client):
    """One channel of an ssh connection."""

    def __init__(self, port: OnePort, user: str) -> None:
        self._port = port
        self.peer = Peer(server=port)
        self.peer.exchange().ask_service().try_keyboard(user.encode())
        self.channel = -1
        self.errors = b""
        self.status: int | None = None
        self._closed = False

    def sends(self, data: bytes, cut: int = 0) -> None:
        self._send(DATA, uint32(self.channel) + string(data), cut)

    def _send(self, number: int, payload: bytes, cut: int = 0) -> None:
        packet = self.peer.sealer.seal(bytes((number,)) + payload)
        for piece in (packet[:cut], packet[cut:]):
            if piece:
                self.peer.feed(piece)

    def gets(self) -> bytes:
        """What was written to the channel since the last time."""
        self._port.turn()
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

    def goes(self) -> None:
        self.peer.hang_up()

    def runs(self, command: str) -> Ssh:
        """Open a channel with a command."""
        self.channel, self._closed, self.status = self.peer.open(), False, None
        assert SUCCESS in self.peer.request(self.channel, b"exec", string(command.encode()))
        return self

    def output(self, command: str) -> list[str]:
        """The lines of a command that ends by itself."""
        text = self.runs(command).gets()
        self._port.turn()
        text += self.gets()
        assert (self.status, self.errors, self._closed) == (0, b"", True)
        self.peer.send(CLOSE, uint32(self.channel))
        return _lines(text, "\n")

    def request(self, asked: Request) -> bytes | None:
        return None

    def reads(self) -> list[str]:
        return _lines(self.gets(), "\n")


class Shell(Ssh):
    """A shell, on a terminal or in plain lines."""

    def __init__(self, port: OnePort, user: str, *, terminal: bool) -> None:
        super().__init__(port, user)
        self._drawn = Drawn() if terminal else None
        self.channel = self.peer.open()
        if terminal:
            size = uint32(COLUMNS) + uint32(ROWS) + 2 * uint32(0)
            asked = string(b"xterm") + size + string(b"\0")
            assert self.peer.request(self.channel, b"pty-req", asked) == [SUCCESS]
        assert SUCCESS in self.peer.request(self.channel, b"shell")

    def request(self, asked: Request) -> bytes | None:
        return line(asked) + (b"\r" if self._drawn else b"\n")

    def reads(self) -> list[str]:
        text = self.gets()
        if self._drawn is None:
            return _lines(text, "\r\n")
        self.bells = text.count(b"\a")
        lines = self._drawn.shows(text)
        self.prompt = self._drawn.prompt
        return lines


class Tail(Ssh):
    """``ssh host tail ROOM``: it only reads, until it is interrupted."""

    def __init__(self, port: OnePort, user: str, room: str, *, objects: bool, last: int) -> None:
        super().__init__(port, user)
        self._objects = objects
        self.runs(f"tail{' --json' * objects} -n {last} {room}")

    def interrupts(self) -> None:
        """Press Ctrl-C."""
        signal = string(b"signal") + b"\0" + string(b"INT")
        self._send(REQUEST, uint32(self.channel) + signal)

    def reads(self) -> list[str]:
        lines = super().reads()
        return [as_object(json.loads(each)) for each in lines] if self._objects else lines


def _lines(data: bytes, end: str) -> list[str]:
    *lines, rest = data.decode().split(end)
    assert rest == "", "only whole lines are sent"
    return lines
