"""Notices, unread counts, /whois and the audit log, across servers."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from chatd.chat.limits import AUDIT_ENTRIES
from chatd.chat.model.preferences import Preferences
from chatd.chat.records import audit
from chatd.terminal.preferred import style_for
from chatd.terminal.style import TextStyle
from tests.support.cluster.chat_cluster import ChatCluster
from tests.support.people import Client, User, result_of


@pytest.fixture
def cluster() -> ChatCluster:
    return ChatCluster()


def two_in_attic(cluster: ChatCluster) -> tuple[User, User]:
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob", client=Client(echoes_input=False))
    cluster.deliver_all()
    cluster.join("attic", ada, bob)
    ada.sees(), bob.sees()
    return ada, bob


def test_unread_messages_are_counted_although_numbers_have_gaps(cluster: ChatCluster) -> None:
    ada, bob = two_in_attic(cluster)
    bob.types("/focus lobby")
    ada.types("one"), ada.types("two for bob")
    cluster.deliver_all()
    assert bob.session.unread_counts() == [("attic", 2, True)]
    assert bob.session.unread_summary() == "(attic 2!)"
    bob.types("/bc three")
    assert bob.session.unread_counts() == [("attic", 3, True)]


def test_an_own_message_in_another_room_is_not_unread(cluster: ChatCluster) -> None:
    ada, bob = two_in_attic(cluster)
    bob.types("/focus lobby")
    bob.types("/bc three")
    assert bob.session.unread_counts() == []
    ada.types("four")
    assert bob.session.unread_counts() == [("attic", 1, False)]


class Screen(Client):
    """A terminal, which shows a room again when it gets the focus."""

    def style(self, preferences: Preferences) -> TextStyle:
        return style_for(preferences, 0, 80, 24)


def test_a_room_that_gets_the_focus_shows_how_many_messages_came_before(
    cluster: ChatCluster,
) -> None:
    here, there = cluster.servers
    ada, bob = here.enters("ada"), there.enters("bob", client=Screen(echoes_input=False))
    cluster.deliver_all()
    cluster.join("attic", ada, bob)
    bob.types("/set replay 2"), bob.types("/focus lobby")
    for word in ("one", "two", "three", "four", "five"):
        ada.types(word)
    bob.sees()
    bob.types("/focus attic")
    shown = bob.sees()
    assert shown[1] == "--- attic, 2 new, after 3 more that /history has ---"
    assert [line.rpartition(" ")[2] for line in shown[3:]] == ["four", "five"]


def test_the_idle_time_of_a_remote_user_is_requested_from_their_server(
    cluster: ChatCluster,
) -> None:
    ada, bob = two_in_attic(cluster)
    cluster.advance(120)
    cy = cluster.servers[0].enters("cy")
    cy.types("/dm ada hello")  # no message to another server
    ada.types("/dm cy yes")
    cluster.advance(60)
    bob.sees()
    bob.types("/whois ada")
    assert bob.sees() == [
        "-- ada:",
        "   guest",
        "   no key",
        "   rooms shared with you: lobby, attic",
        "   here for 3 minutes, idle for 1 minute",
    ]
    cluster.stores[0].disconnected = True
    bob.types("/whois ada")
    assert bob.sees()[-1].startswith("   here for 3 minutes")


def test_operators_see_the_address_of_a_remote_user(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    op = here.enters("op", operator=True)
    there.enters("bob", address="198.51.100.20")
    cluster.deliver_all()
    op.types("/whois bob")
    assert op.sees()[-1] == "   address 198.51.100.20"


def test_a_detached_user_on_another_server_is_shown_as_cut_off(cluster: ChatCluster) -> None:
    ada, bob = two_in_attic(cluster)
    bob.types("/resume")
    bob.loses_connection()
    cluster.deliver_all()
    ada.types("/users")
    assert ada.sees()[-1] == "   bob (cut off)"
    ada.types("/whois bob")
    assert ada.sees()[-1] == "   cut off, and may come back"


def test_simultaneous_acts_on_two_servers_are_both_in_the_audit_log(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    op, eve = here.enters("op", operator=True), there.enters("eve", operator=True)
    op.types("/server say one"), eve.types("/server say two")
    dan = cluster.add_server().enters("dan", operator=True)
    for server in cluster.servers:
        assert sorted(entry.reason for entry in server.chat.audit.last(9)) == ["one", "two"]
    dan.types("/server say three")
    assert [entry.reason for entry in here.chat.audit.last(1)] == ["three"]


def test_the_audit_log_is_bounded_on_every_server(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    here.enters("ada"), there.enters("bob")
    op = here.enters("op", operator=True).session.person
    for count in range(AUDIT_ENTRIES + 1):
        here.chat.audit.add(count, op, "server say", reason=str(count))
    for server in cluster.servers:
        assert len(server.chat.audit.last(AUDIT_ENTRIES + 9)) == AUDIT_ENTRIES
        assert server.chat.audit.last(AUDIT_ENTRIES)[0].reason == "1"
    records = result_of(cluster.store.records(audit.KIND))
    assert isinstance(records, dict)
    assert len(records) == AUDIT_ENTRIES


def test_unknown_fields_and_calls_of_a_newer_server_are_ignored(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    ada, bob = two_in_attic(cluster)
    bob.types("/away lunch")
    there.end_turn()
    [(_, _, text)] = cluster.messages
    cluster.messages.clear()
    change = json.loads(text)
    [bob_state] = change["people"]
    extended = {
        "n": change["n"],
        "weather": "fine",
        "people": [{**bob_state, "mood": "good", "away": "out"}],
        "rooms": [
            {
                "key": "attic",
                "name": "attic",
                "id": "attic",
                "settings": {"colour": "red", "slow": 5},
                "keepers": {"bob": "archduke"},
                "doors": {"front": "open"},
            }
        ],
    }
    cluster.stores[0].receive("s1", json.dumps(extended))
    assert here.chat.rooms["attic"].settings.slow == 5
    bob_here = here.chat.people.get("bob")
    assert bob_here is not None
    assert bob_here.away == "out"
    calls: tuple[dict[str, object], ...] = (
        {"errand": "juggle", "to": 1, "by": 1, "with": [3]},
        {"errand": "juggle", "to": None, "by": 1, "with": []},
        {"errand": "invite", "to": 1, "by": 1, "with": [1.0, "attic", "please"]},
        {"errand": "invite", "to": 99, "by": 1, "with": [1.0, "attic"]},
        {"errand": "invite", "to": 1, "by": 99, "with": [1.0, "attic"]},
        {"errand": "kick", "to": 1, "by": 1, "with": ["cellar", "", 1.0, None, "rope"]},
        {"sings": True},
    )
    for call in calls:
        cluster.stores[0].receive("s1", json.dumps(call))
    assert ada.sees() == ["-- bob invites you into attic; /join attic takes you there."]


def test_the_owner_of_a_nick_is_notified_of_a_claim_on_another_server(
    cluster: ChatCluster,
) -> None:
    here, there = cluster.servers
    ada = here.enters("ada", fingerprint="SHA256:ada")
    ada.types("/register")
    cluster.deliver_all()
    ada.sees()
    there.enters("ada", lobby=False)
    cluster.deliver_all()
    assert ada.sees() == ["-- Somebody with no key asked for your nick, and is ada2 now."]


def test_a_new_account_is_known_on_other_servers_at_once(cluster: ChatCluster) -> None:
    ada, bob = two_in_attic(cluster)
    ada.types("/register a long password")
    cluster.deliver_all()
    bob.sees()
    bob.types("/whois ada")
    assert bob.sees()[1] == "   owner of the nick ada"


def test_stats_count_all_people_and_the_connections_of_this_server(
    cluster: ChatCluster,
) -> None:
    here, _ = cluster.servers
    two_in_attic(cluster)
    op = here.enters("op", operator=True)
    op.types("/server stats")
    assert op.sees()[1:3] == [
        "   people 3, 0 of them with an account",
        "   connections 2 on this server",
    ]


def test_unannounced_changes_of_people_are_sent_a_few_at_a_time(
    cluster: ChatCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatd.cluster.replication.local.CHECKED_AT_ONCE", 2)
    here, there = cluster.servers
    people = [here.enters(nick) for nick in ("ada", "bob", "cy", "dan", "eve")]
    cluster.advance(5)
    for user in people:
        user.session.person.away = "out"
    known = [0]
    for _ in range(6):  # twice five people, two at a time
        cluster.advance(5)
        known.append(sum(each.away == "out" for each in there.chat.people.everyone()))
    assert all(after - before <= 2 for before, after in pairwise(known))
    assert known[-1] == len(people)


def test_a_user_in_no_room_is_known_and_gone_on_other_servers_at_once(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    ada = here.enters("ada", lobby=False)
    cluster.deliver_all()
    assert there.chat.people.get("ada") is not None
    ada.leaves()
    cluster.deliver_all()
    assert there.chat.people.get("ada") is None


def test_a_former_operator_is_none_on_other_servers(cluster: ChatCluster) -> None:
    here, there = cluster.servers
    op = here.enters("op", operator=True, fingerprint="SHA256:op")
    op.types("/register")
    screen = here.enters("op", fingerprint="SHA256:op")
    cluster.deliver_all()
    assert screen.session.person is op.session.person
    op.leaves()
    cluster.deliver_all()
    person = there.chat.people.get("op")
    assert person is not None
    assert not person.operator
