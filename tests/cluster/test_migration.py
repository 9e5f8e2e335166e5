"""Migration: a detached session resumes on another server, with all that it had."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from chatd.chat.entry.detached import DetachedSession
from chatd.chat.entry.entrance import Visitor
from chatd.chat.limits import MIGRATIONS_REMEMBERED
from chatd.chat.model.client import DeliveryReport
from chatd.cluster.migration import CAME_BY_ANOTHER_SERVER
from chatd.store.memory import MemoryStore
from chatd.transport.services.shutdown import GOODBYE_SECONDS, MOVED, Shutdown
from tests.chat.actions.test_resume import words
from tests.support.cluster.chat_cluster import ChatCluster
from tests.support.people import Client, User, result_of

ADA = "SHA256:ada"


@pytest.fixture
def cluster() -> ChatCluster:
    return ChatCluster(3)


def registered_ada(cluster: ChatCluster, at: int = 0) -> User:
    """Return Ada, who owns her nick, in the lobby and in a room of hers."""
    ada = cluster.servers[at].enters("ada", fingerprint=ADA)
    ada.types("/register")
    ada.types("/join attic")
    cluster.deliver_all()
    ada.sees()
    return ada


def enters_by_key(cluster: ChatCluster, server: int) -> User:
    """Let Ada enter a server by her key."""
    ada = cluster.servers[server].enters("", lobby=False, fingerprint=ADA)
    cluster.deliver_all()
    return ada


def closed(user: User) -> bool:
    return user.client.closed


def members(user: User, room: str = "lobby") -> list[str]:
    user.sees()
    user.types(f"/users {room}")
    return sorted(line.strip() for line in user.sees()[1:])


def test_a_session_resumed_on_another_server_misses_nothing_and_others_see_nothing(
    cluster: ChatCluster,
) -> None:
    ada, bob, cy = (
        registered_ada(cluster),
        cluster.servers[1].enters("bob"),
        cluster.servers[2].enters("cy"),
    )
    for user in (bob, cy):
        user.types("/join attic")
    cluster.deliver_all()
    bob.types("before")
    cluster.deliver_all()
    ada.sees(), bob.sees(), cy.sees()
    ada.loses_connection()
    bob.types("one"), bob.types("two"), cy.types("/focus lobby"), cy.types("three")
    bob.types("/dm ada alone")
    cluster.deliver_all()
    bob.sees(), cy.sees()
    back = enters_by_key(cluster, 1)
    shown = back.sees()
    assert back.nick == "ada"
    assert shown[0] == "-- Welcome back, ada."
    assert sorted(words(shown)) == ["one", "three", "two"]
    assert "[bob -> you] alone" in shown
    bob.types("live")
    cluster.deliver_all()
    assert words(back.sees()) == ["live"]
    back.types("here")
    cluster.deliver_all()
    assert bob.sees() == ["ada: here"]
    assert cy.sees()[-2:] == ["[attic] bob: live", "[attic] ada: here"]
    for user in (bob, cy):
        assert members(user) == ["ada", "bob", "cy"]
        assert members(user, "attic") == ["ada (owner)", "bob", "cy"]
    assert cluster.servers[0].chat.people.get("ada") is not None
    assert len(cluster.servers[0].chat.detached) == 0


def test_a_former_member_of_a_private_room_may_rejoin_on_another_server(
    cluster: ChatCluster,
) -> None:
    bob = cluster.servers[1].enters("bob")
    cy = cluster.servers[2].enters("cy", fingerprint="SHA256:cy")
    cluster.join("den", bob, cy)
    bob.types("/room private on")
    cluster.deliver_all()
    cy.types("/leave den")
    cluster.deliver_all()
    cy.loses_connection()
    cluster.deliver_all()
    back = cluster.servers[0].enters("", lobby=False, fingerprint="SHA256:cy")
    back.sees()
    cluster.join("den", back)
    assert back.sees()[-1] == "-- You are in den, with bob."


def test_a_migrated_user_keeps_the_nick_and_gets_messages_on_the_new_server(
    cluster: ChatCluster,
) -> None:
    ada, bob = registered_ada(cluster), cluster.servers[1].enters("bob")
    cy = cluster.servers[2].enters("cy")
    cluster.deliver_all()
    ada.loses_connection()
    back = enters_by_key(cluster, 1)
    assert cluster.servers[2].enters("ada").nick == "ada2"
    cluster.deliver_all()
    assert back.sees()[-1] == "-- Somebody with no key asked for your nick, and is ada2 now."
    for user in (bob, cy):
        user.types("/dm ada psst")
        cluster.deliver_all()
    assert back.sees()[-2:] == ["[bob -> you] psst", "[cy -> you] psst"]
    back.types("/reply what")
    cluster.deliver_all()
    assert cy.sees()[-1] == "[ada -> you] what"
    back.types("/nick grace")
    cluster.deliver_all()
    assert cy.sees() == ["-- ada is now known as grace"]


def test_a_call_on_its_way_follows_a_migrated_user(cluster: ChatCluster) -> None:
    ada, cy = registered_ada(cluster), cluster.servers[2].enters("cy")
    cy.types("/join den")
    cluster.deliver_all()
    ada.loses_connection()
    cy.types("/invite ada")
    [call] = [each for each in cluster.messages if "invite" in each[2] and "errand" in each[2]]
    cluster.messages.remove(call)
    back = enters_by_key(cluster, 1)
    back.sees()
    cluster.messages.append(call)
    cluster.deliver_all()
    assert back.sees() == ["-- cy invites you into den; /join den takes you there."]


def test_a_direct_message_follows_a_migrated_user(cluster: ChatCluster) -> None:
    ada, cy = registered_ada(cluster), cluster.servers[2].enters("cy")
    cluster.deliver_all()
    ada.loses_connection()
    back = cluster.servers[1].enters("ada", fingerprint=ADA, lobby=False)
    back.sees(), cy.sees()
    cy.types("/dm ada psst")  # whose server does not know of the migration
    assert back.sees() == ["[cy -> you] psst"]
    assert cy.sees()[-1] == "[you -> ada] psst"


def test_only_the_latest_migrations_are_remembered(cluster: ChatCluster) -> None:
    server = cluster.servers[0]
    local = server.cluster.local
    users = [server.enters(f"u{number}") for number in range(MIGRATIONS_REMEMBERED + 1)]
    numbers = [local.number(user.session.person) for user in users]
    for user in users:
        local.moved_away(user.session.person, "s1")
    assert local.moved_to(numbers[0]) is None
    assert all(local.moved_to(number) is not None for number in numbers[1:])


def test_a_guest_resumes_on_another_server_by_the_token_once(cluster: ChatCluster) -> None:
    guest, bob = cluster.servers[0].enters(), cluster.servers[1].enters("bob")
    cluster.deliver_all()
    guest.types("/resume")
    token = guest.sees()[-1].split()[7]
    guest.loses_connection()
    bob.types("psst")
    cluster.deliver_all()
    other = cluster.servers[2].enters()
    cluster.deliver_all()
    other.types("/resume nonsense")
    assert other.sees()[-1] == "-- There is no place with that token any more."
    bob.sees()
    other.types(f"/resume {token}")
    cluster.deliver_all()
    shown = other.sees()
    assert shown[:3] == ["-- Welcome back, guest1.", "-- lobby, 1 new:", "   13:46 bob: psst"]
    assert other.nick == "guest1"
    cluster.deliver_all()
    assert bob.sees() == ["-- guest2 left"]
    assert members(bob) == ["bob", "guest1"]
    again = cluster.servers[1].enters()
    again.types(f"/resume {token}")
    assert again.sees()[-1] == "-- There is no place with that token any more.", "it works once"


def test_a_token_takes_the_session_from_a_connection_that_seems_alive(cluster: ChatCluster) -> None:
    guest, other = cluster.servers[0].enters(), cluster.servers[1].enters("bob")
    cluster.deliver_all()
    guest.types("/resume")
    token = guest.sees()[-1].split()[7]
    other.types(f"/resume {token}")
    cluster.deliver_all()
    assert guest.sees() == ["-- Another connection has taken your place."]
    assert closed(guest)
    assert other.nick == "guest1"


def test_a_token_that_is_replaced_during_the_migration_is_refused(cluster: ChatCluster) -> None:
    guest, other = cluster.servers[0].enters(), cluster.servers[1].enters("bob")
    cluster.deliver_all()
    guest.types("/resume")
    token = guest.sees()[-1].split()[7]
    guest.client.report = DeliveryReport(unreached=1)
    sessions = cluster.servers[0].chat.detached
    rewind = sessions.rewind

    async def rewind_while_the_token_changes(detached: DetachedSession) -> None:
        guest.types("/resume")
        await rewind(detached)

    sessions.rewind = rewind_while_the_token_changes  # type: ignore[method-assign]
    other.types(f"/resume {token}")
    cluster.deliver_all()
    assert other.sees()[-1] == "-- There is no place with that token any more."
    assert not closed(guest)
    assert other.nick == "bob"


def test_a_guest_resumes_on_another_server_by_key_and_ignores_the_same_users(
    cluster: ChatCluster,
) -> None:
    ada, bob = cluster.servers[0].enters("ada", fingerprint=ADA), cluster.servers[1].enters("bob")
    cluster.deliver_all()
    ada.types("/ignore bob")
    ada.loses_connection()
    bob.sees()
    back = enters_by_key(cluster, 1)
    assert back.nick == "ada"
    bob.types("hello")
    assert words(back.sees()) == [], "ignored users are ignored on every server"
    bob.types("/nick rob")
    cluster.deliver_all()
    bob.types("still me")
    assert words(back.sees()) == []


def test_a_session_on_a_dead_connection_migrates_with_its_unreceived_messages(
    cluster: ChatCluster,
) -> None:
    ada, bob = registered_ada(cluster), cluster.servers[1].enters("bob")
    cluster.deliver_all()
    bob.types("seen")
    cluster.deliver_all()
    ada.sees()
    bob.types("not seen")
    cluster.deliver_all()
    size = len(b"[lobby] bob: not seen\r\n")
    ada.client.report = DeliveryReport(unreached=size, owing=1e9)
    back = enters_by_key(cluster, 2)
    assert words(back.sees()) == ["not seen"]
    assert closed(ada)


def test_a_session_on_a_working_connection_does_not_migrate(cluster: ChatCluster) -> None:
    ada = registered_ada(cluster)
    other = enters_by_key(cluster, 1)
    assert other.nick != "ada"
    assert not closed(ada)
    cluster.deliver_all()
    assert ada.nick == "ada"


def test_a_user_of_a_dead_server_resumes_on_another(cluster: ChatCluster) -> None:
    ada, bob = registered_ada(cluster), cluster.servers[1].enters("bob")
    bob.types("/join attic")
    cluster.deliver_all()
    bob.types("before")
    cluster.advance(5)
    ada.sees()
    cluster.stores[0].disconnected = True
    for server in cluster.servers:
        server.now += 1
    bob.types("after")
    bob.sees()
    back = enters_by_key(cluster, 1)
    assert back.nick == "ada"
    assert words(back.sees()) == ["after"]
    for _ in range(8):
        cluster.advance(5)
    assert bob.sees() == [], "nobody left"
    assert members(bob, "attic") == ["ada (owner)", "bob"]


def test_a_server_that_was_isolated_disconnects_users_who_have_moved(
    cluster: ChatCluster,
) -> None:
    ada, bob = registered_ada(cluster), cluster.servers[1].enters("bob")
    cluster.deliver_all()
    cluster.stores[0].disconnected = True
    back = enters_by_key(cluster, 1)
    cluster.stores[0].disconnected = False
    cluster.advance(5)
    cluster.advance(5)
    assert ada.sees()[-1] == f"-- {CAME_BY_ANOTHER_SERVER.text}"
    assert closed(ada)
    bob.types("hello")
    cluster.deliver_all()
    assert words(back.sees())[-1:] == ["hello"]
    assert members(bob) == ["ada", "bob"]


def test_a_server_that_stops_sends_its_detached_sessions_to_another(cluster: ChatCluster) -> None:
    ada, bob = registered_ada(cluster), cluster.servers[1].enters("bob")
    guest = cluster.servers[0].enters()
    cluster.deliver_all()
    guest.types("/resume")
    token = guest.sees()[-1].split()[7]
    bob.sees()
    for user in (ada, guest):
        user.loses_connection()
        assert result_of(cluster.servers[0].cluster.send_away(user.session.person, "s1"))
    cluster.deliver_all()
    bob.types("meanwhile")
    cluster.stores[0].disconnected = True
    for _ in range(8):
        cluster.advance(5)
    assert words(bob.sees()) == []
    assert members(bob) == ["ada (cut off)", "bob", "guest1 (cut off)"]
    expiring = cluster.servers[1].expiring
    assert len(expiring) == 2
    back = enters_by_key(cluster, 2)
    assert back.nick == "ada"
    assert words(back.sees()) == ["meanwhile"]
    other = cluster.servers[2].enters()
    other.types(f"/resume {token}")
    assert other.nick == "guest1"
    for expire in expiring:
        expire(cluster.servers[1].now)
    cluster.deliver_all()
    assert members(bob) == ["ada", "bob", "guest1"]


def test_a_migrated_session_that_nobody_resumes_expires_on_the_new_server(
    cluster: ChatCluster,
) -> None:
    ada, bob = registered_ada(cluster), cluster.servers[1].enters("bob")
    cluster.deliver_all()
    ada.loses_connection()
    bob.sees()
    assert result_of(cluster.servers[0].cluster.send_away(ada.session.person, "s1"))
    cluster.deliver_all()
    [expire] = cluster.servers[1].expiring
    expire(cluster.servers[1].now)
    cluster.deliver_all()
    assert bob.sees() == ["-- ada left"]
    assert members(bob) == ["bob"]


def test_no_session_is_sent_to_an_unreachable_server(cluster: ChatCluster) -> None:
    ada = registered_ada(cluster)
    ada.loses_connection()
    cluster.stores[1].disconnected = True
    assert not result_of(cluster.servers[0].cluster.send_away(ada.session.person, "s1"))
    assert enters_by_key(cluster, 0).sees()[0] == "-- Welcome back, ada."


def test_a_server_that_has_just_started_accepts_an_unknown_user(
    cluster: ChatCluster,
) -> None:
    ada, bob = registered_ada(cluster), cluster.servers[1].enters("bob")
    cluster.deliver_all()
    ada.loses_connection()
    cluster.add_server()
    cluster.messages.clear()
    assert result_of(cluster.servers[0].cluster.send_away(ada.session.person, "s3"))
    cluster.advance(5)
    assert members(bob) == ["ada (cut off)", "bob"]
    back = enters_by_key(cluster, 3)
    assert back.sees()[0] == "-- Welcome back, ada."
    assert sorted(back.session.person.rooms) == ["attic", "lobby"]


def test_an_account_authenticated_without_a_key_resumes_on_another_server(
    cluster: ChatCluster,
) -> None:
    ada, bob = registered_ada(cluster), cluster.servers[1].enters("bob")
    cluster.deliver_all()
    ada.loses_connection()
    bob.types("meanwhile")
    client = Client()
    entered = result_of(
        cluster.servers[1].chat.enter(Visitor(account="ada"), client, cluster.servers[1].now)
    )
    assert isinstance(entered, tuple)
    assert "-- Welcome back, ada." in User(cluster.servers[1], entered[0], client).sees()


# A server that stops ------------------------------------------------------------------------------


def stop_first_server(cluster: ChatCluster, clock: Clock) -> Deferred[None]:
    """Stop the first server, as ``systemctl stop`` does."""
    server = cluster.servers[0]
    return Shutdown(
        server.chat, MemoryStore(), clock, lambda: server.now, server.cluster
    ).stopService()


def test_users_of_a_server_that_stops_resume_elsewhere_and_nobody_sees_them_leave(
    cluster: ChatCluster,
) -> None:
    ada, bob = registered_ada(cluster), cluster.servers[1].enters("bob")
    guest = cluster.servers[0].enters()
    cluster.deliver_all()
    guest.types("/resume")
    token = guest.sees()[-1].split()[7]
    bob.sees()
    clock = Clock()
    stopped = stop_first_server(cluster, clock)
    cluster.deliver_all()
    clock.advance(GOODBYE_SECONDS)
    assert stopped.called
    cluster.deliver_all()
    for user in (ada, guest):
        assert user.sees()[-1] == f"-- {MOVED.text}"
        assert closed(user)
    bob.types("meanwhile")
    assert bob.sees() == []
    back, other = enters_by_key(cluster, 2), cluster.servers[1].enters()
    assert words(back.sees()) == ["meanwhile"]
    other.types(f"/resume {token}")
    assert words(other.sees()) == ["meanwhile"]
    cluster.deliver_all()
    assert members(bob) == ["ada", "bob", "guest1"]


def test_a_client_that_cannot_resume_leaves_when_the_server_stops(cluster: ChatCluster) -> None:
    bob, bot = cluster.servers[1].enters("bob"), Client()
    bot.resumable = False
    cluster.servers[0].enters("bot", client=bot)
    cluster.deliver_all()
    bob.sees()
    clock = Clock()
    stop_first_server(cluster, clock)
    assert b"Goodbye" in bot.received
    clock.advance(GOODBYE_SECONDS)
    cluster.deliver_all()
    assert bob.sees() == ["-- bot left"]


def test_servers_that_stop_together_send_no_session_to_each_other(cluster: ChatCluster) -> None:
    ada, cy = registered_ada(cluster), cluster.servers[2].enters("cy")
    cluster.servers[1].cluster.stop_accepting()
    cluster.deliver_all()
    clock = Clock()
    stop_first_server(cluster, clock)
    assert ada.sees()[-1] == f"-- {MOVED.text}"
    assert cy.session.person.rooms
    assert len(cluster.servers[2].chat.detached) == 1
    cluster.servers[2].cluster.stop_accepting()
    server = cluster.servers[2]
    Shutdown(server.chat, MemoryStore(), clock, lambda: server.now, server.cluster).stopService()
    assert cy.sees()[-1] == "-- The server is stopping. Goodbye."
    assert closed(cy)


def test_the_last_server_disconnects_its_users_when_it_stops(cluster: ChatCluster) -> None:
    ada = registered_ada(cluster)
    for store in cluster.stores[1:]:
        store.disconnected = True
    clock = Clock()
    stop_first_server(cluster, clock)
    clock.advance(GOODBYE_SECONDS)
    assert closed(ada)


def test_a_session_given_up_while_the_store_is_unavailable_stays_detached(
    cluster: ChatCluster,
) -> None:
    ada = registered_ada(cluster)
    ada.client.report = DeliveryReport(owing=1e9)
    sessions = cluster.servers[0].chat.detached
    detached = sessions.take(ada.session.person)
    assert detached is not None
    sessions.put_back(ada.session, detached)
    assert sessions.get(ada.session.person) is detached
    assert len(cluster.servers[0].expiring) == 1
