"""Private messages, and who ignores whom, where the two are on two servers."""

from __future__ import annotations

import pytest

from chatd.chat.limits import OFFLINE_MESSAGES
from tests.support.cluster.chat_cluster import Town
from tests.support.people import Client, User

ADA, BOB = "SHA256:ada", "SHA256:bob"


@pytest.fixture
def town() -> Town:
    return Town()


def both(town: Town) -> tuple[User, User]:
    here, there = town.servers
    ada, bob = here.enters("ada"), there.enters("bob", address="198.51.100.20")
    town.settle()
    ada.sees(), bob.sees()
    return ada, bob


def test_who_is_away_elsewhere_is_said_to_be_at_once(town: Town) -> None:
    ada, bob = both(town)
    bob.types("/away lunch")
    town.settle()
    ada.types("/dm bob psst")
    assert ada.sees() == ["[you -> bob] psst", "-- bob is away: lunch"]
    bob.types("/back")
    town.settle()
    ada.types("/dm bob psst")
    assert ada.sees() == ["[you -> bob] psst"]


def test_an_answer_finds_who_has_another_nick_by_now_and_not_who_is_gone(town: Town) -> None:
    ada, bob = both(town)
    ada.types("/dm bob psst")
    town.settle()
    ada.types("/nick grace")
    town.settle()
    bob.sees(), ada.sees()
    bob.types("/reply what")
    town.settle()
    assert ada.sees() == ["[bob -> you] what"]
    ada.leaves()
    town.settle()
    bob.sees()
    bob.types("/reply what")
    assert bob.sees() == ["-- grace is gone."]


def test_an_answer_finds_who_wrote_although_something_was_not_heard(town: Town) -> None:
    here, _ = town.servers
    ada, bob = both(town)
    ada.types("/dm bob psst")
    town.settle()
    town.branches[0].cut_off = True
    here.enters("cy")
    town.settle()
    town.branches[0].cut_off = False
    here.enters("dan")
    town.beat(5)
    bob.sees(), ada.sees()
    bob.types("/reply what")
    town.settle()
    assert ada.sees() == ["[bob -> you] what"]


def test_who_is_cut_off_elsewhere_finds_what_was_said_to_them(town: Town) -> None:
    ada, bob = both(town)
    bob.types("/resume")
    [told] = bob.sees()
    token = next(word for word in told.split() if "token" in word)
    assert bob.loses_connection() is not None
    town.settle()
    ada.types("/dm bob psst")
    town.settle()
    assert ada.sees() == ["[you -> bob] psst"]
    again = town.servers[1].enters(lobby=False)
    again.types(f"/resume {token}")
    assert "[ada -> you] psst" in again.sees()


def test_the_owner_of_a_nick_who_is_cut_off_elsewhere_has_mail(town: Town) -> None:
    here, there = town.servers
    ada, bob = here.enters("ada"), there.enters("bob", fingerprint=BOB)
    bob.types("/register")
    town.settle()
    place = bob.loses_connection()
    assert place is not None
    town.settle()
    ada.sees()
    ada.types("/dm bob psst")
    town.settle()
    assert ada.sees() == [
        "[you -> bob] psst",
        "-- bob is not here now, and will be shown it then.",
    ]
    there.chat.expire(place, there.now)
    town.settle()
    bob = here.enters("bob", fingerprint=BOB)
    assert "[ada -> you] psst" in bob.sees()


def test_who_ignores_one_from_elsewhere_gets_no_mail_of_theirs_when_cut_off(town: Town) -> None:
    here, there = town.servers
    ada, bob = here.enters("ada"), there.enters("bob", fingerprint=BOB)
    bob.types("/register")
    town.settle()
    bob.types("/ignore ada")
    bob.loses_connection()
    ada.types("/dm bob psst")
    town.settle()
    bob = there.enters("bob", fingerprint=BOB)
    assert not any("psst" in line for line in bob.sees())


def test_an_account_is_reached_elsewhere_under_whichever_nick(town: Town) -> None:
    here, there = town.servers
    ada, bob = here.enters("ada"), there.enters("bob", fingerprint=BOB)
    bob.types("/register"), bob.types("/nick rob")
    town.settle()
    ada.sees(), bob.sees()
    ada.types("/dm bob psst")
    town.settle()
    assert ada.sees() == ["[you -> rob] psst"]
    assert bob.sees() == ["[ada -> you] psst"]


def test_mail_that_was_left_while_its_owner_came_is_shown_at_once(town: Town) -> None:
    here, there = town.servers
    bob = there.enters("bob", fingerprint=BOB)
    bob.types("/register")
    bob.leaves()
    town.settle()
    ada = here.enters("ada")
    bob = there.enters("bob", fingerprint=BOB)  # of whom the other server has not heard yet
    assert not any("psst" in line for line in bob.sees())
    ada.types("/dm bob psst")
    assert "[ada -> you] psst" in bob.sees()
    town.settle()
    assert not any("psst" in line for line in bob.sees())


def test_who_reads_nothing_elsewhere_is_said_not_to(town: Town) -> None:
    ada, bob = both(town)
    assert isinstance(bob.client, Client)
    bob.client.is_gone = True
    ada.types("/dm bob psst")
    town.settle()
    assert ada.sees()[-1] == "-- bob is not reading now; try again later."
    for _ in range(OFFLINE_MESSAGES):
        ada.types("/dm bob psst")
    town.settle()


def test_who_is_ignored_remains_so_under_another_nick_and_nobody_else_is(town: Town) -> None:
    ada, bob = both(town)
    bob.types("/ignore ada")
    for nick in ("grace", "hedy", "ida"):
        ada.types(f"/nick {nick}")
        town.beat(5)
    town.beat(5)
    bob.sees()
    ada.types("hello")
    assert bob.sees() == []
    assert list(bob.session.person.ignored) == ["ida"]
    town.servers[0].enters("ada").types("good morning")
    assert bob.sees()[-1] == "ada: good morning"


def test_who_is_ignored_comes_back_to_another_server_and_is_ignored(town: Town) -> None:
    ada, bob = both(town)
    bob.types("/ignore ada")
    ada.leaves()
    town.settle()
    again = town.servers[1].enters("ada")
    bob.sees()
    again.types("hello")
    assert bob.sees() == []


def test_a_guest_from_elsewhere_takes_being_ignored_along(town: Town) -> None:
    here, there = town.servers
    guest, bob = here.enters(), there.enters("bob")
    town.settle()
    bob.types(f"/ignore {guest.nick}")
    guest.leaves()
    town.settle()
    assert not bob.session.person.ignored


def test_what_a_server_does_not_answer_is_said_not_to_be_delivered(town: Town) -> None:
    ada, bob = both(town)
    town.branches[1].cut_off = True
    ada.types("/dm bob psst")
    assert ada.sees() == ["-- The server of bob is gone; try again soon."]
    town.branches[1].cut_off, town.branches[0].cut_off = False, True
    ada.types("/dm bob psst")
    assert ada.sees() == ["-- The cluster does not answer now; try again in a moment."]
    town.branches[0].cut_off = False
    ada.types("/dm bob psst")
    assert ada.sees() == ["[you -> bob] psst"]
    assert bob.sees() == ["[ada -> you] psst"]


def test_who_has_just_gone_is_said_to_be_gone(town: Town) -> None:
    ada, bob = both(town)
    bob.leaves()
    ada.types("/dm bob psst")
    assert ada.sees() == ["-- bob left", "-- bob is gone."]
