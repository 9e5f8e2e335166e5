"""/server commands of operators in a cluster."""

from __future__ import annotations

import pytest

from chatd.chat.events import Refused
from tests.support.cluster.chat_cluster import ChatCluster
from tests.support.people import Client, Server, User

HOME, CAFE = "192.0.2.10", "198.51.100.20"


@pytest.fixture
def cluster() -> ChatCluster:
    return ChatCluster(3)


def operator_and_two(cluster: ChatCluster) -> tuple[User, User, User]:
    """Return an operator and two others, each on another server."""
    here, there, third = cluster.servers
    op = here.enters("op", operator=True, address=HOME)
    bob, cy = there.enters("bob", address=CAFE), third.enters("cy", address="203.0.113.9")
    cluster.deliver_all()
    for user in (op, bob, cy):
        user.sees()
    return op, bob, cy


def is_refused_as_banned(server: Server, nick: str, address: str) -> bool:
    try:
        server.enters(nick, address=address)
    except Refused as refused:
        return refused.code == "banned"
    return False


def test_a_server_kick_disconnects_a_user_of_another_server(cluster: ChatCluster) -> None:
    op, bob, cy = operator_and_two(cluster)
    op.types("/server kick bob enough")
    cluster.deliver_all()
    assert bob.sees() == ["-- You were kicked from this server by op (enough)."]
    assert bob.client.closed
    assert op.sees() == ["-- bob is disconnected.", "-- bob left (enough)"]
    assert cy.sees() == ["-- bob left (enough)"]
    for server in cluster.servers:
        assert server.chat.people.get("bob") is None
        assert len(server.chat.lobby.members) == 2


def test_a_server_kick_ends_a_detached_session_on_another_server(
    cluster: ChatCluster,
) -> None:
    op, bob, _ = operator_and_two(cluster)
    bob.types("/resume")
    assert bob.loses_connection() is not None
    op.types("/server kick bob")
    cluster.deliver_all()
    assert op.sees() == ["-- bob is disconnected.", "-- bob left"]
    assert not len(cluster.servers[1].chat.detached)


def test_an_operator_of_another_server_is_not_kicked_or_banned(cluster: ChatCluster) -> None:
    op, _, _ = operator_and_two(cluster)
    cluster.servers[1].enters("eve", operator=True, address=CAFE)
    cluster.deliver_all()
    op.sees()
    for line in ("kick eve", "ban eve", "rename eve rob"):
        op.types(f"/server {line}")
        assert op.sees() == ["-- eve is an operator of this server."]


def test_a_ban_of_an_address_disconnects_its_users_on_every_server(
    cluster: ChatCluster,
) -> None:
    op, bob, cy = operator_and_two(cluster)
    dan = cluster.servers[2].enters("dan", address=CAFE)
    cluster.deliver_all()
    bob.sees(), op.sees()
    op.types(f"/server ban {CAFE} 2h spam")
    cluster.deliver_all()
    notice = "-- You were banned from this server for 2 hours by op (spam)."
    assert bob.sees()[-1] == dan.sees()[-1] == notice
    assert bob.client.closed
    assert dan.client.closed
    assert not cy.client.closed
    assert op.sees()[-1] == (
        f"-- The ban of {CAFE} from this server covers {CAFE}, for 2 hours; 2 were disconnected."
    )
    assert all(is_refused_as_banned(server, "bob", CAFE) for server in cluster.servers)
    op.types(f"/server unban {CAFE}")
    assert not is_refused_as_banned(cluster.servers[1], "bob", CAFE)


def test_a_server_ban_of_a_remote_nick_covers_their_address(
    cluster: ChatCluster,
) -> None:
    op, bob, _ = operator_and_two(cluster)
    op.types("/server ban bob")
    cluster.deliver_all()
    assert bob.client.closed
    assert sorted(op.sees()) == [
        f"-- The ban of bob from this server covers the nick bob and {CAFE} (for 1 day), for good; "
        "1 was disconnected.",
        "-- bob left",
    ]
    assert all(is_refused_as_banned(server, "rob", CAFE) for server in cluster.servers)


def test_a_ban_of_an_address_disconnects_its_sessions_but_no_operator(
    cluster: ChatCluster,
) -> None:
    op, bob, _ = operator_and_two(cluster)
    screen = cluster.servers[1].enters("dan", address="203.0.113.77")
    screen.session.address = CAFE
    eve = cluster.servers[1].enters("eve", operator=True, address=CAFE)
    cluster.deliver_all()
    op.types(f"/server ban {CAFE}")
    cluster.deliver_all()
    assert screen.client.closed
    assert bob.client.closed
    assert not eve.client.closed


def test_an_announcement_is_shown_once_on_every_server(
    cluster: ChatCluster,
) -> None:
    op, bob, cy = operator_and_two(cluster)
    bob.types("/join attic")
    cy.types("/join attic")
    cluster.deliver_all()
    bob.sees(), cy.sees(), op.sees()
    op.types("/server say the power goes at ten")
    cluster.deliver_all()
    for user in (op, bob, cy):
        assert user.sees() == ["-- op tells everyone: the power goes at ten"]


def test_closing_a_room_removes_its_members_on_every_server(cluster: ChatCluster) -> None:
    op, bob, cy = operator_and_two(cluster)
    cluster.join("attic", bob, cy, op)
    for user in (bob, cy, op):
        user.sees()
    op.types("/server close attic it is full of dust")
    cluster.deliver_all()
    notice = "-- You were kicked from attic by op (it is full of dust)."
    assert bob.sees() == [notice]
    assert cy.sees() == [notice]
    assert op.sees() == [notice, "-- attic is closed; 3 people were in it."]
    for server in cluster.servers:
        assert "attic" not in server.chat.rooms
    cy.types("/join attic")
    assert cy.sees()[-1] == "-- You opened attic; it is yours."


def test_a_persistent_room_is_closed_from_another_server(cluster: ChatCluster) -> None:
    op, bob, _ = operator_and_two(cluster)
    bob.types("/register a long password")
    bob.types("/join attic")
    cluster.deliver_all()
    bob.sees()
    op.types("/server close attic")
    cluster.deliver_all()
    assert bob.sees() == ["-- You were kicked from attic by op (the room is closed)."]
    for server in cluster.servers:
        assert "attic" not in server.chat.rooms


def test_an_operator_renames_a_user_of_another_server(cluster: ChatCluster) -> None:
    op, bob, cy = operator_and_two(cluster)
    op.types("/server rename bob rob")
    cluster.deliver_all()
    assert bob.sees() == ["-- You are now known as rob.", "-- op gave you that nick."]
    assert cy.sees() == op.sees() == ["-- bob is now known as rob"]
    op.types("/server rename rob cy")
    cluster.deliver_all()
    assert op.sees() == ["-- cy is taken, or looks like a nick that is."]
    assert cluster.servers[1].enters("bob").nick == "bob"


def test_a_user_who_has_just_left_is_not_renamed(cluster: ChatCluster) -> None:
    op, bob, _ = operator_and_two(cluster)
    bob.leaves()
    op.types("/server rename bob rob")
    assert op.sees() == ["-- bob left", "-- bob is gone."]


def test_a_ban_holds_on_all_servers_in_all_its_parts_until_it_is_lifted(
    cluster: ChatCluster,
) -> None:
    op, _, _ = operator_and_two(cluster)
    eve = cluster.servers[1].enters("eve", fingerprint="SHA256:eve", address="203.0.113.9")
    cluster.deliver_all(), op.types("/server ban eve 1h"), cluster.deliver_all()
    assert eve.client.closed
    known = (("eve", "", None), ("x", "203.0.113.9", None), ("x", "", "SHA256:eve"))
    for server in cluster.servers:
        for nick, address, key in known:
            with pytest.raises(Refused, match="You are banned"):
                server.enters(nick, address=address, fingerprint=key)
    op.types("/server unban eve"), cluster.deliver_all()
    for server in cluster.servers:
        server.enters("eve", address="203.0.113.9", fingerprint="SHA256:eve").leaves()
        cluster.deliver_all()


def test_a_lock_holds_on_all_servers(cluster: ChatCluster) -> None:
    op, bob, _ = operator_and_two(cluster)
    root = cluster.servers[1].enters("root", operator=True)
    cluster.deliver_all(), root.sees()
    op.types("/server lock"), cluster.deliver_all()
    assert root.sees() == ["-- op locked this server for guests."]
    for server in cluster.servers:
        with pytest.raises(Refused, match="Only users with an account"):
            server.enters("guest")
    assert not bob.client.closed
    root.types("/server unlock"), cluster.deliver_all()
    cluster.servers[0].enters("guest")


def test_everybody_who_came_lately_is_banned_wherever_they_are(cluster: ChatCluster) -> None:
    op, _, _ = operator_and_two(cluster)
    raiders = [
        server.enters(f"raider{number}", address=f"203.0.113.{number}")
        for number, server in enumerate(cluster.servers)
    ]
    cluster.deliver_all()
    assert isinstance(op.client, Client)
    op.client.answers, op.client.now = ["yes"], op.server.now
    op.types("/server ban 203.0.113.0/24 last 5m"), cluster.deliver_all()
    assert all(each.client.closed for each in raiders)
    assert all(
        is_refused_as_banned(server, "x", f"203.0.113.{number}")
        for server in cluster.servers
        for number in range(len(raiders))
    )


def test_an_account_that_is_reset_or_forgotten_ends_its_sessions_everywhere(
    cluster: ChatCluster,
) -> None:
    op, _, _ = operator_and_two(cluster)
    dora = cluster.servers[1].enters("dora", fingerprint="SHA256:dora")
    dora.types("/register"), cluster.deliver_all()
    op.server.chat.authentication.make_password = lambda: "a-word-for-once"
    op.types("/server reset dora"), cluster.deliver_all()
    assert dora.client.closed
    dora = cluster.servers[1].enters("dora", fingerprint="SHA256:dora")
    cluster.deliver_all()
    assert isinstance(op.client, Client)
    op.client.answers, op.client.now = ["dora"], op.server.now
    op.types("/server forget dora"), cluster.deliver_all()
    assert dora.client.closed
    guest = cluster.servers[1].enters("dora", fingerprint="SHA256:dora")
    assert guest.session.person.account is None
