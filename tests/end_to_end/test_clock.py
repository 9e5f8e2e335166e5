"""A clock that is set, an hour back or 400 days ahead, costs nobody anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.end_to_end.test_cluster import meet, two
from tests.support.callers import ChatClient, Connect, LineClient, Netcat, Ssh, Telnet
from tests.support.cluster.nats import Nats
from tests.support.faketime import TRUE, SetClock
from tests.support.served import Served

#: How the clock is set while people are here.
SETTINGS = ("-1h", "+400d", TRUE)
DOUBT = r"clock: the clock says [0-9-]+, and it should be [0-9-]+: nothing ends or is deleted"


@pytest.fixture
def clock(client: Callable[[str], str], tmp_path: Path) -> SetClock:
    return SetClock(tmp_path, client("faketime"))


class Talker:
    """A client of one protocol: how it says a line in the lobby, and how a line of others looks."""

    def __init__(self, nick: str, caller: ChatClient) -> None:
        self.nick = nick
        self.caller = caller

    def says(self, text: str) -> None:
        """Say a line."""
        self.caller.says(text)

    def hears(self, text: str) -> None:
        """Wait for a line of somebody."""
        self.caller.hears(text)


class Typist(Talker):
    """Somebody at a drawn terminal."""

    def says(self, text: str) -> None:
        self.caller.sends(f"{text}\r".encode())


class Bot(Talker):
    """A bot that speaks JSON."""

    def says(self, text: str) -> None:
        self.caller.says(json.dumps({"message": text, "room": "lobby"}))


class Student(Talker):
    """A client of the socket assignment."""

    def __init__(self, nick: str, caller: ChatClient) -> None:
        super().__init__(nick, caller)
        caller.sends(f"JOIN_CHATROOM: lobby\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: {nick}\n".encode())
        caller.hears("ROOM_REF: ")
        self._room = caller.hears("\n").strip()
        caller.hears("JOIN_ID: ")
        self._number = caller.hears("\n").strip()

    def says(self, text: str) -> None:
        self.caller.sends(
            f"CHAT: {self._room}\nJOIN_ID: {self._number}\nCLIENT_NAME: {self.nick}\n"
            f"MESSAGE: {text}\n\n".encode()
        )


def everybody(stack: ExitStack, port: int) -> list[Talker]:
    """Let a client of every protocol enter."""
    ned = Talker("ned", stack.enter_context(Netcat(port, b"/nick ned\n")))
    tom = Typist("tom", stack.enter_context(Telnet(port)))
    sue = Typist("sue", stack.enter_context(Ssh(port, "sue", terminal=True)))
    pia = Talker("pia", stack.enter_context(Ssh(port, "pia")))
    bot = Bot("bot", stack.enter_context(Netcat(port, b'{"username":"bot","version":2}\n')))
    dan = Student("dan", stack.enter_context(Netcat(port)))
    ned.hears("now known as ned.")
    for terminal in (tom, sue, pia):
        terminal.hears("If you are cut off: ")
    tom.says("/nick tom")
    tom.hears("known as tom.")
    bot.hears('"isConnected": true')
    return [ned, tom, sue, pia, bot, dan]


def all_talk(people: Sequence[Talker], word: str) -> None:
    """Let everybody say a line, and wait until all others have it."""
    for one in people:
        text = f"{word}-of-{one.nick}"
        one.says(text)
        for other in people:
            if other is not one:
                other.hears(text)


def test_nobody_is_silenced_refused_or_disconnected_when_the_clock_is_set(
    tmp_path: Path, clock: SetClock
) -> None:
    server = Served(tmp_path, environment=clock.environment)
    with server, ExitStack() as stack:
        port = server.port()
        people = everybody(stack, port)
        all_talk(people, "before")
        for number, setting in enumerate(SETTINGS):
            silent = stack.enter_context(Netcat(port))
            clock.set(setting)
            if number == SETTINGS.index("+400d"):
                server.wait_for(DOUBT)  # checked once a second; it may be set back sooner
            all_talk(people, f"set{number}")
            silent.greeted()  # a timer from before the clock was set ran out in time
            with Netcat(port, b"/search before\n") as newcomer:
                newcomer.hears("6 messages found")


def test_no_history_is_deleted_by_a_server_that_starts_with_a_clock_400_days_ahead(
    tmp_path: Path, clock: SetClock
) -> None:
    options = ("--data", str(tmp_path / "data"), "--history", "30")
    for setting, found in ((TRUE, 1), ("+400d", 2), (TRUE, 3)):
        clock.set(setting)
        server = Served(tmp_path, ["line"], options, clock.environment)
        with server, Netcat(server.port("line"), b"/nick ada\n") as ada:
            ada.hears("now known as ada.")
            ada.says("an apple")
            ada.says("/search apple")
            ada.hears(f"{found} message{'s' * (found > 1)} found")
            if setting != TRUE:
                server.wait_for(DOUBT)


def test_in_a_cluster_nobody_is_let_go_of_when_one_clock_is_set(
    tmp_path: Path, clock: SetClock, nats: Nats, line_client: Connect
) -> None:
    folders, told = two(tmp_path, nats)
    with ExitStack() as stack:
        one = stack.enter_context(Served(folders[0], ["line"], told, clock.environment))
        other = stack.enter_context(Served(folders[1], ["line"], told))
        ada, bob = line_client(one, "ada"), line_client(other, "bob")
        meet(ada, bob)
        for number, setting in enumerate(SETTINGS):
            clock.set(setting)
            if number == SETTINGS.index("+400d"):
                one.wait_for(DOUBT)  # a second has passed, and with it a check of the lease
            for speaker, listener in ((ada, bob), (bob, ada)):
                speaker.says(f"set{number}")
                listener.sees(f"set{number}")
            line_client(one, f"cy{number}").quits()
            in_touch(ada), in_touch(bob)
        assert "out of touch" not in one.log + other.log


def in_touch(client: LineClient) -> None:
    """Check that a server counts the other one as heard of."""
    client.says("/status")
    assert "out of reach" not in client.sees(" ago")
