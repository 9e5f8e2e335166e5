"""What users are shown of each other: rooms, nicks, messages, and every refusal."""

import pytest

from chatd.chat.commands import COMMANDS, GROUPS
from chatd.chat.limits import ROOM_INVITATIONS, TOPIC_LENGTH
from tests.support.people import Client, Server, User


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def pair(server: Server) -> tuple[User, User]:
    """Ada and Bob, in the lobby, who have seen each other join."""
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.sees(), bob.sees()
    return ada, bob


def test_a_message_is_shown_to_the_other_members_but_not_again_on_a_plain_terminal(
    pair: tuple[User, User],
) -> None:
    ada, bob = pair
    ada.types("hello")
    assert bob.sees() == ["ada: hello"]
    assert ada.sees() == []


def test_a_drawn_terminal_shows_the_users_own_message_once(server: Server) -> None:
    ada = server.enters("ada", client=Client(echoes_input=False))
    ada.types("hello")
    [line] = ada.sees()
    assert line.endswith(": hello")


def test_a_guest_gets_the_lowest_free_number(server: Server) -> None:
    one, two, three = server.enters(), server.enters(), server.enters()
    assert [one.nick, two.nick, three.nick] == ["guest1", "guest2", "guest3"]
    two.leaves()
    assert server.enters().nick == "guest2"
    one.types("/nick ada")
    assert server.enters().nick == "guest1"


def test_a_guest_number_that_a_user_chose_is_skipped(server: Server) -> None:
    server.enters("guest1")
    assert server.enters().nick == "guest2"


def test_a_taken_nick_gives_the_next_free_variant(server: Server) -> None:
    server.enters("ada")
    assert server.enters("Ada").nick == "Ada2"
    assert server.enters("ada").nick == "ada3"


def test_a_nick_that_looks_like_a_taken_one_is_taken(server: Server) -> None:
    server.enters("lola")
    assert server.enters("1ola").nick == "1ola2"
    bob = server.enters("bob")
    bob.types("/nick Iola")
    assert bob.sees()[-1] == "-- Iola is taken, or looks like a nick that is."


def test_a_user_name_that_is_no_nick_becomes_the_closest_nick(server: Server) -> None:
    assert server.enters("a d:a!").nick == "ada"
    assert server.enters("???").nick == "guest1"


def test_a_rename_is_shown_once_to_a_user_who_shares_two_rooms(pair: tuple[User, User]) -> None:
    ada, bob = pair
    ada.types("/join attic"), bob.types("/join attic")
    ada.sees(), bob.sees()
    ada.types("/nick grace")
    assert bob.sees() == ["-- ada is now known as grace"]
    assert ada.sees() == ["-- You are now known as grace."]


def test_the_old_nick_is_free_after_a_rename(server: Server) -> None:
    server.enters("ada").types("/nick grace")
    assert server.enters("ada").nick == "ada"


def test_a_rename_may_change_only_the_capitals(pair: tuple[User, User]) -> None:
    ada, bob = pair
    ada.types("/nick Ada")
    assert bob.sees() == ["-- ada is now known as Ada"]


def test_leaving_the_server_is_shown_once_to_each_user(
    pair: tuple[User, User],
) -> None:
    ada, bob = pair
    ada.types("/join attic"), bob.types("/join attic")
    bob.sees()
    ada.leaves("tired")
    assert bob.sees() == ["-- ada left (tired)", "-- bob is the owner of attic now"]


def test_the_user_who_opens_a_room_owns_it_until_they_leave(server: Server) -> None:
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.types("/join attic")
    assert ada.sees()[-1] == "-- You opened attic; it is yours."
    bob.types("/join #Attic")
    assert bob.sees()[-1] == "-- You are in attic, with ada."
    ada.types("/leave")
    assert bob.sees() == ["-- ada left attic", "-- bob is the owner of attic now"]


def test_the_lobby_has_no_owner(server: Server) -> None:
    ada = server.enters("ada")
    ada.types("/topic mine")
    assert ada.sees()[-1] == "-- Only a moderator of lobby may do that."


def test_an_empty_room_is_dropped_and_the_lobby_stays(server: Server) -> None:
    ada = server.enters("ada")
    ada.types("/join attic")
    ada.leaves()
    assert list(server.chat.rooms) == ["lobby"]


def test_messages_in_rooms_without_the_focus_name_the_room(
    pair: tuple[User, User],
) -> None:
    ada, bob = pair
    ada.types("/join attic"), bob.types("/join attic")
    ada.types("/focus lobby")
    ada.sees(), bob.sees()
    ada.types("downstairs")
    bob.types("upstairs")
    assert bob.sees() == ["[lobby] ada: downstairs"]
    assert ada.sees() == ["[attic] bob: upstairs"]


def test_leaving_the_room_with_the_focus_gives_the_focus_to_another(server: Server) -> None:
    ada = server.enters("ada")
    ada.types("/join attic"), ada.types("/leave")
    assert ada.sees()[-1] == "-- You left attic; lobby has the focus now."
    ada.types("/leave"), ada.types("hello")
    assert ada.sees()[-1] == "-- You are in no room; /join ROOM takes you into one."


def test_a_private_message_is_shown_to_its_addressee_alone(pair: tuple[User, User]) -> None:
    ada, bob = pair
    cy = ada.server.enters("cy")
    ada.sees(), bob.sees(), cy.sees()
    ada.types('/dm bob "psst"')
    assert (ada.sees(), bob.sees(), cy.sees()) == (["[you -> bob] psst"], ["[ada -> you] psst"], [])
    bob.types("/reply what?")
    assert (bob.sees(), ada.sees()) == (["[you -> ada] what?"], ["[bob -> you] what?"])


def test_a_reply_follows_a_rename_and_is_refused_after_a_departure(pair: tuple[User, User]) -> None:
    ada, bob = pair
    ada.types("/dm bob psst"), ada.types("/nick grace"), bob.sees()
    bob.types("/reply yes")
    assert bob.sees() == ["[you -> grace] yes"]
    ada.leaves()
    bob.sees()
    bob.types("/reply yes")
    assert bob.sees() == ["-- grace is gone."]


def test_bc_reaches_each_user_once(pair: tuple[User, User]) -> None:
    ada, bob = pair
    cy = ada.server.enters("cy", lobby=False)
    for each in (ada, bob, cy):
        each.types("/join attic")
    ada.sees(), bob.sees(), cy.sees()
    ada.types("/bc supper")
    assert bob.sees() == ["[lobby] ada: supper"]
    assert cy.sees() == ["ada: supper"]
    assert ada.sees() == ["-- Said in 2 rooms, to 2 other people."]


def test_an_action_is_shown_in_the_third_person(pair: tuple[User, User]) -> None:
    ada, bob = pair
    ada.types("/me waves")
    assert bob.sees() == ["* ada waves"]


def test_two_slashes_send_a_message_that_begins_with_one(pair: tuple[User, User]) -> None:
    ada, bob = pair
    ada.types("//etc/passwd")
    assert bob.sees() == ["ada: /etc/passwd"]


def test_a_sender_is_told_that_the_addressee_is_away(pair: tuple[User, User]) -> None:
    ada, bob = pair
    bob.types("/away supper"), bob.sees()
    ada.types("/dm bob psst")
    assert ada.sees() == ["[you -> bob] psst", "-- bob is away: supper"]
    bob.types("/back"), ada.types("/users")
    assert ada.sees() == ["-- lobby: 2 here", "   ada", "   bob"]


def test_an_ignored_user_is_not_shown_even_under_another_nick(
    pair: tuple[User, User],
) -> None:
    ada, bob = pair
    ada.types("/ignore bob"), ada.sees()
    bob.types("spam"), bob.types("/nick bobby"), bob.types("spam"), bob.types("/dm ada spam")
    assert ada.sees() == []
    ada.types("/unignore bobby"), ada.sees()
    bob.types("sorry")
    assert ada.sees() == ["bobby: sorry"]


def test_history_shows_the_last_messages_oldest_first(pair: tuple[User, User]) -> None:
    ada, bob = pair
    for text in ("one", "two", "three"):
        ada.types(text)
    bob.sees()
    bob.types("/history 2")
    assert bob.sees() == [
        "-- lobby, the last 2; page:2 shows earlier ones:",
        "   13:46 ada: two",
        "   13:46 ada: three",
    ]


def test_the_history_of_a_room_is_refused_to_users_outside(pair: tuple[User, User]) -> None:
    ada, bob = pair
    ada.types("/join attic"), bob.sees()
    bob.types("/history attic")
    assert bob.sees() == ["-- You are not in attic; /join attic takes you there."]


def test_a_private_room_is_for_invited_users(pair: tuple[User, User]) -> None:
    ada, bob = pair
    ada.types("/join attic"), ada.types("/room private on"), bob.sees()
    bob.types("/join attic"), bob.types("/users attic"), bob.types("/rooms")
    assert bob.sees() == [
        "-- attic is private; its moderators can /invite you.",
        "-- There is no room attic; /rooms lists them.",
        "-- 1 room:",
        "   lobby: 2 people",
    ]
    ada.types("/invite bob")
    assert bob.sees() == ["-- ada invites you into attic; /join attic takes you there."]
    bob.types("/join attic")
    assert bob.sees() == ["-- You are in attic, with ada."]


def test_a_kick_takes_the_invitation_back(pair: tuple[User, User]) -> None:
    ada, bob = pair
    ada.types("/join attic"), ada.types("/room private on"), ada.types("/invite bob")
    bob.types("/join attic"), bob.sees()
    ada.types("/kick bob enough")
    assert bob.sees() == ["-- You were kicked from attic by ada (enough)."]
    bob.types("/join attic")
    assert bob.sees() == ["-- attic is private; its moderators can /invite you."]


@pytest.mark.parametrize("command", ["/kick ada", "/mute ada", "/op bob", "/room slow 5"])
def test_a_member_may_not_moderate(pair: tuple[User, User], command: str) -> None:
    ada, bob = pair
    ada.types("/join attic"), bob.types("/join attic"), bob.sees()
    bob.types(command)
    [line] = bob.sees()
    assert line in (
        "-- Only a moderator of attic may do that.",
        "-- Only the owner of attic may do that.",
    )


def test_a_moderator_may_not_kick_the_owner(pair: tuple[User, User]) -> None:
    ada, bob = pair
    ada.types("/join attic"), bob.types("/join attic"), ada.types("/op bob"), bob.sees()
    bob.types("/kick ada")
    assert bob.sees() == ["-- ada is the owner of attic; that is not yours to do."]


def test_messages_of_a_muted_user_are_refused_until_an_unmute(
    pair: tuple[User, User],
) -> None:
    ada, bob = pair
    ada.types("/join attic"), bob.types("/join attic"), ada.types("/mute bob")
    ada.sees(), bob.sees()
    bob.types("hello"), bob.types("/nick rob"), bob.types("/leave"), bob.types("/join attic")
    bob.types("hello")
    assert bob.sees()[-1] == "-- You are muted in attic; nobody was shown that."
    ada.sees()
    ada.types("/unmute rob"), bob.types("hello")
    assert ada.sees() == ["-- rob may speak again in attic, by ada", "rob: hello"]


def test_slow_mode_delays_members_and_not_moderators(pair: tuple[User, User]) -> None:
    ada, bob = pair
    ada.types("/join attic"), ada.types("/room slow 10"), bob.types("/join attic"), bob.sees()
    bob.types("one"), bob.types("two")
    assert bob.sees() == ["-- attic is in slow mode; you may speak in 10 s."]
    bob.server.now += 10
    ada.sees(), bob.types("two"), ada.types("mine"), ada.types("mine")
    assert (ada.sees(), bob.sees()) == (["bob: two"], ["ada: mine", "ada: mine"])


def test_a_user_who_shouts_is_warned_and_then_kicked() -> None:
    server = Server(shouting="kick")
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.sees(), bob.sees()
    bob.types("HELLO 日本"), bob.types("A"), bob.types("OK")
    assert ada.sees() == ["bob: A", "-- bob was kicked from lobby by the server (shouting)"]
    assert bob.sees() == [
        "-- That was not delivered: lobby does not like capitals; the next time you are kicked.",
        "-- You were kicked from lobby by the server (shouting).",
    ]


def test_a_user_who_shouts_is_only_warned_if_set_so() -> None:
    server = Server(shouting="warn")
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.sees(), bob.sees()
    bob.types("HELLO"), bob.types("HELLO")
    assert ada.sees() == []
    assert bob.sees() == ["-- That was not delivered: lobby does not like capitals."] * 2


def test_an_operator_moderates_every_room(server: Server) -> None:
    ada, root = server.enters("ada"), server.enters("root", operator=True)
    ada.types("/join attic"), ada.types("/room private on")
    root.types("/join attic"), root.types("/kick ada"), ada.sees()
    assert ada.server.chat.people.find("ada") is not None
    assert "attic" not in ada.session.person.rooms


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("/nick a b", "-- A nick has letters and digits, then also . - and _; “a b” is something"),
        ("/nick " + "x" * 25, "-- A nick has at most 24 characters; that one has 25."),
        ("/nick server", "-- server is a name that the server keeps for itself."),
        ("/nick аda", "-- A nick is written in one script; аda mixes several."),
        ("/nick bob", "-- bob is taken, or looks like a nick that is."),
        ("/nick", "-- How to use it: /nick NAME"),
        ("/dm", "-- How to use it: /dm NICK TEXT"),
        ("/dm bob", "-- How to use it: /dm NICK TEXT"),
        ("/dm nobody hello", "-- There is nobody called nobody; /users says who is here."),
        ("/reply hi", "-- Nobody has written to you alone yet."),
        ("/join", "-- How to use it: /join ROOM"),
        ("/join a:b", "-- A room's name has letters and digits, then also . - and _; “a:b” is"),
        ("/leave attic", "-- There is no room attic; /rooms lists them."),
        ("/speak registered", "-- There is no command /speak; did you mean /room speak?"),
        ("/help speak", "-- There is no command /speak; did you mean /room speak?"),
        ("/key", "-- There is no command /key; did you mean /keys?"),
        ("/lock", "-- There is no command /lock; /help lists them."),
        ("/jion attic", "-- There is no command /jion; did you mean /join?"),
        ("/xyzzy", "-- There is no command /xyzzy; /help lists them."),
        ("/", "-- There is no command /; /help lists them."),
        ("/help nothing", "-- There is no command /nothing; /help lists them."),
        ("/set colour red", "-- There is no preference colour; there are theme, bell, timestamps,"),
        ("/set bell loud", "-- That is on, off or all, not loud."),
        ("/set timezone Mars/Base", "-- There is no time zone Mars/Base; try one like"),
        (
            "/set theme pink",
            "-- There is no theme pink; there are default, light, solarized, mono, plain.",
        ),
        ("/whois nobody", "-- There is nobody called nobody; /users says who is here."),
        ("/kick bob", "-- Only a moderator of lobby may do that."),
        ("/ignore ada", "-- You cannot ignore yourself."),
        ("/unignore bob", "-- You do not ignore bob."),
        ("/history 5 attic", "-- There is no room attic; /rooms lists them."),
        ("/me", "-- How to use it: /me TEXT"),
        ("/invite bob", "-- bob is in lobby already."),
        ("/room", "-- Settings of lobby:"),
    ],
)
def test_a_mistake_is_answered_with_one_sentence_that_no_other_user_sees(
    pair: tuple[User, User], typed: str, answer: str
) -> None:
    ada, bob = pair
    ada.types(typed)
    assert ada.sees()[0].startswith(answer)
    assert bob.sees() == []


def test_help_fits_a_screen_and_every_command_is_in_one_group(server: Server) -> None:
    ada = server.enters("ada", operator=True)
    ada.types("/join attic"), ada.sees(), ada.types("/help")
    lines = ada.sees()
    assert len(lines) < 23
    assert all(len(line) < 80 for line in lines)
    listed = [word for line in lines[1:] for word in line.split()[1:]]
    assert sorted(listed) == sorted(f"/{command.name}" for command in COMMANDS)
    for group in GROUPS:
        ada.types(f"/help {group}")
        assert 1 < len(ada.sees()) < 23
    ada.types("/help rooms"), ada.types("/help /rooms")
    assert [line for line in ada.sees() if line.startswith("--")] == ["-- Rooms:", "-- /rooms"]


def test_help_shows_the_commands_that_the_user_may_use_in_the_room(server: Server) -> None:
    ada = server.enters("ada")
    ada.types("/help")
    assert not any("/kick" in line for line in ada.sees())
    ada.types("/join attic"), ada.sees(), ada.types("/help")
    assert any("/kick" in line for line in ada.sees())
    ada.types("/help moderation")
    assert any(line.startswith("   /kick NICK [REASON]") for line in ada.sees())
    ada.types("/help dm")
    assert ada.sees() == [
        "-- /dm NICK TEXT",
        "   say something to one person alone",
        "   also: /msg, /w, /tell, /whisper",
    ]


def test_whois_shows_key_rooms_and_idle_time(server: Server) -> None:
    _, bob = server.enters("ada", fingerprint="SHA256:abc"), server.enters("bob")
    server.now += 7200
    bob.sees(), bob.types("/whois ADA")
    assert bob.sees() == [
        "-- ada:",
        "   guest",
        "   key SHA256:abc",
        "   rooms shared with you: lobby",
        "   here for 2 hours, idle for 2 hours",
    ]


def test_joins_can_be_hidden(pair: tuple[User, User]) -> None:
    ada, bob = pair
    ada.types("/set joins off"), ada.sees()
    cy = ada.server.enters("cy")
    cy.leaves()
    assert ada.sees() == []
    assert bob.sees() == ["-- cy joined lobby", "-- cy left"]


def test_a_mention_rings_only_for_the_user_who_is_mentioned(server: Server) -> None:
    ada, bob, cy = (
        server.enters(nick, client=Client(echoes_input=False)) for nick in ("ada", "bob", "cy")
    )
    ada.sees(), bob.sees(), cy.sees()
    cy.types("where is @bob?")
    assert ("\a" in ada.sees()[0], "\a" in bob.sees()[0], "\a" in cy.sees()[0]) == (
        False,
        True,
        False,
    )


def test_quit_says_goodbye_and_closes_the_connection(pair: tuple[User, User]) -> None:
    ada, bob = pair
    ada.types("/quit see you")
    assert ada.client.closed
    assert bob.sees() == ["-- ada left (see you)"]
    assert ada.sees() == ["-- Goodbye."]
    bob.types("!leave")
    assert bob.client.closed


def test_a_user_may_be_in_so_many_rooms_and_no_more(server: Server) -> None:
    ada = server.enters("ada")
    for number in range(49):
        ada.types(f"/join room{number}")
    ada.sees(), ada.types("/join onemore")
    assert ada.sees() == ["-- You are in 50 rooms; /leave one."]


def test_an_owner_is_not_demoted(pair: tuple[User, User]) -> None:
    ada, _bob = pair
    root = ada.server.enters("root", operator=True)
    ada.types("/join attic"), root.types("/join attic"), ada.sees(), root.sees()
    ada.types("/deop ada"), root.types("/op ada")
    assert ada.sees() == ["-- You cannot do that to yourself."]
    assert root.sees() == ["-- ada is the owner of attic, and remains it."]


def test_an_invitation_of_a_guest_is_not_for_the_next_user_of_the_nick(server: Server) -> None:
    ada, guest = server.enters("ada"), server.enters()
    ada.types("/join attic"), ada.types("/room private on"), ada.types(f"/invite {guest.nick}")
    guest.leaves()
    stranger = server.enters()
    assert stranger.nick == guest.nick
    stranger.sees(), stranger.types("/join attic")
    assert stranger.sees() == ["-- attic is private; its moderators can /invite you."]


def test_an_invitation_follows_a_rename(pair: tuple[User, User]) -> None:
    ada, bob = pair
    ada.types("/join attic"), ada.types("/room private on"), ada.types("/invite bob")
    bob.types("/nick rob"), bob.sees(), bob.types("/join attic")
    assert bob.sees() == ["-- You are in attic, with ada."]


def test_a_rename_outside_the_room_does_not_end_a_mute(pair: tuple[User, User]) -> None:
    ada, bob = pair
    ada.types("/join attic"), bob.types("/join attic"), ada.types("/mute bob")
    bob.types("/leave"), bob.types("/nick rob"), bob.types("/join attic"), bob.sees()
    bob.types("hello")
    assert bob.sees() == ["-- You are muted in attic; nobody was shown that."]


def test_a_user_who_leaves_a_private_room_may_come_back(pair: tuple[User, User]) -> None:
    ada, bob = pair
    ada.types("/join attic"), bob.types("/join attic"), ada.types("/room private on")
    ada.types("/leave"), ada.sees(), ada.types("/join attic")
    assert ada.sees() == ["-- You are in attic, with bob."]


def test_history_leaves_out_ignored_users(pair: tuple[User, User]) -> None:
    ada, bob = pair
    bob.types("spam"), ada.types("hello"), ada.types("/ignore bob"), ada.sees()
    ada.types("/history 0")
    heading = "-- lobby, the last one; page:2 shows earlier ones:"
    assert ada.sees() == [heading, "   13:46 ada: hello"]


def test_an_invitation_ends_with_its_user_after_many_others_too(server: Server) -> None:
    owner, friend, guest = server.enters("owner"), server.enters("friend"), server.enters()
    owner.types("/join vault"), owner.types("/room private on"), owner.types("/invite guest1")
    for number in range(101):
        friend.types(f"/join r{number}"), friend.types("/room private on")
        friend.types("/invite guest1"), friend.types("/leave")
    guest.leaves()
    thief = server.enters()
    assert thief.nick == "guest1"
    thief.sees(), thief.types("/join vault")
    assert thief.sees() == ["-- vault is private; its moderators can /invite you."]


def test_an_invitation_into_an_open_room_does_not_count_once_it_is_private(
    pair: tuple[User, User],
) -> None:
    ada, bob = pair
    ada.types("/join attic"), ada.types("/invite bob"), ada.types("/room private on")
    bob.sees(), bob.types("/join attic")
    assert bob.sees() == ["-- attic is private; its moderators can /invite you."]


def test_leaving_does_not_restart_slow_mode(pair: tuple[User, User]) -> None:
    ada, bob = pair
    ada.types("/join attic"), ada.types("/room slow 60"), bob.types("/join attic")
    bob.types("one"), bob.types("/leave"), bob.types("/join attic"), bob.sees()
    bob.types("two")
    assert bob.sees() == ["-- attic is in slow mode; you may speak in 60 s."]


def test_a_muted_user_leaves_without_a_leave_message(pair: tuple[User, User]) -> None:
    ada, bob = pair
    ada.types("/join attic"), bob.types("/join attic"), ada.types("/mute bob"), ada.sees()
    bob.types("/leave attic BUY MY BOOKS")
    assert ada.sees() == ["-- bob left attic"]
    bob.types("/join attic"), ada.sees(), bob.types("/quit BUY MY BOOKS")
    assert ada.sees() == ["-- bob left (BUY MY BOOKS)"], "in the lobby, where he may speak"


@pytest.mark.parametrize("nick", ["İ" * 24, "Α" * 22 + "ΣΑ", "ada"])
def test_every_user_can_be_addressed_by_the_nick_that_is_shown(server: Server, nick: str) -> None:
    server.enters(nick), server.enters(nick)
    second = server.enters(nick)
    assert server.chat.find_person(second.nick) is second.session.person


def test_a_user_name_cannot_send_escape_sequences(server: Server) -> None:
    assert server.enters("\x1b]0;pwned\x07\x1b[2J\r\n-- Bye.").nick.isprintable()


def test_the_last_messages_are_shown_before_a_kick(
    pair: tuple[User, User],
) -> None:
    ada, bob = pair
    ada.types("/join attic"), bob.types("/join attic"), bob.sees()
    ada.types("listen"), ada.types("/kick bob")
    assert bob.sees() == ["ada: listen", "-- You were kicked from attic by ada."]


def test_an_owner_is_warned_of_shouting_and_not_kicked(server: Server) -> None:
    ada = server.enters("ada")
    ada.types("/join attic"), ada.types("/room shouting kick"), ada.sees()
    ada.types("HELLO"), ada.types("HELLO")
    assert ada.sees() == ["-- That was not delivered: attic does not like capitals."] * 2


def test_nicks_that_look_reserved_are_reserved(server: Server) -> None:
    ada = server.enters("ada")
    ada.sees(), ada.types("/nick a11")
    assert ada.sees() == ["-- a11 is a name that the server keeps for itself."]


@pytest.mark.parametrize(
    "nick", ["हिन्दी", "สวัสดี", "தமிழ்", "שלום", "한글", "日本のカメラ", "e\u0301va"]
)
def test_nicks_may_be_in_any_script(server: Server, nick: str) -> None:
    ada = server.enters(nick)
    assert not ada.nick.startswith("guest")


def test_a_user_whose_nick_is_taken_and_fits_no_number_is_a_guest(server: Server) -> None:
    assert server.enters("س٢").nick == "س٢"
    assert server.enters("س٢").nick == "guest1"


@pytest.mark.parametrize("length", [TOPIC_LENGTH, TOPIC_LENGTH + 1])
def test_a_topic_is_cut_at_its_bound(pair: tuple[User, User], length: int) -> None:
    ada, _bob = pair
    ada.types("/join attic"), ada.types("/topic " + "x" * length)
    topic = ada.session.room().settings.topic
    assert len(topic) == TOPIC_LENGTH
    assert topic.endswith("…") == (length > TOPIC_LENGTH)


@pytest.mark.parametrize(
    ("others", "invited"), [(ROOM_INVITATIONS - 1, True), (ROOM_INVITATIONS, False)]
)
def test_past_the_bound_the_oldest_invitation_lapses(
    server: Server, others: int, invited: bool
) -> None:
    owner, first = server.enters("owner"), server.enters("first")
    owner.types("/join vault"), owner.types("/room private on"), owner.types("/invite first")
    for number in range(others):
        server.enters(f"other{number}", lobby=False)
        owner.types(f"/invite other{number}")
    first.types("/join vault")
    assert ("vault" in first.session.person.rooms) == invited


@pytest.mark.parametrize("back", [3600.0, 400 * 86400.0])
def test_slow_mode_silences_nobody_after_the_clock_was_set_back(
    pair: tuple[User, User], back: float
) -> None:
    ada, bob = pair
    ada.types("/join attic"), ada.types("/room slow 60"), bob.types("/join attic")
    bob.types("one"), ada.sees()
    bob.server.now -= back
    bob.types("two"), bob.sees()
    assert ada.sees() == ["bob: two"]
    bob.types("three")
    assert bob.sees() == ["-- attic is in slow mode; you may speak in 60 s."]
