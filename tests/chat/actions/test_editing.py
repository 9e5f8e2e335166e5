"""Editing and deleting: a user's own messages for a while, anybody's by moderators."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from chatd.chat.events import Deleted, Edited, Entry, RoomEvent, Said
from chatd.chat.limits import EDIT_SECONDS, ROOM_HISTORY
from chatd.store.memory import MemoryStore
from chatd.wire.json.events import EventStyle
from chatd.wire.json.messages import MessageStyle
from chatd.wire.tcd.events import TcdStyle
from tests.support.people import Client, Server, User

ADA = "SHA256:ada"
NOTHING = "-- You said nothing in lobby in the last 10 minutes."


@pytest.fixture
def server() -> Server:
    return Server()


def two_users(server: Server) -> tuple[User, User]:
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.sees(), bob.sees()
    return ada, bob


def history(user: User, words: str = "") -> list[str]:
    """Return what /history shows a user, without the times."""
    user.sees(), user.types(f"/history {words}")
    return [line[9:] if line.startswith("   ") else line for line in user.sees()[1:]]


def test_an_edit_is_shown_to_everyone_and_replaces_the_text_in_the_history(server: Server) -> None:
    ada, bob = two_users(server)
    ada.types("helo"), ada.types("/edit hello")
    assert bob.sees() == ["ada: helo", "* ada corrects: hello"]
    assert ada.sees() == ["* ada corrects: hello"]
    assert history(bob) == ["ada: hello (edited)"]
    bob.types("/search hello")
    assert bob.sees()[1:] == ["   13:46 [lobby] ada: hello (edited)"]
    bob.types("/search helo")
    assert bob.sees() == ["-- Nothing was found."]


def test_a_deleted_message_is_not_in_the_history(server: Server) -> None:
    ada, bob = two_users(server)
    ada.types("one"), ada.types("/me waves"), ada.types("/delete")
    assert bob.sees()[2:] == ["-- ada deleted a message in lobby"]
    assert history(bob) == ["ada: one"]
    ada.sees(), ada.types("/delete"), ada.types("/edit two")
    assert ada.sees() == [NOTHING, NOTHING]
    ada.types("three"), ada.types("/delete")
    assert history(bob) == ["ada: one"]


def test_an_edited_action_remains_an_action_and_may_be_edited_again(server: Server) -> None:
    ada, bob = two_users(server)
    ada.types("/me waves"), ada.types("/edit laughs"), ada.types("/edit smiles")
    assert bob.sees()[1:] == ["* ada corrects: laughs", "* ada corrects: smiles"]
    assert history(bob) == ["* ada smiles (edited)"]


def test_a_message_is_not_changed_after_ten_minutes(server: Server) -> None:
    ada, _ = two_users(server)
    ada.types("one")
    server.now += EDIT_SECONDS
    ada.types("/edit two")
    assert ada.sees() == ["* ada corrects: two"]
    server.now += 1
    ada.types("/edit three"), ada.types("/delete")
    assert ada.sees() == [NOTHING, NOTHING]


def test_a_guest_may_not_change_messages_of_the_guest_who_had_the_nick_before(
    server: Server,
) -> None:
    ada, bob = two_users(server)
    ada.types("one"), ada.leaves()
    ada = server.enters("ada")
    ada.sees(), ada.types("/edit two"), ada.types("/delete")
    assert ada.sees() == [NOTHING, NOTHING]
    assert history(bob) == ["ada: one"]


def test_the_owner_of_an_account_may_change_a_message_after_coming_again(server: Server) -> None:
    ada = server.enters("ada", fingerprint=ADA)
    ada.types("as a guest"), ada.types("/register"), ada.leaves()
    ada = server.enters("ada", fingerprint=ADA)
    ada.sees(), ada.types("/delete")
    assert ada.sees() == [NOTHING]
    ada.types("one"), ada.leaves()
    ada = server.enters("ada", fingerprint=ADA)
    ada.sees(), ada.types("/edit two")
    assert ada.sees() == ["* ada corrects: two"]
    ada.types("/delete"), ada.types("/delete")
    assert ada.sees() == ["-- ada deleted a message in lobby", NOTHING]
    assert history(ada) == ["ada: as a guest"]


def test_a_message_may_be_changed_under_another_nick(server: Server) -> None:
    ada, bob = two_users(server)
    ada.types("one"), ada.types("/nick grace"), ada.types("/edit two")
    assert bob.sees()[-1] == "* grace corrects: two"
    assert history(bob) == ["ada: two (edited)"]


def test_an_edit_is_subject_to_the_rules_of_the_room(server: Server) -> None:
    server.enters("ada").types("/join attic")
    bob, (ada, *_) = server.enters("bob"), server.chat.people.everyone()
    bob.types("/join attic"), bob.types("one"), bob.sees()
    owner = User(server, ada.sessions[0], Client())
    owner.types("/room slow 60")
    server.now += 59
    bob.types("/edit two")
    assert bob.sees()[-1] == "-- attic is in slow mode; you may speak in 1 s."
    owner.types("/room slow 0"), owner.types("/room shouting kick")
    bob.types("/edit TWO"), bob.types("/edit TWO")
    assert [line for line in bob.sees() if "capitals" in line or "kicked" in line] == [
        "-- That was not delivered: attic does not like capitals; the next time you are kicked.",
        "-- You were kicked from attic by the server (shouting).",
    ]
    bob.types("/join attic"), bob.types("three"), owner.types("/mute bob"), bob.sees()
    bob.types("/edit four"), bob.types("/delete")
    assert bob.sees() == [
        "-- You are muted in attic; nobody was shown that.",
        "-- bob deleted a message in attic",
    ]
    bob.types("/history 1")
    assert bob.sees()[-1].endswith("bob: one")


def test_an_edit_rings_for_a_user_whom_it_mentions(server: Server) -> None:
    ada = server.enters("ada")
    bob = server.enters("bob", client=Client(echoes_input=False))
    bob.sees(), ada.types("look, bbo"), ada.types("/edit look, bob")
    assert bob.sees()[-1].endswith("\a")


def test_an_edit_of_an_ignored_user_is_not_shown(server: Server) -> None:
    ada, bob = two_users(server)
    bob.types("/ignore ada"), bob.sees(), ada.types("one"), ada.types("/edit two")
    assert bob.sees() == []


def test_a_moderator_may_delete_any_message_at_any_time(server: Server) -> None:
    ada, bob = two_users(server)
    cy = server.enters("cy", operator=True)
    for text in ("one", "two", "three"):
        bob.types(text)
    ada.types("four"), bob.types("five")
    server.now += 100 * EDIT_SECONDS
    ada.types("/delete bob"), ada.types("/delete #1")
    assert ada.sees()[-2:] == ["-- Only a moderator of lobby may do that."] * 2
    assert history(cy, "#")[:2] == ["#1 bob: one", "#2 bob: two"]
    cy.types("/delete BOB"), cy.types("/delete #2")
    assert bob.sees()[-2:] == ["-- cy deleted a message of bob in lobby"] * 2
    assert history(cy, "# 3") == ["#1 bob: one", "#3 bob: three", "#4 ada: four"]
    for whose in ("#2", "#5", "#", "#x", "#" + "9" * 20, "#0", "nobody", "no body"):
        cy.sees(), cy.types(f"/delete {whose}")
        assert cy.sees() == [
            f"-- There is no message {'' if whose[0] == '#' else 'of '}{whose} in lobby."
        ]
    ada.types("six"), cy.types("/delete #6"), ada.sees(), ada.types("/edit seven")
    assert ada.sees() == [NOTHING]


def test_deleting_a_topic_change_leaves_the_topic(server: Server) -> None:
    ada = server.enters("ada")
    ada.types("/join attic"), ada.types("/topic unspeakable"), ada.types("/delete ada")
    assert ada.sees()[-1] == "-- There is no message of ada in attic."
    ada.types("/delete #1"), ada.types("/history")
    assert ada.sees()[-1] == "-- Nothing was said in attic yet."
    ada.types("/topic")
    assert ada.sees() == ["-- attic: unspeakable"]


def test_an_edit_concerns_the_last_message_in_the_room_with_the_focus(server: Server) -> None:
    ada, bob = two_users(server)
    ada.types("one"), ada.types("/join attic"), ada.types("/edit two")
    assert ada.sees()[-1] == "-- You said nothing in attic in the last 10 minutes."
    ada.types("/bc three"), ada.types("/edit four"), ada.sees()
    assert history(bob) == ["ada: one", "ada: three"]
    ada.types("/focus lobby"), ada.types("/edit five")
    assert history(bob) == ["ada: one", "ada: five (edited)"]


def test_edits_are_shown_also_where_no_history_is_kept() -> None:
    ada, bob = two_users(Server(MemoryStore(0)))
    ada.types("one"), ada.types("/edit two"), ada.types("/delete")
    assert bob.sees() == ["ada: one", "* ada corrects: two", "-- ada deleted a message in lobby"]


class LazyStore(MemoryStore):
    """A store that stores posts when it is read, as one that waits for a disk does."""

    def __init__(self) -> None:
        super().__init__()
        self.posted: list[tuple[str, str, RoomEvent, str]] = []

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        self.posted.append((room, message_id, event, author))

    async def before(
        self, room: str, number: int | None, count: int, skip: int = 0
    ) -> Sequence[tuple[int, RoomEvent]]:
        posted, self.posted = self.posted, []
        for each in posted:
            super().post(*each)
        return await super().before(room, number, count, skip)


def test_a_message_may_be_changed_before_it_is_stored() -> None:
    ada, bob = two_users(Server(LazyStore()))
    history(bob), ada.types("one"), history(bob)
    ada.types("two"), bob.sees(), ada.types("/edit three"), ada.types("/delete"), ada.types("four")
    history(bob)
    assert history(bob) == ["ada: one", "ada: four"]
    ada.types("/edit five"), history(bob)
    assert history(bob) == ["ada: one", "ada: five (edited)"]


class RefusingStore(MemoryStore):
    """A store that refuses every post."""

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        assert self._observer is not None
        self._observer.failed(room, message_id, "the disk is full.")


def test_a_message_that_was_not_stored_cannot_be_changed() -> None:
    ada = Server(RefusingStore()).enters("ada")
    ada.sees(), ada.types("one"), ada.types("/edit two"), ada.types("/delete")
    assert ada.sees() == [
        "-- That was not delivered: the disk is full. You said: one",
        NOTHING,
        NOTHING,
    ]


def test_programs_are_sent_the_number_of_the_message_that_changed() -> None:
    edited = Entry("lobby", 9, "ada", Edited(1.0, "ada", 7, "two"))
    deleted = Entry("lobby", 9, "bob", Deleted(1.0, "ada", "bob", 7))
    typed, plain, tcd = EventStyle(), MessageStyle(), TcdStyle(lambda _: 1, lambda _: 2)
    where = {"room": "lobby", "seq": 9, "time": "1970-01-01T00:00:01.000Z"}
    assert json.loads(typed.render(edited)) == {
        "event": "edited",
        "sender": "ada",
        "message": "two",
        "changed": 7,
        **where,
    }
    assert json.loads(typed.render(deleted)) == {
        "event": "deleted",
        "nick": "ada",
        "by": "bob",
        "changed": 7,
        **where,
    }
    again = Entry("lobby", 7, "ada", Said(1.0, "ada", "two", True))
    assert json.loads(typed.render(again))["edited"] is True
    assert json.loads(plain.render(edited))["message"] == "* ada corrects: two"
    assert json.loads(plain.render(deleted))["message"] == "bob deleted a message of ada"
    assert b"MESSAGE: * ada corrects: two\n\n" in tcd.render(edited)
    assert b"MESSAGE: bob deleted a message of ada.\n\n" in tcd.render(deleted)


# The history setting ------------------------------------------------------------------------------


def test_a_room_keeps_as_many_messages_as_its_setting_says(server: Server) -> None:
    ada = server.enters("ada")
    ada.types("/join attic")
    for number in range(5):
        ada.types(f"line {number}")
    ada.sees(), ada.types("/room history 3"), ada.types("/room history")
    assert ada.sees() == ["-- ada set history of attic to 3", "-- attic: history 3"]
    assert history(ada) == ["ada: line 2", "ada: line 3", "ada: line 4"]
    ada.types("line 5")
    assert history(ada) == ["ada: line 3", "ada: line 4", "ada: line 5"]
    ada.types("/room history OFF"), ada.types("line 6"), ada.types("/room history")
    assert ada.sees()[-1] == "-- attic: history off"
    assert len(history(ada)) == 4


@pytest.mark.parametrize("value", ["0", "-1", "x", "²", str(ROOM_HISTORY + 1), "9" * 30])
def test_an_invalid_number_of_messages_is_refused(server: Server, value: str) -> None:
    ada = server.enters("ada")
    ada.types("/join attic"), ada.sees(), ada.types(f"/room history {value}")
    assert ada.sees() == [
        f"-- history takes a number of messages, 1 to {ROOM_HISTORY}, or off, not {value}."
    ]


def test_the_greatest_number_of_messages_is_accepted(server: Server) -> None:
    ada = server.enters("ada")
    ada.types("/join attic"), ada.sees(), ada.types(f"/room history {ROOM_HISTORY}")
    assert ada.sees() == [f"-- ada set history of attic to {ROOM_HISTORY}"]


def test_the_history_setting_of_persistent_rooms_outlives_a_restart() -> None:
    store = MemoryStore()
    server = Server(store)
    ada = server.enters("ada", fingerprint=ADA, operator=True)
    ada.types("/room history 2"), ada.types("/register"), ada.types("/join attic")
    ada.types("/room history 1"), ada.leaves()
    ada = Server(store).enters("ada", fingerprint=ADA)
    for name in ("lobby", "attic"):
        ada.types(f"/join {name}"), ada.types("one"), ada.types("two"), ada.types("three")
    assert history(ada) == ["ada: three"]
    assert history(ada, "lobby") == ["ada: two", "ada: three"]
