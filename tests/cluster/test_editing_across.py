"""/edit, /delete, /history, /search and /bc with messages of several servers."""

from __future__ import annotations

import pytest

from tests.support.cluster.chat_cluster import ChatCluster
from tests.support.people import User

ADA = "SHA256:ada"


@pytest.fixture
def cluster() -> ChatCluster:
    return ChatCluster(3)


def three_in_attic(cluster: ChatCluster) -> tuple[User, User, User]:
    """Return the owner of a room and two other members, each on another server."""
    here, there, third = cluster.servers
    ada, bob, cy = here.enters("ada"), there.enters("bob"), third.enters("cy")
    cluster.join("attic", ada, bob, cy)
    for user in (ada, bob, cy):
        user.sees()
    return ada, bob, cy


def screens(*users: User) -> list[list[str]]:
    """Return the new lines of each user."""
    return [user.sees() for user in users]


def test_a_moderator_deletes_a_message_of_another_server(cluster: ChatCluster) -> None:
    ada, bob, cy = three_in_attic(cluster)
    bob.types("rubbish")
    screens(ada, bob, cy)
    ada.types("/delete bob")
    assert screens(bob, cy) == [["-- ada deleted a message of bob in attic"]] * 2
    bob.types("/edit sense")
    assert bob.sees() == ["-- You said nothing in attic in the last 10 minutes."]
    cy.types("/history 5")
    assert cy.sees() == ["-- Nothing was said in attic yet."]
    cy.types("/delete bob")
    assert cy.sees() == ["-- Only a moderator of attic may do that."]


def test_a_message_of_another_server_is_deleted_by_its_number(cluster: ChatCluster) -> None:
    ada, bob, cy = three_in_attic(cluster)
    bob.types("one"), bob.types("two")
    screens(ada, bob, cy)
    ada.types("/history # 5")
    first = ada.sees()[-2]
    number = next(word for word in first.split() if word.startswith("#"))
    ada.types(f"/delete {number}")
    cy.types("/history 5")
    assert [line.split()[-1] for line in cy.sees()[-1:]] == ["two"]


def test_an_account_edits_and_deletes_its_message_from_another_server(cluster: ChatCluster) -> None:
    here, there, _ = cluster.servers
    ada, bob = here.enters("ada", fingerprint=ADA), there.enters("bob")
    ada.types("/register")
    cluster.deliver_all()
    ada.types("helo")
    ada.leaves()
    cluster.deliver_all()
    ada = there.enters("ada", fingerprint=ADA)
    bob.sees()
    ada.types("/edit hello")
    assert bob.sees() == ["* ada corrects: hello"]
    ada.types("/delete")
    assert bob.sees() == ["-- ada deleted a message in lobby"]


def test_the_next_holder_of_a_nick_cannot_edit_the_messages_of_the_last(
    cluster: ChatCluster,
) -> None:
    ada, bob, _ = three_in_attic(cluster)
    ada.types("hello")
    ada.leaves()
    cluster.deliver_all()
    other = cluster.servers[1].enters("ada")
    other.types("/join attic")
    bob.sees(), other.sees()
    other.types("/edit goodbye")
    assert other.sees() == ["-- You said nothing in attic in the last 10 minutes."]


def test_a_message_to_all_rooms_counts_readers_on_other_servers(cluster: ChatCluster) -> None:
    ada, bob, cy = three_in_attic(cluster)
    ada.types("/bc hello")
    assert ada.sees() == ["-- Said in 2 rooms, to 2 other people."]
    assert screens(bob, cy) == [["[lobby] ada: hello"]] * 2


def test_a_message_of_another_server_is_found(cluster: ChatCluster) -> None:
    ada, bob, _ = three_in_attic(cluster)
    bob.types("the key is under the mat")
    dan = cluster.servers[2].enters("dan")
    dan.types("/search in:* mat")
    assert dan.sees()[-1].endswith("[attic] bob: the key is under the mat")
    ada.types("/room private on")
    cluster.deliver_all()
    dan.types("/search in:* mat")
    assert dan.sees() == ["-- Nothing was found."]


def test_a_moderator_becomes_owner_when_the_server_of_the_owner_dies(
    cluster: ChatCluster,
) -> None:
    ada, bob, cy = three_in_attic(cluster)
    ada.types("/op cy")
    cluster.deliver_all()
    screens(bob, cy)
    cluster.stores[0].disconnected = True
    for _ in range(7):
        cluster.advance(5)
    for user in (bob, cy):
        assert sorted(user.sees()) == ["-- ada left", "-- cy is the owner of attic now"]
    cy.types("/topic mine now")
    assert bob.sees() == ["-- cy set the topic of attic: mine now"]


def test_a_room_whose_owner_and_successor_leave_at_once_has_an_owner(
    cluster: ChatCluster,
) -> None:
    ada, bob, cy = three_in_attic(cluster)
    ada.types("/leave attic"), bob.types("/leave attic")
    cluster.deliver_all()
    for _ in range(3):
        cluster.advance(5)
    cy.sees()
    cy.types("/topic mine now")
    assert cy.sees() == ["-- cy set the topic of attic: mine now"]


def test_a_room_that_two_servers_open_at_once_has_owners_on_both(cluster: ChatCluster) -> None:
    here, there, third = cluster.servers
    ada, bob, cy = here.enters("ada"), there.enters("bob"), third.enters("cy")
    cluster.deliver_all()
    ada.types("/join den"), bob.types("/join den")
    cluster.deliver_all()
    cy.types("/join den")
    cluster.deliver_all()
    roles = [
        {
            person.nick: member.role.value
            for person, member in server.chat.rooms["den"].members.items()
        }
        for server in cluster.servers
    ]
    assert roles[0] == roles[1] == roles[2] == {"ada": "owner", "bob": "owner", "cy": "member"}
