"""Writing records: a change is kept, or memory is as it was; two changes of one record at once."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any

import pytest

from chatd.chat.commands import receive
from chatd.chat.events import Refused
from chatd.chat.records.writing import Records
from chatd.chat.store import NotStoredError, Record, Written
from chatd.store.memory import MemoryStore
from tests.support.full_store import REASON, FullStore
from tests.support.people import Server, User, records, result_of
from tests.support.steps import Step, finished, started


class SlowRecords(MemoryStore):
    """A store that writes records when a test says so, the oldest first."""

    def __init__(self) -> None:
        super().__init__()
        self.is_slow = True
        self.is_full = False

    def put_all(self, records: Sequence[Record]) -> Awaitable[None]:
        return self._put_later(records) if self.is_slow else super().put_all(records)

    def put_quietly(self, record: Record, written: Written) -> None:
        super().put_all([record])
        written(None)

    async def _put_later(self, records: Sequence[Record]) -> None:
        await Step()
        if self.is_full:
            raise NotStoredError(REASON)
        await super().put_all(records)


class Notes:
    """The user of a kind of record: a text under each key."""

    def __init__(self) -> None:
        self.store = SlowRecords()
        self.records = Records(self.store)
        self.texts: dict[str, str] = {}
        self.records.register("note", self._apply)

    def _apply(self, key: str, value: str | None) -> None:
        self.texts.pop(key, None)
        if value is not None:
            self.texts[key] = value

    def put(self, **texts: str) -> None:
        """Set some texts, as part of a change."""
        for key, text in texts.items():
            before, self.texts[key] = self.texts.get(key), text
            self.records.put("note", key, text, before)

    def begins(self, **texts: str) -> Any:
        """Begin to keep some texts; the store has still to write them."""
        return started(self.records.keep(lambda: self.put(**texts)))

    def ends(self, steps: Any, *, full: bool = False) -> None:
        """Let the store write, or fail to write, what it was given."""
        self.store.is_full = full
        if full:
            with pytest.raises(Refused, match="not done"):
                finished(steps)
        else:
            finished(steps)


def stored(notes: Notes) -> dict[str, str]:
    return dict(records(notes.store, "note"))


def test_all_records_of_a_change_are_stored_together() -> None:
    notes = Notes()
    notes.ends(notes.begins(a="1", b="2"))
    assert notes.texts == stored(notes) == {"a": "1", "b": "2"}
    notes.ends(notes.begins(a="3", b="4", c="5"), full=True)
    assert notes.texts == stored(notes) == {"a": "1", "b": "2"}


@pytest.mark.parametrize("first_fails", [False, True])
@pytest.mark.parametrize("second_fails", [False, True])
def test_after_two_changes_at_once_memory_has_what_is_stored(
    first_fails: bool, second_fails: bool
) -> None:
    notes = Notes()
    notes.ends(notes.begins(a="0"))
    first = notes.begins(a="1")
    second = notes.begins(a="2")
    assert notes.texts == {"a": "2"}
    notes.ends(first, full=first_fails)
    assert notes.texts == {"a": "2"}
    notes.ends(second, full=second_fails)
    assert notes.texts == stored(notes)
    third = notes.begins(a="3")
    notes.ends(third, full=True)
    assert notes.texts == stored(notes)


def test_another_servers_change_meanwhile_is_what_a_failure_returns_to() -> None:
    notes = Notes()
    change = notes.begins(a="1")
    notes.records.apply_change("note", "a", "theirs")
    notes.records.apply_change("what a newer server stores", "a", "1")
    notes.ends(change, full=True)
    assert notes.texts == {"a": "theirs"}


def test_a_change_that_is_stored_after_another_servers_is_what_memory_has() -> None:
    notes = Notes()
    change = notes.begins(a="mine")
    notes.records.apply_change("note", "a", "theirs")
    assert notes.texts == {"a": "theirs"}
    notes.ends(change)
    assert notes.texts == {"a": "mine"} == records(notes.store, "note")
    first, second = notes.begins(a="one"), notes.begins(a="two")
    notes.records.apply_change("note", "a", "theirs")
    notes.ends(first)
    assert notes.texts == {"a": "theirs"}, "the second is still to be stored"
    notes.ends(second)
    assert notes.texts == {"a": "two"} == records(notes.store, "note")


def test_a_refusal_within_a_change_undoes_what_came_before_it() -> None:
    notes = Notes()

    def change() -> None:
        notes.put(a="1")
        raise Refused("no-change", "It is like that already.")

    with pytest.raises(Refused, match="already"):
        result_of(notes.records.keep(change))
    assert notes.texts == stored(notes) == {}
    notes.ends(notes.begins(a="1"))


def test_a_record_that_nobody_would_wait_for_cannot_be_put() -> None:
    notes = Notes()
    with pytest.raises(RuntimeError, match="nobody waits"):
        notes.put(a="1")
    with pytest.raises(RuntimeError, match="within another"):
        result_of(notes.records.keep(lambda: result_of(notes.records.keep(notes.put))))


# While the store writes ---------------------------------------------------------------------------


class Waiting:
    """A chat with an owner of a room, over a store that takes its time."""

    def __init__(self) -> None:
        self.store = SlowRecords()
        self.store.is_slow = False
        self.server = Server(self.store)
        self.ada = self.registered("ada")
        self.bob = self.server.enters("bob")

    def registered(self, nick: str) -> User:
        user = self.server.enters(nick, fingerprint=f"SHA256:{nick}")
        user.types("/register"), user.sees()
        return user

    def begins(self, user: User, line: str) -> Any:
        self.store.is_slow = True
        awaited = receive(self.server.chat, user.session, line, self.server.now)
        assert awaited is not None
        return started(awaited)


def test_a_room_is_open_while_its_record_is_written_and_temporary_if_it_is_not() -> None:
    chat = Waiting()
    joining = chat.begins(chat.ada, "/join den")
    chat.bob.types("/join den")
    assert chat.bob.sees()[-1] == "-- You are in den, alone so far."
    chat.store.is_full = True
    with pytest.raises(Refused, match="not done"):
        finished(joining)
    room = chat.server.chat.rooms["den"]
    assert [person.nick for person in room.members] == ["bob"]
    assert not room.is_persistent
    assert chat.bob.sees() == ["-- bob is the owner of den now"]


def test_a_room_whose_record_is_not_written_is_closed_if_nobody_came() -> None:
    chat = Waiting()
    joining = chat.begins(chat.ada, "/join den")
    chat.store.is_full = True
    with pytest.raises(Refused, match="not done"):
        finished(joining)
    assert "den" not in chat.server.chat.rooms


def test_an_owner_who_leaves_while_the_room_is_written_is_no_member() -> None:
    chat = Waiting()
    joining = chat.begins(chat.ada, "/join den")
    chat.ada.leaves()
    finished(joining)
    assert not chat.server.chat.rooms["den"].members
    assert chat.server.chat.rooms["den"].is_persistent


def test_a_room_that_is_closed_while_it_is_written_is_not_entered() -> None:
    chat = Waiting()
    op = chat.server.enters("op", operator=True)
    joining = chat.begins(chat.ada, "/join den")
    closing = chat.begins(op, "/server close den")
    finished(closing)
    with pytest.raises(Refused, match="den was closed just now"):
        finished(joining)


@pytest.mark.parametrize("line", ["/kick cy", "/op cy", "/ban cy", "/mute cy"])
def test_members_may_leave_while_what_is_done_to_them_is_written(line: str) -> None:
    chat = Waiting()
    chat.ada.types("/join den"), chat.ada.types("/room private on")
    cy = chat.registered("cy")
    chat.ada.types("/invite cy"), cy.types("/join den")
    waiting = chat.begins(chat.ada, line)
    chat.store.is_slow = False
    cy.leaves()
    with suppress(Refused):
        finished(waiting)
    assert [person.nick for person in chat.server.chat.rooms["den"].members] == ["ada"]


def test_an_addressee_who_comes_while_a_message_is_written_is_shown_it_once() -> None:
    chat = Waiting()
    cy = chat.registered("cy")
    cy.leaves()
    sending = chat.begins(chat.ada, "/dm cy hello")
    chat.store.is_slow = False
    cy = chat.server.enters("cy", fingerprint="SHA256:cy")
    finished(sending)
    assert len([row for row in cy.sees() if "hello" in row]) == 1
    assert records(chat.store, "mail") == {}


def test_what_nobody_asked_for_does_not_stop_anybody() -> None:
    store = FullStore()
    server = Server(store)
    op = server.enters("op", operator=True)
    op.types("/server say hello")
    assert any("hello" in row for row in op.sees())
    assert [record.kind for record in store.quiet] == ["audit"]
