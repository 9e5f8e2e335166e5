"""Mailboxes: how much may wait for the owner of an account, and from one sender."""

from __future__ import annotations

import json

import pytest

from chatd.chat.limits import (
    OFFLINE_BYTES,
    OFFLINE_FROM_GUEST,
    OFFLINE_FROM_GUESTS_OF_ADDRESS,
    OFFLINE_FROM_SENDER,
    OFFLINE_MESSAGES,
)
from chatd.chat.store import Record
from chatd.store.memory import MemoryStore
from tests.support.people import Server, User, records

ADA = "SHA256:ada"
WAITS = "-- ada is not here now, and will be shown it then."


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def server(store: MemoryStore) -> Server:
    """A server with an account ada, whose owner is not here."""
    server = Server(store)
    ada = server.enters("ada", fingerprint=ADA)
    ada.types("/register"), ada.leaves()
    return server


def sender(server: Server, nick: str, key: str | None = None, address: str = "192.0.2.1") -> User:
    user = server.enters(nick, fingerprint=key, address=address)
    if key is not None and user.session.person.account is None:
        user.types("/register")
    user.sees()
    return user


def leaves_word(user: User, text: str = "psst") -> str:
    user.types(f"/dm ada {text}")
    return user.sees()[-1]


def test_one_sender_leaves_a_few_messages(server: Server) -> None:
    bob = sender(server, "bob", "SHA256:bob")
    for _ in range(OFFLINE_FROM_SENDER):
        assert leaves_word(bob) == WAITS
    sentence = "-- 5 messages of yours wait for ada already; send more once they are read."
    assert leaves_word(bob) == sentence
    bob.types("/nick robert"), bob.sees()
    assert leaves_word(bob) == sentence, "under any nick"
    assert leaves_word(sender(server, "cy", "SHA256:cy")) == WAITS
    ada = server.enters("ada", fingerprint=ADA)
    assert len([line for line in ada.sees() if "-> you" in line]) == OFFLINE_FROM_SENDER + 1
    ada.leaves()
    assert leaves_word(bob) == WAITS


def test_a_guest_leaves_fewer_and_all_guests_of_an_address_not_many_more(
    server: Server, store: MemoryStore
) -> None:
    bob = sender(server, "bob", address="2001:db8:0:1::5")
    for _ in range(OFFLINE_FROM_GUEST):
        assert leaves_word(bob) == WAITS
    assert leaves_word(bob) == (
        "-- 2 messages of yours wait for ada already; send more once they are read, or /register."
    )
    kept = OFFLINE_FROM_GUEST
    while kept < OFFLINE_FROM_GUESTS_OF_ADDRESS:
        bob.types(f"/nick bob{kept}"), bob.sees()
        assert leaves_word(bob) == WAITS
        kept += 1
    again = Server(store)  # counted through a restart, too
    cy = sender(again, "cy", address="2001:db8:0:1::77")
    assert leaves_word(cy) == (
        "-- 4 messages of guests at your address wait for ada already; "
        "send more once they are read, or /register."
    )
    assert leaves_word(sender(again, "dee", address="2001:db8:0:2::77")) == WAITS
    [value] = records(store, "mail").values()
    assert "2001:db8" not in value


def test_a_guest_behind_nat64_is_the_guest_behind_its_ipv4_address(server: Server) -> None:
    for number in range(OFFLINE_FROM_GUESTS_OF_ADDRESS):
        assert leaves_word(sender(server, f"g{number}", address="198.51.100.20")) == WAITS
    answer = leaves_word(sender(server, "x", address="64:ff9b::198.51.100.20"))
    assert "of guests at your address" in answer


def test_a_mailbox_is_bounded_in_messages_and_in_bytes(server: Server) -> None:
    full = "-- The mailbox of ada is full; try again later."
    for number in range(OFFLINE_MESSAGES):
        assert leaves_word(sender(server, f"b{number}", address=f"192.0.2.{number}")) == WAITS
    assert leaves_word(sender(server, "late", address="203.0.113.1")) == full
    server.enters("ada", fingerprint=ADA).leaves()
    text = "\N{SNOWMAN}" * 1300
    most = OFFLINE_BYTES // len(text.encode())
    for number in range(most):
        user = sender(server, f"c{number}", address=f"198.51.100.{number}")
        assert leaves_word(user, text) == WAITS
    assert leaves_word(sender(server, "late2", address="203.0.113.2"), text) == full
    rest = OFFLINE_BYTES - most * len(text.encode())
    assert leaves_word(sender(server, "late3", address="203.0.113.3"), "x" * rest) == WAITS
    assert leaves_word(sender(server, "late4", address="203.0.113.4"), "x") == full


def test_messages_that_an_older_server_kept_are_delivered(store: MemoryStore) -> None:
    first = Server(store)
    ada = first.enters("ada", fingerprint=ADA)
    ada.types("/register"), ada.leaves()
    store.put_all([Record("mail", "ada", json.dumps([[1.0, "bob", "ada", "psst"]]))])
    server = Server(store)
    bob = sender(server, "bob")
    assert leaves_word(bob) == WAITS
    assert "2 messages of yours" in leaves_word(bob)
    assert server.enters("ada", fingerprint=ADA).sees() == ["[bob -> you] psst"] * 2
