"""Cluster: people, rooms and messages of several servers are those of one."""

from __future__ import annotations

import json
from collections import deque

import pytest

from chatd.chat.limits import CLOCK_JUMP_SECONDS, DISPLAY_NAME_LENGTH, SILENT_SECONDS
from tests.support.cluster.chat_cluster import ChatCluster
from tests.support.people import User


@pytest.fixture
def cluster() -> ChatCluster:
    return ChatCluster()


def test_a_message_is_shown_on_the_other_server(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob")
    cluster.deliver_all()
    ada.sees(), bob.sees()
    ada.types("hello")
    bob.types("hi there")
    assert ada.sees() == ["bob: hi there"]
    assert bob.sees() == ["ada: hello"]


def test_users_of_the_other_server_are_shown_and_counted_as_they_come_and_go(
    cluster: ChatCluster,
) -> None:
    here, there = cluster.servers
    ada = here.enters("ada")
    cluster.deliver_all()
    ada.sees()
    bob = there.enters("bob")
    cluster.deliver_all()
    assert ada.sees() == ["-- bob joined lobby"]
    ada.types("/users")
    assert ada.sees() == ["-- lobby: 2 here", "   ada", "   bob"]
    ada.types("/rooms")
    assert ada.sees() == ["-- 1 room:", "   lobby: 2 people"]
    bob.leaves("bye")
    cluster.deliver_all()
    assert ada.sees() == ["-- bob left (bye)"]
    ada.types("/users")
    assert ada.sees() == ["-- lobby: 1 here", "   ada"]


def test_a_nick_is_unique_in_the_cluster(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    assert here.enters("ada").nick == "ada"
    assert there.enters("ada").nick == "ada2"
    cluster.deliver_all()
    assert there.enters("аdа").nick != "аdа"  # Cyrillic, and looks like ada


def test_a_room_opened_on_the_other_server_is_the_same_room(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob")
    ada.types("/join attic")
    ada.types("/topic old things")
    cluster.deliver_all()
    bob.types("/rooms")
    cluster.deliver_all()
    assert bob.sees()[-1] == "   attic: 1 person — old things"
    bob.types("/join attic")
    assert bob.sees()[-1] == "-- You are in attic, with ada. Topic: old things"
    cluster.deliver_all()
    bob.sees()
    ada.types("look at this")
    assert bob.sees() == ["ada: look at this"]
    bob.types("/topic mine")
    assert bob.sees() == ["-- Only a moderator of attic may do that."]


def test_a_room_is_gone_when_the_last_member_on_any_server_leaves(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob")
    ada.types("/join attic")
    cluster.deliver_all()
    bob.types("/join attic")
    cluster.deliver_all()
    ada.types("/leave attic")
    cluster.deliver_all()
    assert "attic" in here.chat.rooms
    bob.sees()
    bob.types("/topic mine now")
    assert bob.sees() == ["-- bob set the topic of attic: mine now"]
    bob.types("/leave attic")
    cluster.deliver_all()
    assert "attic" not in here.chat.rooms
    assert "attic" not in there.chat.rooms


def test_direct_messages_reach_the_other_server_and_are_answered(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob")
    cluster.deliver_all()
    ada.sees(), bob.sees()
    ada.types("/dm bob psst")
    cluster.deliver_all()
    assert ada.sees() == ["[you -> bob] psst"]
    assert bob.sees() == ["[ada -> you] psst"]
    bob.types("/reply what")
    cluster.deliver_all()
    assert ada.sees() == ["[bob -> you] what"]
    bob.types("/ignore ada")
    ada.types("/dm bob psst")
    bob.sees()
    cluster.deliver_all()
    assert bob.sees() == []


def test_a_moderator_kicks_mutes_and_promotes_a_member_on_another_server(
    cluster: ChatCluster,
) -> None:
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob")
    ada.types("/join attic")
    cluster.deliver_all()
    bob.types("/join attic")
    cluster.deliver_all()
    ada.types("/mute bob")
    cluster.deliver_all()
    bob.sees(), ada.sees()
    bob.types("hm")
    assert bob.sees() == ["-- You are muted in attic; nobody was shown that."]
    ada.types("/unmute bob")
    ada.types("/op bob")
    cluster.deliver_all()
    bob.sees(), ada.sees()
    bob.types("/topic mine too")
    cluster.deliver_all()
    assert ada.sees() == ["-- bob set the topic of attic: mine too"]
    ada.types("/deop bob")
    ada.types("/kick bob enough")
    cluster.deliver_all()
    assert bob.sees()[-1] == "-- You were kicked from attic by ada (enough)."
    assert ada.sees()[-1] == "-- bob was kicked from attic by ada (enough)"
    assert list(here.chat.rooms["attic"].members) == [ada.session.person]


def test_an_invitation_opens_a_private_room_to_a_user_of_another_server(
    cluster: ChatCluster,
) -> None:
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob")
    ada.types("/join attic")
    ada.types("/room private on")
    cluster.deliver_all()
    bob.types("/join attic")
    assert bob.sees()[-1] == "-- attic is private; its moderators can /invite you."
    ada.types("/invite bob")
    cluster.deliver_all()
    assert bob.sees() == ["-- ada invites you into attic; /join attic takes you there."]
    bob.types("/join attic")
    assert bob.sees()[-1] == "-- You are in attic, with ada."


def test_a_rename_is_shown_on_the_other_server(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob")
    cluster.deliver_all()
    ada.sees(), bob.sees()
    ada.types("/nick grace")
    cluster.deliver_all()
    assert bob.sees() == ["-- ada is now known as grace"]
    bob.types("/users")
    assert bob.sees() == ["-- lobby: 2 here", "   bob", "   grace"]


def test_a_server_that_starts_later_knows_the_users_and_rooms(cluster: ChatCluster) -> None:
    here, _ = cluster.servers
    ada = here.enters("ada")
    ada.types("/join attic")
    ada.types("/room private on")
    cluster.deliver_all()
    third = cluster.add_server()
    cy = third.enters("cy")
    cy.types("/users")
    cluster.deliver_all()
    assert cy.sees()[-1] == "   cy"
    assert {person.nick for person in third.chat.people.everyone()} == {"ada", "cy"}
    cy.types("/join attic")
    assert cy.sees() == ["-- attic is private; its moderators can /invite you."]


def test_a_missed_message_is_replaced_by_the_full_state(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    cluster.stores[0].disconnected = True
    here.enters("ada")
    cluster.deliver_all()
    cluster.stores[0].disconnected = False
    here.enters("cy")
    cluster.advance(5)
    assert {person.nick for person in there.chat.people.everyone()} == {"ada", "cy"}


class LossyQueue(deque[tuple[str, str, str]]):
    """A queue of messages that loses one: the last of the next ``countdown``."""

    countdown = 0

    def append(self, message: tuple[str, str, str]) -> None:
        self.countdown -= 1
        if self.countdown != 0:
            super().append(message)


@pytest.mark.parametrize("lost", range(1, 8))
def test_an_incomplete_full_state_is_requested_again(
    cluster: ChatCluster, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    monkeypatch.setattr("chatd.cluster.replication.batches.BATCH_STATES", 1)
    here, there = cluster.servers
    for nick in ("ada", "bob", "cy"):
        here.enters(nick)
    cluster.deliver_all()
    cluster.stores[0].disconnected = True
    here.enters("dee")
    cluster.deliver_all()
    cluster.stores[0].disconnected = False
    cluster.messages = LossyQueue()
    cluster.messages.countdown = lost
    for _ in range(4):
        cluster.advance(5)
    nicks = {person.nick for person in there.chat.people.everyone()}
    assert nicks == {"ada", "bob", "cy", "dee"}


def test_status_names_this_server_and_shows_when_others_were_last_seen(
    cluster: ChatCluster,
) -> None:
    here, there = cluster.servers
    ada = here.enters("ada")
    there.enters("bob"), there.enters("zoe")
    cluster.deliver_all()
    ada.sees()
    ada.types("/status")
    assert ada.sees() == [
        "-- Status:",
        "   this is chat0, open for 0 s",
        "   3 people in all, 1 of them on this server",
        "   1 room",
        "   1 other server",
        "   chat1: 2 people, heard 0 s ago",
        "   the cluster answered 1 minute ago",
    ]
    cluster.stores[1].disconnected = True
    cluster.advance(10)
    ada.types("/status")
    assert "   chat1: 2 people, heard 10 s ago" in ada.sees()
    cluster.advance(1)
    ada.types("/status")
    assert "   chat1: 2 people, out of reach, heard 11 s ago" in ada.sees()


def test_a_server_without_a_display_name_is_accepted(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    ada = here.enters("ada")
    there.enters("bob")
    text = json.dumps({"n": 1, "first": True, "last": True, "people": [], "rooms": []})
    cluster.stores[0].receive("older", text)
    ada.sees()
    ada.types("/status")
    assert ada.sees()[4:6] == [
        "   2 other servers",
        "   a server that has not said what it is called: 0 people, heard 0 s ago",
    ]


def test_the_display_name_of_another_server_is_truncated_and_safe_to_show(
    cluster: ChatCluster,
) -> None:
    ada = cluster.servers[0].enters("ada")
    for name, called in (("long", "y" * (DISPLAY_NAME_LENGTH + 1)), ("bad", "z\x1b[2J")):
        everything = {"n": 1, "first": True, "last": True, "people": [], "rooms": []}
        cluster.stores[0].receive(name, json.dumps({**everything, "called": called}))
    ada.sees()
    ada.types("/status")
    assert ada.sees()[-3:-1] == [
        f"   {'y' * DISPLAY_NAME_LENGTH}: 0 people, heard 0 s ago",
        "   z[2J: 0 people, heard 0 s ago",
    ]


@pytest.mark.parametrize(
    ("step", "stood_still"),
    [
        (3600.0, 0.0),
        (-3600.0, 0.0),
        (400 * 86400.0, 0.0),
        (CLOCK_JUMP_SECONDS + 0.5, CLOCK_JUMP_SECONDS + 0.5),
        (0.0, SILENT_SECONDS + 1),
    ],
)
def test_a_clock_jump_or_a_standstill_disconnects_no_remote_user(
    cluster: ChatCluster, step: float, stood_still: float
) -> None:
    here, there = cluster.servers
    ada = here.enters("ada")
    there.enters("bob")
    cluster.advance(1)
    ada.sees()
    here.now += step
    here.elapsed += stood_still
    here.cluster.check_liveness(here.now, here.elapsed)
    assert ada.sees() == []
    cluster.stores[1].disconnected = True
    for _ in range(int(SILENT_SECONDS)):
        cluster.advance(1)
    assert ada.sees() == []
    cluster.advance(1)
    assert ada.sees() == ["-- bob left"]


def test_the_users_of_a_silent_server_leave(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob")
    bob.types("/join attic")
    cluster.deliver_all()
    ada.types("/join attic")
    cluster.deliver_all()
    ada.sees()
    cluster.stores[1].disconnected = True
    for _ in range(7):
        cluster.advance(5)
    assert ada.sees() == ["-- bob left", "-- ada is the owner of attic now"]
    assert list(here.chat.rooms["attic"].members) == [ada.session.person]
    assert here.cluster.names == []
    ada.types("/topic mine now")
    assert ada.sees()[-1] == "-- ada set the topic of attic: mine now"


def test_an_edit_is_shown_on_the_other_server(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob")
    cluster.deliver_all()
    ada.types("helo")
    cluster.deliver_all()
    ada.sees(), bob.sees()
    ada.types("/edit hello")
    assert bob.sees() == ["* ada corrects: hello"]


def test_a_message_to_several_rooms_is_shown_once_on_the_other_server(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob")
    cluster.join("attic", ada, bob)
    ada.sees(), bob.sees()
    ada.types("/bc hello")
    cluster.deliver_all()
    assert bob.sees() == ["[lobby] ada: hello"]
    ada.types("/nick grace")
    cluster.deliver_all()
    assert bob.sees() == ["-- ada is now known as grace"]
    ada.leaves("bye")
    cluster.deliver_all()
    assert bob.sees() == ["-- grace left (bye)", "-- bob is the owner of attic now"]


def lobby_nicks(user: User) -> list[str]:
    """Return the nicks in the lobby, as a member of it is shown them."""
    user.sees()
    user.types("/users")
    return sorted(line.strip() for line in user.sees()[1:])


def test_the_owner_of_a_nick_gets_it_at_once_from_a_dead_server() -> None:
    cluster = ChatCluster(3)
    dead, there, third = cluster.servers
    ada = dead.enters("ada", fingerprint="SHA256:ada")
    ada.types("/register")
    ada.types("/join attic")
    cluster.deliver_all()
    bob, cy = there.enters("bob"), third.enters("cy")
    cluster.join("attic", bob, cy)
    cluster.stores[0].disconnected = True
    bob.sees(), cy.sees()
    again = there.enters("", fingerprint="SHA256:ada")
    cluster.deliver_all()
    assert again.nick == "ada"
    for user in (bob, cy):
        user.types("/focus lobby")
        assert lobby_nicks(user) == ["ada", "bob", "cy"]
    assert third.chat.people.get("ada") in third.chat.rooms["attic"].members
    bob.sees(), cy.sees()
    for _ in range(7):
        cluster.advance(5)
    assert lobby_nicks(bob) == lobby_nicks(cy) == ["ada", "bob", "cy"]


def test_a_guest_does_not_get_a_nick_of_a_dead_server_at_once(cluster: ChatCluster) -> None:
    dead, there = cluster.servers
    dead.enters("ada")
    cluster.deliver_all()
    cluster.stores[0].disconnected = True
    assert there.enters("ada").nick == "ada2"


def deliver_late(cluster: ChatCluster, *, sender: str, receiver: str) -> None:
    """Deliver all messages but those from one server to another; these stay in the queue."""
    for server in cluster.servers:
        server.end_turn()
    late = [message for message in cluster.messages if message[:2] == (sender, receiver)]
    for message in late:
        cluster.messages.remove(message)
    cluster.deliver_all()
    cluster.messages.extend(late)


def test_a_new_holder_of_a_nick_is_listed_although_its_release_is_received_later() -> None:
    cluster = ChatCluster(3)
    user, other, third = cluster.servers
    ada, bob, cy = user.enters("ada"), other.enters("bob"), third.enters("cy")
    cluster.deliver_all()
    ada.types("/nick grace")
    deliver_late(cluster, sender="s0", receiver="s2")
    bob.types("/nick ada")
    deliver_late(cluster, sender="s0", receiver="s2")
    cluster.deliver_all()
    assert lobby_nicks(cy) == ["ada", "cy", "grace"]
    cy.types("/dm ada psst")
    assert cy.sees() == ["[you -> ada] psst"]


def test_a_late_notice_of_a_former_holder_does_not_displace_the_new_one() -> None:
    cluster = ChatCluster(3)
    user, other, third = cluster.servers
    cy = third.enters("cy")
    ada = user.enters("ada")
    deliver_late(cluster, sender="s0", receiver="s2")
    ada.leaves()
    late = list(cluster.messages)
    cluster.messages.clear()
    deliver_late(cluster, sender="s0", receiver="s2")
    other.enters("ada")
    cluster.messages.extendleft(reversed(late))
    deliver_late(cluster, sender="s0", receiver="s2")
    cluster.deliver_all()
    assert lobby_nicks(cy) == ["ada", "cy"]
    cy.types("/dm ada psst")
    assert cy.sees() == ["[you -> ada] psst"]


@pytest.mark.parametrize("then", ["", "/nick grace"], ids=["same nick", "renamed"])
def test_the_owner_of_a_room_owns_it_on_every_server(cluster: ChatCluster, then: str) -> None:
    here, there = cluster.servers
    ada, bob, cy = here.enters("ada"), there.enters("bob"), there.enters("cy")
    cluster.join("attic", ada, bob, cy)
    ada.types(then)
    cluster.deliver_all()
    ada.sees()
    bob.types("/leave attic")
    cluster.deliver_all()
    assert ada.sees() == ["-- bob left attic"]


def test_a_user_in_no_room_who_leaves_is_gone_on_every_server_at_once(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    ada = here.enters("ada")
    ada.types("/leave lobby")
    cluster.deliver_all()
    ada.types("/nick grace")
    cluster.deliver_all()
    assert there.enters("ada").nick == "ada"
    ada.leaves()
    cluster.deliver_all()
    assert there.enters("grace").nick == "grace"


def test_an_expired_session_in_no_room_is_gone_on_every_server_at_once(
    cluster: ChatCluster,
) -> None:
    here, there = cluster.servers
    ada = here.enters("ada", fingerprint="SHA256:ada")
    ada.types("/leave lobby")
    detached = ada.loses_connection()
    cluster.deliver_all()
    assert there.enters("ada").nick == "ada2"
    assert detached is not None
    here.chat.expire(detached, here.now)
    cluster.deliver_all()
    assert there.enters("ada").nick == "ada"


def test_a_room_whose_owner_leaves_while_others_join_elsewhere_has_an_owner(
    cluster: ChatCluster,
) -> None:
    here, there = cluster.servers
    ada, bob, cy = here.enters("ada"), there.enters("bob"), there.enters("cy")
    ada.types("/join attic")
    cluster.deliver_all()
    ada.types("/leave attic")
    for user in (bob, cy):
        user.types("/join attic")
    bob.sees()
    for _ in range(3):
        cluster.advance(5)
    ada.types("/join attic")
    cluster.deliver_all()
    ada.sees()
    bob.types("/op ada")
    assert bob.sees()[-1] == "-- ada is a moderator of attic now, by bob"
    cluster.deliver_all()
    assert ada.sees() == ["-- ada is a moderator of attic now, by bob"]
