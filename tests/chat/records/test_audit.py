"""The audit log has what moderators and operators did, for those who may see it, persistently."""

from __future__ import annotations

import pytest

from chatd.chat.limits import AUDIT_ENTRIES, AUDIT_SHOWN, AUDIT_SHOWN_AT_MOST, REASON_LENGTH
from chatd.chat.records.audit import KIND, AuditLog
from chatd.chat.records.writing import Records
from chatd.store.memory import MemoryStore
from tests.support.people import Server, User, records, result_of

DAY = "1970-01-12 13:46"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def server(store: MemoryStore) -> Server:
    return Server(store)


def rows(user: User, line: str = "/audit") -> list[str]:
    user.sees()
    user.types(line)
    _, *rows = user.sees()
    return [row.strip().removeprefix(f"{DAY} ") for row in rows]


def test_every_act_of_a_moderator_is_in_the_log(server: Server) -> None:
    ada = server.enters("ada", fingerprint="SHA256:ada")
    bob = server.enters("bob", address="198.51.100.7")
    ada.types("/register"), ada.types("/join attic"), ada.types("/nick grace")
    for line in (
        "/topic Old books",
        "/room private on",
        "/room key sesame",
        "/invite bob",
        "/mute bob 5m caps",
        "/unmute bob",
        "/op bob",
        "/deop bob",
        "/uninvite bob",
        "/kick bob too loud",
        "/ban bob 2h spam",
        "/unban bob",
        "/room slow 5",
        "/kick zoe",
    ):
        ada.types(line)
        if line == "/invite bob":
            bob.types("/join attic")
        if line == "/kick bob too loud":
            bob.types("/join attic sesame")
    assert rows(ada) == [
        "[attic] grace (ada): topic Old books",
        "[attic] grace (ada): room private on",
        "[attic] grace (ada): room key on",
        "[attic] grace (ada): invite bob",
        "[attic] grace (ada): mute bob for 5 minutes (caps)",
        "[attic] grace (ada): unmute bob",
        "[attic] grace (ada): op bob",
        "[attic] grace (ada): deop bob",
        "[attic] grace (ada): uninvite bob",
        "[attic] grace (ada): kick bob (too loud)",
        "[attic] grace (ada): ban bob for 2 hours (spam)",
        "[attic] grace (ada): unban bob",
        "[attic] grace (ada): room slow 5",
    ]
    op = server.enters("op", operator=True)
    assert "[attic] grace (ada): ban bob for 2 hours, nick:bob, 198.51.100.7 (spam)" in rows(op)
    assert rows(op, "/audit 1 attic") == ["[attic] grace (ada): room slow 5"]


def test_moderators_see_the_log_of_their_rooms_and_operators_all_of_it(server: Server) -> None:
    ada, bob, op = server.enters("ada"), server.enters("bob"), server.enters("op", operator=True)
    ada.types("/join attic"), ada.types("/room slow 1")
    bob.types("/join cellar"), bob.types("/room slow 2")
    op.types("/topic Welcome"), op.types("/server say hello")
    assert rows(ada) == ["[attic] ada: room slow 1"]
    assert rows(op) == [
        "[attic] ada: room slow 1",
        "[cellar] bob: room slow 2",
        "[lobby] op: topic Welcome",
        "op: server say (hello)",
    ]
    ada.types("/audit cellar"), ada.types("/audit lobby")
    assert ada.sees() == [
        "-- You are not in cellar; /join cellar takes you there.",
        "-- Only a moderator of lobby may do that.",
    ]
    bob.types("/join hall"), bob.sees(), bob.types("/audit")
    assert bob.sees() == ["-- Nobody has looked after hall yet."]


def test_a_new_room_of_the_same_name_has_a_log_of_its_own(server: Server) -> None:
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.types("/join attic"), ada.types("/room slow 1"), ada.types("/leave attic")
    bob.types("/join attic"), bob.sees(), bob.types("/audit")
    assert bob.sees() == ["-- Nobody has looked after attic yet."]


def test_the_log_survives_a_restart_and_continues(server: Server, store: MemoryStore) -> None:
    op = server.enters("op", operator=True)
    op.types("/topic one")
    for number, topic in enumerate(("two", "three"), 2):
        again = Server(store, incarnation=str(number))
        op = again.enters("op", operator=True)
        op.types(f"/topic {topic}")
        assert len(rows(op)) == number
    assert sorted(records(store, KIND)) == ["000000000001", "000000000002", "000000000003"]


def test_the_number_of_entries_shown_has_a_default_and_a_bound(server: Server) -> None:
    op = server.enters("op", operator=True)
    for number in range(AUDIT_SHOWN_AT_MOST + 1):
        op.types(f"/topic {number}")
    assert len(rows(op)) == AUDIT_SHOWN
    assert len(rows(op, "/audit 3")) == 3
    assert len(rows(op, "/audit 9999")) == AUDIT_SHOWN_AT_MOST
    op.types("/set timezone Europe/Vienna")
    assert rows(op, "/audit 1") == [f"1970-01-12 14:46 [lobby] op: topic {AUDIT_SHOWN_AT_MOST}"]


def test_past_the_bound_the_oldest_entry_is_dropped(store: MemoryStore) -> None:
    server = Server(store)
    person = server.enters("op", operator=True).session.person
    audit = server.chat.audit
    for number in range(AUDIT_ENTRIES):
        audit.add(1.0, person, "topic", str(number))
    assert len(records(store, KIND)) == AUDIT_ENTRIES
    before = dict(records(store, KIND))
    audit.add(1.0, person, "topic", "one more", reason="x" * (REASON_LENGTH + 1))
    del before["000000000001"]
    after = records(store, KIND)
    assert after.keys() - before.keys() == {f"{AUDIT_ENTRIES + 1:012}"}
    assert before.items() <= after.items(), "the other records are not written again"
    again = AuditLog(Records(store))
    result_of(again.load())
    [first, *_, newest] = again.last(2 * AUDIT_ENTRIES)
    assert (first.whom, newest.whom) == ("1", "one more")
    assert newest.reason == "x" * (REASON_LENGTH - 1) + "…"


def test_entries_of_two_servers_at_once_have_the_same_order_on_both(
    store: MemoryStore,
) -> None:
    person = Server().enters("op", operator=True).session.person
    one, other = AuditLog(Records(store), "s1"), AuditLog(Records(store), "s2")
    other.add(1.0, person, "topic", "there")
    one.add(1.0, person, "topic", "here")
    one.add(2.0, person, "topic", "here again")
    before = records(store, KIND)
    for key, value in before.items():
        (one if key.endswith(".s2") else other).apply_change(key, value)
    other.add(3.0, person, "topic", "at last")
    [newest] = records(store, KIND).keys() - before.keys()
    one.apply_change(newest, records(store, KIND)[newest])
    again = AuditLog(Records(store), "s3")
    result_of(again.load())
    for audit in (one, other, again):
        assert [entry.whom for entry in audit.last(9)] == ["here", "there", "here again", "at last"]
    one.apply_change(newest, None)
    assert [entry.whom for entry in one.last(1)] == ["here again"]


def test_entries_of_another_server_drop_the_oldest_past_the_bound(store: MemoryStore) -> None:
    person = Server().enters("op", operator=True).session.person
    one, other = AuditLog(Records(store), "s1"), AuditLog(Records(MemoryStore()), "s2")
    for number in range(AUDIT_ENTRIES + 1):
        one.add(1.0, person, "topic", str(number))
        key = max(records(store, KIND))
        other.apply_change(key, records(store, KIND)[key])
    assert len(other.last(2 * AUDIT_ENTRIES)) == AUDIT_ENTRIES
    assert other.last(2 * AUDIT_ENTRIES)[0].whom == "1"
