"""Whom a message mentions: members who are here, under the nick that they have now."""

from __future__ import annotations

import pytest

from tests.support.people import Client, Server, User


def rings(*users: User) -> list[bool]:
    return ["\a" in "".join(user.sees()) for user in users]


def enter(server: Server, *nicks: str) -> list[User]:
    """Let users enter who hear when they are mentioned."""
    users = [server.enters(nick, client=Client(echoes_input=False)) for nick in nicks]
    for user in users:
        user.sees()
    return users


@pytest.mark.parametrize("template", ["{}", "/me {}", "/edit {}"])
@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("mia,otto: lunch?", (True, True, False)),
        ("mia's, @otto", (True, True, False)),
        ("太郎さん", (False, False, True)),
        ("昨日mia太郎", (True, False, True)),
        ("https://mia.example/otto and 太郎@example.org", (False, False, False)),
        ("miami 太郎2", (False, False, False)),
    ],
)
def test_a_message_rings_for_those_whom_it_mentions(
    template: str, text: str, who: tuple[bool, ...]
) -> None:
    server = Server()
    eve, *others = enter(server, "eve", "mia", "otto", "太郎")
    eve.types("hello")
    rings(*others)
    eve.types(template.format(text))
    assert rings(*others) == list(who)


def test_mentions_follow_nicks() -> None:
    server = Server()
    eve, taro = enter(server, "eve", "太郎")
    taro.types("/nick 次郎")
    rings(taro)
    eve.types("太郎さん")
    assert rings(taro) == [False]
    eve.types("次郎さん")
    assert rings(taro) == [True]
    [jiro] = enter(server, "次郎丸")
    eve.types("次郎丸さん")
    assert rings(taro, jiro) == [False, True]
    jiro.leaves(), taro.leaves()
    assert server.chat.people.lengths == {}
