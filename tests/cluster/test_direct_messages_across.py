"""Private messages, and who ignores whom, where the two are on two servers."""

from __future__ import annotations

import pytest

from chatd.chat.limits import OFFLINE_MESSAGES
from tests.support.cluster.chat_cluster import ChatCluster
from tests.support.people import Client, User

ADA, BOB = "SHA256:ada", "SHA256:bob"


@pytest.fixture
def cluster() -> ChatCluster:
    return ChatCluster()


def both(cluster: ChatCluster) -> tuple[User, User]:
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob", address="198.51.100.20")
    cluster.deliver_all()
    ada.sees(), bob.sees()
    return ada, bob


def test_who_is_away_elsewhere_is_said_to_be_at_once(cluster: ChatCluster) -> None:
    ada, bob = both(cluster)
    bob.types("/away lunch")
    cluster.deliver_all()
    ada.types("/dm bob psst")
    assert ada.sees() == ["[you -> bob] psst", "-- bob is away: lunch"]
    bob.types("/back")
    cluster.deliver_all()
    ada.types("/dm bob psst")
    assert ada.sees() == ["[you -> bob] psst"]


def test_an_answer_finds_who_has_another_nick_by_now_and_not_who_is_gone(
    cluster: ChatCluster,
) -> None:
    ada, bob = both(cluster)
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


def test_an_answer_finds_who_wrote_although_something_was_not_heard(cluster: ChatCluster) -> None:
    here, _ = cluster.servers
    ada, bob = both(cluster)
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


def test_who_is_cut_off_elsewhere_finds_what_was_said_to_them(cluster: ChatCluster) -> None:
    ada, bob = both(cluster)
    bob.types("/resume")
    [told] = bob.sees()
    token = next(word for word in told.split() if "token" in word)
    assert bob.loses_connection() is not None
    cluster.deliver_all()
    ada.types("/dm bob psst")
    cluster.deliver_all()
    assert ada.sees() == ["[you -> bob] psst"]
    again = cluster.servers[1].enters(lobby=False)
    again.types(f"/resume {token}")
    assert "[ada -> you] psst" in again.sees()


def test_the_owner_of_a_nick_who_is_cut_off_elsewhere_has_mail(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob", fingerprint=BOB)
    bob.types("/register")
    cluster.deliver_all()
    place = bob.loses_connection()
    assert place is not None
    cluster.deliver_all()
    ada.sees()
    ada.types("/dm bob psst")
    cluster.deliver_all()
    assert ada.sees() == [
        "[you -> bob] psst",
        "-- bob is not here now, and will be shown it then.",
    ]
    there.chat.expire(place, there.now)
    cluster.deliver_all()
    bob = here.enters("bob", fingerprint=BOB)
    assert "[ada -> you] psst" in bob.sees()


def test_who_ignores_one_from_elsewhere_gets_no_mail_of_theirs_when_cut_off(
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


def test_an_account_is_reached_elsewhere_under_whichever_nick(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob", fingerprint=BOB)
    bob.types("/register"), bob.types("/nick rob")
    cluster.deliver_all()
    ada.sees(), bob.sees()
    ada.types("/dm bob psst")
    cluster.deliver_all()
    assert ada.sees() == ["[you -> rob] psst"]
    assert bob.sees() == ["[ada -> you] psst"]


def test_mail_that_was_left_while_its_owner_came_is_shown_at_once(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    bob = there.enters("bob", fingerprint=BOB)
    bob.types("/register")
    bob.leaves()
    cluster.deliver_all()
    ada = here.enters("ada")
    bob = there.enters("bob", fingerprint=BOB)  # of whom the other server has not heard yet
    assert not any("psst" in line for line in bob.sees())
    ada.types("/dm bob psst")
    assert "[ada -> you] psst" in bob.sees()
    cluster.deliver_all()
    assert not any("psst" in line for line in bob.sees())


def test_who_reads_nothing_elsewhere_is_said_not_to(cluster: ChatCluster) -> None:
    ada, bob = both(cluster)
    assert isinstance(bob.client, Client)
    bob.client.is_gone = True
    ada.types("/dm bob psst")
    cluster.deliver_all()
    assert ada.sees()[-1] == "-- bob is not reading now; try again later."
    for _ in range(OFFLINE_MESSAGES):
        ada.types("/dm bob psst")
    cluster.deliver_all()


def test_who_is_ignored_remains_so_under_another_nick_and_nobody_else_is(
    cluster: ChatCluster,
) -> None:
    ada, bob = both(cluster)
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


def test_who_is_ignored_comes_back_to_another_server_and_is_ignored(cluster: ChatCluster) -> None:
    ada, bob = both(cluster)
    bob.types("/ignore ada")
    ada.leaves()
    cluster.deliver_all()
    again = cluster.servers[1].enters("ada")
    bob.sees()
    again.types("hello")
    assert bob.sees() == []


def test_a_guest_from_elsewhere_takes_being_ignored_along(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    guest, bob = here.enters(), there.enters("bob")
    cluster.deliver_all()
    bob.types(f"/ignore {guest.nick}")
    guest.leaves()
    cluster.deliver_all()
    assert not bob.session.person.ignored


def test_what_a_server_does_not_answer_is_said_not_to_be_delivered(cluster: ChatCluster) -> None:
    ada, bob = both(cluster)
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


def test_who_has_just_gone_is_said_to_be_gone(cluster: ChatCluster) -> None:
    ada, bob = both(cluster)
    bob.leaves()
    ada.types("/dm bob psst")
    assert ada.sees() == ["-- bob left", "-- bob is gone."]
