"""The real twistd with the clients that users have: Debian's, most of them in a real terminal."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.served import PATIENCE, Served
from tests.support.tmux import Screen, Tmux, environment

#: Whoever tests comes from one address, and often.
MANY = ("--per-address", "none")

Client = Callable[[str], str]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """Return a chatd with one port."""
    with Served(tmp_path, options=(*MANY, "--data", str(tmp_path / "data"))) as served:
        yield served


@pytest.fixture
def tmux(client: Client, tmp_path: Path) -> Iterator[Tmux]:
    """Return terminals that are closed at the end of the test."""
    with Tmux(client("tmux"), tmp_path) as terminals:
        yield terminals


# How each is started ------------------------------------------------------------------------------


class Starter:
    """Makes the command lines of the clients; ``home`` is their home folder."""

    def __init__(self, client: Client, server: Served, home: Path) -> None:
        self._client = client
        self._home = home
        self._port = str(server.port())
        self._server = server

    def nc(self) -> list[str]:
        return [self._client("nc"), "127.0.0.1", self._port]

    def telnet(self) -> list[str]:
        return [self._client("telnet"), "127.0.0.1", self._port]

    def telnet_ssl(self) -> list[str]:
        return [self._client("telnet-ssl"), "127.0.0.1", self._port]

    def tintin(self) -> list[str]:
        session = f"#session chat 127.0.0.1 {self._port}"
        return [self._client("tt++"), "-e", f"#config charset UTF-8;{session}"]

    def ssh(self, name: str, *options: str, command: str | None = None) -> list[str]:
        """Return the command of OpenSSH, which uses the user's own home folder, not HOME."""
        return [
            self._client("ssh"),
            *("-F", "none", "-p", self._port, "-o", "StrictHostKeyChecking=accept-new"),
            *("-o", f"UserKnownHostsFile={self._home / 'known_hosts'}"),
            *("-o", "GlobalKnownHostsFile=/dev/null", "-o", "IdentityAgent=none"),
            *("-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR"),
            *(options or ("-o", "IdentityFile=none")),
            f"{name}@127.0.0.1",
            *([command] if command is not None else []),
        ]

    def plink(self, name: str, *options: str, command: str | None = None) -> list[str]:
        shown = subprocess.run(
            [self._client("ssh-keygen"), "-lf", self._home / "data" / "ssh_host_ed25519_key"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            text=True,
            timeout=PATIENCE,
        )
        fingerprint = shown.stdout.split()[1]
        return [
            *(self._client("plink"), "-ssh", "-P", self._port, "-hostkey", fingerprint),
            *("-no-antispoof", *options, f"{name}@127.0.0.1"),
            *([command] if command is not None else []),
        ]

    def dbclient(self, name: str, *options: str, command: str | None = None) -> list[str]:
        return [
            *(self._client("dbclient"), "-y", "-p", self._port, *options, f"{name}@127.0.0.1"),
            *([command] if command is not None else []),
        ]


@pytest.fixture
def start(client: Client, server: Served, tmp_path: Path) -> Starter:
    """Return what makes the command line of each client."""
    return Starter(client, server, tmp_path)


@pytest.fixture(params=["ssh", "plink", "dbclient"])
def by_ssh(start: Starter, request: pytest.FixtureRequest) -> Callable[..., list[str]]:
    """Return what makes the command line of each client of ssh."""
    made: Callable[..., list[str]] = getattr(start, request.param)
    return made


def run(command: list[str], home: Path, typed: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a client with its input from a pipe."""
    return subprocess.run(
        command,
        cwd=home,
        env=environment(home),
        input=typed,
        capture_output=True,
        timeout=PATIENCE,
    )


# One room -----------------------------------------------------------------------------------------


def test_every_client_uses_the_same_port_and_room(start: Starter, tmux: Tmux) -> None:
    drawn, netcat = everyone_walks_in(start, tmux)
    said = []
    for one in (*drawn, netcat):
        one.says(f"日本語 from {one.name}")
        said.append(f"{one.name}: 日本語 from {one.name}")
        for other in drawn:
            other.shows_somewhere(said[-1])
    for one in drawn:  # their own words stand there once, as the others see them
        one.shows(*said, "[lobby]")
    typed_here = "日本語 from netcat"
    netcat.shows(*said[:-1], typed_here)
    drawn[0].says("the last word")
    netcat.shows(*said[:-1], typed_here, "openssh: the last word")
    assert netcat.rows()[0].startswith("-- You are guest1 in lobby, with ")


def everyone_walks_in(start: Starter, tmux: Tmux) -> tuple[list[Screen], Screen]:
    """Return the screens that the server draws, and netcat's, by nick."""
    drawn = []
    for name, by_ssh in (
        ("openssh", start.ssh),
        ("plink", start.plink),
        ("dbclient", start.dbclient),
    ):
        drawn.append(tmux.open(name, by_ssh(name)))
        drawn[-1].shows_somewhere(f"-- You are {name} in lobby")
    for name, command in (
        ("telnet", start.telnet()),
        ("netkit", start.telnet_ssl()),
        ("tintin", start.tintin()),
    ):
        drawn.append(tmux.open(name, command))
        takes_the_nick(drawn[-1])
    netcat = tmux.open("netcat", start.nc())
    takes_the_nick(netcat)
    return drawn, netcat


def takes_the_nick(screen: Screen) -> None:
    """Let a client with a guest nick take the name of its screen as nick."""
    screen.shows_somewhere("-- You are guest1 in lobby")
    screen.says(f"/nick {screen.name}")
    screen.shows_somewhere(f"-- You are now known as {screen.name}.")


def test_netcat_is_not_sent_its_own_lines(start: Starter, tmux: Tmux, tmp_path: Path) -> None:
    ada = tmux.open("ada", start.ssh("ada"))
    ada.shows_somewhere("-- You are ada in lobby")
    ended = run([*start.nc(), "-N"], tmp_path, b"/nick ned\nhello\nbye\n")
    ada.shows("ned: hello", "ned: bye", "-- ned left", "[lobby]")
    assert ended.returncode == 0
    greeting, _, renamed, goodbye = ended.stdout.decode().splitlines()
    assert greeting.startswith("-- You are guest1 in lobby")
    assert renamed == "-- You are now known as ned."
    assert goodbye == "-- Goodbye."


# The line being typed -----------------------------------------------------------------------------


@pytest.fixture(params=["ssh", "telnet", "telnet_ssl"])
def tia(start: Starter, tmux: Tmux, request: pytest.FixtureRequest) -> Screen:
    """Return the screen of a user called tia."""
    if request.param == "ssh":
        screen = tmux.open("tia", start.ssh("tia"))
        screen.shows_somewhere("-- You are tia in lobby")
        screen.shows("[lobby]")  # it is drawn now: pastes are marked, and keys are edited
    else:
        screen = tmux.open("tia", getattr(start, request.param)())
        takes_the_nick(screen)
    return screen


def says_by_netcat(start: Starter, home: Path, line: str) -> None:
    """Connect, send a line, and leave."""
    assert run([*start.nc(), "-N"], home, f"{line}\n".encode()).returncode == 0


def test_a_message_that_arrives_while_a_line_is_typed_is_shown_above_it(
    start: Starter, tia: Screen, tmp_path: Path
) -> None:
    tia.types("half a 日本")
    tia.shows("[lobby] half a 日本")
    says_by_netcat(start, tmp_path, "hello 日本語")
    tia.shows(
        "-- guest1 joined lobby",
        "guest1: hello 日本語",
        "-- guest1 left",
        "[lobby] half a 日本",
    )
    tia.says("語 line")
    tia.shows("-- guest1 left", "tia: half a 日本語 line", "[lobby]")


def test_keys_that_delete_text(tia: Screen) -> None:
    said: list[str] = []
    for typed, key, then, left in (
        ("日本語x", "BSpace", "!", "日本語!"),
        ("never mind", "C-u", "instead", "instead"),
        ("one two", "C-w", "three", "one three"),
        ("never said", "C-c", "said", "said"),
    ):
        tia.types(typed)
        tia.shows(*said, f"[lobby] {typed}")
        tia.presses(key)
        tia.types(then)
        tia.shows(*said, f"[lobby] {left}")
        tia.presses("Enter")
        said.append(f"tia: {left}")
        tia.shows(*said, "[lobby]")


def test_backspace_deletes_a_whole_wide_character(tia: Screen) -> None:
    tia.types("日本語")
    tia.shows("[lobby] 日本語")
    tia.presses("BSpace")
    tia.shows("[lobby] 日本")
    tia.presses("BSpace", "Enter")
    tia.shows("tia: 日", "[lobby]")


def test_ctrl_c_on_an_empty_line_shows_how_to_leave_and_ctrl_d_leaves(tia: Screen) -> None:
    tia.presses("C-c")
    tia.shows("-- /quit or Ctrl-D leaves.", "[lobby]")
    tia.presses("C-d")
    tia.shows_somewhere("-- Goodbye.")
    tia.status()


def test_the_line_fits_the_window_however_its_size_changes(
    start: Starter, tia: Screen, tmp_path: Path
) -> None:
    for line in ("so that", "tmux keeps", "the rows here", "on the screen"):
        tia.says(line)
        tia.shows(f"tia: {line}", "[lobby]")
    tia.types("x" * 100)
    tia.shows("[lobby] " + "x" * 72, "x" * 28)
    tia.resizes(50, 24)
    tia.shows("[lobby] " + "x" * 42, "x" * 50, "x" * 8)
    tia.resizes(120, 30)
    tia.shows("[lobby] " + "x" * 100)
    says_by_netcat(start, tmp_path, "hello")
    tia.shows("-- guest1 joined lobby", "guest1: hello", "-- guest1 left", "[lobby] " + "x" * 100)
    assert sum("[lobby]" in row for row in tia.rows()) == 1


@pytest.mark.parametrize("way", ["ssh", "telnet"])
def test_a_line_higher_than_the_window_leaves_no_rows_behind(
    start: Starter, tmux: Tmux, way: str
) -> None:
    command = start.ssh("tia") if way == "ssh" else start.telnet()
    screen = tmux.open("tia", command, 40, 12)
    screen.shows_somewhere("[lobby]")
    for number in range(4):
        screen.says(f"message {number}")
    screen.shows_somewhere(": message 3")
    words = [f"word{number:03}" for number in range(60)]
    screen.types(" ".join(words))
    screen.shows("word054 word055 word056 word057 word058", "word059")
    for count, (columns, rows) in enumerate(((20, 12), (40, 8), (25, 16), (80, 50)), 1):
        screen.resizes(columns, rows)
        screen.types("x")  # when it is shown the server knows the size
        screen.shows_somewhere("x" * count)
    screen.shows_somewhere("[lobby] word000 word001")
    text = " ".join(screen.rows())
    assert [word for word in words if text.count(word) != 1] == []
    assert [text.count(f": message {number} ") for number in range(4)] == [1] * 4


def test_a_message_on_a_new_screen_leaves_no_copy_of_the_line(
    start: Starter, tia: Screen, tmp_path: Path
) -> None:
    tia.types("x" * 100)
    tia.shows("[lobby] " + "x" * 72, "x" * 28)
    tia.presses("C-l", "C-a")
    tia.has_cursor_at(8, -1)
    says_by_netcat(start, tmp_path, "hello")
    tia.shows("guest1: hello", "-- guest1 left", "[lobby] " + "x" * 72, "x" * 28)
    tia.resizes(40, 24)
    tia.shows("-- guest1 left", "[lobby] " + "x" * 32, "x" * 40, "x" * 28)
    assert sum("[lobby]" in row for row in tia.rows()) == 2  # one went with the old screen


FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


def edits_a_long_line(tia: Screen) -> None:
    """Type a line of two rows with letters of several scripts, and move into its middle."""
    for line in ("so that", "tmux keeps", "the rows here", "on the screen"):
        tia.says(line)
        tia.shows(f"tia: {line}", "[lobby]")
    tia.types("日本語 cafe\u0301 " + "x" * 70 + " end")
    tia.shows("[lobby] 日本語 cafe\u0301 " + "x" * 60, "x" * 10 + " end")
    tia.presses(*["M-b"] * 2, "Left", "Left")  # between f and é
    tia.has_cursor_at(8 + 6 + 1 + 3, -1)


def test_a_message_arrives_while_a_line_of_two_rows_is_edited_in_its_middle(
    start: Starter, tia: Screen, tmp_path: Path
) -> None:
    edits_a_long_line(tia)
    says_by_netcat(start, tmp_path, "hello 日本語")
    tia.shows(
        "guest1: hello 日本語",
        "-- guest1 left",
        "[lobby] 日本語 cafe\u0301 " + "x" * 60,
        "x" * 10 + " end",
    )
    tia.has_cursor_at(8 + 6 + 1 + 3, -1)
    tia.types("!")
    tia.presses("Enter")
    tia.shows("tia: 日本語 caf!e\u0301", "     " + "x" * 70 + " end", "[lobby]")


def test_the_window_is_resized_while_a_line_is_edited_in_its_middle(
    start: Starter, tia: Screen, tmp_path: Path
) -> None:
    edits_a_long_line(tia)
    tia.resizes(30, 24)
    narrow = ("[lobby] 日本語 cafe\u0301 " + "x" * 10, "x" * 30, "x" * 30, " end")
    tia.shows("tia: on the screen", *narrow)
    tia.has_cursor_at(8 + 6 + 1 + 3, -3)
    says_by_netcat(start, tmp_path, "hello")
    tia.shows("guest1: hello", "-- guest1 left", *narrow)
    tia.resizes(100, 24)
    tia.shows("-- guest1 left", "[lobby] 日本語 cafe\u0301 " + "x" * 70 + " end")
    tia.has_cursor_at(8 + 6 + 1 + 3, 0)
    assert sum("[lobby]" in row for row in tia.rows()) == 1
    tia.says("")
    tia.shows("tia: 日本語 cafe\u0301 " + "x" * 70 + " end", "[lobby]")


def test_text_after_a_joined_emoji_is_in_the_right_column(
    start: Starter, tia: Screen, tmp_path: Path
) -> None:
    tia.pastes(f"a{FAMILY}b \u263a\ufe0f c")  # tmux types no joiners
    tia.has_cursor_at(8 + 1 + 2 + 1 + 1 + 2 + 2, 0)
    says_by_netcat(start, tmp_path, "hello")
    tia.shows_somewhere("guest1 left")
    tia.has_cursor_at(8 + 1 + 2 + 1 + 1 + 2 + 2, 0)
    tia.presses("C-a", "Right", "Right")
    tia.has_cursor_at(8 + 1 + 2, 0)
    tia.presses("BSpace", "C-k")
    tia.has_cursor_at(8 + 1, 0)
    tia.shows("[lobby] a")


def test_pasting_five_lines_is_confirmed_and_sends_one_message(
    start: Starter, tia: Screen, tmp_path: Path
) -> None:
    tia.pastes("one\n  two\n日本\n\nfive\n")
    tia.shows("Send 5 lines? y/n")
    says_by_netcat(start, tmp_path, "hello")
    tia.shows("guest1: hello", "-- guest1 left", "Send 5 lines? y/n")
    tia.types("y")
    tia.shows("tia: one", "       two", "     日本", "     five", "[lobby]")


def test_ctrl_r_finds_an_entered_line(tia: Screen) -> None:
    for line in ("make tea", "something else"):
        tia.says(line)
        tia.shows(f"tia: {line}", "[lobby]")
    tia.presses("C-r")
    tia.types("tea")
    tia.shows("(search: tea) make tea")
    tia.presses("C-e")
    tia.says(" now")
    tia.shows("tia: make tea now", "[lobby]")


def test_tab_cycles_through_the_nicks(start: Starter, tia: Screen, tmux: Tmux) -> None:
    for nick in ("bob", "bella"):
        one = tmux.open(nick, start.ssh(nick))
        one.shows_somewhere(f"-- You are {nick} in lobby")
    one.says("hello")
    tia.shows("bella: hello", "[lobby]")
    tia.types("b")
    tia.presses("Tab")
    tia.shows("[lobby] bella:")
    tia.presses("Tab")
    tia.shows("[lobby] bob:")
    tia.presses("BTab")
    tia.says("hi")
    tia.shows("tia: bella: hi", "[lobby]")


def test_plain_mode_redraws_nothing(start: Starter, tia: Screen, tmp_path: Path) -> None:
    tia.says("/set plain on")
    tia.shows("-- plain is on now.")
    tia.types("hal")
    tia.shows("-- plain is on now.", "hal")
    says_by_netcat(start, tmp_path, "hello")
    tia.types("f")
    tia.shows("hal", "guest1: hello", "f")
    # One key at a time: keys that the server reads at once are drawn at once, on a row of its own.
    tia.presses("BSpace")
    tia.shows("hal", "guest1: hello")
    tia.types("ves")
    tia.shows("guest1: hello", "ves")
    tia.presses("BSpace")
    tia.shows("guest1: hello", "ve")
    tia.presses("Enter")
    tia.says("/reply hello")
    tia.shows("guest1: hello", "ve", "/reply hello", "-- Nobody has written to you alone yet.")


# Coming and going by ssh --------------------------------------------------------------------------


def test_quit_ends_the_client_with_status_0(by_ssh: Callable[..., list[str]], tmux: Tmux) -> None:
    ada = tmux.open("ada", by_ssh("ada"))
    ada.shows_somewhere("-- You are ada in lobby")
    ada.says("/quit")
    assert ada.status() == 0
    ada.shows_somewhere("-- Goodbye.")


def test_quit_ends_netcat_with_status_0(start: Starter, tmux: Tmux) -> None:
    ned = tmux.open("ned", start.nc())
    takes_the_nick(ned)
    ned.says("/quit")
    ned.shows_somewhere("-- Goodbye.")
    ned.presses("Enter")  # this netcat looks only now
    assert ned.status() == 0


def test_a_command_that_does_not_exist_gets_one_line_on_standard_error_and_status_64(
    by_ssh: Callable[..., list[str]], tmp_path: Path
) -> None:
    ended = run(by_ssh("ada", command="whoami"), tmp_path)
    assert ended.returncode == 64
    assert ended.stdout == b""
    told = [line for line in ended.stderr.splitlines() if b"chatd" in line]
    assert told == [
        b"chatd: there is no such command; there are who, rooms, say, tail, search, help."
    ]


def test_without_a_terminal_ssh_speaks_plain_lines(
    by_ssh: Callable[..., list[str]], start: Starter, tmux: Tmux, tmp_path: Path
) -> None:
    bob = tmux.open("bob", start.ssh("bob"))
    bob.shows_somewhere("-- You are bob in lobby")
    ended = run(by_ssh("ada", "-T"), tmp_path, "日本語 by a pipe\n/quit\n".encode())
    bob.shows("-- ada joined lobby", "ada: 日本語 by a pipe", "-- ada left", "[lobby]")
    assert ended.returncode == 0
    greeting, way_back, goodbye = ended.stdout.decode().splitlines()
    assert greeting == "-- You are ada in lobby, with bob; /help says what you can do."
    assert way_back.startswith("-- If you are cut off: /resume ")
    assert goodbye == "-- Goodbye."


def test_a_taken_nick_gets_a_variant_and_a_notice(start: Starter, tmux: Tmux) -> None:
    first = tmux.open("first", start.ssh("ada"))
    first.shows_somewhere("-- You are ada in lobby")
    second = tmux.open("second", start.ssh("ada"))
    second.shows_somewhere("-- You are ada2 in lobby, with ada; /help says what you can do.")
    assert second.rows()[0] == "-- ada is taken; you are ada2."


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_openssh_logs_in_with_any_key(
    client: Client, start: Starter, tmp_path: Path, kind: str
) -> None:
    key = tmp_path / "key"
    made = run([client("ssh-keygen"), "-q", "-t", kind, "-N", "", "-f", str(key)], tmp_path)
    assert made.returncode == 0
    shown = run([client("ssh-keygen"), "-lf", str(key)], tmp_path).stdout.split()[1]
    command = start.ssh("ada", "-T", "-i", str(key), "-o", "PreferredAuthentications=publickey")
    ended = run(command, tmp_path, b"/whois ada\n/quit\n")
    assert ended.returncode == 0
    assert shown in ended.stdout


def test_dbclient_logs_in_with_a_key(client: Client, start: Starter, tmp_path: Path) -> None:
    key = tmp_path / "key"
    made = run([client("dropbearkey"), "-t", "ed25519", "-f", str(key)], tmp_path)
    assert made.returncode == 0
    ended = run(start.dbclient("ada", "-T", "-i", str(key)), tmp_path, b"/whois ada\n/quit\n")
    assert ended.returncode == 0
    assert b"SHA256:" in ended.stdout


def test_plink_logs_in_with_a_key(client: Client, start: Starter, tmp_path: Path) -> None:
    key, empty = tmp_path / "key.ppk", tmp_path / "empty"
    empty.touch()
    made = run(
        [
            *(client("puttygen"), "-q", "-t", "ed25519", "--random-device", "/dev/urandom"),
            *("--new-passphrase", str(empty), "-o", str(key)),
        ],
        tmp_path,
    )
    assert made.returncode == 0, made.stderr
    command = start.plink("ada", "-batch", "-T", "-i", str(key))
    ended = run(command, tmp_path, b"/whois ada\n/quit\n")
    assert ended.returncode == 0
    assert b"SHA256:" in ended.stdout


def test_without_a_key_no_question_is_asked(
    by_ssh: Callable[..., list[str]], tmp_path: Path
) -> None:
    ended = run(by_ssh("ada", "-T"), tmp_path, b"/whois ada\n/quit\n")
    assert ended.returncode == 0
    assert b"no key" in ended.stdout
    assert b"assword" not in ended.stdout + ended.stderr


def test_openssh_without_a_key_in_a_script_is_a_guest(start: Starter, tmp_path: Path) -> None:
    batch = ("-o", "BatchMode=yes", "-o", "IdentityFile=none")
    ended = run(start.ssh("deploy+guest", *batch, command="say lobby 'release 7'"), tmp_path)
    assert ended.returncode == 0, ended.stderr
    refused = run(start.ssh("deploy", *batch, command="who"), tmp_path)
    assert b"Permission denied (publickey,keyboard-interactive,password)." in refused.stderr


def test_a_client_that_knows_only_passwords_is_a_guest_with_any(
    start: Starter, tmux: Tmux, tmp_path: Path
) -> None:
    no_questions = ("-o", "KbdInteractiveAuthentication=no", "-o", "IdentityFile=none")
    ada = tmux.open("ada", start.ssh("ada", *no_questions))
    ada.shows_somewhere("ada@127.0.0.1's password:")
    ada.says("anything")
    ada.shows_somewhere("-- You are ada in lobby")
    plink = run(start.plink("bob", "-batch", "-T", "-pw", "x", command="who"), tmp_path)
    assert plink.returncode == 0, plink.stderr
    assert b"ada" in plink.stdout


def test_the_host_key_that_openssh_knows_survives_a_restart(client: Client, tmp_path: Path) -> None:
    port = None
    for _start in range(2):
        options = (*MANY, "--data", str(tmp_path / "data"))
        with Served(tmp_path, options=options) as server:
            command = Starter(client, server, tmp_path).ssh(
                "ada", "-T", "-o", "HostKeyAlias=chat.example"
            )
            if port is not None:
                command[command.index("StrictHostKeyChecking=accept-new")] = (
                    "StrictHostKeyChecking=yes"
                )
            port = server.port()
            ended = run(command, tmp_path, b"/quit\n")
            assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_every_client_is_notified_when_the_server_stops(
    client: Client, tmux: Tmux, tmp_path: Path
) -> None:
    with Served(tmp_path, options=(*MANY, "--data", str(tmp_path / "data"))) as server:
        drawn, netcat = everyone_walks_in(Starter(client, server, tmp_path), tmux)
    for one in (*drawn, netcat):
        one.shows_somewhere("-- The server is stopping. Goodbye.")
    assert [one.status() for one in drawn[:3]] == [0, 0, 0]


# Coming back --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", [(), ("bash", "-c", '"$@"; true', "bash")], ids=["alone", "bash"])
@pytest.mark.parametrize("name", ["ssh", "plink", "dbclient", "telnet", "telnet_ssl"])
def test_a_window_that_is_closed_keeps_its_session(
    start: Starter, tmux: Tmux, name: str, shell: tuple[str, ...]
) -> None:
    bob = tmux.open("bob", start.nc())
    takes_the_nick(bob)
    for nick in ("ada", "cy", "dee"):  # which comes first, the end or its signal, is a race
        command = start_of(start, name, nick)
        window = tmux.open(nick, [*shell, *command])
        if "telnet" in name:
            takes_the_nick(window)
        else:
            window.shows_somewhere(f"-- You are {nick} in lobby")
        window.types("half a line")
        window.shows("[lobby] half a line")
        tmux.run("kill-session", "-t", nick)
        bob.says(f"/whois {nick}")
        bob.shows_somewhere(f"-- {nick}:")
        while "   cut off, and may come back" not in bob.rows():
            assert f"-- {nick} left" not in bob.rows()
            bob.says(f"/whois {nick}")
            bob.shows_somewhere(f"-- {nick}:")
        bob.says("/whois bob")
        tmux.run("clear-history", "-t", "bob")
        bob.shows_somewhere("-- bob:")
        assert f"-- {nick} left" not in bob.rows()


def start_of(start: Starter, name: str, nick: str) -> list[str]:
    """Return the command line of a client by its name."""
    made = getattr(start, name)
    command: list[str] = made() if "telnet" in name else made(nick)
    return command


def test_input_that_ends_leaves_where_nothing_is_drawn(
    start: Starter, tmux: Tmux, tmp_path: Path
) -> None:
    bob = tmux.open("bob", start.nc())
    takes_the_nick(bob)
    for number, command in enumerate(([*start.nc(), "-N"], start.ssh("eve", "-T")), 1):
        run(command, tmp_path, f"hello {number}\n".encode())
        bob.shows_somewhere(f"hello {number}")
        nick = "guest1" if number == 1 else "eve"
        bob.shows_somewhere(f"-- {nick} left")


def test_an_ssh_client_that_was_stopped_and_killed_resumes_its_session(
    start: Starter, tmux: Tmux, tmp_path: Path, client: Client
) -> None:
    key = tmp_path / "key"
    made = run([client("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(key)], tmp_path)
    assert made.returncode == 0
    ssh = start.ssh("ada", "-o", f"IdentityFile={key}")
    number = tmp_path / "number"
    ada = tmux.open("ada", ["sh", "-c", 'echo $$ >"$0"; exec "$@"', str(number), *ssh])
    ada.shows_somewhere("-- You are ada in lobby")
    bob = tmux.open("bob", start.nc())
    takes_the_nick(bob)
    for word in ("one", "two"):
        bob.says(word)
        ada.shows_somewhere(f"bob: {word}")
    pid = int(number.read_text())
    os.kill(pid, signal.SIGSTOP)
    for word in ("three", "four"):
        bob.says(word)
    bob.says("/whois ada")
    bob.shows_somewhere("rooms shared with you: lobby")
    os.kill(pid, signal.SIGKILL)
    assert ada.status() != 0
    bob.says("five")
    again = tmux.open("again", ssh)
    again.shows_somewhere("bob: five")
    bob.says("six")
    again.shows("bob: six", "[lobby]")
    rows = [*ada.rows(), *again.rows()]
    said = [row.partition("bob: ")[2] for row in rows if "bob: " in row]
    assert said == ["one", "two", "three", "four", "five", "six"]
    assert "-- Welcome back, ada." in again.rows()
    assert not {"-- ada left", "-- ada joined lobby"} & set(bob.rows()), "nobody saw it"
