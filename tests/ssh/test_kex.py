"""The key exchange: nothing before it, nothing during it, and rekeying in time."""

import itertools
import resource

import pytest

from chatd.transport.ssh.keys.public_keys import KEY_TYPES
from chatd.transport.ssh.protocol import kex, packets
from chatd.wire.ssh import Fields, string, uint32
from tests.support.ssh.peer import (
    ADDRESS,
    ADJUST,
    DATA,
    DISCONNECT,
    EXT_INFO,
    KEX_INIT,
    KEX_REPLY,
    KEXINIT,
    NEWKEYS,
    OPEN,
    REQUEST,
    SERVICE_REQUEST,
    USER_KEY,
    VERSION,
    Peer,
)

COMBINATIONS = list(
    itertools.product(
        (b"mlkem768x25519-sha256", b"curve25519-sha256", b"curve25519-sha256@libssh.org"),
        (b"aes128-gcm@openssh.com", b"aes256-gcm@openssh.com", b"aes128-ctr", b"aes256-ctr"),
        (b"hmac-sha2-256-etm@openssh.com", b"hmac-sha2-512-etm@openssh.com", b"hmac-sha2-256"),
        (True, False),
    )
)


@pytest.mark.parametrize(("exchange", "cipher", "mac", "strict"), COMBINATIONS)
def test_every_offered_combination_of_algorithms_works_and_rekeys(
    exchange: bytes, cipher: bytes, mac: bytes, strict: bool
) -> None:
    peer = Peer(kex=exchange, cipher=cipher, mac=mac, strict=strict).login(USER_KEY)
    channel, program = peer.shell()
    peer.type(channel, b"before ")
    peer.exchange()
    peer.type(channel, b"after")
    assert program.input == b"before after"
    peer.take()
    program.channel.outbox.write(b"hello")
    assert peer.output() == b"hello"


@pytest.mark.parametrize("number", [n for n in range(1, 101) if n not in (1, 2, 3, 4, 20)])
@pytest.mark.parametrize("strict", [True, False])
def test_no_message_but_the_key_exchange_is_accepted_in_plaintext(
    number: int, strict: bool
) -> None:
    """Stock Conch accepts a login, a channel and a shell before any key exchange."""
    for after_offer in (False, True):
        if after_offer and number == KEX_INIT:
            continue
        peer = Peer(strict=strict)
        peer.feed(VERSION + b"\r\n")
        if after_offer:
            peer.begin()
        peer.send(number, string(b"ssh-userauth"))
        assert "does not belong" in peer.reason()
        assert peer.protocol.service is None
        assert peer.server.peers == []


@pytest.mark.parametrize("number", [2, 3, 4])
def test_strict_key_exchange_refuses_even_harmless_packets(number: int) -> None:
    first = Peer(strict=True)
    first.feed(VERSION + b"\r\n")
    first.send(number, string(b""))
    first.begin()
    assert first.reason() == "KEXINIT was not the first packet"
    between = Peer(strict=True)
    between.begin()
    between.send(number, string(b""))
    assert "does not belong" in between.reason()
    last = Peer(strict=True)
    last.begin()
    last.share()
    last.send(number, string(b""))
    assert "does not belong" in last.reason()


@pytest.mark.parametrize("number", [2, 3, 4])
def test_a_key_exchange_that_is_not_strict_accepts_harmless_packets(number: int) -> None:
    peer = Peer(strict=False)
    peer.feed(VERSION + b"\r\n")
    peer.send(number, string(b""))
    peer.begin()
    peer.send(number, string(b""))
    peer.share()
    peer.send(number, string(b""))
    peer.newkeys()
    peer.ask_service()
    assert not peer.is_gone()


def test_messages_of_a_key_exchange_out_of_order_end_the_connection() -> None:
    twice = Peer()
    twice.begin()
    twice.begin()
    assert "does not belong" in twice.reason()
    early = Peer()
    early.begin()
    early.send(NEWKEYS)
    assert "does not belong" in early.reason()
    shares = Peer()
    shares.begin()
    shares.share()
    shares.share()
    assert "does not belong" in shares.reason()
    for number in (NEWKEYS, KEX_INIT, 31, 34, 49):
        later = Peer().exchange()
        later.take()
        later.send(number, b"")
        assert "outside of a key exchange" in later.reason()


@pytest.mark.parametrize(
    "exchange", [b"mlkem768x25519-sha256", b"curve25519-sha256", b"curve25519-sha256@libssh.org"]
)
@pytest.mark.parametrize("share", [b"", b"x", bytes(32), bytes(1216), b"\xff" * 1216, bytes(9000)])
def test_an_invalid_key_share_ends_the_connection_with_a_reason(
    exchange: bytes, share: bytes
) -> None:
    peer = Peer(kex=exchange)
    peer.begin()
    peer.send(KEX_INIT, string(share))
    assert peer.reason()


@pytest.mark.parametrize(
    "other",
    [
        {"kex": b"diffie-hellman-group14-sha1"},
        {"kex": b"ext-info-s"},
        {"kex": b"ext-info-c"},
        {"kex": b"kex-strict-s-v00@openssh.com"},
        {"host_key": b"ssh-rsa"},
        {"cipher": b"3des-cbc"},
        {"cipher": b"aes128-ctr", "mac": b"hmac-md5"},
        {"cipher": b"none"},
        {"cipher": b"aes128-ctr", "mac": b"none"},
        {"compression": b"zlib"},
        {"compression": b"zlib@openssh.com"},
    ],
)
def test_weak_algorithms_are_not_negotiated(other: dict[str, bytes]) -> None:
    """Nor is compression: in stock Conch 254 kB of it decompress to half a gigabyte."""
    peer = Peer(**other)  # type: ignore[arg-type]  # names of the fields
    peer.begin()
    assert "in common" in peer.reason()


def test_packets_are_not_decompressed() -> None:
    peer = Peer().exchange()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peer.send(2, string(bytes(30_000)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000
    assert not peer.is_gone()


def test_the_mac_list_is_ignored_for_gcm() -> None:
    assert not Peer(mac=b"umac-64@openssh.com").login().is_gone()


def test_a_wrong_guess_is_skipped_and_a_right_one_is_used() -> None:
    wrong = Peer(guess=b"\1")  # ours is another first choice
    wrong.begin()
    wrong.send(KEX_INIT, string(b"a guess for another exchange"))
    wrong.share()
    wrong.newkeys()
    assert not wrong.ask_service().is_gone()
    right = Peer(kex=b"mlkem768x25519-sha256", guess=b"\1").exchange()
    assert not right.ask_service().is_gone()


def test_rsa_signatures_are_announced_though_the_host_key_is_no_rsa_key() -> None:
    """Stock Conch announces the type of its host key, and every RSA key is refused."""
    peer = Peer().exchange()
    numbers = [number for number, _ in peer.got]
    assert numbers[:4] == [KEXINIT, KEX_REPLY, NEWKEYS, EXT_INFO]
    fields = Fields(next(payload for number, payload in peer.got if number == EXT_INFO))
    assert fields.uint32() == 1
    assert fields.string() == b"server-sig-algs"
    assert fields.names() == list(KEY_TYPES)
    assert {b"rsa-sha2-256", b"rsa-sha2-512", b"sk-ssh-ed25519@openssh.com"} <= set(KEY_TYPES)


def test_a_client_that_does_not_ask_for_extensions_gets_none() -> None:
    assert EXT_INFO not in Peer(extensions=()).exchange().numbers()


def test_only_our_first_kexinit_names_strict_key_exchange() -> None:
    peer = Peer().login()
    first = Fields(peer.server_kexinit[17:]).names()
    assert {b"kex-strict-s-v00@openssh.com", b"ext-info-s"} < set(first)
    peer.exchange()
    again = Fields(peer.server_kexinit[17:]).names()
    assert again == list(kex.EXCHANGES)


def test_keys_are_renewed_after_an_hour() -> None:
    peer = Peer().login()
    _, program = peer.shell()
    peer.take()
    for _ in range(61):
        peer.clock.advance(60)
        peer.send(82)  # the answer to a keepalive
        if program.channel.outbox.full:
            break
    assert KEXINIT in peer.numbers()
    peer.exchange()
    assert KEXINIT not in peer.numbers()
    assert not program.channel.outbox.full
    assert peer.protocol.opener.total < 100


def test_keys_are_renewed_after_a_gibibyte() -> None:
    """Stock Conch never rekeys, and raises at packet 2**32."""
    peer = Peer().login()
    _, program = peer.shell()
    peer.protocol.sealer.total = (1 << 30) - 100_000
    peer.take()
    program.channel.outbox.write(bytes(50_000))
    peer.send(2, string(b""))
    assert KEXINIT not in peer.numbers()
    program.channel.outbox.write(bytes(60_000))
    peer.send(2, string(b""))
    assert KEXINIT in peer.numbers()
    assert program.channel.outbox.full
    peer.exchange()
    assert peer.protocol.sealer.total < 1000


def test_output_waits_for_the_end_of_a_key_exchange() -> None:
    peer = Peer().login()
    channel, program = peer.shell()
    peer.take()
    peer.protocol.sendKexInit()
    assert program.channel.outbox.full
    assert program.channel.outbox.send(b"refused") == 0
    program.channel.outbox.write(b"written meanwhile")
    peer.request(channel, b"window-change", bytes(16))
    assert peer.numbers() == []
    peer.exchange()
    assert peer.output() == b"written meanwhile"
    assert program.events == ["ready"]
    assert not program.channel.outbox.full


def test_a_key_exchange_that_is_not_finished_in_time_ends_the_connection() -> None:
    """Stock Conch buffers everything that is written while the exchange lasts."""
    for theirs in (False, True):
        peer = Peer().login()
        _, program = peer.shell()
        if theirs:
            peer.begin()
        else:
            peer.protocol.sendKexInit()
        for _ in range(1000):
            if not program.channel.outbox.full:
                program.channel.outbox.write(bytes(50_000))
        assert program.channel.outbox.pending == 0
        peer.clock.advance(29)
        assert not peer.is_gone()
        peer.clock.advance(1)
        assert peer.wire.disconnected
        assert not peer.clock.getDelayedCalls()


def test_replies_held_during_a_key_exchange_are_bounded() -> None:
    peer = Peer().login()
    channel, _ = peer.shell()
    peer.protocol.sendKexInit()
    asked = 0
    while not peer.is_gone():
        peer.send(REQUEST, uint32(channel) + string(b"nonsense") + b"\1")
        asked += 1
    assert asked < 2000
    assert peer.wire.disconnected


def test_a_client_that_began_a_key_exchange_may_send_nothing_else() -> None:
    for number in (SERVICE_REQUEST, 50, 80, OPEN, DATA, ADJUST):
        peer = Peer().login()
        channel, program = peer.shell()
        peer.take()
        peer.begin()
        peer.send(number, uint32(channel) + string(b"x"))
        assert "does not belong" in peer.reason()
        assert program.input == b""


def test_the_number_of_key_exchanges_per_minute_is_bounded() -> None:
    peer = Peer().login()
    for _ in range(kex.MAX_EXCHANGES + 5):
        if peer.is_gone():
            break
        peer.take()
        peer.begin()
        if not peer.is_gone():
            peer.share()
            peer.newkeys()
    assert peer.reason() == "too many key exchanges"


def test_a_finished_key_exchange_leaves_nothing_behind() -> None:
    peer = Peer(kex=b"mlkem768x25519-sha256").exchange()
    for name in ("ourKexInitPayload", "otherKexInitPayload", "ecPub", "negotiated", "next_opener"):
        assert name not in vars(peer.protocol)


@pytest.mark.parametrize(
    "line", [b"GET / HTTP/1.1\r\n", b"SSH-1.5-old\r\n", b"SSH-2.0\r\n", b"\r\n"]
)
def test_a_client_that_does_not_speak_ssh_2_is_told_so_at_once(line: bytes) -> None:
    peer = Peer()
    peer.feed(line)
    assert "SSH" in peer.reason()


def test_the_identification_line_is_bounded() -> None:
    peer = Peer()
    peer.feed(b"SSH-2.0-" + b"x" * 246)
    assert not peer.is_gone()
    peer.feed(b"x")
    assert peer.reason() == "no SSH version"
    fits = Peer()
    fits.feed(b"SSH-2.0-" + b"x" * 246 + b"\n")
    assert not fits.is_gone()


def test_a_kexinit_may_arrive_byte_by_byte() -> None:
    whole = Peer()
    whole.feed(VERSION + b"\r\n")
    whole.begin()
    bytewise = Peer()
    for byte in VERSION + b"\r\n":
        bytewise.feed(bytes((byte,)))
    offer = bytewise.sealer.seal(bytes((KEXINIT,)) + bytewise.kexinit())
    for at in range(len(offer)):
        bytewise.feed(offer[at : at + 1])
    assert bytewise.protocol.negotiated == whole.protocol.negotiated is not None
    assert bytewise.protocol.buffered == 0


def test_our_identification_line_names_chatd() -> None:
    peer = Peer()
    peer.read()
    assert peer.server_version.startswith(b"SSH-2.0-chatd_")
    assert str(peer.protocol.address) == str(ADDRESS)
    assert packets.MAX_VERSION_LINE == 255
    assert DISCONNECT not in peer.numbers()
