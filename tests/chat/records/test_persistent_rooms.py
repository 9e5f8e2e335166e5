"""Persistent rooms: what remains after every member has left, and after a restart."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chatd.chat.limits import PERSISTENT_ROOMS
from chatd.store.memory import MemoryStore
from chatd.store.sqlite.store import SqliteStore
from tests.support.callers import Netcat, Ssh
from tests.support.people import Server, User, result_of
from tests.support.served import Served, killed

ADA, BOB = "SHA256:ada", "SHA256:bob"


def owner(server: Server, nick: str = "ada", key: str = ADA) -> User:
    """Let a user with an account enter."""
    user = server.enters(nick, fingerprint=key)
    if user.session.person.account is None:
        user.types("/register")
    user.sees()
    return user


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_a_persistent_room_is_there_when_it_is_empty(
    store: MemoryStore,
) -> None:
    server = Server(store)
    ada, guest = owner(server), server.enters("guest")
    ada.types("/join attic"), ada.types("remember this"), ada.types("/leave attic"), ada.sees()
    guest.types("/rooms")
    assert "   attic: 0 people" in guest.sees()
    guest.types("/join attic"), guest.types("/history"), guest.types("/room slow 5")
    answer = guest.sees()
    assert answer[0] == "-- You are in attic, alone so far."
    assert answer[2].endswith("ada: remember this")
    assert answer[-1] == "-- Only a moderator of attic may do that."
    ada.types("/join attic"), ada.types("/room slow 5")
    assert ada.sees()[-1] == "-- ada set slow of attic to 5"


def test_a_room_of_a_guest_is_dropped_when_it_is_empty() -> None:
    server = Server()
    ada, guest = owner(server), server.enters("guest")
    guest.types("/join attic"), guest.types("/leave attic"), ada.sees()
    ada.types("/rooms")
    assert ada.sees()[0] == "-- 1 room:"


def test_owner_moderators_and_settings_survive_a_restart(store: MemoryStore) -> None:
    server = Server(store)
    ada, bob, cy = owner(server), owner(server, "bob", BOB), server.enters("cy")
    for each in (ada, bob, cy):
        each.types("/join Attic")
    ada.types("/op bob"), ada.types("/op cy"), ada.types("/room topic Old books")
    ada.types("/room slow 5"), ada.types("/room private on"), ada.types("kept")
    ada.types("/room history 30")
    for each in (ada, bob, cy):
        each.leaves()
    again = Server(store)
    stranger = again.enters("cy")
    stranger.types("/join attic")
    assert stranger.sees()[-1] == "-- Attic is private; its moderators can /invite you."
    bob = again.enters("x", fingerprint=BOB)
    bob.types("/join attic"), bob.types("/history 1"), bob.types("/invite cy")
    answer = bob.sees()
    assert "-- You are in Attic, alone so far. Topic: Old books" in answer
    assert any(line.endswith("ada: kept") for line in answer)
    stranger.types("/join attic"), stranger.types("/users")
    assert {"   bob (moderator)", "   cy"} <= set(stranger.sees())
    ada = again.enters("x", fingerprint=ADA)
    ada.types("/join attic"), ada.types("/room")
    assert [row.strip() for row in ada.sees()[-8:]] == [
        "private on",
        "topic Old books",
        "slow 5",
        "shouting allow",
        "speak everyone",
        "lasting on",
        "history 30",
        "key off",
    ]
    ada.types("/deop bob"), ada.sees()
    for each in (ada, bob, stranger):
        each.leaves()
    third = Server(store)
    bob = third.enters("x", fingerprint=BOB)
    bob.types("/join attic")
    assert bob.sees()[-1] == "-- Attic is private; its moderators can /invite you."


def test_the_owner_makes_a_room_temporary_and_persistent_again(store: MemoryStore) -> None:
    server = Server(store)
    ada = owner(server)
    ada.types("/join attic"), ada.types("/room lasting on"), ada.types("/room lasting off")
    assert ada.sees()[-2:] == [
        "-- lasting is on in attic already.",
        "-- ada set lasting of attic to off",
    ]
    ada.types("/leave attic"), ada.types("/rooms")
    assert "-- 1 room:" in ada.sees()
    guest = server.enters("guest")
    guest.types("/join cellar"), guest.types("/room lasting on")
    answer = "-- You have no account; /register makes your nick your own."
    assert guest.sees()[-1] == answer
    bob = server.enters("bob", fingerprint=BOB)
    bob.types("/join vault"), bob.types("/register"), bob.types("/room lasting on"), bob.sees()
    bob.leaves()
    assert "vault" in server.chat.rooms
    assert "attic" not in Server(store).chat.rooms


def test_the_persistent_rooms_of_an_account_are_bounded() -> None:
    server = Server()
    ada = owner(server)
    for number in range(PERSISTENT_ROOMS + 1):
        ada.types(f"/join room{number}")
    ada.types("/room lasting on")
    assert ada.sees()[-1] == f"-- You have {PERSISTENT_ROOMS} rooms that last; end one first."
    ada.leaves()
    assert len(server.chat.rooms) == 1 + PERSISTENT_ROOMS
    back = server.enters("x", fingerprint=ADA)
    back.types("/join room0"), back.types("/room lasting off"), back.types("/join another")
    assert server.chat.rooms["another"].settings.lasting


def test_the_topic_of_the_lobby_survives_a_restart(store: MemoryStore) -> None:
    first = Server(store)
    op = first.enters("op", operator=True)
    op.types("/topic Welcome"), op.types("/room slow 2"), op.sees()
    again = Server(store)
    again.enters("ada")
    assert again.chat.lobby.settings.topic == "Welcome"
    assert again.chat.lobby.settings.slow == 2
    other = Server(store, lobby="salon")
    other.enters("ada", lobby=False)
    assert list(other.chat.rooms) == ["salon"], "it was the lobby, and lasts no longer"


def test_a_room_and_its_owner_survive_a_restart_of_a_real_server(tmp_path: Path) -> None:
    import asyncssh

    key = asyncssh.generate_private_key("ssh-ed25519")
    with Served(tmp_path) as server, Ssh(server.port(), "ada", key=key) as ada:
        ada.greeted()
        ada.says("/register")
        ada.hears("ada is yours now")
    with (
        closing(sqlite3.connect(tmp_path / ".local" / "state" / "chatd" / "chatd.db")) as database,
        database,
    ):
        database.execute(
            "UPDATE record SET value = json_set(value, '$.created', 0) WHERE kind = 'account'"
        )  # a new account owns no room that lasts
    with Served(tmp_path) as server, Ssh(server.port(), "ada", key=key) as ada:
        ada.greeted()
        for line in ("/join attic", "/topic Old books", "one for the attic"):
            ada.says(line)
        ada.says("/history")
        ada.hears("ada: one for the attic\r\n")
    again = Served(tmp_path)
    with killed(again), Netcat(again.port(), b"/join attic\n") as ned:
        ned.hears("You are in attic, alone so far. Topic: Old books")
        ned.says("/nick ada")
        ned.hears("ada is registered; /login ada if it is yours.")
    with Served(tmp_path) as server, Ssh(server.port(), "root", key=key) as ada:
        ada.hears("Your key is that of ada; you are ada.")
        ada.says("/join attic")
        ada.says("/room slow 3")
        ada.hears("ada set slow of attic to 3")


def test_temporary_rooms_of_a_killed_server_are_dropped(
    store: MemoryStore,
) -> None:
    server = Server(store)
    ada, guest = owner(server), server.enters("guest")
    ada.types("/join attic"), ada.types("lasts")
    guest.types("/join cellar"), guest.types("does not")
    ids = {key: room.id for key, room in server.chat.rooms.items()}
    Server(store).enters("bob")
    assert result_of(store.before(ids["attic"], None, 9)) != []
    assert result_of(store.before(ids["cellar"], None, 9)) == []


def test_both_stores_have_the_same_interface() -> None:
    assert {name for name in dir(MemoryStore) if name[0] != "_"} <= set(dir(SqliteStore))


def test_a_lobby_that_was_made_private_is_private_after_a_restart(store: MemoryStore) -> None:
    server = Server(store)
    root, ada = server.enters("root", operator=True), server.enters("ada", fingerprint="SHA256:a")
    ada.types("/register"), ada.types("/leave")
    for line in ("/room private on", "/room key open sesame", "/invite ada"):
        root.types(line)
    again = Server(store)
    stranger, ada = again.enters("bob", lobby=False), again.enters(fingerprint="SHA256:a")
    stranger.types("/join lobby")
    assert stranger.sees() == ["-- lobby needs a key: /join lobby KEY."]
    stranger.types("/join lobby open sesame")
    assert stranger.session.focus is again.chat.lobby
    assert ada.session.focus is again.chat.lobby


def test_a_guest_who_moderates_a_room_and_registers_is_its_moderator_the_next_time(
    store: MemoryStore,
) -> None:
    server = Server(store)
    ada, bob = server.enters("ada", fingerprint="SHA256:a"), server.enters("bob")
    ada.types("/register"), ada.types("/join attic"), bob.types("/join attic")
    ada.types("/op bob"), bob.types("/register a long secret")
    again = Server(store).enters("guest")
    again.types("/login bob a long secret"), again.types("/join attic"), again.sees()
    again.types("/topic mine to say")
    assert again.sees() == ["-- bob set the topic of attic: mine to say"]
