"""Rooms with a key, and invitations: who may enter, and who is shown the key."""

from __future__ import annotations

import pytest

from chatd.chat.actions.messages import post_without_joining
from chatd.chat.events import Refused
from chatd.chat.limits import FORMER_SPEAKERS, INVITATIONS, KEY_LENGTH, ROOM_INVITATIONS
from chatd.chat.text import names
from chatd.store.memory import MemoryStore
from tests.support.people import Server, User

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


@pytest.fixture
def server(store: MemoryStore) -> Server:
    return Server(store)


def last(user: User) -> str:
    """Return the last line that a user is shown."""
    return user.sees()[-1]


# Keys ---------------------------------------------------------------------------------------------


def test_a_user_enters_with_the_key(server: Server) -> None:
    ada, bob = owner(server), server.enters("bob")
    ada.types("/join attic"), ada.types("/room key open  sesame"), bob.sees()
    assert last(ada) == "-- ada set key of attic to on"
    bob.types("/join attic"), bob.types("/join attic open"), bob.types("/rooms")
    assert bob.sees()[:2] == [
        "-- attic needs a key: /join attic KEY.",
        "-- That is not the key of attic.",
    ]
    bob.types("/search in:attic x"), bob.types("/search in:* x")
    assert bob.sees() == ["-- attic needs a key: /join attic KEY.", "-- Nothing was found."]
    with pytest.raises(Refused, match="attic needs a key"):
        post_without_joining(
            server.chat, bob.session, server.chat.rooms["attic"], "hello", server.now, print
        )
    bob.types("/join attic open sesame")
    assert last(bob) == "-- You are in attic, with ada."
    bob.types("/leave"), bob.types("/join attic"), ada.types("/room key off"), bob.types("/leave")
    assert "-- ada set key of attic to off" in bob.sees()
    other = server.enters("cy")
    other.types("/join attic")
    assert last(other) == "-- You are in attic, with ada."


def test_the_key_is_shown_only_to_moderators(server: Server) -> None:
    ada, bob = owner(server), server.enters("bob")
    op = server.enters("op", operator=True)
    ada.types("/join attic"), ada.types("/room key sesame"), bob.types("/join attic sesame")
    bob.types("/room"), bob.types("/room key"), bob.types("/rooms"), bob.types("/audit")
    op.types("/audit"), op.types("/join attic"), op.types("/room key")
    shown = op.sees()
    assert shown[-1] == "-- attic: key sesame"
    answer = bob.sees()
    assert "   key on" in answer
    assert "-- attic: key on" in answer
    assert "   attic: 2 people, needs a key" in answer
    assert not any("sesame" in line for line in [*answer, *shown[:-1]])
    ada.types("/room")
    assert last(ada) == "   key sesame"
    ada.types("/room key")
    assert last(ada) == "-- attic: key sesame"


def test_the_length_of_a_key_is_bounded(server: Server) -> None:
    ada = owner(server)
    ada.types("/join attic"), ada.types(f"/room key {'x' * (KEY_LENGTH + 1)}")
    assert last(ada) == f"-- A key has 1 to {KEY_LENGTH} characters; off takes it away."
    ada.types(f"/room key {'x' * KEY_LENGTH}")
    assert last(ada) == "-- ada set key of attic to on"


def test_owners_who_return_and_operators_need_no_key(server: Server, store: MemoryStore) -> None:
    ada = owner(server)
    ada.types("/join attic"), ada.types("/room key sesame"), ada.leaves()
    again = Server(store)
    op, ada = again.enters("op", operator=True), owner(again)
    for each in (op, ada):
        each.types("/join attic")
        assert "attic" in each.session.person.rooms
    bob = again.enters("bob")
    bob.types("/join attic wrong")
    assert last(bob) == "-- That is not the key of attic."


def test_a_private_room_with_a_key_admits_by_either(server: Server) -> None:
    ada, bob, cy = owner(server), server.enters("bob"), server.enters("cy")
    ada.types("/join attic"), ada.types("/room private on"), ada.types("/room key sesame")
    ada.types("/invite bob")
    bob.types("/join attic"), cy.types("/join attic sesame")
    assert all("attic" in each.session.person.rooms for each in (bob, cy))


# Invitations --------------------------------------------------------------------------------------


def test_an_invitation_of_an_account_outlives_a_restart_and_one_of_a_guest_does_not(
    server: Server, store: MemoryStore
) -> None:
    ada, bob, cy = owner(server), owner(server, "bob", BOB), server.enters("cy")
    ada.types("/join attic"), ada.types("/room private on")
    ada.types("/invite bob"), ada.types("/invite cy")
    for each in (ada, bob, cy):
        each.leaves()
    again = Server(store)
    bob, cy = owner(again, "bob", BOB), again.enters("cy")
    bob.types("/rooms")
    assert "   attic: 0 people, private" in bob.sees()
    bob.types("/join attic"), cy.types("/join attic")
    assert last(bob) == "-- You are in attic, alone so far."
    assert last(cy) == "-- attic is private; its moderators can /invite you."


def test_an_invitation_may_be_taken_back_also_while_its_user_is_not_here(server: Server) -> None:
    ada, bob, cy = owner(server), owner(server, "bob", BOB), server.enters("cy")
    ada.types("/join attic"), ada.types("/room private on")
    for nick in ("bob", "cy"):
        ada.types(f"/invite {nick}")
    bob.leaves(), ada.sees()
    ada.types("/uninvite Bob"), ada.types("/uninvite cy"), ada.types("/uninvite cy")
    ada.types("/uninvite zoe")
    assert ada.sees() == [
        "-- Bob is not invited into attic any more.",
        "-- cy is not invited into attic any more.",
        "-- cy is not invited into attic.",
        "-- There is nobody called zoe; /users says who is here.",
    ]
    cy.types("/join attic"), cy.types("/uninvite ada"), cy.types("/uninvite ada attic")
    assert cy.sees()[-3:] == [
        "-- attic is private; its moderators can /invite you.",
        "-- Only a moderator of lobby may do that.",
        "-- There is no room attic; /rooms lists them.",
    ]
    bob = owner(server, "bob", BOB)
    bob.types("/join attic")
    assert last(bob) == "-- attic is private; its moderators can /invite you."


def test_a_member_who_leaves_may_return_until_they_leave_the_server(server: Server) -> None:
    ada, bob = owner(server), owner(server, "bob", BOB)
    ada.types("/join attic"), ada.types("/room private on"), ada.types("/invite bob")
    bob.types("/join attic"), bob.types("/leave attic"), bob.types("/join attic"), bob.sees()
    assert "attic" in bob.session.person.rooms
    bob.types("/leave attic"), bob.leaves()
    bob = owner(server, "bob", BOB)
    bob.types("/join attic")
    assert last(bob) == "-- attic is private; its moderators can /invite you."


def test_a_kick_and_a_ban_take_the_invitation_back(server: Server, store: MemoryStore) -> None:
    ada, bob = owner(server), owner(server, "bob", BOB)
    ada.types("/join attic"), ada.types("/room private on")
    for line in ("/kick bob", "/ban bob"):
        ada.types("/invite bob"), bob.types("/join attic"), ada.types(line)
        ada.types("/unban bob"), bob.sees()
        bob.types("/join attic")
        assert last(bob) == "-- attic is private; its moderators can /invite you."
    again = Server(store)
    bob = owner(again, "bob", BOB)
    bob.types("/join attic")
    assert last(bob) == "-- attic is private; its moderators can /invite you."


def test_only_moderators_invite_into_a_room_with_a_key(server: Server) -> None:
    ada, bob, cy = owner(server), server.enters("bob"), server.enters("cy")
    ada.types("/join attic"), bob.types("/join attic"), ada.types("/room key sesame"), bob.sees()
    bob.types("/invite cy")
    assert last(bob) == "-- Only a moderator of attic may do that."
    ada.types("/invite cy"), cy.types("/join attic")
    assert "attic" in cy.session.person.rooms


@pytest.mark.parametrize(
    ("others", "admitted"), [(ROOM_INVITATIONS - 1, True), (ROOM_INVITATIONS, False)]
)
def test_past_the_bound_the_oldest_invitation_of_an_account_lapses(
    others: int, admitted: bool
) -> None:
    server = Server()
    ada, bob = owner(server), owner(server, "bob", BOB)
    ada.types("/join attic"), ada.types("/room private on"), ada.types("/invite bob")
    room = server.chat.rooms["attic"]
    for number in range(others):
        other = server.enters(f"other{number}")
        other.session.person.account = other.nick
        room.invite(other.session.person)
    bob.types("/join attic")
    assert ("attic" in bob.session.person.rooms) == admitted


@pytest.mark.parametrize(("others", "admitted"), [(INVITATIONS - 1, True), (INVITATIONS, False)])
def test_past_the_bound_a_users_oldest_invitation_lapses(others: int, admitted: bool) -> None:
    server = Server()
    bob = server.enters("bob")
    for number in range(others + 1):
        room = server.chat.open_room(names.room(f"room{number}"), f"room{number}")
        room.settings.private = True
        room.invite(bob.session.person)
    assert len(bob.session.person.invited_into) == INVITATIONS
    bob.types(f"/join room{others}"), bob.types("/join room0")
    assert list(bob.session.person.rooms)[1:] == [f"room{others}"] + ["room0"] * admitted


@pytest.mark.parametrize(
    ("others", "waits"), [(FORMER_SPEAKERS - 1, True), (FORMER_SPEAKERS, False)]
)
def test_past_the_bound_slow_mode_forgets_the_member_who_left_first(
    others: int, waits: bool
) -> None:
    server = Server()
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.types("/join attic"), ada.types("/room slow 60")
    bob.types("/join attic"), bob.types("hello"), bob.types("/leave attic")
    for number in range(others):
        other = server.enters(f"other{number}", lobby=False)
        other.types("/join attic"), other.types("/leave attic"), other.leaves()
    bob.types("/join attic"), bob.sees(), bob.types("hello again")
    refused = ["-- attic is in slow mode; you may speak in 60 s."]
    assert bob.sees() == (refused if waits else [])


def test_uninvite_takes_back_the_invitations_of_the_guest_and_of_the_account(
    server: Server,
) -> None:
    ada, bob = server.enters("ada"), server.enters("bob", fingerprint="SHA256:bob")
    for line in ("/join attic", "/room private on", "/invite bob"):
        ada.types(line)
    bob.types("/register")
    ada.types("/invite bob"), ada.types("/uninvite bob"), bob.sees()
    bob.types("/join attic")
    assert bob.sees() == ["-- attic is private; its moderators can /invite you."]
