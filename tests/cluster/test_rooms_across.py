"""Rooms whose people are on several servers: who may do what there, and what holds."""

from __future__ import annotations

import pytest

from chatd.chat.limits import PERSISTENT_ROOMS
from chatd.chat.records import persistent_rooms
from tests.support.cluster.chat_cluster import Town
from tests.support.people import User, result_of

CAFE = "198.51.100.20"


@pytest.fixture
def town() -> Town:
    return Town()


def in_attic(town: Town, *, bob_too: bool = True, address: str = CAFE) -> tuple[User, User]:
    """The owner of a room on one server, and somebody on the other."""
    here, there = town.servers
    ada, bob = here.enters("ada"), there.enters("bob", address=address)
    ada.types("/join attic")
    town.settle()
    if bob_too:
        bob.types("/join attic")
        town.settle()
    ada.sees(), bob.sees()
    return ada, bob


def test_who_is_banned_while_elsewhere_does_not_come_in_there(town: Town) -> None:
    ada, bob = in_attic(town, bob_too=False)
    ada.types("/ban bob")
    town.settle()
    bob.types("/join attic")
    assert bob.sees() == ["-- You are banned from attic for good."]
    ada.types("/unban bob")
    town.settle()
    bob.types("/join attic")
    assert bob.sees()[-1] == "-- You are in attic, with ada."


def test_who_is_banned_in_the_room_is_put_out_and_held_by_their_address(town: Town) -> None:
    ada, bob = in_attic(town)
    ada.types("/ban bob 2h spam")
    town.settle()
    assert bob.sees() == ["-- You were banned from attic for 2 hours by ada (spam)."]
    assert ada.sees() == [
        "-- The ban of bob covers their address, for 2 hours.",
        "-- bob was banned from attic for 2 hours by ada (spam)",
    ]
    for server in town.servers:
        rob = server.enters("rob", address=CAFE)
        rob.types("/join attic")
        assert rob.sees() == ["-- You are banned from attic for another 2 hours (spam)."]


def test_who_comes_in_while_they_are_banned_elsewhere_is_put_out_again(town: Town) -> None:
    ada, bob = in_attic(town, bob_too=False)
    ada.types("/ban bob"), bob.types("/join attic")
    town.settle()
    assert bob.sees()[-1] == "-- You were banned from attic for good by ada."
    assert ada.sees()[-1] == "-- bob was banned from attic for good by ada"
    for server in town.servers:
        assert len(server.chat.rooms["attic"].members) == 1


def test_a_ban_of_a_nick_alone_follows_them_to_another(town: Town) -> None:
    ada, bob = in_attic(town, address="192.0.2.1")  # that of the owner, who is not to be banned
    ada.types("/ban bob")
    town.settle()
    bob.sees()
    bob.types("/nick rob")
    town.settle()
    bob.types("/join attic")
    assert bob.sees()[-1] == "-- You are banned from attic for good."
    town.servers[0].enters("bob").types("/join attic")
    assert len(town.servers[0].chat.rooms["attic"].members) == 2


def test_who_is_muted_is_so_on_every_server_they_come_back_to(town: Town) -> None:
    ada, bob = in_attic(town)
    ada.types("/mute bob")
    town.settle()
    bob.leaves()
    town.settle()
    for server in town.servers:
        rob = server.enters("rob", address=CAFE)
        rob.types("/join attic")
        rob.sees()
        rob.types("hm")
        assert rob.sees() == ["-- You are muted in attic; nobody was shown that."]


def test_a_mute_of_who_is_elsewhere_is_shown_to_each_once_and_refused_twice(town: Town) -> None:
    ada, bob = in_attic(town)
    ada.types("/mute bob 10m")
    town.settle()
    told = "-- bob is muted in attic for 10 minutes, by ada"
    assert ada.sees() == bob.sees() == [told]
    ada.types("/mute bob")
    assert ada.sees() == ["-- bob is muted in attic."]
    bob.types("/users")
    assert "   bob (muted)" in bob.sees()


def test_nobody_acts_upon_who_is_above_them_on_another_server(town: Town) -> None:
    ada, bob = in_attic(town)
    cy = town.servers[0].enters("cy", address="203.0.113.9")
    cy.types("/join attic")
    ada.types("/op bob")
    ada.types("/op cy")
    town.settle()
    bob.sees()
    for line in ("kick ada", "ban ada", "mute ada"):
        bob.types(f"/{line}")
        assert bob.sees() == ["-- ada is the owner of attic; that is not yours to do."] or (
            line == "ban ada"
        )
    bob.types("/kick cy")
    assert bob.sees() == ["-- cy is a moderator of attic; that is not yours to do."]
    bob.types("/op cy")
    assert bob.sees() == ["-- Only the owner of attic may do that."]
    bob.types("/kick dan")
    assert bob.sees() == ["-- There is nobody called dan; /users says who is here."]


def test_an_invitation_is_taken_back_on_the_other_server(town: Town) -> None:
    ada, bob = in_attic(town, bob_too=False)
    ada.types("/room private on")
    ada.types("/invite bob")
    town.settle()
    ada.types("/uninvite bob")
    town.settle()
    bob.sees()
    bob.types("/join attic")
    assert bob.sees() == ["-- attic is private; its moderators can /invite you."]


def test_an_invited_account_comes_in_on_the_other_server(town: Town) -> None:
    ada, bob = in_attic(town, bob_too=False)
    bob.types("/register a long password")
    ada.types("/room private on")
    town.settle()
    ada.types("/invite bob")
    town.settle()
    bob.sees()
    bob.types("/join attic")
    assert bob.sees()[-1] == "-- You are in attic, with ada."


@pytest.mark.parametrize(
    ("line", "tries", "told"),
    [
        ("/room key sesame", "/join attic", "-- attic needs a key: /join attic KEY."),
        ("/room key sesame", "/join attic rice", "-- That is not the key of attic."),
        ("/room private on", "/join attic", "-- attic is private; its moderators can /invite you."),
    ],
)
def test_a_door_that_is_shut_on_one_server_is_shut_on_the_other(
    town: Town, line: str, tries: str, told: str
) -> None:
    ada, bob = in_attic(town, bob_too=False)
    ada.types(line)
    town.settle()
    bob.types(tries)
    assert bob.sees() == [told]


def test_the_pace_of_a_room_holds_on_the_other_server(town: Town) -> None:
    ada, bob = in_attic(town)
    ada.types("/room slow 30")
    town.settle()
    bob.sees()
    bob.types("one"), bob.types("two")
    assert bob.sees() == ["-- attic is in slow mode; you may speak in 30 s."]
    bob.leaves()
    town.settle()
    bob = town.servers[0].enters("bob", address=CAFE)
    bob.types("/join attic")
    bob.sees()
    bob.types("three")
    assert bob.sees() == ["-- attic is in slow mode; you may speak in 30 s."]


def test_a_room_that_dislikes_capitals_does_so_on_the_other_server(town: Town) -> None:
    ada, bob = in_attic(town)
    ada.types("/room shouting warn")
    town.settle()
    bob.sees()
    bob.types("HELLO EVERYBODY HERE")
    assert bob.sees() == ["-- That was not delivered: attic does not like capitals."]


def test_what_two_servers_set_at_once_holds_on_both(town: Town) -> None:
    ada, bob = in_attic(town)
    ada.types("/op bob")
    town.settle()
    cy = town.servers[0].enters("cy", address="203.0.113.9")
    town.settle()
    ada.types("/room slow 5")
    bob.types("/ban cy")
    bob.types("/topic old things")
    town.settle()
    for server in town.servers:
        room = server.chat.rooms["attic"]
        assert (room.settings.slow, room.settings.topic) == (5, "old things")
        assert len(room.bans) == 1
    cy.types("/join attic")
    assert cy.sees()[-1] == "-- You are banned from attic for good."


def test_what_is_set_while_something_is_heard_is_told_all_the_same(town: Town) -> None:
    ada, bob = in_attic(town)
    ada.types("/op bob")
    town.settle()
    ada.types("/room slow 5")
    town.servers[0].end_turn()
    bob.types("/room private on")
    sender, _addressee, text = town.letters.popleft()
    hears = town.branches[1].hears
    assert hears is not None
    hears(sender, text)  # in the middle of a turn
    town.settle()
    for server in town.servers:
        settings = server.chat.rooms["attic"].settings
        assert (settings.slow, settings.private) == (5, True)


def test_a_server_that_begins_takes_nothing_away_from_a_room(town: Town) -> None:
    ada, _bob = in_attic(town)
    ada.types("/topic old things"), ada.types("/ban dan@")
    ada.types("/ban 203.0.113.9")
    town.settle()
    third = town.add()
    cy = third.enters("cy")
    cy.types("/join attic")
    town.settle()
    for server in town.servers:
        room = server.chat.rooms["attic"]
        assert room.settings.topic == "old things"
        assert len(room.bans) == 1


def test_a_room_that_lasts_is_kept_by_whichever_server_changes_it(town: Town) -> None:
    here, there = town.servers
    ada, bob = here.enters("ada"), there.enters("bob", address=CAFE)
    ada.types("/register a long password")
    ada.types("/join attic")
    town.settle()
    bob.types("/join attic")
    town.settle()
    ada.types("/op bob")
    town.settle()
    bob.types("/ban 203.0.113.9")
    assert list(records(town, persistent_rooms.BAN)) == ["attic 203.0.113.9"]
    bob.types("/unban 203.0.113.9")
    assert not records(town, persistent_rooms.BAN)
    ada.types("/room lasting off")
    town.settle()
    bob.types("/ban 203.0.113.9")
    assert not records(town, persistent_rooms.BAN)


def records(town: Town, kind: str) -> dict[str, str]:
    found = result_of(town.store.records(kind))
    assert isinstance(found, dict)
    return found


def test_how_many_rooms_somebody_has_is_known_on_every_server(town: Town) -> None:
    here, there = town.servers
    ada = here.enters("ada", fingerprint="SHA256:ada")
    ada.types("/register")
    for number in range(PERSISTENT_ROOMS):
        ada.types(f"/join room{number}")
        town.settle()
    ada.leaves()
    town.settle()
    ada = there.enters("ada", fingerprint="SHA256:ada")
    ada.types("/join onemore"), ada.types("/room lasting on")
    assert ada.sees()[-1] == f"-- You have {PERSISTENT_ROOMS} rooms that last; end one first."
    ada.types("/join room1"), ada.types("/room lasting off")
    town.settle()
    ada.types("/focus onemore"), ada.types("/room lasting on")
    assert ada.sees()[-1] == "-- ada set lasting of onemore to on"


def test_the_owner_leaves_and_who_is_elsewhere_owns_the_room(town: Town) -> None:
    ada, bob = in_attic(town)
    ada.types("/leave attic")
    town.settle()
    assert bob.sees() == ["-- ada left attic", "-- bob is the owner of attic now"]
    bob.types("/topic mine now")
    assert bob.sees() == ["-- bob set the topic of attic: mine now"]


def test_rooms_of_another_server_are_listed_with_people_and_topic(town: Town) -> None:
    ada, _ = in_attic(town, bob_too=False)
    ada.types("/topic old things")
    cy = town.servers[1].enters("cy")
    town.settle()
    cy.sees()
    cy.types("/rooms")
    assert cy.sees() == [
        "-- 2 rooms:",
        "   lobby: 3 people",
        "   attic: 1 person — old things",
    ]


def test_an_owner_who_takes_another_nick_is_above_the_others_still(town: Town) -> None:
    ada, bob = in_attic(town)
    ada.types("/op bob")
    ada.types("/nick grace")
    town.settle()
    bob.sees()
    bob.types("/kick grace")
    assert bob.sees() == ["-- grace is the owner of attic; that is not yours to do."]


def test_of_two_topics_at_once_all_servers_have_the_same(town: Town) -> None:
    ada, bob = in_attic(town)
    ada.types("/op bob")
    town.settle()
    ada.types("/topic old things"), bob.types("/topic new things")
    town.settle()
    topics = {server.chat.rooms["attic"].settings.topic for server in town.servers}
    assert len(topics) == 1
    ada.types("/topic and so on")
    town.settle()
    assert {server.chat.rooms["attic"].settings.topic for server in town.servers} == {"and so on"}


def test_a_room_that_is_left_and_opened_again_at_once_is_a_new_one_everywhere() -> None:
    town = Town()
    here, there = town.servers
    ada, bob = here.enters("ada"), there.enters("bob")
    town.join("attic", ada)
    ada.types("/topic old things"), ada.types("/room key sesame")
    town.settle()
    ada.types("/leave attic"), ada.types("/join attic")
    town.settle()
    bob.sees()
    bob.types("/join attic"), bob.types("/topic")
    assert bob.sees() == ["-- You are in attic, with ada.", "-- attic: no topic"]


def test_what_was_taken_away_unheard_is_known_to_be_gone_once_everything_is_told() -> None:
    town = Town()
    here, there = town.servers
    ada, bob, cy = here.enters("ada"), there.enters("bob"), there.enters("cy")
    town.join("attic", ada, bob)
    ada.types("/room key sesame")
    for _ in range(3):
        town.beat(5)
    ada.types("/room key off")
    here.end_turn()
    town.letters.clear()
    for _ in range(3):
        town.beat(5)
    cy.types("/join attic")
    assert cy.sees()[-1] == "-- You are in attic, with ada, bob."
