"""A store that takes its time: nothing happens before it is kept, and nobody becomes a ghost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest

from chatd.chat.chat import Chat
from chatd.chat.entry.entrance import Visitor
from chatd.chat.events import Refused, RoomEvent
from chatd.chat.model.entities import Session
from chatd.chat.options import Environment
from chatd.store.memory import MemoryStore
from tests.support.passwords import Hasher
from tests.support.people import Client, Server, User


class Later:
    """Something to wait for, once."""

    def __await__(self) -> Generator[Later, None, None]:
        yield self


class SlowStore(MemoryStore):
    """Keeps what it was given when it is told to; a claim waits one step."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[tuple[str, str, RoomEvent, str]] = []

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        self.waiting.append((room, message_id, event, author))

    def keep(self) -> None:
        """Keep all that waits."""
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            super().post(*each)

    async def claim(self, nick: str, holder: str, *, owner: bool = False) -> bool:
        await Later()
        return await super().claim(nick, holder, owner=owner)


class SlowServer(Server):
    """A chat over a slow store."""

    def __init__(self) -> None:
        self.store = SlowStore()
        self.now = 1_000_000.0
        self._scheduled: list[Callable[[], None]] = []
        environment = Environment(self._scheduled.append, lambda step: None, Hasher())
        self.chat = Chat(self.store, environment)


def begun(awaitable: Awaitable[Any]) -> Generator[Any, None, Any]:
    """Begin something, up to where it waits."""
    steps = awaitable.__await__()
    next(steps)
    return steps


def ended(steps: Generator[Any, None, Any]) -> Any:
    """Go on with something until it is done."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def enters(server: SlowServer, nick: str) -> User:
    """Somebody comes in, and into the lobby."""
    reader = Client()
    session, _ = ended(server.chat.enter(Visitor(nick), reader, server.now).__await__())
    assert isinstance(session, Session)
    server.chat.join(session, "lobby", server.now)
    server.store.keep()
    return User(server, session, reader)


@pytest.fixture
def server() -> SlowServer:
    return SlowServer()


def test_a_message_is_said_when_it_is_kept_and_not_before(server: SlowServer) -> None:
    ada, bob = enters(server, "ada"), enters(server, "bob")
    bob.sees()
    ada.types("hello")
    assert bob.sees() == []
    server.store.keep()
    assert bob.sees() == ["ada: hello"]


def test_who_joins_hears_what_is_kept_after_their_coming(server: SlowServer) -> None:
    ada, bob = enters(server, "ada"), enters(server, "bob")
    ada.types("/join attic"), server.store.keep(), ada.types("before")
    bob.types("/join attic"), ada.types("after"), bob.sees()
    server.store.keep()
    assert bob.sees() == ["ada: after"]


def test_a_nick_that_somebody_waits_for_is_taken(server: SlowServer) -> None:
    ada, bob = enters(server, "ada"), enters(server, "bob")
    first = begun(server.chat.rename(ada.session.person, "zoe", server.now))
    with pytest.raises(Refused):
        ended(server.chat.rename(bob.session.person, "ZOE", server.now).__await__())
    ended(first)
    assert ada.nick == "zoe"
    ada.leaves()
    ended(server.chat.rename(bob.session.person, "zoe", server.now).__await__())
    assert bob.nick == "zoe"


def test_who_goes_while_they_wait_for_a_nick_leaves_nothing_behind(server: SlowServer) -> None:
    ada = enters(server, "ada")
    waiting = begun(server.chat.rename(ada.session.person, "zoe", server.now))
    ada.leaves()
    ended(waiting)
    assert len(server.chat.people) == 0
    assert enters(server, "zoe").nick == "zoe"
    assert enters(server, "ada").nick == "ada"


def test_what_was_under_way_in_a_room_is_not_shown_in_the_next_of_that_name(
    server: SlowServer,
) -> None:
    ann, eve = enters(server, "ann"), enters(server, "eve")
    ann.types("/join vault"), ann.types("/room private on"), server.store.keep()
    ann.types("the key is under the mat"), ann.types("/leave")
    eve.types("/join vault"), eve.sees()
    server.store.keep()
    assert not any("key" in line for line in eve.sees())
    eve.types("/history")
    assert eve.sees() == ["-- Nothing was said in vault yet."]
