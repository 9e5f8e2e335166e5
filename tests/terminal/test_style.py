"""Text style: the lines of every event in every theme."""

import re
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.events import (
    Acted,
    Announced,
    Deleted,
    Edited,
    Entry,
    Found,
    Invited,
    Joined,
    KeptEvent,
    Kicked,
    Left,
    Listing,
    Missed,
    Muted,
    Notice,
    PersonalEvent,
    PrivateMessage,
    PutOut,
    Recalled,
    Recipient,
    Refusal,
    Renamed,
    Role,
    RoleGiven,
    RoomEvent,
    RoomSet,
    Said,
    TopicSet,
)
from chatd.chat.model import preferences
from chatd.chat.text.sanitizing import safe
from chatd.terminal.style import TextStyle
from chatd.terminal.text.colours import ALL, FEW, INDEXED, NO_ATTRIBUTES, NONE
from chatd.terminal.text.themes import NAMES, theme

#: 15 January 2026, 23:59:30 UTC.
LATE = 1768521570.0

ROOM_EVENTS: list[tuple[RoomEvent, str]] = [
    (Said(LATE, "ada", "hi"), "ada: hi"),
    (Acted(LATE, "ada", "waves"), "* ada waves"),
    (TopicSet(LATE, "ada", "tea"), "-- ada set the topic of lobby: tea"),
    (TopicSet(LATE, "ada", ""), "-- ada took the topic of lobby away"),
    (Joined(LATE, "ada"), "-- ada joined lobby"),
    (Left(LATE, "ada", "", False), "-- ada left lobby"),
    (Left(LATE, "ada", "tea", False), "-- ada left lobby (tea)"),
    (Left(LATE, "ada", "", True), "-- ada left"),
    (Left(LATE, "ada", "tea", True), "-- ada left (tea)"),
    (Renamed(LATE, "ada", "grace"), "-- ada is now known as grace"),
    (Kicked(LATE, "ada", "bob", ""), "-- ada was kicked from lobby by bob"),
    (Kicked(LATE, "ada", None, "caps"), "-- ada was kicked from lobby by the server (caps)"),
    (
        Kicked(LATE, "ada", "bob", "caps", True, LATE + 7200),
        "-- ada was banned from lobby for 2 hours by bob (caps)",
    ),
    (Kicked(LATE, "ada", "bob", "", True), "-- ada was banned from lobby for good by bob"),
    (RoleGiven(LATE, "ada", Role.OWNER, None), "-- ada is the owner of lobby now"),
    (RoleGiven(LATE, "ada", Role.MODERATOR, "bob"), "-- ada is a moderator of lobby now, by bob"),
    (RoleGiven(LATE, "ada", Role.MEMBER, "bob"), "-- ada is a member of lobby now, by bob"),
    (Muted(LATE, "ada", "bob", True), "-- ada is muted in lobby, by bob"),
    (
        Muted(LATE, "ada", "bob", True, LATE + 60, "caps"),
        "-- ada is muted in lobby for 1 minute, by bob (caps)",
    ),
    (Muted(LATE, "ada", "bob", False), "-- ada may speak again in lobby, by bob"),
    (RoomSet(LATE, "ada", "slow", "5"), "-- ada set slow of lobby to 5"),
    (Said(LATE, "ada", "hello", True), "ada: hello (edited)"),
    (Acted(LATE, "ada", "waves", True), "* ada waves (edited)"),
    (Edited(LATE, "ada", 7, "hello"), "* ada corrects: hello"),
    (Deleted(LATE, "ada", "ada", 7), "-- ada deleted a message in lobby"),
    (Deleted(LATE, "ada", "bob", 7), "-- bob deleted a message of ada in lobby"),
]

PERSONAL_EVENTS: list[tuple[PersonalEvent, list[str]]] = [
    (Notice("Hello."), ["-- Hello."]),
    (Notice(""), ["--"]),
    (Refusal("no-room", "You are in no room."), ["-- You are in no room."]),
    (Listing("here:", ("ada", "bob")), ["-- here:", "   ada", "   bob"]),
    (Listing("nobody", ()), ["-- nobody"]),
    (PrivateMessage(LATE, "ada", "bob", "psst", Recipient.ADDRESSEE), ["[ada -> you] psst"]),
    (PrivateMessage(LATE, "ada", "bob", "psst", Recipient.SENDER), ["[you -> bob] psst"]),
    (
        Invited(LATE, "ada", "attic"),
        ["-- ada invites you into attic; /join attic takes you there."],
    ),
    (Missed("lobby", 1), ["-- You missed 1 message in lobby: you read too slowly."]),
    (Missed("lobby", 2), ["-- You missed 2 messages in lobby: you read too slowly."]),
    (PutOut(LATE, "lobby", "ada", "caps"), ["-- You were kicked from lobby by ada (caps)."]),
    (PutOut(LATE, "lobby", None, ""), ["-- You were kicked from lobby by the server."]),
    (PutOut(LATE, None, "ada", "caps"), ["-- You were kicked from this server by ada (caps)."]),
    (
        PutOut(LATE, "lobby", "ada", "", True),
        ["-- You were banned from lobby for good by ada."],
    ),
    (
        PutOut(LATE, None, "ada", "caps", True, LATE + 86400),
        ["-- You were banned from this server for 1 day by ada (caps)."],
    ),
    (Announced(LATE, "ada", "supper is ready"), ["-- ada tells everyone: supper is ready"]),
    (
        Recalled("lobby", (Entry("lobby", 1, "ada", Said(LATE, "ada", "hi")),)),
        ["-- lobby, the last one:", "   23:59 ada: hi"],
    ),
    (
        Recalled("lobby", (Entry("lobby", 17, "ada", Said(LATE, "ada", "hi")),), numbered=True),
        ["-- lobby, the last one:", "   23:59 #17 ada: hi"],
    ),
    (Recalled("lobby", ()), ["-- lobby, the last 0:"]),
    (
        Found((Entry("lobby", 1, "ada", Said(LATE, "ada", "hi")),), 2, True),
        [
            "-- 1 message found, page 2; page:3 shows earlier ones:",
            "   23:59 [lobby] ada: hi",
        ],
    ),
]

SGR = re.compile(r"\x1b\[[0-9;]*m")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

STYLES = [
    TextStyle(theme=name, depth=256, bell=bell, timestamps=timestamps, names_room=names_room)
    for name in NAMES
    for bell in ("off", "on")
    for timestamps in ("", "HH:MM")
    for names_room in (False, True)
]


def entry(event: RoomEvent, room: str = "lobby") -> Entry:
    """Return an event as an entry of a room's log."""
    return Entry(room, 1, "ada", event)


def shown(rendered: bytes) -> list[str]:
    """Return the lines of a rendering without colours, after a check of its sequences."""
    text = rendered.decode()
    assert text.endswith("\r\n")
    lines = text.removesuffix("\r\n").split("\r\n")
    plain = [SGR.sub("", line) for line in lines]
    for line, words in zip(lines, plain, strict=True):
        assert not CONTROL.search(words.removesuffix("\a"))
        painted = SGR.findall(line)
        assert painted[1::2] == ["\x1b[0m"] * (len(painted) // 2), "every colour is reset"
        assert len(painted) % 2 == 0
    return plain


def test_these_tests_cover_every_event() -> None:
    tried = {type(event) for event, _ in ROOM_EVENTS}
    assert tried == set(get_args(RoomEvent))
    assert tried >= set(get_args(KeptEvent))
    assert {type(event) for event, _ in PERSONAL_EVENTS} == set(get_args(PersonalEvent))


@pytest.mark.parametrize("style", STYLES, ids=str)
@pytest.mark.parametrize("mentioned", [False, True])
def test_every_room_event_is_one_line(style: TextStyle, mentioned: bool) -> None:
    for event, words in ROOM_EVENTS:
        [line] = shown(style.render(entry(event), mentioned))
        rings = mentioned and style.bell == "on" and isinstance(event, Said | Acted | Edited)
        tag = "[lobby] " if style.names_room and isinstance(event, Said | Acted | Edited) else ""
        time = "23:59 " if style.timestamps else ""
        assert line == f"{time}{tag}{words}" + "\a" * rings


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_every_personal_event_has_its_number_of_lines(style: TextStyle) -> None:
    for event, words in PERSONAL_EVENTS:
        lines = shown(style.render_personal(event))
        if isinstance(event, PrivateMessage):
            received = event.end is Recipient.ADDRESSEE
            time = "23:59 " if style.timestamps else ""
            assert lines == [f"{time}{words[0]}" + "\a" * (style.bell == "on" and received)]
        else:
            assert lines == words


@given(st.sampled_from(STYLES), st.text().map(safe), st.booleans())
def test_any_message_is_one_line_without_controls(
    style: TextStyle, text: str, mentioned: bool
) -> None:
    for event in (Said(0, "ada", text), Acted(0, "ada", text), TopicSet(0, "ada", text)):
        [_line] = shown(style.render(entry(event), mentioned))
    message = PrivateMessage(0, "ada", "bob", text, Recipient.ADDRESSEE)
    assert len(shown(style.render_personal(message))) == 1


def test_the_plain_theme_sends_no_sequences() -> None:
    style = TextStyle()
    for event, words in ROOM_EVENTS:
        assert style.render(entry(event), mentioned=True) == f"{words}\r\n".encode()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "plain"])
def test_coloured_themes_paint_nicks_times_refusals_and_mentions(name: str) -> None:
    style = TextStyle(theme=name, depth=256, timestamps="HH:MM")
    said = style.render(entry(Said(LATE, "ada", "hi")))
    assert len(SGR.findall(said.decode())) == 4
    mention = style.render(entry(Said(LATE, "ada", "hi")), mentioned=True)
    assert len(SGR.findall(mention.decode())) == 6
    assert SGR.search(style.render_personal(Refusal("no", "No.")).decode())
    private = PrivateMessage(LATE, "ada", "bob", "psst", Recipient.ADDRESSEE)
    assert SGR.search(style.render_personal(private).decode())


@pytest.mark.parametrize("depth", [FEW, INDEXED, ALL])
def test_a_nick_has_one_colour_in_any_spelling_and_nicks_differ(depth: int) -> None:
    look = theme("default", depth)
    colours = {look.nick(f"nick{n}").partition("m")[0] for n in range(200)}
    assert len(colours) == len(look.nicks)
    assert look.nick("Ada").replace("Ada", "ada") == look.nick("ada")
    assert look.nick("ＺＯË").partition("m")[0] == look.nick("zoë").partition("m")[0]


def test_every_theme_can_be_chosen() -> None:
    assert preferences.THEMES == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_without_colours_only_mono_differs_from_plain_and_without_attributes_none_does(
    name: str,
) -> None:
    assert theme(name, NONE) == theme("mono" if name == "mono" else "plain", ALL)
    assert theme(name, NO_ATTRIBUTES) == theme("plain", ALL)


# Styles are values --------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_equal_styles_have_equal_hashes(style: TextStyle) -> None:
    same = replace(style)
    assert same is not style
    assert same == style
    assert hash(same) == hash(style)
    assert {style: "rendered"}[same] == "rendered"


def test_the_history_time_zone_does_not_affect_style_equality() -> None:
    there = TextStyle(recalled_timezone="Asia/Tokyo")
    assert there == TextStyle()
    assert hash(there) == hash(TextStyle())
    assert there.unfocused.recalled_timezone == "Asia/Tokyo"


def test_highlighting_of_mentions_depends_on_theme_and_bell() -> None:
    assert not TextStyle().highlights
    assert TextStyle(bell="on").highlights
    assert TextStyle(theme="mono").highlights


def test_events_of_an_unfocused_room_name_it() -> None:
    style = TextStyle()
    assert style.unfocused.render(entry(Said(0, "ada", "hi"), "attic")) == b"[attic] ada: hi\r\n"
    assert style.unfocused.unfocused == style.unfocused
    assert style.unfocused != style


def test_joins_off_hides_joins_and_nothing_else() -> None:
    style = TextStyle(joins="off", timestamps="HH:MM")
    for event, _ in ROOM_EVENTS:
        rendered = style.render(entry(event))
        assert (rendered == b"") == isinstance(event, Joined | Left)


# Times --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "time"),
    [
        ("UTC", "23:59"),
        ("Europe/Vienna", "00:59"),
        ("America/New_York", "18:59"),
        ("Asia/Kolkata", "05:29"),
    ],
)
def test_times_are_in_the_users_time_zone(zone: str, time: str) -> None:
    style = TextStyle(timestamps="HH:MM", timezone=zone)
    assert style.render(entry(Said(LATE, "ada", "hi"))) == f"{time} ada: hi\r\n".encode()
    private = PrivateMessage(LATE, "ada", "bob", "psst", Recipient.SENDER)
    assert style.render_personal(private) == f"{time} [you -> bob] psst\r\n".encode()


def test_daylight_saving_time_is_respected() -> None:
    style = TextStyle(timestamps="HH:MM", timezone="Europe/Vienna")
    july = LATE + 181 * 24 * 3600
    assert style.render(entry(Said(july, "ada", "hi"))).startswith(b"01:59 ")


def test_times_are_rounded_down_to_the_minute() -> None:
    style = TextStyle(timestamps="HH:MM")
    times = [LATE - 30, LATE + 29.9, LATE + 30]
    rendered = [style.render(entry(Said(time, "ada", "")))[:5] for time in times]
    assert rendered == [b"23:59", b"23:59", b"00:00"]


def history_page(*times: float) -> Recalled:
    """Return a page of history with messages of these times."""
    return Recalled("lobby", tuple(entry(Said(time, "ada", "hi")) for time in times))


def test_history_of_one_day_shows_times_only() -> None:
    lines = shown(TextStyle().render_personal(history_page(LATE - 60, LATE)))
    assert lines == ["-- lobby, the last 2:", "   23:58 ada: hi", "   23:59 ada: hi"]


def test_history_over_midnight_shows_the_dates_of_earlier_days() -> None:
    lines = shown(TextStyle().render_personal(history_page(LATE, LATE + 60)))
    assert lines[1:] == ["   2026-01-15 23:59 ada: hi", "   00:00 ada: hi"]


def test_midnight_is_that_of_the_users_time_zone() -> None:
    style = TextStyle(recalled_timezone="Europe/Vienna")
    assert shown(style.render_personal(history_page(LATE, LATE + 60)))[1] == "   00:59 ada: hi"


def test_history_names_its_room_once_even_in_an_unfocused_room() -> None:
    style = TextStyle(timestamps="HH:MM").unfocused
    assert shown(style.render_personal(history_page(LATE))) == [
        "-- lobby, the last one:",
        "   23:59 ada: hi",
    ]


def test_history_never_rings_the_bell() -> None:
    for style in STYLES:
        assert b"\a" not in style.render_personal(history_page(LATE))
