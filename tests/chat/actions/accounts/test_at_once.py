"""What proves an account is changed while another command is waiting for the store or a hash."""

import pytest

from chatd.chat.actions.accounts.proofs import accept_key, reset_password, set_password
from chatd.chat.actions.login import register
from chatd.chat.events import Refused
from tests.chat.records.test_accounts import ADA, OTHER, PUBLIC
from tests.support.passwords import HASHED
from tests.support.people import Server, User
from tests.support.slow_store import SlowStore
from tests.support.steps import finished, started

SECRET = "correct horse"
THIEF = "203.0.113.66"


def owner(server: Server, password: str = "") -> User:
    ada = server.enters("ada", fingerprint=ADA)
    ada.types(f"/register {password}")
    return ada


def password_of(server: Server) -> str:
    account = server.chat.accounts.get("ada")
    assert account is not None
    return account.password


def test_a_session_that_was_ended_sets_no_password() -> None:
    """A thief who knows the password sets a new one; the owner is faster."""
    server = Server()
    ada = owner(server, SECRET)
    thief = server.enters("x", fingerprint=ADA, address=THIEF)
    server.hasher.is_slow = True
    late = started(set_password(server.chat, thief.session, "mine from now on", server.now))
    finished(started(set_password(server.chat, ada.session, "another secret", server.now)))
    assert thief.client.closed
    with pytest.raises(Refused) as refused:
        finished(late)
    assert refused.value.code == "cancelled"
    assert password_of(server) == f"{HASHED}another secret"
    assert not ada.client.closed


def test_a_session_that_was_ended_adds_and_removes_no_key() -> None:
    server = Server()
    ada = owner(server, SECRET)
    thief = server.enters("x", fingerprint=ADA, address=THIEF)
    ada.types("/sessions end others")
    before = server.chat.accounts.get("ada")
    thief.client.answers = [SECRET] * 3
    thief.sees()
    for line in (f"/keys add {PUBLIC}", "/keys remove 1", "/password off", "/keys"):
        thief.types(line)
    assert server.chat.accounts.get("ada") == before


def test_a_guest_who_has_left_registers_nothing() -> None:
    server = Server()
    gone = server.enters("bob")
    server.hasher.is_slow = True
    late = started(register(server.chat, gone.session, SECRET, server.now))
    server.hasher.is_slow = False
    gone.leaves()
    bob = server.enters("bob")
    with pytest.raises(Refused) as refused:
        finished(late)
    assert refused.value.code == "cancelled"
    bob.types(f"/register {SECRET}")
    assert bob.session.person.account == "bob"


def pending(server: Server, ada: User) -> User:
    """Let somebody enter whose key ada has said to be hers."""
    ada.types(f"/keys add {PUBLIC}")
    account = server.chat.accounts.get("ada")
    assert account is not None
    return server.enters("x", fingerprint=account.pending[0].fingerprint, address=THIEF)


def test_a_key_that_is_removed_while_it_is_accepted_opens_nothing() -> None:
    store = SlowStore()
    server = Server(store)
    ada = owner(server)
    thief = pending(server, ada)
    store.is_slow = True
    late = started(accept_key(server.chat, thief.session, "ada", server.now))
    store.is_slow = False
    ada.types("/keys remove 2")
    with pytest.raises(Refused) as refused:
        finished(late)
    assert refused.value.code == "no-key"
    assert thief.session.person is not ada.session.person
    assert thief.session.person.account is None


def test_a_key_that_is_removed_while_its_holder_becomes_the_owner_keeps_nobody() -> None:
    server = Server()
    ada = owner(server)
    thief = pending(server, ada)
    fetch = server.chat.entrance.fetch_owner

    async def remove_meanwhile(*arguments: object) -> str:
        account = server.chat.accounts.get("ada")
        assert account is not None
        server.chat.accounts.apply_change("ada", account.encoded().replace("true]]", "false]]"))
        return ""

    ada.leaves()
    server.chat.entrance.fetch_owner = remove_meanwhile  # type: ignore[assignment]
    finished(accept_key(server.chat, thief.session, "ada", server.now).__await__())
    server.chat.entrance.fetch_owner = fetch  # type: ignore[method-assign]
    assert thief.client.closed
    assert thief.session not in thief.session.person.sessions
    assert "is none of ada any more" in thief.sees()[-1]


def test_an_account_that_is_deleted_while_it_is_reset_is_gone() -> None:
    server = Server()
    owner(server, SECRET)
    one, other = (
        server.enters(nick, operator=True, fingerprint=key)
        for nick, key in (("one", OTHER), ("other", "SHA256:third"))
    )
    server.chat.authentication.make_password = lambda: "long enough for one"
    server.hasher.is_slow = True
    late = started(reset_password(server.chat, one.session, "ada", server.now))
    other.client.answers = ["ada"]
    other.types("/server forget ada")
    with pytest.raises(Refused) as refused:
        finished(late)
    assert refused.value.code == "no-such-account"
    assert server.chat.accounts.get("ada") is None
