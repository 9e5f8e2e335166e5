"""Raids: the lock for guests, bans of everybody who came lately, rooms where only some speak."""

from __future__ import annotations

import pytest

from chatd.chat.actions.messages import post_without_joining
from chatd.chat.events import Refused
from chatd.chat.limits import ESTABLISHED_SECONDS, RAID_BANS, ROOM_VOICES, SERVER_BANS
from chatd.chat.model.bans import Ban, Kind, Target
from chatd.store.memory import MemoryStore
from tests.support.people import Client, Server, User, records

ADA, BOB, CY = "SHA256:ada", "SHA256:bob", "SHA256:cy"
HOME, CAFE, OFFICE = "192.0.2.10", "198.51.100.20", "2001:db8:1:2::30"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def server(store: MemoryStore) -> Server:
    return Server(store)


@pytest.fixture
def op(server: Server) -> User:
    user = server.enters("op", operator=True, address=HOME, fingerprint="SHA256:op")
    user.sees()
    return user


def last(user: User) -> str:
    return user.sees()[-1]


def registered(server: Server, nick: str, key: str, address: str = OFFICE) -> User:
    user = server.enters(nick, fingerprint=key, address=address)
    if user.session.person.account is None:
        user.types("/register")
    return user


# The lock -----------------------------------------------------------------------------------------


def test_a_locked_server_lets_only_accounts_and_operators_in(
    server: Server, op: User, store: MemoryStore
) -> None:
    ada, guest = registered(server, "ada", ADA), server.enters("guest")
    ada.leaves()
    op.sees()
    op.types("/server lock 10m raid")
    assert last(op) == "-- Guests may not enter this server for another 10 minutes (raid)."
    sentence = "Only users with an account may enter this server for another 9 minutes (raid)."
    server.now += 60
    for key in (None, CY):
        with pytest.raises(Refused) as refused:
            server.enters("cy", fingerprint=key)
        assert (refused.value.code, refused.value.sentence) == ("locked", sentence)
    op.types("/unlock")
    assert last(op) == "-- There is no command /unlock; did you mean /server unlock?"
    guest.types("I am here already")
    assert last(op) == "guest: I am here already"
    assert registered(server, "ada", ADA).nick == "ada"
    second = server.enters("root", operator=True)
    assert "-- op locked this server for guests for another 9 minutes (raid)." in second.sees()
    op.types("/server status")
    assert "   locked for guests by op for another 9 minutes (raid)" in op.sees()
    again = Server(store)
    again.now = server.now
    with pytest.raises(Refused, match="Only users with an account"):
        again.enters("cy")
    again.now += 540
    assert again.enters("cy").nick == "cy"


def test_a_lock_without_a_time_holds_until_it_is_lifted(
    server: Server, op: User, store: MemoryStore
) -> None:
    root = server.enters("root", operator=True)
    op.sees(), root.sees()
    op.types("/server unlock")
    assert last(op) == "-- This server is not locked."
    op.types("/server lock")
    assert last(op) == "-- Guests may not enter this server; /server unlock lets them in again."
    assert last(root) == "-- op locked this server for guests."
    server.now += 10 * 86400
    with pytest.raises(Refused):
        server.enters("cy")
    root.types("/server unlock")
    assert last(root) == "-- Guests may enter this server again."
    assert last(op) == "-- root unlocked this server: guests may enter again."
    server.enters("cy")
    assert records(store, "server lock") == {}
    op.types("/audit 2")
    assert [line.split(" ", 5)[-1] for line in op.sees()[-2:]] == [
        "op: server lock guests",
        "root: server unlock guests",
    ]


def test_a_lock_has_no_hold_on_a_login(server: Server, op: User) -> None:
    guest = server.enters("guest")
    ada = server.enters("ada")
    ada.types("/register a long secret"), ada.leaves()
    op.types("/server lock")
    guest.types("/login ada a long secret")
    assert guest.nick == "ada"


# Everybody who came lately ------------------------------------------------------------------------


def answers(op: User, *answers: str) -> None:
    assert isinstance(op.client, Client)
    op.client.answers[:] = answers
    op.client.now = op.server.now


def test_everybody_who_came_lately_is_banned_after_a_preview(server: Server, op: User) -> None:
    registered(server, "ada", ADA).leaves()
    server.now += ESTABLISHED_SECONDS
    early = server.enters("early", address="203.0.113.1")
    server.now += 600
    ada, bob = registered(server, "ada", ADA, CAFE), registered(server, "bob", BOB, CAFE)
    root = server.enters("root", operator=True, address="203.0.113.77")
    raiders = [server.enters(f"raider{n}", address=f"203.0.113.{10 + n}") for n in range(3)]
    server.now += 60
    op.sees()
    answers(op, "no")
    op.types("/server ban everyone last 5m 2h raid")
    assert op.sees() == [
        "-- 4 people entered in the last 5 minutes, and would be banned for 2 hours:",
        "   bob, new account, 198.51.100.20, here for 1 minute",
        "   raider0, guest, 203.0.113.10, here for 1 minute",
        "   raider1, guest, 203.0.113.11, here for 1 minute",
        "   raider2, guest, 203.0.113.12, here for 1 minute",
        "   not 2 people: operators, or accounts of a day and more",
        "-- Nobody was banned.",
    ]
    assert isinstance(op.client, Client)
    assert op.client.asked == ["Ban them (yes)"]
    assert len(server.chat.access.bans) == 0
    answers(op, "Yes")
    op.types("/server ban everyone last 5m 2h raid")
    assert last(op) == (
        "-- 4 people are banned from this server; 4 were disconnected. "
        "/server unban last TIME lifts all bans of that time."
    )
    assert all(each.client.closed for each in (bob, *raiders))
    assert not any(each.client.closed for each in (ada, early, root, op))
    assert last(raiders[0]) == "-- You were banned from this server for 2 hours by op (raid)."
    for nick, address, key in (
        ("raider1", OFFICE, None),
        ("x", "203.0.113.12", None),
        ("x", OFFICE, BOB),
    ):
        with pytest.raises(Refused, match="You are banned"):
            server.enters(nick, address=address, fingerprint=key)
    op.types("/audit 1")
    assert last(op).endswith(
        "op: server ban 4 people of the last 5 minutes for 2 hours, "
        "bob, raider0, raider1, raider2 (raid)"
    )
    op.types("/server unban last 10m")
    assert last(op) == "-- 4 bans are lifted."
    server.enters("raider1", address="203.0.113.11")


def test_a_raid_from_one_network_leaves_who_comes_from_elsewhere(server: Server, op: User) -> None:
    raiders = [server.enters(f"raider{n}", address=f"203.0.113.{n}") for n in range(5)]
    cy = server.enters("cy", address=CAFE)
    answers(op, "yes")
    op.types("/server ban 203.0.113.0/24 last 1m")
    assert all(each.client.closed for each in raiders)
    assert not cy.client.closed
    op.types("/server ban cy last 1m")
    assert last(op) == "-- Say whom: everyone, or a network such as 203.0.113.0/24."
    op.types("/server ban everyone last")
    assert "How to use it: /server ban everyone|NETWORK last TIME" in last(op)
    server.now += 3600
    op.types("/server ban everyone last 5m")
    assert last(op) == "-- No guest and no new account entered in the last 5 minutes."


def test_clones_behind_one_address_lose_it_unless_others_were_there_before(
    server: Server, op: User
) -> None:
    old = [server.enters(f"pupil{n}", address=CAFE) for n in range(4)]
    server.now += 3600
    clones = [server.enters(f"clone{n}", address=OFFICE) for n in range(9)]
    more = [server.enters(f"clone{n}", address=CAFE) for n in range(10, 13)]
    op.sees(), answers(op, "yes")
    op.types("/server ban everyone last 5m")
    assert f"   not the address {CAFE}: 4 others here have it too" in op.sees()
    assert all(each.client.closed for each in (*clones, *more))
    assert not any(each.client.closed for each in old)
    server.enters("x", address=CAFE)
    with pytest.raises(Refused):
        server.enters("x", address=OFFICE)


def test_a_raider_who_leaves_during_the_preview_is_banned_all_the_same(
    server: Server, op: User
) -> None:
    raider = server.enters("raider", address=CAFE)
    assert isinstance(op.client, Client)

    async def ask(question: str, *, secret: bool) -> tuple[str, float]:
        raider.leaves()
        return "yes", server.now

    op.client.ask = ask  # type: ignore[method-assign]
    op.types("/server ban everyone last 5m")
    assert "1 person is banned from this server; 0 were disconnected." in last(op)
    with pytest.raises(Refused):
        server.enters("y", address=CAFE)


def test_a_raid_is_bounded(server: Server, op: User) -> None:
    for number in range(RAID_BANS):
        server.enters(f"r{number}", lobby=False, address=f"203.0.{number // 250}.{number % 250}")
    bans = server.chat.access.bans
    for number in range(SERVER_BANS - RAID_BANS + 1):
        target = Target(Kind.NICK, f"troll{number}")
        bans.restore(Ban(target, str(target), "op", 0.0, None, ""))
    answers(op, "yes"), op.sees()
    op.types("/server ban everyone last 5m")
    assert last(op) == f"-- This server has {SERVER_BANS} bans; /server unban somebody first."
    bans.drop(Target(Kind.NICK, "troll0"), quietly=True)
    server.enters("one.more", lobby=False)
    op.types("/server ban everyone last 5m")
    assert last(op).startswith(f"-- {RAID_BANS + 1} people entered in the last 5 minutes, more")
    server.chat.people.find("one.more").sessions[0]  # type: ignore[union-attr]
    op.types("/server ban 203.0.0.0/16 last 5m")
    assert f"-- {RAID_BANS} people are banned from this server" in last(op)


# Who may speak ------------------------------------------------------------------------------------


def test_a_room_may_let_only_accounts_speak(server: Server, op: User) -> None:
    ada, bob = registered(server, "ada", ADA), server.enters("bob")
    op.sees(), bob.sees()
    op.types("/room speak registered")
    assert last(bob) == "-- op set speak of lobby to registered"
    refusal = "-- Only users with an account may speak in lobby; /register makes you one."
    bob.types("hello"), bob.types("/me waves"), bob.types("/bc hello")
    assert bob.sees() == [refusal] * 3
    ada.types("hello")
    assert last(op) == "ada: hello"
    with pytest.raises(Refused) as refused:
        post_without_joining(
            server.chat, bob.session, server.chat.lobby, "x", server.now, lambda outcome: None
        )
    assert refused.value.code == "no-voice"
    op.types("/room speak nobody")
    assert last(op) == "-- speak is one of everyone, registered, voices."
    op.types("/room speak everyone")
    bob.types("hello")
    assert last(op) == "bob: hello"


def test_a_voice_lets_somebody_speak(server: Server, op: User, store: MemoryStore) -> None:
    ada, bob, cy = registered(server, "ada", ADA), server.enters("bob"), server.enters("cy")
    op.types("/room speak voices")
    for each in (ada, bob, cy):
        each.types("hello")
        assert last(each) == (
            "-- Only users with a voice may speak in lobby; a moderator can give you one."
        )
    op.types("hello"), op.types("/voice ada"), op.types("/voice bob"), cy.sees()
    cy.types("/voice cy")
    assert last(cy) == "-- Only a moderator of lobby may do that."
    assert last(ada) == "-- bob may speak in lobby, by op"
    op.types("/voice bob")
    assert last(op) == "-- bob has a voice in lobby already."
    op.types("/users")
    assert {"   ada (voice)", "   bob (voice)", "   cy"} <= set(op.sees())
    bob.types("/nick robert"), bob.types("hello"), ada.types("hello")
    assert {"robert: hello", "ada: hello"} <= set(op.sees())
    bob.leaves(), ada.leaves()
    robert = server.enters("robert")
    robert.types("hello")
    assert last(robert).startswith("-- Only users with a voice"), "it is somebody else"
    op.types("/devoice robert")
    assert last(op) == "-- robert has no voice in lobby."
    again = Server(store)
    ada, cy = registered(again, "ada", ADA), again.enters("cy")
    cy.types("hello"), ada.sees()
    ada.types("hello")
    assert last(cy) == "ada: hello"
    root = again.enters("root", operator=True)
    root.types("/devoice ada")
    assert last(cy) == "-- ada has no voice any more in lobby, by root"
    ada.types("hello")
    assert last(ada).startswith("-- Only users with a voice")


def test_a_kick_takes_the_voice(server: Server, op: User) -> None:
    bob = server.enters("bob")
    op.types("/room speak voices"), op.types("/voice bob"), op.types("/kick bob")
    bob.types("/join lobby"), bob.types("hello")
    assert last(bob).startswith("-- Only users with a voice")


def test_the_voices_of_a_room_are_bounded(server: Server, op: User) -> None:
    room = server.chat.lobby
    users = [server.enters(f"u{number}", lobby=False) for number in range(ROOM_VOICES + 1)]
    for user in users:
        room.give_voice(user.session.person)
    assert len(room.voices) == ROOM_VOICES
    assert not room.has_voice(users[0].session.person)
