"""chatd-client at a terminal and with pipes, with any server of the socket assignment."""

from __future__ import annotations

import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from chatd.clients.prompt.commands import COMMANDS
from chatd.clients.prompt.displays import (
    ESCAPE_SECONDS,
    HOW_TO_LEAVE,
    TOO_LONG,
    LineDisplay,
    TerminalDisplay,
)
from chatd.clients.prompt.pending_request import ANSWER_SECONDS, Expected
from chatd.clients.prompt.program import parser
from chatd.clients.prompt.protocol import (
    GOODBYE_SECONDS,
    PENDING_LINES,
    SILENCE_SECONDS,
    PromptProtocol,
)
from chatd.clients.prompt.rooms import ROOMS, Rooms, message_rows
from chatd.terminal.screen.screen import Screen
from chatd.wire.tcd import answers, replies
from chatd.wire.tcd.replies import Chat, Joined
from tests.support.displays import Display
from tests.support.served import PATIENCE as TEST_PATIENCE
from tests.support.served import Served
from tests.support.tmux import Tmux, environment

HELO = replies.helo("chatd-client")
GREETING = answers.helo("chatd-client", "10.0.0.1", 1134, "0")
IN_ATTIC = answers.joined("attic", "10.0.0.1", 1134, 1, 7)
IN_CELLAR = answers.joined("cellar", "10.0.0.1", 1134, 2, 8)
JOIN = replies.join("attic", "ada")
GOODBYE = replies.disconnect("ada")


class Rows:
    """A display that remembers the rows, and the exit status."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.reads_on = 0
        self.status: int | None = None

    def show(self, rows: Sequence[str]) -> None:
        self.rows += rows

    def resume_reading(self) -> None:
        self.reads_on += 1

    def disconnected(self, status: int) -> None:
        self.status = status


class Ada:
    """A user called ada, with a server that a test plays."""

    def __init__(self, *, in_order: bool = False) -> None:
        self.clock = Clock()
        self.shown = Rows()
        clock = cast(IReactorTime, self.clock)
        self.protocol = PromptProtocol("ada", self.shown, clock, in_order=in_order)
        self.transport = StringTransport()
        self.protocol.makeConnection(self.transport)

    def types(self, *lines: str) -> None:
        for line in lines:
            self.protocol.handle_line(line)

    def sent(self) -> bytes:
        """Return what was sent since the last call."""
        sent: bytes = self.transport.value()
        self.transport.clear()
        return sent

    def receives(self, *answers: bytes) -> None:
        self.protocol.dataReceived(b"".join(answers))

    def sees(self) -> list[str]:
        """Return what was shown since the last call."""
        rows, self.shown.rows = self.shown.rows, []
        return rows

    def hung_up_on(self) -> int | None:
        """Lose the connection; return the status."""
        self.protocol.connectionLost(Failure(ConnectionDone()))
        return self.shown.status

    @property
    def hangs_up(self) -> bool:
        return self.transport.disconnected or self.transport.disconnecting


@pytest.fixture
def ada() -> Ada:
    """Return a user at a terminal, whom the server has greeted."""
    return greeted(in_order=False)


@pytest.fixture
def piped() -> Ada:
    """Return a script, which the server has greeted."""
    return greeted(in_order=True)


def greeted(*, in_order: bool) -> Ada:
    somebody = Ada(in_order=in_order)
    assert somebody.sent() == HELO
    somebody.receives(GREETING)
    assert somebody.sees() == []
    return somebody


def in_attic(somebody: Ada) -> Ada:
    somebody.types("join attic")
    somebody.receives(IN_ATTIC)
    assert somebody.sent() == JOIN
    assert somebody.sees() == ["-- You are in attic now."]
    return somebody


# Commands -----------------------------------------------------------------------------------------


def test_a_user_joins_a_room_sends_a_message_and_leaves(ada: Ada) -> None:
    in_attic(ada)
    ada.types("send attic hello there")
    assert ada.sent() == replies.chat("1", "7", "ada", "hello there")
    ada.receives(answers.chat(1, "ada", "hello there"))
    assert ada.sees() == ["[attic] ada: hello there"]
    ada.types("leave_chatroom attic")
    assert ada.sent() == replies.leave("1", "7", "ada")
    ada.receives(answers.left(1, 7), answers.chat(1, "ada", "ada has left this chatroom."))
    assert ada.sees() == ["-- You have left attic.", "[attic] ada has left this chatroom."]
    ada.types("send attic hello?")
    assert ada.sees() == ["-- You are not in attic; join it first."]
    assert ada.sent() == b""


def test_messages_go_to_the_room_that_was_named(ada: Ada) -> None:
    in_attic(ada)
    ada.types("join cellar")
    ada.receives(IN_CELLAR, answers.chat(1, "bob", "up here"), answers.chat(2, "eve", "down here"))
    assert ada.sees()[1:] == ["[attic] bob: up here", "[cellar] eve: down here"]
    ada.sent()
    ada.types("send cellar hello")
    assert ada.sent() == replies.chat("2", "8", "ada", "hello")


def test_a_room_is_found_by_its_typed_name_and_by_the_servers_name(ada: Ada) -> None:
    ada.types("join ATTIC #1")
    ada.receives(answers.joined("attic 1", "10.0.0.1", 1134, 1, 7))
    ada.sent()
    for room in ("ATTIC #1", "attic 1", "Attic 1", "attic #1"):
        ada.types(f"send {room} hello")
        assert ada.sent() == replies.chat("1", "7", "ada", "hello")
        ada.receives(answers.chat(1, "ada", "hello"))


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("hello everybody", "There is no command hello; help lists those that there are."),
        ("join", "No room was named; the command is: join ROOM"),
        ("send", "No room was named; the command is: send ROOM TEXT"),
        ("leave", "No room was named; the command is: leave_chatroom ROOM"),
        ("send attic", "There is no text for attic; the command is: send ROOM TEXT"),
        ("send nowhere hello", "You are not in nowhere; join it first."),
        ("leave nowhere", "You are not in nowhere; join it first."),
    ],
)
def test_a_command_that_cannot_be_run_gets_one_sentence(
    ada: Ada, typed: str, sentence: str
) -> None:
    in_attic(ada)
    ada.types(typed)
    assert ada.sees() == [f"-- {sentence}"]
    assert ada.sent() == b""


def test_help_lists_every_command(ada: Ada) -> None:
    ada.types("", "  ", "help")
    shown = ada.sees()
    assert [row.split("  ")[0] for row in shown] == [command.usage for command in COMMANDS]


@pytest.mark.parametrize("word", ["leave attic", "/leave attic", "LEAVE_CHATROOM attic "])
def test_commands_have_other_names(ada: Ada, word: str) -> None:
    in_attic(ada).types(word)
    assert ada.sent() == replies.leave("1", "7", "ada")


# One after the other ------------------------------------------------------------------------------


def test_a_message_typed_before_the_join_is_answered_waits_for_the_answer(ada: Ada) -> None:
    ada.types("join attic", "send attic one", "send attic two")
    assert ada.sent() == JOIN
    ada.receives(IN_ATTIC, answers.chat(1, "ada", "ada has joined this chatroom."))
    assert ada.sent() == replies.chat("1", "7", "ada", "one")
    ada.receives(answers.chat(1, "bob", "one"), answers.chat(1, "ada", "one"))
    assert ada.sent() == replies.chat("1", "7", "ada", "two")


def test_no_request_is_sent_before_the_server_has_answered_helo() -> None:
    ada = Ada()
    ada.types("join attic")
    assert ada.sent() == HELO
    ada.clock.advance(ANSWER_SECONDS[Expected.GREETED])
    assert ada.sent() == JOIN


def test_a_server_that_does_not_know_helo_causes_no_error() -> None:
    piped = Ada(in_order=True)
    piped.types("join attic")
    piped.receives(answers.error(1, "Unknown message."))
    assert piped.sees() == []
    piped.receives(IN_ATTIC)
    piped.protocol.end_of_input()
    assert piped.hung_up_on() == 0


def test_the_client_waits_only_once_for_a_server_without_echoes(piped: Ada) -> None:
    in_attic(piped).types("send attic one", "send attic two", "send attic three")
    assert piped.sent().count(b"CHAT: 1") == 1
    piped.clock.advance(ANSWER_SECONDS[Expected.ECHOED])
    assert piped.sent().count(b"CHAT: 1") == 2
    piped.receives(answers.error(12, "You are sending too fast."))
    piped.protocol.end_of_input()
    assert piped.hung_up_on() == 1


def test_a_join_that_is_not_answered_times_out(piped: Ada) -> None:
    piped.types("join attic", "join cellar")
    piped.clock.advance(ANSWER_SECONDS[Expected.JOINED])
    assert piped.sees() == ["-- The server has not answered."]
    assert piped.sent() == JOIN + replies.join("cellar", "ada")
    piped.receives(IN_CELLAR)
    piped.protocol.end_of_input()
    assert piped.hung_up_on() == 1


def test_no_request_is_sent_while_the_connection_is_paused(ada: Ada) -> None:
    ada.protocol.pauseProducing()
    ada.types("join attic")
    assert ada.sent() == b""
    ada.protocol.resumeProducing()
    assert ada.sent() == JOIN


def test_reading_pauses_while_many_lines_are_pending(piped: Ada) -> None:
    piped.types("join attic", *["help"] * (PENDING_LINES - 1))
    assert not piped.protocol.is_full
    piped.types("help")
    assert piped.protocol.is_full
    assert piped.shown.reads_on == 0
    piped.receives(IN_ATTIC)
    assert piped.shown.reads_on == 1


# What the server says -----------------------------------------------------------------------------


def test_an_error_of_the_server_is_shown_as_one_sentence(ada: Ada) -> None:
    ada.types("join attic")
    ada.receives(answers.error(10, "Somebody else has that CLIENT_NAME."))
    ada.receives(b"ERROR_CODE:3\nERROR_DESCRIPTION:\n", b"LEFT_CHATROOM:\n")
    ada.receives(b"JOINED_CHATROOM:a\nROOM_REF:1\n", answers.left(9, 7))
    assert ada.sees() == [
        "-- Somebody else has that CLIENT_NAME. (error 10)",
        "-- The server refuses that, and does not say why. (error 3)",
        "-- You have left a room.",
        "-- The server sent JOINED_CHATROOM without JOIN_ID.",
        "-- You have left room 9.",
    ]


def test_a_message_of_several_lines_is_a_block_below_its_sender(ada: Ada) -> None:
    in_attic(ada).receives(answers.chat(1, "bob", "look:\n  x = 1\n[attic] eve: boo"))
    assert ada.sees() == [
        "[attic] bob:",
        "    look:",
        "      x = 1",
        "    [attic] eve: boo",
    ]


def test_a_truncated_message_says_so() -> None:
    assert message_rows("attic", Chat("1", "bob", ("x",), cut=True)) == [
        "[attic] bob:",
        "    x",
        "    (there was more, and it was too long)",
    ]
    assert message_rows("attic", Chat("1", "bob", ())) == ["[attic] bob:"]


def test_a_room_that_was_not_joined_is_shown_by_its_number(ada: Ada) -> None:
    ada.receives(answers.chat(9, "bob", "hello"))
    assert ada.sees() == ["[room 9] bob: hello"]


def test_received_text_cannot_move_the_cursor(ada: Ada) -> None:
    in_attic(ada).receives(b"CHAT:1\nCLIENT_NAME:\x1b]0;x\x07e\nMESSAGE:\x1b[2J\xc2\x9b1m\n\n")
    assert ada.sees() == ["[attic] ]0;xe: [2J1m"]


def test_a_message_without_its_blank_line_is_shown_after_a_silence(ada: Ada) -> None:
    ada.receives(b"CHAT:1\nCLIENT_NAME:bob\nMESSAGE:hello\n")
    assert ada.sees() == []
    ada.clock.advance(SILENCE_SECONDS)
    assert ada.sees() == ["[room 1] bob: hello"]


def test_the_number_of_remembered_rooms_is_bounded() -> None:
    rooms = Rooms()
    for number in range(ROOMS + 1):
        rooms.add(Joined(f"r{number}", str(number), "1"), "")
    assert rooms.find("r0") is None
    assert rooms.name_of("0") == "room 0"
    assert rooms.find("r1") is not None
    assert rooms.name_of(str(ROOMS)) == f"r{ROOMS}"


def test_rooms_whose_names_differ_by_case_alone_are_distinguished() -> None:
    rooms = Rooms()
    places = [rooms.add(Joined(name, name, "1"), name) for name in ("attic", "Attic")]
    assert [rooms.find("attic"), rooms.find("Attic")] == places
    assert rooms.find("ATTIC") is None


# Parting ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["disconnect", "quit", "/quit"])
def test_messages_after_disconnect_are_shown_and_the_status_is_0(ada: Ada, word: str) -> None:
    in_attic(ada).types("send attic bye", word, "join cellar")
    assert ada.sent() == replies.chat("1", "7", "ada", "bye") + GOODBYE
    ada.receives(
        answers.chat(1, "ada", "bye"), answers.chat(1, "ada", "ada has left this chatroom.")
    )
    assert ada.sees() == ["[attic] ada: bye", "[attic] ada has left this chatroom."]
    assert ada.hung_up_on() == 0
    assert ada.sees() == []
    assert ada.sent() == b""


def test_a_script_disconnects_once_its_requests_are_answered(piped: Ada) -> None:
    piped.types("join attic", "send attic hello")
    piped.protocol.end_of_input()
    assert piped.sent() == JOIN
    piped.receives(IN_ATTIC)
    assert GOODBYE not in piped.sent()
    piped.receives(answers.chat(1, "ada", "hello"))
    assert piped.sent() == GOODBYE
    assert piped.hung_up_on() == 0


@pytest.mark.parametrize("typed", ["join attic", "send attic hello", "nonsense"])
def test_a_script_with_a_refused_request_has_status_1(piped: Ada, typed: str) -> None:
    piped.types(typed)
    piped.receives(answers.error(8, "A room cannot be called that."))
    piped.protocol.end_of_input()
    assert piped.sent().endswith(GOODBYE)
    assert piped.hung_up_on() == 1


def test_a_server_that_does_not_close_the_connection_is_aborted(ada: Ada) -> None:
    ada.types("disconnect")
    ada.clock.advance(GOODBYE_SECONDS)
    assert ada.hangs_up


def test_a_second_disconnect_does_not_wait_for_the_server(ada: Ada) -> None:
    ada.protocol.disconnect()
    assert not ada.hangs_up
    ada.protocol.disconnect()
    assert ada.hangs_up


def test_the_status_is_1_when_the_server_ends_the_connection(ada: Ada) -> None:
    in_attic(ada).receives(b"CHAT: 1\nCLIENT_NAME: bob\nMESSAGE: bye\n")
    assert ada.hung_up_on() == 1
    assert ada.sees() == ["[attic] bob: bye", "-- The server ended the connection."]
    assert not ada.clock.getDelayedCalls()


# Pipes --------------------------------------------------------------------------------------------


class Pipe:
    """A script's two pipes, and a server that a test plays."""

    def __init__(self) -> None:
        self.ended: list[int] = []
        self.stdio, self.server = StringTransport(), StringTransport()
        self.display = LineDisplay(self.ended.append)
        clock = cast(IReactorTime, Clock())
        self.protocol = PromptProtocol("ada", self.display, clock, in_order=True)
        self.display.begin(self.protocol)
        self.protocol.makeConnection(self.server)
        self.protocol.dataReceived(GREETING)
        self.server.clear()
        self.display.makeConnection(self.stdio)


def test_with_pipes_lines_are_read_and_written_without_a_prompt() -> None:
    pipe = Pipe()
    pipe.display.dataReceived(b"join at")
    pipe.display.dataReceived(b"tic\r\nsend attic \xffhello")
    pipe.display.readConnectionLost()
    assert pipe.server.value() == JOIN
    pipe.protocol.dataReceived(IN_ATTIC)
    pipe.protocol.dataReceived(answers.chat(1, "ada", "\ufffdhello"))
    assert pipe.server.value().endswith(GOODBYE)
    assert pipe.stdio.value().decode() == "-- You are in attic now.\n[attic] ada: \ufffdhello\n"
    pipe.protocol.connectionLost()
    assert pipe.stdio.disconnecting
    pipe.display.connectionLost()
    assert pipe.ended == [0]


def test_a_line_that_is_too_long_is_refused_and_the_next_ones_run() -> None:
    pipe = Pipe()
    pipe.display.dataReceived(b"send attic " + b"x" * 5000 + b"\njoin attic\n")
    assert pipe.stdio.value().decode() == f"-- {TOO_LONG}\n"
    assert pipe.server.value() == JOIN


def test_a_long_script_is_read_in_pieces() -> None:
    pipe = Pipe()
    pipe.display.dataReceived(b"join attic\n" + b"help\n" * PENDING_LINES)
    assert pipe.stdio.producerState == "paused"
    pipe.protocol.dataReceived(IN_ATTIC)
    assert pipe.stdio.producerState == "producing"


def test_the_client_disconnects_when_its_output_is_closed() -> None:
    pipe = Pipe()
    pipe.display.writeConnectionLost()
    assert pipe.server.value() == GOODBYE
    pipe.protocol.connectionLost()
    assert pipe.ended == [1]


# The terminal -------------------------------------------------------------------------------------


class Tty:
    """A terminal that a test types into, and a server that it plays."""

    def __init__(self, columns: int = 40, rows: int = 10) -> None:
        self.ended: list[int] = []
        self.clock = Clock()
        clock = cast(IReactorTime, self.clock)
        self.display = Display(columns, rows)
        self.stdio, self.server = StringTransport(), StringTransport()
        screen = Screen(columns, rows)
        self.terminal = TerminalDisplay(self.ended.append, clock, screen, "You are ada.")
        self.protocol = PromptProtocol("ada", self.terminal, clock, in_order=False)
        self.terminal.begin(self.protocol)
        self.protocol.makeConnection(self.server)
        self.terminal.makeConnection(self.stdio)
        self.protocol.dataReceived(GREETING)
        self.server.clear()

    def types(self, text: str) -> None:
        self.terminal.dataReceived(text.encode())

    def shows(self) -> list[str]:
        self.display.feed(self.stdio.value())
        self.stdio.clear()
        return self.display.lines


def test_a_half_typed_line_stays_below_received_messages() -> None:
    tty = Tty()
    tty.types("join attic\r")
    tty.protocol.dataReceived(IN_ATTIC)
    tty.types("send attic half a 日本")
    tty.protocol.dataReceived(answers.chat(1, "bob", "one\ntwo"))
    assert tty.shows() == [
        "-- You are ada.",
        "-- You are in attic now.",
        "[attic] bob:",
        "    one",
        "    two",
        "> send attic half a 日本",
    ]
    tty.types("\r")
    assert tty.server.value().endswith("MESSAGE: half a 日本\n\n".encode())
    assert tty.shows()[-1] == ">"


def test_the_typed_line_is_redrawn_for_a_new_size() -> None:
    tty = Tty()
    tty.types("x" * 50)
    tty.shows()
    tty.display = Display(60, 10)
    tty.terminal.resize(60, 10)
    assert tty.shows()[-1] == "> " + "x" * 50


def test_ctrl_c_clears_the_line_and_on_an_empty_one_shows_how_to_leave() -> None:
    tty = Tty()
    tty.types("never mind\x03")
    assert tty.shows() == ["-- You are ada.", ">"]
    tty.types("\x03")
    assert tty.shows() == ["-- You are ada.", f"-- {HOW_TO_LEAVE}", ">"]
    assert tty.server.value() == b""


@pytest.mark.parametrize("line", ["/login ada secret", "/Register secret", "/password secret"])
def test_a_line_with_a_password_is_not_in_the_history(line: str) -> None:
    tty = Tty()
    tty.types(f"join attic\r{line}\r\x1b[A")
    assert tty.shows()[-1] == "> join attic"


@pytest.mark.parametrize("again", ["\x03", "\x04"])
def test_ctrl_d_disconnects_and_a_second_one_does_not_wait(again: str) -> None:
    tty = Tty()
    tty.types("\x04")
    assert tty.server.value() == GOODBYE
    assert not tty.server.disconnecting
    tty.types(again)
    assert tty.server.disconnecting


def test_at_the_end_the_prompt_is_erased_and_nothing_more_is_drawn() -> None:
    tty = Tty()
    tty.types("half typed")
    tty.protocol.connectionLost()
    tty.types("more")
    tty.terminal.resize(20, 5)
    assert tty.shows() == ["-- You are ada.", "-- The server ended the connection."]
    assert tty.stdio.disconnecting
    tty.terminal.connectionLost()
    assert tty.ended == [1]


def test_ctrl_l_redraws_the_screen() -> None:
    tty = Tty()
    tty.types("half\x0c")
    assert tty.shows() == ["> half"]


def test_a_lone_escape_is_a_key_after_a_short_time() -> None:
    tty = Tty()
    tty.types("\x1b")
    tty.clock.advance(ESCAPE_SECONDS)
    tty.types("[Ax")
    assert tty.shows()[-1] == "> [Ax"


def test_a_full_line_shows_a_notice() -> None:
    tty = Tty()
    tty.types("x" * 5000)
    assert "-- The line is full." in tty.shows()


def test_a_terminal_that_is_closed_disconnects() -> None:
    tty = Tty()
    tty.terminal.readConnectionLost()
    assert tty.server.value() == GOODBYE


# The command line ---------------------------------------------------------------------------------


def test_the_option_h_is_the_host() -> None:
    given = parser().parse_args(["-h", "chat.example", "-p", "1234", "-n", "ada"])
    assert (given.host, given.port, given.name) == ("chat.example", 1234, "ada")
    long = parser().parse_args(["--host", "chat.example", "--port", "1234", "--name", "ada"])
    assert long == given


def test_options_have_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    given = parser().parse_args([])
    assert (given.host, given.port, given.name) == ("localhost", 1134, "grace")


@pytest.mark.parametrize(
    "wrong", [["-p", "x"], ["-p", "0"], ["-p", "65536"], ["-n", " "], ["-n", "a\nb"], ["more"]]
)
def test_a_wrong_option_is_a_usage_error(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(wrong)
    assert ended.value.code == 2
    assert "usage: chatd-client" in capsys.readouterr().err


# The real program ---------------------------------------------------------------------------------

PROGRAM = str(Path(sys.executable).with_name("chatd-client"))


def command(port: int, name: str) -> list[str]:
    return [PROGRAM, "-h", "127.0.0.1", "-p", str(port), "-n", name]


def run(port: int, name: str, typed: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the program with pipes."""
    return subprocess.run(
        command(port, name),
        cwd=home,
        env=environment(home),
        input=typed,
        capture_output=True,
        encoding="utf-8",
        timeout=TEST_PATIENCE,
    )


def test_a_script_sends_commands_through_a_pipe(served: Served, tmp_path: Path) -> None:
    typed = "join pipes\nsend pipes hello 日本語\nleave pipes\n"
    ended = run(served.port(), "piper", typed, tmp_path)
    assert ended.stderr == ""
    assert ended.stdout.splitlines() == [
        "-- You are in pipes now.",
        "[pipes] piper has joined this chatroom.",
        "[pipes] piper: hello 日本語",
        "-- You have left pipes.",
        "[pipes] piper has left this chatroom.",
    ]
    assert ended.returncode == 0


def test_a_script_may_be_a_file(served: Served, tmp_path: Path) -> None:
    (tmp_path / "said").write_text("join files\nsend files hello\nsend attic hello")
    with (tmp_path / "said").open("rb") as said, (tmp_path / "heard").open("wb") as heard:
        ended = subprocess.run(
            command(served.port(), "filer"),
            env=environment(tmp_path),
            stdin=said,
            stdout=heard,
            timeout=TEST_PATIENCE,
        )
    assert (tmp_path / "heard").read_text().splitlines() == [
        "-- You are in files now.",
        "[files] filer has joined this chatroom.",
        "[files] filer: hello",
        "-- You are not in attic; join it first.",
        "[files] filer has left this chatroom.",
    ]
    assert ended.returncode == 1


@pytest.mark.parametrize(
    ("host", "port", "reason"),
    [("127.0.0.1", "1", "the connection was refused"), ("a b", "1134", "invalid hostname: a b")],
)
def test_a_failed_connection_is_reported_in_one_sentence(
    host: str, port: str, reason: str, tmp_path: Path
) -> None:
    ended = subprocess.run(
        [PROGRAM, "-h", host, "-p", port],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=TEST_PATIENCE,
    )
    assert ended.returncode == 1
    assert ended.stderr == f"chatd-client: cannot reach {host} port {port}: {reason}.\n"
    assert ended.stdout == ""


def test_ctrl_c_ends_a_script_with_the_usual_status(served: Served, tmp_path: Path) -> None:
    with subprocess.Popen(
        command(served.port(), "stopped"),
        env=environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(b"help\n")
        program.stdin.flush()
        program.stdout.readline()  # so it is connected
        program.send_signal(signal.SIGINT)
        rest, errors = program.communicate(timeout=TEST_PATIENCE)
    assert program.returncode == 130
    assert errors == b""
    assert b"The server ended" not in rest


class Other(socketserver.StreamRequestHandler):
    """A server as students write it: no HELO, no blanks after colons, CR LF, negative numbers."""

    def handle(self) -> None:
        fields: dict[str, str] = {}
        for line in self.rfile:
            key, _, value = line.decode().strip().partition(":")
            fields[key] = value.strip()
            if key == "CLIENT_NAME" and "JOIN_CHATROOM" in fields:
                self.answers("JOINED_CHATROOM", fields["JOIN_CHATROOM"], "SERVER_IP:0", "PORT:0")
                self.answers("ROOM_REF", "-42", "JOIN_ID:17")
            elif key == "CLIENT_NAME" and "LEAVE_CHATROOM" in fields:
                self.answers("ERROR_CODE", "9", "ERROR_DESCRIPTION:You have to stay.")
            elif key == "CLIENT_NAME" and "DISCONNECT" in fields:
                return
            elif key == "MESSAGE":
                assert (fields["CHAT"], fields["JOIN_ID"]) == ("-42", "17")
                who, said = fields["CLIENT_NAME"], fields["MESSAGE"]
                self.answers("CHAT", "-42", f"CLIENT_NAME:{who}", f"MESSAGE:{said}", "")
            elif key.startswith("HELO"):
                self.answers("ERROR_CODE", "1", "ERROR_DESCRIPTION:Unknown message.")
            else:
                continue
            fields.clear()

    def answers(self, key: str, value: str, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in (f"{key}:{value}", *lines)).encode())


@pytest.fixture
def other() -> Iterator[int]:
    """Return the port of a server that is not chatd."""
    with socketserver.TCPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_the_client_works_with_another_server_of_the_assignment(other: int, tmp_path: Path) -> None:
    ended = run(other, "ada", "join attic\nsend attic a: b\nleave attic\n", tmp_path)
    assert ended.stdout.splitlines() == [
        "-- You are in attic now.",
        "[attic] ada: a: b",
        "-- You have to stay. (error 9)",
    ]
    assert (ended.returncode, ended.stderr) == (1, "")


@pytest.fixture
def tmux(client: Callable[[str], str], tmp_path: Path) -> Iterator[Tmux]:
    """Return terminals that are closed at the end of the test."""
    with Tmux(client("tmux"), tmp_path) as terminals:
        yield terminals


def test_two_users_talk_at_their_terminals(served: Served, tmux: Tmux) -> None:
    ada, bob = (tmux.open(name, command(served.port(), name)) for name in ("tessa", "tobias"))
    greeting = f"-- You are tessa at 127.0.0.1 port {served.port()}; help lists the commands."
    ada.shows(greeting, ">")
    ada.says("join ttys")
    ada.shows_somewhere("[ttys] tessa has joined this chatroom.")
    bob.says("join ttys")
    bob.shows("[ttys] tobias has joined this chatroom.", ">")
    ada.types("send ttys half a 日本")
    bob.says("send ttys meanwhile")
    ada.shows("[ttys] tobias: meanwhile", "> send ttys half a 日本")
    ada.resizes(20, 24)
    ada.shows("> send ttys half a", "日本")  # tmux moves them, before the client draws them anew
    ada.says("語 line")
    bob.shows("[ttys] tobias: meanwhile", "[ttys] tessa: half a 日本語 line", ">")
    ada.shows_somewhere("[ttys] tessa: half")
    ada.resizes(80, 24)
    bob.says("send ttys good night")
    for one in (ada, bob):
        one.shows("[ttys] tobias: good night", ">")
    ada.presses("C-d")
    assert ada.status() == 0
    bob.shows("[ttys] tessa has left this chatroom.", ">")
    bob.says("quit")
    assert bob.status() == 0


def test_the_terminal_is_restored_at_the_end(served: Served, tmux: Tmux, tmp_path: Path) -> None:
    started = " ".join(command(served.port(), "tidy"))
    modes = f"stty -a >before; {started}; stty -a >after"
    tidy = tmux.open("tidy", ["sh", "-c", modes])
    tidy.shows_somewhere("-- You are tidy")
    tidy.presses("C-d")
    assert tidy.status() == 0
    assert (tmp_path / "after").read_text() == (tmp_path / "before").read_text()


def test_the_program_ends_when_the_server_stops(tmux: Tmux, tmp_path: Path) -> None:
    with Served(tmp_path, options=("--data", str(tmp_path / "data"))) as served:
        ada = tmux.open("ada", command(served.port(), "ada"))
        ada.shows_somewhere("-- You are ada")
    assert ada.status() == 1
    ada.shows_somewhere("-- The server ended the connection.")
