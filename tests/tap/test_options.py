"""The command line: valid and invalid values of every option, and the server that it makes."""

import re
import socket
import stat
from ipaddress import ip_network
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.application.service import MultiService, Service
from twisted.conch.ssh.keys import Key
from twisted.cred.checkers import FilePasswordDB, InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.endpoints import (
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    UNIXServerEndpoint,
)
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

import chatd
from chatd.chat.events import Refused
from chatd.chat.limits import Rate
from chatd.chat.model.bans import Identity
from chatd.chat.store import Store
from chatd.store.memory import MemoryStore
from chatd.tap import Options, make_server
from chatd.tap.options import BACKLOG, MOTD_LINES
from chatd.tap.parent_watch import ParentWatch, Ready
from chatd.tap.stop_once import StopOnce
from chatd.tap.worker import FIRST_SOCKET, PROCESSES_AT_MOST, Worker
from chatd.transport.gate.admission import PerAddress
from chatd.transport.gate.gate import Door, GateFactory
from chatd.transport.net.dual_stack import DualStackEndpoint
from chatd.transport.net.listening import Listening
from chatd.transport.services.clock_watch import ClockWatch
from chatd.transport.services.disk_watch import DiskWatch
from chatd.transport.services.garbage import GarbageCollection
from chatd.transport.services.lease import Lease
from chatd.transport.services.passwords import PasswordThread
from chatd.transport.services.shutdown import Shutdown
from chatd.transport.services.store import StoreService
from chatd.transport.services.unacknowledged import UnacknowledgedCheck
from chatd.transport.services.unread_output import UnreadOutput
from chatd.transport.services.unused_accounts import UnusedAccounts
from chatd.transport.ssh.keys.host_key import FILE_NAME

VARIABLES = ("STATE_DIRECTORY", "XDG_STATE_HOME")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home folder of our own, in an environment without settings."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    return home


def parsed(*words: str) -> Options:
    """Return the options of a command line."""
    options = Options()
    options.parseOptions(list(words))
    return options


def refused(*words: str) -> str:
    """Return the sentence with which a command line is refused."""
    with pytest.raises(UsageError) as why:
        parsed(*words)
    sentence = str(why.value)
    assert sentence
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    return sentence


# Defaults -----------------------------------------------------------------------------------------


def test_no_option_is_required(home: Path) -> None:
    options = parsed()
    assert options["listen"] == [("auto", f"dual:1134:backlog={BACKLOG}")]
    assert options["lobby"] == "lobby"
    assert options["motd"] == ()
    assert options["shouting"] == "allow"
    assert options["admin"] == frozenset()
    assert options["allow"] is None
    assert options["data"] == home / ".local" / "state" / "chatd"
    assert options["max-connections"] == 10_000
    assert options["per-address"] == PerAddress(100, 120)
    assert options["flood"] == Rate(10, 2)
    assert options["proxy-from"] == []
    assert options["auth"] == []


def test_every_option_is_tested_here() -> None:
    text = Path(__file__).read_text()
    for option in options_of(Options().getUsage()):
        assert f'"{option}' in text


# Ports --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("2222", f"dual:2222:backlog={BACKLOG}"),
        ("0", f"dual:0:backlog={BACKLOG}"),
        ("65535", f"dual:65535:backlog={BACKLOG}"),
        ("tcp:2222", f"tcp:2222:backlog={BACKLOG}"),
        ("tcp:2222:interface=127.0.0.1", f"tcp:2222:interface=127.0.0.1:backlog={BACKLOG}"),
        ("tcp6:2222", f"tcp6:2222:backlog={BACKLOG}"),
        ("dual:2222:backlog=5", "dual:2222:backlog=5"),
        ("tcp:2222:backlog=5", "tcp:2222:backlog=5"),
        ("unix:/run/chatd", "unix:/run/chatd"),
    ],
)
def test_a_port_is_a_number_or_an_endpoint(text: str, endpoint: str) -> None:
    for words in (("--port", text), (f"--port={text}",), ("-p", text)):
        assert parsed(*words)["listen"] == [("auto", endpoint)]
    assert parsed("--listen", f"ssh={text}")["listen"] == [("ssh", endpoint)]


def test_endpoints_are_checked_while_parsing() -> None:
    options = parsed(
        *("--port", "1", "--listen", "telnet=tcp:3"),
        *("--listen", "ssh=tcp6:2", "--listen", "line=unix:/run/chatd"),
    )
    ways = [(way, type(endpoint)) for way, endpoint in options["endpoints"]]
    assert ways == [
        ("auto", DualStackEndpoint),
        ("telnet", TCP4ServerEndpoint),
        ("ssh", TCP6ServerEndpoint),
        ("line", UNIXServerEndpoint),
    ]


def test_with_listen_alone_the_default_port_is_not_opened() -> None:
    options = parsed("--listen", "ssh=22", "--listen=telnet=23", "--listen", "ssh=2222")
    assert [way for way, _ in options["listen"]] == ["ssh", "telnet", "ssh"]


def test_the_options_of_one_command_line_are_not_those_of_the_next() -> None:
    parsed("--listen", "ssh=22", "--proxy-from", "10.0.0.0/8")
    assert parsed()["listen"] == [("auto", f"dual:1134:backlog={BACKLOG}")]
    assert parsed()["proxy-from"] == []


@pytest.mark.parametrize("port", ["65536", "99999999999"])
def test_a_number_outside_the_ports_is_refused(port: str) -> None:
    assert refused("--port", port) == f"--port: a port is a number from 0 to 65535, not {port}"
    assert refused("--listen", f"ssh={port}").startswith(f"--listen ssh={port}: a port is a number")


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "-1",
        "1134 ",
        "nosuch:1",
        "tcp:",
        "tcp:http",
        "tcp:1:backlog=x",
        "dual:",
        "dual:1:interface=127.0.0.1",
        "dual:1:backlog=x",
        "unix:/run/chatd:mode=x",
        "haproxy:nosuch:1",
        pytest.param("tcp"),
        pytest.param("tcp:1:interface=::1"),
        pytest.param("tcp:1:bogus=1"),
        pytest.param("unix"),
        pytest.param("systemd:domain=INET:name=nosuch"),
        pytest.param("systemd:domain=INET:index=0"),
    ],
)
def test_an_invalid_endpoint_is_refused_with_a_sentence(endpoint: str) -> None:
    assert refused("--port", endpoint).startswith("--")
    assert refused("--listen", f"ssh={endpoint}").startswith("--listen")


@pytest.mark.parametrize("endpoint", ["tcp:65536", "tcp6:65536", "tcp:-1"])
def test_a_number_outside_the_ports_is_refused_within_an_endpoint_too(endpoint: str) -> None:
    assert refused("--port", endpoint)


def test_the_error_about_an_endpoint_names_its_option() -> None:
    assert refused("--port", "nosuch:1").startswith("--port")


@pytest.mark.parametrize("text", ["22", "bogus=22", "=22", "ssh", "SSH=22", ""])
def test_an_unknown_way_in_is_refused_with_a_list_of_the_known_ones(text: str) -> None:
    assert refused("--listen", text) == (
        f"--listen takes WAY=ENDPOINT, WAY one of auto, ssh, telnet, tcd, json, line: {text}"
    )


# The chat -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", ["lobby", "Café", "日本語", "room-1"])
def test_the_lobby_has_a_name(room: str) -> None:
    assert parsed("--lobby", room)["lobby"] == room


@pytest.mark.parametrize("room", ["", "a b", "x" * 33, "\x1b[2J"])
def test_an_invalid_name_of_the_lobby_is_refused(room: str) -> None:
    assert refused("--lobby", room).startswith("--lobby: A room's name ")


def test_the_message_of_the_day_is_read_from_a_file_and_made_safe(tmp_path: Path) -> None:
    motd = tmp_path / "motd"
    motd.write_bytes(b"Be kind.\r\n\r\n\x1b[31mcaf\xc3\xa9 \xff\n")
    assert parsed("--motd", str(motd))["motd"] == ("Be kind.", "", "[31mcafé \ufffd")


def test_a_long_message_of_the_day_is_truncated(tmp_path: Path) -> None:
    motd = tmp_path / "motd"
    motd.write_text("line\n" * (MOTD_LINES + 1))
    assert parsed("--motd", str(motd))["motd"] == ("line",) * MOTD_LINES


def test_a_message_of_the_day_that_is_missing_or_a_folder_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert refused("--motd", str(missing)) == f"--motd: No such file or directory: {missing}"
    assert refused("--motd", str(tmp_path)) == f"--motd: Is a directory: {tmp_path}"


@pytest.mark.parametrize("shouting", ["allow", "warn", "kick"])
def test_shouting_is_allow_warn_or_kick(shouting: str) -> None:
    assert parsed("--shouting", shouting)["shouting"] == shouting


def test_any_other_value_of_shouting_is_refused() -> None:
    assert refused("--shouting", "ban") == ("--shouting: it is one of allow, warn, kick, not ban")


def test_operators_are_read_from_a_file_of_keys(tmp_path: Path) -> None:
    key = Key(Ed25519PrivateKey.generate()).public()
    keys = tmp_path / "keys"
    keys.write_bytes(b"# us\n\n" + key.toString("OPENSSH", comment=b"ada@example.org") + b"\n")
    assert parsed("--admin", str(keys))["admin"] == {key.blob()}


def test_a_missing_or_invalid_file_of_keys_is_refused_with_the_line(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    assert refused("--admin", str(keys)).startswith(f"--admin: {keys} cannot be read: ")
    keys.write_text("# us\nssh-ed25519 nonsense\n")
    assert refused("--admin", str(keys)) == f"--admin: {keys}, line 2: the key is not whole."


def test_the_allow_list_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "allow"
    assert refused("--allow", str(path)).startswith(f"--allow: {path} cannot be read: ")
    path.write_text("account: no nick\n")
    assert refused("--allow", str(path)).startswith(f"--allow: {path}, line 1: A nick has letters")
    path.write_text("account: Ada\n")
    assert parsed("--allow", str(path))["allow"]().accounts == {"ada"}
    server, reactor = served("--allow", str(path), store=MemoryStore())
    server.startService()
    welcome = doors(reactor)[0].host.chat.access
    with pytest.raises(Refused, match="for invited people only"):
        welcome.check(Identity("bob"), 0.0)
    welcome.check(Identity("bob", "ada"), 0.0)


def test_stored_records_are_loaded_before_a_way_in_opens() -> None:
    server, reactor = served("--port", "1", store=MemoryStore())
    server.startService()
    assert doors(reactor)[0].host.chat.opened is not None


# Limits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["1", "10", "50000"])
def test_connections_are_a_number_from_1_on(text: str) -> None:
    assert parsed("--max-connections", text)["max-connections"] == int(text)


@pytest.mark.parametrize("text", ["0", "-1", "many", "", "1.5", "١", "1e3"])
def test_any_other_number_of_connections_is_refused(text: str) -> None:
    expected = f"--max-connections: it is a number from 1 on, not {text}"
    assert refused(f"--max-connections={text}") == expected


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("none", None),
        ("5", PerAddress(5, 120)),
        ("5/30", PerAddress(5, 30)),
        ("5/0.5", PerAddress(5, 0.5)),
    ],
)
def test_per_address_limits_are_parsed(text: str, limit: PerAddress | None) -> None:
    assert parsed("--per-address", text)["per-address"] == limit


@pytest.mark.parametrize("text", ["0", "x", "5/", "5/0", "5/x", "/", "", "5/nan", "5/inf", "None"])
def test_invalid_per_address_limits_are_refused(text: str) -> None:
    assert refused("--per-address", text).startswith("--per-address: it is a number ")


@pytest.mark.parametrize(
    ("text", "limit"), [("none", None), ("5/1", Rate(5, 1)), ("1/0.1", Rate(1, 0.1))]
)
def test_the_flood_limit_is_parsed(text: str, limit: Rate | None) -> None:
    assert parsed("--flood", text)["flood"] == limit


@pytest.mark.parametrize("option", ["--flood", "--flood-per-address"])
@pytest.mark.parametrize("text", ["5", "0/1", "5/0", "5/x", "x/1", "", "/", "5/-1", "5/inf"])
def test_an_invalid_flood_limit_is_refused(option: str, text: str) -> None:
    assert refused(option, text).startswith(f"{option}: it is ")


@pytest.mark.parametrize(
    ("words", "limit"),
    [
        ((), Rate(40, 8)),
        (("--flood", "5/1"), Rate(20, 4)),
        (("--flood", "none"), None),
        (("--flood", "none", "--flood-per-address", "5/1"), Rate(5, 1)),
        (("--flood-per-address", "none"), None),
    ],
)
def test_an_address_may_send_four_times_what_a_person_may(
    words: tuple[str, ...], limit: Rate | None
) -> None:
    assert parsed(*words)["flood-per-address"] == limit


@pytest.mark.parametrize("network", ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1"])
def test_proxies_are_networks(network: str) -> None:
    assert parsed("--proxy-from", network)["proxy-from"] == [ip_network(network)]


def test_there_may_be_several_networks_of_proxies() -> None:
    options = parsed("--proxy-from", "10.0.0.0/8", "--proxy-from=::1")
    assert options["proxy-from"] == [ip_network("10.0.0.0/8"), ip_network("::1")]


@pytest.mark.parametrize("network", ["", "proxy.example.org", "10.0.0.1/8", "10.0.0.0/33"])
def test_an_invalid_network_is_refused(network: str) -> None:
    assert refused("--proxy-from", network).startswith("--proxy-from: ")


# The folder ---------------------------------------------------------------------------------------


def test_the_host_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "chatd"
    first = parsed("--data", str(folder))["host-key"]
    assert parsed("--data", str(folder))["host-key"] == first
    assert [path.name for path in folder.iterdir()] == [FILE_NAME]
    assert stat.S_IMODE((folder / FILE_NAME).stat().st_mode) == 0o600


def test_the_data_folder_is_systemds_then_xdgs_then_in_home(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert parsed()["data"] == home / ".local" / "state" / "chatd"
    monkeypatch.setenv("XDG_STATE_HOME", "")
    assert parsed()["data"] == home / ".local" / "state" / "chatd"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert parsed()["data"] == tmp_path / "xdg" / "chatd"
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path / 'one'}:{tmp_path / 'two'}")
    assert parsed()["data"] == tmp_path / "one"
    assert (tmp_path / "one" / FILE_NAME).exists()
    assert parsed("--data", str(tmp_path / "mine"))["data"] == tmp_path / "mine"


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert refused("--data", str(file)).startswith(f"--data: The SSH host key {file / FILE_NAME}")


def test_a_folder_that_cannot_be_written_to_is_refused() -> None:
    assert refused("--data", "/proc/chatd").startswith("--data: The SSH host key ")


def test_an_invalid_host_key_is_refused_and_left_unchanged(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("nonsense")
    assert refused("--data", str(tmp_path)).startswith("--data: The SSH host key ")
    assert (tmp_path / FILE_NAME).read_text() == "nonsense"


# Words --------------------------------------------------------------------------------------------


def options_of(usage: str) -> list[str]:
    """Return the long options at the beginnings of lines of a usage text."""
    return re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", usage, re.MULTILINE)


class Program(UsageOptions):
    """A program that has chatd as a subcommand, as twistd does."""

    synopsis = "Usage: twistd [options]"
    subCommands: ClassVar[list[Any]] = [["chatd", None, Options, "A chat server."]]


@pytest.mark.parametrize("columns", ["80", "100"])
def test_help_begins_with_a_synopsis_and_explains_every_option(
    columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit) as ended:
        Program().parseOptions(["chatd", "--help"])
    assert ended.value.code in (0, None)
    usage = capsys.readouterr().out
    assert usage.startswith("Usage: twistd [options] chatd [options]\n")
    every = {f"--{option.rstrip('=')}" for option in Options().longOpt}
    assert set(options_of(usage)) == every
    for line in usage.splitlines():
        assert len(line) <= int(columns)
        if options_of(line):
            assert re.search(r"--[a-z-]+=? {2,}\S", line), "a meaning stands beside it"
    words = " ".join(usage.split())
    assert "One chat server that every client can walk into" in words
    for default in ("1134", "lobby", "allow", "10000", "100/120", "10/2"):
        assert f"[default: {default}]" in words


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed("--version")
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"chatd {chatd.__version__} on Twisted ")


@pytest.mark.parametrize(
    ("text", "kept"), [("none", "none"), ("memory", "memory"), ("30", 30.0), ("0.5", 0.5)]
)
def test_history_is_a_number_of_days_or_a_word(text: str, kept: float | str) -> None:
    assert parsed("--history", text)["history"] == kept
    assert parsed()["history"] == 365


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "all", "1 day"])
def test_an_invalid_history_is_refused(text: str) -> None:
    assert refused("--history", text) == f"--history: it is a number above 0, not {text}"


def test_replay_is_a_number_of_messages() -> None:
    assert parsed()["replay"] == 10
    assert parsed("--replay", "200")["replay"] == 200
    for wrong in ("201", "-1", "all", ""):
        assert refused("--replay", wrong) == f"--replay: it is a number, 0 to 200, not {wrong}"
    server, reactor = served("--replay", "3", store=MemoryStore())
    server.startService()
    [door] = doors(reactor)
    assert door.host.chat.profiles.preferences(None).replay == 3


def test_durability_is_process_or_power() -> None:
    assert parsed()["durability"] == "process"
    assert parsed("--durability", "power")["durability"] == "power"
    assert refused("--durability", "x") == "--durability: it is process or power, not x"


def test_a_cluster_is_given_by_its_servers(tmp_path: Path) -> None:
    assert parsed()["cluster"] == ()
    servers = ("nats://192.0.2.1", "tls://example.net:4222")
    login = tmp_path / "login"
    login.write_text("ada:pass:word\n")
    options = parsed("--cluster", ",".join(servers), "--cluster-login", str(login))
    assert options["cluster"] == servers
    assert options["cluster-login"] == ("ada", "pass:word")
    assert options["cluster-tls"] is None
    assert refused("--cluster", "192.0.2.1") == (
        "--cluster: a NATS server is nats://HOST[:PORT] or tls://…, not 192.0.2.1"
    )
    login.write_text("nobody")
    there = ("--cluster", servers[0])
    assert refused(*there, "--cluster-login", str(login)).endswith("login has no USER:PASSWORD")
    creds = refused(*there, "--cluster-creds", str(login))
    assert creds == f"--cluster-creds: {login} has no seed of NATS, or a damaged one"
    for option in ("--cluster-login", "--cluster-creds", "--cluster-ca", "--cluster-cert"):
        why = refused(*there, option, str(tmp_path / "none"))
        assert why.startswith(f"{option}: No such file or directory: ")
    assert refused(*there, "--cluster-cert", str(login)).startswith("--cluster-cert: ")
    assert refused("--cluster-name", "ada") == (
        "--cluster-…: there is no --cluster that it could be for"
    )
    for history in ("memory", "none"):
        assert refused(*there, "--history", history) == (
            "--history: a cluster keeps what was said, for a number of days"
        )


#: What a server of a cluster does, in the order in which it begins.
OF_A_CLUSTER = [
    StoreService,
    PasswordThread,
    StoreService,
    Lease,
    UnacknowledgedCheck,
    UnusedAccounts,
    ClockWatch,
    DiskWatch,
    UnreadOutput,
    Shutdown,
    Listening,
    GarbageCollection,
]


def test_a_cluster_renews_its_lease_and_has_no_file(tmp_path: Path) -> None:
    words = ("--cluster", "nats://127.0.0.1:1", "--cluster-name", "ada", "--data", str(tmp_path))
    server, _ = served(*words)
    services: list[Service] = list(server)
    assert [type(service) for service in services] == [StopOnce, *OF_A_CLUSTER]
    assert not (tmp_path / "chatd.db").exists()


CLUSTER = ("--cluster", "nats://127.0.0.1:1")


def test_processes_are_a_number_and_one_process_is_the_default() -> None:
    assert parsed()["processes"] == parsed("--processes", "1")["processes"] == Worker(0, 1)
    several = parsed(*CLUSTER, "--processes", str(PROCESSES_AT_MOST))
    assert several["processes"] == Worker(0, PROCESSES_AT_MOST)
    assert several["max-connections"] == 10_000
    assert several.arguments == [*CLUSTER, "--processes", str(PROCESSES_AT_MOST)]
    assert refused("--processes", "2") == (
        "--processes: only with a --cluster are several processes one server"
    )
    for wrong in ("0", "-1", "x", "", "1.5", str(PROCESSES_AT_MOST + 1), "1/2", "/"):
        assert refused(*CLUSTER, "--processes", wrong) == (
            f"--processes: it is a number, 1 to {PROCESSES_AT_MOST}, not {wrong}"
        )


@pytest.mark.parametrize("endpoint", ["unix:/run/chatd", "systemd:domain=INET:index=0"])
def test_processes_share_only_tcp_ports(endpoint: str) -> None:
    parsed(*CLUSTER, "--processes", "2", "--port", "tcp6:1134:interface=\\:\\:")
    for option, text in ("--port", endpoint), ("--listen", f"ssh={endpoint}"):
        assert refused(*CLUSTER, "--processes", "2", option, text).startswith(
            f"{option}: processes share ports of tcp and tcp6 alone, not {endpoint}"
        )


def test_processes_need_a_system_that_distributes_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chatd.tap.worker.sys.platform", "darwin")
    assert refused(*CLUSTER, "--processes", "2") == (
        "--processes: only Linux shares the connections of a port out to several processes"
    )
    assert parsed("--processes", "1")["processes"] == Worker(0, 1)


def test_a_worker_has_its_own_name_and_its_share_of_the_connections(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        "chatd.tap.worker._is_socket", lambda descriptor: descriptor == FIRST_SOCKET
    )
    words = (*CLUSTER, "--data", str(tmp_path), "--processes", "3", "--processes=2/3")
    options = parsed(*words, "--cluster-name", "chat1", "--max-connections", "100")
    assert options["processes"] == Worker(2, 3)
    assert options["cluster-name"] == "chat1/2"
    assert options["max-connections"] == 34
    assert parsed(*words)["cluster-name"] == f"{socket.gethostname()}/2"
    server, _ = served(*words)
    services: list[Service] = list(server)
    assert [type(service) for service in services] == [
        StopOnce,
        ParentWatch,
        *OF_A_CLUSTER,
        Ready,
    ]


def test_history_is_stored_in_the_data_folder(tmp_path: Path) -> None:
    server, _ = served("--history", "30", "--data", str(tmp_path / "here"))
    services: list[Service] = list(server)
    assert [type(service) for service in services] == [
        StopOnce,
        StoreService,
        PasswordThread,
        StoreService,
        UnacknowledgedCheck,
        UnusedAccounts,
        ClockWatch,
        DiskWatch,
        UnreadOutput,
        Shutdown,
        Listening,
        GarbageCollection,
    ]
    assert stat.S_IMODE((tmp_path / "here" / "chatd.db").stat().st_mode) == 0o600
    with pytest.raises(SystemExit, match="chatd cannot keep what is said: another chatd is using"):
        served("--history", "30", "--data", str(tmp_path / "here"))


@pytest.mark.parametrize("words", [("extra",), ("--nosuch",), ("--port",)])
def test_an_unknown_argument_is_refused(words: tuple[str, ...]) -> None:
    assert refused(*words)


# Passwords from elsewhere -------------------------------------------------------------------------


def test_passwords_are_checked_against_a_file(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text("ada:secret\n")
    [checker, other] = parsed("--auth", f"file:{file}", "--auth", "memory:bob:x")["auth"]
    assert isinstance(checker, FilePasswordDB)
    assert isinstance(other, InMemoryUsernamePasswordDatabaseDontUse)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("nonsense", "--auth: there is no kind nonsense; --help-auth lists them"),
        ("file:/nowhere/users", "--auth: No such file or directory: /nowhere/users"),
        ("file", "--auth: No such file or directory: "),
        ("file:/", "--auth: Is a directory: /"),
        ("anonymous", "--auth: anonymous does not check passwords"),
        ("memory:ada", "--auth: argstring must be in format U:P:..."),
    ],
)
def test_an_unknown_kind_of_passwords_is_refused(spec: str, told: str) -> None:
    assert refused("--auth", spec) == told


def test_passwords_of_the_machine_need_the_module_crypt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chatd.tap.options.find_spec", lambda name: None)
    assert refused("--auth", "unix").startswith("--auth: Twisted needs the module crypt for that")
    monkeypatch.setattr("chatd.tap.options.find_spec", lambda name: name)
    assert len(parsed("--auth", "unix")["auth"]) == 1


def test_the_kinds_of_passwords_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    for words, told in (("--help-auth",), "file"), (("--help-auth-type", "file"), "username:pass"):
        with pytest.raises(SystemExit) as ended:
            parsed(*words)
        assert ended.value.code in (0, None)
        assert told in capsys.readouterr().out
    assert refused("--help-auth-type", "x") == "Invalid auth type: x"


def test_the_given_checkers_are_used() -> None:
    server, reactor = served("--auth", "memory:ada:x", store=MemoryStore())
    server.startService()
    [door] = doors(reactor)
    assert door.host.chat.authentication.asks_outside


def test_without_a_checker_only_accounts_have_passwords() -> None:
    server, reactor = served(store=MemoryStore())
    server.startService()
    [door] = doors(reactor)
    assert not door.host.chat.authentication.asks_outside


# The server ---------------------------------------------------------------------------------------


def doors(reactor: MemoryReactorClock) -> list[Door]:
    """Return the door of each open port."""
    factories = [factory for _, factory, *_ in reactor.tcpServers]
    return [factory.door for factory in factories if isinstance(factory, GateFactory)]


def served(*words: str, store: Store | None = None) -> tuple[MultiService, MemoryReactorClock]:
    """Return the server of a command line, with its ports opened in memory only."""
    reactor = MemoryReactorClock()
    options = parsed("--max-connections", "10", *words)
    options["endpoints"] = [
        (way, TCP4ServerEndpoint(reactor, 1000 + number))
        for number, (way, _) in enumerate(options["endpoints"])
    ]
    server = make_server(options, reactor, store)
    assert isinstance(server, MultiService)
    return server, reactor


def test_a_server_has_its_services_and_listens_on_every_port() -> None:
    server, reactor = served(
        "--port", "1", "--listen", "ssh=2", "--listen", "line=3", store=MemoryStore()
    )
    services: list[Service] = list(server)
    assert [type(service) for service in services] == [
        StopOnce,
        PasswordThread,
        StoreService,
        UnacknowledgedCheck,
        UnusedAccounts,
        ClockWatch,
        DiskWatch,
        UnreadOutput,
        Shutdown,
        *[Listening] * 3,
        GarbageCollection,
    ]
    server.startService()
    assert [door.declared for door in doors(reactor)] == [None, "ssh", "line"]
    assert len({id(door.admission) for door in doors(reactor)}) == 1
    assert len({id(door.host.chat) for door in doors(reactor)}) == 1


def test_a_server_is_configured_by_its_options(tmp_path: Path) -> None:
    motd = tmp_path / "motd"
    motd.write_text("Be kind.\n")
    server, reactor = served(
        *("--lobby", "Attic", "--motd", str(motd), "--flood", "none", "--shouting", "kick"),
        *("--per-address", "1", "--proxy-from", "10.0.0.0/8"),
        store=MemoryStore(),
    )
    server.startService()
    [door] = doors(reactor)
    assert door.admission.most == 10
    assert door.admission.per_address == PerAddress(1, 120)
    assert door.host.budgets.person is None
    assert door.host.motd == ("Be kind.",)
    assert door.proxies == (ip_network("10.0.0.0/8"),)
    assert door.host.chat.lobby.name.shown == "Attic"
    transport = StringTransport()
    gate = GateFactory(door).buildProtocol(transport.getPeer())
    gate.makeConnection(transport)
    reactor.pump([0.5, 0.5])
    motd, greeting, way_back = transport.value().decode("latin-1").splitlines()[-3:]
    assert motd.endswith("-- Be kind.")
    assert greeting == "-- You are guest1 in Attic, alone so far; /help says what you can do."
    assert re.fullmatch(r"-- If you are cut off: /resume [a-z2-9]{4}(-[a-z2-9]{4}){2} .*", way_back)


def test_every_start_of_a_server_has_its_own_incarnation() -> None:
    chats = []
    for _ in range(2):
        server, reactor = served(store=MemoryStore())
        server.startService()
        [door] = doors(reactor)
        chats.append(door.host.chat)
    assert chats[0] is not chats[1]


def hears(sent: bytes, *words: str) -> tuple[bytes, MemoryReactorClock]:
    """Return the answer of a server with these options to a client of the socket assignment."""
    server, reactor = served(*words, store=MemoryStore())
    server.startService()
    transport = StringTransport()
    gate = GateFactory(doors(reactor)[0]).buildProtocol(transport.getPeer())
    gate.makeConnection(transport)
    gate.dataReceived(sent)
    return transport.value(), reactor


@pytest.mark.parametrize(("words", "student"), [((), b"0"), (("--student-id", "12345"), b"12345")])
def test_helo_is_answered_with_the_student_id(words: tuple[str, ...], student: bytes) -> None:
    answer, _ = hears(b"HELO x\n", *words)
    assert answer.endswith(b"StudentID:%s\n" % student)


def test_a_client_may_stop_the_server_only_where_that_is_allowed() -> None:
    answer, reactor = hears(b"KILL_SERVICE\n")
    assert answer.startswith(b"ERROR_CODE: 11\n")
    assert not reactor.hasStopped
    answer, reactor = hears(b"KILL_SERVICE\n", "--allow-kill")
    assert answer == b""
    assert reactor.hasStopped
