"""Nothing keeps a room that is gone, nor a person: every way out of a room, many times over."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest

from chatd.chat.actions.resume import resume
from chatd.chat.model.entities import Person, Room
from tests.support.cluster.chat_cluster import ChatCluster
from tests.support.people import Server, User, result_of

ROUNDS = 3


def kept_rooms(name: str = "gone") -> list[str]:
    """Return the names of the rooms that something refers to, if they begin like this."""
    gc.collect()
    rooms = [each for each in gc.get_objects() if isinstance(each, Room)]
    return sorted(room.name.key for room in rooms if room.name.key.startswith(name))


def kept_people(nick: str) -> int:
    """Return how many people with nicks that begin like this something refers to."""
    gc.collect()
    people = [each for each in gc.get_objects() if isinstance(each, Person)]
    return sum(person.name.key.startswith(nick) for person in people)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def ada(server: Server) -> User:
    return server.enters("ada")


@pytest.fixture
def bob(server: Server) -> User:
    return server.enters("bob")


def away_from(room: str, *users: User) -> None:
    """Let users join a room, and then give another room the focus."""
    for user in users:
        user.types(f"/join {room}"), user.types("/join lobby")


# Each takes the last member out of a room in which `ada` and `bob` are.
def leave_with_focus(room: str, ada: User, bob: User) -> None:
    ada.types(f"/join {room}"), ada.types("/leave"), bob.types(f"/leave {room}")


def leave_without_focus(room: str, ada: User, bob: User) -> None:
    away_from(room, ada, bob)
    ada.types(f"/leave {room}"), bob.types(f"/leave {room}")


def leave_unread(room: str, ada: User, bob: User) -> None:
    away_from(room, ada)
    bob.types(f"/join {room}"), bob.types("ada: look here"), ada.sees()
    leave_without_focus(room, ada, bob)


def kick(room: str, ada: User, bob: User) -> None:
    away_from(room, bob)
    ada.types(f"/join {room}"), ada.types("/kick bob"), ada.types(f"/leave {room}")


def ban(room: str, ada: User, bob: User) -> None:
    away_from(room, bob)
    ada.types(f"/join {room}"), ada.types("/ban bob"), ada.types("/leave")


def unban(room: str, ada: User, bob: User) -> None:
    away_from(room, bob)
    ada.types(f"/join {room}"), ada.types("/ban bob"), ada.types("/unban bob"), ada.types("/leave")


def mute(room: str, ada: User, bob: User) -> None:
    ada.types(f"/join {room}"), ada.types("/mute bob")
    leave_without_focus(room, ada, bob)


def close(room: str, ada: User, bob: User) -> None:
    away_from(room, ada, bob)
    ada.session.operator = ada.session.person.operator = True
    ada.types(f"/server close {room}")


def invite(room: str, ada: User, bob: User) -> None:
    ada.types(f"/join {room}"), ada.types("/room private on"), ada.types("/invite bob")
    bob.types(f"/leave {room}"), ada.types(f"/leave {room}")


def leave_guarded(room: str, ada: User, bob: User) -> None:
    away_from(room, bob)
    ada.types(f"/join {room}"), ada.types("/room key sesame")
    bob.types(f"/leave {room}"), ada.types(f"/leave {room}")


def say_and_edit(room: str, ada: User, bob: User) -> None:
    for user in (ada, bob):
        user.types(f"/join {room}"), user.types("hello"), user.types("/edit hallo")
        user.types("/topic about it"), user.types("/delete")
    leave_without_focus(room, ada, bob)


def rename(room: str, ada: User, bob: User) -> None:
    away_from(room, bob)
    ada.types(f"/join {room}"), ada.types("/mute bob")
    bob.types("/nick bert"), bob.types("/nick bob")
    leave_without_focus(room, ada, bob)


WAYS_OUT: list[Callable[[str, User, User], None]] = [
    leave_with_focus,
    leave_without_focus,
    leave_unread,
    kick,
    ban,
    unban,
    mute,
    close,
    invite,
    leave_guarded,
    say_and_edit,
    rename,
]


@pytest.mark.parametrize("way_out", WAYS_OUT, ids=lambda way: way.__name__)
def test_nothing_keeps_a_room_that_is_gone(
    server: Server, ada: User, bob: User, way_out: Callable[[str, User, User], None]
) -> None:
    for number in range(ROUNDS):
        away_from(f"gone{number}", ada, bob)
        way_out(f"gone{number}", ada, bob)
        server.end_turn()
    assert [*server.chat.rooms] == ["lobby"]
    assert kept_rooms() == []


def test_a_detached_session_does_not_keep_a_room_that_its_person_was_removed_from(
    server: Server, ada: User
) -> None:
    guest = server.enters("bob", fingerprint="SHA256:b")
    for number in range(ROUNDS):
        guest.types(f"/join gone{number}"), ada.types(f"/join gone{number}")
    assert guest.loses_connection() is not None
    person = guest.session.person
    del guest
    for number in range(ROUNDS):
        ada.session.operator = ada.session.person.operator = True
        ada.types(f"/server close gone{number}")
    server.end_turn()
    assert kept_rooms() == []
    back = server.enters("bob", fingerprint="SHA256:b", lobby=False)
    assert back.session.person is person


def test_a_connection_that_takes_another_place_keeps_none_of_its_own_rooms(
    server: Server, ada: User, bob: User
) -> None:
    away_from("gone0", ada), away_from("gone1", ada)
    token = server.chat.detached.new_token(bob.session.person)
    assert token is not None
    result_of(resume(server.chat, ada.session, token, server.now))
    server.end_turn()
    assert ada.session.person is bob.session.person
    assert kept_rooms() == []


def test_people_who_left_are_kept_by_nothing(server: Server, ada: User, bob: User) -> None:
    for number in range(ROUNDS):
        guest = server.enters(f"fleeting{number}")
        ada.types(f"/invite fleeting{number}"), ada.types(f"/mute fleeting{number}")
        ada.types(f"/ignore fleeting{number}"), ada.types(f"/dm fleeting{number} hi")
        guest.types("/ignore ada"), guest.types("ada: hi"), guest.types("/join gone"), ada.sees()
        guest.types("/nick fleetingly"), guest.types(f"/nick fleeting{number}")
        guest.leaves()
        del guest
    bob.types("/dm ada hi"), server.end_turn()
    assert kept_people("fleeting") == 0
    assert kept_rooms() == []
    assert not server.chat.lobby.referenced_by


# Across servers ---------------------------------------------------------------------------------


def test_rooms_that_are_gone_are_kept_on_no_server() -> None:
    cluster = ChatCluster()
    ada, bob = cluster.servers[0].enters("ada"), cluster.servers[1].enters("bob")
    cluster.deliver_all()
    for number, way_out in enumerate(WAYS_OUT):
        room = f"gone{number}"
        for user in (ada, bob):
            user.types(f"/join {room}"), cluster.deliver_all()
            user.types("/join lobby"), cluster.deliver_all()

        class Telling:
            """A user whose servers hear of each line."""

            def __init__(self, user: User) -> None:
                self.user = user
                self.session = user.session

            def types(self, line: str) -> None:
                self.user.types(line), cluster.deliver_all()

            def sees(self) -> list[str]:
                return self.user.sees()

        way_out(room, Telling(ada), Telling(bob))  # type: ignore[arg-type]  # what they use of it
        cluster.advance(1.0)
    for server in cluster.servers:
        assert [*server.chat.rooms] == ["lobby"]
        server.end_turn()
    cluster.advance(1.0), cluster.advance(1.0)
    assert kept_rooms() == []


def test_people_of_another_server_who_left_are_kept_by_nothing() -> None:
    cluster = ChatCluster()
    ada = cluster.servers[0].enters("ada")
    for number in range(ROUNDS):
        guest = cluster.servers[1].enters(f"fleeting{number}")
        cluster.deliver_all()
        for line in ("/invite {}", "/mute {}", "/ignore {}", "/dm {} hi"):
            ada.types(line.format(f"fleeting{number}")), cluster.deliver_all()
        guest.types("/join gone"), guest.leaves(), cluster.deliver_all()
        del guest
    ada.types("/dm ada note to myself")
    for _ in range(3):
        cluster.advance(1.0)
    assert kept_people("fleeting") == 0
    assert kept_rooms() == []
