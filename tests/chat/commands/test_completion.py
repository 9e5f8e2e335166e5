"""Completion of the word before the cursor: what is offered, and in which order."""

import pytest

from chatd.chat.commands import COMMANDS, completion
from chatd.chat.commands.command import ArgumentKind
from chatd.chat.commands.completion import complete
from chatd.chat.limits import COMPLETION_CANDIDATES, COMPLETIONS
from tests.support.people import Server, User


def offered(user: User, before: str) -> list[str]:
    """Return the line before the cursor with each choice."""
    found = complete(user.server.chat, user.session, before)
    return [before[: found.start] + choice for choice in found.choices]


def hall() -> tuple[User, User, User, User]:
    """Ada, and three others whose nicks begin with the same letters."""
    server = Server()
    return (
        server.enters("ada"),
        server.enters("bob"),
        server.enters("Bella"),
        server.enters("bernd"),
    )


def test_the_last_to_speak_are_offered_first_and_then_the_last_to_join() -> None:
    ada, bob, bella, _bernd = hall()
    assert offered(ada, "b") == ["bernd: ", "Bella: ", "bob: "]
    bob.types("hello")
    ada.server.now += 1
    bella.types("hello")
    assert offered(ada, "b") == ["Bella: ", "bob: ", "bernd: "]
    assert offered(ada, "BO") == ["bob: "]


def test_a_nick_within_a_line_is_completed_without_a_colon() -> None:
    ada, *_others = hall()
    assert offered(ada, "hello bo") == ["hello bob "]
    assert offered(ada, "//hello bo") == ["//hello bob "]


def test_neither_the_user_nor_ignored_users_are_offered() -> None:
    ada, *_others = hall()
    assert offered(ada, "a") == []
    ada.types("/ignore bob")
    assert offered(ada, "bo") == []
    assert offered(ada, "/unignore b") == ["/unignore bob "]
    assert offered(ada, "/unignore be") == []


def test_an_empty_line_offers_every_other_user() -> None:
    ada, *_others = hall()
    assert offered(ada, "") == ["bernd: ", "Bella: ", "bob: "]


def test_commands_are_offered_to_users_who_may_use_them() -> None:
    ada, *_others = hall()
    assert offered(ada, "/jo") == ["/join "]
    assert offered(ada, "/JO") == ["/join "]
    assert offered(ada, "/ki") == []
    ada.types("/join attic")
    assert offered(ada, "/ki") == ["/kick "]
    assert len(offered(ada, "/")) > 10


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("/dm bo", ["/dm bob "]),
        ("/MSG bo", ["/MSG bob "]),
        ("/w bo", ["/w bob "]),
        ("/dm bob he said be", ["/dm bob he said bernd ", "/dm bob he said Bella "]),
        ("/me waves at bo", ["/me waves at bob "]),
        ("/whois bo", ["/whois bob "]),
        ("/whois bob bo", []),
        ("/help he", ["/help help "]),
        ("/set th", ["/set theme "]),
        ("/set theme m", ["/set theme mono "]),
        ("/set plain o", ["/set plain on ", "/set plain off "]),
        ("/set timezone E", []),
        ("/set nothing o", []),
        ("/room sh", ["/room shouting "]),
        ("/room shouting w", ["/room shouting warn "]),
        ("/room lasting of", ["/room lasting off "]),
        ("/nick bo", []),
        ("/quit bo", ["/quit bob "]),
        ("/nonsense bo", []),
        ("/ bo", []),
        ("/back bo", []),
    ],
)
def test_the_arguments_of_a_command_are_offered(before: str, after: list[str]) -> None:
    ada, *_others = hall()
    assert offered(ada, before) == after


def test_rooms_with_most_members_are_offered_first_and_hidden_rooms_never() -> None:
    ada, bob, bella, _bernd = hall()
    bob.types("/join attic"), bella.types("/join attic")
    bob.types("/join arbour")
    bob.types("/join alcove"), bob.types("/room private on")
    assert offered(ada, "/join a") == ["/join attic ", "/join arbour "]
    assert offered(ada, "/join ") == ["/join lobby ", "/join attic ", "/join arbour "]


def test_leave_and_history_are_offered_the_users_own_rooms() -> None:
    ada, bob, *_others = hall()
    bob.types("/join attic"), ada.types("/join arbour")
    for command in ("/leave", "/part", "/focus", "/history", "/history 5"):
        assert offered(ada, f"{command} a") == [f"{command} arbour "]


def test_the_last_correspondent_is_offered_from_any_room() -> None:
    ada, bob, *_others = hall()
    bob.types("/join attic"), bob.types("/leave lobby")
    assert offered(ada, "/dm b") == ["/dm bernd ", "/dm Bella ", "/dm bob "]
    ada.server.enters("bridget", lobby=False)
    bob.types("/dm ada psst")
    assert offered(ada, "/dm b")[2:] == ["/dm bob ", "/dm bridget "]


def test_a_user_in_no_room_is_offered_nicks() -> None:
    ada, *_others = hall()
    ada.types("/leave")
    assert offered(ada, "bo") == ["bob: "]


def test_candidates_and_completions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert COMPLETIONS <= COMPLETION_CANDIDATES
    monkeypatch.setattr(completion, "COMPLETION_CANDIDATES", 2)
    ada, *_others = hall()
    assert offered(ada, "b") == ["bernd: ", "Bella: "]
    monkeypatch.setattr(completion, "COMPLETIONS", 1)
    assert offered(ada, "b") == ["bernd: "]


def test_every_command_that_names_a_user_or_a_room_completes_it() -> None:
    for command in COMMANDS:
        first = command.arguments.replace("[", "").replace("]", "").partition(" ")[0]
        if first in ("NICK", "ROOM"):
            known = (
                ArgumentKind.NICK,
                ArgumentKind.IGNORED,
                ArgumentKind.ROOM,
                ArgumentKind.OWN_ROOM,
            )
            assert command.argument(0) in known, command.name
