"""Strangers: what clients of other protocols send is answered with a sentence and never posted."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from chatd.transport.gate.gate import PROBE_SECONDS, SILENCE_SECONDS
from chatd.transport.gate.strangers import (
    HTTP_REFUSAL,
    OTHER_REFUSAL,
    PROXY_REFUSAL,
    SSH_REFUSAL,
    TLS_REFUSAL,
)
from tests.support.memory_server import MemoryServer
from tests.support.served import PATIENCE, Served

V1 = b"PROXY TCP4 203.0.113.5 192.0.2.1 50000 1134\r\n"
V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x05\xc0\0\x02\x01\xc3\x50\x04\x6e"
KEXINIT = b"\0\0\x05\xdc\x06\x14" + bytes(16)

STRANGERS = {
    "PROXY 1": (V1 + b"hello\r\n", PROXY_REFUSAL),
    "PROXY 1, IPv6": (b"PROXY TCP6 2001:db8::5 2001:db8::1 50000 1134\r\n", PROXY_REFUSAL),
    "PROXY 1, unknown": (b"PROXY UNKNOWN\r\nhello\r\n", PROXY_REFUSAL),
    "PROXY 2": (V2 + b"hello\r\n", PROXY_REFUSAL),
    "TLS": (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(32), TLS_REFUSAL),
    "HTTP": (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", HTTP_REFUSAL),
    "HTTP 2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP_REFUSAL),
    "SIP": (b"OPTIONS sip:nm SIP/2.0\r\nVia: SIP/2.0/TCP nm\r\n\r\n", OTHER_REFUSAL),
    "RTSP": (b"OPTIONS / RTSP/1.0\r\n\r\n", OTHER_REFUSAL),
    "SMTP": (b"EHLO mail.example.net\r\n", OTHER_REFUSAL),
    "LMTP": (b"LHLO mail.example.net\r\n", OTHER_REFUSAL),
    "Redis": (b"*1\r\n$4\r\nPING\r\n", OTHER_REFUSAL),
    "IRC": (b"CAP LS 302\r\nNICK ada\r\nUSER ada 0 * :Ada\r\n", OTHER_REFUSAL),
    "IRC, of old": (b"NICK ada\r\nUSER ada 0 * :Ada\r\n", OTHER_REFUSAL),
    "IRC, with a password": (b"PASS hunter2\r\nNICK ada\r\nUSER ada 0 * :Ada\r\n", OTHER_REFUSAL),
    "RDP": (b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0", OTHER_REFUSAL),
    "X11": (b"l\0\x0b\0\0\0\0\0\0\0\0\0", OTHER_REFUSAL),
    "SMB": (b"\0\0\0\x85\xffSMBr\0\0\0\0\x18S\xc8" + bytes(20), OTHER_REFUSAL),
    "PostgreSQL": (b"\0\0\0\x08\x04\xd2\x16\x2f", OTHER_REFUSAL),
    "MQTT": (b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04abcd", OTHER_REFUSAL),
    "AMQP": (b"AMQP\0\0\x09\x01", OTHER_REFUSAL),
    "LDAP": (b"0\x84\0\0\0\x2d\x02\x01\x07", OTHER_REFUSAL),
    "DNS": (
        b"\0\x1e\0\x06\x01\0\0\x01\0\0\0\0\0\0\x07version\x04bind\0\0\x10\0\x03",
        OTHER_REFUSAL,
    ),
    "SOCKS 5": (b"\x05\x01\0", OTHER_REFUSAL),
    "BitTorrent": (b"\x13BitTorrent protocol" + bytes(8), OTHER_REFUSAL),
    "JDWP": (b"JDWP-Handshake", OTHER_REFUSAL),
}
SSH = {
    "ssh 2": (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", SSH_REFUSAL),
    "ssh 2, with its first packet": (b"SSH-2.0-Go\r\n" + KEXINIT, SSH_REFUSAL),
    "ssh 1.99": (b"SSH-1.99-OpenSSH_3.4\r\n", SSH_REFUSAL),
    "ssh 1": (b"SSH-1.5-OpenSSH_1.2\n", SSH_REFUSAL),
}


def at_once(server: MemoryServer, data: bytes) -> bytes:
    connection = server.connects()
    connection.sends(data)
    assert connection.closed
    return connection.receives()


def late(server: MemoryServer, data: bytes) -> bytes:
    connection = server.connects()
    connection.stays_silent(), connection.receives(), connection.sends(data)
    assert connection.closed
    return connection.receives()


def _lobby(server: MemoryServer) -> Callable[[], bytes]:
    """Return what gives the text that somebody in the lobby has read since, joins left out."""
    listener = server.connects()
    listener.sends(b"/nick bob\r\n"), server.clock.advance(1), listener.receives()
    return lambda: b"".join(
        line for line in listener.receives().splitlines(True) if not line.startswith(b"-- guest")
    )


@pytest.mark.parametrize("declared", [None, "line", "telnet"])
@pytest.mark.parametrize("arrives", [at_once, late])
@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_is_answered_with_a_sentence_and_closed(
    name: str, arrives: Callable[[MemoryServer, bytes], bytes], declared: str | None
) -> None:
    data, refusal = STRANGERS[name]
    server = MemoryServer(declared)
    overheard = _lobby(server)
    assert arrives(server, data).endswith(refusal)
    assert overheard() == b""


@pytest.mark.parametrize("name", SSH)
@pytest.mark.parametrize("declared", ["line", "telnet", "json", "tcd"])
def test_an_ssh_client_on_a_port_without_ssh_is_refused(declared: str, name: str) -> None:
    data, refusal = SSH[name]
    assert at_once(MemoryServer(declared), data).endswith(refusal)


@pytest.mark.parametrize("name", SSH)
def test_an_ssh_client_that_speaks_late_is_refused_and_not_heard(name: str) -> None:
    data, refusal = SSH[name]
    server = MemoryServer()
    overheard = _lobby(server)
    assert late(server, data).endswith(refusal)
    assert overheard() == b""


@pytest.mark.parametrize("name", [*(name for name in STRANGERS if "PROXY" in name), *SSH])
@pytest.mark.parametrize("declared", ["line", "telnet"])
def test_an_address_is_not_published_if_its_bytes_come_one_by_one(name: str, declared: str) -> None:
    data, refusal = {**STRANGERS, **SSH}[name]
    server = MemoryServer(declared)
    overheard = _lobby(server)
    connection = server.connects()
    for byte in data:
        connection.sends(bytes([byte]))
    assert connection.closed
    assert connection.receives().endswith(refusal)
    assert overheard() == b""


@pytest.mark.parametrize("cut", range(1, len(V2)))
def test_a_header_of_version_2_is_not_posted_wherever_it_is_cut(cut: int) -> None:
    server = MemoryServer()
    overheard = _lobby(server)
    connection = server.connects()
    connection.sends(V2[:cut]), connection.sends(V2[cut:])
    assert connection.receives().endswith(PROXY_REFUSAL)
    assert overheard() == b""


@pytest.mark.parametrize(
    "typed",
    [
        b"PROXY is down\n",
        b"SSH-2 is newer than SSH-1\n",
        b"EHLO there\n",
        b"NICK ada\r\n",
        b"CAP\r\n",
        b"PASS me the salt\n",
        b"hello\r\0",
        b"\r\nhello\r\n",
        b"\r\n\r\nhello\r\n",
        "Grüße\r\n".encode("latin-1"),
        b"\x1b[A\x1b[Bhello\r\n",
        b"GET ready\n",
        b"\xff\xfb\x1f\xff\xfa\x1f\0\x50\0\x18\xff\xf0hello\r\n",
    ],
)
@pytest.mark.parametrize("declared", [None, "line"])
def test_people_may_begin_with_words_that_look_like_those(
    typed: bytes, declared: str | None
) -> None:
    if typed.startswith(b"SSH-") and declared is None:
        return  # there it is an ssh client's
    server = MemoryServer(declared)
    connection = server.connects()
    connection.sends(typed), server.clock.advance(1)
    assert not connection.closed
    assert len(server.chat.people) == 1


@pytest.mark.parametrize("enters", [b"\r\n", b"\r\n\r\n", b"\n"])
def test_enter_alone_is_greeted_at_once(enters: bytes) -> None:
    connection = MemoryServer().connects()
    connection.sends(enters)
    assert b"guest1" in connection.receives()


def test_the_probe_of_an_ssh_client_that_waits_for_the_server_ends_its_line() -> None:
    server = MemoryServer()
    connection = server.connects()
    server.clock.advance(SILENCE_SECONDS)
    connection.sends(b"SSH-2.0-OpenSSH-keyscan\r\n")
    probe, _, rest = connection.receives().partition(b"\r\n")
    assert probe.endswith(b"\r")
    assert rest.startswith(b"SSH-2.0-chatd")


def test_a_client_of_telnet_or_nc_gets_no_line_after_the_probe() -> None:
    server = MemoryServer()
    connection = server.connects()
    server.clock.pump([SILENCE_SECONDS, PROBE_SECONDS])
    assert b"\r     \r--" in connection.receives()


def test_ssh_keyscan_gets_the_key_from_the_one_port(
    served: Served, client: Callable[[str], str]
) -> None:
    scanned = subprocess.run(
        [client("ssh-keyscan"), "-p", str(served.port()), "127.0.0.1"],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert b" ssh-ed25519 " in scanned.stdout
