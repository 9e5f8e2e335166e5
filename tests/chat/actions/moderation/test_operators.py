"""Actions of operators on the whole server."""

from __future__ import annotations

import pytest

from chatd.chat.events import Refused
from chatd.chat.limits import SERVER_BANS
from chatd.chat.model.bans import Ban, Kind, Target
from chatd.store.memory import MemoryStore
from tests.support.people import Server, User, records

ADA, BOB = "SHA256:ada", "SHA256:bob"
SUBCOMMANDS = (
    "ban|unban|bans|lock|unlock|kick|rename|accounts|forget|suspend|unsuspend|reset|"
    "close|say|stats|status …"
)
HOME, CAFE = "192.0.2.10", "198.51.100.20"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def server(store: MemoryStore) -> Server:
    return Server(store)


@pytest.fixture
def op(server: Server) -> User:
    return server.enters("op", operator=True, address=HOME, fingerprint="SHA256:op")


def last(user: User) -> str:
    """Return the last line that a user is shown."""
    return user.sees()[-1]


def refusal(
    server: Server, nick: str, *, address: str = "203.0.113.9", fingerprint: str | None = None
) -> str:
    """Return the sentence with which a user may not enter the server."""
    with pytest.raises(Refused) as refused:
        server.enters(nick, address=address, fingerprint=fingerprint)
    assert refused.value.code in ("banned", "not-invited")
    return refused.value.sentence


def test_the_server_commands_are_for_operators(server: Server, op: User) -> None:
    ada = server.enters("ada")
    for words in ("ban op", "unban op", "bans", "kick op", "say hi", "stats", "close lobby", ""):
        ada.types(f"/server {words}")
        assert last(ada) == "-- Only an operator of this server may do that."
    ada.types("/help"), op.types("/help")
    assert not any("/server" in line for line in ada.sees())
    assert any("/server" in line for line in op.sees())
    for words, usage in (
        ("", SUBCOMMANDS),
        ("dance", SUBCOMMANDS),
        ("ban", "ban TARGET [last TIME] [TIME] [REASON]"),
        ("rename ada", "rename NICK NEW"),
        ("say", "say TEXT"),
    ):
        op.types(f"/server {words}")
        assert last(op) == f"-- How to use it: /server {usage}"


def test_a_banned_user_is_disconnected_told_why_and_may_not_return(
    server: Server, op: User, store: MemoryStore
) -> None:
    bob = server.enters("bob", address=CAFE)
    op.sees()
    op.types("/server ban bob 2h spam")
    assert last(bob) == "-- You were banned from this server for 2 hours by op (spam)."
    assert bob.client.closed
    assert server.chat.people.find("bob") is None
    assert op.sees() == [
        "-- bob left (spam)",
        f"-- The ban of bob from this server covers the nick bob and {CAFE}, for 2 hours; "
        "1 was disconnected.",
    ]
    server.now += 60
    sentence = "You are banned from this server for another 1 hour 59 minutes (spam)."
    assert refusal(server, "cy", address=CAFE) == sentence
    again = Server(store)
    again.now = server.now
    assert refusal(again, "cy", address=CAFE) == sentence
    op = again.enters("op", operator=True, address=CAFE)
    op.types("/server bans")
    assert op.sees() == [
        "-- Banned from this server:",
        f"   bob (the nick bob and {CAFE}), by op, for another 1 hour 59 minutes (spam)",
    ]
    op.types("/server unban bob"), op.types("/server unban bob"), op.types("/server bans")
    assert op.sees() == [
        "-- bob may come into this server again.",
        "-- bob is not banned from this server.",
        "-- Nobody is banned from this server.",
    ]
    assert again.enters("bob", address=CAFE).nick == "bob"


@pytest.mark.parametrize(
    ("target", "nick", "known"),
    [
        ("account:bob", "robert", {"fingerprint": BOB}),
        ("bob", "robert", {"fingerprint": BOB}),
        ("SHA256:cy", "cy", {"fingerprint": "SHA256:cy"}),
        ("198.51.100.0/24", "cy", {"address": CAFE}),
        ("2001:db8::/32", "cy", {"address": "2001:db8:7::1"}),
        ("nick:Troll", "tROLL", {}),
    ],
)
def test_a_server_ban_covers_an_account_a_key_an_address_or_a_nick(
    server: Server, op: User, target: str, nick: str, known: dict[str, str]
) -> None:
    bob = server.enters("bob", fingerprint=BOB, address="203.0.113.1")
    bob.types("/register"), bob.leaves()
    op.types(f"/server ban {target}")
    assert "covers" in last(op)
    is_account = target in ("account:bob", "bob")
    what = "Your account is suspended" if is_account else "You are banned from this server"
    assert refusal(server, nick, **known) == f"{what} for good."
    server.enters("dee", address="203.0.113.2")


def test_only_an_operator_may_take_a_banned_nick(server: Server, op: User) -> None:
    ada = server.enters("ada")
    op.types("/server ban nick:troll"), ada.sees()
    ada.types("/nick Troll")
    assert last(ada) == "-- Nobody may be called troll here."
    op.types("/nick troll")
    assert op.nick == "troll"


def test_operators_are_neither_banned_nor_disconnected(server: Server, op: User) -> None:
    other = server.enters("root", operator=True, address=CAFE, fingerprint="SHA256:root")
    other.types("/register"), op.sees()
    for line in ("ban root", "ban account:root", "ban SHA256:root", "kick root", "rename root x"):
        op.types(f"/server {line}")
        assert last(op) == "-- root is an operator of this server."
    for line in ("ban op", "kick op", "rename op x", "ban SHA256:op"):
        op.types(f"/server {line}")
        assert last(op) == "-- You cannot do that to yourself."
    bob = server.enters("bob", address=CAFE)
    op.types("/server ban bob")
    assert last(op) == (
        "-- The ban of bob from this server covers the nick bob alone, for good; "
        "1 was disconnected. Their address is left out: an operator has it too."
    )
    assert bob.client.closed
    op.types(f"/server ban {CAFE}")
    assert last(op).endswith("nobody here was disconnected.")
    assert not other.client.closed
    assert server.enters("third", operator=True, address=CAFE).nick == "third"


def test_a_second_connection_from_a_banned_address_is_disconnected(
    server: Server, op: User
) -> None:
    bob = server.enters("bob", fingerprint=BOB, address=HOME)
    bob.types("/register")
    second = server.enters("bob", fingerprint=BOB, address=CAFE, lobby=False)
    op.sees(), second.sees(), bob.sees()
    op.types(f"/server ban {CAFE} 1h noise")
    assert "1" in last(op)
    assert second.client.closed
    assert not bob.client.closed
    assert bob.session.person.sessions == [bob.session]


def test_a_server_kick_ends_all_connections_of_a_user(server: Server, op: User) -> None:
    bob = server.enters("bob", fingerprint=BOB)
    bob.types("/register")
    second = server.enters("x", fingerprint=BOB, lobby=False)
    op.types("/server kick bob enough")
    assert last(op) == "-- bob is disconnected."
    for each in (bob, second):
        assert last(each) == "-- You were kicked from this server by op (enough)."
        assert each.client.closed
    assert server.enters("bob", fingerprint=BOB).nick == "bob"


def test_an_announcement_reaches_everyone_once(server: Server, op: User) -> None:
    ada, bob = server.enters("ada"), server.enters("bob", lobby=False)
    ada.types("/join attic"), ada.types("/ignore op"), ada.sees()
    op.types("/server say the server stops  at noon")
    for each in (ada, bob):
        assert last(each) == "-- op tells everyone: the server stops  at noon"


def test_stats_counts_people_connections_rooms_and_bans(server: Server, op: User) -> None:
    bob = server.enters("bob", fingerprint=BOB)
    bob.types("/register"), bob.types("/join attic")
    server.enters("x", fingerprint=BOB), server.enters("cy").types("/join cellar")
    server.now += 7200
    op.types("/server ban nick:troll"), op.sees(), op.types("/server stats")
    assert op.sees() == [
        "-- This server:",
        "   people 3, 1 of them with an account",
        "   connections 4",
        "   rooms 3, 1 of them lasting",
        "   bans 1",
        "   open for 2 hours",
        "   disk ok",
    ]


def test_an_operator_renames_a_user(server: Server, op: User) -> None:
    bob = server.enters("bad")
    server.enters("taken"), bob.sees(), op.sees()
    op.types("/server rename bad taken"), op.types("/server rename bad no/nick")
    op.types("/server rename zoe x"), op.types("/server rename bad bad")
    op.types("/server rename bad better")
    assert [line.partition(";")[0] for line in op.sees()] == [
        "-- taken is taken, or looks like a nick that is.",
        "-- A nick has letters and digits, then also . - and _",
        "-- There is nobody called zoe",
        "-- bad is called that already.",
        "-- bad is now known as better",
    ]
    assert bob.sees() == ["-- You are now known as better.", "-- op gave you that nick."]


def test_closing_a_room_removes_its_members_history_and_records(
    server: Server, op: User, store: MemoryStore
) -> None:
    bob = server.enters("bob", fingerprint=BOB)
    bob.types("/register"), bob.types("/join attic"), bob.types("secret"), bob.types("/ban nick:x")
    cy = server.enters("cy")
    cy.types("/join attic"), cy.sees(), bob.sees(), op.sees()
    op.types("/server close attic not here")
    assert last(op) == "-- attic is closed; 2 people were in it."
    for each in (bob, cy):
        assert last(each) == "-- You were kicked from attic by op (not here)."
        assert each.session.focus is server.chat.lobby
    assert "attic" not in server.chat.rooms
    assert records(store, "room") == records(store, "ban") == {}
    cy.types("/join attic"), cy.types("/history")
    assert cy.sees() == [
        "-- You opened attic; it is yours.",
        "-- Nothing was said in attic yet.",
    ]
    op.types("/server close lobby"), op.types("/server close zoe")
    assert op.sees() == [
        "-- lobby is the lobby, and stays.",
        "-- There is no room zoe; /rooms lists them.",
    ]
    bob.types("/join vault"), bob.leaves(), op.sees()
    op.types("/server close vault"), op.types("/rooms")
    assert op.sees()[:2] == ["-- vault is closed; 0 people were in it.", "-- 2 rooms:"]


def test_the_bans_of_a_server_are_bounded(server: Server, op: User) -> None:
    bans = server.chat.access.bans
    for number in range(SERVER_BANS - 1):
        target = Target(Kind.NICK, f"troll{number}")
        bans.restore(Ban(target, str(target), "op", 0.0, None, ""))
    op.types("/server ban nick:last"), op.types("/server ban nick:another"), op.sees()
    assert len(bans) == SERVER_BANS
    op.types("/server ban nick:another")
    assert last(op) == f"-- This server has {SERVER_BANS} bans; /server unban somebody first."


@pytest.mark.parametrize("line", ["/server kick bob", "/server ban bob", "/server ban SHA256:bob"])
def test_a_server_kick_or_ban_ends_a_detached_session(server: Server, op: User, line: str) -> None:
    bob = server.enters("bob", fingerprint=BOB, address=CAFE)
    assert bob.loses_connection() is not None
    op.sees()
    op.types(line)
    assert "-- bob left" in op.sees()
    assert server.chat.people.find("bob") is None
    assert len(server.chat.detached) == 0
    if "ban" in line:
        assert refusal(server, "bob", fingerprint=BOB).startswith("You are banned")


def test_a_user_is_told_on_resuming_of_a_ban_from_a_room(server: Server, op: User) -> None:
    bob = server.enters("bob", fingerprint=BOB, address=CAFE)
    assert bob.loses_connection() is not None
    op.types("/ban bob 2h spam")
    back = server.enters("bob", lobby=False, fingerprint=BOB, address=CAFE)
    assert back.sees() == [
        "-- Welcome back, bob.",
        "-- You were banned from lobby for 2 hours by op (spam).",
    ]
    assert back.session.focus is None


def test_a_user_name_that_becomes_a_banned_nick_is_refused(server: Server) -> None:
    root = server.enters("root", operator=True)
    root.types("/server ban nick:troll")
    for asked in ("troll", "troll!", "tr oll"):
        with pytest.raises(Refused, match="You are banned from this server"):
            server.enters(asked)


def test_a_person_is_an_operator_only_while_an_operators_connection_is_here(server: Server) -> None:
    ada = server.enters("ada", fingerprint="SHA256:ada")
    ada.types("/register a long secret")
    desk = server.enters("desk", fingerprint="SHA256:op", operator=True)
    desk.types("/login ada a long secret")
    assert ada.session.person is desk.session.person
    assert ada.session.person.operator
    desk.leaves(), ada.sees()
    ada.types("/server stats")
    assert ada.sees() == ["-- Only an operator of this server may do that."]


def test_a_password_makes_no_operator_while_the_operator_is_here_by_key(server: Server) -> None:
    """Every right of an operator is tried on both connections of one person."""
    desk = server.enters("ada", fingerprint="SHA256:op", operator=True)
    desk.types("/register a long secret")
    bob = server.enters("bob")
    bob.types("/join attic"), bob.types("/room private on")
    thief = server.enters("x")
    thief.types("/login ada a long secret")
    assert thief.session.person is desk.session.person
    assert desk.session.person.operator, "nobody bans or outranks them"
    elsewhere = "you are an operator only on the connection that came with your key."
    server_wide = (
        "-- Not by this connection: you are an operator only on the one that came with your key."
    )
    refused = {
        "/server stats": server_wide,
        "/server ban bob": server_wide,
        "/kick bob": f"-- Only a moderator of lobby may do that; {elsewhere}",
        "/ban bob": f"-- Only a moderator of lobby may do that; {elsewhere}",
        "/mute bob": f"-- Only a moderator of lobby may do that; {elsewhere}",
        "/op bob": f"-- Only the owner of lobby may do that; {elsewhere}",
        "/topic tea": f"-- Only a moderator of lobby may do that; {elsewhere}",
        "/room slow 5": f"-- Only a moderator of lobby may do that; {elsewhere}",
        "/delete 1": f"-- Only a moderator of lobby may do that; {elsewhere}",
        "/bans": f"-- Only a moderator of lobby may do that; {elsewhere}",
        "/join attic": "-- attic is private; its moderators can /invite you.",
        "/rooms attic": "-- There is no room attic; /rooms lists them.",
        "/users attic": "-- There is no room attic; /rooms lists them.",
    }
    for line, answer in refused.items():
        thief.sees()
        thief.types(line)
        if line == "/rooms attic":
            assert not any("attic" in row for row in thief.sees())
        else:
            assert thief.sees() == [answer], line
    thief.types("/whois bob"), thief.types("/help all"), thief.types("/audit")
    shown = thief.sees()
    assert not any("192.0.2" in row or "/server" in row or "/kick" in row for row in shown)
    for line in ("/users attic", "/topic tea", "/server stats", "/whois bob"):
        desk.types(line)
    rows = desk.sees()
    assert any("address 192.0.2.1" in row for row in rows)
    assert not any("may do that" in row or "no room" in row for row in rows)
    desk.leaves()
    thief.sees(), thief.types("/server stats")
    assert thief.sees() == ["-- Only an operator of this server may do that."]


def test_an_operators_connection_without_a_key_is_not_spared_by_a_ban_of_its_address(
    server: Server,
) -> None:
    desk = server.enters("ada", fingerprint="SHA256:op", operator=True)
    desk.types("/register a long secret")
    thief = server.enters("x", address="203.0.113.9")
    thief.types("/login ada a long secret")
    desk.types("/server ban 203.0.113.9")
    assert thief.client.closed
    assert not desk.client.closed


def test_resuming_an_operators_session_by_a_password_does_not_make_an_operator(
    server: Server,
) -> None:
    desk = server.enters("ada", fingerprint="SHA256:op", operator=True)
    desk.types("/register a long secret")
    assert desk.loses_connection() is not None
    assert desk.session.person.operator, "nobody bans them meanwhile"
    phone = server.enters("phone")
    phone.types("/login ada a long secret")
    assert phone.nick == "ada"
    assert not phone.session.person.operator
