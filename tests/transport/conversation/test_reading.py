"""Reading on a terminal: days, marks, bells, unread counts, joins and departures."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.events import Entry, Joined, Left, Recalled, RoomEvent, Said
from chatd.chat.fanout.log import RoomLog
from chatd.chat.model.entities import Session
from chatd.chat.model.preferences import Preferences, suffixes
from chatd.terminal.preferred import plain_style, style_for
from chatd.terminal.style import FOLDED, TextStyle
from tests.support.people import Client, Server, User

#: 15 January 2026, 23:59:30 UTC, a Thursday.
LATE = 1768521570.0


class Watcher(Client):
    """Return a screen without colours."""

    columns, rows, depth = 80, 24, 0

    def style(self, preferences: Preferences) -> TextStyle:
        return style_for(preferences, self.depth, self.columns, self.rows)


def watching(server: Server, nick: str) -> User:
    """Return a user at a screen."""
    someone = server.enters(nick, client=Watcher(echoes_input=False))
    someone.sees()
    return someone


def said(time: float, text: str = "hi") -> Entry:
    """Return a message."""
    return Entry("lobby", 1, "ada", Said(time, "ada", text))


# Rows ---------------------------------------------------------------------------------------------


def test_messages_are_wrapped_to_the_readers_width_with_a_hanging_indent() -> None:
    server = Server()
    ada, bob = watching(server, "ada"), watching(server, "bob")
    assert isinstance(bob.client, Watcher)
    bob.client.columns = 30
    bob.session.restyle()
    ada.sees(), bob.sees()
    ada.types("one two three four five six seven eight nine ten")
    assert ada.sees() == ["ada: one two three four five six seven eight nine ten"]
    assert bob.sees() == ["ada: one two three four five", "     six seven eight nine ten"]


def test_lines_of_the_server_and_listings_are_wrapped_as_well() -> None:
    server = Server()
    ada = watching(server, "ada")
    assert isinstance(ada.client, Watcher)
    ada.client.columns = 40
    ada.types("/topic " + "tea " * 20)
    shown = ada.sees()
    assert shown[0].startswith("-- ")
    assert all(line.startswith("   ") for line in shown[1:])
    ada.types("/help people")
    assert ada.sees() == [
        "-- People:",
        "   /users [ROOM]   who is in a room",
        "   /whois NICK     who somebody is",
        "   /ignore [NICK]  be shown nothing of",
        "                   somebody",
        "   /unignore NICK  be shown somebody",
        "                   again",
    ]


def test_a_message_of_several_lines_is_a_block() -> None:
    text = "def f():\n    return 1"
    plain = TextStyle().render(said(LATE, text))
    assert plain == b"ada: def f():\r\n        return 1\r\n"
    drawn = TextStyle(width=79, timestamps="HH:MM").render(said(LATE, text))
    assert drawn == b"23:59 ada: def f():\r\n               return 1\r\n"


def test_users_with_similar_screens_share_a_style_and_there_are_few() -> None:
    styles = {style_for(Preferences(), 256, columns, 24) for columns in range(20, 501)}
    assert len(styles) == 61 + 52
    assert style_for(Preferences(), 256, 80, 24) == style_for(Preferences(), 256, 87, 50)
    assert style_for(Preferences(theme="plain"), 256, 80, 24).depth == 0
    assert style_for(Preferences(theme="mono"), 256, 80, 24).depth == 0


# Days ---------------------------------------------------------------------------------------------


def shown_of(log: RoomLog, style: TextStyle) -> list[str]:
    """Return all that a log has, in a style."""
    return log.chunk(style, log.first)[0].decode().splitlines()


def test_a_new_day_is_announced_between_two_messages_in_the_readers_time_zone() -> None:
    log = RoomLog()
    for time in (LATE, LATE + 10, LATE + 40, LATE + 50):
        log.append(said(time))
    screen = TextStyle(width=79)
    new = "--- Friday, 16 January 2026 ---"
    assert shown_of(log, screen) == ["ada: hi"] * 2 + [new] + ["ada: hi"] * 2
    assert shown_of(log, replace(screen, timezone="Asia/Tokyo")) == ["ada: hi"] * 4
    assert shown_of(log, screen.unfocused) == ["[lobby] ada: hi"] * 4
    assert shown_of(log, TextStyle()) == ["ada: hi"] * 4


def test_a_new_day_is_announced_although_the_old_one_is_no_longer_in_the_log() -> None:
    log = RoomLog()
    log.append(said(LATE))
    log.forget(log.end)
    log.append(said(LATE + 40))
    assert shown_of(log, TextStyle(width=79)) == ["--- Friday, 16 January 2026 ---", "ada: hi"]
    assert shown_of(log, TextStyle(width=79, screen_reader=True)) == [
        "-- Friday, 16 January 2026",
        "ada: hi",
    ]


def test_a_new_day_is_announced_although_its_first_message_is_ignored() -> None:
    server = Server()
    server.now = LATE
    ada, bob, cy = watching(server, "ada"), watching(server, "bob"), watching(server, "cy")
    ada.types("/ignore bob"), ada.sees()
    server.now = LATE + 40
    bob.types("ada: psst"), cy.types("ada: hello")
    new = "--- Friday, 16 January 2026 ---"
    assert ada.sees() == [new, "cy: ada: hello\a"]
    assert bob.sees()[-3:] == [new, "bob: ada: psst", "cy: ada: hello"]


def test_history_on_a_screen_is_grouped_by_day() -> None:
    entries = (said(LATE), said(LATE + 40), said(LATE + 100))
    lines = TextStyle(width=79).render_personal(Recalled("lobby", entries)).decode().splitlines()
    assert lines == [
        "-- lobby, the last 3:",
        "   --- Thursday, 15 January 2026 ---",
        "   23:59 ada: hi",
        "   --- Friday, 16 January 2026 ---",
        "   00:00 ada: hi",
        "   00:01 ada: hi",
    ]


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("off", ""),
        ("on", "23:59 "),
        ("HH:MM:SS", "23:59:30 "),
        ("hh:mm", "11:59 pm "),
        ("HH:MM", "23:59 "),
        ("hh:MM:SS", "11:59:30 pm "),
    ],
)
def test_times_look_as_the_user_has_set(form: str, shown: str) -> None:
    server = Server()
    ada = watching(server, "ada")
    name = next((each for each in ("hh:MM", "HH:MM") if each.lower() == form), form)
    ada.types(f"/set timestamps {name if form == 'hh:mm' else form}"), ada.sees()
    server.now = LATE
    ada.types("hi")
    assert ada.sees()[-1] == f"{shown}ada: hi"


# Marks --------------------------------------------------------------------------------------------


def test_a_mention_rings_once_and_other_messages_as_the_user_has_set() -> None:
    server = Server()
    ada, bob = watching(server, "ada"), watching(server, "bob")
    ada.sees()
    bob.types("ada, ada!"), bob.types("hello")
    assert ada.sees() == ["bob: ada, ada!\a", "bob: hello"]
    ada.types("/set bell all"), ada.sees()
    bob.types("ada, ada!"), bob.types("hello"), ada.types("hi")
    assert ada.sees() == ["bob: ada, ada!\a", "bob: hello\a", "ada: hi"]
    ada.types("/set bell off"), ada.sees()
    bob.types("ada, ada!"), bob.types("hello")
    assert ada.sees() == ["bob: ada, ada!", "bob: hello"]
    assert bob.sees()[-1] == "bob: hello"


def test_plain_has_words_for_marks_and_no_joins_or_departures() -> None:
    server = Server()
    ada, bob = watching(server, "ada"), watching(server, "bob")
    ada.types("/set plain on"), ada.sees()
    bob.types("hi ada"), bob.types("/me greets ada"), bob.types("/dm ada *psst*")
    bob.types("/join attic"), bob.types("/leave lobby")
    assert ada.sees() == [
        "bob mentions you: hi ada\a",
        "* bob greets ada (mentions you)\a",
        "[bob to you] *psst*\a",
    ]
    ada.types("/set joins on"), ada.sees(), bob.types("/join lobby")
    assert ada.sees() == ["-- bob joined lobby"]


def test_a_user_name_may_contain_preferences() -> None:
    assert suffixes("ada+plain") == ("ada", (("plain", "on"),))
    assert suffixes("ada+solarized") == ("ada", (("theme", "solarized"),))
    assert suffixes("ada+guest") == ("ada", ())
    assert suffixes("ada+guest+plain") == suffixes("ada+plain+guest") == suffixes("ada+plain")
    assert suffixes("+plain") == ("", (("plain", "on"),))
    for name in ("ada", "ada+", "ada+pink", "ada+plain+x", ""):
        assert suffixes(name) == (name, ())


# What is unread -----------------------------------------------------------------------------------


def test_on_return_to_a_room_missed_messages_are_shown() -> None:
    server = Server(replay=2)
    ada, bob = watching(server, "ada"), watching(server, "bob")
    ada.types("/join attic"), bob.types("/join attic"), ada.types("/focus lobby"), ada.sees()
    for text in ("one", "two", "three"):
        bob.types(text)
    assert ada.sees() == ["[attic] bob: one", "[attic] bob: two", "[attic] bob: three"]
    ada.types("/focus attic")
    assert ada.sees() == [
        "-- What you type goes to attic now.",
        "--- attic, 2 new, after 1 more that /history has ---",
        "   --- Monday, 12 January 1970 ---",
        "   13:46 bob: two",
        "   13:46 bob: three",
    ]
    ada.types("/focus lobby"), ada.types("/focus attic")
    assert ada.sees() == [
        "-- What you type goes to lobby now.",
        "-- What you type goes to attic now.",
    ]


def test_a_room_that_has_the_focus_is_read_however_it_got_it() -> None:
    server = Server(replay=5)
    ada, bob = watching(server, "ada"), watching(server, "bob")
    bob.types("/join attic"), ada.types("/join attic"), bob.types("/focus lobby")
    bob.types("while you were away"), ada.sees()
    bob.types("/focus attic"), bob.types("/kick ada")
    bob.types("/focus lobby"), bob.types("now you are here")
    assert ada.sees()[-1] == "bob: now you are here"
    for line in ("/focus lobby", "/join lobby"):
        ada.types(line)
        assert len(ada.sees()) == 1
    assert ada.session.unread_counts() == []


def test_rooms_joined_by_another_connection_are_counted_as_well() -> None:
    server = Server()
    ada, bob = watching(server, "ada"), watching(server, "bob")
    ada.types("/join attic"), bob.types("/join attic")
    other = Watcher(echoes_input=False)
    session = Session(ada.session.person, other)
    ada.session.person.sessions.append(session)
    session.focus_on(server.chat.lobby)
    bob.types("hello ada"), bob.sees()
    assert session.unread_counts() == [("attic", 1, True)]
    assert ada.session.unread_counts() == []


def test_over_a_plain_connection_nothing_is_shown_twice() -> None:
    server = Server(replay=2)
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.types("/join attic"), bob.types("/join attic"), ada.types("/focus lobby"), ada.sees()
    bob.types("one"), ada.sees()
    ada.types("/focus attic")
    assert ada.sees() == ["-- What you type goes to attic now."]
    assert plain_style(Preferences()).render_personal(Recalled("attic", (), seen=True)) == b""


def test_a_greeting_shows_no_more_than_fits_a_screen() -> None:
    entries = tuple(said(LATE, "word " * 30) for _ in range(10))
    style = TextStyle(width=79, rows=24)
    lines = style.render_personal(Recalled("lobby", entries, greets=True)).decode().splitlines()
    assert lines[0] == "-- lobby, the last 4:"
    assert len(lines) <= 24 - 10 + 1
    everything = style.render_personal(Recalled("lobby", entries)).decode().splitlines()
    assert everything[0] == "-- lobby, the last 10:"


# Joins and departures -----------------------------------------------------------------------------


def join_of(number: int) -> Joined:
    return Joined(0.0, f"p{number}")


def test_many_joins_at_once_are_one_line_and_few_are_not() -> None:
    server = Server()
    ada = watching(server, "ada")
    for number in range(12):
        server.enters(f"p{number}")
    assert ada.sees() == ["-- 12 people joined lobby"]
    for number in range(FOLDED):
        server.enters(f"q{number}")
    assert ada.sees() == [f"-- q{number} joined lobby" for number in range(FOLDED)]


def test_a_user_who_joins_among_many_sees_later_joins() -> None:
    server = Server()
    people = [server.enters(f"p{number}") for number in range(12)]
    assert people[1].sees() == ["-- 10 people joined lobby"]
    assert people[9].sees() == ["-- p10 joined lobby", "-- p11 joined lobby"]
    assert people[11].sees() == []


def test_joins_and_departures_are_counted_apart() -> None:
    server = Server()
    ada = watching(server, "ada")
    people = [server.enters(f"p{number}") for number in range(6)]
    for each in people[:5]:
        each.leaves()
    assert ada.sees() == ["-- 6 people joined and 5 left lobby"]
    people[5].types("hello"), people[5].leaves()
    people = [server.enters(f"q{number}") for number in range(1)]
    for _ in range(2):
        again = server.enters("r")
        again.leaves()
    assert ada.sees() == ["p5: hello", "-- 3 people joined and 3 left lobby"]


def test_a_user_who_ignores_one_of_many_sees_each_of_the_others() -> None:
    server = Server()
    ada, _bob = watching(server, "ada"), watching(server, "p5")
    ada.types("/ignore p5"), _bob.leaves(), ada.sees()
    for number in range(6):
        server.enters(f"p{number}")
    assert ada.sees() == [f"-- p{number} joined lobby" for number in range(5)]


def test_joins_are_shown_singly_or_not_at_all_if_the_user_has_set_that() -> None:
    server = Server()
    ada, bob = watching(server, "ada"), watching(server, "bob")
    ada.types("/set joins on"), bob.types("/set joins off"), ada.sees(), bob.sees()
    for number in range(12):
        server.enters(f"p{number}")
    assert ada.sees() == [f"-- p{number} joined lobby" for number in range(12)]
    assert bob.sees() == []


EVENTS = st.lists(
    st.sampled_from(
        [
            *(join_of(1), join_of(2), join_of(3)),
            *(Left(0.0, "p4", "", True), Left(0.0, "p5", "", False)),
            Said(0.0, "ada", "hi"),
        ]
    ),
    max_size=30,
)


def told(lines: list[str]) -> tuple[int, int, int]:
    """Return the numbers of joins, departures and messages that were shown."""
    came = gone = spoke = 0
    for line in lines:
        words = line.split()
        if line.startswith("-- p"):
            came, gone = came + (words[2] == "joined"), gone + (words[2] == "left")
        elif line.startswith("--"):
            for before, word in pairwise(words):
                number = before if before.isdigit() else words[words.index(word) - 2]
                came += int(number) if word == "joined" else 0
                gone += int(number) if word == "left" else 0
        else:
            spoke += 1
    return came, gone, spoke


@given(EVENTS, st.lists(st.integers(0, 30)), st.integers(0, 30), st.integers(0, 30))
def test_every_join_is_counted_once_wherever_reading_begins(
    events: list[RoomEvent], shown_at: list[int], start: int, forgotten: int
) -> None:
    log, style = RoomLog(), TextStyle(joins="fold")
    start = min(start, len(events))
    for number, event in enumerate(events):
        log.append(Entry("lobby", number, "", event))
        if number in shown_at:
            log.chunk(style, 0)
    log.chunk(style, 0)
    log.forget(min(start, forgotten))
    read, at = b"", start
    while at < log.end:
        data, at = log.chunk(style, at)
        read += data
    after = events[start:]
    assert told(read.decode().splitlines()) == (
        sum(isinstance(event, Joined) for event in after),
        sum(isinstance(event, Left) for event in after),
        sum(isinstance(event, Said) for event in after),
    )
