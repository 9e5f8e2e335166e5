"""Direct messages and ignored users, between two servers."""

from __future__ import annotations

import pytest

from chatd.chat.limits import OFFLINE_MESSAGES
from tests.support.cluster.chat_cluster import ChatCluster
from tests.support.people import Client, User

ADA, BOB = "SHA256:ada", "SHA256:bob"


@pytest.fixture
def cluster() -> ChatCluster:
    return ChatCluster()


def two_users(cluster: ChatCluster) -> tuple[User, User]:
    """Return Ada on the first server and Bob on the second."""
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob", address="198.51.100.20")
    cluster.deliver_all()
    ada.sees(), bob.sees()
    return ada, bob


def test_the_away_message_of_a_remote_user_is_shown_at_once(cluster: ChatCluster) -> None:
    ada, bob = two_users(cluster)
    bob.types("/away lunch")
    cluster.deliver_all()
    ada.types("/dm bob psst")
    assert ada.sees() == ["[you -> bob] psst", "-- bob is away: lunch"]
    bob.types("/back")
    cluster.deliver_all()
    ada.types("/dm bob psst")
    assert ada.sees() == ["[you -> bob] psst"]


def test_a_reply_follows_a_rename_and_fails_once_the_sender_is_gone(
    cluster: ChatCluster,
) -> None:
    ada, bob = two_users(cluster)
    ada.types("/dm bob psst")
    cluster.deliver_all()
    ada.types("/nick grace")
    cluster.deliver_all()
    bob.sees(), ada.sees()
    bob.types("/reply what")
    cluster.deliver_all()
    assert ada.sees() == ["[bob -> you] what"]
    ada.leaves()
    cluster.deliver_all()
    bob.sees()
    bob.types("/reply what")
    assert bob.sees() == ["-- grace is gone."]


def test_a_reply_reaches_the_sender_although_a_message_between_servers_was_lost(
    cluster: ChatCluster,
) -> None:
    here, _ = cluster.servers
    ada, bob = two_users(cluster)
    ada.types("/dm bob psst")
    cluster.deliver_all()
    cluster.stores[0].disconnected = True
    here.enters("cy")
    cluster.deliver_all()
    cluster.stores[0].disconnected = False
    here.enters("dan")
    cluster.advance(5)
    bob.sees(), ada.sees()
    bob.types("/reply what")
    cluster.deliver_all()
    assert ada.sees() == ["[bob -> you] what"]


def test_a_detached_session_on_another_server_receives_direct_messages(
    cluster: ChatCluster,
) -> None:
    ada, bob = two_users(cluster)
    bob.types("/resume")
    [answer] = bob.sees()
    token = next(word for word in answer.split() if "token" in word)
    assert bob.loses_connection() is not None
    cluster.deliver_all()
    ada.types("/dm bob psst")
    cluster.deliver_all()
    assert ada.sees() == ["[you -> bob] psst"]
    again = cluster.servers[1].enters(lobby=False)
    again.types(f"/resume {token}")
    assert "[ada -> you] psst" in again.sees()


def test_a_detached_account_on_another_server_gets_offline_messages(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob", fingerprint=BOB)
    bob.types("/register")
    cluster.deliver_all()
    detached = bob.loses_connection()
    assert detached is not None
    cluster.deliver_all()
    ada.sees()
    ada.types("/dm bob psst")
    cluster.deliver_all()
    assert ada.sees() == [
        "[you -> bob] psst",
        "-- bob is not here now, and will be shown it then.",
    ]
    there.chat.expire(detached, there.now)
    cluster.deliver_all()
    bob = here.enters("bob", fingerprint=BOB)
    assert "[ada -> you] psst" in bob.sees()


def test_an_ignored_remote_user_leaves_no_offline_messages(
    cluster: ChatCluster,
) -> None:
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob", fingerprint=BOB)
    bob.types("/register")
    cluster.deliver_all()
    bob.types("/ignore ada")
    bob.loses_connection()
    ada.types("/dm bob psst")
    cluster.deliver_all()
    bob = there.enters("bob", fingerprint=BOB)
    assert not any("psst" in line for line in bob.sees())


def test_an_account_on_another_server_is_reached_under_any_nick(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob", fingerprint=BOB)
    bob.types("/register"), bob.types("/nick rob")
    cluster.deliver_all()
    ada.sees(), bob.sees()
    ada.types("/dm bob psst")
    cluster.deliver_all()
    assert ada.sees() == ["[you -> rob] psst"]
    assert bob.sees() == ["[ada -> you] psst"]


def test_an_offline_message_left_while_its_addressee_enters_is_shown_at_once(
    cluster: ChatCluster,
) -> None:
    here, there = cluster.servers
    bob = there.enters("bob", fingerprint=BOB)
    bob.types("/register")
    bob.leaves()
    cluster.deliver_all()
    ada = here.enters("ada")
    bob = there.enters("bob", fingerprint=BOB)  # the other server does not know it yet
    assert not any("psst" in line for line in bob.sees())
    ada.types("/dm bob psst")
    assert "[ada -> you] psst" in bob.sees()
    cluster.deliver_all()
    assert not any("psst" in line for line in bob.sees())


def test_a_remote_client_that_does_not_read_is_reported_to_the_sender(cluster: ChatCluster) -> None:
    ada, bob = two_users(cluster)
    assert isinstance(bob.client, Client)
    bob.client.is_gone = True
    ada.types("/dm bob psst")
    cluster.deliver_all()
    assert ada.sees()[-1] == "-- bob is not reading now; try again later."
    for _ in range(OFFLINE_MESSAGES):
        ada.types("/dm bob psst")
    cluster.deliver_all()


def test_what_one_sender_leaves_is_counted_on_all_servers(cluster: ChatCluster) -> None:
    first, second = cluster.servers[:2]
    ada = first.enters("ada", fingerprint="SHA256:ada")
    ada.types("/register"), cluster.deliver_all(), ada.leaves(), cluster.deliver_all()
    shown = []
    for number, server in enumerate((first, second) * 3):
        guest = server.enters(f"g{number}", address="198.51.100.7")
        guest.types("/dm ada psst"), cluster.deliver_all()
        shown.append(guest.sees()[-1])
        guest.leaves(), cluster.deliver_all()
    assert shown[:4] == ["-- ada is not here now, and will be shown it then."] * 4
    assert all("of guests at your address wait for ada" in line for line in shown[4:])


def test_an_ignored_remote_user_stays_ignored_after_a_rename(
    cluster: ChatCluster,
) -> None:
    ada, bob = two_users(cluster)
    bob.types("/ignore ada")
    for nick in ("grace", "hedy", "ida"):
        ada.types(f"/nick {nick}")
        cluster.advance(5)
    cluster.advance(5)
    bob.sees()
    ada.types("hello")
    assert bob.sees() == []
    assert list(bob.session.person.ignored) == ["ida"]
    cluster.servers[0].enters("ada").types("good morning")
    assert bob.sees()[-1] == "ada: good morning"


def test_an_ignored_user_stays_ignored_after_entering_by_another_server(
    cluster: ChatCluster,
) -> None:
    ada, bob = two_users(cluster)
    bob.types("/ignore ada")
    ada.leaves()
    cluster.deliver_all()
    again = cluster.servers[1].enters("ada")
    bob.sees()
    again.types("hello")
    assert bob.sees() == []


def test_an_ignored_remote_guest_who_leaves_is_no_longer_ignored(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    guest, bob = here.enters(), there.enters("bob")
    cluster.deliver_all()
    bob.types(f"/ignore {guest.nick}")
    guest.leaves()
    cluster.deliver_all()
    assert not bob.session.person.ignored


def test_a_direct_message_to_an_unreachable_server_is_reported_as_not_delivered(
    cluster: ChatCluster,
) -> None:
    ada, bob = two_users(cluster)
    cluster.stores[1].disconnected = True
    ada.types("/dm bob psst")
    assert ada.sees() == ["-- The server of bob is gone; try again soon."]
    cluster.stores[1].disconnected, cluster.stores[0].disconnected = False, True
    ada.types("/dm bob psst")
    assert ada.sees() == ["-- The cluster does not answer now; try again in a moment."]
    cluster.stores[0].disconnected = False
    ada.types("/dm bob psst")
    assert ada.sees() == ["[you -> bob] psst"]
    assert bob.sees() == ["[ada -> you] psst"]


def test_a_direct_message_to_a_user_who_has_just_left_is_refused(cluster: ChatCluster) -> None:
    ada, bob = two_users(cluster)
    bob.leaves()
    ada.types("/dm bob psst")
    assert ada.sees() == ["-- bob left", "-- bob is gone."]
