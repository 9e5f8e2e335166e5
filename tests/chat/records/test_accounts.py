"""Accounts: registered nicks, the keys that prove them, and one person with two sessions."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.keys import Key

from chatd.chat.entry.entrance import Visitor
from chatd.chat.limits import ACCOUNT_CHANGES, KEYS_PER_ACCOUNT
from chatd.chat.records.accounts import Account, Accounts, Change, read_key
from chatd.chat.records.accounts import Key as AccountKey
from chatd.chat.records.writing import Records
from chatd.chat.store import Record
from chatd.chat.text.names import Name
from chatd.store.memory import MemoryStore
from chatd.transport.ssh.keys.public_keys import fingerprint
from tests.support.full_store import FullStore
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
        assert stranger.sees()[-1] == "-- lola is registered; /login lola if it is yours."
        stranger.types("/nick 1ola")
        answer = "-- 1ola looks like a nick that is registered; /login lola if it is yours."
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


def test_keys_are_listed_added_accepted_and_removed() -> None:
    server = Server()
    ada = server.enters("ada", fingerprint=ADA)
    ada.types("/register"), ada.sees()
    new = read_key(PUBLIC, 0.0).fingerprint
    ada.types(f"/keys add {PUBLIC}")
    assert ada.sees() == [
        f"-- {new} waits to be a key of ada: connect with it once and say /keys accept ada."
    ]
    ada.types("/keys")
    rows = [
        "-- The keys of ada:",
        f"   1. {ADA}, since 1970-01-12",
        f"   2. {new} ada@laptop, since 1970-01-12",
    ]
    assert ada.sees() == [*rows[:2], f"{rows[2]}, waits for its holder"]
    ada.types(f"/keys add {PUBLIC}"), ada.types("/keys add this"), ada.types("/keys remove 1")
    assert ada.sees() == [
        "-- That key waits for its holder already.",
        "-- That key is one of ada already.",
        "-- That is your only key: without it you could not come back.",
    ]
    laptop = server.enters("x", fingerprint=new, address="203.0.113.5")
    assert laptop.nick == "x"
    assert laptop.sees() == [
        "-- ada says that your key is theirs: /keys accept ada if you are ada, or else /keys "
        "decline ada."
    ]
    laptop.types("/keys accept ada")
    assert laptop.sees()[-5:] == [
        "-- Your key is one of ada now, and so are you.",
        f"-- Your last login: 1970-01-12 13:46, by the key {ADA}, from 192.0.2.1.",
        "-- Changes of your account; if one was not yours, /sessions and /keys help:",
        f"   1970-01-12 13:46 key {new} ada@laptop was added and waits for its holder, by the key "
        f"{ADA}, from 192.0.2.1",
        f"   1970-01-12 13:46 key {new} ada@laptop was accepted by its holder, from 203.0.113.5",
    ]
    assert laptop.session.person is ada.session.person
    accepted = f"key {new} ada@laptop was accepted by its holder, from 203.0.113.5"
    assert f"-- ada: {accepted}." in ada.sees()
    ada.types("/keys")
    assert ada.sees() == rows
    ada.types("/keys remove 3"), ada.types("/keys remove 2"), ada.types("/keys remove 1")
    assert ada.sees() == [
        "-- There is no key 3; /keys lists them.",
        f"-- {new} is no key of ada any more.",
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
        add = accounts.add_key if number % 2 else accounts.add_pending
        result_of(add(account, AccountKey(f"SHA256:{number}", "", 1.0), Change(1.0, "more")))
    ada.types(f"/keys add {PUBLIC}")
    assert ada.sees() == [f"-- You have {KEYS_PER_ACCOUNT} keys; /keys remove one first."]
    pending = server.enters("x", fingerprint="SHA256:2")
    pending.types("/keys accept ada")
    assert "-- Your key is one of ada now, and so are you." in pending.sees(), "it counted already"
    account = accounts.get("ada")
    assert account is not None
    assert len(account.changes) == ACCOUNT_CHANGES


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


def test_a_change_that_is_not_stored_is_undone() -> None:
    server = Server(store=FullStore())
    ada = server.enters("ada", fingerprint=ADA)
    ada.types("/register")
    assert ada.sees()[-1] == "-- That was not done: the server's disk is full."
    assert ada.session.person.account is None
    ada.leaves()
    assert server.enters("ada").nick == "ada"


def test_the_record_of_an_account_is_complete() -> None:
    key, other = AccountKey(ADA, "laptop", 1.5), AccountKey(OTHER, "phone", 2.5)
    change = Change(3.5, "the password was changed")
    account = Account(
        Name("Ada", "ada"),
        (key,),
        2.5,
        "kept:x",
        external=True,
        pending=(other,),
        changes=(change,),
    )
    store = MemoryStore()
    result_of(store.put_all([Record("account", "ada", account.encoded())]))
    accounts = Accounts(Records(store))
    result_of(accounts.load())
    assert accounts.get("ada") == account
    assert accounts.of_key(ADA) == account
    assert accounts.of_key(OTHER) is None
    assert accounts.claiming(OTHER) == [account]
    assert accounts.of_key(None) is None
    assert accounts.claiming(None) == []


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
    mallory = server.enters("mallory", fingerprint=OTHER)
    mallory.types("/register"), mallory.types(f"/keys add {PUBLIC}")
    key = read_key(PUBLIC, 0.0).fingerprint
    root = server.enters("chief", fingerprint=key, operator=True)
    assert root.nick == "chief"
    assert root.session.person.operator
    assert not mallory.session.person.operator


def test_a_key_of_an_earlier_version_that_nobody_has_proved_is_pending() -> None:
    record = (
        '{"nick": "Ada", "created": 2.5, "keys": [["SHA256:ada", "", 1.5, true], '
        '["SHA256:other", "laptop", 1.5, false], ["SHA256:oldest", "", 1.0]]}'
    )
    store = MemoryStore()
    result_of(store.put_all([Record("account", "ada", record)]))
    server = Server(store)
    assert server.enters("x", fingerprint=ADA).nick == "Ada"
    other = server.enters("y", fingerprint=OTHER)
    assert other.nick == "y"
    other.types("/keys accept")
    assert other.session.person.account == "ada"
    account = server.chat.accounts.get("ada")
    assert account is not None
    assert [key.fingerprint for key in account.listed] == [ADA, OTHER, "SHA256:oldest"]


def test_an_earlier_version_reads_the_record_of_an_account() -> None:
    """It takes four values for a key, and fields that it does not know for nothing."""
    key, change = AccountKey(ADA, "laptop", 1.5), Change(1.0, "the password was changed")
    account = Account(Name("Ada", "ada"), (key,), 2.5, pending=(key,), changes=(change,))
    record = json.loads(account.encoded())
    assert record["keys"] == [[ADA, "laptop", 1.5, True]]
    assert record.keys() == {"nick", "keys", "created", "pending", "changes"}
