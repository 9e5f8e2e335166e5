"""Every store against one model: order, numbers, history, search, records, claims."""

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
from chatd.chat.store import Record, Store
from chatd.chat.text.query import SearchQuery, begins_with, folded
from chatd.store.memory import EVENT_BYTES, MemoryStore
from chatd.store.nats.client.servers import Servers
from chatd.store.nats.store import NatsStore
from chatd.store.sqlite.store import SqliteStore
from chatd.store.volatile_history import VolatileHistoryStore
from tests.support.cluster.nats import Nats
from tests.support.main_thread import TestMainThread, wait_for
from tests.support.people import result_of


def started(store: SqliteStore) -> SqliteStore:
    """Start a store that has files and threads."""
    store.prepare()
    store.begin()
    return store


#: Every store on one machine, made of a folder and a main thread.
STORES: dict[str, Callable[[Path, TestMainThread], Store]] = {
    "memory": lambda folder, main_thread: MemoryStore(),
    "sqlite": lambda folder, main_thread: started(
        SqliteStore(folder / "chatd.db", main_thread, lambda: 0.0)
    ),
    "volatile history": lambda folder, main_thread: VolatileHistoryStore(
        HISTORY_EVENTS,
        main_thread,
        started(SqliteStore(folder / "chatd.db", main_thread, lambda: 0.0)),
    ),
}

#: A room that is in no model.
MARKER_ROOM = "mark"
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


#: Searches that are made in everything now and then; one phrase is a nick in hexadecimal, as its
#: mark is.
QUERIES = (
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


class RecordingObserver:
    """An observer that records what it was told."""

    def __init__(self) -> None:
        self.stored_in: dict[str, list[tuple[str, int, RoomEvent]]] = {}

    def stored(self, room: str, message_id: str, number: int, event: RoomEvent) -> None:
        self.stored_in.setdefault(room, []).append((message_id, number, event))

    def record_changed(self, kind: str, key: str, value: str | None) -> None:
        """Need no notice: only changes of other servers are told."""

    def subscribed(self, room: str, number: int) -> None:
        """Need no notice."""

    def failed(self, room: str, message_id: str, reason: str) -> None:
        raise AssertionError(f"{message_id} was not stored in {room}: {reason}")


class StoreModel(RuleBasedStateMachine):
    """A store, and in lists what it was given."""

    make: Callable[[Path, TestMainThread], Store]
    is_durable: bool

    def __init__(self) -> None:
        super().__init__()
        self.observer = RecordingObserver()
        self.main_thread = TestMainThread()
        self.folder = TemporaryDirectory()
        self.store = type(self).make(Path(self.folder.name), self.main_thread)
        self.store.open(self.observer)
        self.markers = self.before = 0
        #: What a room has now: message id, number, event, account.
        self.stored: dict[str, list[tuple[str, int, KeptEvent, str]]] = {}
        self.maximum: dict[str, int] = {}
        self.records_of: dict[str, dict[str, str]] = {}
        self.posted_in: dict[str, list[tuple[str, RoomEvent]]] = {}
        self.holders: dict[str, str] = {}
        self.ids = 0

    def teardown(self) -> None:
        wait_for(self.store.close())
        self.folder.cleanup()

    def settle(self) -> None:
        """Wait until the store has done all that it was told to.

        A read waits for what was posted to its room; what is posted to another room afterwards
        comes back when everything before it is done.
        """
        for room in ROOMS:
            wait_for(self.store.before(room, None, 0))
        self.markers += 1
        self.store.post(MARKER_ROOM, f"mark {self.markers}", Joined(1.0, "ada"))
        self.main_thread.run_until(
            lambda: len(self.observer.stored_in.get(MARKER_ROOM, [])) == self.markers
        )

    @rule()
    def close_and_open_again(self) -> None:
        if self.is_durable:
            wait_for(self.store.close())
            self.main_thread.run()
            self.holders.clear()
            self.maximum.clear()
            self.before = self.ids  # ids carry the incarnation of a server, so no old ones come
            self.store = type(self).make(Path(self.folder.name), self.main_thread)
            self.store.open(self.observer)

    @rule(room=rooms, event=events, account=accounts)
    def post(self, room: str, event: RoomEvent, account: str) -> None:
        self.ids += 1
        self.posted_in.setdefault(room, []).append((str(self.ids), event))
        self.store.post(room, str(self.ids), event, account)
        self.settle()
        message_id, number, kept = self.observer.stored_in[room][-1]
        if isinstance(kept, KeptEvent):
            self.stored.setdefault(room, []).append((message_id, number, kept, account))
            self.trim(room)

    @rule(room=rooms, number=st.integers(0, 12), text=texts, nick=nicks)
    def edit(self, room: str, number: int, text: str, nick: str) -> None:
        self.post(room, Edited(4.0, nick, number, text), "")
        self.stored[room] = [
            (message_id, at, replace(event, text=text, edited=True), account)
            if at == number and isinstance(event, Said | Acted)
            else (message_id, at, event, account)
            for message_id, at, event, account in self.stored.get(room, [])
        ]

    @rule(room=rooms, number=st.integers(0, 12), nick=nicks)
    def delete(self, room: str, number: int, nick: str) -> None:
        self.post(room, Deleted(4.0, nick, nick, number), "")
        self.stored[room] = [row for row in self.stored.get(room, []) if row[1] != number]

    @rule(room=rooms, maximum=st.one_of(st.none(), st.integers(1, 6)))
    def limit(self, room: str, maximum: int | None) -> None:
        self.store.limit(room, maximum)
        self.settle()
        self.maximum.pop(room, None)
        if maximum is not None:
            self.maximum[room] = maximum
        self.trim(room)

    def trim(self, room: str) -> None:
        stored = self.stored.get(room, [])
        del stored[: max(0, len(stored) - self.maximum.get(room, len(stored)))]

    @rule(room=rooms, nick=nicks, account=st.one_of(st.none(), accounts))
    def last_by(self, room: str, nick: str, account: str | None) -> None:
        matching = [
            (number, event)
            for _, number, event, owner in self.stored.get(room, [])
            if isinstance(event, Said | Acted) and event.nick == nick
            if account in (None, owner)
        ]
        assert wait_for(self.store.last_by(room, nick, account)) == (
            matching[-1] if matching else None
        )

    @rule(room=rooms)
    def post_again(self, room: str) -> None:
        once = KeptEvent | Edited | Deleted
        kept = [each for each in self.posted_in.get(room, []) if isinstance(each[1], once)]
        if kept and int(kept[-1][0]) > self.before:
            self.store.post(room, *kept[-1])
            self.settle()

    @rule(room=rooms)
    def subscribe(self, room: str) -> None:
        self.store.subscribe(room)

    @rule(room=rooms)
    def unsubscribe(self, room: str) -> None:
        self.store.unsubscribe(room)

    @rule(nick=nicks, holder=holders)
    def claim(self, nick: str, holder: str) -> None:
        result = wait_for(self.store.claim(nick, holder))
        assert result == (self.holders.setdefault(nick, holder) == holder)

    @rule(nick=nicks, holder=holders)
    def claim_as_owner(self, nick: str, holder: str) -> None:
        assert wait_for(self.store.claim(nick, holder, owner=True))
        self.holders[nick] = holder

    @rule(nick=nicks, holder=holders)
    def release(self, nick: str, holder: str) -> None:
        self.store.release(nick, holder)
        if self.holders.get(nick) == holder:
            del self.holders[nick]

    @property
    def in_order(self) -> list[tuple[str, int, RoomEvent]]:
        """Every stored event, in the order in which they were posted."""
        kept = [
            (int(message_id), room, number, event)
            for room, rows in self.stored.items()
            for message_id, number, event, _ in rows
        ]
        return [row[1:] for row in sorted(kept, key=lambda row: row[0])]

    @rule(room=rooms)
    def drop_room(self, room: str) -> None:
        self.store.drop_room(room)
        self.settle()
        self.forget_room(room)

    def forget_room(self, room: str) -> None:
        for of_room in (self.posted_in, self.observer.stored_in, self.stored, self.maximum):
            of_room.pop(room, None)

    @rule(keep=st.lists(rooms, unique=True))
    def drop_rooms_but(self, keep: list[str]) -> None:
        self.store.drop_rooms_but([*keep, MARKER_ROOM])
        self.settle()
        for room in set(ROOMS) - set(keep):
            self.forget_room(room)

    @rule(kind=kinds, key=nicks, value=st.one_of(st.none(), st.text(max_size=5)))
    def put(self, kind: str, key: str, value: str | None) -> None:
        wait_for(self.store.put_all([Record(kind, key, value)]))
        records = self.records_of.setdefault(kind, {})
        records.pop(key, None)
        if value is not None:
            records[key] = value

    @rule(kind=kinds, values=st.dictionaries(nicks, st.one_of(st.none(), st.text(max_size=5))))
    def put_several(self, kind: str, values: dict[str, str | None]) -> None:
        wait_for(self.store.put_all([Record(kind, key, each) for key, each in values.items()]))
        records = self.records_of.setdefault(kind, {})
        for key, each in values.items():
            records.pop(key, None)
            if each is not None:
                records[key] = each

    @rule(kind=kinds, key=nicks, value=st.one_of(st.none(), st.text(max_size=5)))
    def put_quietly(self, kind: str, key: str, value: str | None) -> None:
        outcomes: list[str | None] = []
        self.store.put_quietly(Record(kind, key, value), outcomes.append)
        self.main_thread.run_until(lambda: bool(outcomes))
        assert outcomes == [None]
        records = self.records_of.setdefault(kind, {})
        records.pop(key, None)
        if value is not None:
            records[key] = value

    @rule(kind=kinds)
    def read_records(self, kind: str) -> None:
        assert wait_for(self.store.records(kind)) == self.records_of.get(kind, {})

    def numbered(self, room: str) -> list[tuple[int, RoomEvent]]:
        return [(number, event) for _, number, event, _ in self.stored.get(room, [])]

    @rule(room=rooms, count=st.integers(0, 5), before=st.one_of(st.none(), st.integers(0, 9)))
    def read_before(self, room: str, count: int, before: int | None) -> None:
        rows = [row for row in self.numbered(room) if before is None or row[0] < before]
        read = wait_for(self.store.before(room, before, count))
        assert read == rows[len(rows) - min(count, len(rows)) :]

    @rule(room=rooms, count=st.integers(0, 5), after=st.integers(0, 9))
    def read_after(self, room: str, count: int, after: int) -> None:
        rows = [row for row in self.numbered(room) if row[0] > after]
        assert wait_for(self.store.after(room, after, count)) == rows[:count]

    @rule(room=rooms, above=st.integers(0, 9), below=st.integers(0, 12))
    def count(self, room: str, above: int, below: int) -> None:
        between = sum(above < number < below for number, _ in self.numbered(room))
        changes = sum(isinstance(each[1], Change) for each in self.posted_in.get(room, []))
        result = wait_for(self.store.count(room, above, below))
        assert between <= result <= between + changes * self.is_durable

    @rule(
        within=st.lists(rooms, unique=True),
        search=searches,
        skip=st.integers(0, 3),
        count=st.integers(0, 4),
    )
    def search(self, within: list[str], search: SearchQuery, skip: int, count: int) -> None:
        found = [
            (room, number, event)
            for room, number, event in reversed(self.in_order)
            if room in within and self.is_found(event, search)
        ]
        result = wait_for(self.store.search(within, search, skip, count))
        assert result == found[skip : skip + count]

    @rule(within=st.sampled_from([("attic",), ("lobby",), ("attic", "lobby")]))
    def search_for_all(self, within: tuple[str, ...]) -> None:
        for search in QUERIES:
            assert wait_for(self.store.search(within, search, 0, 99)) == [
                (room, number, event)
                for room, number, event in reversed(self.in_order)
                if room in within and self.is_found(event, search)
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
    def every_event_is_handed_over_once_and_in_order(self) -> None:
        for room, posted_in in self.posted_in.items():
            kept = self.observer.stored_in.get(room, [])
            assert [(message_id, event) for message_id, _, event in kept] == posted_in

    @invariant()
    def numbers_rise_with_stored_events_and_stay_with_others(self) -> None:
        for kept in self.observer.stored_in.values():
            last = 0
            for _, number, event in kept:
                assert number > last if isinstance(event, KeptEvent) else number == last
                last = number


@pytest.mark.parametrize("name", STORES)
def test_a_store_behaves_like_its_model(name: str) -> None:
    class ChosenModel(StoreModel):
        make = staticmethod(STORES[name])
        is_durable = name == "sqlite"

    run_state_machine_as_test(
        ChosenModel, settings=settings(max_examples=60, stateful_step_count=40)
    )


#: How far the times of events may be from a stream's timestamps; those of the model are in 1970.
CLOCK_SKEW, YEARS = "chatd.store.nats.rooms.searching.CLOCK_SKEW_SECONDS", 80 * 365 * 86400.0


def model_on(nats: Nats) -> type[StoreModel]:
    """Return the model for a cluster: each folder stands for an account there."""
    accounts: dict[Path, Servers] = {}

    def make(folder: Path, main_thread: TestMainThread) -> Store:
        if folder not in accounts:
            accounts[folder] = nats.account()
        # Most reads go beyond a tail of three.
        store = NatsStore(accounts[folder], main_thread, shards=2, tail=3)
        store.begin()
        return store

    class ChosenModel(StoreModel):
        pass

    ChosenModel.make = staticmethod(make)
    ChosenModel.is_durable = True
    return ChosenModel


def test_a_store_on_one_nats_server_behaves_like_its_model(
    nats: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CLOCK_SKEW, YEARS)
    chosen = settings(max_examples=60, stateful_step_count=40)
    run_state_machine_as_test(model_on(nats), settings=chosen)


def test_a_store_on_three_nats_servers_behaves_like_its_model(
    three_nats: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CLOCK_SKEW, YEARS)
    chosen = settings(max_examples=8, stateful_step_count=30)
    run_state_machine_as_test(model_on(three_nats), settings=chosen)


def filled_store(events: int, text: str = "x") -> tuple[MemoryStore, RecordingObserver]:
    store, observer = MemoryStore(), RecordingObserver()
    store.open(observer)
    for number in range(events):
        store.post("lobby", str(number), Said(1.0, "ada", text))
    return store, observer


def numbers_in(store: Store, room: str) -> list[int]:
    rows = result_of(store.before(room, None, 10_000))
    assert isinstance(rows, list)
    return [number for number, _ in rows]


@pytest.mark.parametrize(("events", "first"), [(HISTORY_EVENTS, 1), (HISTORY_EVENTS + 1, 2)])
def test_memory_bounds_the_events_of_a_room(events: int, first: int) -> None:
    store, _ = filled_store(events)
    rows = result_of(store.before("lobby", None, 10_000))
    assert isinstance(rows, list)
    assert rows[0][0] == first
    assert len(rows) == HISTORY_EVENTS


def test_memory_bounds_the_bytes_of_a_room_whatever_its_characters_take() -> None:
    store, _ = filled_store(400, "😀" * 1000)
    rows = result_of(store.before("lobby", None, 10_000))
    assert isinstance(rows, list)
    assert 200 < len(rows) <= HISTORY_BYTES // 4000
    assert rows[-1][0] == 400


def test_memory_drops_from_the_largest_room_when_all_together_are_too_large() -> None:
    store, text = filled_store(1)[0], "x" * (HISTORY_BYTES // 4)
    size = getsizeof(text) + EVENT_BYTES
    fit = (HISTORY_BYTES_IN_ALL - getsizeof("x") - EVENT_BYTES) // size
    for number in range(fit - 2):
        store.post(f"room {number}", f"text {number}", Said(1.0, "ada", text))
    for number in range(2):
        store.post("large", f"large {number}", Said(1.0, "ada", text))
    assert numbers_in(store, "large") == [1, 2]
    store.post("last", "last", Said(1.0, "ada", text))
    assert numbers_in(store, "large") == []
    assert all(numbers_in(store, f"room {number}") == [1] for number in range(fit - 2))
    assert numbers_in(store, "last") == numbers_in(store, "lobby") == [1]


def test_memory_does_not_count_dropped_rooms() -> None:
    store, text = filled_store(1)[0], "x" * (HISTORY_BYTES // 4)
    for number in range(2 * HISTORY_BYTES_IN_ALL // len(text)):
        store.post("passing", str(-number), Said(1.0, "ada", text))
        store.drop_room("passing")
    store.post("attic", "one", Said(1.0, "ada", text))
    assert numbers_in(store, "lobby") == numbers_in(store, "attic") == [1]


def test_memory_drops_a_text_that_is_larger_than_a_room_may_be() -> None:
    store, _ = filled_store(3)
    store.post("lobby", "large", Said(1.0, "ada", "x" * HISTORY_BYTES))
    store.post("lobby", "small", Said(1.0, "ada", "x"))
    assert numbers_in(store, "lobby") == [5]


def test_memory_remembers_a_bounded_number_of_message_ids() -> None:
    store, observer = filled_store(MESSAGE_IDS)
    store.post("lobby", "0", Said(1.0, "ada", "again"))
    assert len(observer.stored_in["lobby"]) == MESSAGE_IDS
    store.post("lobby", "new", Said(1.0, "ada", "one more"))
    store.post("lobby", "0", Said(1.0, "ada", "again"))
    assert len(observer.stored_in["lobby"]) == MESSAGE_IDS + 2


def test_a_store_that_is_not_open_refuses_posts() -> None:
    with pytest.raises(RuntimeError):
        MemoryStore().post("lobby", "1", Said(1.0, "ada", "hello"))


def test_a_message_id_is_stored_once_whichever_room_it_is_posted_to() -> None:
    store, observer = filled_store(1)
    store.post("attic", "0", Said(1.0, "ada", "again"))
    assert numbers_in(store, "attic") == []
    assert "attic" not in observer.stored_in


def test_an_unstored_event_is_handed_over_and_leaves_no_trace() -> None:
    store, observer = filled_store(1)
    store.post("lobby", "joined", Joined(1.0, "bob"))
    assert observer.stored_in["lobby"][-1] == ("joined", 1, Joined(1.0, "bob"))
    assert numbers_in(store, "lobby") == [1]


def test_a_later_observer_is_notified_from_then_on() -> None:
    store, first = filled_store(1)
    later = RecordingObserver()
    store.open(later)
    store.post("lobby", "next", Said(1.0, "ada", "x"))
    assert [message_id for message_id, _, _ in first.stored_in["lobby"]] == ["0"]
    assert [(message_id, n) for message_id, n, _ in later.stored_in["lobby"]] == [("next", 2)]


def test_a_nick_is_held_until_its_holder_releases_it() -> None:
    store = MemoryStore()
    assert result_of(store.claim("ada", "one"))
    store.release("ada", "other")
    assert not result_of(store.claim("ada", "other"))
    store.release("ada", "one")
    assert result_of(store.claim("ada", "other"))


def test_memory_searches_a_bounded_number_of_events() -> None:
    store = MemoryStore()
    store.open(RecordingObserver())
    names = [f"room {number}" for number in range(SEARCHED_EVENTS // 2)]
    for time in (1.0, 2.0, 3.0):
        for number, room in enumerate(names):
            store.post(room, f"{number} {time}", Said(time, "ada", "x"))
    found = result_of(store.search(names, SearchQuery(("x",)), 0, 10 * SEARCHED_EVENTS))
    assert isinstance(found, list)
    assert len(found) == SEARCHED_EVENTS
    assert {event.time for _, _, event in found} == {2.0, 3.0}


@pytest.mark.parametrize("name", STORES)
def test_a_limit_that_is_set_again_counts_the_events_since(name: str, tmp_path: Path) -> None:
    main_thread = TestMainThread()
    store = STORES[name](tmp_path, main_thread)
    store.open(RecordingObserver())
    for maximum in (1, None):
        store.limit("lobby", maximum)
        wait_for(store.before("lobby", None, 0))
    for number in range(2):
        store.post("lobby", str(number), Said(1.0, "ada", str(number)))
        wait_for(store.before("lobby", None, 0))
    store.limit("lobby", 1)
    wait_for(store.before("lobby", None, 0))
    assert [event for _, event in wait_for(store.before("lobby", None, 9))] == [
        Said(1.0, "ada", "1")
    ]
    wait_for(store.close())


def test_volatile_history_drops_the_other_rooms_in_the_store_of_its_records_too(
    tmp_path: Path,
) -> None:
    main_thread = TestMainThread()
    records = started(SqliteStore(tmp_path / "chatd.db", main_thread, lambda: 0.0))
    records.open(RecordingObserver())
    for room in ("attic", "lobby"):  # stored before messages were only in memory
        records.post(room, room, Said(1.0, "ada", "x"))
    store = VolatileHistoryStore(HISTORY_EVENTS, main_thread, records)
    store.drop_rooms_but(["lobby"])
    assert wait_for(records.before("attic", None, 9)) == []
    assert len(wait_for(records.before("lobby", None, 9))) == 1
    wait_for(store.close())
