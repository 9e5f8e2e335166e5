"""An independent client: Conch's, in memory, with its own key exchange and packets."""

from typing import Any

from twisted.conch.ssh import channel, connection, transport, userauth
from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import StringTransport

from chatd.transport.ssh.keys.public_keys import fingerprint
from tests.support.ssh.peer import ADDRESS, HOST_KEY, USER_KEY, Program, Server


class Login(userauth.SSHUserAuthClient):
    """Logs in with one key."""

    def getPublicKey(self) -> Any:  # noqa: N802
        return None if self.lastPublicKey else USER_KEY.public()

    def getPrivateKey(self) -> Any:  # noqa: N802
        return succeed(USER_KEY)


class Session(channel.SSHChannel):
    """Runs a shell and records its output."""

    name = b"session"

    def channelOpen(self, specificData: bytes) -> None:  # noqa: N803
        self.shown = b""
        self.status = -1
        assert self.conn is not None
        self.conn.sendRequest(self, b"shell", b"", wantReply=1).addCallback(self.begun)

    def begun(self, answer: object) -> None:
        self.write(b"typed")

    def dataReceived(self, data: bytes) -> None:
        self.shown += data

    def request_exit_status(self, data: bytes) -> None:
        self.status = int.from_bytes(data, "big")


class Channels(connection.SSHConnection):
    """Opens one session."""

    def serviceStarted(self) -> None:
        self.session = Session(conn=self)
        self.openChannel(self.session)


class Client(transport.SSHClientTransport):
    """Checks the host key and logs in."""

    def verifyHostKey(self, hostKey: bytes, fingerprint: bytes) -> Deferred[bool]:  # noqa: N802, N803
        assert hostKey == HOST_KEY.public().blob()
        return succeed(True)

    def connectionSecure(self) -> None:  # noqa: N802
        if hasattr(self, "channels"):  # called again after every key exchange
            return
        self.channels = Channels()
        self.requestService(Login(b"ann", self.channels))


def pump(server: Any, near: StringTransport, client: Client, far: StringTransport) -> None:
    """Carry bytes in both directions until there are none."""
    while near.value() or far.value():
        data = near.value()
        near.clear()
        if data:
            client.dataReceived(data)
        data = far.value()
        far.clear()
        if data:
            server.dataReceived(data)


def test_a_conch_client_logs_in_talks_and_rekeys() -> None:
    ssh_server = Server()
    server, client = ssh_server.factory.buildProtocol(ADDRESS), Client()
    near, far = StringTransport(peerAddress=ADDRESS), StringTransport()
    server.makeConnection(near)
    client.makeConnection(far)
    pump(server, near, client, far)
    [peer] = ssh_server.peers
    assert peer.fingerprint == fingerprint(USER_KEY.public().blob())
    assert peer.client.startswith("Twisted_")
    [program] = ssh_server.programs
    assert isinstance(program, Program)
    assert program.input == b"typed"
    program.channel.outbox.write(b"x" * 500_000)  # more than its window
    pump(server, near, client, far)
    session = client.channels.session
    assert session.shown == b"x" * 500_000
    client.sendKexInit()
    session.write(b" after")
    pump(server, near, client, far)
    server.sendKexInit()
    pump(server, near, client, far)
    program.channel.outbox.write(b"goodbye")
    program.channel.finish(4)
    pump(server, near, client, far)
    assert program.input == b"typed after"
    assert session.shown.endswith(b"xgoodbye")
    assert session.status == 4
    assert program.events[-1] == "lost"
