"""Prompts: a question is answered by one line, which is not shown if it is a secret."""

from twisted.internet.defer import CancelledError, Deferred

from chatd.chat.limits import LINE_BYTES, PASTE_BYTES, Rate
from chatd.chat.ratelimit.reports import WrongSecret
from chatd.chat.records.accounts import Account
from chatd.chat.text.names import Name
from chatd.transport.conversation.conversation import Conversation
from tests.support.memory_server import ClientConnection, MemoryServer
from tests.transport.conversation.test_terminal import TerminalUser, ada_and_bob
from tests.transport.test_telnet import (
    DO,
    DONT,
    ECHO,
    REFUSES_ALL,
    SGA,
    TINTIN,
    WILL,
    WONT,
    Telnet,
    connect,
    says,
)

Answers = list[str | type[Exception]]


def asks(conversation: Conversation, question: str = "Password", *, secret: bool = True) -> Answers:
    """Ask, and return a list that will have the answer."""
    answers: Answers = []

    def answered(answer: tuple[str, float]) -> None:
        answers.append(answer[0])

    asked = Deferred.fromCoroutine(conversation.ask(question, secret=secret))
    asked.addCallbacks(answered, lambda failure: answers.append(failure.type))
    return answers


def conversation_of(server: MemoryServer, nick: str = "guest1") -> Conversation:
    """Return the conversation of a user."""
    person = server.chat.people.find(nick)
    assert person is not None
    client = person.sessions[0].client
    assert isinstance(client, Conversation)
    return client


def with_netcat(
    flood: Rate | None = None,
) -> tuple[MemoryServer, ClientConnection, Conversation]:
    """Return a server, a netcat that has read the greeting, and its conversation."""
    server = MemoryServer("line", flood=flood)
    connection = server.connects()
    connection.receives()
    return server, connection, conversation_of(server)


def test_on_plain_lines_a_user_is_warned_that_a_secret_is_visible() -> None:
    _, connection, conversation = with_netcat()
    answers = asks(conversation)
    told = b"-- Password? What you type will be seen; an empty line calls it off.\r\n"
    assert connection.receives() == told
    connection.sends(b"xyzzy")
    assert answers == []
    connection.sends(b" 1\n")
    assert answers == ["xyzzy 1"]
    assert connection.receives() == b""
    assert asks(conversation, "Which room", secret=False) == []
    assert connection.receives() == b"-- Which room? An empty line calls it off.\r\n"


def test_an_answer_is_neither_a_command_nor_a_message() -> None:
    server, connection, conversation = with_netcat()
    bob = server.connects()
    bob.receives(), connection.receives()
    answers = asks(conversation)
    connection.sends(b"/quit\n/nick ada\n")
    assert answers == ["/quit"]
    assert b"You are now known as ada" in connection.receives()
    asks(conversation)
    connection.sends(b"hello\nhello all\n")
    assert bob.receives().splitlines()[1:] == [b"ada: hello all"]


def test_a_pending_line_is_the_answer() -> None:
    _, connection, conversation = with_netcat(Rate(burst=1, per_second=0.001))
    connection.sends(b"hello\none\ntwo\n"), connection.receives()
    assert asks(conversation) == ["one"]
    assert connection.receives() == b"", "nothing has to be asked"
    assert asks(conversation) == ["two"]
    assert asks(conversation) == []


def test_an_answer_no_longer_counts_as_pending() -> None:
    _, connection, conversation = with_netcat(Rate(burst=1, per_second=0.001))
    connection.sends(b"hello\n")
    lines = [b"x" * LINE_BYTES] * (PASTE_BYTES // LINE_BYTES - 1)
    for _ in range(2):
        connection.sends(b"\n".join([*lines, b""]))
        assert not connection.transport.paused
        assert [asks(conversation) for _ in lines] == [[line.decode()] for line in lines]


def test_a_question_ends_with_the_input_or_the_connection() -> None:
    _, connection, conversation = with_netcat()
    answers = asks(conversation)
    connection.ends_input()
    assert answers == [""]
    assert asks(conversation) == [""], "nobody will say anything any more"
    for end in ("goes", "closes"):
        _, connection, conversation = with_netcat()
        answers = asks(conversation)
        connection.loses_connection() if end == "goes" else conversation.close()
        assert answers == [CancelledError]
        assert asks(conversation) == [""]


def ask_at(ada: TerminalUser, secret: bool = True) -> Answers:
    return asks(ada.conversation, secret=secret)


def test_on_a_terminal_the_question_replaces_the_prompt_and_no_secret_is_drawn() -> None:
    ada, bob = ada_and_bob()
    ada.sees()
    answers = ask_at(ada)
    assert ada.sees()[-1] == "Password:"
    sent = b""
    for key in "xyzzy\x7fy 1":
        ada.types(key)
        sent += ada.receives()
    bob.sends(b"hello\n")
    assert ada.sees()[-2:] == ["bob: hello", "Password:"]
    ada.types("\x0c"), ada.terminal.resize(60, 12)
    sent += ada.receives()
    ada.types("\r")
    sent += ada.receives()
    assert answers == ["xyzzy 1"]
    assert b"x" not in sent
    assert ada.sees()[-1] == "[lobby]"
    ada.types("seen")
    assert ada.sees()[-1] == "[lobby] seen"


def test_an_answer_that_is_no_secret_is_drawn() -> None:
    ada, _ = ada_and_bob()
    answers = ask_at(ada, secret=False)
    ada.types("attic")
    assert ada.sees()[-1] == "Password: attic"
    ada.types("\r")
    assert answers == ["attic"]


def test_ctrl_c_ctrl_d_and_an_empty_line_cancel_a_question() -> None:
    for keys in ("\x03", "xyzzy\x03", "\x04", "\r"):
        ada, _ = ada_and_bob()
        answers = ask_at(ada)
        ada.types(keys)
        assert answers == [""]
        assert ada.sees()[-1] == "[lobby]"
        ada.types("still here\r")
        assert "ada: still here" in ada.sees()


def line_mode(*answers: bytes) -> tuple[Telnet, Conversation]:
    """Return a telnet in line mode that has negotiated."""
    telnet = connect((b"".join(answers), b""))
    telnet.answer_times_out()
    telnet.receives()
    return telnet, conversation_of(telnet.connection.server)


def test_a_telnet_in_line_mode_is_asked_not_to_show_a_secret() -> None:
    telnet, conversation = line_mode(says(DO, ECHO) + says(DONT, SGA) + says(WONT, SGA))
    telnet.connection.sends(says(DONT, ECHO))
    telnet.connection.receives()
    answers = asks(conversation)
    told = b"-- Password? An empty line calls it off.\r\n"
    assert telnet.connection.receives() == says(WILL, ECHO) + told
    telnet.connection.sends(says(DO, ECHO))
    assert telnet.connection.receives() == b"", "its lines stay its own"
    telnet.connection.sends(b"xyzzy\r\n")
    assert answers == ["xyzzy"]
    assert telnet.connection.receives() == b"\r\n" + says(WONT, ECHO)
    telnet.connection.sends(says(DONT, ECHO) + b"hello\r\n")
    assert telnet.connection.receives() == b""
    asks(conversation)
    assert telnet.connection.receives() == says(WILL, ECHO) + told, "as often as it has to be"


def test_a_telnet_that_refuses_to_hide_typing_shows_a_secret() -> None:
    telnet, conversation = line_mode(REFUSES_ALL)
    answers = asks(conversation)
    telnet.connection.receives()
    telnet.connection.sends(says(DONT, ECHO) + b"xyzzy\r\n")
    assert answers == ["xyzzy"]
    assert telnet.connection.receives() == b""


def test_a_question_is_shown_again_on_another_display() -> None:
    telnet = connect(TINTIN)
    telnet.receives()
    conversation = conversation_of(telnet.connection.server)
    answers = asks(conversation)
    telnet.receives()
    telnet.connection.sends(says(DONT, ECHO))
    assert b"-- Password? An empty line calls it off.\r\n" in telnet.receives()
    telnet.connection.sends(b"xyzzy\r\n")
    assert answers == ["xyzzy"]


def test_a_wrong_password_is_reported_with_its_address_and_account_and_nothing_else() -> None:
    server = MemoryServer("line")
    ada, eve = server.connects(), server.connects("203.0.113.5")
    ada.sends(b"/nick ada\n/register correct horse\n"), ada.receives()
    bot = MemoryServer("json").connects("203.0.113.6")
    eve.sends(b"/login ada\nxyzzy 1\n\n/login ada xyzzy 2\n\n/login secret3 x\n\n")
    account = Account(Name("ada", "ada"), (), 0.0, "kept:correct horse")
    bot.server.chat.accounts.apply_change("ada", account.encoded())
    bot.sends(b'{"username": "ada", "version": 2, "password": "xyzzy 4"}')
    assert server.reports == [
        *[WrongSecret("203.0.113.5", "line", account="ada")] * 2,
        WrongSecret("203.0.113.5", "line"),
    ]
    assert bot.server.reports == [WrongSecret("203.0.113.6", "json", account="ada")]
    assert b"xyzzy" not in eve.receives()


def test_a_program_is_asked_nothing() -> None:
    server = MemoryServer("json")
    bot = server.connects()
    bot.sends(b'{"username": "bot", "version": 2}')
    bot.receives()
    person = server.chat.people.find("bot")
    assert person is not None
    asked = person.sessions[0].client.ask("Password", secret=True)
    answers: list[tuple[str, float]] = []
    Deferred.fromCoroutine(asked).addCallback(answers.append)
    assert answers == [("", server.clock.seconds())]


# Passwords that are wrong -------------------------------------------------------------------------


def with_account(server: MemoryServer) -> None:
    """Register an account with a password."""
    account = Account(Name("dee", "dee"), (), 0.0, "kept:correct horse")
    server.chat.accounts.apply_change("dee", account.encoded())


def test_wrong_passwords_that_are_pasted_into_a_netcat_are_not_posted() -> None:
    server, connection, _ = with_netcat()
    bob = server.connects()
    bob.receives(), connection.receives()
    with_account(server)
    for pasted in (
        b"/login dee\nxyzzy 1\nxyzzy 2\nxyzzy 3\nxyzzy 3\nxyzzy 4\n",
        b"/login dee xyzzy 1\nxyzzy 2\nxyzzy 3\nxyzzy 4\n",
        b" /login dee xyzzy 1\n\t/register xyzzy 2\n",
        b"/register\nxyzzy 1\nxyzzy 1\n",
        b"/login\nxyzzy 1\n",
    ):
        server.clock.advance(10_000)
        connection.sends(pasted)
        assert connection.receives().count(b"not the password") in (0, 3)
    assert b"xyzzy" not in bob.receives()


def test_wrong_passwords_at_a_terminal_are_neither_drawn_nor_posted() -> None:
    ada, bob = ada_and_bob()
    with_account(ada.server)
    ada.sees()
    sent = b""
    ada.types("/login dee\r")
    for _ in range(3):
        assert ada.sees()[-1] == "Password of dee:"
        ada.types("xyzzy\r")
        sent += ada.receives()
    assert ada.sees()[-2:] == [
        "-- You are asked no more; what you type now is a message again.",
        "[lobby]",
    ]
    assert b"xyzzy" not in sent
    ada.types("xyzzy\r")
    assert "-- That is a password that you tried; it was not posted." in ada.sees()
    assert b"xyzzy" not in bob.receives()


def test_a_telnet_in_line_mode_is_asked_not_to_show_each_try() -> None:
    telnet, _ = line_mode(says(DO, ECHO) + says(DONT, SGA) + says(WONT, SGA))
    telnet.connection.sends(says(DONT, ECHO))
    telnet.connection.receives()
    with_account(telnet.connection.server)
    telnet.connection.sends(b"/login dee\r\n")
    shown = telnet.connection.receives()
    for _ in range(2):
        assert says(WILL, ECHO) in shown
        telnet.connection.sends(says(DO, ECHO) + b"xyzzy 1\r\n")
        assert says(WONT, ECHO) in telnet.connection.receives()
        telnet.connection.sends(says(DONT, ECHO))
        shown = telnet.connection.receives()
    telnet.connection.sends(says(DO, ECHO) + b"xyzzy 1\r\n")
    assert telnet.connection.receives().endswith(
        b"-- You are asked no more; what you type now is a message again.\r\n"
    )
