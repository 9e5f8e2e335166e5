"""A slow store: nothing is shown before it is stored, and nothing is left of users who go."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chatd.chat.chat import Chat
from chatd.chat.entry.entrance import Visitor
from chatd.chat.events import Refused, RoomEvent
from chatd.chat.model.entities import Session
from chatd.chat.options import Environment
from chatd.store.memory import MemoryStore
from tests.support.passwords import Hasher
from tests.support.people import Client, Server, User
from tests.support.steps import Step, finished, started


class SlowStore(MemoryStore):
    """A store that stores posts when a test says so; a claim waits for one step."""

    def __init__(self) -> None:
        super().__init__()
        self.posted: list[tuple[str, str, RoomEvent, str]] = []

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        self.posted.append((room, message_id, event, author))

    def store_all(self) -> None:
        """Store all posts that wait."""
        posted, self.posted = self.posted, []
        for each in posted:
            super().post(*each)

    async def claim(self, nick: str, holder: str, *, owner: bool = False) -> bool:
        await Step()
        return await super().claim(nick, holder, owner=owner)


class SlowServer(Server):
    """A chat over a slow store."""

    def __init__(self) -> None:
        self.store = SlowStore()
        self.now = 1_000_000.0
        self._scheduled: list[Callable[[], None]] = []
        environment = Environment(self._scheduled.append, lambda step: None, Hasher())
        self.chat = Chat(self.store, environment)


def enters(server: SlowServer, nick: str) -> User:
    """Let a user enter the server and the lobby."""
    client = Client()
    session, _ = finished(server.chat.enter(Visitor(nick), client, server.now).__await__())
    assert isinstance(session, Session)
    finished(server.chat.join(session, "lobby", server.now).__await__())
    server.store.store_all()
    return User(server, session, client)


@pytest.fixture
def server() -> SlowServer:
    return SlowServer()


def test_a_message_is_shown_once_it_is_stored_and_not_before(server: SlowServer) -> None:
    ada, bob = enters(server, "ada"), enters(server, "bob")
    bob.sees()
    ada.types("hello")
    assert bob.sees() == []
    server.store.store_all()
    assert bob.sees() == ["ada: hello"]


def test_a_new_member_is_shown_what_is_stored_after_the_join(server: SlowServer) -> None:
    ada, bob = enters(server, "ada"), enters(server, "bob")
    ada.types("/join attic"), server.store.store_all(), ada.types("before")
    bob.types("/join attic"), ada.types("after"), bob.sees()
    server.store.store_all()
    assert bob.sees() == ["ada: after"]


def test_a_nick_that_is_being_claimed_is_taken(server: SlowServer) -> None:
    ada, bob = enters(server, "ada"), enters(server, "bob")
    first = started(server.chat.rename(ada.session.person, "zoe", server.now))
    with pytest.raises(Refused):
        finished(server.chat.rename(bob.session.person, "ZOE", server.now).__await__())
    finished(first)
    assert ada.nick == "zoe"
    ada.leaves()
    finished(server.chat.rename(bob.session.person, "zoe", server.now).__await__())
    assert bob.nick == "zoe"


def test_a_user_who_leaves_while_a_nick_is_claimed_leaves_nothing_behind(
    server: SlowServer,
) -> None:
    ada = enters(server, "ada")
    renaming = started(server.chat.rename(ada.session.person, "zoe", server.now))
    ada.leaves()
    finished(renaming)
    assert len(server.chat.people) == 0
    assert enters(server, "zoe").nick == "zoe"
    assert enters(server, "ada").nick == "ada"


def test_a_message_to_a_closed_room_is_not_shown_in_the_next_room_of_that_name(
    server: SlowServer,
) -> None:
    ann, eve = enters(server, "ann"), enters(server, "eve")
    ann.types("/join vault"), ann.types("/room private on"), server.store.store_all()
    ann.types("the key is under the mat"), ann.types("/leave")
    eve.types("/join vault"), eve.sees()
    server.store.store_all()
    assert not any("key" in line for line in eve.sees())
    eve.types("/history")
    assert eve.sees() == ["-- Nothing was said in vault yet."]
