"""Resume: a user whose connection was lost misses nothing, and is shown nothing twice."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.actions.messages import say
from chatd.chat.entry.entrance import Visitor
from chatd.chat.limits import DEAD_SECONDS, DETACHED_PER_ADDRESS, OFFLINE_MESSAGES, REPLAYED
from chatd.chat.model.client import DeliveryReport, Position
from chatd.store.memory import MemoryStore
from tests.support.people import Client, Server, User, result_of

ADA = "SHA256:ada"


def words(lines: list[str]) -> list[str]:
    """Return the texts of messages among some lines, without times and notices."""
    lines = [re.sub("\x1b\\[[0-9;]*m", "", line) for line in lines]
    said = (re.fullmatch(r"(?:   (?:\S+ )?\d\d:\d\d )?(?:\[\w+\] )?\w+: (.*)", x) for x in lines)
    return [match[1] for match in said if match]


def returns(server: Server, **options: Any) -> User:
    """Let Ada enter with her key again."""
    return server.enters("ada", lobby=False, fingerprint=ADA, client=Client(**options))


def test_a_short_interruption_is_not_shown_and_nothing_is_missed() -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    ada.types("/join attic"), bob.types("/join attic"), bob.sees()
    bob.types("before")
    assert words(ada.sees()) == ["before"]
    assert ada.loses_connection() is not None
    assert bob.sees() == []
    bob.types("one"), bob.types("two"), bob.types("/focus lobby"), bob.types("three")
    back = returns(server)
    assert back.nick == "ada"
    assert bob.sees() == ["-- What you type goes to lobby now."]
    shown = back.sees()
    assert shown[0] == "-- Welcome back, ada."
    assert shown[1:] == [
        "-- lobby, 1 new:",
        "   13:46 bob: three",
        "-- attic, 2 new:",
        "   13:46 bob: one",
        "   13:46 bob: two",
    ]
    bob.types("live")
    assert back.sees() == ["[lobby] bob: live"]
    back.types("here")
    assert bob.sees() == ["[attic] ada: here"]


def test_a_user_who_does_not_resume_in_time_leaves() -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    detached = ada.loses_connection()
    assert detached is not None
    bob.sees()
    server.chat.expire(detached, server.now)
    assert bob.sees() == ["-- ada left"]
    assert server.chat.people.find("ada") is None
    assert len(server.chat.detached) == 0
    server.chat.expire(detached, server.now)
    assert bob.sees() == []


def test_a_session_that_was_resumed_does_not_expire() -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    first = ada.loses_connection()
    assert first is not None
    back = returns(server)
    second = back.loses_connection()
    server.chat.expire(first, server.now)
    assert server.chat.people.find("ada") is not None
    bob.sees()
    assert second is not None
    server.chat.expire(second, server.now)
    assert bob.sees() == ["-- ada left"]


def test_a_guest_resumes_by_token() -> None:
    server = Server()
    guest, bob = server.enters(), server.enters("bob")
    guest.types("/resume")
    (answer,) = guest.sees()[-1:]
    token = answer.split()[7]
    assert answer == (f"-- If you are cut off: /resume {token} takes you back within 2 minutes.")
    guest.loses_connection()
    bob.types("psst"), bob.types("/dm guest1 alone"), bob.sees()
    other = server.enters()
    assert other.nick == "guest2"
    other.types("/resume nonsense")
    assert other.sees()[-1] == "-- There is no place with that token any more."
    bob.sees()
    other.types(f"/resume {token}")
    shown = other.sees()
    assert shown[:3] == ["-- Welcome back, guest1.", "-- lobby, 1 new:", "   13:46 bob: psst"]
    assert shown[3] == "[bob -> you] alone"
    assert shown[4].startswith("-- If you are cut off: /resume ")
    assert bob.sees() == ["-- guest2 left"]
    assert other.nick == "guest1"
    again = server.enters()
    again.types(f"/resume {token}")
    assert again.sees()[-1] == "-- There is no place with that token any more.", "it works once"


def test_a_token_takes_a_session_over_from_a_live_connection() -> None:
    server = Server()
    guest = server.enters()
    guest.types("/resume")
    token = guest.sees()[-1].split()[7]
    guest.types(f"/resume {token}")
    assert guest.sees() == ["-- That is your own place, and you are in it."]
    other = server.enters()
    other.types(f"/resume {token}")
    assert guest.sees()[-1] == "-- Another connection has taken your place."
    assert guest.client.closed
    assert guest.loses_connection() is None, "it has no session any more"
    assert other.nick == "guest1"
    assert server.chat.people.find("guest1") is other.session.person


def test_a_guest_without_key_or_token_leaves_at_once() -> None:
    server = Server()
    guest, bob = server.enters(), server.enters("bob")
    bob.sees()
    assert guest.loses_connection() is None
    assert bob.sees() == ["-- guest1 left"]


def test_a_session_is_kept_only_for_the_last_connection_of_a_person() -> None:
    server = Server()
    ada = server.enters("ada", fingerprint=ADA)
    ada.types("/register")
    also = server.enters("ada", fingerprint=ADA)
    assert ada.loses_connection() is None
    assert also.loses_connection() is not None


def test_messages_that_were_not_acknowledged_are_shown_again() -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    bob.types("one")
    assert words(ada.sees()) == ["one"]
    arrived = ada.session.position()
    bob.types("two"), bob.types("three")
    assert words(ada.sees()) == ["two", "three"]
    ada.client.report = DeliveryReport(arrived, owing=1.0)
    assert ada.loses_connection() is not None
    assert words(returns(server).sees()) == ["two", "three"]


@pytest.mark.parametrize(
    ("unreached", "shown"), [(0, 0), (1, 1), (10, 1), (11, 2), (20, 2), (21, 3)]
)
def test_messages_that_did_not_arrive_whole_are_shown_again(unreached: int, shown: int) -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    for each in ("one", "two", "six"):
        bob.types(each)
        server.now += 1
    ada.types("own"), ada.sees()
    assert len(b"bob: two\r\n") == 10
    ada.client.report = DeliveryReport(unreached=unreached)
    ada.loses_connection()
    assert words(returns(server).sees()) == ["one", "two", "six"][3 - shown :]


def test_ignored_messages_are_not_counted_among_the_bytes_that_did_not_arrive() -> None:
    server = Server()
    ada, bob, eve = (
        server.enters("ada", fingerprint=ADA),
        server.enters("bob"),
        server.enters("eve"),
    )
    ada.types("/ignore eve")
    bob.types("one"), ada.sees()
    server.now += 1
    eve.types("noise"), ada.sees()
    ada.client.report = DeliveryReport(unreached=len(b"bob: one\r\n"))
    ada.loses_connection()
    assert words(returns(server).sees()) == ["one"]


def test_messages_edited_since_are_not_counted_among_the_bytes_that_did_not_arrive() -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    for each in ("one", "two", "six"):
        bob.types(each), ada.sees()
        server.now += 1
    ada.client.report = DeliveryReport(unreached=len(b"bob: two\r\nbob: six\r\n"))
    ada.loses_connection()
    bob.types("/edit six and many more words")
    shown = words(returns(server).sees())
    assert shown[-2:] == ["two", "six and many more words (edited)"]


def test_direct_messages_that_were_not_acknowledged_are_shown_again() -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    bob.types("/dm ada first")
    arrived = ada.session.position()
    bob.types("/dm ada second"), bob.types("hello"), bob.types("/dm ada third")
    ada.sees()
    ada.client.report = DeliveryReport(arrived, owing=1.0)
    ada.loses_connection()
    shown = returns(server).sees()
    assert words(shown) == ["hello"]
    assert shown[-2:] == ["[bob -> you] second", "[bob -> you] third"]


@pytest.mark.parametrize(
    ("unreached", "back"),
    [(0, []), (1, ["two"]), (18, ["two"]), (19, ["two", "hello"]), (31, ["one", "two", "hello"])],
)
def test_direct_messages_count_among_the_bytes_that_did_not_arrive(
    unreached: int, back: list[str]
) -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    for line in ("/dm ada one", "hello", "/dm ada two"):
        bob.types(line), ada.sees()
        server.now += 1
    assert len(b"[bob -> you] two\r\n") == 18
    ada.client.report = DeliveryReport(unreached=unreached)
    ada.loses_connection()
    shown = returns(server).sees()
    assert [w for w in ("one", "two", "hello") if any(row.endswith(w) for row in shown)] == back


def test_queued_direct_messages_that_did_not_arrive_are_queued_again() -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    ada.loses_connection()
    for number in range(OFFLINE_MESSAGES):
        bob.types(f"/dm ada {number}")
    back = returns(server)
    back.client.report = DeliveryReport(Position({}, 0), owing=1.0)
    back.sees(), back.loses_connection()
    shown = returns(server).sees()
    assert shown[1:] == [f"[bob -> you] {number}" for number in range(OFFLINE_MESSAGES)]


def test_a_dead_connection_is_taken_over_at_once() -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    arrived = ada.session.position()
    bob.types("into the void")
    ada.sees()
    ada.client.report = DeliveryReport(arrived, owing=DEAD_SECONDS)
    back = returns(server)
    assert words(back.sees()) == ["into the void"]
    assert back.nick == "ada"
    assert ada.client.closed
    bob.sees()
    assert ada.loses_connection() is None
    assert bob.sees() == []


def program_of_ada(server: Server, *, listens: bool) -> User:
    """Let a program enter with Ada's login, or (not listening) an ssh command with her key."""
    visitor = Visitor("ada", account="ada") if listens else Visitor("ada", fingerprint=ADA)
    client = Client()
    client.resumable = False
    entered = result_of(server.chat.enter(visitor, client, server.now, listens=listens))
    assert isinstance(entered, tuple)
    return User(server, entered[0], client)


@pytest.mark.parametrize("listens", [True, False])
def test_programs_of_an_account_go_on_when_its_owner_resumes(listens: bool) -> None:
    server = Server()
    ada = server.enters("ada", fingerprint=ADA)
    ada.types("/register")
    ada.loses_connection()
    other = program_of_ada(server, listens=listens)
    assert other.session.person is ada.session.person
    back = returns(server)
    assert back.sees()[0] == "-- Welcome back, ada."
    assert not other.client.closed
    assert other.session in back.session.person.sessions


def test_a_direct_message_that_a_program_was_sent_is_queued_for_its_detached_owner() -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    ada.types("/register")
    ada.loses_connection()
    program = program_of_ada(server, listens=True)
    bob.types("/dm ada alone")
    assert program.sees() == ["[bob -> you] alone"]
    assert returns(server).sees()[1:] == ["[bob -> you] alone"]


def test_a_session_that_does_not_listen_sets_no_read_mark() -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    ada.types("/register"), ada.sees()
    detached = ada.loses_connection()
    assert detached is not None
    bob.types("unread")
    program_of_ada(server, listens=False).leaves()
    server.chat.expire(detached, server.now)
    again = returns(server)
    assert server.chat.profiles.last_read(again.session.person, server.chat.lobby) == 0


def test_a_session_that_does_not_listen_does_not_prevent_taking_over_a_dead_connection() -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    ada.types("/register"), ada.sees()
    program_of_ada(server, listens=False)
    arrived = ada.session.position()
    bob.types("into the void"), ada.sees()
    ada.client.report = DeliveryReport(arrived, owing=DEAD_SECONDS)
    assert words(returns(server).sees()) == ["into the void"]
    assert ada.client.closed


def test_a_second_guest_with_a_key_whose_connection_lives_is_another_person() -> None:
    server = Server()
    server.enters("ada", fingerprint=ADA)
    assert returns(server).nick == "ada2"


def test_a_guest_resumes_by_key_although_another_with_it_has_left() -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    window = returns(server)
    assert window.nick == "ada2"
    window.types("/quit")
    assert ada.loses_connection() is not None
    bob.types("hello")
    back = returns(server)
    assert back.nick == "ada"
    assert words(back.sees()) == ["hello"]


def test_two_guests_with_one_key_both_resume() -> None:
    server = Server()
    both = [server.enters("ada", fingerprint=ADA) for _ in range(2)]
    assert all(each.loses_connection() for each in both)
    assert {returns(server).nick for _ in range(2)} == {"ada", "ada2"}
    assert returns(server).nick == "ada3"


def test_direct_messages_queued_for_a_detached_guest_are_bounded() -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    ada.loses_connection()
    for number in range(OFFLINE_MESSAGES):
        bob.types(f"/dm ada {number}")
    bob.sees()
    bob.types("/dm ada one more")
    assert bob.sees() == ["-- ada is not reading now; try again later."]
    shown = returns(server).sees()
    assert shown[1:] == [f"[bob -> you] {number}" for number in range(OFFLINE_MESSAGES)]


def test_a_direct_message_to_a_detached_owner_is_stored_as_an_offline_message() -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    ada.types("/register")
    ada.loses_connection()
    bob.sees()
    bob.types("/dm ada psst")
    assert bob.sees() == ["[you -> ada] psst", "-- ada is not here now, and will be shown it then."]
    assert "[bob -> you] psst" in returns(server).sees()


def test_direct_messages_of_ignored_users_are_not_queued() -> None:
    server = Server()
    ada, eve = server.enters("ada", fingerprint=ADA), server.enters("eve")
    ada.types("/register"), ada.types("/ignore eve")
    ada.loses_connection()
    eve.sees()
    eve.types("/dm ada boo")
    assert eve.sees() == ["[you -> ada] boo", "-- ada is not here now, and will be shown it then."]
    assert returns(server).sees() == ["-- Welcome back, ada."]


def test_a_user_is_told_on_resuming_of_a_kick() -> None:
    server = Server()
    bob = server.enters("bob")
    bob.types("/join attic")
    ada = server.enters("ada", fingerprint=ADA)
    ada.types("/join attic")
    ada.loses_connection()
    bob.types("/kick ada too quiet")
    shown = returns(server).sees()
    assert shown == ["-- Welcome back, ada.", "-- You were kicked from attic by bob (too quiet)."]


def test_the_newest_of_very_many_messages_are_shown_and_the_rest_is_counted() -> None:
    server = Server(MemoryStore(2 * REPLAYED))
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    ada.loses_connection()
    for number in range(REPLAYED + 7):
        say(server.chat, bob.session, str(number), server.now)
    shown = returns(server).sees()
    assert shown[1] == f"-- lobby, {REPLAYED} new, after 7 more that /history has:"
    assert words(shown) == [str(number) for number in range(7, REPLAYED + 7)]


def test_messages_that_do_not_fit_are_counted_and_direct_messages_are_shown() -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    for room in "abc":
        ada.types(f"/join {room}"), bob.types(f"/join {room}")
    ada.loses_connection()
    for room in "abc":
        bob.types(f"/focus {room}")
        for number in range(400):
            say(server.chat, bob.session, f"{room}{number} {'x' * 100}", server.now)
    bob.types("/dm ada alone")
    back = returns(server, capacity=0)
    back.resumes_reading()
    shown = back.sees()
    notices = [line for line in shown if line.startswith("-- ")]
    assert notices[1] == "-- a, 400 new:"
    assert "-- c, 0 new, after 400 more that /history has:" in notices
    assert shown[-1] == "[bob -> you] alone"


@pytest.mark.parametrize(("kept", "gone"), [(0, "5 messages that were"), (4, "1 message that was")])
def test_messages_that_are_not_kept_any_more_are_counted(kept: int, gone: str) -> None:
    server = Server(MemoryStore(kept))
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    bob.types("before"), ada.sees()
    ada.loses_connection()
    for number in range(5):
        bob.types(str(number))
    shown = returns(server).sees()
    are = "is" if kept else "are"
    assert shown[1] == f"-- lobby: {gone} said meanwhile {are} not kept any more."
    assert words(shown) == [str(number) for number in range(5 - kept, 5)]


def test_a_session_that_cannot_be_resumed_as_reading_fails_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    ada.loses_connection()
    bob.types("hello")

    async def fails(*_: object) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as ill:
        ill.setattr(server.chat.history, "before", fails)
        with pytest.raises(OSError, match="gone"):
            returns(server)
    assert ada.session.person.sessions == []
    assert words(returns(server).sees()) == ["hello"]


def test_past_the_bound_of_an_address_the_oldest_detached_session_ends() -> None:
    server = Server()
    bob = server.enters("bob")
    everyone = [
        server.enters(f"p{number}", fingerprint=f"SHA256:{number}")
        for number in range(DETACHED_PER_ADDRESS + 1)
    ]
    bob.sees()
    for each in everyone:
        assert each.loses_connection() is not None
    assert bob.sees() == ["-- p0 left"]
    assert len(server.chat.detached) == DETACHED_PER_ADDRESS


def test_a_connection_lost_again_before_anything_arrived_misses_nothing() -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    ada.loses_connection()
    bob.types("one"), bob.types("/dm ada alone")
    detached = server.chat.detached.get(ada.session.person)
    assert detached is not None
    arrived = {room.id: number for room, number in detached.read.items()}
    again = server.enters("ada", lobby=False, fingerprint=ADA)
    again.sees()
    again.client.report = DeliveryReport(Position(arrived, 0))
    again.loses_connection()
    bob.types("two")
    assert words(returns(server).sees()) == ["one", "two"]


@given(
    steps=st.lists(
        st.sampled_from(["say", "say", "say in attic", "cut", "back", "turn"]), max_size=40
    ),
    echoes_input=st.booleans(),
)
def test_everything_is_shown_once_and_in_order(steps: list[str], echoes_input: bool) -> None:
    server = Server()
    bob = server.enters("bob")
    bob.types("/join attic"), bob.types("/focus lobby")
    ada = returns(server, echoes_input=echoes_input)
    ada.types("/join lobby"), ada.types("/join attic")
    here, said, shown = True, {"lobby": [""], "attic": [""]}, list[str]()
    for number, step in enumerate(steps):
        if step in ("say", "say in attic"):
            room = "attic" if step == "say in attic" else "lobby"
            bob.types(f"/focus {room}"), bob.types(f"{room}{number}")
            said[room].append(f"{room}{number}")
        elif step == "turn":
            server.end_turn()
        elif step == "cut" and here:
            shown += words(ada.sees())
            ada.loses_connection()
            here = False
        elif step == "back" and not here:
            ada = returns(server, echoes_input=echoes_input)
            here = True
    if not here:
        ada = returns(server, echoes_input=echoes_input)
    shown += words(ada.sees())
    for room, expected in said.items():
        assert [each for each in shown if each.startswith(room)] == expected[1:]
