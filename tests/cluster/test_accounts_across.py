"""Accounts in a cluster: keys, passwords and connections of one owner on several servers."""

from __future__ import annotations

import pytest

from chatd.chat.entry.entrance import Visitor
from chatd.chat.peers import EndSessions
from chatd.cluster.calls import decode, encode
from tests.chat.records.test_accounts import ADA, OTHER, PUBLIC
from tests.support.cluster.chat_cluster import ChatCluster
from tests.support.cluster.server_cluster import ServerCluster
from tests.support.people import Client, Server, User, result_of

SECRET = "correct horse"


@pytest.fixture
def cluster() -> ChatCluster:
    return ChatCluster()


def tail(server: Server, fingerprint: str = ADA) -> User:
    """Let a command that reads enter beside the owner, on any server."""
    client = Client()
    visitor = Visitor("ada", "203.0.113.66", fingerprint, as_guest=True)
    entered = result_of(server.chat.enter(visitor, client, server.now))
    assert isinstance(entered, tuple)
    return User(server, entered[0], client)


def owner_and_commands(cluster: ChatCluster) -> tuple[User, User, User]:
    """Return the owner of ada on the first server, and a command beside them on each."""
    here, there = cluster.servers
    ada = here.enters("ada", fingerprint=ADA)
    ada.types(f"/register {SECRET}")
    cluster.deliver_all()
    near, far = tail(here), tail(there)
    cluster.deliver_all()
    ada.sees()
    return ada, near, far


def test_commands_on_other_servers_are_listed_and_ended(cluster: ChatCluster) -> None:
    ada, near, far = owner_and_commands(cluster)
    ada.types("/sessions")
    rows = ada.sees()
    assert [row.split()[0] for row in rows] == ["--", "1.", "ada2:", "ada3:"]
    assert all(f"by the key {ADA}, from 203.0.113.66" in row for row in rows[2:])
    ada.types(f"/sessions end {far.nick}")
    cluster.deliver_all()
    assert far.client.closed
    assert not near.client.closed
    again = tail(cluster.servers[1])
    cluster.deliver_all()
    ada.types("/sessions end others")
    cluster.deliver_all()
    assert near.client.closed
    assert again.client.closed
    assert again.sees()[-1].startswith(f"-- Another connection of yours, by the key {ADA}")
    assert not ada.client.closed


@pytest.mark.parametrize("line", ["/password something else", "/keys remove 1"])
def test_commands_on_other_servers_end_with_the_proof(cluster: ChatCluster, line: str) -> None:
    ada, near, far = owner_and_commands(cluster)
    ada.client.answers = [SECRET]
    ada.types(line)
    cluster.deliver_all()
    assert near.client.closed
    assert far.client.closed
    assert far.sees()[-1].endswith((" ends.", " and ends."))
    assert not ada.client.closed
    if line.startswith("/keys"):
        assert cluster.servers[1].enters("x", fingerprint=ADA).nick == "x"


def test_a_pending_key_and_its_end_are_known_everywhere(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    mallory = here.enters("mallory", fingerprint=OTHER)
    mallory.types("/register"), mallory.types(f"/keys add {PUBLIC}")
    fingerprint = mallory.sees()[-1].split()[1]
    cluster.deliver_all()
    bob = there.enters("bob", fingerprint=fingerprint)
    assert bob.nick == "bob"
    assert "mallory says that your key is theirs" in bob.sees()[0]
    bob.types("/keys decline mallory")
    cluster.deliver_all()
    assert here.chat.accounts.claiming(fingerprint) == []
    assert any("was declined by its holder" in line for line in mallory.sees())


def test_a_login_on_another_server_is_told_of_the_last_one_and_of_changes(
    cluster: ChatCluster,
) -> None:
    here, there = cluster.servers
    ada = here.enters("ada", fingerprint=ADA)
    ada.types("/register")
    cluster.advance(10)
    ada.types(f"/keys add {PUBLIC}"), ada.leaves()
    cluster.deliver_all(), cluster.advance(600)
    back = there.enters("ada", fingerprint=ADA)
    shown = back.sees()
    assert f"by the key {ADA}, from 192.0.2.1." in shown[0]
    assert "waits for its holder" in shown[-1]


def test_a_record_of_a_login_is_no_change_of_the_account(cluster: ChatCluster) -> None:
    """A login that another server stores late does not bring back a key that is gone."""
    here, there = cluster.servers
    ada = here.enters("ada", fingerprint=ADA)
    ada.types(f"/register {SECRET}")
    cluster.deliver_all()
    there.chat.owner_logged_in(ada.session, "ada", there.now)
    ada.client.answers = [SECRET]
    ada.types("/keys remove 1")
    cluster.deliver_all()
    for server in cluster.servers:
        account = server.chat.accounts.get("ada")
        assert account is not None
        assert account.keys == ()


def test_the_call_is_understood_with_more_values_and_unknown_to_older_servers() -> None:
    call = EndSessions("ada", "SHA256:x", "It ends.", 1.5)
    word, values = encode(call)
    assert decode(word, values) == decode(word, [*values, "more"]) == call
    assert word == "end"


def test_a_relayed_screen_ends_with_a_new_password_and_is_asked_for_the_old_one() -> None:
    cluster = ServerCluster()
    here = cluster.ssh_client(0)
    cluster.says(here, "/register\r")
    cluster.says(here, f"/password {SECRET}\r")
    there, netcat = cluster.ssh_client(1), cluster.netcat(1)
    netcat.sends(f"/login ann {SECRET}\n".encode())
    assert "-- You are logged in as ann." in cluster.receives(netcat)
    listed = cluster.says(here, "/sessions\r")
    assert sum("since 1970-01-01" in row for row in listed) >= 3
    assert cluster.says(there, "/password\r")[-1] == "Current password of ann:"
    assert cluster.says(there, f"{SECRET}\r")[-1] == "New password:"
    cluster.says(there, "something else\r")
    assert any("your other" in row for row in cluster.says(there, "something else\r"))
    cluster.sees(here)
    assert here.closed
    assert any("this connection ends." in line for line in cluster.receives(netcat))
    assert netcat.closed
    assert not there.closed


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("/password another one", "ada: the password was changed, by the key"),
        ("/keys remove 1", f"ada: key {ADA} was removed, by the key"),
    ],
)
def test_a_thief_does_not_stay_on_a_server_that_was_out_of_touch(
    cluster: ChatCluster, line: str, why: str
) -> None:
    """What servers tell each other may be lost; the record of the account is read later."""
    ada, _near, far = owner_and_commands(cluster)
    ada.client.answers = [SECRET]
    ada.types(line)
    cluster.messages.clear()
    cluster.deliver_all()
    assert far.client.closed
    assert far.sees()[-1].startswith(f"-- {why}")


def test_nobody_stays_in_an_account_that_is_gone(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    op = here.enters("op", operator=True, fingerprint=OTHER)
    for command, why in (
        ("/server rename ada lin", "-- Your account is called lin now; this connection ends."),
        ("/server forget lin", "-- The account lin was deleted; this connection ends."),
    ):
        ada = there.enters("ada", fingerprint=ADA)
        if ada.session.person.account is None:
            ada.types(f"/register {SECRET}")
        cluster.deliver_all()
        ada.sees()
        op.client.answers = ["lin"]
        op.types(command)
        cluster.messages.clear()
        cluster.deliver_all()
        assert ada.client.closed
        assert ada.sees()[-1] == why
        ada.leaves()


def test_a_change_that_takes_nothing_away_ends_nothing(cluster: ChatCluster) -> None:
    ada, _near, far = owner_and_commands(cluster)
    ada.client.answers = [SECRET]
    ada.types(f"/keys add {PUBLIC}")
    cluster.deliver_all()
    assert not far.client.closed
