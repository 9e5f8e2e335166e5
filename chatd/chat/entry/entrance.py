"""Entrance: turns a visitor into a session of a person, who may be here already.

A visitor whose key proves an account is its owner, perhaps on a second screen; any other visitor is
a guest under a nick that no account owns.
"""

from __future__ import annotations

from dataclasses import dataclass

from chatd.chat.entry.detached import DetachedSessions
from chatd.chat.entry.nicks import NickRegistry
from chatd.chat.events import Notice, Refused
from chatd.chat.model.bans import Identity
from chatd.chat.model.client import Client, Relayed, RelayTo
from chatd.chat.model.entities import Person, Session
from chatd.chat.model.people import People
from chatd.chat.model.preferences import Preferences
from chatd.chat.peers import Notify, Peers, Proof
from chatd.chat.ratelimit.reports import Report, TurnedAway, ignore
from chatd.chat.records.accounts import Account, Accounts
from chatd.chat.records.profiles import Profiles
from chatd.chat.records.server_access import ServerAccess
from chatd.chat.text import names
from chatd.chat.text.names import Name, fold
from chatd.chat.text.sanitizing import safe


@dataclass(frozen=True, slots=True)
class Visitor:
    """A client that wants to enter: the nick it asks for, and what is known about it.

    ``fingerprint`` is that of the ssh key, ``operator`` whether that key is an operator's.  With
    ``as_guest`` the visitor is a separate person although its key proves an account: for example a
    script that listens while its owner is on a screen.  ``account`` is the folded nick of an
    account that was proved already, by other means than the key.  ``preferences`` are pairs of name
    and value that hold from the beginning and override those of the account.  ``relay_to`` relays
    the connection to the server where the owner is, where that is possible.  ``way`` is the name of
    the way in, for the log.
    """

    nick: str = ""
    address: str = ""
    fingerprint: str | None = None
    operator: bool = False
    as_guest: bool = False
    account: str = ""
    preferences: tuple[tuple[str, str], ...] = ()
    relay_to: RelayTo | None = None
    way: str = ""


class Entrance:
    """Lets visitors in, if `ServerAccess` admits the identity that they prove.

    ``_owners`` has the account owners on this server, by account.
    """

    def __init__(
        self,
        people: People,
        accounts: Accounts,
        nicks: NickRegistry,
        detached: DetachedSessions,
        profiles: Profiles,
        access: ServerAccess,
        peers: Peers,
        report: Report = ignore,
    ) -> None:
        self._people = people
        self._report = report
        self._detached = detached
        self._profiles = profiles
        self._accounts = accounts
        self._nicks = nicks
        self._access = access
        self._owners: dict[str, Person] = {}
        self._peers = peers

    def owner_here(self, account: Account) -> Person | None:
        """Return the owner of an account if they are on this server, under any nick."""
        return self._owners.get(account.name.key)

    def is_here(self, account: str) -> bool:
        """Whether the owner of an account, by its folded nick, is on this server."""
        return account in self._owners

    def proof_of(self, account: str, fingerprint: str | None) -> str:
        """Return what proves an account (folded nick) for a user who has: their key, else the
        password.

        It is another text when that holds no more.
        """
        by_key, named = self._accounts.of_key(fingerprint), self._accounts.get(account)
        if by_key is not None and by_key is named:
            return f"key {fingerprint}"
        return f"password {named.password}" if named is not None else ""

    async def fetch_owner(self, account: Account, relay_to: RelayTo | None) -> str:
        """Fetch the owner of an account from another server where they have lost their connection.

        Return the server where they have a working one, and stay: see
        `chatd.chat.peers.Peers.fetch`.

        :raises Relayed: when that server runs this connection as well from now on.
        """
        server = await self._peers.fetch(Proof(account=account.name.key))
        if server and relay_to is not None and await relay_to(server, account.name.key):
            raise Relayed
        return server

    def person_arrived(self, person: Person) -> None:
        """Note a person who came from another server."""
        if person.account is not None:
            self._owners[person.account] = person
            account = self._accounts.get(person.account)
            person.registered = account.created if account is not None else None
        self._detached.person_entered(person)

    def person_left(self, person: Person) -> None:
        """Note that a person is no longer on this server."""
        if person.account is not None:
            self._owners.pop(person.account, None)

    async def enter(
        self,
        visitor: Visitor,
        client: Client,
        now: float,
        *,
        exactly: bool = False,
        listens: bool = True,
    ) -> tuple[Session, str]:
        """Let a visitor in, under the nick they ask for or (unless ``exactly``) a similar one.

        Return the session, and a sentence that says why the nick differs from the one they asked
        for, empty if it does not.  A person who is here already keeps their nick and is in their
        rooms; a new one is in no room yet.  A session without ``listens`` is shown nothing.

        :param now: in seconds since the epoch.
        :raises Refused: ``banned``, ``locked`` or ``not-invited``; with ``exactly`` also
            ``bad-nick`` or ``nick-taken``.
        :raises Relayed: when another server, where the owner is, runs the connection.
        """
        await self._accounts.load()
        self.check_access(visitor, now)
        account = self._account_of(visitor)
        if account is not None and not visitor.as_guest:
            return await self._enter_as_owner(account, visitor, client, now, listens=listens)
        if account is None and listens and not visitor.as_guest:
            lost = await self._fetch_lost_guest(visitor.fingerprint)
            if lost is not None:
                return await self._add_connection(lost, visitor, client, now, listens=True), ""
        asked = safe(visitor.nick)
        if exactly:
            name, remark = await self._nicks.take_exactly(asked, operator=visitor.operator), ""
        else:
            name, remark = await self._nicks.take_nearest(asked, operator=visitor.operator)
        session = self._add_person(name, visitor, client, now, listens=listens)
        if account is not None:
            session.person.on_behalf_of = account.name.key
            session.person.registered = account.created
        else:
            self._warn_owner(asked, session.person)
        return session, remark

    async def _fetch_lost_guest(self, fingerprint: str | None) -> Person | None:
        """Return the guest with a key who has lost their connection, here or on another server."""
        lost = self._detached.lost_guest_of_key(fingerprint)
        if lost is None and fingerprint is not None:
            await self._peers.fetch(Proof(fingerprint=fingerprint))
            lost = self._detached.lost_guest_of_key(fingerprint)
        return lost

    def _account_of(self, visitor: Visitor) -> Account | None:
        """Return the account that a visitor has proved to own."""
        named = self._accounts.get(visitor.account)
        return named or self._accounts.of_key(visitor.fingerprint)

    def check_access(self, visitor: Visitor, now: float) -> None:
        """Check that a visitor may enter the server.

        :raises Refused: ``banned``, ``locked`` or ``not-invited``.
        """
        account = self._account_of(visitor)
        owner = account.name.key if account is not None else None
        near = names.as_nick(visitor.nick)
        nick = fold(visitor.nick) or (near.key if near is not None else "")
        if owner is not None and not visitor.as_guest:
            nick = owner
        registered = account.created if account is not None else None
        identity = Identity(nick, owner, visitor.fingerprint, visitor.address, registered)
        try:
            self._access.check(identity, now, operator=visitor.operator)
        except Refused as refused:
            self._report(TurnedAway(visitor.address, visitor.way, refused.code))
            raise

    def _add_person(
        self, name: Name, visitor: Visitor, client: Client, now: float, *, listens: bool
    ) -> Session:
        """Add a new person under a claimed nick, with their first session."""
        person = Person(
            name,
            now,
            address=visitor.address,
            fingerprint=visitor.fingerprint,
            operator=visitor.operator,
        )
        self._people.add(person)
        session = self._add_session(person, visitor, client, now, listens=listens)
        if not visitor.as_guest:
            self._detached.person_entered(person)
        return session

    def _add_session(
        self, person: Person, visitor: Visitor, client: Client, now: float, *, listens: bool
    ) -> Session:
        session = Session(person, client, listens=listens)
        session.since = now
        session.address, session.fingerprint = visitor.address, visitor.fingerprint
        session.operator = visitor.operator
        by_key = self._accounts.of_key(visitor.fingerprint)
        proved_by_key = by_key is not None and by_key.name.key == visitor.account
        session.by_password = bool(visitor.account) and not proved_by_key
        session.way = visitor.way
        session.relay_to = visitor.relay_to
        session.preferences = self._preferences(person.account, visitor)
        person.attach(session)
        return session

    def _preferences(self, account: str | None, visitor: Visitor) -> Preferences:
        """Return the preferences of an account, overridden by those of the visitor."""
        return self._profiles.preferences(account).restored(dict(visitor.preferences))

    async def _add_connection(
        self, person: Person, visitor: Visitor, client: Client, now: float, *, listens: bool
    ) -> Session:
        """Add a session to a person who is here, or resume the one that they have lost."""
        resumes = listens and client.resumable  # a program starts afresh, beside a lost session
        detached = self._detached.reclaim(person) if resumes else None
        session = self._add_session(person, visitor, client, now, listens=listens)
        if detached is None:
            if listens:
                for room in person.rooms.values():
                    room.audience.add(session, session.style_in(room))
            return session
        try:
            await self._detached.resume(session, detached)
        except BaseException:  # the caller never gets this session, so it could not end it
            self._detached.put_back(session, detached)
            raise
        return session

    async def _enter_as_owner(
        self, account: Account, visitor: Visitor, client: Client, now: float, *, listens: bool
    ) -> tuple[Session, str]:
        """Let the owner of an account in; an owner who is here already gets one more session.

        While a peer or the store is awaited, they may enter by another connection or on another
        server: hence ``_owners`` is looked up again after each ``await``.
        """
        person, stays_at = self._owners.get(account.name.key), ""
        if person is None:
            stays_at = await self.fetch_owner(account, visitor.relay_to)
            person = self._owners.get(account.name.key)
        if person is None:
            if stays_at or not await self._nicks.claim_own(account.name):
                name, remark = await self._nicks.take_nearest(
                    account.name.shown, operator=visitor.operator
                )
            else:
                name, remark = account.name, ""
            person = self._owners.get(account.name.key)
            if person is None:
                session = self._add_person(name, visitor, client, now, listens=listens)
                session.person.account = account.name.key
                session.person.registered = account.created
                session.preferences = self._preferences(account.name.key, visitor)
                self._owners[account.name.key] = session.person
                return session, remark or _nick_remark(visitor, session.person)
            self._nicks.release(name)
        session = await self._add_connection(person, visitor, client, now, listens=listens)
        return session, _nick_remark(visitor, person)

    def _warn_owner(self, asked: str, person: Person) -> None:
        """Tell the owner of a nick that a visitor with a different key, or none, asked for it."""
        account = self._accounts.get(fold(asked)) if asked else None
        if account is None:
            return
        key = f"another key ({person.fingerprint})" if person.fingerprint else "no key"
        text = f"Somebody with {key} asked for your nick, and is {person.nick} now."
        owner = self._owners.get(account.name.key)
        owner = owner or self._peers.owner(account.name.key)
        if owner is None or self._peers.forward(owner, None, Notify(text)):
            return
        for session in owner.sessions:
            session.deliver(Notice(text))

    def check_register(self, person: Person) -> None:
        """Check that a person may register their nick.

        :raises Refused: ``no-nick``, ``no-change``, ``nick-taken``.
        """
        if person.account is not None:
            raise Refused("no-change", f"You have an account: {person.account}.")
        if person.is_guest_nick:
            raise Refused("no-nick", "Choose a nick first: /nick NAME.")
        self._accounts.check_unowned(person.name)

    async def register(
        self, person: Person, fingerprint: str | None, now: float, *, password: str = ""
    ) -> Account:
        """Register a person's nick as their account, proved by a key, a password's hash, or both.

        :raises Refused: as `check_register` and `Accounts.register`.
        """
        self.check_register(person)
        account = await self._accounts.register(person.name, fingerprint, now, password=password)
        self.account_proved(person, account)
        return account

    def account_proved(self, person: Person, account: Account) -> None:
        """Note that a person has proved to own an account whose owner is not here yet."""
        person.account, person.registered = account.name.key, account.created
        if self._people.get(person.name.key) is person:
            self._owners[account.name.key] = person
            self._detached.account_proved(person)


def _nick_remark(visitor: Visitor, person: Person) -> str:
    """Return a sentence for an owner who asked for a different nick; empty if they did not."""
    if not visitor.nick or fold(visitor.nick) in ("", person.name.key):
        return ""
    return f"Your key is that of {person.account}; you are {person.nick}."
