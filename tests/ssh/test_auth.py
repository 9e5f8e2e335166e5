"""User authentication: keys, users without keys, attempts, refusals."""

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.keys import Key

from chatd.transport.ssh.keys.public_keys import fingerprint
from chatd.transport.ssh.protocol.auth import MAX_ATTEMPTS
from chatd.transport.ssh.protocol.peer import client_name
from chatd.wire.ssh import Fields, string, uint32
from tests.support.ssh.peer import (
    ADDRESS,
    AUTH_FAILURE,
    AUTH_REQUEST,
    AUTH_SUCCESS,
    BANNER,
    DISCONNECT,
    OPEN,
    PK_OK,
    SERVICE_ACCEPT,
    SERVICE_REQUEST,
    USER_KEY,
    Peer,
    Server,
)

BLOB = USER_KEY.public().blob()


def before_login() -> Peer:
    peer = Peer().exchange().ask_service()
    assert peer.numbers()[-1] == SERVICE_ACCEPT
    return peer


def test_the_first_none_request_is_answered_with_the_methods() -> None:
    peer = before_login()
    peer.try_none()
    [(number, payload)] = peer.take()
    assert number == AUTH_FAILURE
    assert payload == string(b"publickey,keyboard-interactive,password") + b"\0"
    peer.try_none()
    assert peer.numbers() == [AUTH_SUCCESS]
    [client] = peer.server.peers
    assert (client.user, client.key, client.fingerprint) == ("ann", None, None)


def test_a_user_without_a_key_comes_in_without_a_question() -> None:
    peer = before_login()
    peer.try_keyboard()
    assert peer.numbers() == [AUTH_SUCCESS]
    assert peer.server.peers[0].key is None


def test_an_acceptable_key_and_its_signature_log_in() -> None:
    peer = before_login()
    peer.try_none()
    peer.take()
    peer.offer_key(BLOB)
    assert peer.take() == [(PK_OK, string(b"ssh-ed25519") + string(BLOB))]
    peer.prove_key(BLOB, USER_KEY.sign(peer.message(BLOB)))
    assert peer.numbers() == [AUTH_SUCCESS]
    [client] = peer.server.peers
    assert client.key == BLOB
    assert client.fingerprint == fingerprint(BLOB)
    assert client.client == "peer_1.0"
    assert peer.server.addresses == [ADDRESS]


def test_an_rsa_key_logs_in_with_sha2_and_not_with_sha1() -> None:
    key = Key(rsa.generate_private_key(65537, 2048))
    blob = key.public().blob()
    peer = before_login()
    peer.offer_key(blob, b"ssh-rsa")
    assert peer.numbers() == [AUTH_FAILURE]
    peer.prove_key(blob, key.sign(peer.message(blob, b"ssh-rsa"), b"ssh-rsa"), b"ssh-rsa")
    assert peer.numbers() == [AUTH_FAILURE]
    message = peer.message(blob, b"rsa-sha2-512")
    peer.prove_key(blob, key.sign(message, b"rsa-sha2-256"), b"rsa-sha2-512")
    assert peer.numbers() == [AUTH_FAILURE]
    peer.prove_key(blob, key.sign(message, b"rsa-sha2-512"), b"rsa-sha2-512")
    assert peer.numbers() == [AUTH_SUCCESS]


def test_a_signature_of_another_key_or_session_fails() -> None:
    other = Key(Ed25519PrivateKey.generate())
    peer = before_login()
    for signature in (
        other.sign(peer.message(BLOB)),
        USER_KEY.sign(b"x" + peer.message(BLOB)),
        USER_KEY.sign(Peer().exchange().message(BLOB)),  # of another session
        b"",
        string(b"ssh-ed25519") + string(bytes(64)),
        bytes(40),
    ):
        peer.prove_key(BLOB, signature)
        assert peer.numbers() == [AUTH_FAILURE]
    assert peer.server.peers == []
    peer.try_keyboard()
    assert peer.server.peers[0].key is None


def test_an_invalid_key_is_only_a_failed_attempt() -> None:
    peer = before_login()
    for blob in (b"", b"x", BLOB + b"x", BLOB[:-1], string(b"ssh-ed25519") + string(b"short")):
        peer.offer_key(blob)
        assert peer.numbers() == [AUTH_FAILURE]


@pytest.mark.parametrize("password", [b"", b"secret", b"\xff" * 1000])
def test_a_client_that_knows_only_passwords_logs_in_with_any_as_a_guest(password: bytes) -> None:
    peer = before_login()
    method = string(b"password") + b"\0" + string(password)
    peer.send(AUTH_REQUEST, string(b"ann") + string(b"ssh-connection") + method)
    assert peer.numbers() == [AUTH_SUCCESS]
    [client] = peer.server.peers
    assert (client.user, client.key) == ("ann", None)


@pytest.mark.parametrize("user", [b"deploy+guest", b"+guest", b"deploy+plain+guest"])
def test_a_user_name_that_asks_for_a_guest_is_admitted_by_none(user: bytes) -> None:
    peer = before_login()
    peer.try_none(user)
    assert peer.numbers() == [AUTH_SUCCESS]
    [client] = peer.server.peers
    assert (client.user, client.key) == (user.decode(), None)


@pytest.mark.parametrize("user", [b"guest", b"deploy+guests", b"deploy+plain", b"deploy"])
def test_every_other_user_name_may_still_offer_a_key(user: bytes) -> None:
    peer = before_login()
    peer.try_none(user)
    assert peer.numbers() == [AUTH_FAILURE]


@pytest.mark.parametrize("again", [False, True])
def test_too_many_attempts_end_the_connection(again: bool) -> None:
    """Stock Conch counts in the service, and a new service request resets the count."""
    peer = before_login()
    for _ in range(MAX_ATTEMPTS):
        peer.prove_key(BLOB, string(b"ssh-ed25519") + string(bytes(64)))
    assert peer.numbers() == [AUTH_FAILURE] * MAX_ATTEMPTS
    if again:
        peer.ask_service()
        assert peer.reason() == "no such service now"
    else:
        peer.try_keyboard()
        assert peer.reason() == "too many attempts"
    assert peer.server.peers == []


def test_attempts_in_one_write_are_answered_one_by_one_and_only_one_succeeds() -> None:
    peer = before_login()
    request = string(b"ann") + string(b"ssh-connection") + string(b"none")
    packet = bytes((AUTH_REQUEST,)) + request
    peer.feed(b"".join(peer.sealer.seal(packet) for _ in range(50)))
    assert peer.numbers() == [AUTH_FAILURE, AUTH_SUCCESS]
    assert len(peer.server.peers) == 1
    assert not peer.is_gone()


def test_a_second_login_on_a_connection_is_ignored() -> None:
    """Stock Conch accepts the second login and never logs out the first."""
    peer = Peer().login()
    channel, program = peer.shell()
    peer.take()
    peer.prove_key(BLOB, USER_KEY.sign(peer.message(BLOB)))
    peer.try_none(b"bob")
    assert peer.numbers() == []
    assert len(peer.server.peers) == 1
    peer.type(channel, b"still here")
    assert program.input == b"still here"
    peer.ask_service()
    assert peer.reason() == "no such service now"
    peer.hang_up()
    assert program.events == ["lost"]


@pytest.mark.parametrize("name", [b"ssh-connection", b"", b"ssh-userauth\0", b"x" * 1000])
def test_no_service_but_user_authentication_can_be_requested(name: bytes) -> None:
    peer = Peer().exchange()
    peer.take()
    peer.ask_service(name)
    assert peer.reason() == "no such service now"


def test_a_login_for_another_service_ends_the_connection() -> None:
    peer = before_login()
    peer.send(AUTH_REQUEST, string(b"ann") + string(b"ssh-userauth") + string(b"none"))
    assert peer.reason() == "no such service"


@pytest.mark.parametrize("number", [51, 52, 60, 61, 80, OPEN, 98])
def test_messages_of_the_channels_are_not_accepted_before_the_login(number: int) -> None:
    early = Peer().exchange()
    early.take()
    early.send(number, uint32(0))
    assert "before a service" in early.reason()
    peer = before_login()
    peer.send(number, uint32(0))
    assert peer.numbers() == [3]
    assert peer.protocol.connection is None


def test_a_refused_user_is_told_why() -> None:
    server = Server()
    server.refusal = "You are banned until tomorrow."
    peer = Peer(server).login(USER_KEY)
    banner, goodbye = peer.take()[-2:]
    assert banner == (BANNER, string(b"You are banned until tomorrow.\r\n") + string(b""))
    assert goodbye[0] == DISCONNECT
    assert Fields(goodbye[1][4:]).string() == b"You are banned until tomorrow."
    assert peer.is_gone()
    assert peer.protocol.connection is None


def test_a_user_name_is_cut_and_decoded_and_otherwise_unchanged() -> None:
    peer = before_login()
    peer.try_keyboard(b"\xff\x1b[2J" + b"x" * 1000)
    [client] = peer.server.peers
    assert client.user == "\N{REPLACEMENT CHARACTER}\x1b[2J" + "x" * 251


def test_a_client_version_in_the_log_is_printable_ascii() -> None:
    name = client_name(b"SSH-2.0-\x1b[2J\xff" + b"x" * 200)
    assert name.isascii()
    assert name.isprintable()
    assert len(name) == 80


def test_a_client_that_does_not_log_in_in_time_is_disconnected() -> None:
    """Stock Conch waits ten hours, and for ever when no service is requested."""
    silent, halfway = Peer(), Peer()
    halfway.exchange().ask_service()
    for peer in (silent, halfway):
        peer.clock.advance(29.9)
        if peer is halfway:
            peer.try_none()
        assert not peer.is_gone()
        peer.clock.advance(0.2)
        peer.read()
        assert peer.is_gone()
        assert not peer.clock.getDelayedCalls()


def test_a_login_in_time_cancels_the_timeout() -> None:
    peer = Peer().login()
    peer.shell()
    peer.clock.advance(31)
    assert not peer.is_gone()


def test_a_truncated_request_is_one_disconnect() -> None:
    blob = USER_KEY.public().blob()
    whole = string(b"ann") + string(b"ssh-connection") + string(b"publickey")
    whole += b"\1" + string(b"ssh-ed25519") + string(blob) + string(bytes(83))
    for cut in range(len(whole)):
        peer = before_login()
        peer.send(AUTH_REQUEST, whole[:cut])
        assert "a packet" in peer.reason()


def test_a_truncated_service_request_ends_the_connection() -> None:
    peer = Peer().exchange()
    peer.take()
    peer.send(SERVICE_REQUEST, b"\0\0\0\xffssh")
    assert "in the middle" in peer.reason()
