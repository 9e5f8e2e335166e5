"""Nicks: which one somebody gets, and the claims on them at the store.

A nick is had by who claims it first; several servers may share a store, so a claim may have to be
waited for, and meanwhile nobody else here may have it or one that looks like it.
"""

from __future__ import annotations

from chatd.chat.events import Refused
from chatd.chat.model.entities import Person
from chatd.chat.model.people import People
from chatd.chat.records.accounts import Accounts
from chatd.chat.store import Store
from chatd.chat.text import names
from chatd.chat.text.names import Name

_BY_KEY = "its owner has an ssh key."


class NickRegistry:
    """The nicks of the people who are here; ``holder`` is this server, to the store."""

    def __init__(self, people: People, accounts: Accounts, store: Store, holder: str) -> None:
        self._people = people
        self._accounts = accounts
        self._store = store
        self._holder = holder
        self._wanted: set[str] = set()

    async def exactly(self, asked: str) -> Name:
        """Take the nick that is asked for.

        :raises Refused: ``bad-nick`` or ``nick-taken``.
        """
        name = names.nick(asked)
        self.check_owner(name)
        if not await self.claim(name):
            raise Refused("nick-taken", f"{name} is taken, or looks like a nick that is.")
        return name

    def check_owner(self, name: Name, by: Person | None = None) -> None:
        """Whether somebody may have a nick that may be somebody's own.

        :raises Refused: ``nick-taken``.
        """
        owner = self._accounts.owner(name)
        if owner is not None and (by is None or by.account != owner.name.key):
            like = "" if owner.name.key == name.key else " looks like a nick that"
            proof = f"/login {owner.name} if it is yours." if owner.has_password else _BY_KEY
            raise Refused("nick-taken", f"{name}{like} is registered; {proof}")

    async def nearest(self, asked: str) -> tuple[Name, str]:
        """Take the nick that is asked for or one near it, and say in a sentence why it is another.

        Who asks for none is a guest, and is told nothing.
        """
        if not asked.strip():
            return await self._guest(), ""
        try:
            wanted = names.nick(asked)
        except Refused as refused:
            near = names.as_nick(asked)
            if near is None:
                name = await self._guest()
            else:
                name = await self._free_variant(near)
            return name, f"{refused.sentence} You are {name}."
        name = await self._free_variant(wanted)
        if name == wanted:
            return name, ""
        owner = self._accounts.owner(wanted)
        if owner is None:
            return name, f"{wanted} is taken; you are {name}."
        proof = f" /login {owner.name} if it is yours." if owner.has_password else ""
        return name, f"{wanted} is registered; you are {name}.{proof}"

    async def _guest(self) -> Name:
        while True:
            name = self._people.guest()
            if await self.claim(name):
                return name

    async def _free_variant(self, wanted: Name) -> Name:
        """A nick, or one made of it; a guest's where there is none."""
        if await self.claim(wanted):
            return wanted
        for name in names.variants(wanted):
            if await self.claim(name):
                return name
        return await self._guest()

    async def claim(self, name: Name, by: Person | None = None) -> bool:
        """Take a nick if nobody here has it or looks like it, and no other holder claims it."""
        owner = self._accounts.owner(name)
        if owner is not None and (by is None or by.account != owner.name.key):
            return False
        return await self._claim(name, by, owner=owner is not None and owner.name.key == name.key)

    async def claim_own(self, name: Name, by: Person | None = None) -> bool:
        """Take a nick for its owner, from another server if need be, which may be dead."""
        return await self._claim(name, by, owner=True)

    async def _claim(self, name: Name, by: Person | None, *, owner: bool) -> bool:
        if not self._people.is_free(name, by, owner=owner):
            return False
        if by is not None and by.name.key == name.key:
            return True
        looks = names.skeletons(name)
        if not self._wanted.isdisjoint(looks):  # somebody here waits for it, or for one like it
            return False
        self._wanted |= looks
        try:
            return await self._store.claim(name.key, self._holder, owner=owner)
        finally:
            self._wanted -= looks

    async def take_over(self, name: Name) -> bool:
        """Take the nick of somebody who was at another server of the cluster, and is here now."""
        return await self._store.claim(name.key, self._holder, owner=True)

    def release(self, name: Name) -> None:
        """Give a nick back."""
        self._store.release(name.key, self._holder)
