"""Entrance: under which nick somebody comes in, and whether they are here already.

A key that proves an account makes whoever comes with it that person, on another screen perhaps; who
brings none is a guest under a nick that is nobody's own.
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
from chatd.chat.records.accounts import Account, Accounts
from chatd.chat.records.profiles import Profiles
from chatd.chat.records.server_access import ServerAccess
from chatd.chat.text import names
from chatd.chat.text.names import Name, fold
from chatd.chat.text.sanitizing import safe


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is at the door: what they would like to be called, and what is known of them.

    Who comes ``apart`` is somebody of their own although their key proves an account: a script that
    listens, say, beside the person on a screen.  ``account`` is the folded nick of one that they
    have proved already, otherwise than by their key.  ``wishes`` are preferences by name that hold
    from the beginning, whatever was set.  ``lend`` lends their line to the server where they are,
    if it can be lent.
    """

    nick: str = ""
    address: str = ""
    fingerprint: str | None = None
    operator: bool = False
    apart: bool = False
    account: str = ""
    wishes: tuple[tuple[str, str], ...] = ()
    lend: RelayTo | None = None


class Entrance:
    """Lets people in; ``_here`` has who of the owners of accounts is here.

    Who may come in at all, `ServerAccess` is asked, once it is known what they prove.
    """

    def __init__(
        self,
        people: People,
        accounts: Accounts,
        nicks: NickRegistry,
        places: DetachedSessions,
        profiles: Profiles,
        welcome: ServerAccess,
        peers: Peers,
    ) -> None:
        self._people = people
        self._places = places
        self._profiles = profiles
        self._accounts = accounts
        self._nicks = nicks
        self._welcome = welcome
        self._here: dict[str, Person] = {}
        self._peers = peers

    def owner_here(self, account: Account) -> Person | None:
        """The owner of an account, if they are here, under whichever nick."""
        return self._here.get(account.name.key)

    def is_here(self, account: str) -> bool:
        """Whether the owner of an account, by its folded nick, is here."""
        return account in self._here

    async def find(self, account: Account, lend: RelayTo | None) -> str:
        """Let the owner of an account be here if they have lost their connection elsewhere.

        Who has one there that works stays at that server, which is returned; see
        `chatd.chat.peers.Peers.fetch`.

        :raises LentAway: when that server runs this connection as well.
        """
        server = await self._peers.fetch(Proof(account=account.name.key))
        if server and lend is not None and await lend(server, account.name.key):
            raise Relayed
        return server

    def moved_in(self, person: Person) -> None:
        """Somebody is here who was at another server."""
        if person.account is not None:
            self._here[person.account] = person
        self._places.came(person)

    def left(self, person: Person) -> None:
        """Somebody is here no longer."""
        if person.account is not None:
            self._here.pop(person.account, None)

    async def enter(
        self,
        visitor: Visitor,
        reader: Client,
        now: float,
        *,
        exactly: bool = False,
        listens: bool = True,
    ) -> tuple[Session, str]:
        """Let somebody in, under the nick they ask for or (unless ``exactly``) one near it.

        Return their session and, when they carry another nick than they asked for, a sentence that
        says why; an empty one otherwise.  They are in no room yet, unless they are here already:
        the key of an account says who somebody is, whatever they ask for.  Who does not ``listens``
        is shown nothing.

        :raises Refused: ``banned`` or ``not-invited``; only with ``exactly`` also ``bad-nick`` or
            ``nick-taken``.
        :raises LentAway: when the server where they are runs their connection.
        """
        await self._accounts.load()
        self.check(visitor, now)
        account = self._account_of(visitor)
        if account is not None and not visitor.apart:
            return await self._enter_as(account, visitor, reader, now, listens=listens)
        if account is None and listens and not visitor.apart:
            lost = await self._lost_by_key(visitor.fingerprint)
            if lost is not None:
                return await self._come_again(lost, visitor, reader, listens=True), ""
        asked = safe(visitor.nick)
        if exactly:
            name, remark = await self._nicks.exactly(asked), ""
        else:
            name, remark = await self._nicks.nearest(asked)
        session = self._come(name, visitor, reader, now, listens=listens)
        if account is not None:
            session.person.on_behalf_of = account.name.key
        else:
            self._warn_owner(asked, session.person)
        return session, remark

    async def _lost_by_key(self, fingerprint: str | None) -> Person | None:
        """The guest who came with a key and has lost their connection, here or elsewhere."""
        lost = self._places.of_key(fingerprint)
        if lost is None and fingerprint is not None:
            await self._peers.fetch(Proof(fingerprint=fingerprint))
            lost = self._places.of_key(fingerprint)
        return lost

    def _account_of(self, visitor: Visitor) -> Account | None:
        """Whose owner somebody proves to be.

        Else whoever adds the public key of an operator would be one as soon as they come.
        """
        named = self._accounts.get(visitor.account)
        return named or self._accounts.of_key(visitor.fingerprint, proved=visitor.operator)

    def check(self, visitor: Visitor, now: float) -> None:
        """Ask who may come in at all.

        :raises Refused: ``banned`` or ``not-invited``.
        """
        account = self._account_of(visitor)
        owner = account.name.key if account is not None else None
        near = names.as_nick(visitor.nick)
        nick = fold(visitor.nick) or (near.key if near is not None else "")
        if owner is not None and not visitor.apart:
            nick = owner
        known = Identity(nick, owner, visitor.fingerprint, visitor.address)
        self._welcome.check(known, now, operator=visitor.operator)

    def _come(
        self, name: Name, visitor: Visitor, reader: Client, now: float, *, listens: bool
    ) -> Session:
        person = Person(
            name,
            now,
            address=visitor.address,
            fingerprint=visitor.fingerprint,
            operator=visitor.operator,
        )
        self._people.add(person)
        session = self._session(person, visitor, reader, listens=listens)
        if not visitor.apart:
            self._places.came(person)
        return session

    def _session(
        self, person: Person, visitor: Visitor, reader: Client, *, listens: bool
    ) -> Session:
        session = Session(person, reader, listens=listens)
        session.address, session.fingerprint = visitor.address, visitor.fingerprint
        session.operator = visitor.operator
        session.relay_to = visitor.lend
        session.preferences = self._preferences(person.account, visitor)
        person.sessions.append(session)
        person.sessions_changed()
        return session

    def _preferences(self, account: str | None, visitor: Visitor) -> Preferences:
        """What an account remembers, and what its owner wishes now."""
        return self._profiles.preferences(account).restored(dict(visitor.wishes))

    async def _come_again(
        self, person: Person, visitor: Visitor, reader: Client, *, listens: bool
    ) -> Session:
        """Somebody who is here already comes by another connection, or comes back by it."""
        back = listens and reader.resumable  # a program begins anew, beside whoever is lost
        place = self._places.recover(person) if back else None
        session = self._session(person, visitor, reader, listens=listens)
        if place is None:
            if listens:
                for room in person.rooms.values():
                    room.audience.add(session, session.style_in(room))
            return session
        try:
            await self._places.resume(session, place)
        except BaseException:  # nobody would know of this connection
            self._places.give_up(session, place)
            raise
        return session

    async def _enter_as(
        self, account: Account, visitor: Visitor, reader: Client, now: float, *, listens: bool
    ) -> tuple[Session, str]:
        """Let the owner of an account in; who is here already is one person on two screens."""
        person, stays_at = self._here.get(account.name.key), ""
        if person is None:
            stays_at = await self.find(account, visitor.lend)
            person = self._here.get(account.name.key)
        if person is None:
            if stays_at or not await self._nicks.claim_own(account.name):
                name, remark = await self._nicks.nearest(account.name.shown)
            else:
                name, remark = account.name, ""
            person = self._here.get(account.name.key)  # who came while we waited
            if person is None:
                session = self._come(name, visitor, reader, now, listens=listens)
                session.person.account = account.name.key
                session.preferences = self._preferences(account.name.key, visitor)
                self._here[account.name.key] = session.person
                return session, remark or _other_name(visitor, session.person)
            self._nicks.release(name)
        session = await self._come_again(person, visitor, reader, listens=listens)
        return session, _other_name(visitor, person)

    def _warn_owner(self, asked: str, person: Person) -> None:
        """Tell the owner of a nick that somebody with another key, or none, has asked for it."""
        account = self._accounts.get(fold(asked)) if asked else None
        if account is None:
            return
        key = f"another key ({person.fingerprint})" if person.fingerprint else "no key"
        told = f"Somebody with {key} asked for your nick, and is {person.nick} now."
        owner = self._here.get(account.name.key)
        owner = owner or self._peers.owner(account.name.key)
        if owner is None or self._peers.forward(owner, None, Notify(told)):
            return
        for session in owner.sessions:
            session.deliver(Notice(told))

    def check_register(self, person: Person) -> None:
        """Whether somebody may make their nick their own.

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
        """Make somebody's nick their own, by a key that is nobody's, a password's hash, or both.

        :raises Refused: as `check_register` and `Accounts.register`.
        """
        self.check_register(person)
        account = await self._accounts.register(person.name, fingerprint, now, password=password)
        self.proved(person, account)
        return account

    def proved(self, person: Person, account: Account) -> None:
        """Somebody is the owner of an account, and nobody else who is here is."""
        person.account = account.name.key
        if self._people.get(person.name.key) is person:
            self._here[account.name.key] = person
            self._places.proved(person)


def _other_name(visitor: Visitor, person: Person) -> str:
    """A sentence for who comes with the key of an account under another name."""
    if not visitor.nick or fold(visitor.nick) in ("", person.name.key):
        return ""
    return f"Your key is that of {person.account}; you are {person.nick}."
