"""A model of logins: an account is one person with any number of sessions, however they came."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
)

from chatd.chat.model.entities import Person, sessions_in
from chatd.chat.records.accounts import Accounts
from chatd.chat.records.writing import Records
from chatd.chat.text.names import nick as as_nick
from chatd.store.memory import MemoryStore
from tests.support.passwords import Checker
from tests.support.people import Server, User, result_of

NICKS = st.sampled_from(["ada", "Ada", "bob", "b0b", "cy", "dee", ""])
KEYS = st.sampled_from([None, None, "SHA256:one", "SHA256:two"])
ROOMS = st.sampled_from(["attic", "cellar"])
#: A password that accounts are registered with, and the one by which the checker knows Dee.
OWN, OUTSIDE = "correct horse", "from outside"


class Logins(RuleBasedStateMachine):
    """The model knows the accounts, their proofs, and which of them was proved in each session."""

    users: Bundle[User] = Bundle("users")

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.server = Server(self.store, Checker(dee=OUTSIDE))
        #: The passwords and the keys of each account.
        self.proofs: dict[str, set[str]] = {}
        #: The account that was proved in the session of each user.
        self.proved: dict[User, str | None] = {}

    def answer(self, user: User, line: str) -> str:
        """Type a line; return the last notice after it."""
        self.server.now += 10_000  # wrong passwords are forgotten, so that no login is throttled
        user.sees(), user.types(line)
        told = [line for line in user.sees() if line.startswith("-- ")]
        told = [line for line in told if not line.startswith("-- Your last login")]
        return told[-1] if told else ""

    @rule(target=users, nick=NICKS, key=KEYS)
    def enters(self, nick: str, key: str | None) -> User:
        user = self.server.enters(nick, fingerprint=key)
        owned = [account for account, proofs in self.proofs.items() if key in proofs]
        self.proved[user] = owned[0] if owned else None
        return user

    @rule(user=consumes(users))
    def leaves(self, user: User) -> None:
        user.leaves()
        del self.proved[user]

    @rule(user=users, nick=NICKS.filter(bool))
    def renames(self, user: User, nick: str) -> None:
        before = user.nick
        owner = self.server.chat.accounts.owner(as_nick(nick))
        answer = self.answer(user, f"/nick {nick}")
        if owner is not None and owner.name.key != self.proved[user]:
            assert "is registered" in answer or "are " in answer
            assert user.nick == before

    @rule(user=users, room=ROOMS)
    def joins(self, user: User, room: str) -> None:
        self.answer(user, f"/join {room}")

    @rule(user=users, words=st.sampled_from([f"/register {OWN}", "/register"]))
    def registers(self, user: User, words: str) -> None:
        answer, key = self.answer(user, words), user.session.fingerprint
        if "is yours now" in answer:
            assert self.proved[user] is None
            account = user.session.person.name.key
            assert account not in self.proofs
            self.proofs[account] = {proof for proof in (words[10:], key) if proof}
            for other in self.proved:
                if other.session.person is user.session.person:
                    self.proved[other] = account
        else:
            taken = any(key in proofs for proofs in self.proofs.values())
            named = not user.session.person.is_guest_nick
            assert self.proved[user] or taken or not named or (words == "/register" and not key)

    @rule(
        user=users,
        nick=NICKS.filter(bool),
        password=st.sampled_from([OWN, OUTSIDE, "wrong one"]),
    )
    def tries_to_log_in(self, user: User, nick: str, password: str) -> None:
        self.logs_in(user, nick, password)

    def logs_in(self, user: User, nick: str, password: str) -> None:
        account, before = nick.lower(), user.session.person
        answer = self.answer(user, f"/login {nick} {password}")
        if self.proved[user] is not None:
            assert answer.startswith("-- You have an account: ")
        elif password in self.proofs.get(account, ()):
            assert answer.startswith("-- You are logged in as ")
            self.proved[user] = account
        elif answer.startswith("-- You are logged in as "):
            assert (account, password) == ("dee", OUTSIDE), "the checker knows no other user"
            assert account not in self.proofs
            self.proofs[account] = {OUTSIDE}
            self.proved[user] = account
        else:
            assert user.session.person is before
            assert before.account is None

    @precondition(lambda self: self.proofs)
    @rule(user=users, number=st.integers(0, 5))
    def logs_in_to_a_registered_account(self, user: User, number: int) -> None:
        account = sorted(self.proofs)[number % len(self.proofs)]
        passwords = sorted(self.proofs[account] & {OWN, OUTSIDE})
        self.logs_in(user, account, passwords[0] if passwords else "wrong one")

    @invariant()
    def everybody_is_the_owner_of_the_account_that_they_proved(self) -> None:
        chat = self.server.chat
        people: dict[str, Person] = {}
        for user, account in self.proved.items():
            person = user.session.person
            assert person.account == account
            assert user.session in person.sessions
            assert chat.people.get(person.name.key) is person
            if account is not None:
                assert people.setdefault(account, person) is person, "one person in all sessions"
                owned = chat.accounts.get(account)
                assert owned is not None
                assert chat.entrance.owner_here(owned) is person
            for room in chat.rooms.values():
                listens = user.session in set(sessions_in(room))
                assert listens == (person in room.members) == (room in person.rooms.values())
        assert set(chat.people.everyone()) == {user.session.person for user in self.proved}
        for account in self.proofs:
            owned = chat.accounts.get(account)
            assert owned is not None
            if account not in people:
                assert chat.entrance.owner_here(owned) is None

    @invariant()
    def nobody_has_the_nick_of_an_account_but_its_owner(self) -> None:
        """A nick that looks like one may have been taken before that was registered."""
        chat = self.server.chat
        for person in chat.people.everyone():
            owner = chat.accounts.get(person.name.key)
            assert owner is None or person.account == owner.name.key

    @invariant()
    def the_stored_accounts_are_the_accounts(self) -> None:
        stored = Accounts(Records(self.store))
        result_of(stored.load())
        for account in self.proofs:
            assert stored.get(account) == self.server.chat.accounts.get(account)


TestLogins = Logins.TestCase
TestLogins.settings = settings(max_examples=150, stateful_step_count=40)
