"""Which nicks users can take beside those that others have."""

from __future__ import annotations

import pytest

from chatd.chat.entry.entrance import Visitor
from chatd.chat.events import Refused
from chatd.chat.records.accounts import KIND, Account, Key
from chatd.chat.store import Record
from chatd.chat.text.names import Name
from chatd.store.memory import MemoryStore
from tests.support.people import Client, Server
from tests.support.steps import Step, finished, started

KEYS = {nick: f"SHA256:{nick}" for nick in ("bob.", "root", "0perator", "José", "Jose")}


def server_with(*nicks: str) -> Server:
    """Return a server on which an earlier version registered these nicks."""
    store = MemoryStore()
    for nick in nicks:
        account = Account(Name(nick, nick.lower()), (Key(KEYS[nick], "", 0.0),), 0.0)
        store.put_all([Record(KIND, account.name.key, account.encoded())])
    return Server(store)


@pytest.mark.parametrize("nick", ["root", "0perator", "Admin_1", "server-support"])
def test_a_nick_of_the_staff_is_for_operators(nick: str) -> None:
    server = Server()
    guest = server.enters(nick)
    assert guest.nick == "guest1"
    guest.types(f"/nick {nick}")
    assert guest.sees()[-1] == f"-- {nick} is a name that the server keeps for operators."
    operator = server.enters(nick, operator=True)
    assert operator.nick == nick
    assert server.enters(nick, operator=True).nick == f"{nick}2"
    operator.types("/nick ada"), operator.types(f"/nick {nick}")
    assert operator.nick == nick


class SlowClaims(MemoryStore):
    """A store whose claims of nicks take a step, as in a cluster, while it ``is_slow``."""

    is_slow = False

    async def claim(self, nick: str, holder: str, *, owner: bool = False) -> bool:
        claimed = await super().claim(nick, holder, owner=owner)
        if self.is_slow:
            await Step()
        return claimed


def test_a_nick_that_an_account_gets_while_it_is_claimed_is_not_free() -> None:
    store = SlowClaims()
    server = Server(store)
    server.enters("ada", fingerprint=KEYS["Jose"]).types("/register")
    op = server.enters("op", operator=True)
    guest = server.enters("guest")
    store.is_slow = True
    renaming = started(server.chat.rename(guest.session.person, "lin", server.now))
    coming = started(server.chat.enter(Visitor("lynn"), Client(), server.now))
    store.is_slow = False
    op.types("/server rename ada lin")
    with pytest.raises(Refused, match="lin is taken"):
        finished(renaming)
    assert guest.nick == "guest"
    assert finished(coming)[0].person.nick == "lynn"
    assert server.enters("x", fingerprint=KEYS["Jose"]).nick == "lin"


@pytest.mark.parametrize("nick", ["bob.", "root", "0perator"])
def test_an_account_of_an_earlier_version_keeps_its_nick(nick: str) -> None:
    server = server_with(nick)
    owner = server.enters("anything", fingerprint=KEYS[nick])
    assert owner.nick == nick
    owner.types("/nick ada"), owner.types(f"/nick {nick}")
    assert owner.nick == nick
    stranger = server.enters(nick)
    assert stranger.nick in ("bob", "guest1")
    stranger.types(f"/login {nick}")
    assert stranger.client.asked == [f"Password of {nick}, secretly"]
    stranger.types(f"/dm {nick} hello")
    assert f"[{stranger.nick} -> you] hello" in owner.sees()[-1]


def test_a_nick_that_differs_in_accents_only_is_taken() -> None:
    server = Server()
    server.enters("listener")
    other = server.enters("listéner")
    assert other.nick == "listéner2"
    other.types("/nick Listenér")
    assert other.sees()[-1] == "-- Listenér is taken, or looks like a nick that is."
    assert server.enters("señor").nick == "señor"
    assert server.enters("senor").nick == "senor2"


def test_a_user_may_change_the_accents_of_their_own_nick() -> None:
    server = Server()
    jose = server.enters("Jose")
    jose.types("/nick José")
    assert jose.nick == "José"
    jose.leaves()
    assert server.enters("Jose").nick == "Jose"


def test_two_accounts_that_differ_in_accents_stay_both() -> None:
    server = server_with("José", "Jose")
    for first, second in (("José", "Jose"), ("Jose", "José")):
        one, two = (server.enters(nick, fingerprint=KEYS[nick]) for nick in (first, second))
        assert (one.nick, two.nick) == (first, second)
        guest = server.enters("Josè")
        assert guest.nick == "Josè2"
        for each in (one, guest):
            each.leaves()
        assert server.chat.people.find(second) is two.session.person
        two.leaves()


@pytest.mark.parametrize("nick", ["ada.", "ada-", "ada..-"])
def test_a_nick_that_ends_in_punctuation_is_refused(nick: str) -> None:
    server = Server()
    user = server.enters(nick)
    assert user.nick == "ada"
    user.types(f"/nick x{nick}")
    assert user.sees()[-1] == "-- A nick ends with a letter, a digit or _."
