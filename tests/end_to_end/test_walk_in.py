"""The real twistd with users who connect by netcat, telnet and ssh on one port."""

import os
import re
import socket
import ssl
import stat
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import asyncssh
import pytest

from tests.support.callers import LOOPBACK, ChatClient, Netcat, Ssh, Telnet
from tests.support.served import PATIENCE, Served

#: Whoever tests comes from one address, and often.
MANY = ("--per-address", "none")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """Return a chatd with one port, and no option but a high limit of connections."""
    with Served(tmp_path, options=MANY) as served:
        yield served


@pytest.fixture(scope="module")
def key() -> asyncssh.SSHKey:
    """Return a user's key."""
    return asyncssh.generate_private_key("ssh-ed25519")


# One room -----------------------------------------------------------------------------------------


def test_netcat_telnet_and_ssh_use_the_same_port_and_room(server: Served) -> None:
    port = server.port()
    with (
        Netcat(port) as ned,
        Telnet(port) as tom,
        Ssh(port, "sue", terminal=True) as sue,
        Ssh(port, "pia") as pia,
    ):
        everybody = (ned, tom, sue, pia)
        for one in everybody:
            one.greeted()
        ned.says("/nick ned")
        ned.hears("now known as ned.")
        tom.types("/nick tom")
        tom.hears("now known as tom.")
        ned.says("from ned")
        tom.screen.shows("ned: from ned", "[lobby]")
        tom.types("from tom")
        sue.screen.shows("ned: from ned", "tom: from tom", "[lobby]")
        sue.types("from sue")
        pia.hears("sue: from sue\r\n")
        pia.says("from pia")
        said = ["ned: from ned", "tom: from tom", "sue: from sue", "pia: from pia"]
        for drawn in (tom.screen, sue.screen):
            drawn.shows(*said, "[lobby]")
        assert ned.hears("pia: from pia\r\n").endswith("".join(f"{line}\r\n" for line in said[1:]))
        assert b"from ned" not in ned.data
        ned.says("that was all")
        pia.hears("ned: that was all\r\n")
        assert b"from pia" not in pia.data


def test_the_mark_of_a_telnet_synch_costs_no_byte(server: Served) -> None:
    """The data mark is urgent data (RFC 854); a system drops it unless it is kept in place."""
    with Netcat(server.port()) as ada, Telnet(server.port()) as tom:
        ada.greeted(), tom.greeted()
        for typed in (b"one", b"two"):
            tom.sends(b"gone" + bytes([255, 244, 255]))  # IAC IP, IAC
            tom.sends_urgently(bytes([242]))  # DM
            tom.sends(typed + b"\r\0")
            assert ada.hears(f": {typed.decode()}\r\n")
        assert b"gone" not in ada.data


def test_a_raw_tcp_client_is_not_sent_its_own_lines(server: Served) -> None:
    with Netcat(server.port()) as ada, Netcat(server.port()) as bob:
        ada.greeted()
        bob.greeted()
        ada.says("one")
        bob.hears(": one\r\n")
        bob.says("two")
        assert "one" not in ada.hears(": two\r\n").removeprefix("-- guest2 joined lobby")


def test_a_raw_tcp_client_that_sends_first_receives_nothing_but_text(server: Served) -> None:
    with Netcat(server.port(), b"/nick ada\n") as ada, Netcat(server.port()) as bob:
        ada.hears("-- You are now known as ada.\r\n")
        assert bytes(ada.data).isascii()
        assert ada.data.startswith(b"-- You are guest")
        bob.greeted()
        bob.says("日本語")
        ada.hears(": 日本語\r\n")


def test_japanese_is_the_same_by_netcat_telnet_and_ssh(server: Served) -> None:
    port = server.port()
    with Netcat(port) as ned, Telnet(port) as tom, Ssh(port, "sue", terminal=True) as sue:
        for one in (ned, tom, sue):
            one.greeted()
        ned.says("/nick ned")
        ned.hears("now known as ned.")
        tom.types("/nick tom")
        tom.hears("now known as tom.")
        ned.says("日本語 by nc")
        tom.screen.shows("ned: 日本語 by nc", "[lobby]")
        tom.types("日本語 by telnet")
        sue.screen.shows("ned: 日本語 by nc", "tom: 日本語 by telnet", "[lobby]")
        sue.types("日本語 by ssh")
        said = ["ned: 日本語 by nc", "tom: 日本語 by telnet", "sue: 日本語 by ssh"]
        for drawn in (tom.screen, sue.screen):
            drawn.shows(*said, "[lobby]")
        ned.hears("tom: 日本語 by telnet\r\nsue: 日本語 by ssh\r\n")


# Names --------------------------------------------------------------------------------------------


def test_the_user_name_of_ssh_is_the_nick_with_a_key_and_without(
    server: Served, key: asyncssh.SSHKey
) -> None:
    with Ssh(server.port(), "ada", key=key) as ada, Ssh(server.port(), "bob") as bob:
        assert "-- You are ada in lobby" in ada.greeted()
        assert "-- You are bob in lobby, with ada" in bob.greeted()
        assert ada.questions == bob.questions == []
        bob.says("/whois ada")
        assert key.get_fingerprint() in bob.hears("rooms shared")


def test_a_nick_that_is_taken_gets_a_variant_and_a_notice(server: Served) -> None:
    with Ssh(server.port(), "ada") as first, Ssh(server.port(), "Ada", terminal=True) as second:
        first.greeted()
        second.greeted()
        assert second.screen.rows()[:2] == [
            "-- Ada is taken; you are Ada2.",
            "-- You are Ada2 in lobby, with ada; /help says what you can do.",
        ]
        first.hears("-- Ada2 joined lobby\r\n")


# The line being typed -----------------------------------------------------------------------------


def by_ssh(port: int) -> Ssh:
    return Ssh(port, "tia", terminal=True)


@pytest.fixture(params=[by_ssh, Telnet], ids=["ssh", "telnet"])
def typist(server: Served, request: pytest.FixtureRequest) -> Iterator[Ssh | Telnet]:
    """Return a client with a terminal, of a user called tia."""
    walk_in: Callable[[int], Ssh | Telnet] = request.param
    with walk_in(server.port()) as tia:
        tia.greeted()
        if walk_in is Telnet:
            tia.types("/nick tia")
            tia.screen.shows("-- You are now known as tia.", "[lobby]")
        yield tia


def test_a_message_that_arrives_while_a_line_is_typed_is_shown_above_it(
    server: Served, typist: Ssh | Telnet
) -> None:
    with Netcat(server.port()) as ned:
        typist.sends("half a 日".encode())
        typist.screen.shows("[lobby] half a 日")
        ned.says("hello")
        typist.screen.shows("guest1: hello", "[lobby] half a 日")
        typist.sends("本 line\r".encode())
        ned.hears("tia: half a 日本 line\r\n")
        typist.screen.shows("guest1: hello", "tia: half a 日本 line", "[lobby]")


def test_a_line_wider_than_the_screen_is_redrawn_completely(
    server: Served, typist: Ssh | Telnet
) -> None:
    with Netcat(server.port()) as ned:
        typist.sends(b"x" * 200)
        typist.screen.shows("[lobby] " + "x" * 72, "x" * 80, "x" * 48)
        ned.says("hello")
        typist.screen.shows("guest1: hello", "[lobby] " + "x" * 72, "x" * 80, "x" * 48)
        typist.sends(b"\r")
        ned.hears("tia: " + "x" * 200 + "\r\n")


def test_keys_that_delete_text(server: Served, typist: Ssh | Telnet) -> None:
    with Netcat(server.port()) as ned:
        ned.greeted()
        for typed, said in (
            ("日本語\x7f\x7f記", "日記"),
            ("never mind\x15instead", "instead"),
            ("one two \x17three", "one three"),
            ("never said\x03said", "said"),
            ("back\x08\x08it", "bait"),
        ):
            typist.types(typed)
            ned.hears(f"tia: {said}\r\n")
            typist.screen.shows(f"tia: {said}", "[lobby]")
        assert b"never" not in ned.data


def test_ctrl_c_on_an_empty_line_shows_how_to_leave_and_ctrl_d_leaves(typist: Ssh | Telnet) -> None:
    typist.sends(b"\x03")
    typist.hears("/quit or Ctrl-D leaves.")
    typist.sends(b"not on a line\x04\x15")
    typist.screen.shows("-- /quit or Ctrl-D leaves.", "[lobby]")
    typist.sends(b"\x04")
    assert "Goodbye" in typist.hears_the_end()


def test_the_line_is_rewrapped_in_a_window_of_another_size(server: Served) -> None:
    with Ssh(server.port(), "ada", terminal=True) as ada:
        ada.greeted()
        ada.resizes(40, 24)
        ada.sends(b"x" * 50)
        ada.screen.shows("[lobby] " + "x" * 32, "x" * 18)


# Coming back --------------------------------------------------------------------------------------


@pytest.mark.parametrize("walk_in", [Netcat, Telnet])
@pytest.mark.parametrize("is_lost", [Netcat.drops_connection, Netcat.hang_up])
def test_a_guest_whose_connection_is_lost_resumes_by_the_token(
    server: Served, walk_in: Callable[[int], Netcat], is_lost: Callable[[Netcat], None]
) -> None:
    with Netcat(server.port()) as bob:
        bob.greeted()
        with walk_in(server.port()) as eve:
            eve.greeted()
            [token] = re.findall(r"/resume (\S+) takes", eve.hears(" takes you back"))
            eve.sends(b"/nick eve\r\n")
            eve.hears("-- You are now known as eve.")
            bob.hears("-- guest2 is now known as eve")
            bob.says("one")
            eve.hears(": one")
            is_lost(eve)
        bob.says("two")
        bob.says("/dm eve psst")
        bob.hears("[you -> eve] psst")
        with walk_in(server.port()) as again:
            again.greeted()
            again.hears(" takes you back")
            again.sends(f"/resume {token}\r\n".encode())
            again.hears("-- Welcome back, eve.")
            back = again.hears("psst")
            assert ": two" in back
            # Of a drawn screen more was under way than its messages: the last may come again.
            assert ": one" not in back or walk_in is Telnet
            again.sends(b"here again\r\n")
            assert "eve left" not in bob.hears("eve: here again")


# Ssh ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "plain"])
def test_quit_ends_ssh_with_status_0(server: Served, terminal: bool) -> None:
    with Ssh(server.port(), "ada", terminal=terminal) as ada:
        ada.greeted()
        ada.sends(b"/quit\r\n" if terminal else b"/quit\n")
        assert "Goodbye" in ada.hears_the_end()
        assert ada.status == 0


def test_ssh_without_a_terminal_speaks_plain_lines(server: Served) -> None:
    with Ssh(server.port(), "ada") as ada, Netcat(server.port()) as ned:
        ada.greeted()
        ned.greeted()
        ned.says("hello")
        ada.hears("guest1: hello\r\n")
        ada.says("hello yourself")
        ned.hears("ada: hello yourself\r\n")
        ada.sends(b"and the end")
        ada.sends_no_more()
        ned.hears("ada: and the end\r\n")
        ada.hears_the_end()
        assert ada.status == 0
        assert b"\x1b" not in ada.data
        assert b"hello yourself" not in ada.data


def test_a_command_that_does_not_exist_gets_one_line_on_standard_error_and_status_64(
    server: Served,
) -> None:
    with Ssh(server.port(), "ada", command="whoami") as ada:
        assert not ada.hears_the_end()
        assert ada.status == 64
        assert ada.error.count(b"\n") == 1
        assert ada.error.endswith(b"\n")


def test_the_host_key_survives_a_restart_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    keys = []
    for _start in range(2):
        with (
            Served(tmp_path, options=("--data", str(data))) as server,
            Ssh(server.port(), "ada") as ada,
        ):
            ada.greeted()
            keys.append(ada.host_key)
    assert keys[0]
    assert keys[0] == keys[1]
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in data.iterdir()} == {0o600}


# Options ------------------------------------------------------------------------------------------


def test_an_operator_kicks_in_a_room_of_another_user(tmp_path: Path, key: asyncssh.SSHKey) -> None:
    operators = tmp_path / "operators"
    operators.write_bytes(b"# those who may\n" + key.export_public_key())
    with (
        Served(tmp_path, options=("--admin", str(operators))) as server,
        Netcat(server.port()) as owner,
        Netcat(server.port()) as guest,
        Ssh(server.port(), "root", key=key) as root,
        Ssh(server.port(), "eve") as eve,
    ):
        for one in (owner, guest, root, eve):
            one.greeted()
        owner.says("/nick owner")
        owner.hears("now known as owner")
        owner.says("/join attic")
        owner.hears("-- You opened attic; it is yours.")
        guest.says("/nick rude")
        guest.hears("now known as rude")
        for one in (guest, root, eve):
            one.says("/join attic")
            one.hears("-- You are in attic")
        eve.says("/kick rude")
        eve.hears("-- Only a moderator of attic may do that.")
        root.says("/kick rude Enough")
        for one in (owner, root, eve):
            one.hears("-- rude was kicked from attic by root (Enough)\r\n")
        guest.hears("-- You were kicked from attic by root (Enough).\r\n")


def test_new_users_get_the_message_of_the_day_in_the_lobby(tmp_path: Path) -> None:
    motd = tmp_path / "motd"
    motd.write_text("Be kind.\nAnd 日本語.\n", encoding="utf-8")
    options = ("--motd", str(motd), "--lobby", "Hall")
    with (
        Served(tmp_path, options=options) as server,
        Netcat(server.port()) as ned,
        Ssh(server.port(), "ada") as ada,
    ):
        for one in (ned, ada):
            said = one.greeted()
            assert "-- Be kind.\r\n-- And 日本語.\r\n-- You are " in said
            assert " in Hall, " in said


def test_a_shouting_user_is_warned_and_then_kicked(tmp_path: Path) -> None:
    with (
        Served(tmp_path, options=("--shouting", "kick")) as server,
        Netcat(server.port()) as ned,
        Netcat(server.port()) as loud,
    ):
        ned.greeted()
        loud.greeted()
        loud.says("HELLO")
        loud.hears("the next time you are kicked.\r\n")
        loud.says("HELLO AGAIN")
        loud.hears("-- You were kicked from lobby by the server (shouting).\r\n")
        assert "HELLO" not in ned.hears("was kicked from lobby by the server (shouting)\r\n")


def test_without_a_flood_limit_no_client_is_slowed_down(tmp_path: Path) -> None:
    with (
        Served(tmp_path, options=("--flood", "none")) as server,
        Netcat(server.port()) as ned,
        Netcat(server.port()) as fast,
    ):
        ned.greeted()
        fast.greeted()
        fast.sends(b"".join(b"line %d\n" % number for number in range(500)))
        for number in range(500):
            ned.hears(f": line {number}\r\n")
        ned.says("enough")
        assert "You write fast" not in fast.hears(": enough\r\n")


def proxy_v1(address: str) -> bytes:
    return f"PROXY TCP4 {address} 127.0.0.1 50000 1134\r\n".encode()


def proxy_v2(address: str) -> bytes:
    addresses = socket.inet_aton(address) + socket.inet_aton(LOOPBACK) + struct.pack("!HH", 5, 6)
    start = b"\r\n\r\n\0\r\nQUIT\n\x21\x11"
    return start + struct.pack("!H", len(addresses)) + addresses


@pytest.mark.parametrize("header", [proxy_v1, proxy_v2])
def test_behind_a_listed_proxy_clients_are_counted_by_their_own_addresses(
    tmp_path: Path, header: Callable[[str], bytes]
) -> None:
    options = ("--proxy-from", "127.0.0.0/8", "--per-address", "1")
    with (
        Served(tmp_path, options=options) as server,
        Netcat(server.port()) as ada,
        Netcat(server.port()) as bob,
        Netcat(server.port()) as twice,
        Netcat(server.port()) as bare,
    ):
        ada.sends(header("203.0.113.5"))
        ada.greeted()
        server.wait_for(r"203\.0\.113\.5 comes in by line")
        bob.sends(header("203.0.113.6") + b"in one go\n")
        ada.hears("in one go\r\n")
        twice.sends(header("203.0.113.5"))
        assert "too many connections from your address" in twice.hears_the_end()
        bare.says("hello, this is no header")
        assert bare.hears_the_end() == ""


# Who does not belong here -------------------------------------------------------------------------

REQUEST = b"GET /?say=hello HTTP/1.1\r\nHost: chat.example\r\n\r\nhello\r\n"


def is_one_sentence_for_a_browser(answer: str) -> bool:
    """Return whether this is a complete HTTP response that refuses in one line."""
    head, _, sentence = answer.partition("\r\n\r\n")
    return (
        head.startswith("HTTP/1.1 426 ")
        and f"Content-Length: {len(sentence)}" in head
        and sentence.startswith("This is a chat server.")
        and sentence.index("\r\n") == len(sentence) - 2
    )


def test_a_browser_is_refused_with_one_sentence(server: Served) -> None:
    with Netcat(server.port()) as ned:
        ned.greeted()
        with Netcat(server.port(), REQUEST) as browser:
            assert is_one_sentence_for_a_browser(browser.hears_the_end())
        ned.says("/users")
        assert "guest2" not in ned.hears("   guest1")


def test_a_browser_that_was_silent_at_first_cannot_send_messages(server: Served) -> None:
    with Netcat(server.port()) as ned:
        ned.greeted()
        with Netcat(server.port()) as browser:
            browser.greeted()
            browser.sends(REQUEST)
            browser.sends_no_more()
            assert browser.hears_the_end().endswith("use ssh, telnet or nc on this port.\r\n")
        assert "hello" not in ned.hears("-- guest2 left")


@pytest.mark.parametrize("way", ["line", "telnet"])
def test_a_browser_cannot_send_messages_on_a_port_for_one_way_in(tmp_path: Path, way: str) -> None:
    with Served(tmp_path, ways=(way,)) as server, Netcat(server.port(way), REQUEST) as browser:
        browser.sends_no_more()
        assert browser.hears_the_end().endswith("use ssh, telnet or nc on this port.\r\n")


def client_hello() -> bytes:
    """Return the first bytes of a TLS client."""
    hello = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), hello).do_handshake()
    return hello.read()


def test_tls_is_refused_with_one_sentence(server: Served) -> None:
    with Netcat(server.port(), client_hello()) as scanner:
        said = scanner.hears_the_end()
    assert said == "This port does not speak TLS; use ssh, telnet or nc.\r\n"


# Starting and stopping ----------------------------------------------------------------------------


class Twist(Served):
    """A chatd as systemd would start it, which logs in JSON."""

    def _command(self) -> list[str]:
        twist = Path(sys.executable).with_name("twist")
        port = "tcp:0:interface=127.0.0.1"
        return [str(twist), "--log-format=text", "chatd", "--port", port, *self.options]


def test_twist_starts_the_server_too(tmp_path: Path) -> None:
    with Twist(tmp_path) as server, Netcat(server.port()) as ada:
        ada.greeted()
        ada.says("/quit")
        assert "Goodbye" in ada.hears_the_end()


@pytest.mark.parametrize("program", ["twistd", "twist"])
def test_a_second_server_on_a_port_ends_with_a_sentence(
    server: Served, program: str, tmp_path: Path
) -> None:
    port = server.port()
    before = ["-n", "--pidfile="] if program == "twistd" else ["--log-format=text"]
    ended = subprocess.run(
        [
            str(Path(sys.executable).with_name(program)),
            *before,
            "chatd",
            f"--listen=auto=tcp:{port}:interface=127.0.0.1",
            f"--data={tmp_path / 'other'}",
        ],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stdout
    [sentence] = [line for line in ended.stdout.splitlines() if "in use" in line]
    assert str(port) in sentence


def test_every_client_is_notified_when_the_server_stops(tmp_path: Path) -> None:
    with ExitStack() as here:
        with Served(tmp_path) as server:
            port = server.port()
            everybody: list[ChatClient] = [
                here.enter_context(walk_in)
                for walk_in in (
                    Netcat(port),
                    Telnet(port),
                    Ssh(port, "ada", terminal=True),
                    Ssh(port, "bob"),
                )
            ]
            for one in everybody:
                one.greeted()
        for one in everybody:
            assert "-- The server is stopping. Goodbye." in one.hears_the_end()
        assert [one.status for one in everybody if isinstance(one, Ssh)] == [0, 0]
