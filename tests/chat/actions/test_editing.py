"""What was said can be put right and taken away: one's own for a while, anybody's by moderators."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from chatd.chat.events import Deleted, Edited, Entry, RoomEvent, Said
from chatd.chat.limits import EDIT_SECONDS, ROOM_HISTORY
from chatd.store.memory import MemoryStore
from chatd.wire.json.events import EventStyle, MessageStyle
from chatd.wire.tcd.events import TcdStyle
from tests.support.people import Client, Server, User

ADA = "SHA256:ada"
NOTHING = "-- You said nothing in lobby in the last 10 minutes."


@pytest.fixture
def server() -> Server:
    return Server()


def two(server: Server) -> tuple[User, User]:
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.sees(), bob.sees()
    return ada, bob


def history(someone: User, words: str = "") -> list[str]:
    """What /history shows, without the times."""
    someone.sees(), someone.types(f"/history {words}")
    return [line[9:] if line.startswith("   ") else line for line in someone.sees()[1:]]


def test_everyone_is_shown_an_edit_and_later_only_what_it_says_now(server: Server) -> None:
    ada, bob = two(server)
    ada.types("helo"), ada.types("/edit hello")
    assert bob.sees() == ["ada: helo", "* ada corrects: hello"]
    assert ada.sees() == ["* ada corrects: hello"]
    assert history(bob) == ["ada: hello (edited)"]
    bob.types("/search hello")
    assert bob.sees()[1:] == ["   13:46 [lobby] ada: hello (edited)"]
    bob.types("/search helo")
    assert bob.sees() == ["-- Nothing was found."]


def test_what_is_deleted_is_in_no_history(server: Server) -> None:
    ada, bob = two(server)
    ada.types("one"), ada.types("/me waves"), ada.types("/delete")
    assert bob.sees()[2:] == ["-- ada deleted a message in lobby"]
    assert history(bob) == ["ada: one"]
    ada.sees(), ada.types("/delete"), ada.types("/edit two")
    assert ada.sees() == [NOTHING, NOTHING]
    ada.types("three"), ada.types("/delete")
    assert history(bob) == ["ada: one"]


def test_an_edit_may_be_edited_and_an_action_remains_one(server: Server) -> None:
    ada, bob = two(server)
    ada.types("/me waves"), ada.types("/edit laughs"), ada.types("/edit smiles")
    assert bob.sees()[1:] == ["* ada corrects: laughs", "* ada corrects: smiles"]
    assert history(bob) == ["* ada smiles (edited)"]


def test_ten_minutes_later_it_is_too_late(server: Server) -> None:
    ada, _ = two(server)
    ada.types("one")
    server.now += EDIT_SECONDS
    ada.types("/edit two")
    assert ada.sees() == ["* ada corrects: two"]
    server.now += 1
    ada.types("/edit three"), ada.types("/delete")
    assert ada.sees() == [NOTHING, NOTHING]


def test_a_guest_who_comes_back_is_somebody_else(server: Server) -> None:
    ada, bob = two(server)
    ada.types("one"), ada.leaves()
    ada = server.enters("ada")
    ada.sees(), ada.types("/edit two"), ada.types("/delete")
    assert ada.sees() == [NOTHING, NOTHING]
    assert history(bob) == ["ada: one"]


def test_who_has_an_account_comes_back_as_themselves(server: Server) -> None:
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


def test_it_is_changed_under_the_nick_that_one_carries_now(server: Server) -> None:
    ada, bob = two(server)
    ada.types("one"), ada.types("/nick grace"), ada.types("/edit two")
    assert bob.sees()[-1] == "* grace corrects: two"
    assert history(bob) == ["ada: two (edited)"]


def test_an_edit_is_no_way_around_the_rules_of_a_room(server: Server) -> None:
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


def test_who_is_named_in_an_edit_hears_it(server: Server) -> None:
    ada = server.enters("ada")
    bob = server.enters("bob", client=Client(echoes_input=False))
    bob.sees(), ada.types("look, bbo"), ada.types("/edit look, bob")
    assert bob.sees()[-1].endswith("\a")


def test_who_ignores_somebody_is_shown_no_edit(server: Server) -> None:
    ada, bob = two(server)
    bob.types("/ignore ada"), bob.sees(), ada.types("one"), ada.types("/edit two")
    assert bob.sees() == []


def test_a_moderator_deletes_anybodys_message_at_any_time(server: Server) -> None:
    ada, bob = two(server)
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


def test_a_topic_is_deleted_by_its_number_and_stays_the_topic(server: Server) -> None:
    ada = server.enters("ada")
    ada.types("/join attic"), ada.types("/topic unspeakable"), ada.types("/delete ada")
    assert ada.sees()[-1] == "-- There is no message of ada in attic."
    ada.types("/delete #1"), ada.types("/history")
    assert ada.sees()[-1] == "-- Nothing was said in attic yet."
    ada.types("/topic")
    assert ada.sees() == ["-- attic: unspeakable"]


def test_in_each_room_it_is_what_one_said_there(server: Server) -> None:
    ada, bob = two(server)
    ada.types("one"), ada.types("/join attic"), ada.types("/edit two")
    assert ada.sees()[-1] == "-- You said nothing in attic in the last 10 minutes."
    ada.types("/bc three"), ada.types("/edit four"), ada.sees()
    assert history(bob) == ["ada: one", "ada: three"]
    ada.types("/focus lobby"), ada.types("/edit five")
    assert history(bob) == ["ada: one", "ada: five (edited)"]


def test_where_nothing_is_kept_it_is_shown_all_the_same() -> None:
    ada, bob = two(Server(MemoryStore(0)))
    ada.types("one"), ada.types("/edit two"), ada.types("/delete")
    assert bob.sees() == ["ada: one", "* ada corrects: two", "-- ada deleted a message in lobby"]


class Patient(MemoryStore):
    """Keeps what was posted when somebody looks, as a store does that has to wait for a disk."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[tuple[str, str, RoomEvent, str]] = []

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        self.waiting.append((room, message_id, event, author))

    async def before(
        self, room: str, number: int | None, count: int
    ) -> Sequence[tuple[int, RoomEvent]]:
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            super().post(*each)
        return await super().before(room, number, count)


def test_what_is_changed_before_it_is_kept_is_changed_when_it_is() -> None:
    ada, bob = two(Server(Patient()))
    history(bob), ada.types("one"), history(bob)
    ada.types("two"), bob.sees(), ada.types("/edit three"), ada.types("/delete"), ada.types("four")
    history(bob)
    assert history(bob) == ["ada: one", "ada: four"]
    ada.types("/edit five"), history(bob)
    assert history(bob) == ["ada: one", "ada: five (edited)"]


class Refusing(MemoryStore):
    """Keeps nothing, and says so."""

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        assert self._observer is not None
        self._observer.failed(room, message_id, "the disk is full.")


def test_what_was_not_kept_cannot_be_changed() -> None:
    ada = Server(Refusing()).enters("ada")
    ada.sees(), ada.types("one"), ada.types("/edit two"), ada.types("/delete")
    assert ada.sees() == [
        "-- That was not delivered: the disk is full. You said: one",
        NOTHING,
        NOTHING,
    ]


def test_programs_are_told_which_message_it_was() -> None:
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


# How much a room keeps ----------------------------------------------------------------------------


def test_a_room_keeps_as_many_messages_as_its_owner_says(server: Server) -> None:
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
def test_what_is_no_number_of_messages_is_refused(server: Server, value: str) -> None:
    ada = server.enters("ada")
    ada.types("/join attic"), ada.sees(), ada.types(f"/room history {value}")
    assert ada.sees() == [
        f"-- history takes a number of messages, 1 to {ROOM_HISTORY}, or off, not {value}."
    ]


def test_so_many_messages_may_be_asked_for(server: Server) -> None:
    ada = server.enters("ada")
    ada.types("/join attic"), ada.sees(), ada.types(f"/room history {ROOM_HISTORY}")
    assert ada.sees() == [f"-- ada set history of attic to {ROOM_HISTORY}"]


def test_a_room_that_lasts_and_the_lobby_keep_as_much_after_a_restart() -> None:
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
