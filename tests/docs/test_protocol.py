"""docs/protocol.rst is the specification: its conversations are played back, its tables compared.

The notation of a conversation is described there, under "How to read the conversations".
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_network
from itertools import count
from pathlib import Path
from typing import cast

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

import chatd.chat
import chatd.cluster
from chatd.chat import limits
from chatd.chat.chat import Chat
from chatd.chat.commands import COMMANDS, Command
from chatd.chat.limits import DETACHED_SECONDS, Rate
from chatd.chat.model.preferences import MEANING, Preferences, as_typed
from chatd.chat.options import Environment, Options
from chatd.chat.ratelimit.line_budget import LineBudget, Standing
from chatd.chat.text.blocks import BLOCK_LINES
from chatd.chat.text.reserved import RESERVED, STAFF
from chatd.terminal.editor.bindings import BINDINGS
from chatd.terminal.editor.history import HISTORY_LINES
from chatd.terminal.editor.paste import question
from chatd.transport import tcd
from chatd.transport.conversation.arrival import Arrival
from chatd.transport.conversation.conversation import TOO_LONG
from chatd.transport.gate.admission import Admission, PerAddress
from chatd.transport.gate.gate import Door, GateFactory, Way
from chatd.transport.host import Host
from chatd.transport.line import LineProtocol
from chatd.transport.net.outbox import StreamOutbox, as_stream
from chatd.transport.net.turns import Turns
from chatd.transport.services.unacknowledged import UnacknowledgedCheck
from chatd.transport.ssh.acknowledgements import Acknowledgements
from chatd.transport.ssh.protocol.interfaces import SshChannel
from chatd.transport.ssh.protocol.peer import SshPeer
from chatd.transport.ssh.shell import ArrivalAddress, Shell, visitor_of
from chatd.transport.ways import ways_in
from tests import ROOT
from tests.support.held_store import HeldStore
from tests.support.keys import HOST_KEY
from tests.support.passwords import Hasher

DOCUMENT = ROOT / "docs" / "protocol.rst"
TEXT = DOCUMENT.read_text(encoding="utf-8")

#: 2030-01-01 12:00 UTC, when every conversation begins.
NOON = 1_893_499_200.0
OPERATORS_KEY = b"the key of an operator"


# What stands in the document ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation: its name, and its lines with their numbers in the document."""

    name: str
    lines: tuple[tuple[int, str], ...]


_BLOCK = re.compile(
    r"^\.\. code-block:: text\n   :class: conversation\n   :name: (?P<name>\S+)\n\n"
    r"(?P<body>(?:   .*\n|\n)+)",
    re.MULTILINE,
)


def conversations(document: str) -> list[Conversation]:
    """Return all conversations of a document."""
    found = []
    for block in _BLOCK.finditer(document):
        first = document.count("\n", 0, block.start("body")) + 1
        lines = [line.removeprefix("   ") for line in block["body"].rstrip("\n").split("\n")]
        found.append(Conversation(block["name"], tuple(enumerate(lines, first))))
    return found


def rows(heading: str) -> list[list[str]]:
    """Return the rows of the list-table with this title, without its header, as cells."""
    start = TEXT.index(f".. list-table:: {heading}\n")
    body = re.split(r"\n(?=\S)", TEXT[start:], maxsplit=1)[0]
    found = [re.split(r"\n\s+- ", row) for row in re.split(r"\n\s+\* - ", body)[2:]]
    return [[" ".join(cell.split()) for cell in row] for row in found]


def literals(cell: str) -> list[str]:
    """Return the texts in double backquotes."""
    return re.findall(r"``(.+?)``", cell)


# Playing a conversation ---------------------------------------------------------------------------


class WrongDocumentError(AssertionError):
    """A conversation of the document does not match what happens, or has an invalid line."""


def on_the_wire(written: str, numbers: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a text in the notation, with the numbers that are known by now."""
    for name, number in (numbers or {}).items():
        written = written.replace(name, number)
    long = re.sub(r"\{(.) (\d+) times\}", lambda match: match[1] * int(match[2]), written)
    return re.sub(
        rb"\\x([0-9a-f]{2})", lambda match: bytes.fromhex(match[1].decode()), long.encode()
    )


def as_written(data: bytes) -> str:
    """Return bytes in a readable form, for a complaint."""
    return "".join(f"    {line!r}\n" for line in data.decode("utf-8", "replace").splitlines(True))


class Door1134:
    """The address of a connection that did not come through the gate."""

    def pause(self) -> None:
        """Do nothing: a document is never read too fast."""

    def resume(self) -> None:
        """Do nothing: it was not paused."""

    def reached(self) -> tuple[str, int]:
        return "198.51.100.2", 1134

    def become(self, name: str, conversation: object, data: bytes) -> None:
        raise WrongDocumentError("no conversation goes on elsewhere")

    def admit(self, standing: Standing) -> str | None:
        return None


class UnaskedOutbox(StreamOutbox):
    """An outbox whose peer is never checked for a sign of life."""

    on_sent: Callable[[], None] | None = None

    def is_idle(self) -> bool:
        return False


@implementer(IHalfCloseableProtocol)
class SshWithoutPty(Protocol):
    """The shell of an ssh client without a terminal, with a simulated channel."""

    def __init__(
        self, host: Host, name: str, *, operator: bool, address: str, key: str = "7xYz"
    ) -> None:
        self._host = host
        self.peer = SshPeer(
            user=name,
            key=OPERATORS_KEY if operator else b"another key",
            fingerprint="SHA256:0pQr" if operator else f"SHA256:{key}",
            client="OpenSSH_9.9",
        )
        self.address = ArrivalAddress(Arrival(address, Door1134()), LineBudget(host.budgets))
        self.terminal = None
        self.environment: dict[str, str] = {}

    def connectionMade(self) -> None:
        self.outbox = UnaskedOutbox(
            as_stream(self.transport), self._host.clock, lambda: self._shell.ready()
        )
        channel = cast(SshChannel, self)
        who = visitor_of(self._host, channel)
        self._shell = Shell(self._host, channel, who, Acknowledgements(self._host.clock))

    def ask(self) -> None:
        """Do nothing: peers are not checked in a conversation."""

    def pause(self) -> None:
        """Do nothing: no conversation is long enough to pause reading."""

    def resume(self) -> None:
        """Do nothing: it never paused."""

    def dataReceived(self, data: bytes) -> None:
        self._shell.data_received(data)

    def readConnectionLost(self) -> None:
        self._shell.input_ended()

    def writeConnectionLost(self) -> None:
        """Do nothing: ssh has no half-closed connections here."""

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._shell.lost()


@dataclass(slots=True)
class Connection:
    """A connection: what it has received, and whether it has ended."""

    protocol: Protocol
    transport: StringTransport
    line_end: bytes = b"\r\n"
    lost: bool = False

    def lose(self) -> None:
        """Note that the connection has ended."""
        self.lost = True
        self.protocol.connectionLost(Failure(ConnectionDone()))


@dataclass(slots=True)
class Expected:
    """What one step has to send to which connection, and which ones it has to close."""

    sent: dict[str, list[tuple[str, bool]]] = field(default_factory=dict)
    disconnected: set[str] = field(default_factory=set)


class Server:
    """A chatd in memory, and the connections of one conversation."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.connections: dict[str, Connection] = {}
        self.options: dict[str, str] = {}
        self.numbers: dict[str, str] = {}
        self.store = HeldStore()
        self._host: Host | None = None

    @property
    def host(self) -> Host:
        """Return the server, which is made for the first connection."""
        if self._host is None:
            options = self.options
            environment = Environment(
                schedule=lambda step: self.clock.callLater(0, step),
                expire_later=lambda step: self.clock.callLater(
                    DETACHED_SECONDS, lambda: step(NOON + self.clock.seconds())
                ),
                hasher=Hasher(),
                make_token=map("aaaa-aaaa-aaa{}".format, count(1)).__next__
                if "tokens" in options
                else None,
            )
            chosen = Options(
                lobby=options.get("--lobby", "lobby"), shouting=options.get("--shouting", "allow")
            )
            chat = Chat(self.store, environment, chosen)
            motd = options.get("--motd")
            self._host = Host(
                chat,
                self.clock,
                lambda: NOON + self.clock.seconds(),
                Turns(self.clock),
                motd=(motd,) if motd else (),
                operators=frozenset({OPERATORS_KEY}),
            )
        return self._host

    @cached_property
    def ways(self) -> Mapping[str, Way]:
        """Return the ways in of this server."""
        desk = tcd.JoinIds(self.options.get("--student-id", "0"))
        return ways_in(self.host, HOST_KEY, desk)

    def connect(self, who: str, protocol: Protocol, line_end: bytes = b"\r\n") -> None:
        """Make a connection."""
        if who in self.connections:
            raise WrongDocumentError(f"{who} is connected already")
        connection = Connection(protocol, StringTransport(), line_end)
        self.connections[who] = connection
        protocol.makeConnection(connection.transport)

    def by_line(self, who: str, address: str = "192.0.2.1") -> None:
        """Connect to a port for plain lines."""
        self.connect(who, LineProtocol(self.host, Arrival(address, Door1134())))

    def arrive(self, who: str, address: str = "192.0.2.1") -> None:
        """Connect to the port that serves every way in."""
        networks = (
            (ip_network(self.options["--proxy-from"]),) if "--proxy-from" in self.options else ()
        )
        door = Door(
            self.host,
            Admission(10_000, PerAddress()),
            self.ways,
            proxies=networks,
        )
        gate = GateFactory(door).buildProtocol(IPv4Address("TCP", address, 4321))
        self.connect(who, gate)

    def by_program(self, who: str, way: str) -> None:
        """Connect a program to a port that serves this way in."""
        arrival = Arrival("192.0.2.1", Door1134())
        protocol = self.ways[way].protocol(self.host, arrival, None)
        self.connect(who, cast(Protocol, protocol), b"\n")

    def by_ssh(self, who: str, name: str, operator: bool, own: bool) -> None:
        """Connect by ssh, without a pty."""
        key = who if own else "7xYz"
        protocol = SshWithoutPty(
            self.host, name, operator=operator, address="198.51.100.7", key=key
        )
        self.connect(who, protocol)

    def of(self, who: str) -> Connection:
        """Return an open connection by its name."""
        connection = self.connections.get(who)
        if connection is None or connection.lost:
            raise WrongDocumentError(f"{who} is not connected")
        return connection

    def pass_time(self, seconds: float) -> None:
        """Let time pass, from one timer to the next."""
        end = self.clock.seconds() + seconds
        while due := [
            call.getTime() for call in self.clock.getDelayedCalls() if call.getTime() <= end + 1e-9
        ]:
            self.clock.advance(max(0.0, min(due) - self.clock.seconds()))
        self.clock.advance(max(0.0, end - self.clock.seconds()))

    def hold(self) -> None:
        """Let the store answer nothing from now on."""
        self.store.is_holding = True
        UnacknowledgedCheck(self.host.chat, self.clock, self.host.now).startService()

    def release(self, *, refused: bool = False) -> None:
        """Let the store continue, with the posts that it holds or without them."""
        self.store.is_holding = False
        self.store.fail_held() if refused else self.store.store_held()

    def settle(self) -> set[str]:
        """End the turn, and the connections that the server closes; return their names."""
        closed: set[str] = set()
        self.clock.advance(0)
        while closing := [
            who
            for who, connection in self.connections.items()
            if connection.transport.disconnecting and not connection.lost
        ]:
            for who in closing:
                self.connections[who].lose()
            closed.update(closing)
            self.clock.advance(0)
        return closed


_EXPECTED = re.compile(r"(?P<who>\w+) (?:(?P<raw><<?)(?: (?P<text>.*))?|(?P<end>is disconnected))")
_SENT = re.compile(r"(?P<who>\w+) (?P<raw>>>?)(?: (?P<text>.*))?")
_ACTIONS: tuple[tuple[str, Callable[[Server, re.Match[str]], object]], ...] = (
    (r"\((\S+) seconds? pass(?:es)?\)", lambda server, it: server.pass_time(float(it[1]))),
    (r"\(the store stands still\)", lambda server, it: server.hold()),
    (r"\(the store goes on\)", lambda server, it: server.release()),
    (r"\(the store refuses what waits\)", lambda server, it: server.release(refused=True)),
    (r"\(with tokens\)", lambda server, it: server.options.update(tokens="")),
    (r"\(chatd ((?:--\S+ .+)+)\)", lambda server, it: configure(server, it[1])),
    (
        r"(\w+) connects",
        lambda server, it: server.by_line(it[1]),
    ),
    (r"(\w+) connects by (tcd|json)", lambda server, it: server.by_program(it[1], it[2])),
    (
        r"(\w+) connects from ([\d.]+)",
        lambda server, it: server.by_line(it[1], it[2]),
    ),
    (
        r"(\w+) connects to the one port(?: from ([\d.]+))?",
        lambda server, it: server.arrive(it[1], it[2] or "192.0.2.1"),
    ),
    (
        r"(\w+) connects by ssh as (.+?)(, with an operator's key|, with another key)?",
        lambda server, it: server.by_ssh(
            it[1], it[2], it[3] == ", with an operator's key", it[3] == ", with another key"
        ),
    ),
    (r"(\w+) sends no more", lambda server, it: end_input(server.of(it[1]))),
    (r"(\w+) is cut off", lambda server, it: server.of(it[1]).lose()),
)


def configure(server: Server, options: str) -> None:
    """Set other options of the server than the defaults."""
    if server.connections:
        raise WrongDocumentError("options stand before everything else")
    name, _, value = options.partition(" ")
    if name not in ("--lobby", "--shouting", "--motd", "--proxy-from", "--student-id"):
        raise WrongDocumentError(f"{name} is not an option that can be played")
    server.options[name] = value


def end_input(connection: Connection) -> None:
    """Close the client's half of a connection."""
    IHalfCloseableProtocol(connection.protocol).readConnectionLost()


def act(server: Server, line: str) -> None:
    """Do what one line of a conversation says."""
    sent = _SENT.fullmatch(line)
    if sent is not None:
        end = b"\n" if sent["raw"] == ">" else b""
        data = on_the_wire(sent["text"] or "", server.numbers) + end
        server.of(sent["who"]).protocol.dataReceived(data)
        return
    for pattern, action in _ACTIONS:
        match = re.fullmatch(pattern, line)
        if match is not None:
            action(server, match)
            return
    raise WrongDocumentError(f"{line!r} is not in the notation")


def steps(conversation: Conversation) -> Iterator[tuple[int, str, Expected]]:
    """Return the steps in order: the line's number, the line, and what it has to cause."""
    current: tuple[int, str, Expected] | None = None
    for number, line in conversation.lines:
        expected = _EXPECTED.fullmatch(line)
        if expected is None:
            if current is not None:
                yield current
            if line:
                current = (number, line, Expected())
            else:
                current = None
        elif current is None:
            raise WrongDocumentError(f"line {number}: nothing is done before {line!r}")
        elif expected["end"]:
            current[2].disconnected.add(expected["who"])
        else:
            sent = (expected["text"] or "", expected["raw"] == "<")
            current[2].sent.setdefault(expected["who"], []).append(sent)
    if current is not None:
        yield current


_NUMBER = re.compile(r"\{\w+'s JOIN_ID\}")


def wanted_bytes(server: Server, lines: list[tuple[str, bool]], end: bytes, got: bytes) -> bytes:
    """Return what should have been received; a new number is taken from what was received."""
    sent = got.split(end) if end else []
    for place, (text, _) in enumerate(lines):
        name = _NUMBER.search(text)
        if name is not None and name[0] not in server.numbers and place < len(sent):
            numbers = re.findall(r"\d+", sent[place].decode())
            server.numbers[name[0]] = numbers[-1] if numbers else "?"
    return b"".join(
        on_the_wire(text, server.numbers) + (end if is_line else b"") for text, is_line in lines
    )


def play(conversation: Conversation) -> None:
    """Play a conversation.

    :raises WrongDocumentError: at the first step after which a connection has not received exactly
        what the document shows, or is closed where the document does not show that.
    """
    server = Server()
    for number, line, expected in steps(conversation):
        try:
            act(server, line)
        except WrongDocumentError as wrong:
            raise WrongDocumentError(f"line {number}: {wrong}") from None
        disconnected = server.settle()
        for who in server.connections.keys() | expected.sent.keys():
            connection = server.connections.get(who)
            got = connection.transport.value() if connection is not None else b""
            end = connection.line_end if connection is not None else b""
            wanted = wanted_bytes(server, expected.sent.get(who, []), end, got)
            if got != wanted:
                raise WrongDocumentError(
                    f"line {number}, {line!r}: {who} is sent\n{as_written(got)}"
                    f"  and the document says\n{as_written(wanted)}"
                )
            if connection is not None:
                connection.transport.clear()
        if disconnected != expected.disconnected:
            raise WrongDocumentError(
                f"line {number}, {line!r}: disconnected are {sorted(disconnected)}, "
                f"and the document says {sorted(expected.disconnected)}"
            )


ALL = conversations(TEXT)


# The conversations --------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("conversation", ALL, ids=lambda conversation: conversation.name)
def test_a_conversation_of_the_document_is_played_back(conversation: Conversation) -> None:
    play(conversation)


def test_every_block_of_conversations_in_the_document_is_found() -> None:
    assert len(ALL) >= 12
    assert len(ALL) == TEXT.count(":class: conversation")
    assert len({conversation.name for conversation in ALL}) == len(ALL)


def test_a_conversation_fails_without_any_one_of_its_sent_lines() -> None:
    for conversation in ALL:
        for gone, (_, line) in enumerate(conversation.lines):
            if _EXPECTED.fullmatch(line):
                lines = conversation.lines[:gone] + conversation.lines[gone + 1 :]
                with pytest.raises(WrongDocumentError):
                    play(Conversation(conversation.name, lines))


GREETING = "ada < -- You are guest1 in lobby, alone so far; /help says what you can do."


@pytest.mark.parametrize(
    "lines",
    [
        ("ada connects",),
        ("ada connects", GREETING.replace("guest1", "guest2")),
        ("ada connects", GREETING.replace("<", "<<")),
        ("ada connects", f"{GREETING} "),
        ("ada connects", GREETING, "ada < more"),
        ("ada connects", GREETING, "bob < hello"),
        ("ada connects", GREETING, "ada is disconnected"),
        ("ada connects", GREETING, "ada > !leave", "ada < -- Goodbye."),
        ("ada connects", GREETING, "ada waves"),
        ("ada connects", GREETING, "bob > hello"),
        ("ada connects", GREETING, "ada is cut off", "ada > hello"),
        ("ada connects", GREETING, "ada connects"),
        ("ada connects", GREETING, "(chatd --shouting kick)"),
        ("(chatd --colour red)", "ada connects", GREETING),
        (GREETING, "ada connects"),
    ],
)
def test_a_wrong_conversation_fails(lines: tuple[str, ...]) -> None:
    with pytest.raises(WrongDocumentError):
        play(Conversation("wrong", tuple(enumerate(lines))))


def test_a_right_conversation_passes() -> None:
    play(Conversation("right", tuple(enumerate(("ada connects", GREETING, "ada is cut off")))))


# The commands -------------------------------------------------------------------------------------


def words_sent() -> set[str]:
    """Return the first word of every line that is sent in a conversation."""
    sent = (_SENT.fullmatch(line) for each in ALL for _, line in each.lines)
    return {(match["text"] or "").partition(" ")[0] for match in sent if match}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_command_is_described_with_its_aliases_and_used(command: Command) -> None:
    aliases = ", ".join(f"``/{alias}``" for alias in command.aliases)
    assert f"\n``{command.usage}``{f' (also {aliases})' if aliases else ''}\n    " in TEXT
    assert f"/{command.name}" in words_sent()


def test_the_document_describes_no_unknown_command() -> None:
    described = re.findall(r"^``/(\w+)", TEXT, re.MULTILINE)
    assert sorted(described) == sorted(command.name for command in COMMANDS)


# The refusals -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Written:
    """A refusal in the source code: patterns of its code word and its sentence."""

    where: str
    code: re.Pattern[str]
    sentence: re.Pattern[str]


def pattern(text: ast.expr) -> re.Pattern[str]:
    """Return the pattern of a string in the source code, with anything for each placeholder."""
    if isinstance(text, ast.Constant):
        return re.compile(re.escape(str(text.value)))
    if isinstance(text, ast.JoinedStr):
        parts = (
            re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".*"
            for part in text.values
        )
        return re.compile("".join(parts))
    raise AssertionError(f"not a string: {ast.unparse(text)}")


def refusals(source: Path) -> Iterator[Written]:
    """Return all ``Refused`` and ``Refusal`` that a module creates."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    named = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func) in ("Refused", "Refusal")):
            continue
        code, sentence = (named.get(ast.unparse(each), each) for each in node.args)
        if not isinstance(code, ast.Attribute):  # Refused.as_event passes its own on
            yield Written(f"{source.name}:{node.lineno}", pattern(code), pattern(sentence))


IN_THE_CODE = [
    refusal
    for package in (chatd.chat, chatd.cluster)
    for folder in package.__path__
    for module in sorted(Path(folder).rglob("*.py"))
    for refusal in refusals(module)
]
IN_THE_DOCUMENT = {
    literals(code)[0]: literals(sentences) for code, sentences in rows("Code words and sentences")
}


@pytest.mark.parametrize("refusal", IN_THE_CODE, ids=lambda refusal: refusal.where)
def test_a_refusal_of_the_code_is_in_the_table(refusal: Written) -> None:
    assert any(
        refusal.code.fullmatch(code) and refusal.sentence.fullmatch(sentence)
        for code, sentences in IN_THE_DOCUMENT.items()
        for sentence in sentences
    )


@pytest.mark.parametrize(
    ("code", "sentence"),
    [(code, sentence) for code, sentences in IN_THE_DOCUMENT.items() for sentence in sentences],
)
def test_a_refusal_of_the_table_is_in_the_code(code: str, sentence: str) -> None:
    assert any(
        refusal.code.fullmatch(code) and refusal.sentence.fullmatch(sentence)
        for refusal in IN_THE_CODE
    )


def test_the_table_of_code_words_is_in_order_and_none_is_without_a_sentence() -> None:
    assert list(IN_THE_DOCUMENT) == sorted(IN_THE_DOCUMENT)
    assert all(IN_THE_DOCUMENT.values())


# Numbers and names --------------------------------------------------------------------------------


def test_the_limits_of_the_document_are_those_of_the_code() -> None:
    flood, new, accounts = Rate(), limits.NEW_PASSWORDS, limits.NEW_ACCOUNTS
    assert {literals(name)[0]: number for name, _, number in rows("Limits")} == {
        "LINE_BYTES": f"{limits.LINE_BYTES} bytes",
        "PASTE_BYTES": f"{limits.PASTE_BYTES} characters",
        "NICK_LENGTH": f"{limits.NICK_LENGTH} characters",
        "ROOM_LENGTH": f"{limits.ROOM_LENGTH} characters",
        "TOPIC_LENGTH": f"{limits.TOPIC_LENGTH} characters",
        "REASON_LENGTH": f"{limits.REASON_LENGTH} characters",
        "ROOMS_PER_PERSON": f"{limits.ROOMS_PER_PERSON}",
        "ROOMS": f"{limits.ROOMS}",
        "IGNORED": f"{limits.IGNORED}",
        "ROOM_INVITATIONS": f"{limits.ROOM_INVITATIONS}",
        "BANS": f"{limits.BANS}",
        "MUTES": f"{limits.MUTES}",
        "SERVER_BANS": f"{limits.SERVER_BANS}",
        "BAN_SECONDS": f"{limits.BAN_SECONDS // 86400} days",
        "BAN_ADDRESS_SECONDS": f"{limits.BAN_ADDRESS_SECONDS} seconds",
        "BAN_MARKS": f"{limits.BAN_MARKS}",
        "SHARED_ADDRESS": f"{limits.SHARED_ADDRESS}",
        "RAID_BANS": f"{limits.RAID_BANS}",
        "ROOM_VOICES": f"{limits.ROOM_VOICES}",
        "ESTABLISHED_SECONDS": f"{limits.ESTABLISHED_SECONDS} seconds",
        "ROOM_OWNER_SECONDS": f"{limits.ROOM_OWNER_SECONDS} seconds",
        "UNUSED_SECONDS": f"{limits.UNUSED_SECONDS} seconds",
        "RESET_PASSWORD_SECONDS": f"{limits.RESET_PASSWORD_SECONDS} seconds",
        "OFFLINE_FROM_SENDER": f"{limits.OFFLINE_FROM_SENDER}",
        "OFFLINE_FROM_GUEST": f"{limits.OFFLINE_FROM_GUEST}",
        "OFFLINE_FROM_GUESTS_OF_ADDRESS": f"{limits.OFFLINE_FROM_GUESTS_OF_ADDRESS}",
        "OFFLINE_BYTES": f"{limits.OFFLINE_BYTES} bytes",
        "ACCOUNTS_SHOWN": f"{limits.ACCOUNTS_SHOWN}",
        "KEY_LENGTH": f"{limits.KEY_LENGTH} characters",
        "AUDIT_ENTRIES": f"{limits.AUDIT_ENTRIES}",
        "AUDIT_SHOWN": f"{limits.AUDIT_SHOWN}",
        "AUDIT_SHOWN_AT_MOST": f"{limits.AUDIT_SHOWN_AT_MOST}",
        "MARKS_PER_CHARACTER": f"{limits.MARKS_PER_CHARACTER}",
        "PERSONAL_BYTES": f"{limits.PERSONAL_BYTES} bytes",
        "LOG_EVENTS": f"{limits.LOG_EVENTS}",
        "HISTORY_EVENTS": f"{limits.HISTORY_EVENTS}",
        "HISTORY_SHOWN": f"{limits.HISTORY_SHOWN}",
        "HISTORY_SHOWN_AT_MOST": f"{limits.HISTORY_SHOWN_AT_MOST}",
        "ROOM_HISTORY": f"{limits.ROOM_HISTORY}",
        "SEARCHES": f"{limits.SEARCHES}",
        "SEARCHES_OF_GUESTS": f"{limits.SEARCHES_OF_GUESTS}",
        "SEARCHES_PER_ADDRESS": f"{limits.SEARCHES_PER_ADDRESS}",
        "SEARCH_SECONDS": f"{limits.SEARCH_SECONDS:g} seconds",
        "EDIT_SECONDS": f"{limits.EDIT_SECONDS} seconds",
        "LISTED": f"{limits.LISTED}",
        "COMPLETION_CANDIDATES": f"{limits.COMPLETION_CANDIDATES}",
        "COMPLETIONS": f"{limits.COMPLETIONS}",
        "PASSWORD_LENGTH": f"{limits.PASSWORD_LENGTH} characters",
        "PASSWORD_BYTES": f"{limits.PASSWORD_BYTES} bytes",
        "LOGIN_TRIES": f"{limits.LOGIN_TRIES}",
        "PASSWORD_PROMPTS": f"{limits.PASSWORD_PROMPTS}",
        "ACCOUNT_CHANGES": f"{limits.ACCOUNT_CHANGES}",
        "LOGIN_WAIT_OF_ADDRESS": f"{limits.LOGIN_WAIT_OF_ADDRESS} seconds",
        "LOGIN_WAIT_OF_ACCOUNT": f"{limits.LOGIN_WAIT_OF_ACCOUNT} seconds",
        "PENDING_PASSWORD_CHECKS": f"{limits.PENDING_PASSWORD_CHECKS}",
        "NEW_PASSWORDS": f"{new.burst}, then one in {1 / new.per_second:g} seconds",
        "NEW_ACCOUNTS": f"{accounts.burst}, then one in {1 / accounts.per_second / 60:g} minutes",
        "SLOW_SECONDS": f"{limits.SLOW_SECONDS} seconds",
        "LINES_PER_ADDRESS": f"{limits.LINES_PER_ADDRESS}",
        "Flood": f"{flood.burst} lines, then {flood.per_second:g} a second",
    }


def test_the_line_editor_is_as_the_document_describes_it() -> None:
    text = " ".join(TEXT.split())
    assert f"the lines that one has entered, up to {HISTORY_LINES} of them" in text
    assert f"up to {limits.LINE_BYTES} bytes and {BLOCK_LINES} lines" in text
    assert f"``{question(5).strip()}``" in text
    for name, ctrl, _alt in BINDINGS:
        if len(name) == 1 and name not in "/":
            assert f"{'Ctrl' if ctrl else 'Alt'}-{name.upper()}" in text


def test_the_preferences_of_the_document_are_those_of_the_code() -> None:
    default = Preferences()
    assert [literals(" ".join(row[:2])) for row in rows("Preferences")] == [
        [name, as_typed(getattr(default, name))] for name in MEANING
    ]


def test_the_reserved_nicks_of_the_document_are_those_of_the_code() -> None:
    [sentence] = re.findall(r"The server keeps (.+?) for\s+itself", TEXT, re.DOTALL)
    assert sorted(literals(sentence)) == sorted(RESERVED)
    [sentence] = re.findall(r"Only operators can take (.+?), and\s+what", TEXT, re.DOTALL)
    assert sorted(literals(sentence)) == sorted(STAFF)


def test_the_document_shows_the_notice_about_a_line_that_is_too_long() -> None:
    assert any(TOO_LONG.text in line for each in ALL for _, line in each.lines)
