"""Lease: an isolated server disconnects its users, and works again later."""

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
    CHECK_SECONDS,
    ELECTION_SECONDS,
    FENCE_SECONDS,
    LOST,
    RENEW_SECONDS,
    REPORT_SECONDS,
    UNANSWERED_SECONDS,
    Lease,
)
from tests.conftest import LoggedFailures
from tests.support.cluster.chat_cluster import ChatCluster
from tests.support.people import Client, User, result_of


class LeaseStore:
    """The store that keeps the lease; it can stop answering."""

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
    """A server with a lease, in a cluster of two."""

    def __init__(self) -> None:
        self.cluster = ChatCluster()
        self.server = self.cluster.servers[0]
        self.clock = Clock()
        self.suspended = 0.0
        self.lease_store = LeaseStore()
        self.admission = Admission(10, None)
        self.lease = Lease(
            self.server.chat,
            self.server.cluster,
            self.lease_store,
            self.clock,
            lambda: self.server.now,
            lambda: self.clock.seconds() + self.suspended,
            self.admission,
        )
        self.lease.startService()

    def advance(self, seconds: float) -> None:
        """Advance the clocks of both servers in steps of a check."""
        for _ in range(int(seconds / CHECK_SECONDS)):
            self.server.now += CHECK_SECONDS
            self.clock.advance(CHECK_SECONDS)
            other = self.cluster.servers[1]
            other.now += CHECK_SECONDS
            other.elapsed += CHECK_SECONDS
            other.cluster.heartbeat(other.now, other.elapsed)
            self.cluster.deliver_all()


def closed(someone: User) -> bool:
    assert isinstance(someone.client, Client)
    return someone.client.closed


def test_the_lease_is_renewed_every_five_seconds() -> None:
    leased = Leased()
    leased.advance(60)
    assert leased.lease_store.asked == 13
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


def test_users_are_disconnected_before_others_may_have_their_nick() -> None:
    leased = Leased()
    ada = leased.server.enters("ada")
    bob = leased.cluster.servers[1].enters("bob")
    leased.cluster.deliver_all()
    bob.sees()
    leased.lease_store.answering = False
    leased.advance(FENCE_SECONDS)
    assert not closed(ada)
    assert f"-- {AWAY_NOW}" in ada.sees()
    ada.sees()
    leased.advance(CHECK_SECONDS)
    assert closed(ada)
    assert ada.sees() == [f"-- {LOST}"]
    with pytest.raises(Refused, match=AWAY):
        leased.admission.enter("192.0.2.1", 0.0)
    assert bob.sees() == ["-- ada left"]
    assert leased.server.chat.people.get("ada") is None


def test_users_are_told_once_that_the_cluster_does_not_answer_and_once_that_it_does() -> None:
    leased = Leased()
    leased.advance(1)
    ada = leased.server.enters("ada")
    ada.sees()
    leased.lease_store.answering = False
    leased.advance(4)
    assert ada.sees() == []  # nothing was asked that it has not answered
    leased.advance(1)
    leased.server.chat.unacknowledged.count = 1  # as if somebody's line waited
    leased.advance(UNANSWERED_SECONDS)
    assert ada.sees() == [f"-- {AWAY_NOW}"]
    leased.advance(5)
    assert ada.sees() == []
    leased.lease_store.answering = True
    leased.advance(2)  # it is asked every second now
    assert ada.sees() == [f"-- {REACHABLE_NOTICE}"]
    leased.advance(60)
    assert ada.sees() == []


def test_new_users_and_renames_are_refused_meanwhile_at_once() -> None:
    leased = Leased()
    ada = leased.server.enters("ada")
    leased.lease_store.is_up = False
    leased.advance(BLIP_SECONDS + CHECK_SECONDS)
    ada.sees()
    ada.types("/nick zoe")
    assert ada.sees() == ["-- The cluster does not answer now; try again in a moment."]
    with pytest.raises(Refused, match="does not answer now"):
        leased.server.enters("bob")


def test_status_says_that_the_cluster_does_not_answer_and_what_is_pending() -> None:
    leased = Leased()
    ada = leased.server.enters("ada")
    leased.advance(1)
    leased.lease_store.is_up = False
    leased.advance(BLIP_SECONDS + CHECK_SECONDS)
    leased.cluster.stores[0].replicas = (3, 2)
    ada.sees()
    ada.types("/status")
    assert ada.sees()[-2:] == [
        "   the cluster does not answer; it did 4 s ago",
        "   what is said is kept on 3 machines, 2 of them out of reach",
    ]


def test_without_pending_lines_users_are_told_after_the_time_of_an_election() -> None:
    leased = Leased()
    leased.advance(1)
    ada = leased.server.enters("ada")
    leased.lease_store.answering = False
    ada.sees()
    leased.advance(3 + ELECTION_SECONDS)
    assert ada.sees() == []
    leased.advance(1)
    assert ada.sees() == [f"-- {AWAY_NOW}"]


def test_users_are_told_soon_of_a_lost_connection_but_not_of_a_blip() -> None:
    leased = Leased()
    ada = leased.server.enters("ada")
    ada.sees()
    leased.lease_store.is_up = False
    leased.advance(BLIP_SECONDS)
    leased.lease_store.is_up = True
    leased.advance(20)
    assert ada.sees() == []
    leased.lease_store.is_up = False
    leased.advance(BLIP_SECONDS + CHECK_SECONDS)
    assert ada.sees() == [f"-- {AWAY_NOW}"]
    leased.lease_store.is_up, leased.lease_store.answering = True, False
    leased.advance(5)
    assert ada.sees() == []  # a connection alone keeps nothing
    leased.lease_store.answering = True
    leased.advance(2)
    assert ada.sees() == [f"-- {REACHABLE_NOTICE}"]


def test_a_process_that_stood_still_for_a_while_does_not_blame_the_cluster() -> None:
    leased = Leased()
    ada = leased.server.enters("ada")
    ada.sees()
    leased.lease_store.is_up = False
    leased.advance(CHECK_SECONDS)
    leased.clock.advance(10)
    leased.lease_store.is_up = True
    leased.advance(5)
    assert ada.sees() == []


def test_a_cluster_that_stores_messages_answers_although_it_does_not_renew_the_lease() -> None:
    leased = Leased()
    ada = leased.server.enters("ada")
    ada.sees()
    leased.lease_store.answering = False
    for _ in range(15):
        leased.lease_store.answers += 1
        leased.advance(1)
    assert ada.sees() == []


def test_users_are_let_in_again_once_the_lease_is_renewed() -> None:
    leased = Leased()
    leased.lease_store.answering = False
    leased.advance(60)
    leased.lease_store.answering = True
    leased.advance(RENEW_SECONDS)
    assert leased.admission.enter("192.0.2.1", 0.0) is None


def test_a_process_that_stood_still_too_long_disconnects_all_users() -> None:
    leased = Leased()
    ada = leased.server.enters("ada")
    ada.sees()
    leased.clock.advance(100)
    assert closed(ada)
    assert not leased.admission.is_closed  # the cluster answers


def test_a_machine_that_was_suspended_too_long_disconnects_all_users() -> None:
    leased = Leased()
    ada = leased.server.enters("ada")
    ada.sees()
    leased.suspended += FENCE_SECONDS  # the reactor's clock stands still meanwhile
    leased.advance(CHECK_SECONDS)
    assert closed(ada)
    assert not leased.admission.is_closed  # the cluster answers


@pytest.mark.parametrize("days", [-400, -1 / 24, 1 / 24, 400])
def test_a_time_of_day_that_is_set_disconnects_nobody_and_hides_no_silence(days: float) -> None:
    leased = Leased()
    ada = leased.server.enters("ada")
    leased.cluster.servers[1].enters("bob")
    leased.cluster.deliver_all()
    leased.advance(5)
    ada.sees()
    leased.server.now += days * 86400
    leased.advance(60)
    assert not closed(ada)
    assert ada.sees() == []
    ada.types("/status")
    assert "   chat1: 1 person, heard 0 s ago" in ada.sees()
    leased.lease_store.answering = False
    leased.advance(FENCE_SECONDS + RENEW_SECONDS + CHECK_SECONDS)
    assert closed(ada)


def test_a_server_that_is_cut_off_blames_no_other_although_its_clock_was_set_back() -> None:
    leased = Leased()
    leased.cluster.servers[1].enters("bob")
    leased.cluster.deliver_all()
    leased.advance(5)
    leased.server.now -= 3600
    leased.lease_store.answering = False
    leased.advance(60)
    leased.cluster.disconnect(leased.cluster.servers[1])
    leased.advance(60)
    assert leased.server.chat.people.get("bob") is not None


def test_detached_sessions_expire_on_a_fenced_server() -> None:
    leased = Leased()
    ada = leased.server.enters("ada")
    leased.server.chat.detached.new_token(ada.session.person)
    assert ada.loses_connection() is not None
    leased.lease_store.answering = False
    leased.advance(60)
    assert leased.server.chat.people.everyone() == []


def test_being_out_of_touch_is_not_logged_as_a_failure(logged_failures: LoggedFailures) -> None:
    leased = Leased()
    leased.lease_store.answering = False
    leased.advance(60)
    assert logged_failures.flush() == []


def said_in(leased: Leased, room: str) -> list[str]:
    """What is kept of a room."""
    kept = result_of(leased.cluster.store.before(room, None, 9))
    assert isinstance(kept, list)
    return [event.text for _, event in kept]


def test_an_isolated_server_keeps_rooms_that_others_are_in() -> None:
    leased = Leased()
    ada, bob = leased.server.enters("ada"), leased.cluster.servers[1].enters("bob")
    for one in (bob, ada):
        one.types("/join attic")
        leased.cluster.deliver_all()
    bob.types("hello")
    leased.lease_store.answering = False
    leased.cluster.disconnect(leased.server)
    leased.advance(60)
    assert closed(ada)
    assert said_in(leased, "attic") == ["hello"]
    leased.lease_store.answering = True
    leased.cluster.reconnect(leased.server)
    leased.advance(60)
    assert said_in(leased, "attic") == ["hello"]


def test_an_isolated_server_keeps_rooms_that_others_have_joined_since() -> None:
    leased = Leased()
    ada, bob = leased.server.enters("ada"), leased.cluster.servers[1].enters("bob")
    ada.types("/join attic")
    leased.cluster.deliver_all()
    leased.lease_store.answering = False
    leased.cluster.disconnect(leased.server)
    bob.types("/join attic")
    bob.types("hello")
    leased.advance(60)
    assert said_in(leased, "attic") == ["hello"]


def test_a_server_that_died_meanwhile_counts_as_gone_on_reconnection() -> None:
    leased = Leased()
    leased.cluster.servers[1].enters("bob")
    leased.cluster.deliver_all()
    leased.lease_store.answering = False
    leased.advance(60)
    leased.cluster.disconnect(leased.cluster.servers[1])
    leased.lease_store.answering = True
    leased.advance(20)
    assert leased.server.chat.people.get("bob") is not None
    leased.advance(20)
    assert leased.server.chat.people.get("bob") is None


def test_a_server_that_stood_still_keeps_rooms_that_others_have_joined_since() -> None:
    leased = Leased()
    ada, bob = leased.server.enters("ada"), leased.cluster.servers[1].enters("bob")
    ada.types("/join attic")
    leased.cluster.deliver_all()
    leased.cluster.disconnect(leased.server)
    bob.types("/join attic")
    bob.types("hello")
    leased.server.now += 100
    leased.clock.advance(100)
    assert closed(ada)
    leased.cluster.reconnect(leased.server)
    assert said_in(leased, "attic") == ["hello"]


def test_the_reason_of_a_refusing_cluster_is_logged_once_a_minute() -> None:
    leased = Leased()
    with capturedLogs() as logged:
        leased.advance(REPORT_SECONDS)
        assert logged == []
        leased.lease_store.why = "no space left"
        leased.advance(REPORT_SECONDS)
        assert [event.get("why") for event in logged] == ["no space left"]
        leased.advance(2 * CHECK_SECONDS)
        assert len(logged) == 2
