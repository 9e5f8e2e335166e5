"""Replay: what a user is shown on joining a room, and the read marks and preferences kept."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.actions.messages import say
from chatd.chat.limits import BOOKMARKS
from chatd.chat.model.entities import Room
from chatd.chat.records.profiles import KIND
from chatd.chat.store import Record
from chatd.store.memory import MemoryStore
from tests.support.people import Server, User, records, result_of

ADA = "SHA256:ada"


def registered(server: Server) -> User:
    """Let Ada enter, who has an account."""
    ada = server.enters("ada", fingerprint=ADA)
    if ada.session.person.account is None:
        ada.types("/register")
    ada.sees()
    return ada


def test_a_new_member_is_shown_the_last_messages_of_the_room() -> None:
    server = Server(replay=2)
    ada = server.enters("ada")
    ada.types("/join attic"), ada.types("/topic Books")
    for word in ("one", "two", "three"):
        ada.types(word)
    bob = server.enters("bob")
    bob.types("/join attic")
    assert bob.sees()[-4:] == [
        "-- You are in attic, with ada. Topic: Books",
        "-- attic, the last 2:",
        "   13:46 ada: two",
        "   13:46 ada: three",
    ]
    ada.types("four")
    assert bob.sees() == ["ada: four"]
    bob.types("/set replay 0")
    bob.types("/leave"), bob.sees()
    bob.types("/join attic")
    assert bob.sees() == ["-- You are in attic, with ada. Topic: Books"]
    bob.types("/set replay 201")
    assert bob.sees() == ["-- That is a number, 0 to 200, not 201."]


def test_messages_of_ignored_users_are_not_replayed() -> None:
    server = Server(replay=5)
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.types("/join attic"), ada.types("hello")
    bob.types("/ignore ada"), bob.sees()
    bob.types("/join attic")
    assert bob.sees() == ["-- You are in attic, with ada."]


def test_an_owner_is_shown_the_messages_after_their_read_mark() -> None:
    server = Server(replay=3)
    ada, bob = registered(server), server.enters("bob")
    ada.types("/join attic"), bob.types("/join attic")
    bob.types("old"), ada.sees()
    ada.leaves()
    for word in ("one", "two"):
        bob.types(word)
    ada = registered(server)
    ada.types("/join attic")
    assert ada.sees()[-3:] == ["-- attic, 2 new:", "   13:46 bob: one", "   13:46 bob: two"]
    ada.types("/leave"), ada.sees()
    ada.types("/join attic")
    assert ada.sees()[-1] == "-- You are in attic, with bob.", "nothing is new"
    ada.types("/leave"), ada.sees()
    for number in range(5):
        bob.types(str(number))
    ada.types("/join attic")
    assert ada.sees()[-4:] == [
        "-- attic, 3 new, after 2 more that /history has:",
        "   13:46 bob: 2",
        "   13:46 bob: 3",
        "   13:46 bob: 4",
    ]


def test_the_read_mark_of_a_session_that_expires_is_where_the_connection_was_lost() -> None:
    server = Server(replay=5)
    ada, bob = registered(server), server.enters("bob")
    ada.types("/join attic"), bob.types("/join attic")
    ada.sees()
    detached = ada.loses_connection()
    assert detached is not None
    bob.types("later")
    server.chat.expire(detached, server.now)
    ada = registered(server)
    ada.types("/join attic")
    assert ada.sees()[-2:] == ["-- attic, 1 new:", "   13:46 bob: later"]


def test_preferences_and_read_marks_outlive_a_restart() -> None:
    store = MemoryStore()
    server = Server(store, replay=5)
    ada, bob = registered(server), server.enters("bob")
    ada.types("/set joins off"), ada.types("/set timezone Europe/Vienna")
    ada.types("/join attic"), bob.types("/join attic"), bob.types("one")
    ada.sees()
    ada.leaves()
    bob.types("two")
    again = Server(store, replay=5)
    ada = registered(again)
    assert ada.session.preferences.joins == "off"
    assert ada.session.preferences.timezone == "Europe/Vienna"
    ada.types("/join attic")
    assert ada.sees()[-2:] == ["-- attic, 1 new:", "   13:46 bob: two"]
    chosen = json.loads(records(store, KIND)["ada"])["chosen"]
    assert chosen == {"joins": "off", "timezone": "Europe/Vienna"}


def test_stored_preferences_that_are_unknown_or_invalid_are_skipped() -> None:
    store = MemoryStore()
    server = Server(store)
    registered(server)
    store.put_all(
        [Record(KIND, "ada", json.dumps({"chosen": {"colour": "red", "bell": False}, "read": {}}))]
    )
    ada = registered(Server(store))
    assert ada.session.preferences.bell == "off"


def test_preferences_of_guests_are_not_stored() -> None:
    store = MemoryStore()
    server = Server(store)
    bob = server.enters("bob")
    bob.types("/set joins off")
    bob.leaves()
    assert records(store, KIND) == {}
    assert server.enters("bob").session.preferences.joins


def test_the_read_marks_of_an_account_are_bounded() -> None:
    store = MemoryStore()
    server = Server(store)
    ada = registered(server)
    for number in range(BOOKMARKS + 1):
        room = result_of(server.chat.join(ada.session, f"room{number}", server.now))
        assert isinstance(room, Room)
        room.settings.lasting = True
        ada.types("/leave")
        ada.sees()
    assert len(json.loads(records(store, KIND)["ada"])["read"]) == BOOKMARKS


@given(said=st.integers(0, 30), count=st.integers(1, 12), page=st.integers(1, 6))
def test_the_pages_of_history_are_consecutive_and_complete(
    said: int, count: int, page: int
) -> None:
    server = Server()
    ada = server.enters("ada")
    for number in range(said):
        say(server.chat, ada.session, f"m{number}", server.now)
    ada.sees()
    ada.types(f"/history {count} page:{page}")
    heading, *rows = ada.sees()
    end = max(0, said - count * (page - 1))
    expected = [f"m{number}" for number in range(max(0, end - count), end)]
    assert [row.rpartition(" ")[2] for row in rows] == expected
    assert heading.endswith("shows earlier ones:") == (end > count)
    if not expected:
        assert heading.startswith("-- Nothing was said in lobby ")


def test_an_invalid_page_is_refused() -> None:
    server = Server()
    ada = server.enters("ada")
    for wrong in ("page:", "page:0", "page:51", "page:x"):
        ada.types(f"/history {wrong}")
        shown = wrong.removeprefix("page:") or "nothing"
        assert ada.sees() == [f"-- page: takes a number, 1 to 50, not {shown}."]
