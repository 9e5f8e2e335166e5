"""Two real servers and one NATS server: the users of both chat with each other."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import asyncssh
import pytest

from chatd.chat.delivery.unacknowledged import REACHABLE_NOTICE, UNREACHABLE_NOTICE
from chatd.store.nats.client.servers import Servers
from chatd.transport.relay.edge import GONE
from tests.cluster_rounds import play
from tests.support.callers import Connect, LineClient, Netcat, Ssh
from tests.support.cluster.nats import Nats
from tests.support.served import Served, killed


def options(folder: Path, where: Servers) -> list[str]:
    """Return the options of a server about its cluster."""
    login = folder / "login"
    login.write_text(f"{where.user}:{where.password}\n")
    return ["--cluster", ",".join(where.servers), "--cluster-login", str(login)]


def two(folder: Path, nats: Nats) -> tuple[list[Path], list[str]]:
    """Return folders for two servers, and the options of both about their cluster."""
    folders = [folder / "one", folder / "other"]
    for each in folders:
        each.mkdir()
    return folders, options(folder, nats.account())


def test_users_of_a_server_that_stops_resume_at_another(
    nats: Nats, tmp_path: Path, line_client: Connect
) -> None:
    folders, told = two(tmp_path, nats)
    with Served(folders[1], ["line"], told) as other:
        bob = line_client(other, "bob")
        with Served(folders[0], ["line"], told) as one:
            ada = line_client(one, "ada")
            bob.sees("now known as ada")
            ada.says("/join attic")
            ada.says("/resume")
            token = ada.sees("If you are cut off").split()[7]
        ada.sees("Connect again, and you are where you were.")
        ada.close()
        bob.says("meanwhile")
        back = line_client(other, "somebody")
        back.says(f"/resume {token}")
        assert back.sees("Welcome back") == "-- Welcome back, ada."
        assert back.sees("meanwhile").endswith("bob: meanwhile")
        back.says("/bc here again")
        assert bob.sees("ada") == "ada: here again", "nobody has seen her go"
        back.quits()
        assert bob.sees("ada") == "-- ada left"
        bob.quits()


@pytest.fixture
def pair(nats: Nats, tmp_path: Path) -> Iterator[tuple[Served, Served]]:
    folders, told = two(tmp_path, nats)
    with ExitStack() as stack:
        one, other = (stack.enter_context(Served(folder, ["line"], told)) for folder in folders)
        yield one, other


def meet(*clients: LineClient) -> None:
    """Wait until the server of each client has heard of all of them from the others.

    Rooms are shared by the store from the beginning; of people a server that has just started may
    learn only with the next heartbeats.
    """
    for client in clients:
        answer = ""
        while f"{len(clients)} people in all" not in answer:
            client.says("/status")
            answer = client.sees(" in all, ")


def test_users_of_two_servers_talk_and_find_each_other(
    pair: tuple[Served, Served], line_client: Connect
) -> None:
    one, other = pair
    ada, bob = line_client(one, "ada"), line_client(other, "bob")
    meet(ada, bob)
    ada.says("hello")
    assert bob.sees("hello") == "ada: hello"
    bob.says("/dm ada psst")
    assert ada.sees("psst") == "[bob -> you] psst"
    bob.says("/nick ada")
    assert bob.sees("taken") == "-- ada is taken, or looks like a nick that is."
    bob.says("/status")
    assert bob.sees("in all") == "   2 people in all, 1 of them on this server"
    ada.quits()
    bob.sees("ada left")
    bob.says("/history")
    bob.sees("ada: hello")
    bob.gets_nick("ada")
    bob.quits()


def test_a_room_is_moderated_from_another_server(
    pair: tuple[Served, Served], line_client: Connect
) -> None:
    one, other = pair
    ada, bob = line_client(one, "ada"), line_client(other, "bob")
    meet(ada, bob)
    ada.says("/join attic")
    ada.sees("You opened attic")
    answer = "There is nobody called bob"  # the lobby hears of the nick before the server does
    while "nobody" in answer:
        ada.says("/whois bob")
        answer = ada.sees("bob")
    assert ada.sees("here for").startswith("   here for ")
    bob.says("/join attic")
    ada.sees("bob joined attic")
    answer = "not in attic"  # the room hears of the join before the server hears of the member
    while "not in attic" in answer:
        ada.says("/kick bob out")
        answer = ada.sees("bob")
    bob.sees("You were kicked from attic by ada (out).")
    ada.says("/ban bob")
    ada.sees("The ban of bob covers the nick bob alone, for good.")
    bob.says("/dm ada let me in")
    bob.sees("[you -> ada] let me in")
    ada.sees("[bob -> you] let me in")
    bob.says("/join attic")
    bob.sees("You are banned from attic for good.")
    ada.says("/unban bob")
    ada.says("/reply come")
    bob.sees("[ada -> you] come")
    bob.says("/join attic")
    bob.sees("You are in attic, with ada.")
    ada.quits(), bob.quits()


def test_a_message_sent_while_nats_does_not_answer_is_stored_once(
    nats: Nats, pair: tuple[Served, Served], line_client: Connect
) -> None:
    one, other = pair
    ada, bob = line_client(one, "ada"), line_client(other, "bob")
    meet(ada, bob)
    process = nats.servers[0].process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)  # until then it may still answer
    try:
        ada.says("hello")
        ada.sees(
            UNREACHABLE_NOTICE
        )  # for as long as a request is waited for; after that it is posted again
        ada.says("/status")
        ada.sees("the cluster does not answer")
        ada.sees("   1 line of yours waits in lobby")
    finally:
        process.send_signal(signal.SIGCONT)
    ada.sees(REACHABLE_NOTICE)
    ada.says("after")
    assert bob.sees("ada: ") == "ada: hello"
    assert bob.sees("ada: ") == "ada: after"
    bob.says("/history")
    assert bob.sees("the last") == "-- lobby, the last 2:"
    ada.quits()
    bob.quits()


def test_acknowledged_messages_survive_killed_nats_servers(three_nats: Nats) -> None:
    assert play(three_nats, Random(), 1)


def test_one_key_on_two_servers_is_one_user_even_when_one_server_is_killed(
    nats: Nats, tmp_path: Path
) -> None:
    folders, told = two(tmp_path, nats)
    key = asyncssh.generate_private_key("ssh-ed25519")
    one, other = (Served(folder, ["auto"], told) for folder in folders)
    with (
        killed(one),
        other,
        Ssh(one.port(), "ada", terminal=True, key=key) as here,
        Netcat(other.port()) as bob,
    ):
        here.screen.shows("[lobby]")
        here.types("/register"), here.hears("ada is yours now")
        here.types("/password correct horse"), here.hears("the password of ada now")
        bob.greeted()
        bob.says("/nick bob"), here.hears("now known as bob")
        with Ssh(other.port(), "ada", terminal=True, key=key) as there:
            there.hears("-- You are ada in lobby, with bob; /help says what you can do.")
            there.hears("the password was set")
            there.screen.shows("[lobby]")
            there.types("hello"), bob.hears("ada: hello\r\n")
            there.resizes(90, 24), there.screen.resize(90, 24)
            here.screen.shows("ada: hello", "[lobby]")
            bob.says("/dm ada psst"), here.screen.shows("[bob -> you] psst", "[lobby]")
            there.screen.shows("[bob -> you] psst", "[lobby]")
            with Ssh(other.port(), "ada", command="say lobby by a script", key=key) as script:
                script.hears_the_end()
                assert script.status == 0
            bob.hears("ada: by a script\r\n")
            there.sends(b"half ty"), there.screen.shows("[lobby] half ty")
            one.kill()
            there.hears(GONE), there.types("ped")
            bob.hears("ada: half typed\r\n")
            bob.says("/users"), bob.hears("-- lobby: 2 here\r\n")
