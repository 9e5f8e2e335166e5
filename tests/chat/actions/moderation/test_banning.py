"""Bans and mutes of a room: what they cover, who may set them, and that they are kept."""

from __future__ import annotations

import pytest

from chatd.chat.actions.messages import post_without_joining
from chatd.chat.entry.entrance import Visitor
from chatd.chat.events import Refused
from chatd.chat.limits import BANS, MUTES, NAMED_IN_BANS, REASON_LENGTH
from chatd.chat.model.entities import Session
from chatd.chat.text import names
from chatd.store.memory import MemoryStore
from tests.support.people import Client, Server, User, records, result_of

ADA, BOB, CY = "SHA256:ada", "SHA256:bob", "SHA256:cy"
#: Addresses, none near another.
HOME, CAFE, OFFICE = "192.0.2.10", "198.51.100.20", "2001:db8:1:2::30"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def server(store: MemoryStore) -> Server:
    return Server(store)


def owner(server: Server, nick: str = "ada", key: str = ADA, address: str = HOME) -> User:
    """Let a user with an account enter, and join attic."""
    user = server.enters(nick, fingerprint=key, address=address)
    if user.session.person.account is None:
        user.types("/register")
    user.types("/join attic"), user.sees()
    return user


def member(server: Server, nick: str, key: str | None = None, address: str = CAFE) -> User:
    """Let a user without an account enter, and join attic."""
    user = server.enters(nick, fingerprint=key, address=address)
    user.types("/join attic"), user.sees()
    return user


def last(user: User) -> str:
    """Return the last line that a user is shown."""
    return user.sees()[-1]


# Bans ---------------------------------------------------------------------------------------------


def test_a_banned_member_is_removed_told_why_and_may_not_return(server: Server) -> None:
    ada, bob, cy = owner(server), member(server, "bob"), member(server, "cy", address=OFFICE)
    for each in (ada, bob, cy):
        each.sees()
    ada.types("/ban bob 2h too loud")
    assert bob.sees() == ["-- You were banned from attic for 2 hours by ada (too loud)."]
    assert cy.sees() == ["-- bob was banned from attic for 2 hours by ada (too loud)"]
    assert ada.sees() == [
        "-- bob was banned from attic for 2 hours by ada (too loud)",
        "-- The ban of bob covers the nick bob and their address, for 2 hours.",
    ]
    server.now += 3600
    bob.types("/join attic")
    assert last(bob) == "-- You are banned from attic for another 1 hour (too loud)."
    bob.leaves()
    robert = server.enters("robert", address=CAFE)
    robert.types("/join attic")
    assert last(robert) == "-- You are banned from attic for another 1 hour (too loud)."
    robert.types("/search in:attic anything")
    assert last(robert) == "-- You are banned from attic for another 1 hour (too loud)."
    server.now += 3600
    robert.types("/join attic")
    assert last(robert) == "-- You are in attic, with ada, cy."
    ada.types("/bans")
    assert last(ada) == "-- Nobody is banned from attic."
    assert len(server.chat.rooms["attic"].bans) == 0


def test_a_ban_covers_everything_that_is_known_of_a_person(
    server: Server,
) -> None:
    ada = owner(server)
    bob, cy = owner(server, "bob", BOB, CAFE), member(server, "cy", CY)
    dee, eve = member(server, "dee"), member(server, "eve", address=OFFICE)
    ada.sees()
    covers = {}
    for each in (bob, cy, dee, eve):
        ada.types(f"/ban {each.nick}")
        covers[each.nick] = next(line for line in ada.sees() if "covers" in line)
    assert covers == {
        "bob": "-- The ban of bob covers the account bob, the key SHA256:bob, the nick bob and "
        "their address (for 1 day), for good.",
        "cy": "-- The ban of cy covers the key SHA256:cy, the nick cy and "
        "their address (for 1 day), for good.",
        "dee": "-- The ban of dee covers the nick dee and their address (for 1 day), for good.",
        "eve": "-- The ban of eve covers the nick eve and their address (for 1 day), for good.",
    }
    assert [
        [str(mark.target) for mark in ban.marks] for ban in server.chat.rooms["attic"].bans
    ] == [
        ["account:bob", "SHA256:bob", "nick:bob", CAFE],
        ["SHA256:cy", "nick:cy", CAFE],
        ["nick:dee", CAFE],
        ["nick:eve", "2001:db8:1:2::/64"],
    ]
    ada.types("/bans")
    assert ada.sees() == [
        "-- Banned from attic:",
        "   bob (the account bob, the key SHA256:bob, the nick bob and their address (for 1 day)), "
        "by ada, for good",
        "   cy (the key SHA256:cy, the nick cy and their address (for 1 day)), by ada, for good",
        "   dee (the nick dee and their address (for 1 day)), by ada, for good",
        "   eve (the nick eve and their address (for 1 day)), by ada, for good",
    ]


def test_the_nick_is_banned_if_the_address_is_shared_with_a_moderator(
    server: Server,
) -> None:
    ada, bob = owner(server), member(server, "bob", address=HOME)
    ada.sees()
    ada.types("/ban bob")
    assert last(ada) == (
        "-- The ban of bob covers the nick bob alone, for good. "
        "Their address is left out: a moderator of attic has it too."
    )
    bob.types("/nick robert"), bob.types("/join attic")
    assert last(bob) == "-- You are banned from attic for good."
    guest = member(server, "", address=HOME)
    ada.types(f"/ban {guest.nick}"), ada.sees()
    guest.leaves()
    again = member(server, "", address=HOME)
    assert again.nick == guest.nick
    assert "attic" in again.session.person.rooms, "it is another user with that nick"


@pytest.mark.parametrize(
    ("target", "banned"),
    [("account:bob", "bob"), ("SHA256:cy", "cy"), ("198.51.100.0/24", "dee"), (CAFE, "dee")],
)
def test_a_ban_may_name_an_account_a_key_or_an_address(
    server: Server, target: str, banned: str
) -> None:
    ada, eve = owner(server), member(server, "eve", address=OFFICE)
    here = {
        "bob": owner(server, "bob", BOB, HOME),
        "cy": member(server, "cy", CY, HOME),
        "dee": member(server, "dee", address=CAFE),
    }
    ada.sees()
    ada.types(f"/ban {target} 1d")
    answer = ada.sees()
    shown = "the account bob" if banned == "bob" else f"the key {CY}" if banned == "cy" else target
    assert f"-- The ban of {target} covers {shown}, for 1 day." in answer
    out = [nick for nick, each in here.items() if "attic" not in each.session.person.rooms]
    assert out == [banned]
    assert "attic" in eve.session.person.rooms
    ada.types("/bans")
    assert last(ada) == f"   {target}, by ada, for another 1 day"
    ada.types(f"/unban {target}")
    assert last(ada) == f"-- {target} may come into attic again."


def test_an_account_may_be_banned_whose_owner_is_not_here(server: Server) -> None:
    ada, bob = owner(server), owner(server, "bob", BOB, CAFE)
    bob.leaves()
    ada.sees()
    ada.types("/ban BOB 1w")
    assert ada.sees() == ["-- The ban of bob covers the account bob, for 7 days."]
    ada.types("/ban zoe")
    assert last(ada) == "-- There is nobody called zoe; /users says who is here."
    bob = owner(server, "bob", BOB, OFFICE)
    assert "attic" not in bob.session.person.rooms


def test_nobody_may_ban_themselves_the_owner_or_a_moderator_of_their_rank(server: Server) -> None:
    ada, bob = owner(server), owner(server, "bob", BOB, CAFE)
    cy = owner(server, "cy", CY, OFFICE)
    op = server.enters("op", operator=True, address="203.0.113.1", fingerprint="SHA256:op")
    op.types("/join attic"), ada.types("/op bob"), ada.types("/op cy")
    for each in (ada, bob, cy, op):
        each.sees()
    for user, line, answer in (
        (ada, "/ban ada", "You cannot do that to yourself."),
        (ada, "/ban account:ada", "You cannot do that to yourself."),
        (ada, "/ban SHA256:ada", "You cannot do that to yourself."),
        (ada, f"/ban {HOME}", "You cannot do that to yourself."),
        (ada, "/ban 0.0.0.0/0", "You cannot do that to yourself."),
        (ada, "/ban nick:ada", "You cannot do that to yourself."),
        (bob, "/ban ada", "ada is the owner of attic, and remains it."),
        (op, "/ban ada", "ada is the owner of attic, and remains it."),
        (bob, "/ban account:ada", "account:ada is the owner of attic, and remains it."),
        (bob, "/ban SHA256:ada", "SHA256:ada is the owner of attic, and remains it."),
        (bob, "/ban cy", "cy is a moderator of attic; that is not yours to do."),
        (bob, "/ban SHA256:cy", "SHA256:cy is a moderator of attic; that is not yours to do."),
        (bob, f"/ban {HOME}", f"{HOME} is also the address of somebody who looks after attic."),
        (
            ada,
            "/ban 2001:db8::/32",
            "2001:db8::/32 is also the address of somebody who looks after attic.",
        ),
        (ada, "/ban op", "op is an operator of attic; that is not yours to do."),
        (ada, "/ban SHA256:op", "op is an operator of attic; that is not yours to do."),
        (op, "/ban op", "You cannot do that to yourself."),
    ):
        user.types(line)
        assert last(user) == f"-- {answer}", line
    assert len(server.chat.rooms["attic"].bans) == 0
    cy.leaves(), ada.leaves(), bob.sees()
    for line, answer in (
        ("/ban account:cy", "account:cy is a moderator of attic; that is not yours to do."),
        ("/ban nick:cy", "nick:cy is a moderator of attic; that is not yours to do."),
        ("/ban nick:ada", "nick:ada is the owner of attic, and remains it."),
        (f"/ban {ADA}", f"{ADA} is the owner of attic, and remains it."),
    ):
        bob.types(line)
        assert last(bob) == f"-- {answer}", line


def test_no_ban_keeps_the_owner_out(server: Server) -> None:
    ada, bob = owner(server), owner(server, "bob", BOB, CAFE)
    ada.types("/op bob"), ada.types("/leave attic")
    bob.types("/ban nick:grace"), ada.types("/nick grace"), ada.types("/join attic")
    assert "attic" in ada.session.person.rooms


def test_a_ban_of_a_key_takes_the_role_of_its_account(server: Server) -> None:
    ada, bob = owner(server), owner(server, "bob", BOB, CAFE)
    ada.types("/op bob"), ada.types(f"/ban {BOB}"), ada.types(f"/unban {BOB}")
    bob.types("/join attic"), bob.types("/room slow 5")
    assert last(bob) == "-- Only a moderator of attic may do that."


def test_a_banned_moderator_loses_the_role(server: Server) -> None:
    ada, bob = owner(server), owner(server, "bob", BOB, CAFE)
    ada.types("/op bob"), ada.types("/ban bob"), ada.types("/unban bob")
    assert last(ada) == "-- bob may come into attic again."
    bob.types("/join attic"), bob.types("/kick ada")
    assert last(bob) == "-- Only a moderator of attic may do that."
    assert list(server.chat.rooms["attic"].roles) == ["ada"]


def test_a_ban_of_an_address_does_not_cover_moderators_and_operators(server: Server) -> None:
    ada, bob = owner(server), owner(server, "bob", BOB, OFFICE)
    ada.types("/op bob"), ada.types(f"/ban {CAFE}"), bob.leaves(), ada.sees()
    back = owner(server, "bob", BOB, CAFE)
    assert "attic" in back.session.person.rooms
    op = server.enters("op", operator=True, address=CAFE)
    op.types("/join attic")
    assert "attic" in op.session.person.rooms
    eve = member(server, "eve")
    assert "attic" not in eve.session.person.rooms


def test_only_moderators_set_lift_and_see_bans(server: Server) -> None:
    ada, bob = owner(server), member(server, "bob")
    outside = server.enters("cy", address=OFFICE)
    for line in ("/ban ada", "/unban ada", "/bans", "/unmute ada", "/mute ada"):
        bob.types(line)
        assert last(bob) == "-- Only a moderator of attic may do that."
    outside.types("/bans attic")
    assert last(outside) == "-- You are not in attic; /join attic takes you there."
    ada.types("/unban bob")
    assert last(ada) == "-- bob is not banned from attic."
    for line in ("/ban", "/unban", "/mute", "/unmute"):
        ada.types(line)
        assert last(ada).startswith(f"-- How to use it: {line} ")
    ada.types("/ban 12:34")
    assert last(ada).startswith("-- Name somebody by a nick, account:NICK, SHA256:… of a key, ")
    ada.types("/ban bob 2hours")
    assert last(ada) == "-- A time is written 30m, 2h, 7d or 1w, not 2hours."


def test_unban_finds_a_ban_of_an_address_by_the_nick_of_a_user_that_it_covers(
    server: Server,
) -> None:
    ada, bob = owner(server), member(server, "bob")
    ada.types(f"/ban {CAFE}"), ada.types("/unban bob")
    assert last(ada) == f"-- {CAFE} may come into attic again."
    bob.types("/join attic")
    assert "attic" in bob.session.person.rooms


def test_a_banned_user_may_not_post_without_joining(server: Server) -> None:
    ada, bob = owner(server), member(server, "bob")
    ada.types("/ban bob 1h spam")
    with pytest.raises(Refused, match=r"You are banned from attic for another 1 hour \(spam\)\."):
        post_without_joining(
            server.chat, bob.session, server.chat.rooms["attic"], "hello", server.now, print
        )


def test_bans_and_mutes_of_persistent_rooms_and_the_lobby_outlive_a_restart(
    server: Server, store: MemoryStore
) -> None:
    ada, bob, cy = owner(server), member(server, "bob"), member(server, "cy", CY, OFFICE)
    op = server.enters("op", operator=True)
    ada.types("/ban bob 1h spam"), ada.types("/mute cy 2h caps"), ada.types("/ban account:dee")
    op.types("/ban 203.0.113.0/24"), op.types("/mute cy")
    assert "-- There is nobody" not in "".join(ada.sees())
    server.now += 60
    for each in (ada, bob, cy, op):
        each.leaves()
    again = Server(store)
    again.now = server.now
    ada, cy = owner(again), member(again, "cyril", CY, OFFICE)
    bob = again.enters("bob", address=CAFE)
    bob.types("/join attic")
    assert last(bob) == "-- You are banned from attic for another 59 minutes (spam)."
    cy.types("hello")
    assert last(cy) == (
        "-- You are muted in attic for another 1 hour 59 minutes (caps); nobody was shown that."
    )
    cy.types("/focus lobby"), cy.types("hello")
    assert last(cy) == "-- You are muted in lobby; nobody was shown that."
    ada.types("/bans"), ada.types("/unban bob"), ada.types("/unmute cyril")
    row = "   bob (the nick bob and their address), by ada, for another 59 minutes (spam)"
    assert row in ada.sees()
    stranger = again.enters("eve", lobby=False, address="203.0.113.9")
    stranger.types("/join lobby")
    assert last(stranger) == "-- You are banned from lobby for good."
    third = Server(store)
    third.now = again.now
    bob, cy = member(third, "bob"), member(third, "cy", CY, OFFICE)
    assert "attic" in bob.session.person.rooms
    cy.types("hello")
    assert cy.sees() == []


def test_bans_are_stored_while_the_room_is_persistent(
    store: MemoryStore,
) -> None:
    server = Server(store)
    ada = server.enters("ada", fingerprint=ADA, address=HOME)
    ada.types("/join attic"), ada.types("/ban 203.0.113.1"), ada.types("/ban 203.0.113.2 1m")
    assert records(store, "ban") == {}
    ada.types("/register"), ada.types("/room lasting on")
    assert set(records(store, "ban")) == {"attic 203.0.113.1", "attic 203.0.113.2"}
    server.now += 61
    ada.types("/bans")
    assert set(records(store, "ban")) == {"attic 203.0.113.1"}
    ada.types("/room lasting off")
    assert records(store, "ban") == {}
    assert len(server.chat.rooms["attic"].bans) == 1
    ada.types("/leave attic")
    ada.types("/join attic")
    assert len(server.chat.rooms["attic"].bans) == 0


def test_stored_bans_of_a_room_that_does_not_exist_are_dropped(store: MemoryStore) -> None:
    server = Server(store)
    op = server.enters("op", operator=True)
    op.types("/ban 203.0.113.1"), op.sees()
    assert list(records(store, "ban")) == ["lobby 203.0.113.1"]
    other = Server(store, lobby="hall")
    other.enters("ada", lobby=False)
    assert records(store, "ban") == {}


def test_the_bans_of_a_room_are_bounded(server: Server) -> None:
    ada = owner(server)
    for number in range(BANS):
        ada.types(f"/ban nick:troll{number}")
    assert "covers" in last(ada)
    ada.types("/ban nick:another")
    assert last(ada) == f"-- attic has {BANS} bans; /unban somebody first."
    ada.types("/ban nick:troll7 1h again")
    assert "covers the nick troll7 alone, for 1 hour." in last(ada)
    ada.types("/unban nick:troll3"), ada.types("/ban nick:another")
    assert "covers" in last(ada)


# Mutes --------------------------------------------------------------------------------------------


def test_a_mute_holds_for_a_time_with_a_reason(server: Server) -> None:
    ada, bob = owner(server), member(server, "bob")
    ada.types("/mute bob 30m caps")
    assert last(bob) == "-- bob is muted in attic for 30 minutes, by ada (caps)"
    bob.types("but"), bob.types("/me waves"), bob.types("/bc hello")
    refusal = "-- You are muted in attic for another 30 minutes (caps); nobody was shown that."
    assert bob.sees() == [refusal] * 3
    ada.types("/mute bob")
    assert last(ada) == "-- bob is muted in attic."
    ada.types("/bans")
    assert ada.sees()[-2:] == [
        "-- Muted in attic:",
        "   bob (the nick bob and their address), by ada, for another 30 minutes (caps)",
    ]
    ada.types("/users")
    assert "   bob (muted)" in ada.sees()
    server.now += 1800
    bob.types("at last")
    assert last(ada) == "bob: at last"
    ada.types("/users")
    assert "   bob" in ada.sees()


def test_a_mute_holds_under_another_nick_and_after_coming_again(server: Server) -> None:
    ada, bob = owner(server), member(server, "bob")
    ada.types("/mute bob"), bob.leaves()
    back = member(server, "robert")
    back.types("hello?")
    refusal = "-- You are muted in attic for another 1 day; nobody was shown that."
    assert last(back) == refusal, "by the address"
    ada.sees()
    ada.types("/unmute bob")
    assert last(ada) == "-- bob may speak again in attic, by ada"
    back.types("hello")
    assert last(ada) == "robert: hello"
    ada.types("/unmute robert")
    assert last(ada) == "-- robert is not muted in attic."
    ada.types("/unmute zoe")
    assert last(ada) == "-- There is nobody called zoe; /users says who is here."


def test_a_muted_moderator_may_not_set_the_topic(server: Server) -> None:
    ada, bob = owner(server), owner(server, "bob", BOB, CAFE)
    ada.types("/op bob"), ada.types("/mute bob"), bob.sees()
    bob.types("/topic mine"), bob.types("/room topic mine"), bob.types("hello")
    assert bob.sees() == ["-- You are muted in attic; nobody was shown that."] * 3
    bob.types("/unmute bob")
    assert last(bob) == "-- You cannot do that to yourself."


def test_a_guest_who_moderates_is_muted_by_nick(server: Server) -> None:
    ada, bob = owner(server), member(server, "bob")
    ada.types("/op bob"), ada.types("/mute bob"), bob.sees()
    bob.types("hello")
    assert last(bob) == "-- You are muted in attic; nobody was shown that."
    bob.types("/nick robert"), bob.types("hello")
    assert last(bob) == "-- You are muted in attic; nobody was shown that."


def test_the_mutes_of_a_room_are_bounded(server: Server) -> None:
    ada = owner(server)
    for number in range(MUTES + 1):
        bob = member(server, f"bob{number}", address=f"203.0.{number // 250}.{1 + number % 250}")
        ada.types(f"/mute bob{number}")
        bob.leaves()
    assert len(server.chat.rooms["attic"].mutes) == MUTES
    assert f"-- attic has {MUTES} mutes; /unmute somebody first." in ada.sees()
    ada.types("/unmute bob0")
    assert last(ada) == "-- bob0 may speak again in attic, by ada"
    assert len(server.chat.rooms["attic"].mutes) == MUTES - 1


def test_past_the_bound_the_first_of_the_bans_of_a_nick_does_not_follow_it() -> None:
    server = Server()
    person = server.enters("bob").session.person
    op = server.enters("op", operator=True)
    rooms = []
    for number in range(NAMED_IN_BANS + 1):
        rooms.append(server.chat.open_room(names.room(f"room{number}"), f"room{number}"))
        rooms[-1].permanent = True
        op.types(f"/join room{number}"), op.types("/ban bob")
        op.types(f"/leave room{number}")
    assert len(person.named_in_bans) == NAMED_IN_BANS
    assert result_of(server.chat.rename(person, "robert", server.now)) is None
    targets = [[str(ban.target) for ban in room.bans] for room in rooms]
    assert targets == [["nick:bob"]] + [["nick:robert"]] * NAMED_IN_BANS


def test_a_long_reason_is_cut(server: Server) -> None:
    ada, bob = owner(server), member(server, "bob", address=OFFICE)
    ada.types(f"/mute bob 1h {'x' * REASON_LENGTH}")
    assert last(bob).endswith(f"({'x' * REASON_LENGTH})")
    ada.types("/unmute bob"), ada.types(f"/mute bob 1h {'x' * (REASON_LENGTH + 1)}")
    assert last(bob).endswith(f"({'x' * (REASON_LENGTH - 1)}…)")
    ada.types(f"/kick bob {'x' * (REASON_LENGTH + 1)}")
    assert last(bob) == f"-- You were kicked from attic by ada ({'x' * (REASON_LENGTH - 1)}…)."
    bob.types("/join attic")
    ada.types(f"/ban bob {'x' * (REASON_LENGTH + 1)}")
    assert last(bob).endswith(f"({'x' * (REASON_LENGTH - 1)}…).")
    bob.types(f"/away {'x' * (REASON_LENGTH + 1)}")
    assert bob.session.person.away == "x" * (REASON_LENGTH - 1) + "…"


def enters_as_guest(server: Server, key: str, address: str) -> tuple[Session, Client]:
    """Let a guest enter with a key that may be of an account, as `ssh HOST tail` does."""
    client, visitor = Client(), Visitor("tail", address, key, as_guest=True)
    entered = result_of(server.chat.enter(visitor, client, server.now))
    assert isinstance(entered, tuple)
    return entered[0], client


def test_a_guest_who_acts_for_an_absent_owner_is_not_banned_or_muted(
    server: Server,
) -> None:
    ada, bob = owner(server), owner(server, "bob", BOB, CAFE)
    ada.types("/op bob"), bob.sees()
    session, _ = enters_as_guest(server, ADA, HOME)
    result_of(server.chat.join(session, "attic", server.now))
    ada.leaves(), bob.sees()
    for command in ("ban", "mute"):
        bob.types(f"/{command} tail")
        assert last(bob) == "-- tail is the owner of attic, and remains it."
    ada = owner(server)
    ada.types("/op bob")
    assert last(ada) == "-- bob is a moderator of attic already."


def test_a_ban_of_an_account_covers_guests_who_act_for_its_owner(server: Server) -> None:
    ada = owner(server)
    owner(server, "bob", BOB, CAFE)
    session, _ = enters_as_guest(server, BOB, OFFICE)
    result_of(server.chat.join(session, "attic", server.now))
    ada.types("/ban bob")
    assert not session.person.rooms
    with pytest.raises(Refused, match="You are banned from attic"):
        result_of(server.chat.join(session, "attic", server.now))
    root = server.enters("root", operator=True)
    again, client = enters_as_guest(server, BOB, OFFICE)
    root.types("/server ban bob")
    assert client.closed
    assert not again.person.sessions


def test_a_guest_who_acts_for_an_owner_sees_the_owners_private_rooms(server: Server) -> None:
    ada = owner(server)
    ada.types("/room private on")
    session, _ = enters_as_guest(server, ADA, HOME)
    room = server.chat.find_room("attic", session)
    assert result_of(server.chat.join(session, "attic", server.now)) is room
    stranger, _ = enters_as_guest(server, CY, HOME)
    with pytest.raises(Refused, match="There is no room attic"):
        server.chat.find_room("attic", stranger)


def test_a_login_to_a_banned_account_removes_the_guest_from_the_room(server: Server) -> None:
    ada, bob = owner(server), owner(server, "bob", BOB, CAFE)
    bob.types("/password a long secret"), bob.sees()
    ada.types("/ban bob 2h noise"), bob.leaves()
    guest = member(server, "guest", address=OFFICE)
    ada.sees()
    guest.types("/login bob a long secret")
    assert "attic" not in guest.session.person.rooms
    assert "-- You were banned from attic for 2 hours by the server (noise)." in guest.sees()
    assert ada.sees()[-1] == "-- bob was banned from attic for 2 hours by the server (noise)"


def test_a_mute_of_a_generated_nick_does_not_outlive_a_restart(
    server: Server, store: MemoryStore
) -> None:
    ada = owner(server)
    guest = member(server, "", address=HOME)
    assert guest.nick == "guest1"
    ada.types("/mute guest1"), ada.types("/ban nick:guest2")
    again = Server(store)
    stranger = member(again, "", address=CAFE)
    assert stranger.nick == "guest1"
    stranger.types("hello")
    assert not any("muted" in line for line in stranger.sees())
    assert again.chat.rooms["attic"].bans.named("nick:guest2")
    assert not result_of(store.records("mute"))


def test_an_operator_may_mute_an_owner() -> None:
    server = Server()
    ada = server.enters("ada", fingerprint="SHA256:ada")
    ada.types("/register"), ada.types("/join attic")
    root = server.enters("root", operator=True)
    root.types("/join attic"), ada.sees(), root.sees()
    root.types("/mute ada 5m")
    assert root.sees() == ["-- ada is muted in attic for 5 minutes, by root"]
    ada.types("hello")
    assert ada.sees()[-1].startswith("-- You are muted in attic for another 5 minutes")
