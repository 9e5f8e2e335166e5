"""An SSH client in memory that can break every rule, and a server whose programs take notes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import mlkem
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.conch.ssh.keys import Key
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from chatd.transport.ssh.keys.public_keys import signed_message
from chatd.transport.ssh.protocol.channel import SessionChannel
from chatd.transport.ssh.protocol.ciphers import PacketCipher, Plaintext, packet_cipher
from chatd.transport.ssh.protocol.config import ServerConfig
from chatd.transport.ssh.protocol.factory import SSHFactory
from chatd.transport.ssh.protocol.interfaces import SshChannel
from chatd.transport.ssh.protocol.peer import SshPeer
from chatd.wire.ssh import Fields, names, string, uint32

ADDRESS = IPv4Address("TCP", "192.0.2.7", 2222)
HOST_KEY = Key(Ed25519PrivateKey.generate())
USER_KEY = Key(Ed25519PrivateKey.generate())
VERSION = b"SSH-2.0-peer_1.0"

DISCONNECT, KEXINIT, NEWKEYS, KEX_INIT, KEX_REPLY = 1, 20, 21, 30, 31
SERVICE_REQUEST, SERVICE_ACCEPT, EXT_INFO = 5, 6, 7
AUTH_REQUEST, AUTH_FAILURE, AUTH_SUCCESS, BANNER, PK_OK = 50, 51, 52, 53, 60
OPEN, CONFIRMATION, OPEN_FAILURE, ADJUST, DATA, EXTENDED, EOF, CLOSE = range(90, 98)
REQUEST, SUCCESS, FAILURE = 98, 99, 100


@dataclass
class Program:
    """A program that records its input and its events."""

    channel: SessionChannel
    command: str | None
    input: bytes = b""
    events: list[object] = field(default_factory=list)

    def data_received(self, data: bytes) -> None:
        self.input += data

    def resized(self, columns: int, rows: int) -> None:
        self.events.append((columns, rows))

    def interrupted(self) -> None:
        self.events.append("interrupted")

    def input_ended(self) -> None:
        self.events.append("input ended")

    def ready(self) -> None:
        self.events.append("ready")

    def answered(self) -> None:
        self.events.append("answered")

    def lost(self) -> None:
        self.events.append("lost")


class Server:
    """An SSH server that records who logged in and what was started."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.peers: list[SshPeer] = []
        self.programs: list[Program] = []
        self.addresses: list[IAddress] = []
        self.refusal: str | None = None
        self.on_start: Callable[[Program], None] = lambda program: None
        self.factory = SSHFactory(
            ServerConfig(HOST_KEY, self.clock, self.admit, self.start, login_seconds=30)
        )

    def admit(self, peer: SshPeer, address: IAddress) -> str | None:
        self.peers.append(peer)
        self.addresses.append(address)
        return self.refusal

    def start(self, channel: SshChannel, command: str | None) -> Program | None:
        assert isinstance(channel, SessionChannel)
        if command == "refused":
            return None
        program = Program(channel, command)
        self.programs.append(program)
        self.on_start(program)
        return program


@dataclass
class Peer:
    """The client's end of one connection; ``got`` has the packets that the server has sent."""

    server: Server = field(default_factory=Server)
    kex: bytes = b"curve25519-sha256"
    cipher: bytes = b"aes128-gcm@openssh.com"
    mac: bytes = b"hmac-sha2-256-etm@openssh.com"
    strict: bool = True
    extensions: tuple[bytes, ...] = (b"ext-info-c",)
    compression: bytes = b"none"
    host_key: bytes = b"ssh-ed25519"
    guess: bytes = b"\0"
    address: IPv4Address = ADDRESS

    def __post_init__(self) -> None:
        self.clock = self.server.clock
        self.wire = StringTransport(peerAddress=self.address)
        self.protocol = self.server.factory.buildProtocol(self.address)
        self.protocol.makeConnection(self.wire)
        self.sealer: PacketCipher = Plaintext()
        self.opener: PacketCipher = Plaintext()
        self.got: list[tuple[int, bytes]] = []
        self.session = b""
        self.server_version = b""
        self.server_kexinit = b""
        self._unread = b""
        self._next_opener: PacketCipher | None = None
        self._bytes_sent: list[bytes] = []

    # bytes and packets

    def feed(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._bytes_sent.append(data)
        self.protocol.dataReceived(data)
        self.read()

    def send(self, number: int, payload: bytes = b"") -> None:
        """Send a packet."""
        self.feed(self.sealer.seal(bytes((number,)) + payload))

    def read(self) -> None:
        """Decrypt what the server has written."""
        data, at = self._unread + self.wire.value(), 0
        self.wire.clear()
        if not self.server_version:
            self.server_version, _, data = data.partition(b"\r\n")
        while (packet := self.opener.open(data, at)) is not None:
            payload, at = packet
            self.got.append((payload[0], payload[1:]))
            if payload[0] == KEXINIT:
                self.server_kexinit = payload
            if payload[0] == KEX_REPLY:
                self._finish(payload[1:])
            if payload[0] == NEWKEYS:
                assert self._next_opener is not None
                self._next_opener.sequence = 0 if self.strict else self.opener.sequence
                self.opener = self._next_opener
        self._unread = data[at:]

    def take(self) -> list[tuple[int, bytes]]:
        """Return the packets that the server has sent since the last call."""
        self.read()
        got, self.got = self.got, []
        return got

    def numbers(self) -> list[int]:
        """Return the numbers of the messages that the server has sent since the last `take`."""
        return [number for number, _ in self.take()]

    def is_gone(self) -> bool:
        """Return whether the server has closed the connection."""
        gone: bool = self.wire.disconnecting
        return gone

    def hang_up(self) -> None:
        """Lose the connection; as in Twisted, its transport then forgets its producer."""
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.wire.producer = None

    # the key exchange

    def kexinit(self) -> bytes:
        """Return the payload of our KEXINIT."""
        kex = [self.kex, *self.extensions]
        if self.strict:
            kex.append(b"kex-strict-c-v00@openssh.com")
        return (
            os.urandom(16) + names(*kex) + names(self.host_key)
            + 2 * names(self.cipher) + 2 * names(self.mac) + 2 * names(self.compression)
            + 2 * names() + self.guess + uint32(0)
        )  # fmt: skip

    def begin(self) -> None:
        """Send our identification line and our KEXINIT."""
        if not self._bytes_sent:
            self.feed(VERSION + b"\r\n")
        self.offer = bytes((KEXINIT,)) + self.kexinit()
        self.send(KEXINIT, self.offer[1:])

    def share(self) -> None:
        """Send our share of the shared secret."""
        self.x25519 = X25519PrivateKey.generate()
        self.public = self.x25519.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        if self.kex.startswith(b"mlkem"):
            self.mlkem = mlkem.MLKEM768PrivateKey.generate()
            self.public = self.mlkem.public_key().public_bytes_raw() + self.public
        self.send(KEX_INIT, string(self.public))

    def _finish(self, reply: bytes) -> None:
        """Derive the keys from the server's share."""
        fields = Fields(reply)
        host, theirs, _ = fields.string(), fields.string(), fields.string()
        if self.kex.startswith(b"mlkem"):
            secret = self.mlkem.decapsulate(theirs[:-32]) + self._x25519(theirs[-32:])
            shared = string(hashlib.sha256(secret).digest())
        else:
            number = self._x25519(theirs).lstrip(b"\0")
            shared = string(b"\0" + number if number[0] & 0x80 else number)
        parts = (VERSION, self.server_version, self.offer, self.server_kexinit, host)
        transcript = b"".join(map(string, (*parts, self.public, theirs))) + shared
        digest = hashlib.sha256(transcript).digest()
        self.check_signature(fields_signature(reply), digest)
        self.session = self.session or digest

        def key(letter: bytes) -> bytes:
            first = hashlib.sha256(shared + digest + letter + self.session).digest()
            return first + hashlib.sha256(shared + digest + first).digest()

        self._next_opener = packet_cipher(self.cipher, self.mac, key(b"D"), key(b"B"), key(b"F"))
        self._next_sealer = packet_cipher(self.cipher, self.mac, key(b"C"), key(b"A"), key(b"E"))

    def check_signature(self, signature: bytes, digest: bytes) -> None:
        """Check that the server has the key that it should."""
        assert HOST_KEY.public().verify(signature, digest)

    def _x25519(self, public: bytes) -> bytes:
        return self.x25519.exchange(X25519PublicKey.from_public_bytes(public))

    def newkeys(self) -> None:
        """Use our new keys."""
        self.send(NEWKEYS)
        self._next_sealer.sequence = 0 if self.strict else self.sealer.sequence
        self.sealer = self._next_sealer

    def exchange(self) -> Peer:
        """Exchange keys as the protocol requires."""
        self.begin()
        self.share()
        self.newkeys()
        return self

    # the login

    def ask_service(self, name: bytes = b"ssh-userauth") -> Peer:
        """Request a service."""
        self.send(SERVICE_REQUEST, string(name))
        return self

    def try_none(self, user: bytes = b"ann") -> None:
        """Try to log in by the method "none"."""
        self.send(AUTH_REQUEST, string(user) + string(b"ssh-connection") + string(b"none"))

    def try_keyboard(self, user: bytes = b"ann") -> None:
        """Try to log in by keyboard-interactive."""
        method = string(b"keyboard-interactive") + string(b"") + string(b"")
        self.send(AUTH_REQUEST, string(user) + string(b"ssh-connection") + method)

    def offer_key(self, blob: bytes, algorithm: bytes = b"ssh-ed25519") -> None:
        """Ask whether a key is acceptable."""
        method = string(b"publickey") + b"\0" + string(algorithm) + string(blob)
        self.send(AUTH_REQUEST, string(b"ann") + string(b"ssh-connection") + method)

    def prove_key(self, blob: bytes, signature: bytes, algorithm: bytes = b"ssh-ed25519") -> None:
        """Try to log in by a key and its signature."""
        method = string(b"publickey") + b"\1" + string(algorithm) + string(blob)
        fields = string(b"ann") + string(b"ssh-connection") + method + string(signature)
        self.send(AUTH_REQUEST, fields)

    def message(self, blob: bytes, algorithm: bytes = b"ssh-ed25519") -> bytes:
        """Return the message that a signature must cover."""
        return signed_message(self.session, b"ann", b"ssh-connection", algorithm, blob)

    def login(self, key: Key | None = None) -> Peer:
        """Log in, with a key or without."""
        self.exchange().ask_service()
        if key is None:
            self.try_keyboard()
        else:
            blob = key.public().blob()
            self.prove_key(blob, key.sign(self.message(blob)))
        return self

    # channels

    def open(
        self, *, window: int = 1 << 20, packet: int = 32768, kind: bytes = b"session", mine: int = 7
    ) -> int:
        """Open a channel; return the server's number for it, or -1."""
        self.take()
        self.send(OPEN, string(kind) + uint32(mine) + uint32(window) + uint32(packet))
        for number, payload in self.got:
            if number == CONFIRMATION:
                assert payload[:4] == uint32(mine)
                return int.from_bytes(payload[4:8], "big")
        return -1

    def request(
        self, channel: int, kind: bytes, data: bytes = b"", reply: bool = True
    ) -> list[int]:
        """Send a request for a channel; return the numbers of the messages that came back."""
        self.take()
        self.send(REQUEST, uint32(channel) + string(kind) + bytes((reply,)) + data)
        return [number for number, _ in self.got]

    def type(self, channel: int, data: bytes) -> None:
        """Send input."""
        self.send(DATA, uint32(channel) + string(data))

    def shell(self, *, window: int = 1 << 20, packet: int = 32768) -> tuple[int, Program]:
        """Open a channel with a shell in it."""
        channel = self.open(window=window, packet=packet)
        assert SUCCESS in self.request(channel, b"shell")
        return channel, self.server.programs[-1]

    def output(self) -> bytes:
        """Return what was written to the channels since the last `take`."""
        return b"".join(Fields(data[4:]).string() for number, data in self.take() if number == DATA)

    # the wire

    def fill(self) -> None:
        """Make the server's transport full."""
        assert self.wire.producer is not None
        self.wire.producer.pauseProducing()

    def drain(self) -> None:
        """Give it room again."""
        assert self.wire.producer is not None
        self.wire.producer.resumeProducing()
        self.read()

    def reason(self) -> str:
        """Return why the server disconnected; check that nothing follows its one DISCONNECT."""
        sent = self.take()
        assert [number for number, _ in sent].count(DISCONNECT) == 1
        assert sent[-1][0] == DISCONNECT
        assert self.is_gone()
        fields = Fields(sent[-1][1])
        fields.uint32()
        return fields.string().decode()


def fields_signature(reply: bytes) -> bytes:
    """Return the signature in a reply to our share."""
    fields = Fields(reply)
    fields.string()
    fields.string()
    return fields.string()
