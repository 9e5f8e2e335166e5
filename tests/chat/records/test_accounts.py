"""Accounts: registered nicks, the keys that prove them, and one person with two sessions."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.keys import Key

from chatd.chat.entry.entrance import Visitor
from chatd.chat.limits import KEYS_PER_ACCOUNT
from chatd.chat.records.accounts import Account, read_key
from chatd.chat.records.accounts import Key as AccountKey
from chatd.chat.store import NotStoredError
from chatd.chat.text.names import Name
from chatd.store.memory import MemoryStore
from chatd.transport.ssh.keys.public_keys import fingerprint
from tests.support.people import Client, Server, result_of
from tests.support.ssh.clients import SshClient, SshServer
from tests.support.ssh.peer import USER_KEY

OTHER_KEY = Key(Ed25519PrivateKey.generate())
ADA, OTHER = "SHA256:ada", "SHA256:other"
PUBLIC = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBhWeo+EUTzWCXHIlmKAQRQs5H8YVBZlMXiUcBQWpj0l ada@laptop"
)


def test_a_registered_nick_is_reserved_for_its_owner() -> None:
    server = Server()
    lola = server.enters("lola", fingerprint=ADA)
    lola.types("/register")
    assert lola.sees()[-1].startswith("-- lola is yours now:")
    lola.leaves()
    for stranger in (server.enters("lola"), server.enters("Lola", fingerprint=OTHER)):
        assert stranger.nick.lower() in ("lola2", "lola3")
        stranger.types("/nick lola")
        assert stranger.sees()[-1] == "-- lola is registered; its owner has an ssh key."
        stranger.types("/nick 1ola")
        answer = "-- 1ola looks like a nick that is registered; its owner has an ssh key."
        assert stranger.sees()[-1] == answer
        stranger.leaves()
    back = server.enters("root", fingerprint=ADA)
    assert back.nick == "lola"
    assert back.session.person.account == "lola"


def test_the_owner_is_told_when_another_key_asks_for_the_nick() -> None:
    server = Server()
    ada = server.enters("ada", fingerprint=ADA)
    ada.types("/register"), ada.sees()
    server.enters("ada", fingerprint=OTHER)
    answer = "-- Somebody with another key (SHA256:other) asked for your nick, and is ada2 now."
    assert answer in ada.sees()
    server.enters("ADA")
    assert any("Somebody with no key asked" in line for line in ada.sees())


def test_an_owner_with_two_sessions_is_one_person() -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    ada.types("/register"), ada.types("/join attic"), bob.sees(), ada.sees()
    also = server.enters("whoever", fingerprint=ADA)
    assert also.session.person is ada.session.person
    assert bob.sees() == [], "nobody has come"
    bob.types("hello ada")
    assert "bob: hello ada" in also.sees()
    assert ada.sees()[-1] == "[lobby] bob: hello ada"
    also.types("from the other screen")
    assert bob.sees() == ["ada: from the other screen"]
    assert ada.sees() == ["[lobby] ada: from the other screen"]
    bob.types("/dm ada psst")
    assert "[bob -> you] psst" in ada.sees()
    assert "[bob -> you] psst" in also.sees()
    ada.types("/join cellar")
    also.types("/join cellar")
    assert also.sees() == ["-- You are in cellar already; it has the focus now."]
    ada.leaves()
    assert bob.sees()[1:] == []
    also.leaves()
    assert bob.sees() == ["-- ada left"]
    assert server.enters("x", fingerprint=ADA).nick == "ada"


def test_a_session_continues_as_another_person_who_is_here() -> None:
    server = Server()
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.types("/join attic"), ada.sees()
    guest = server.enters()
    guest.types("/join cellar"), guest.sees(), bob.sees(), ada.sees()
    before = guest.session.person
    server.chat.become(guest.session, ada.session.person, server.now)
    assert guest.sees() == [], "one's former self leaves unseen"
    assert bob.sees() == ["-- guest1 left"]
    assert server.chat.people.find("guest1") is None
    assert not before.rooms
    assert "cellar" not in server.chat.rooms
    guest.types("hello")
    assert ada.sees()[-1] == "ada: hello"
    assert bob.sees() == []
    bob.types("/dm ada psst")
    assert "[bob -> you] psst" in guest.sees()
    ada.leaves()
    assert bob.sees() == ["[you -> ada] psst"]
    guest.leaves()
    assert bob.sees() == ["-- ada left"]


@pytest.mark.parametrize(
    ("nick", "fingerprint", "answer"),
    [
        ("ada", None, "-- You said nothing, so nothing has changed."),
        ("", ADA, "-- Choose a nick first: /nick NAME."),
    ],
)
def test_a_registration_is_refused(nick: str, fingerprint: str | None, answer: str) -> None:
    server = Server()
    user = server.enters(nick, fingerprint=fingerprint)
    user.types("/register")
    assert user.sees()[-1] == answer
    user.types("/keys")
    answer = "-- You have no account; /register makes your nick your own."
    assert user.sees() == [answer]


def test_a_key_proves_one_account_and_a_person_has_one() -> None:
    server = Server()
    ada = server.enters("ada", fingerprint=ADA)
    ada.types("/register"), ada.sees()
    ada.types("/register")
    assert ada.sees() == ["-- You have an account: ada."]
    ada.types("/nick lovelace"), ada.sees()
    ada.types("/nick ada")
    assert ada.sees() == ["-- You are now known as ada."]


def test_whois_shows_the_account() -> None:
    server = Server()
    ada = server.enters("Ada", fingerprint=ADA)
    ada.types("/register"), ada.sees(), ada.types("/whois ada")
    assert "   owner of the nick ada" in ada.sees()


def test_keys_are_listed_added_and_removed() -> None:
    server = Server()
    ada = server.enters("ada", fingerprint=ADA)
    ada.types("/register"), ada.sees()
    ada.types(f"/keys add {PUBLIC}")
    [added] = ada.sees()
    assert added.endswith(" is a key of ada now.")
    new = added.split()[1]
    ada.types("/keys")
    assert ada.sees() == [
        "-- The keys of ada:",
        f"   1. {ADA}, since 1970-01-12",
        f"   2. {new} ada@laptop, since 1970-01-12",
    ]
    assert server.enters("x", fingerprint=new).session.person is ada.session.person
    ada.sees()
    ada.types(f"/keys add {PUBLIC}")
    assert ada.sees() == ["-- That key is one of ada already."]
    ada.types("/keys remove 3"), ada.types("/keys remove 1"), ada.types("/keys remove 1")
    assert ada.sees() == [
        "-- There is no key 3; /keys lists them.",
        f"-- {ADA} is no key of ada any more.",
        "-- That is your only key: without it you could not come back.",
    ]
    for wrong in ("add", "add x", "add ssh-ed25519 AAAA", "remove", "remove x", "lose"):
        ada.types(f"/keys {wrong}")
    assert {line.partition(":")[0] for line in ada.sees()} == {
        "-- How to use it",
        "-- A key is a line such as",
    }


def test_the_keys_of_an_account_are_bounded() -> None:
    server = Server()
    ada = server.enters("ada", fingerprint=ADA)
    ada.types("/register"), ada.sees()
    accounts = server.chat.accounts
    for number in range(1, KEYS_PER_ACCOUNT):
        account = accounts.get("ada")
        assert account is not None
        result_of(accounts.add_key(account, AccountKey(f"SHA256:{number}", "", 1.0)))
    ada.types(f"/keys add {PUBLIC}")
    assert ada.sees() == [f"-- You have {KEYS_PER_ACCOUNT} keys; /keys remove one first."]


def test_accounts_survive_a_restart() -> None:
    store = MemoryStore()
    first = Server(store=store)
    ada = first.enters("Ada", fingerprint=ADA)
    ada.types("/register"), ada.sees()
    ada.leaves()
    again = Server(store=store)
    assert again.enters("ada").nick == "ada2"
    back = again.enters("x", fingerprint=ADA)
    assert back.nick == "Ada"


class Forgetful(MemoryStore):
    """A store that fails to store records."""

    async def put(self, kind: str, key: str, value: str | None) -> None:
        raise NotStoredError("the server's disk is full.")


def test_a_change_that_is_not_stored_is_undone() -> None:
    server = Server(store=Forgetful())
    ada = server.enters("ada", fingerprint=ADA)
    ada.types("/register")
    assert ada.sees()[-1] == "-- That was not done: the server's disk is full."
    assert ada.session.person.account is None
    ada.leaves()
    assert server.enters("ada").nick == "ada"


def test_the_record_of_an_account_is_complete() -> None:
    account = Account(Name("Ada", "ada"), (AccountKey(ADA, "laptop", 1.5),), 2.5)
    store, server = MemoryStore(), Server()
    result_of(store.put("account", "ada", account.encoded()))
    accounts = type(server.chat.accounts)(store)
    result_of(accounts.load())
    assert accounts.get("ada") == account
    assert accounts.of_key(ADA) == account
    assert accounts.of_key(None) is None


def test_an_ssh_key_identifies_the_owner_also_for_the_say_command() -> None:
    server = SshServer()
    ann = SshClient(server, key=USER_KEY).opens_shell()
    ann.types("/register\n")
    assert b"is yours now" in ann.receives()
    bob = SshClient(server, b"bob").opens_shell()
    bob.receives(), ann.receives()
    deploy = SshClient(server, key=USER_KEY).runs(b"say lobby it is done")
    assert bob.receives() == b"ann: it is done\r\n"
    assert ann.receives() == b"ann: it is done\r\n"
    deploy.receives()
    assert (deploy.status, deploy.errors) == (0, b"")
    tail = SshClient(server, key=USER_KEY).runs(b"tail lobby")
    tail.receives()
    assert bob.receives() == b"-- ann2 joined lobby\r\n"
    screen = SshClient(server, key=USER_KEY).opens_shell()
    assert b"You are ann in lobby" in screen.receives()
    stranger = SshClient(server, key=OTHER_KEY).opens_shell()
    assert b"ann is registered; you are ann3." in stranger.receives()
    assert bob.receives() == b"-- ann3 joined lobby\r\n"


def test_a_private_message_is_kept_for_an_owner_who_is_offline() -> None:
    store = MemoryStore()
    server = Server(store)
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    ada.types("/register"), ada.sees(), ada.leaves(), bob.sees()
    bob.types("/dm Ada are you there?"), bob.types("/dm ada call me")
    assert bob.sees() == [
        "[you -> ada] are you there?",
        "-- ada is not here now, and will be shown it then.",
        "[you -> ada] call me",
        "-- ada is not here now, and will be shown it then.",
    ]
    again = Server(store)
    ada = again.enters("x", fingerprint=ADA)
    assert ada.sees() == ["[bob -> you] are you there?", "[bob -> you] call me"]
    ada.leaves()
    assert Server(store).enters("x", fingerprint=ADA).sees() == []


def test_an_owner_under_another_nick_is_not_offline() -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    ada.types("/register"), ada.types("/nick lovelace"), ada.sees(), bob.sees()
    bob.types("/dm ada psst")
    assert bob.sees() == ["[you -> lovelace] psst"]
    assert ada.sees() == ["[bob -> you] psst"]


def test_a_session_that_only_speaks_is_shown_nothing() -> None:
    server = Server()
    ada, bob = server.enters("ada", fingerprint=ADA), server.enters("bob")
    ada.types("/register"), ada.sees()
    quiet = Client()
    visitor = Visitor("ada", fingerprint=ADA)
    entered = result_of(server.chat.enter(visitor, quiet, server.now, listens=False))
    assert isinstance(entered, tuple)
    bob.types("hello"), bob.types("/dm ada psst"), ada.types("/join attic")
    server.end_turn()
    assert quiet.received == b""
    server.chat.leave(entered[0], "", server.now)
    assert server.chat.people.find("ada") is ada.session.person


def test_a_public_key_line_has_the_fingerprint_that_ssh_shows() -> None:
    line = USER_KEY.public().toString("openssh").decode()
    assert read_key(line, 0.0).fingerprint == fingerprint(USER_KEY.public().blob())


def test_adding_an_operators_public_key_makes_nobody_an_operator() -> None:
    server = Server()
    mallory = server.enters("mallory")
    mallory.types("/register a long secret"), mallory.types(f"/keys add {PUBLIC}")
    key = read_key(PUBLIC, 0.0).fingerprint
    root = server.enters("root", fingerprint=key, operator=True)
    assert root.nick == "root"
    assert root.session.person.operator
    assert not mallory.session.person.operator


def test_an_operators_key_counts_for_an_account_once_its_owner_has_logged_in_with_it() -> None:
    store = MemoryStore()
    server = Server(store)
    ada = server.enters("ada")
    ada.types("/register a long secret"), ada.types(f"/keys add {PUBLIC}")
    key = read_key(PUBLIC, 0.0).fingerprint
    root = server.enters("root", fingerprint=key, operator=True)
    root.types("/login ada a long secret"), root.types("/keys add this")
    assert root.sees()[-1] == f"-- {key} is a key of ada now."
    root.types("/keys add this")
    assert root.sees()[-1] == "-- That key is one of ada already."
    again = Server(store).enters("root", fingerprint=key, operator=True)
    assert again.nick == "ada"
    assert again.session.person.operator
