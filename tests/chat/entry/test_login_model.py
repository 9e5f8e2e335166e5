"""Who registers, logs in, comes and goes: an account is one person, on any number of screens."""

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
from chatd.chat.text.names import nick as as_nick
from chatd.store.memory import MemoryStore
from tests.support.passwords import Checker
from tests.support.people import Server, User, result_of

NICKS = st.sampled_from(["ada", "Ada", "bob", "b0b", "cy", "dee", ""])
KEYS = st.sampled_from([None, None, "SHA256:one", "SHA256:two"])
ROOMS = st.sampled_from(["attic", "cellar"])
#: A password of one's own, and one that proves Dee elsewhere.
OWN, ELSEWHERE = "correct horse", "from elsewhere"


class Logins(RuleBasedStateMachine):
    """The model knows which accounts there are, by which proofs, and who is on which screen."""

    screens: Bundle[User] = Bundle("screens")

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.server = Server(self.store, Checker(dee=ELSEWHERE))
        #: Of each account its passwords and its keys.
        self.proofs: dict[str, set[str]] = {}
        #: Of each screen the account that was proved on it.
        self.proved: dict[User, str | None] = {}

    def told(self, someone: User, line: str) -> str:
        """The last thing that one is told after a line."""
        self.server.now += 10_000  # nobody has to wait, and what is wrong is forgotten
        someone.sees(), someone.types(line)
        return next((line for line in reversed(someone.sees()) if line.startswith("-- ")), "")

    @rule(target=screens, nick=NICKS, key=KEYS)
    def comes(self, nick: str, key: str | None) -> User:
        someone = self.server.enters(nick, fingerprint=key)
        owned = [account for account, proofs in self.proofs.items() if key in proofs]
        self.proved[someone] = owned[0] if owned else None
        return someone

    @rule(someone=consumes(screens))
    def goes(self, someone: User) -> None:
        someone.leaves()
        del self.proved[someone]

    @rule(someone=screens, nick=NICKS.filter(bool))
    def is_called(self, someone: User, nick: str) -> None:
        before = someone.nick
        owner = self.server.chat.accounts.owner(as_nick(nick))
        told = self.told(someone, f"/nick {nick}")
        if owner is not None and owner.name.key != self.proved[someone]:
            assert "is registered" in told or "are " in told
            assert someone.nick == before

    @rule(someone=screens, room=ROOMS)
    def joins(self, someone: User, room: str) -> None:
        self.told(someone, f"/join {room}")

    @rule(someone=screens, words=st.sampled_from([f"/register {OWN}", "/register"]))
    def registers(self, someone: User, words: str) -> None:
        told, key = self.told(someone, words), someone.session.fingerprint
        if "is yours now" in told:
            assert self.proved[someone] is None
            account = someone.session.person.name.key
            assert account not in self.proofs
            self.proofs[account] = {proof for proof in (words[10:], key) if proof}
            for other in self.proved:
                if other.session.person is someone.session.person:
                    self.proved[other] = account
        else:
            taken = any(key in proofs for proofs in self.proofs.values())
            named = not someone.session.person.is_guest_nick
            assert self.proved[someone] or taken or not named or (words == "/register" and not key)

    @rule(
        someone=screens,
        nick=NICKS.filter(bool),
        password=st.sampled_from([OWN, ELSEWHERE, "wrong one"]),
    )
    def tries_to_log_in(self, someone: User, nick: str, password: str) -> None:
        self.logs_in(someone, nick, password)

    def logs_in(self, someone: User, nick: str, password: str) -> None:
        account, before = nick.lower(), someone.session.person
        told = self.told(someone, f"/login {nick} {password}")
        if self.proved[someone] is not None:
            assert told.startswith("-- You have an account: ")
        elif password in self.proofs.get(account, ()):
            assert told.startswith("-- You are logged in as ")
            self.proved[someone] = account
        elif told.startswith("-- You are logged in as "):
            assert (account, password) == ("dee", ELSEWHERE), "nobody else is known elsewhere"
            assert account not in self.proofs
            self.proofs[account] = {ELSEWHERE}
            self.proved[someone] = account
        else:
            assert someone.session.person is before
            assert before.account is None

    @precondition(lambda self: self.proofs)
    @rule(someone=screens, number=st.integers(0, 5))
    def logs_in_as_somebody_who_is_registered(self, someone: User, number: int) -> None:
        account = sorted(self.proofs)[number % len(self.proofs)]
        passwords = sorted(self.proofs[account] & {OWN, ELSEWHERE})
        self.logs_in(someone, account, passwords[0] if passwords else "wrong one")

    @invariant()
    def everybody_is_whom_they_proved(self) -> None:
        chat = self.server.chat
        people: dict[str, Person] = {}
        for someone, account in self.proved.items():
            person = someone.session.person
            assert person.account == account
            assert someone.session in person.sessions
            assert chat.people.get(person.name.key) is person
            if account is not None:
                assert people.setdefault(account, person) is person, "one person on all screens"
                owned = chat.accounts.get(account)
                assert owned is not None
                assert chat.entrance.owner_here(owned) is person
            for room in chat.rooms.values():
                listens = someone.session in set(sessions_in(room))
                assert listens == (person in room.members) == (room in person.rooms.values())
        assert set(chat.people.everyone()) == {someone.session.person for someone in self.proved}
        for account in self.proofs:
            owned = chat.accounts.get(account)
            assert owned is not None
            if account not in people:
                assert chat.entrance.owner_here(owned) is None

    @invariant()
    def nobody_carries_a_nick_that_somebody_elses_is(self) -> None:
        """Unless they had one that looks like it before."""
        chat = self.server.chat
        for person in chat.people.everyone():
            owner = chat.accounts.get(person.name.key)
            assert owner is None or person.account == owner.name.key

    @invariant()
    def what_is_kept_is_what_there_is(self) -> None:
        again = Accounts(self.store)
        result_of(again.load())
        for account in self.proofs:
            assert again.get(account) == self.server.chat.accounts.get(account)


TestLogins = Logins.TestCase
TestLogins.settings = settings(max_examples=150, stateful_step_count=40)
