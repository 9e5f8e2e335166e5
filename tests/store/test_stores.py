"""Every store against one model: order, numbers, what is read back, who holds a nick."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from sys import getsizeof
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from chatd.chat.events import (
    Acted,
    Change,
    Deleted,
    Edited,
    Joined,
    KeptEvent,
    RoomEvent,
    Said,
    TopicSet,
)
from chatd.chat.limits import (
    HISTORY_BYTES,
    HISTORY_BYTES_IN_ALL,
    HISTORY_EVENTS,
    MESSAGE_IDS,
    SEARCHED_EVENTS,
)
from chatd.chat.store import Store
from chatd.chat.text.query import SearchQuery, begins_with, folded
from chatd.store.memory import EVENT_BYTES, MemoryStore
from chatd.store.nats.client.servers import Servers
from chatd.store.nats.store import NatsStore
from chatd.store.sqlite.store import SqliteStore
from chatd.store.volatile_history import VolatileHistoryStore
from tests.support.cluster.nats import Nats
from tests.support.main_thread import TestMainThread, waited
from tests.support.people import finished


def begun(store: SqliteStore) -> SqliteStore:
    """Start a store that has files and threads."""
    store.prepare()
    store.begin()
    return store


#: Every store there is, and how one is made of a folder and a turn.
STORES: dict[str, Callable[[Path, TestMainThread], Store]] = {
    "memory": lambda folder, turn: MemoryStore(),
    "sqlite": lambda folder, turn: begun(SqliteStore(folder / "chatd.db", turn, lambda: 0.0)),
    "apart": lambda folder, turn: VolatileHistoryStore(
        HISTORY_EVENTS, turn, begun(SqliteStore(folder / "chatd.db", turn, lambda: 0.0))
    ),
}

#: A room that is in no model.
MARK = "mark"
ROOMS = ["attic", "lobby"]
rooms = st.sampled_from(ROOMS)
nicks = st.sampled_from(["ada", "bob"])
kinds = st.sampled_from(["account", "ban"])
holders = st.sampled_from(["one", "other"])
times = st.sampled_from([1.0, 2.0, 3.0])
texts = st.one_of(
    st.text(max_size=5), st.sampled_from(["an apple", "An Apple pie", "pie, apple", "616461 1"])
)
accounts = st.sampled_from(["", "ada", "cy"])
events = st.one_of(
    st.builds(Said, times, nicks, texts),
    st.builds(Acted, times, nicks, texts),
    st.builds(TopicSet, times, nicks, texts),
    st.builds(Joined, times, nicks),
)
searches = st.builds(
    SearchQuery,
    phrases=st.lists(
        st.sampled_from(["apple", "an ap", "pie", "x", "a", "an", "app", "616461"]), max_size=2
    ).map(tuple),
    author=st.one_of(st.none(), nicks),
    since=st.one_of(st.none(), times),
    until=st.one_of(st.none(), times),
)


#: What is looked for in everything now and then; the phrase of a nick in hexadecimal is a word.
PANEL = (
    *(
        SearchQuery((word,))
        for word in ("apple", "app", "ap", "an", "a", "an ap", "616461", "1", "an a")
    ),
    *(SearchQuery(("apple", "an"), author) for author in ("ada", "bob", "cy")),
    *(
        SearchQuery(author=author, since=since)
        for author in ("ada", "bob")
        for since in (None, 2.0)
    ),
    *(SearchQuery(words, until=2.0) for words in ((), ("pie",))),
)


class Heard:
    """A keeper that remembers what it was told."""

    def __init__(self) -> None:
        self.kept_in: dict[str, list[tuple[str, int, RoomEvent]]] = {}

    def stored(self, room: str, message_id: str, number: int, event: RoomEvent) -> None:
        self.kept_in.setdefault(room, []).append((message_id, number, event))

    def record_changed(self, kind: str, key: str, value: str | None) -> None:
        """What it has put itself it is not told."""

    def subscribed(self, room: str, number: int) -> None:
        """From here on everything is told."""

    def failed(self, room: str, message_id: str, why: str) -> None:
        raise AssertionError(f"{message_id} was not kept in {room}: {why}")


class Keeping(RuleBasedStateMachine):
    """What a store was given, in lists."""

    make: Callable[[Path, TestMainThread], Store]
    lasts: bool

    def __init__(self) -> None:
        super().__init__()
        self.keeper = Heard()
        self.turn = TestMainThread()
        self.folder = TemporaryDirectory()
        self.store = type(self).make(Path(self.folder.name), self.turn)
        self.store.open(self.keeper)
        self.marks = self.before = 0
        #: What a room has now: message id, number, event, account.
        self.held: dict[str, list[tuple[str, int, KeptEvent, str]]] = {}
        self.most: dict[str, int] = {}
        self.recorded: dict[str, dict[str, str]] = {}
        self.posted: dict[str, list[tuple[str, RoomEvent]]] = {}
        self.holder: dict[str, str] = {}
        self.ids = 0

    def teardown(self) -> None:
        waited(self.store.close())
        self.folder.cleanup()

    def settle(self) -> None:
        """Wait until the store has done all that it was told to.

        Who looks into a room waits for what was posted there; what is posted to another afterwards
        comes back when all before it is done.
        """
        for room in ROOMS:
            waited(self.store.before(room, None, 0))
        self.marks += 1
        self.store.post(MARK, f"mark {self.marks}", Joined(1.0, "ada"))
        self.turn.run_until(lambda: len(self.keeper.kept_in.get(MARK, [])) == self.marks)

    @rule()
    def close_and_open_again(self) -> None:
        if self.lasts:
            waited(self.store.close())
            self.turn.run()
            self.holder.clear()
            self.most.clear()
            self.before = self.ids  # ids carry the incarnation of their server: no old ones come
            self.store = type(self).make(Path(self.folder.name), self.turn)
            self.store.open(self.keeper)

    @rule(room=rooms, event=events, account=accounts)
    def post(self, room: str, event: RoomEvent, account: str) -> None:
        self.ids += 1
        self.posted.setdefault(room, []).append((str(self.ids), event))
        self.store.post(room, str(self.ids), event, account)
        self.settle()
        message_id, number, kept = self.keeper.kept_in[room][-1]
        if isinstance(kept, KeptEvent):
            self.held.setdefault(room, []).append((message_id, number, kept, account))
            self.trim(room)

    @rule(room=rooms, number=st.integers(0, 12), text=texts, nick=nicks)
    def edit(self, room: str, number: int, text: str, nick: str) -> None:
        self.post(room, Edited(4.0, nick, number, text), "")
        self.held[room] = [
            (message_id, at, replace(event, text=text, edited=True), account)
            if at == number and isinstance(event, Said | Acted)
            else (message_id, at, event, account)
            for message_id, at, event, account in self.held.get(room, [])
        ]

    @rule(room=rooms, number=st.integers(0, 12), nick=nicks)
    def delete(self, room: str, number: int, nick: str) -> None:
        self.post(room, Deleted(4.0, nick, nick, number), "")
        self.held[room] = [row for row in self.held.get(room, []) if row[1] != number]

    @rule(room=rooms, most=st.one_of(st.none(), st.integers(1, 6)))
    def limit(self, room: str, most: int | None) -> None:
        self.store.limit(room, most)
        self.settle()
        self.most.pop(room, None)
        if most is not None:
            self.most[room] = most
        self.trim(room)

    def trim(self, room: str) -> None:
        held = self.held.get(room, [])
        del held[: max(0, len(held) - self.most.get(room, len(held)))]

    @rule(room=rooms, nick=nicks, account=st.one_of(st.none(), accounts))
    def last_by(self, room: str, nick: str, account: str | None) -> None:
        theirs = [
            (number, event)
            for _, number, event, owner in self.held.get(room, [])
            if isinstance(event, Said | Acted) and event.nick == nick
            if account in (None, owner)
        ]
        assert waited(self.store.last_by(room, nick, account)) == (theirs[-1] if theirs else None)

    @rule(room=rooms)
    def post_again(self, room: str) -> None:
        once = KeptEvent | Edited | Deleted
        kept = [each for each in self.posted.get(room, []) if isinstance(each[1], once)]
        if kept and int(kept[-1][0]) > self.before:
            self.store.post(room, *kept[-1])
            self.settle()

    @rule(room=rooms)
    def listen(self, room: str) -> None:
        self.store.subscribe(room)

    @rule(room=rooms)
    def unlisten(self, room: str) -> None:
        self.store.unsubscribe(room)

    @rule(nick=nicks, holder=holders)
    def claim(self, nick: str, holder: str) -> None:
        got = waited(self.store.claim(nick, holder))
        assert got == (self.holder.setdefault(nick, holder) == holder)

    @rule(nick=nicks, holder=holders)
    def claim_own(self, nick: str, holder: str) -> None:
        assert waited(self.store.claim(nick, holder, owner=True))
        self.holder[nick] = holder

    @rule(nick=nicks, holder=holders)
    def release(self, nick: str, holder: str) -> None:
        self.store.release(nick, holder)
        if self.holder.get(nick) == holder:
            del self.holder[nick]

    @property
    def in_order(self) -> list[tuple[str, int, RoomEvent]]:
        """Everything that is kept, in the order in which it was posted."""
        kept = [
            (int(message_id), room, number, event)
            for room, rows in self.held.items()
            for message_id, number, event, _ in rows
        ]
        return [row[1:] for row in sorted(kept, key=lambda row: row[0])]

    @rule(room=rooms)
    def forget(self, room: str) -> None:
        self.store.drop_room(room)
        self.settle()
        self.gone(room)

    def gone(self, room: str) -> None:
        for of_room in (self.posted, self.keeper.kept_in, self.held, self.most):
            of_room.pop(room, None)

    @rule(keep=st.lists(rooms, unique=True))
    def retain(self, keep: list[str]) -> None:
        self.store.drop_rooms_but([*keep, MARK])
        self.settle()
        for room in set(ROOMS) - set(keep):
            self.gone(room)

    @rule(kind=kinds, key=nicks, value=st.one_of(st.none(), st.text(max_size=5)))
    def put(self, kind: str, key: str, value: str | None) -> None:
        waited(self.store.put(kind, key, value))
        records = self.recorded.setdefault(kind, {})
        records.pop(key, None)
        if value is not None:
            records[key] = value

    @rule(kind=kinds)
    def read_records(self, kind: str) -> None:
        assert waited(self.store.records(kind)) == self.recorded.get(kind, {})

    def numbered(self, room: str) -> list[tuple[int, RoomEvent]]:
        return [(number, event) for _, number, event, _ in self.held.get(room, [])]

    @rule(room=rooms, count=st.integers(0, 5), before=st.one_of(st.none(), st.integers(0, 9)))
    def read_before(self, room: str, count: int, before: int | None) -> None:
        rows = [row for row in self.numbered(room) if before is None or row[0] < before]
        read = waited(self.store.before(room, before, count))
        assert read == rows[len(rows) - min(count, len(rows)) :]

    @rule(room=rooms, count=st.integers(0, 5), after=st.integers(0, 9))
    def read_after(self, room: str, count: int, after: int) -> None:
        rows = [row for row in self.numbered(room) if row[0] > after]
        assert waited(self.store.after(room, after, count)) == rows[:count]

    @rule(room=rooms, above=st.integers(0, 9), below=st.integers(0, 12))
    def count(self, room: str, above: int, below: int) -> None:
        between = sum(above < number < below for number, _ in self.numbered(room))
        changes = sum(isinstance(each[1], Change) for each in self.posted.get(room, []))
        got = waited(self.store.count(room, above, below))
        assert between <= got <= between + changes * self.lasts

    @rule(
        where=st.lists(rooms, unique=True),
        search=searches,
        skip=st.integers(0, 3),
        count=st.integers(0, 4),
    )
    def search(self, where: list[str], search: SearchQuery, skip: int, count: int) -> None:
        found = [
            (room, number, event)
            for room, number, event in reversed(self.in_order)
            if room in where and self.is_found(event, search)
        ]
        got = waited(self.store.search(where, search, skip, count))
        assert got == found[skip : skip + count]

    @rule(where=st.sampled_from([("attic",), ("lobby",), ("attic", "lobby")]))
    def search_for_much(self, where: tuple[str, ...]) -> None:
        for search in PANEL:
            assert waited(self.store.search(where, search, 0, 99)) == [
                (room, number, event)
                for room, number, event in reversed(self.in_order)
                if room in where and self.is_found(event, search)
            ]

    def is_found(self, event: RoomEvent, search: SearchQuery) -> bool:
        text = event.topic if isinstance(event, TopicSet) else getattr(event, "text", "")
        return (
            all(
                f" {phrase}{'' if begins_with(phrase) else ' '}" in f" {folded(text)} "
                for phrase in search.phrases
            )
            and search.author in (None, event.nick)
            and (search.since is None or event.time >= search.since)
            and (search.until is None or event.time < search.until)
        )

    @invariant()
    def everything_comes_back_once_and_in_order(self) -> None:
        for room, posted in self.posted.items():
            kept = self.keeper.kept_in.get(room, [])
            assert [(message_id, event) for message_id, _, event in kept] == posted

    @invariant()
    def numbers_rise_with_what_is_kept_and_rest_with_what_is_not(self) -> None:
        for kept in self.keeper.kept_in.values():
            last = 0
            for _, number, event in kept:
                assert number > last if isinstance(event, KeptEvent) else number == last
                last = number


@pytest.mark.parametrize("name", STORES)
def test_a_store_keeps_what_it_is_given(name: str) -> None:
    class Chosen(Keeping):
        make = staticmethod(STORES[name])
        lasts = name == "sqlite"

    run_state_machine_as_test(Chosen, settings=settings(max_examples=60, stateful_step_count=40))


#: How far the times of messages may be from those at which a stream took them; those of the model
#: are in 1970.
APART, YEARS = "chatd.store.nats.rooms.searching.CLOCK_SKEW_SECONDS", 80 * 365 * 86400.0


def on(nats: Nats) -> type[Keeping]:
    """The model for a cluster: each folder stands for an account there."""
    accounts: dict[Path, Servers] = {}

    def make(folder: Path, turn: TestMainThread) -> Store:
        if folder not in accounts:
            accounts[folder] = nats.account()
        store = NatsStore(accounts[folder], turn, shards=2, tail=3)  # most reads go beyond that
        store.begin()
        return store

    class Chosen(Keeping):
        pass

    Chosen.make = staticmethod(make)
    Chosen.lasts = True
    return Chosen


def test_a_cluster_of_one_keeps_what_it_is_given(
    nats: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(APART, YEARS)
    chosen = settings(max_examples=60, stateful_step_count=40)
    run_state_machine_as_test(on(nats), settings=chosen)


def test_a_cluster_of_three_keeps_what_it_is_given(
    three_nats: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(APART, YEARS)
    chosen = settings(max_examples=8, stateful_step_count=30)
    run_state_machine_as_test(on(three_nats), settings=chosen)


def filled(events: int, text: str = "x") -> tuple[MemoryStore, Heard]:
    store, keeper = MemoryStore(), Heard()
    store.open(keeper)
    for number in range(events):
        store.post("lobby", str(number), Said(1.0, "ada", text))
    return store, keeper


def kept_of(store: Store, room: str) -> list[int]:
    rows = finished(store.before(room, None, 10_000))
    assert isinstance(rows, list)
    return [number for number, _ in rows]


@pytest.mark.parametrize(("events", "first"), [(HISTORY_EVENTS, 1), (HISTORY_EVENTS + 1, 2)])
def test_memory_keeps_so_many_events_of_a_room(events: int, first: int) -> None:
    store, _ = filled(events)
    rows = finished(store.before("lobby", None, 10_000))
    assert isinstance(rows, list)
    assert rows[0][0] == first
    assert len(rows) == HISTORY_EVENTS


def test_memory_keeps_so_many_bytes_of_a_room_whatever_its_characters_cost() -> None:
    store, _ = filled(400, "😀" * 1000)
    rows = finished(store.before("lobby", None, 10_000))
    assert isinstance(rows, list)
    assert 200 < len(rows) <= HISTORY_BYTES // 4000
    assert rows[-1][0] == 400


def test_memory_lets_go_of_the_largest_room_when_all_together_are_too_large() -> None:
    store, text = filled(1)[0], "x" * (HISTORY_BYTES // 4)
    size = getsizeof(text) + EVENT_BYTES
    fit = (HISTORY_BYTES_IN_ALL - getsizeof("x") - EVENT_BYTES) // size
    for number in range(fit - 2):
        store.post(f"room {number}", f"text {number}", Said(1.0, "ada", text))
    for number in range(2):
        store.post("large", f"large {number}", Said(1.0, "ada", text))
    assert kept_of(store, "large") == [1, 2]
    store.post("last", "last", Said(1.0, "ada", text))
    assert kept_of(store, "large") == []
    assert all(kept_of(store, f"room {number}") == [1] for number in range(fit - 2))
    assert kept_of(store, "last") == kept_of(store, "lobby") == [1]


def test_memory_counts_what_it_has_forgotten_no_longer() -> None:
    store, text = filled(1)[0], "x" * (HISTORY_BYTES // 4)
    for number in range(2 * HISTORY_BYTES_IN_ALL // len(text)):
        store.post("passing", str(-number), Said(1.0, "ada", text))
        store.drop_room("passing")
    store.post("attic", "one", Said(1.0, "ada", text))
    assert kept_of(store, "lobby") == kept_of(store, "attic") == [1]


def test_memory_keeps_nothing_of_a_text_that_is_larger_than_a_room_may_be() -> None:
    store, _ = filled(3)
    store.post("lobby", "large", Said(1.0, "ada", "x" * HISTORY_BYTES))
    store.post("lobby", "small", Said(1.0, "ada", "x"))
    assert kept_of(store, "lobby") == [5]


def test_memory_remembers_so_many_message_ids() -> None:
    store, keeper = filled(MESSAGE_IDS)
    store.post("lobby", "0", Said(1.0, "ada", "again"))
    assert len(keeper.kept_in["lobby"]) == MESSAGE_IDS
    store.post("lobby", "new", Said(1.0, "ada", "one more"))
    store.post("lobby", "0", Said(1.0, "ada", "again"))
    assert len(keeper.kept_in["lobby"]) == MESSAGE_IDS + 2


def test_a_store_that_is_not_open_takes_nothing() -> None:
    with pytest.raises(RuntimeError):
        MemoryStore().post("lobby", "1", Said(1.0, "ada", "hello"))


def test_a_message_is_kept_once_whichever_room_it_is_posted_to_again() -> None:
    store, keeper = filled(1)
    store.post("attic", "0", Said(1.0, "ada", "again"))
    assert kept_of(store, "attic") == []
    assert "attic" not in keeper.kept_in


def test_what_is_not_kept_passes_through_and_leaves_no_trace() -> None:
    store, keeper = filled(1)
    store.post("lobby", "joined", Joined(1.0, "bob"))
    assert keeper.kept_in["lobby"][-1] == ("joined", 1, Joined(1.0, "bob"))
    assert kept_of(store, "lobby") == [1]


def test_a_keeper_that_comes_later_is_told_from_then_on() -> None:
    store, first = filled(1)
    later = Heard()
    store.open(later)
    store.post("lobby", "next", Said(1.0, "ada", "x"))
    assert [message_id for message_id, _, _ in first.kept_in["lobby"]] == ["0"]
    assert [(message_id, n) for message_id, n, _ in later.kept_in["lobby"]] == [("next", 2)]


def test_a_nick_is_held_until_its_holder_gives_it_back() -> None:
    store = MemoryStore()
    assert finished(store.claim("ada", "one"))
    store.release("ada", "other")
    assert not finished(store.claim("ada", "other"))
    store.release("ada", "one")
    assert finished(store.claim("ada", "other"))


def test_memory_looks_through_so_many_events_of_many_rooms() -> None:
    store = MemoryStore()
    store.open(Heard())
    names = [f"room {number}" for number in range(SEARCHED_EVENTS // 2)]
    for time in (1.0, 2.0, 3.0):
        for number, room in enumerate(names):
            store.post(room, f"{number} {time}", Said(time, "ada", "x"))
    found = finished(store.search(names, SearchQuery(("x",)), 0, 10 * SEARCHED_EVENTS))
    assert isinstance(found, list)
    assert len(found) == SEARCHED_EVENTS
    assert {event.time for _, _, event in found} == {2.0, 3.0}


@pytest.mark.parametrize("name", STORES)
def test_a_bound_that_comes_again_counts_what_came_meanwhile(name: str, tmp_path: Path) -> None:
    turn = TestMainThread()
    store = STORES[name](tmp_path, turn)
    store.open(Heard())
    for most in (1, None):
        store.limit("lobby", most)
        waited(store.before("lobby", None, 0))
    for number in range(2):
        store.post("lobby", str(number), Said(1.0, "ada", str(number)))
        waited(store.before("lobby", None, 0))
    store.limit("lobby", 1)
    waited(store.before("lobby", None, 0))
    assert [event for _, event in waited(store.before("lobby", None, 9))] == [Said(1.0, "ada", "1")]
    waited(store.close())


def test_volatile_history_drops_the_other_rooms_in_the_store_of_its_records_too(
    tmp_path: Path,
) -> None:
    turn = TestMainThread()
    records = begun(SqliteStore(tmp_path / "chatd.db", turn, lambda: 0.0))
    records.open(Heard())
    for room in ("attic", "lobby"):  # from the time when messages were kept in the file as well
        records.post(room, room, Said(1.0, "ada", "x"))
    store = VolatileHistoryStore(HISTORY_EVENTS, turn, records)
    store.drop_rooms_but(["lobby"])
    assert waited(records.before("attic", None, 9)) == []
    assert len(waited(records.before("lobby", None, 9))) == 1
    waited(store.close())
