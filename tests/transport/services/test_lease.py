"""A server of a cluster that nobody hears lets go of its people, and is itself again later."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from chatd.chat.delivery.unacknowledged import REACHABLE_NOTICE
from chatd.chat.delivery.unacknowledged import UNREACHABLE_NOTICE as AWAY_NOW
from chatd.chat.events import Refused
from chatd.transport.gate.admission import Admission
from chatd.transport.services.lease import (
    AWAY,
    BLIP_SECONDS,
    ELECTION_SECONDS,
    FENCE_SECONDS,
    LOOK_SECONDS,
    LOST,
    RENEW_SECONDS,
    REPORT_SECONDS,
    UNANSWERED_SECONDS,
    Lease,
)
from tests.conftest import LoggedFailures
from tests.support.cluster.servers import Town
from tests.support.people import Client, User, result_of


class Far:
    """A cluster that answers or does not."""

    def __init__(self) -> None:
        self.answering = True
        self.is_up = True
        self.answers = 0
        self.asked = 0
        self.why = ""

    def renew(self, renewed: Callable[[], None]) -> None:
        self.asked += 1
        if self.answering and self.is_up:
            self.answers += 1
            renewed()

    def declined(self) -> str:
        return self.why


class Leased:
    """A server of two, with a lease."""

    def __init__(self) -> None:
        self.town = Town()
        self.server = self.town.servers[0]
        self.clock = Clock()
        self.far = Far()
        self.admission = Admission(10, None)
        self.lease = Lease(
            self.server.chat,
            self.server.cluster,
            self.far,
            self.clock,
            lambda: self.server.now,
            self.admission,
        )
        self.lease.startService()

    def passes(self, seconds: float) -> None:
        for _ in range(int(seconds / LOOK_SECONDS)):
            self.server.now += LOOK_SECONDS
            self.clock.advance(LOOK_SECONDS)
            other = self.town.servers[1]
            other.now += LOOK_SECONDS
            other.cluster.heartbeat(other.now)
            self.town.settle()


def closed(someone: User) -> bool:
    assert isinstance(someone.client, Client)
    return someone.client.closed


def test_the_lease_is_renewed_every_five_seconds() -> None:
    leased = Leased()
    leased.passes(60)
    assert leased.far.asked == 13
    ada = leased.server.enters("ada")
    ada.types("/status")
    assert ada.sees() == [
        "-- Status:",
        "   this is chat0, open for 0 s",
        "   1 person in all, 1 of them on this server",
        "   1 room",
        "   1 other server",
        "   chat1: 0 people, heard 0 s ago",
        "   the cluster answered 0 s ago",
    ]


def test_who_is_here_is_let_go_of_before_others_may_have_their_nick() -> None:
    leased = Leased()
    ada = leased.server.enters("ada")
    bob = leased.town.servers[1].enters("bob")
    leased.town.settle()
    bob.sees()
    leased.far.answering = False
    leased.passes(FENCE_SECONDS)
    assert not closed(ada)
    assert f"-- {AWAY_NOW}" in ada.sees()
    ada.sees()
    leased.passes(LOOK_SECONDS)
    assert closed(ada)
    assert ada.sees() == [f"-- {LOST}"]
    assert leased.admission.enter("192.0.2.1", 0.0) == AWAY
    assert bob.sees() == ["-- ada left"]
    assert leased.server.chat.people.get("ada") is None


def test_people_are_told_once_that_the_cluster_does_not_answer_and_once_that_it_does() -> None:
    leased = Leased()
    leased.passes(1)
    ada = leased.server.enters("ada")
    ada.sees()
    leased.far.answering = False
    leased.passes(4)
    assert ada.sees() == []  # nothing was asked that it has not answered
    leased.passes(1)
    leased.server.chat.unacknowledged.count = 1  # as if somebody's line waited
    leased.passes(UNANSWERED_SECONDS)
    assert ada.sees() == [f"-- {AWAY_NOW}"]
    leased.passes(5)
    assert ada.sees() == []
    leased.far.answering = True
    leased.passes(2)  # it is asked every second now
    assert ada.sees() == [f"-- {REACHABLE_NOTICE}"]
    leased.passes(60)
    assert ada.sees() == []


def test_who_comes_or_wants_another_nick_meanwhile_is_told_at_once() -> None:
    leased = Leased()
    ada = leased.server.enters("ada")
    leased.far.is_up = False
    leased.passes(BLIP_SECONDS + LOOK_SECONDS)
    ada.sees()
    ada.types("/nick zoe")
    assert ada.sees() == ["-- The cluster does not answer now; try again in a moment."]
    with pytest.raises(Refused, match="does not answer now"):
        leased.server.enters("bob")


def test_status_says_that_the_cluster_does_not_answer_and_what_waits() -> None:
    leased = Leased()
    ada = leased.server.enters("ada")
    leased.passes(1)
    leased.far.is_up = False
    leased.passes(BLIP_SECONDS + LOOK_SECONDS)
    leased.town.branches[0].replicas = (3, 2)
    ada.sees()
    ada.types("/status")
    assert ada.sees()[-2:] == [
        "   the cluster does not answer; it did 4 s ago",
        "   what is said is kept on 3 machines, 2 of them out of reach",
    ]


def test_while_nothing_waits_people_are_told_when_no_election_takes_so_long() -> None:
    leased = Leased()
    leased.passes(1)
    ada = leased.server.enters("ada")
    leased.far.answering = False
    ada.sees()
    leased.passes(3 + ELECTION_SECONDS)
    assert ada.sees() == []
    leased.passes(1)
    assert ada.sees() == [f"-- {AWAY_NOW}"]


def test_people_are_told_soon_when_the_connection_is_lost_but_not_of_a_blip() -> None:
    leased = Leased()
    ada = leased.server.enters("ada")
    ada.sees()
    leased.far.is_up = False
    leased.passes(BLIP_SECONDS)
    leased.far.is_up = True
    leased.passes(20)
    assert ada.sees() == []
    leased.far.is_up = False
    leased.passes(BLIP_SECONDS + LOOK_SECONDS)
    assert ada.sees() == [f"-- {AWAY_NOW}"]
    leased.far.is_up, leased.far.answering = True, False
    leased.passes(5)
    assert ada.sees() == []  # a connection alone keeps nothing
    leased.far.answering = True
    leased.passes(2)
    assert ada.sees() == [f"-- {REACHABLE_NOTICE}"]


def test_a_process_that_stood_still_for_a_while_says_nothing_of_the_cluster() -> None:
    leased = Leased()
    ada = leased.server.enters("ada")
    ada.sees()
    leased.far.is_up = False
    leased.passes(LOOK_SECONDS)
    leased.clock.advance(10)
    leased.far.is_up = True
    leased.passes(5)
    assert ada.sees() == []


def test_a_cluster_that_keeps_what_is_said_answers_though_it_does_not_renew_the_lease() -> None:
    leased = Leased()
    ada = leased.server.enters("ada")
    ada.sees()
    leased.far.answering = False
    for _ in range(15):
        leased.far.answers += 1
        leased.passes(1)
    assert ada.sees() == []


def test_it_takes_people_again_when_it_is_heard_again() -> None:
    leased = Leased()
    leased.far.answering = False
    leased.passes(60)
    leased.far.answering = True
    leased.passes(RENEW_SECONDS)
    assert leased.admission.enter("192.0.2.1", 0.0) is None


def test_a_process_that_stood_still_has_nobody_when_it_goes_on() -> None:
    leased = Leased()
    ada = leased.server.enters("ada")
    ada.sees()
    leased.clock.advance(100)
    assert closed(ada)
    assert leased.admission.closed == ""  # the cluster answers


def test_a_place_is_not_kept_by_a_server_that_nobody_hears() -> None:
    leased = Leased()
    ada = leased.server.enters("ada")
    leased.server.chat.detached.new_token(ada.session.person)
    assert ada.loses_connection() is not None
    leased.far.answering = False
    leased.passes(60)
    assert leased.server.chat.people.everyone() == []


def test_being_out_of_touch_is_logged_as_no_failure(logged_failures: LoggedFailures) -> None:
    leased = Leased()
    leased.far.answering = False
    leased.passes(60)
    assert logged_failures.flush() == []


def said_in(leased: Leased, room: str) -> list[str]:
    """What is kept of a room."""
    kept = result_of(leased.town.store.before(room, None, 9))
    assert isinstance(kept, list)
    return [event.text for _, event in kept]


def test_a_server_that_hears_nobody_forgets_no_room_that_others_are_in() -> None:
    leased = Leased()
    ada, bob = leased.server.enters("ada"), leased.town.servers[1].enters("bob")
    for one in (bob, ada):
        one.types("/join attic")
        leased.town.settle()
    bob.types("hello")
    leased.far.answering = False
    leased.town.cut(leased.server)
    leased.passes(60)
    assert closed(ada)
    assert said_in(leased, "attic") == ["hello"]
    leased.far.answering = True
    leased.town.mend(leased.server)
    leased.passes(60)
    assert said_in(leased, "attic") == ["hello"]


def test_a_server_that_hears_nobody_forgets_no_room_that_others_came_into() -> None:
    leased = Leased()
    ada, bob = leased.server.enters("ada"), leased.town.servers[1].enters("bob")
    ada.types("/join attic")
    leased.town.settle()
    leased.far.answering = False
    leased.town.cut(leased.server)
    bob.types("/join attic")
    bob.types("hello")
    leased.passes(60)
    assert said_in(leased, "attic") == ["hello"]


def test_a_server_that_died_meanwhile_counts_as_gone_when_one_hears_again() -> None:
    leased = Leased()
    leased.town.servers[1].enters("bob")
    leased.town.settle()
    leased.far.answering = False
    leased.passes(60)
    leased.town.cut(leased.town.servers[1])
    leased.far.answering = True
    leased.passes(20)
    assert leased.server.chat.people.get("bob") is not None
    leased.passes(20)
    assert leased.server.chat.people.get("bob") is None


def test_a_server_that_stood_still_forgets_no_room_that_others_came_into() -> None:
    leased = Leased()
    ada, bob = leased.server.enters("ada"), leased.town.servers[1].enters("bob")
    ada.types("/join attic")
    leased.town.settle()
    leased.town.cut(leased.server)
    bob.types("/join attic")
    bob.types("hello")
    leased.server.now += 100
    leased.clock.advance(100)
    assert closed(ada)
    leased.town.mend(leased.server)
    assert said_in(leased, "attic") == ["hello"]


def test_why_the_cluster_takes_nothing_is_logged_once_a_minute() -> None:
    leased = Leased()
    with capturedLogs() as logged:
        leased.passes(REPORT_SECONDS)
        assert logged == []
        leased.far.why = "no space left"
        leased.passes(REPORT_SECONDS)
        assert [event.get("why") for event in logged] == ["no space left"]
        leased.passes(2 * LOOK_SECONDS)
        assert len(logged) == 2
