"""Moderation while something else happens: its target is renamed, its room is left empty."""

from __future__ import annotations

import pytest

from chatd.chat.commands import receive
from chatd.chat.events import Refused
from chatd.chat.model.bans import Kind, Target
from tests.support.people import Server, User, records
from tests.support.slow_store import SlowStore
from tests.support.steps import finished, started

ADA, OP = "SHA256:ada", "SHA256:op"
#: An address that an operator has too, so that no ban of a person covers it.
SHARED, ELSEWHERE = "203.0.113.9", "198.51.100.1"
SECRET = "correct horse"


@pytest.fixture
def store() -> SlowStore:
    return SlowStore()


@pytest.fixture
def server(store: SlowStore) -> Server:
    return Server(store)


@pytest.fixture
def op(server: Server) -> User:
    user = server.enters("op", operator=True, fingerprint=OP, address=SHARED)
    server.now += 1_000
    return user


def types_slowly(user: User, line: str, meanwhile: User, other_line: str) -> None:
    """Let another user type a line while the store keeps what a line of the first changes."""
    store = user.server.chat._store
    assert isinstance(store, SlowStore)
    awaited = receive(user.server.chat, user.session, line, user.server.now)
    assert awaited is not None
    store.is_slow = True
    steps = started(awaited)
    store.is_slow = False
    meanwhile.types(other_line)
    finished(steps)


def test_a_ban_from_the_server_puts_out_who_changes_nick_meanwhile(
    server: Server, op: User
) -> None:
    troll = server.enters("troll", address=SHARED)
    types_slowly(op, "/server ban troll", troll, "/nick angel")
    assert troll.client.closed
    assert "; 1 was disconnected" in op.sees()[-1]


@pytest.mark.parametrize("command", ["ban", "mute"])
def test_a_ban_from_a_room_follows_who_changes_nick_meanwhile(
    server: Server, op: User, command: str
) -> None:
    op.types("/register"), op.types("/join attic")
    troll = server.enters("troll", address=SHARED)
    troll.types("/join attic")
    types_slowly(op, f"/{command} troll", troll, "/nick angel")
    troll.sees(), troll.types("/join attic"), troll.types("hello")
    assert "banned from attic" in (shown := "".join(troll.sees())) or "muted in attic" in shown
    room = server.chat.rooms["attic"]
    [made] = [*room.bans, *room.mutes]
    assert made.target == Target(Kind.NICK, "angel")


def test_raiders_who_change_nick_during_the_preview_are_banned_under_the_new_one(
    server: Server, op: User
) -> None:
    raiders = [server.enters(f"r{number}", address=SHARED) for number in range(3)]
    ask = op.client.ask

    async def rename(question: str, *, secret: bool) -> tuple[str, float]:
        raiders[0].types("/nick angel")
        return "yes", server.now

    op.client.ask = rename  # type: ignore[method-assign]
    op.types("/server ban everyone last 5m")
    op.client.ask = ask  # type: ignore[method-assign]
    assert [each.client.closed for each in raiders] == [True] * 3
    assert "; 3 were disconnected" in op.sees()[-1]
    for nick in ("angel", "r1", "r2"):
        with pytest.raises(Refused, match="You are banned"):
            server.enters(nick, address=ELSEWHERE)
    assert server.enters("r0", address=ELSEWHERE).nick == "r0"


def test_raiders_who_change_nick_while_it_is_stored_are_put_out(server: Server, op: User) -> None:
    raider = server.enters("r0", address=SHARED)
    op.client.answers = ["yes"]
    types_slowly(op, "/server ban everyone last 5m", raider, "/nick angel")
    assert raider.client.closed


def test_nobody_has_entered_lately_because_the_clock_was_set_back(server: Server, op: User) -> None:
    server.enters("bob")
    server.now -= 3_600
    server.enters("troll", address=ELSEWHERE)
    op.client.answers, op.client.now = ["no"], server.now
    op.sees(), op.types("/server ban everyone last 5m")
    shown = op.sees()
    assert any("troll, guest" in line for line in shown)
    assert not any("bob, guest" in line for line in shown)


# Bans and accounts --------------------------------------------------------------------------------


def test_bans_of_an_account_follow_it_to_another_nick(
    server: Server, op: User, store: SlowStore
) -> None:
    bob = server.enters("bob", address=ELSEWHERE)
    bob.types(f"/register {SECRET}"), bob.leaves()
    for room in ("attic", "cellar"):
        op.types(f"/join {room}"), op.types("/ban account:bob")
    op.types("/register"), op.types("/join kept"), op.types("/ban account:bob")
    op.types("/server suspend bob stolen")
    op.types("/server rename bob rob")
    assert list(records(store, "server ban")) == ["account:rob"]
    assert list(records(store, "ban")) == ["kept account:rob"]
    guest = server.enters("guest", address=ELSEWHERE)
    guest.types(f"/login rob {SECRET}")
    assert guest.session.person.account is None
    assert "Your account is suspended for good (stolen)" in guest.sees()[-1]
    op.sees(), op.types("/server unsuspend rob")
    assert op.sees() == ["-- The account rob may be used again."]
    guest.types(f"/login rob {SECRET}")
    assert guest.nick == "rob"
    for room in ("attic", "cellar", "kept"):
        guest.types(f"/join {room}")
        assert guest.sees()[-1] == f"-- You are banned from {room} for good."
    stranger = server.enters("bob", address=ELSEWHERE)
    stranger.types("/register another secret"), stranger.types("/join kept")
    assert "You opened" not in stranger.sees()[-1]
    assert "kept" in stranger.session.person.rooms, "the next bob is somebody else"


def test_bans_stay_where_they_were_when_a_rename_is_not_stored(
    server: Server, op: User, store: SlowStore
) -> None:
    bob = server.enters("bob", address=ELSEWHERE)
    bob.types(f"/register {SECRET}"), bob.leaves()
    op.types("/register"), op.types("/join kept"), op.types("/ban account:bob")
    op.types("/join attic"), op.types("/ban account:bob"), op.types("/server suspend bob")
    store.is_slow = store.fails = True
    awaited = receive(server.chat, op.session, "/server rename bob rob", server.now)
    assert awaited is not None
    with pytest.raises(Refused):
        finished(started(awaited))
    bans = [server.chat.access.bans, *(room.bans for room in server.chat.rooms.values())]
    assert [[str(each.target) for each in some] for some in bans if some] == [["account:bob"]] * 3


def test_the_next_owner_of_a_nick_edits_nothing_of_the_one_before(server: Server, op: User) -> None:
    ada = server.enters("ada", fingerprint=ADA)
    ada.types("/register"), ada.types("I resign")
    op.client.answers = ["ada"]
    op.types("/server forget ada")
    server.now += 1
    mallory = server.enters("ada", fingerprint="SHA256:mallory")
    mallory.types("/register"), op.sees()
    for line in ("/edit I do not", "/delete"):
        mallory.types(line)
        assert "You said nothing in lobby" in mallory.sees()[-1]
    assert op.sees() == []
    mallory.types("mine"), mallory.leaves()
    again = server.enters("ada", fingerprint="SHA256:mallory")
    op.sees(), again.types("/edit my own")
    assert op.sees() == ["* ada corrects: my own"]


# Rooms that are left empty ------------------------------------------------------------------------


def owner(server: Server, *, lasting: bool) -> User:
    ada = server.enters("ada", fingerprint=ADA)
    lines = ["/join attic", "/register"]
    for line in reversed(lines) if lasting else lines:
        ada.types(line)
    assert server.chat.rooms["attic"].settings.lasting is lasting
    return ada


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_a_room_that_is_left_while_it_is_made_lasting_or_not_is_as_it_is_stored(
    server: Server, store: SlowStore, lasting: bool, fails: bool
) -> None:
    ada = owner(server, lasting=lasting)
    line = f"/room lasting {'off' if lasting else 'on'}"
    awaited = receive(server.chat, ada.session, line, server.now)
    assert awaited is not None
    store.is_slow, store.fails = True, fails
    steps = started(awaited)
    store.is_slow = False
    ada.leaves()
    if fails:
        with pytest.raises(Refused):
            finished(steps)
    else:
        finished(steps)
    assert ("attic" in server.chat.rooms) is (lasting is fails)
    assert ("attic" in records(store, "room")) is (lasting is fails)
