"""Searches in progress are bounded: for one user, for one address and for the whole server."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import pytest

from chatd.chat.commands import receive
from chatd.chat.events import KeptEvent, Refused
from chatd.chat.limits import SEARCHES, SEARCHES_OF_GUESTS, SEARCHES_PER_ADDRESS
from chatd.chat.store import too_slow
from chatd.chat.text.query import SearchQuery
from chatd.store.memory import MemoryStore
from tests.support.people import Server, User

#: What the second search of a user, and one more from an address, is answered.
YOURS = "-- Your last search is still in progress; wait for its results."
NEIGHBOURS = "-- Other searches from your address are in progress; try again in a moment."
MANY = "-- Many people are searching now; try again in a moment."


class _Pause:
    """Waits until it is resumed."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class SlowStore(MemoryStore):
    """A store whose searches take until the test ends them."""

    async def search(
        self, rooms: Sequence[str], search: SearchQuery, skip: int, count: int
    ) -> Sequence[tuple[str, int, KeptEvent]]:
        await _Pause()
        if search.phrases == ("slow",):
            raise too_slow()
        return []


def begins(user: User, text: str = "/search word") -> Generator[None, None, None]:
    """Begin a search, and return what ends it; a refusal is raised."""
    awaitable = receive(user.server.chat, user.session, text, user.server.now)
    assert awaitable is not None
    steps = awaitable.__await__()
    next(steps)
    assert isinstance(steps, Generator)
    return steps


def ends(search: Generator[None, None, None]) -> None:
    with pytest.raises(StopIteration):
        next(search)


def is_refused(user: User, sentence: str) -> None:
    user.sees()
    user.types("/search word in:lobby")
    assert user.sees() == [sentence]


def users(server: Server, count: int, **how: object) -> list[User]:
    """Let users enter, each from an address of their own unless ``how`` names one."""
    return [
        server.enters(f"u{number}", **{"address": f"198.51.100.{number}", **how})  # type: ignore[arg-type]  # as in `Server.enters`
        for number in range(count)
    ]


def test_one_user_has_one_search_in_progress_on_all_screens() -> None:
    server = Server(SlowStore())
    ada = server.enters("ada", fingerprint="SHA256:a")
    ada.types("/register"), ada.sees()
    other = server.enters("ada", fingerprint="SHA256:a", lobby=False, address="203.0.113.9")
    assert other.session.person is ada.session.person
    search = begins(ada)
    is_refused(other, YOURS)
    ends(search)
    assert ada.sees() == ["-- Nothing was found."]
    ends(begins(other, "/search word in:*"))


def test_a_few_searches_of_one_address_are_in_progress() -> None:
    server = Server(SlowStore())
    *some, one_more = users(server, SEARCHES_PER_ADDRESS + 1, address="192.0.2.7")
    searches = [begins(user) for user in some]
    is_refused(one_more, NEIGHBOURS)
    ends(begins(server.enters("eve", address="192.0.2.8")))
    ends(searches.pop())
    ends(begins(one_more))


def test_a_network_of_ipv6_counts_as_one_address() -> None:
    server = Server(SlowStore())
    some = [
        server.enters(f"u{number}", address=f"2001:db8::{number:x}")
        for number in range(1, SEARCHES_PER_ADDRESS + 2)
    ]
    searches = [begins(user) for user in some[:-1]]
    is_refused(some[-1], NEIGHBOURS)
    ends(searches[0])


def test_guests_leave_room_for_accounts_and_operators() -> None:
    server = Server(SlowStore())
    *guests, late_guest = users(server, SEARCHES_OF_GUESTS + 1)
    searches = [begins(guest) for guest in guests]
    is_refused(late_guest, MANY)
    operator = server.enters("root1", operator=True, fingerprint="SHA256:o", address="203.0.113.1")
    searches.append(begins(operator))
    for number in range(SEARCHES - SEARCHES_OF_GUESTS - 1):
        owner = server.enters(f"o{number}", fingerprint=f"SHA256:{number}", address="203.0.113.1")
        owner.session.person.account = owner.session.person.name.key
        owner.session.person.address = f"203.0.113.{number + 2}"
        searches.append(begins(owner))
    is_refused(server.enters("boss", operator=True, fingerprint="SHA256:p"), MANY)
    for search in searches:
        ends(search)


def test_a_search_that_fails_or_takes_too_long_no_longer_counts() -> None:
    server = Server(SlowStore())
    ada = server.enters("ada")
    for _ in range(2):
        search = begins(ada, "/search slow")
        with pytest.raises(Refused) as refused:
            next(search)
        assert refused.value.sentence == "The search took too long; try fewer or longer words."
    for _ in range(2):
        begins(ada).close()  # its conversation has ended
    ends(begins(ada))


def test_a_page_far_back_reads_no_more_than_it_shows() -> None:
    counts = []

    class CountingStore(MemoryStore):
        async def before(
            self, room: str, number: int | None, count: int, skip: int = 0
        ) -> Sequence[tuple[int, KeptEvent]]:
            rows = await super().before(room, number, count, skip)
            counts.append(len(rows))
            return rows  # type: ignore[return-value]  # only kept events are stored

    ada = Server(CountingStore()).enters("ada")
    for number in range(30):
        ada.types(f"line {number}")
    ada.sees(), counts.clear()
    ada.types("/history 5 page:6")
    assert [line.partition(": ")[2] for line in ada.sees()[1:]] == [
        f"line {number}" for number in range(5)
    ]
    assert counts == [5]
