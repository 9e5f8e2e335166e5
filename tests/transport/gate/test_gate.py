"""Gate: admission, detection of protocols, and refusals."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.transport.gate.admission import Admission, PerAddress
from chatd.transport.gate.gate import SENSE_SECONDS
from chatd.wire.telnet.codec import PROBE
from tests.support.memory_server import Building

GREETING = b"-- You are guest1 in lobby, alone so far; /help says what you can do.\r\n"


def test_a_silent_client_is_probed_once_and_then_greeted() -> None:
    wire = Building().connects()
    assert wire.gets() == b""
    wire.waits()
    assert wire.gets() == PROBE + GREETING


def test_a_client_that_speaks_first_is_not_probed() -> None:
    building = Building()
    wire = building.connects()
    wire.sends(b"hello\n")
    assert wire.gets() == GREETING
    building.clock.advance(60)
    assert wire.gets() == b""


def test_an_ssh_client_is_answered_by_ssh() -> None:
    wire = Building().connects()
    wire.sends(b"SSH-2.0-test\r\n")
    assert wire.gets().startswith(b"SSH-2.0-chatd")


def test_a_telnet_that_speaks_first_is_answered_by_telnet() -> None:
    wire = Building().connects()
    wire.sends(b"\xff\xfb\x1f")
    assert wire.gets().startswith(b"\xff")


def test_a_telnet_that_answers_the_probe_is_not_asked_the_same_again() -> None:
    building = Building()
    wire = building.connects()
    building.clock.advance(0.3)
    assert wire.gets() == PROBE
    wire.sends(b"\xff\xfb\x18")
    assert PROBE[:3] not in wire.gets()


def test_a_telnet_that_answers_late_stays_where_it_was() -> None:
    building = Building()
    wire = building.enters("ada")
    wire.sends(b"\xff\xfb\x18")
    assert wire.gets().startswith(b"\xff")
    bob = building.enters("bob")
    wire.gets()
    wire.sends(b"hello\r\n")
    assert bob.gets() == b"ada: hello\r\n"


@pytest.mark.parametrize("cut", range(1, 16))
def test_a_browser_is_refused_with_one_sentence_wherever_its_request_is_cut(cut: int) -> None:
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    wire = Building().connects()
    wire.sends(request[:cut])
    wire.sends(request[cut:])
    answer = wire.gets()
    assert answer.startswith(b"HTTP/1.1 426 ")
    assert b"This is a chat server." in answer
    assert wire.closed


def test_a_person_may_begin_with_the_name_of_a_method() -> None:
    building = Building()
    bob = building.enters("bob")
    wire = building.connects()
    wire.sends(b"GET ready\n")
    assert bob.gets() == b"-- guest1 joined lobby\r\nguest1: GET ready\r\n"


def test_tls_is_refused_with_one_sentence() -> None:
    wire = Building().connects()
    wire.sends(b"\x16"), wire.sends(b"\x03\x01\x02\x00")
    assert b"does not speak TLS" in wire.gets()
    assert wire.closed


def test_a_client_without_a_known_protocol_is_closed_after_a_timeout() -> None:
    building = Building()
    wire = building.connects()
    wire.sends(b"SSH")
    building.clock.advance(SENSE_SECONDS)
    assert wire.gets() == b"Your client was too slow to say what it speaks.\r\n"
    assert wire.closed


def test_text_without_a_line_end_is_a_line_when_the_input_ends() -> None:
    building = Building()
    bob = building.enters("bob")
    wire = building.connects()
    wire.sends(b"SS"), wire.ends()
    assert bob.gets() == b"-- guest1 joined lobby\r\nguest1: SS\r\n"


@pytest.mark.parametrize(
    ("declared", "begins"), [("line", GREETING), ("telnet", b"\xff\xfd\x18"), ("ssh", b"SSH-2.0")]
)
def test_a_declared_port_does_not_wait_for_the_client(declared: str, begins: bytes) -> None:
    assert Building(declared).connects().gets().startswith(begins)


def test_one_address_has_only_so_many_connections() -> None:
    building = Building(per_address=PerAddress(2, 100))
    one, two = building.connects(), building.connects()
    three = building.connects()
    assert three.gets() == b"There are too many connections from your address.\r\n"
    assert three.closed
    assert not building.connects("198.51.100.1").closed
    one.goes(), three.goes()
    assert not building.connects().closed
    assert not two.closed


def test_one_address_connects_only_so_often() -> None:
    building = Building(per_address=PerAddress(100, 3))
    for _ in range(3):
        building.connects().goes()
    late = building.connects()
    assert late.gets() == b"Your address connects too often; try again in a minute.\r\n"
    building.clock.advance(20)
    assert not building.connects().closed


def test_a_full_server_says_so() -> None:
    building = Building(most=1)
    building.enters()
    wire = building.connects()
    wire.waits()
    assert wire.gets().endswith(b"The server is full; try again later.\r\n")
    assert wire.closed


@pytest.mark.parametrize(
    ("first", "answer"),
    [
        (b"HELO there\n", b"ERROR_CODE: 13\nERROR_DESCRIPTION: The server is full.\n"),
        (b'{"username": "ada"}', b'{"isConnected": false, "errorCode": 2}\n'),
    ],
)
def test_a_full_server_says_so_to_programs_in_their_protocol(first: bytes, answer: bytes) -> None:
    building = Building(most=1)
    building.enters()
    wire = building.connects()
    wire.sends(first)
    assert wire.gets() == answer
    assert wire.closed


def test_not_even_operators_go_beyond_the_reserve() -> None:
    admission = Admission(1, None, reserve=2)
    assert [admission.enter("192.0.2.1", 0) for _ in range(3)] == [None] * 3
    assert admission.enter("192.0.2.1", 0) == "The server is full; try again later."


def test_ipv6_counts_by_the_64_and_mapped_addresses_as_ipv4() -> None:
    admission = Admission(100, PerAddress(1, 100))
    assert admission.enter("2001:db8::1", 0) is None
    assert admission.enter("2001:db8::2", 0) is not None
    assert admission.enter("2001:db8:0:1::1", 0) is None
    assert admission.enter("192.0.2.1", 0) is None
    assert admission.enter("::ffff:192.0.2.1", 0) is not None


@pytest.mark.parametrize("cut", [0, 1, 5, 20, 41, 42, 43])
def test_a_listed_proxy_names_the_address_of_the_client(cut: int) -> None:
    building = Building(proxies=("10.0.0.0/8",), per_address=PerAddress(1, 100))
    sent = b"PROXY TCP4 198.51.100.7 192.0.2.9 4000 1134\r\nhello\n"
    wire = building.connects("10.1.2.3")
    wire.sends(sent[:cut]), wire.sends(sent[cut:])
    assert wire.gets() == GREETING
    assert building.connects("198.51.100.7").closed
    assert not building.connects("10.1.2.3").closed


def test_a_listed_proxy_that_sends_no_header_is_closed_without_a_word() -> None:
    wire = Building(proxies=("10.0.0.0/8",)).connects("10.1.2.3")
    wire.sends(b"hello\n")
    assert wire.gets() == b""
    assert wire.closed


def test_an_unlisted_proxy_is_not_believed() -> None:
    building = Building(proxies=("10.0.0.0/8",), per_address=PerAddress(1, 100))
    wire = building.connects("192.0.2.1")
    wire.sends(b"PROXY TCP4 198.51.100.7 192.0.2.9 4000 1134\r\n")
    assert b"You are guest1" in wire.gets()
    assert not building.connects("198.51.100.7").closed


def test_a_client_lost_before_its_greeting_leaves_nothing_behind() -> None:
    building = Building()
    wire = building.connects()
    wire.goes()
    building.clock.advance(60)
    assert building.admission.here == 0
    assert building.clock.getDelayedCalls() == []


@given(st.lists(st.binary(max_size=40), max_size=6), st.sampled_from([None, "line", "telnet"]))
def test_no_bytes_disturb_other_users(pieces: list[bytes], declared: str | None) -> None:
    building = Building(declared)
    bob = building.enters() if declared is None else None
    wire = building.connects()
    for piece in pieces:
        wire.sends(piece)
        building.clock.advance(0.2)
    wire.goes()
    building.clock.advance(60)
    assert building.admission.here == (0 if bob is None else 1)
    assert len(building.chat.people) == building.admission.here


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
    building = Building(declared)
    noise = random.Random(1134)
    for _ in range(10_000):
        wire = building.connects()
        wire.sends(noise.randbytes(noise.randrange(1, 60)))
        if noise.random() < 0.2:
            building.clock.advance(0.5)
            wire.sends(noise.choice(BEGINNINGS))
        wire.goes()
    building.clock.advance(60)
    assert building.admission.here == 0
    assert len(building.chat.people) == 0
    assert list(building.chat.rooms) == ["lobby"]
    assert not building.clock.getDelayedCalls()


@pytest.mark.parametrize("declared", ["line", "telnet"])
@pytest.mark.parametrize("cut", [0, 1, 3, 10])
def test_a_browser_cannot_chat_on_a_declared_port_either(declared: str, cut: int) -> None:
    building = Building(declared, proxies=("10.0.0.0/8",))
    bob = building.connects()
    bob.sends(b"hello\r\n"), building.clock.advance(1), bob.gets()
    request = b"GET /?say=hello HTTP/1.1\r\nHost: localhost\r\n\r\n"
    wire, proxied = building.connects(), building.connects("10.0.0.1")
    wire.sends(request[:cut]), wire.sends(request[cut:])
    proxied.sends(b"PROXY TCP4 198.51.100.7 192.0.2.9 4000 1134\r\n" + request)
    assert b"HTTP/1.1 426 " in wire.gets()
    assert b"HTTP/1.1 426 " in proxied.gets()
    assert b"GET" not in bob.gets()
