"""Security log: one form for every way in, which nobody can forge, and the filter that reads it."""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from configparser import RawConfigParser
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import Logger, globalLogPublisher, textFileLogObserver

from chatd.chat.model.bans import Ban, Kind, Target
from chatd.chat.ratelimit.reports import Flood, SecurityReport, TurnedAway, WrongSecret
from chatd.chat.records.accounts import Account
from chatd.chat.records.server_access import AllowList
from chatd.chat.text.names import Name
from chatd.transport.gate.admission import PerAddress
from chatd.transport.gate.strangers import REASONS
from chatd.transport.security_log import REFUSED_LINES, SecurityLog
from tests import ROOT
from tests.conftest import LoggedFailures
from tests.support.memory_server import MemoryServer
from tests.support.ssh.clients import SshClient, SshServer

FILTER = ROOT / "contrib" / "fail2ban" / "filter.d" / "chatd.conf"
#: What fail2ban puts in the place of <HOST>, as far as chatd writes addresses.
HOST = r"(?P<host>[0-9A-Fa-f:.]+)"


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """Write what is logged as twistd does."""
    file = io.StringIO()
    observer = textFileLogObserver(file)
    globalLogPublisher.addObserver(observer)
    try:
        yield file
    finally:
        globalLogPublisher.removeObserver(observer)


def lines_of(*reports: SecurityReport) -> list[str]:
    """Return the lines that reports make in the log, without time and source."""
    with logged() as file:
        for each in reports:
            SecurityLog(Clock()).report(each)
    return [line.split("] ", 1)[1] for line in file.getvalue().splitlines()]


def test_an_address_that_is_refused_all_the_time_does_not_fill_the_log() -> None:
    clock = Clock()
    log, refused = SecurityLog(clock), TurnedAway("2001:db8::1", "", "connects-too-often")
    with logged() as file:
        for _ in range(REFUSED_LINES.burst + 1000):
            log.report(refused)
        assert len(file.getvalue().splitlines()) == REFUSED_LINES.burst
        for other in (
            TurnedAway("2001:db8:0:1::1", "", "connects-too-often"),
            TurnedAway("2001:db8::1", "", "too-many-wrong-passwords"),
            WrongSecret("2001:db8::1", "ssh", account="ada"),
        ):
            log.report(other)
        assert len(file.getvalue().splitlines()) == REFUSED_LINES.burst + 3
        for _ in range(60):
            clock.advance(1)
            log.report(TurnedAway("2001:db8::2", "", "connects-too-often"))  # of the same network
        assert len(file.getvalue().splitlines()) == REFUSED_LINES.burst + 3 + 10


def test_every_report_is_one_line_of_fields() -> None:
    assert lines_of(
        WrongSecret("192.0.2.1", "ssh", account="ada"),
        WrongSecret("2001:db8::1", "line", room="den"),
        TurnedAway("192.0.2.1", "json", "banned"),
        TurnedAway("192.0.2.1", "", "connects-too-often"),
        Flood("192.0.2.1", "lines", 99),
        WrongSecret("", "telnet", account="ada"),
    ) == [
        "auth-fail addr=192.0.2.1 account=ada way=ssh",
        "auth-fail addr=2001:db8::1 room=den way=line",
        "refused addr=192.0.2.1 why=banned way=json",
        "refused addr=192.0.2.1 why=connects-too-often way=-",
        "flood addr=192.0.2.1 why=lines people=99",
        "auth-fail addr=- account=ada way=telnet",
    ]


HOSTILE = st.text() | st.sampled_from(
    [
        "ada way=ssh\nauth-fail addr=198.51.100.1 account=x",
        "x addr=198.51.100.1",
        "{address}",
        "a\r\nb",
        "\x1b[31m",
        "a\u2028b\x85c",
        "%0a",
    ]
)


@given(HOSTILE)
def test_no_text_of_a_client_makes_another_line_or_another_field(text: str) -> None:
    [line] = lines_of(WrongSecret("192.0.2.1", "ssh", account=text))
    word, *fields = line.split(" ")
    assert word == "auth-fail"
    assert [field.partition("=")[0] for field in fields] == ["addr", "account", "way"]
    assert line.isascii()
    assert line.isprintable()


# The documentation --------------------------------------------------------------------------------


def reasons() -> set[str]:
    """Return the words for why somebody was refused, as the source has them."""
    found = set(REASONS.values())
    for path in (ROOT / "chatd").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        found |= set(re.findall(r"_refuse\(\s*\"([a-z-]+)\"", source))
        found |= set(re.findall(r"TurnedAway\([^()]*\"([a-z]+-[a-z-]+)\"\s*\)", source))
        if path.name in ("server_access.py", "admission.py"):
            found |= set(re.findall(r"Refused\(\s*\"([a-z-]+)\"", source))
    return found


def test_the_documentation_explains_each_reason_for_a_refusal() -> None:
    text = (ROOT / "docs" / "operations.rst").read_text(encoding="utf-8")
    table = text.partition("has one of these reasons:")[2].partition("``contrib/fail2ban``")[0]
    explained = {
        word
        for line in table.splitlines()
        if line.startswith("``")
        for word in re.findall("``([a-z-]+)``", line[:28])
    } - {"why"}
    assert explained == reasons()


# The filter ---------------------------------------------------------------------------------------


def expressions(mode: str) -> list[re.Pattern[str]]:
    """Return the expressions of the filter, with its variables and <HOST> expanded."""
    parser = RawConfigParser()
    parser.read_string(FILTER.read_text(encoding="utf-8"))
    values = dict(parser["Definition"])

    def expand(text: str) -> str:
        while found := re.search(r"%\((\w+)\)s|<(_\S+>)(?=\s|$)", text):
            name = found[1] or f"_{mode}"
            text = text.replace(found[0], values[name])
        return text

    return [
        re.compile(each.replace("<HOST>", HOST)) for each in expand(values["failregex"]).split("\n")
    ]


def blocked(log: str, mode: str = "normal") -> list[str]:
    """Return the addresses that the filter finds in a log, in order."""
    found = []
    for line in log.splitlines():
        hosts = {m["host"] for each in expressions(mode) if (m := each.search(_without_time(line)))}
        found += sorted(hosts)
    return found


def _without_time(line: str) -> str:
    """Return a line as fail2ban matches it: the time that it has found is cut out."""
    return re.sub(r"^(\W{0,2})\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}", r"\1", line)


def has_account(server: MemoryServer) -> None:
    account = Account(Name("ada", "ada"), (), 0.0, "kept:correct horse")
    server.chat.accounts.apply_change("ada", account.encoded())


def attacked() -> str:
    """Return the log of a server that is attacked by every way in, each from an own address."""
    ssh = SshServer()
    server = ssh.memory_server
    has_account(server)
    with logged() as log:
        netcat = server.enters(address="192.0.2.1")
        netcat.sends(b"/login ada wrong\n"), netcat.receives()
        telnet = server.connects("192.0.2.2")
        telnet.sends(b"\xff\xfb\x1f"), server.clock.advance(1)
        telnet.sends(b"/login ada wrong\r\n"), telnet.receives()
        client = SshClient(ssh, b"eve", address="192.0.2.3").opens_shell()
        client.receives(), client.types("/login ada wrong\n"), client.receives()
        bot = server.connects("192.0.2.4")
        bot.sends(json.dumps({"username": "ada", "version": 2, "password": "wrong"}).encode())
        bot.receives()
        owner = server.enters("owner", address="198.51.100.1")
        owner.sends(b"/join den\n/room key sesame\n"), owner.receives()
        guesser = server.enters(address="2001:db8::5")
        guesser.sends(b"/join den open\n" * 4), guesser.receives()
        for report in server.reports:
            SecurityLog(Clock()).report(report)
    return log.getvalue()


def test_the_filter_finds_every_wrong_password_and_key_in_the_log() -> None:
    found = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", *["2001:db8::5"] * 4]
    assert blocked(attacked()) == found


def test_the_filter_knows_the_lines_of_one_of_several_processes() -> None:
    with logged() as log:
        SecurityLog(Clock()).report(WrongSecret("192.0.2.1", "ssh", account="ada"))
    source = "[chatd.transport.security_log#info]"
    assert source in log.getvalue()
    of_process = log.getvalue().replace(source, "[2 chatd.transport.security_log#info]")
    assert blocked(of_process) == ["192.0.2.1"]


def turned_away() -> str:
    """Return the log of a server on which one connects too often, and one is banned."""
    server = MemoryServer("line", per_address=PerAddress(1, 100))
    server.chat.access.bans.put(
        Ban(Target(Kind.ADDRESS, "198.51.100.9"), "", "root", 0.0, None, ""), quietly=True
    )
    with logged() as log:
        for address in ("192.0.2.1", "192.0.2.1", "198.51.100.9"):
            server.connects(address)
        for report in server.reports:
            SecurityLog(Clock()).report(report)
    return log.getvalue()


def test_who_only_comes_too_often_is_blocked_in_the_aggressive_mode_alone() -> None:
    log = turned_away()
    assert "refused addr=192.0.2.1 why=too-many-connections way=line" in log
    assert "refused addr=198.51.100.9 why=banned way=line" in log
    assert blocked(log) == []
    assert blocked(log, "aggressive") == ["192.0.2.1", "198.51.100.9"]


def test_the_filter_knows_the_lines_of_the_journal() -> None:
    with logged() as log:
        SecurityLog(Clock()).report(WrongSecret("192.0.2.1", "ssh", account="ada"))
    assert blocked(f"host twist[4321]: {log.getvalue()}") == ["192.0.2.1"]


FORGED = (
    "2030-01-01T12:00:00+0000 [chatd.transport.security_log#info] "
    "auth-fail addr=198.51.100.1 account=a way=b"
)


def test_the_message_of_an_exception_in_a_traceback_gets_nobody_blocked(
    logged_failures: LoggedFailures,
) -> None:
    with logged() as log:
        try:
            raise ValueError(f"x\n{FORGED}\nhost twist[4321]: {FORGED}")
        except ValueError:
            Logger().failure("a bug")
    assert logged_failures.flush(ValueError)
    assert FORGED in log.getvalue()
    for journal in ("", "host twist[4321]: "):
        for line in log.getvalue().splitlines():
            assert blocked(f"{journal}{line}") == []


@pytest.mark.parametrize(
    "nick",
    [
        "x] auth-fail addr=198.51.100.1 account=ada way=ssh",
        "[chatd.transport.security_log#info] auth-fail addr=198.51.100.1 account=a way=b",
        f"\n{FORGED}",
    ],
)
def test_nobody_gets_another_address_blocked_by_what_they_send(nick: str) -> None:
    ssh = SshServer()
    server = ssh.memory_server
    has_account(server)
    with logged() as log:
        netcat = server.enters(address="192.0.2.1")
        netcat.sends(f"/login {nick} wrong\n/nick {nick}\n/join {nick} key\n".encode())
        netcat.receives()
        bot = server.connects("192.0.2.4")
        bot.sends(json.dumps({"username": nick, "version": 2, "password": "wrong"}).encode())
        bot.receives()
        SshClient(ssh, nick.encode()).opens_shell().receives()
        telnet = server.connects("192.0.2.5")
        telnet.sends(f"SSH-2.0-{nick}\r\n".encode()), telnet.receives()
        for report in server.reports:
            SecurityLog(Clock()).report(report)
        SecurityLog(Clock()).report(WrongSecret("192.0.2.1", nick, account=nick, room=nick))
        SecurityLog(Clock()).report(TurnedAway("192.0.2.1", nick, nick))
    for mode in ("normal", "aggressive"):
        assert "198.51.100.1" not in blocked(log.getvalue(), mode)


@pytest.mark.parametrize("mode", ["normal", "aggressive"])
def test_fail2ban_reads_the_log_with_the_filter(
    tmp_path: Path, client: Callable[[str], str], mode: str
) -> None:
    log = tmp_path / "chatd.log"
    text = attacked() + turned_away()
    log.write_text(text, encoding="utf-8")
    found = f"{FILTER}[mode={mode}]"
    command = [client("fail2ban-regex"), "--out", "ip", str(log), found]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split() == blocked(text, mode), done.stderr


# Lines of ssh -------------------------------------------------------------------------------------


def test_ssh_logs_addresses_and_no_objects() -> None:
    server = SshServer()
    with logged() as log:
        client = SshClient(server, b"eve", address="192.0.2.3")
        client.peer.send(200, b""), client.peer.feed(b"\0" * 64)
        bare = server.memory_server.connects("192.0.2.5")
        bare.sends(b"SSH-2.0-x\r\nnonsense" + b"\0" * 64), bare.receives()
        silent = server.memory_server.connects("192.0.2.6")
        silent.sends(b"SSH-2.0-x\r\n"), server.clock.advance(60), silent.receives()
    lines = log.getvalue().splitlines()
    assert any("ssh from 192.0.2.3 ended: " in line for line in lines)
    assert any("ssh from 192.0.2.5 ended: " in line for line in lines)
    assert any("ssh from 192.0.2.6 ended: no login in time" in line for line in lines)
    assert not any(" object at 0x" in line or "Arrival" in line for line in lines)


def test_a_client_that_is_not_on_the_allow_list_is_reported_by_every_way_in() -> None:
    server = MemoryServer(allowed=lambda: AllowList())
    server.connects("192.0.2.1").stays_silent()
    telnet = server.connects("192.0.2.2")
    telnet.sends(b"\xff\xfb\x1f"), server.clock.advance(1), telnet.receives()
    bot = server.connects("192.0.2.3")
    bot.sends(b'{"username": "bot", "version": 2}'), bot.receives()
    tcd = server.connects("192.0.2.4")
    tcd.sends(b"JOIN_CHATROOM: lobby\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: tcd\n"), tcd.receives()
    ssh = SshServer(allowed=lambda: AllowList())
    SshClient(ssh, b"eve", address="192.0.2.5")
    assert [*server.reports, *ssh.memory_server.reports] == [
        TurnedAway(f"192.0.2.{number}", way, "not-invited")
        for number, way in enumerate(("line", "telnet", "json", "tcd", "ssh"), 1)
    ]
