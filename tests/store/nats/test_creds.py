"""Credentials, keys and certificates for NATS, and their renewal."""

from __future__ import annotations

import base64
import binascii
import json
import os
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chatd.store.nats.client import servers
from chatd.store.nats.client.creds import read_creds
from chatd.store.nats.jetstream.layout import UnfitError
from chatd.store.nats.store import NatsStore
from tests.docs.test_cluster import certify
from tests.support.cluster.nats import NatsServer
from tests.support.cluster.stores import Node, said
from tests.support.main_thread import TestMainThread, wait_for

OPERATOR, ACCOUNT, USER, SEED = 14 << 3, 0, 20 << 3, 18 << 3


def encode_key(*raw: bytes) -> str:
    """Return a key as NATS writes it."""
    data = b"".join(raw)
    data += binascii.crc_hqx(data, 0).to_bytes(2, "little")
    return base64.b32encode(data).decode().rstrip("=")


class Key:
    """A key of an operator, an account or a user."""

    def __init__(self, kind: int) -> None:
        self._kind = kind
        self._key = Ed25519PrivateKey.generate()
        self.public = encode_key(bytes([kind]), self._key.public_key().public_bytes_raw())
        head = bytes([SEED | kind >> 5, (kind & 31) << 3])
        self.seed = encode_key(head, self._key.private_bytes_raw())

    def issue(self, subject: Key, what: str, **claims: object) -> str:
        """Return a JWT for a key, signed with this one."""
        body = {
            "jti": os.urandom(8).hex(),
            "iat": int(time.time()),
            "iss": self.public,
            "sub": subject.public,
            "name": what,
            "nats": {"type": what, "version": 2, **claims},
        }
        parts = [_pack({"typ": "JWT", "alg": "ed25519-nkey"}), _pack(body)]
        signed = ".".join(parts)
        return f"{signed}.{_base64(self._key.sign(signed.encode()))}"


def _pack(value: object) -> str:
    return _base64(json.dumps(value).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class OperatorServer(NatsServer):
    """A server that trusts an operator, who has one account."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.operator, self.account, self.system = Key(OPERATOR), Key(ACCOUNT), Key(ACCOUNT)

    def configuration(self, own_route: int) -> str:
        streams = {"disk_storage": -1, "mem_storage": -1, "streams": -1, "consumer": -1}
        usual = {"subs": -1, "conn": -1, "leaf": -1, "imports": -1, "exports": -1, "data": -1}
        limits = {**usual, "payload": -1, "wildcards": True}
        accounts = {
            key.public: self.operator.issue(key, "account", limits={**limits, **more})
            for key, more in ((self.account, streams), (self.system, {}))
        }
        operator = self.operator.issue(self.operator, "operator", system_account=self.system.public)
        preloaded = "\n".join(f"{key}: {token}" for key, token in accounts.items())
        return (
            f'listen: "127.0.0.1:{self.port}"\nports_file_dir: "{self.folder}"\n'
            f'jetstream {{store_dir: "{self.folder}/js"}}\noperator: {operator}\n'
            f"system_account: {self.system.public}\n"
            f"resolver: MEMORY\nresolver_preload: {{\n{preloaded}\n}}\n"
        )

    def write_creds(self, path: Path, name: str = "user", by: Key | None = None) -> None:
        """Write credentials of a new user of the account, or ``by`` another."""
        user = Key(USER)
        unlimited = {"subs": -1, "data": -1, "payload": -1}
        token = (by or self.account).issue(user, name, **unlimited)
        path.write_text(
            f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
            "************************* IMPORTANT *************************\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
        )


class NkeyServer(NatsServer):
    """A server that knows one user by a public key."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.key = Key(USER)

    def configuration(self, own_route: int) -> str:
        return (
            f'listen: "127.0.0.1:{self.port}"\nports_file_dir: "{self.folder}"\n'
            f'jetstream {{store_dir: "{self.folder}/js"}}\n'
            f"accounts {{A: {{jetstream: enabled, users: [{{nkey: {self.key.public}}}]}}}}\n"
        )


@pytest.fixture
def run_server(tmp_path: Path) -> Iterator[Callable[[NatsServer], NatsServer]]:
    started: list[NatsServer] = []

    def run(server: NatsServer) -> NatsServer:
        server.start()
        started.append(server)
        return server

    yield run
    for server in started:
        server.kill()


def servers_at(server: NatsServer, path: Path) -> servers.Servers:
    return servers.Servers((f"nats://127.0.0.1:{server.port}",), creds=read_creds(str(path)))


def post_and_wait(node: Node, message_id: str) -> None:
    node.store.post("lobby", message_id, said("hello"))
    node.run_until(
        lambda: node.stored_events[-1:] != [] and node.stored_events[-1][1] == message_id
    )


def test_credentials_are_read_again_at_a_reconnect(
    tmp_path: Path, run_server: Callable[[NatsServer], NatsServer]
) -> None:
    server, path = OperatorServer(tmp_path), tmp_path / "chat1.creds"
    server.write_creds(path)
    run_server(server)
    node = Node(servers_at(server, path), TestMainThread())
    post_and_wait(node, "1")
    old = path.read_text()
    server.write_creds(path)
    assert path.read_text() != old
    server.kill(signal.SIGTERM)
    server.start()
    post_and_wait(node, "2")
    path.write_text("nothing of the kind")
    server.kill(signal.SIGTERM)
    server.start()
    post_and_wait(node, "3")
    wait_for(node.store.close())


def test_credentials_of_another_account_are_refused(
    tmp_path: Path,
    run_server: Callable[[NatsServer], NatsServer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chatd.store.nats.store.CONNECT_SECONDS", 0.5)
    server, path = OperatorServer(tmp_path), tmp_path / "chat1.creds"
    server.write_creds(path, by=Key(ACCOUNT))
    run_server(server)
    with pytest.raises(UnfitError, match="Authorization Violation"):
        NatsStore(servers_at(server, path), TestMainThread()).begin()


def test_a_seed_alone_identifies_a_user(
    tmp_path: Path, run_server: Callable[[NatsServer], NatsServer]
) -> None:
    server, path = NkeyServer(tmp_path), tmp_path / "seed"
    path.write_text(f"{server.key.seed}\n")
    run_server(server)
    node = Node(servers_at(server, path), TestMainThread())
    post_and_wait(node, "1")
    wait_for(node.store.close())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no seed of NATS, or a damaged one"),
        ("ada:password\n", "has no seed of NATS, or a damaged one"),
        (Key(USER).seed[:-1] + "1", "has no seed of NATS, or a damaged one"),
        (Key(USER).public, "has no seed of NATS, or a damaged one"),
        (Key(ACCOUNT).seed, "has a seed that is not a user's"),
        (
            f"-----BEGIN USER NKEY SEED-----\n{Key(USER).seed}\n------END USER NKEY SEED------",
            "has a token or a seed, but not both",
        ),
    ],
    ids=["empty", "a login", "a damaged seed", "a public key", "an account's seed", "no token"],
)
def test_invalid_credentials_are_reported_in_a_sentence(
    tmp_path: Path, text: str, why: str
) -> None:
    path = tmp_path / "creds"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"{path} {why}$"):
        read_creds(str(path))


def shown_name(context: ssl.SSLContext, folder: Path) -> str:
    """Return the name in the certificate that a context shows to another side."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.pem"))
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_cert_chain(folder / "nats-chat1.pem", folder / "nats-chat1.key")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    other = server.wrap_bio(to_server, to_client, server_side=True)
    for end in (client, other, client, other):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    certificate = other.getpeercert()
    assert certificate is not None
    return str(dict(certificate["subject"][0])["commonName"])  # type: ignore[arg-type]


def test_a_newer_certificate_is_used_at_the_next_connection(
    tmp_path: Path, client: Callable[[str], str]
) -> None:
    certify(tmp_path, client)
    path = tmp_path / "node.pem"
    path.write_bytes((tmp_path / "chat1.pem").read_bytes())
    context = servers.tls(str(tmp_path / "ca.pem"), str(path))
    assert context is not None
    assert shown_name(context, tmp_path) == "chat1"
    new = (tmp_path / "chat2.pem").read_bytes()
    (tmp_path / "half").write_bytes(b"not a certificate")
    (tmp_path / "half").rename(path)
    assert shown_name(context, tmp_path) == "chat1"
    (tmp_path / "whole").write_bytes(new)
    (tmp_path / "whole").rename(path)
    assert shown_name(context, tmp_path) == "chat2"
