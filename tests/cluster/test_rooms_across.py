"""Rooms with members on several servers: roles, bans, mutes, settings and persistence."""

from __future__ import annotations

import pytest

from chatd.chat.limits import PERSISTENT_ROOMS
from chatd.chat.records import persistent_rooms
from tests.support.cluster.chat_cluster import ChatCluster
from tests.support.people import User, result_of

CAFE = "198.51.100.20"


@pytest.fixture
def cluster() -> ChatCluster:
    return ChatCluster()


def owner_and_other(
    cluster: ChatCluster, *, bob_joins: bool = True, address: str = CAFE
) -> tuple[User, User]:
    """Return the owner of a room on one server, and a user on the other, a member or not."""
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob", address=address)
    ada.types("/join attic")
    cluster.deliver_all()
    if bob_joins:
        bob.types("/join attic")
        cluster.deliver_all()
    ada.sees(), bob.sees()
    return ada, bob


def test_a_ban_of_a_remote_user_holds_on_their_server(cluster: ChatCluster) -> None:
    ada, bob = owner_and_other(cluster, bob_joins=False)
    ada.types("/ban bob")
    cluster.deliver_all()
    bob.types("/join attic")
    assert bob.sees() == ["-- You are banned from attic for good."]
    ada.types("/unban bob")
    cluster.deliver_all()
    bob.types("/join attic")
    assert bob.sees()[-1] == "-- You are in attic, with ada."


def test_a_banned_remote_member_is_removed_and_the_ban_covers_their_address(
    cluster: ChatCluster,
) -> None:
    ada, bob = owner_and_other(cluster)
    ada.types("/ban bob 2h spam")
    cluster.deliver_all()
    assert bob.sees() == ["-- You were banned from attic for 2 hours by ada (spam)."]
    assert ada.sees() == [
        "-- The ban of bob covers the nick bob and their address, for 2 hours.",
        "-- bob was banned from attic for 2 hours by ada (spam)",
    ]
    for server in cluster.servers:
        rob = server.enters("rob", address=CAFE)
        rob.types("/join attic")
        assert rob.sees() == ["-- You are banned from attic for another 2 hours (spam)."]


def test_a_user_who_joins_while_being_banned_on_another_server_is_removed(
    cluster: ChatCluster,
) -> None:
    ada, bob = owner_and_other(cluster, bob_joins=False)
    ada.types("/ban bob"), bob.types("/join attic")
    cluster.deliver_all()
    assert bob.sees()[-1] == "-- You were banned from attic for good by ada."
    assert ada.sees()[-1] == "-- bob was banned from attic for good by ada"
    for server in cluster.servers:
        assert len(server.chat.rooms["attic"].members) == 1


def test_a_ban_of_a_nick_alone_follows_a_rename(cluster: ChatCluster) -> None:
    ada, bob = owner_and_other(
        cluster, address="192.0.2.1"
    )  # the address of the owner, which no ban covers
    ada.types("/ban bob")
    cluster.deliver_all()
    bob.sees()
    bob.types("/nick rob")
    cluster.deliver_all()
    bob.types("/join attic")
    assert bob.sees()[-1] == "-- You are banned from attic for good."
    cluster.servers[0].enters("bob").types("/join attic")
    assert len(cluster.servers[0].chat.rooms["attic"].members) == 2


def test_a_mute_holds_on_every_server_that_the_user_returns_to(cluster: ChatCluster) -> None:
    ada, bob = owner_and_other(cluster)
    ada.types("/mute bob")
    cluster.deliver_all()
    bob.leaves()
    cluster.deliver_all()
    for server in cluster.servers:
        rob = server.enters("rob", address=CAFE)
        rob.types("/join attic")
        rob.sees()
        rob.types("hm")
        refusal = "-- You are muted in attic for another 1 day; nobody was shown that."
        assert rob.sees() == [refusal]


def test_a_mute_of_a_remote_member_is_shown_once_and_refused_the_second_time(
    cluster: ChatCluster,
) -> None:
    ada, bob = owner_and_other(cluster)
    ada.types("/mute bob 10m")
    cluster.deliver_all()
    notice = "-- bob is muted in attic for 10 minutes, by ada"
    assert ada.sees() == bob.sees() == [notice]
    ada.types("/mute bob")
    assert ada.sees() == ["-- bob is muted in attic."]
    bob.types("/users")
    assert "   bob (muted)" in bob.sees()


def test_moderators_cannot_act_on_superiors_on_another_server(cluster: ChatCluster) -> None:
    ada, bob = owner_and_other(cluster)
    cy = cluster.servers[0].enters("cy", address="203.0.113.9")
    cy.types("/join attic")
    ada.types("/op bob")
    ada.types("/op cy")
    cluster.deliver_all()
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


def test_an_invitation_is_revoked_on_the_other_server(cluster: ChatCluster) -> None:
    ada, bob = owner_and_other(cluster, bob_joins=False)
    ada.types("/room private on")
    ada.types("/invite bob")
    cluster.deliver_all()
    ada.types("/uninvite bob")
    cluster.deliver_all()
    bob.sees()
    bob.types("/join attic")
    assert bob.sees() == ["-- attic is private; its moderators can /invite you."]


def test_an_invited_account_may_join_on_the_other_server(cluster: ChatCluster) -> None:
    ada, bob = owner_and_other(cluster, bob_joins=False)
    bob.types("/register a long password")
    ada.types("/room private on")
    cluster.deliver_all()
    ada.types("/invite bob")
    cluster.deliver_all()
    bob.sees()
    bob.types("/join attic")
    assert bob.sees()[-1] == "-- You are in attic, with ada."


@pytest.mark.parametrize(
    ("line", "attempt", "refusal"),
    [
        ("/room key sesame", "/join attic", "-- attic needs a key: /join attic KEY."),
        ("/room key sesame", "/join attic rice", "-- That is not the key of attic."),
        ("/room private on", "/join attic", "-- attic is private; its moderators can /invite you."),
    ],
)
def test_a_restricted_room_is_restricted_on_the_other_server(
    cluster: ChatCluster, line: str, attempt: str, refusal: str
) -> None:
    ada, bob = owner_and_other(cluster, bob_joins=False)
    ada.types(line)
    cluster.deliver_all()
    bob.types(attempt)
    assert bob.sees() == [refusal]


def test_slow_mode_holds_on_the_other_server(cluster: ChatCluster) -> None:
    ada, bob = owner_and_other(cluster)
    ada.types("/room slow 30")
    cluster.deliver_all()
    bob.sees()
    bob.types("one"), bob.types("two")
    assert bob.sees() == ["-- attic is in slow mode; you may speak in 30 s."]
    bob.leaves()
    cluster.deliver_all()
    bob = cluster.servers[0].enters("bob", address=CAFE)
    bob.types("/join attic")
    bob.sees()
    bob.types("three")
    assert bob.sees() == ["-- attic is in slow mode; you may speak in 30 s."]


def test_the_shouting_setting_of_a_room_holds_on_the_other_server(cluster: ChatCluster) -> None:
    ada, bob = owner_and_other(cluster)
    ada.types("/room shouting warn")
    cluster.deliver_all()
    bob.sees()
    bob.types("HELLO EVERYBODY HERE")
    assert bob.sees() == ["-- That was not delivered: attic does not like capitals."]


def test_settings_made_on_two_servers_at_once_hold_on_both(cluster: ChatCluster) -> None:
    ada, bob = owner_and_other(cluster)
    ada.types("/op bob")
    cluster.deliver_all()
    cy = cluster.servers[0].enters("cy", address="203.0.113.9")
    cluster.deliver_all()
    ada.types("/room slow 5")
    bob.types("/ban cy")
    bob.types("/topic old things")
    cluster.deliver_all()
    for server in cluster.servers:
        room = server.chat.rooms["attic"]
        assert (room.settings.slow, room.settings.topic) == (5, "old things")
        assert len(room.bans) == 1
    cy.types("/join attic")
    assert cy.sees()[-1] == "-- You are banned from attic for good."


def test_a_setting_made_while_another_is_received_is_sent_too(cluster: ChatCluster) -> None:
    ada, bob = owner_and_other(cluster)
    ada.types("/op bob")
    cluster.deliver_all()
    ada.types("/room slow 5")
    cluster.servers[0].end_turn()
    bob.types("/room private on")
    sender, _addressee, text = cluster.messages.popleft()
    cluster.stores[1].receive(sender, text)  # in the middle of a turn
    cluster.deliver_all()
    for server in cluster.servers:
        settings = server.chat.rooms["attic"].settings
        assert (settings.slow, settings.private) == (5, True)


def test_a_server_that_starts_changes_nothing_in_a_room(cluster: ChatCluster) -> None:
    ada, _bob = owner_and_other(cluster)
    ada.types("/topic old things"), ada.types("/ban dan@")
    ada.types("/ban 203.0.113.9")
    cluster.deliver_all()
    third = cluster.add_server()
    cy = third.enters("cy")
    cy.types("/join attic")
    cluster.deliver_all()
    for server in cluster.servers:
        room = server.chat.rooms["attic"]
        assert room.settings.topic == "old things"
        assert len(room.bans) == 1


def test_a_persistent_room_is_stored_by_the_server_that_changes_it(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob", address=CAFE)
    ada.types("/register a long password")
    ada.types("/join attic")
    cluster.deliver_all()
    bob.types("/join attic")
    cluster.deliver_all()
    ada.types("/op bob")
    cluster.deliver_all()
    bob.types("/ban 203.0.113.9")
    assert list(records(cluster, persistent_rooms.BAN)) == ["attic 203.0.113.9"]
    bob.types("/unban 203.0.113.9")
    assert not records(cluster, persistent_rooms.BAN)
    ada.types("/room lasting off")
    cluster.deliver_all()
    bob.types("/ban 203.0.113.9")
    assert not records(cluster, persistent_rooms.BAN)


def records(cluster: ChatCluster, kind: str) -> dict[str, str]:
    found = result_of(cluster.store.records(kind))
    assert isinstance(found, dict)
    return found


def test_the_limit_of_persistent_rooms_holds_on_every_server(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    ada = here.enters("ada", fingerprint="SHA256:ada")
    ada.types("/register")
    for number in range(PERSISTENT_ROOMS):
        ada.types(f"/join room{number}")
        cluster.deliver_all()
    ada.leaves()
    cluster.deliver_all()
    ada = there.enters("ada", fingerprint="SHA256:ada")
    ada.types("/join onemore"), ada.types("/room lasting on")
    assert ada.sees()[-1] == f"-- You have {PERSISTENT_ROOMS} rooms that last; end one first."
    ada.types("/join room1"), ada.types("/room lasting off")
    cluster.deliver_all()
    ada.types("/focus onemore"), ada.types("/room lasting on")
    assert ada.sees()[-1] == "-- ada set lasting of onemore to on"


def test_a_remote_member_owns_the_room_after_its_owner_left(cluster: ChatCluster) -> None:
    ada, bob = owner_and_other(cluster)
    ada.types("/leave attic")
    cluster.deliver_all()
    assert bob.sees() == ["-- ada left attic", "-- bob is the owner of attic now"]
    bob.types("/topic mine now")
    assert bob.sees() == ["-- bob set the topic of attic: mine now"]


def test_rooms_of_another_server_are_listed_with_people_and_topic(cluster: ChatCluster) -> None:
    ada, _ = owner_and_other(cluster, bob_joins=False)
    ada.types("/topic old things")
    cy = cluster.servers[1].enters("cy")
    cluster.deliver_all()
    cy.sees()
    cy.types("/rooms")
    assert cy.sees() == [
        "-- 2 rooms:",
        "   lobby: 3 people",
        "   attic: 1 person — old things",
    ]


def test_a_renamed_owner_is_still_above_moderators_on_another_server(cluster: ChatCluster) -> None:
    ada, bob = owner_and_other(cluster)
    ada.types("/op bob")
    ada.types("/nick grace")
    cluster.deliver_all()
    bob.sees()
    bob.types("/kick grace")
    assert bob.sees() == ["-- grace is the owner of attic; that is not yours to do."]


def test_all_servers_keep_the_same_one_of_two_simultaneous_topics(cluster: ChatCluster) -> None:
    ada, bob = owner_and_other(cluster)
    ada.types("/op bob")
    cluster.deliver_all()
    ada.types("/topic old things"), bob.types("/topic new things")
    cluster.deliver_all()
    topics = {server.chat.rooms["attic"].settings.topic for server in cluster.servers}
    assert len(topics) == 1
    ada.types("/topic and so on")
    cluster.deliver_all()
    assert {server.chat.rooms["attic"].settings.topic for server in cluster.servers} == {
        "and so on"
    }


def test_a_room_left_and_reopened_at_once_is_a_new_room_on_every_server() -> None:
    cluster = ChatCluster()
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob")
    cluster.join("attic", ada)
    ada.types("/topic old things"), ada.types("/room key sesame")
    cluster.deliver_all()
    ada.types("/leave attic"), ada.types("/join attic")
    cluster.deliver_all()
    bob.sees()
    bob.types("/join attic"), bob.types("/topic")
    assert bob.sees() == ["-- You are in attic, with ada.", "-- attic: no topic"]


def test_a_removed_setting_whose_message_was_lost_is_removed_by_the_full_state() -> None:
    cluster = ChatCluster()
    here, there = cluster.servers
    ada, bob, cy = here.enters("ada"), there.enters("bob"), there.enters("cy")
    cluster.join("attic", ada, bob)
    ada.types("/room key sesame")
    for _ in range(3):
        cluster.advance(5)
    ada.types("/room key off")
    here.end_turn()
    cluster.messages.clear()
    for _ in range(3):
        cluster.advance(5)
    cy.types("/join attic")
    assert cy.sees()[-1] == "-- You are in attic, with ada, bob."


def test_a_voice_holds_on_every_server(cluster: ChatCluster) -> None:
    ada, bob = owner_and_other(cluster)
    ada.types("/room speak voices"), cluster.deliver_all()
    bob.sees()
    bob.types("hm")
    assert bob.sees()[-1].startswith("-- Only users with a voice may speak in attic")
    ada.types("/voice bob"), cluster.deliver_all()
    assert bob.sees()[-1] == "-- bob may speak in attic, by ada"
    bob.types("/nick rob"), cluster.deliver_all()
    bob.types("hm"), cluster.deliver_all()
    assert ada.sees()[-1] == "rob: hm"
    bob.leaves(), cluster.deliver_all()
    for server in cluster.servers:
        rob = server.enters("rob", address=CAFE)
        rob.types("/join attic"), rob.types("hm")
        assert rob.sees()[-1].startswith("-- Only users with a voice may speak in attic")
        rob.leaves(), cluster.deliver_all()
