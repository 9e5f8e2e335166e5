"""Gate: admission, detection of protocols, and refusals."""

import random
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.events import Refused
from chatd.transport.gate.admission import Admission, PerAddress
from chatd.transport.gate.gate import SENSE_SECONDS
from chatd.transport.gate.strangers import PROXY_REFUSAL
from chatd.wire.telnet.codec import PROBE
from tests.support.memory_server import MemoryServer

GREETING = b"-- You are guest1 in lobby, alone so far; /help says what you can do.\r\n"


def test_a_silent_client_is_probed_once_and_then_greeted() -> None:
    connection = MemoryServer().connects()
    assert connection.receives() == b""
    connection.stays_silent()
    assert connection.receives() == PROBE + GREETING


def test_a_client_that_speaks_first_is_not_probed() -> None:
    server = MemoryServer()
    connection = server.connects()
    connection.sends(b"hello\n")
    assert connection.receives() == GREETING
    server.clock.advance(60)
    assert connection.receives() == b""


def test_an_ssh_client_is_answered_by_ssh() -> None:
    connection = MemoryServer().connects()
    connection.sends(b"SSH-2.0-test\r\n")
    assert connection.receives().startswith(b"SSH-2.0-chatd")


def test_a_telnet_that_speaks_first_is_answered_by_telnet() -> None:
    connection = MemoryServer().connects()
    connection.sends(b"\xff\xfb\x1f")
    assert connection.receives().startswith(b"\xff")


def test_a_telnet_that_answers_the_probe_is_not_asked_the_same_again() -> None:
    server = MemoryServer()
    connection = server.connects()
    server.clock.advance(0.3)
    assert connection.receives() == PROBE
    connection.sends(b"\xff\xfb\x18")
    assert PROBE[:3] not in connection.receives()


def test_a_telnet_that_answers_late_stays_where_it_was() -> None:
    server = MemoryServer()
    connection = server.enters("ada")
    connection.sends(b"\xff\xfb\x18")
    assert connection.receives().startswith(b"\xff")
    bob = server.enters("bob")
    connection.receives()
    connection.sends(b"hello\r\n")
    assert bob.receives() == b"ada: hello\r\n"


@pytest.mark.parametrize("cut", range(1, 16))
def test_a_browser_is_refused_with_one_sentence_wherever_its_request_is_cut(cut: int) -> None:
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    connection = MemoryServer().connects()
    connection.sends(request[:cut])
    connection.sends(request[cut:])
    answer = connection.receives()
    assert answer.startswith(b"HTTP/1.1 426 ")
    assert b"This is a chat server." in answer
    assert connection.closed


def test_a_person_may_begin_with_the_name_of_a_method() -> None:
    server = MemoryServer()
    bob = server.enters("bob")
    connection = server.connects()
    connection.sends(b"GET ready\n")
    assert bob.receives() == b"-- guest1 joined lobby\r\nguest1: GET ready\r\n"


def test_tls_is_refused_with_one_sentence() -> None:
    connection = MemoryServer().connects()
    connection.sends(b"\x16"), connection.sends(b"\x03\x01\x02\x00")
    assert b"does not speak TLS" in connection.receives()
    assert connection.closed


def test_a_client_without_a_known_protocol_is_closed_after_a_timeout() -> None:
    server = MemoryServer()
    connection = server.connects()
    connection.sends(b"SSH")
    server.clock.advance(SENSE_SECONDS)
    assert connection.receives() == b"Your client was too slow to say what it speaks.\r\n"
    assert connection.closed


def test_text_without_a_line_end_is_a_line_when_the_input_ends() -> None:
    server = MemoryServer()
    bob = server.enters("bob")
    connection = server.connects()
    connection.sends(b"SS"), connection.ends_input()
    assert bob.receives() == b"-- guest1 joined lobby\r\nguest1: SS\r\n"


@pytest.mark.parametrize(
    ("declared", "begins"), [("line", GREETING), ("telnet", b"\xff\xfd\x18"), ("ssh", b"SSH-2.0")]
)
def test_a_declared_port_does_not_wait_for_the_client(declared: str, begins: bytes) -> None:
    assert MemoryServer(declared).connects().receives().startswith(begins)


def test_one_address_has_only_so_many_connections() -> None:
    server = MemoryServer(per_address=PerAddress(2, 100))
    one, two = server.connects(), server.connects()
    three = server.connects()
    assert three.receives() == b"There are too many connections from your address.\r\n"
    assert three.closed
    assert not server.connects("198.51.100.1").closed
    one.loses_connection(), three.loses_connection()
    assert not server.connects().closed
    assert not two.closed


def test_one_address_connects_only_so_often() -> None:
    server = MemoryServer(per_address=PerAddress(100, 3))
    for _ in range(3):
        server.connects().loses_connection()
    late = server.connects()
    assert late.receives() == b"Your address connects too often; try again in a minute.\r\n"
    server.clock.advance(20)
    assert not server.connects().closed


def test_a_full_server_says_so() -> None:
    server = MemoryServer(max_connections=1)
    server.enters()
    connection = server.connects()
    connection.stays_silent()
    assert connection.receives().endswith(b"The server is full; try again later.\r\n")
    assert connection.closed


@pytest.mark.parametrize(
    ("first", "answer"),
    [
        (b"HELO there\n", b"ERROR_CODE: 13\nERROR_DESCRIPTION: The server is full.\n"),
        (b'{"username": "ada"}', b'{"isConnected": false, "errorCode": 2}\n'),
    ],
)
def test_a_full_server_says_so_to_programs_in_their_protocol(first: bytes, answer: bytes) -> None:
    server = MemoryServer(max_connections=1)
    server.enters()
    connection = server.connects()
    connection.sends(first)
    assert connection.receives() == answer
    assert connection.closed


def test_not_even_operators_go_beyond_the_reserve() -> None:
    admission = Admission(1, None, reserve=2)
    assert [admission.enter("192.0.2.1", 0) for _ in range(3)] == [None] * 3
    with pytest.raises(Refused, match="The server is full; try again later"):
        admission.enter("192.0.2.1", 0)


def test_ipv6_counts_by_the_64_and_ipv4_in_ipv6_as_ipv4() -> None:
    admission = Admission(100, PerAddress(1, 100))

    def is_admitted(address: str) -> bool:
        with suppress(Refused):
            return admission.enter(address, 0) is None
        return False

    assert is_admitted("2001:db8::1")
    assert not is_admitted("2001:db8::2")
    assert is_admitted("2001:db8:0:1::1")
    assert is_admitted("192.0.2.1")
    assert not is_admitted("::ffff:192.0.2.1")
    assert not is_admitted("64:ff9b::c000:201"), "NAT64"
    assert is_admitted("64:ff9b::c000:202")


@pytest.mark.parametrize("cut", [0, 1, 5, 20, 41, 42, 43])
def test_a_listed_proxy_names_the_address_of_the_client(cut: int) -> None:
    server = MemoryServer(proxies=("10.0.0.0/8",), per_address=PerAddress(1, 100))
    sent = b"PROXY TCP4 198.51.100.7 192.0.2.9 4000 1134\r\nhello\n"
    connection = server.connects("10.1.2.3")
    connection.sends(sent[:cut]), connection.sends(sent[cut:])
    assert connection.receives() == GREETING
    assert server.connects("198.51.100.7").closed
    assert not server.connects("10.1.2.3").closed


def test_a_listed_proxy_that_sends_no_header_is_closed_without_a_word() -> None:
    connection = MemoryServer(proxies=("10.0.0.0/8",)).connects("10.1.2.3")
    connection.sends(b"hello\n")
    assert connection.receives() == b""
    assert connection.closed


def test_an_unlisted_proxy_is_not_believed() -> None:
    server = MemoryServer(proxies=("10.0.0.0/8",), per_address=PerAddress(1, 100))
    connection = server.connects("192.0.2.1")
    connection.sends(b"PROXY TCP4 198.51.100.7 192.0.2.9 4000 1134\r\n")
    assert connection.receives() == PROXY_REFUSAL
    assert not server.connects("198.51.100.7").closed


def test_a_client_lost_before_its_greeting_leaves_nothing_behind() -> None:
    server = MemoryServer()
    connection = server.connects()
    connection.loses_connection()
    server.clock.advance(60)
    assert server.admission.here == 0
    assert server.clock.getDelayedCalls() == []


@given(st.lists(st.binary(max_size=40), max_size=6), st.sampled_from([None, "line", "telnet"]))
def test_no_bytes_disturb_other_users(pieces: list[bytes], declared: str | None) -> None:
    server = MemoryServer(declared)
    bob = server.enters() if declared is None else None
    connection = server.connects()
    for piece in pieces:
        connection.sends(piece)
        server.clock.advance(0.2)
    connection.loses_connection()
    server.clock.advance(60)
    assert server.admission.here == (0 if bob is None else 1)
    assert len(server.chat.people) == server.admission.here


#: What makes more of noise: line ends, a telnet's command, a paste, a request, an object.
BEGINNINGS = (
    b"\n",
    b"\r\n",
    b"\xff\xfb\x01",
    b"\x1b[200~",
    b"CHAT: 1\nJOIN_ID: 1\nCLIENT_NAME: a\nMESSAGE: ",
    b'{"username": "ada"}{"message": "',
)


@pytest.mark.parametrize("declared", [None, "line", "telnet", "tcd", "json"])
def test_ten_thousand_random_strings_disturb_no_other_user(declared: str | None) -> None:
    server = MemoryServer(declared)
    noise = random.Random(1134)
    for _ in range(10_000):
        connection = server.connects()
        connection.sends(noise.randbytes(noise.randrange(1, 60)))
        if noise.random() < 0.2:
            server.clock.advance(0.5)
            connection.sends(noise.choice(BEGINNINGS))
        connection.loses_connection()
    server.clock.advance(60)
    assert server.admission.here == 0
    assert len(server.chat.people) == 0
    assert list(server.chat.rooms) == ["lobby"]
    assert not server.clock.getDelayedCalls()


@pytest.mark.parametrize("declared", ["line", "telnet"])
@pytest.mark.parametrize("cut", [0, 1, 3, 10])
def test_a_browser_cannot_chat_on_a_declared_port_either(declared: str, cut: int) -> None:
    server = MemoryServer(declared, proxies=("10.0.0.0/8",))
    bob = server.connects()
    bob.sends(b"hello\r\n"), server.clock.advance(1), bob.receives()
    request = b"GET /?say=hello HTTP/1.1\r\nHost: localhost\r\n\r\n"
    connection, proxied = server.connects(), server.connects("10.0.0.1")
    connection.sends(request[:cut]), connection.sends(request[cut:])
    proxied.sends(b"PROXY TCP4 198.51.100.7 192.0.2.9 4000 1134\r\n" + request)
    assert b"HTTP/1.1 426 " in connection.receives()
    assert b"HTTP/1.1 426 " in proxied.receives()
    assert b"GET" not in bob.receives()
