"""What operators do with the whole server, when it is several servers."""

from __future__ import annotations

import pytest

from chatd.chat.events import Refused
from tests.support.cluster.chat_cluster import Town
from tests.support.people import Server, User

HOME, CAFE = "192.0.2.10", "198.51.100.20"


@pytest.fixture
def town() -> Town:
    return Town(3)


def everyone(town: Town) -> tuple[User, User, User]:
    """An operator and two others, each on a server of their own."""
    here, there, third = town.servers
    op = here.enters("op", operator=True, address=HOME)
    bob, cy = there.enters("bob", address=CAFE), third.enters("cy", address="203.0.113.9")
    town.settle()
    for one in (op, bob, cy):
        one.sees()
    return op, bob, cy


def turned_away(server: Server, nick: str, address: str) -> bool:
    try:
        server.enters(nick, address=address)
    except Refused as refused:
        return refused.code == "banned"
    return False


def test_who_is_kicked_from_another_server_is_disconnected_there(town: Town) -> None:
    op, bob, cy = everyone(town)
    op.types("/server kick bob enough")
    town.settle()
    assert bob.sees() == ["-- You were kicked from this server by op (enough)."]
    assert bob.client.closed
    assert op.sees() == ["-- bob is disconnected.", "-- bob left (enough)"]
    assert cy.sees() == ["-- bob left (enough)"]
    for server in town.servers:
        assert server.chat.people.get("bob") is None
        assert len(server.chat.lobby.members) == 2


def test_who_is_cut_off_elsewhere_and_kicked_does_not_come_back_to_their_place(
    town: Town,
) -> None:
    op, bob, _ = everyone(town)
    bob.types("/resume")
    assert bob.loses_connection() is not None
    op.types("/server kick bob")
    town.settle()
    assert op.sees() == ["-- bob is disconnected.", "-- bob left"]
    assert not len(town.servers[1].chat.detached)


def test_an_operator_of_another_server_is_not_kicked_or_banned(town: Town) -> None:
    op, _, _ = everyone(town)
    town.servers[1].enters("eve", operator=True, address=CAFE)
    town.settle()
    op.sees()
    for line in ("kick eve", "ban eve", "rename eve rob"):
        op.types(f"/server {line}")
        assert op.sees() == ["-- eve is an operator of this server."]


def test_a_ban_of_an_address_disconnects_whom_it_covers_on_every_server(town: Town) -> None:
    op, bob, cy = everyone(town)
    dan = town.servers[2].enters("dan", address=CAFE)
    town.settle()
    bob.sees(), op.sees()
    op.types(f"/server ban {CAFE} 2h spam")
    town.settle()
    told = "-- You were banned from this server for 2 hours by op (spam)."
    assert bob.sees()[-1] == dan.sees()[-1] == told
    assert bob.client.closed
    assert dan.client.closed
    assert not cy.client.closed
    assert op.sees()[-1] == (
        f"-- The ban of {CAFE} from this server covers {CAFE}, for 2 hours; 2 were disconnected."
    )
    assert all(turned_away(server, "bob", CAFE) for server in town.servers)
    op.types(f"/server unban {CAFE}")
    assert not turned_away(town.servers[1], "bob", CAFE)


def test_who_is_named_in_a_ban_is_held_by_their_address_wherever_they_are(town: Town) -> None:
    op, bob, _ = everyone(town)
    op.types("/server ban bob")
    town.settle()
    assert bob.client.closed
    assert sorted(op.sees()) == [
        f"-- The ban of bob from this server covers {CAFE}, for good; 1 was disconnected.",
        "-- bob left",
    ]
    assert all(turned_away(server, "rob", CAFE) for server in town.servers)


def test_a_ban_disconnects_the_screens_from_an_address_and_lets_operators_be(town: Town) -> None:
    op, bob, _ = everyone(town)
    screen = town.servers[1].enters("dan", address="203.0.113.77")
    screen.session.address = CAFE
    eve = town.servers[1].enters("eve", operator=True, address=CAFE)
    town.settle()
    op.types(f"/server ban {CAFE}")
    town.settle()
    assert screen.client.closed
    assert bob.client.closed
    assert not eve.client.closed


def test_what_an_operator_tells_everyone_is_shown_on_every_server_once(town: Town) -> None:
    op, bob, cy = everyone(town)
    bob.types("/join attic")
    cy.types("/join attic")
    town.settle()
    bob.sees(), cy.sees(), op.sees()
    op.types("/server say the power goes at ten")
    town.settle()
    for one in (op, bob, cy):
        assert one.sees() == ["-- op tells everyone: the power goes at ten"]


def test_a_room_is_closed_for_those_on_every_server(town: Town) -> None:
    op, bob, cy = everyone(town)
    town.join("attic", bob, cy, op)
    for one in (bob, cy, op):
        one.sees()
    op.types("/server close attic it is full of dust")
    town.settle()
    told = "-- You were kicked from attic by op (it is full of dust)."
    assert bob.sees() == [told]
    assert cy.sees() == [told]
    assert op.sees() == [told, "-- attic is closed; 3 people were in it."]
    for server in town.servers:
        assert "attic" not in server.chat.rooms
    cy.types("/join attic")
    assert cy.sees()[-1] == "-- You opened attic; it is yours."


def test_a_lasting_room_is_closed_from_another_server(town: Town) -> None:
    op, bob, _ = everyone(town)
    bob.types("/register a long password")
    bob.types("/join attic")
    town.settle()
    bob.sees()
    op.types("/server close attic")
    town.settle()
    assert bob.sees() == ["-- You were kicked from attic by op (the room is closed)."]
    for server in town.servers:
        assert "attic" not in server.chat.rooms


def test_an_operator_renames_somebody_on_another_server(town: Town) -> None:
    op, bob, cy = everyone(town)
    op.types("/server rename bob rob")
    town.settle()
    assert bob.sees() == ["-- You are now known as rob.", "-- op gave you that nick."]
    assert cy.sees() == op.sees() == ["-- bob is now known as rob"]
    op.types("/server rename rob cy")
    town.settle()
    assert op.sees() == ["-- cy is taken, or looks like a nick that is."]
    assert town.servers[1].enters("bob").nick == "bob"


def test_who_has_just_gone_is_not_renamed(town: Town) -> None:
    op, bob, _ = everyone(town)
    bob.leaves()
    op.types("/server rename bob rob")
    assert op.sees() == ["-- bob left", "-- bob is gone."]
