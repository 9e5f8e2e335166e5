"""Nick registry: chooses nicks for users, and claims them in the store.

The first claim on a nick wins.  Several servers may share the store, so a claim may take time;
meanwhile no other user on this server may have the nick, or one that looks like it.
"""

from __future__ import annotations

from chatd.chat.events import Refused
from chatd.chat.model.entities import Person
from chatd.chat.model.people import People
from chatd.chat.records.accounts import Accounts
from chatd.chat.store import Store
from chatd.chat.text import names
from chatd.chat.text.names import Name


class NickRegistry:
    """Takes nicks for users on this server, which is ``holder`` to the store.

    ``_being_claimed`` has the looks (`chatd.chat.text.names.looks`) of the nicks for which the
    store is being asked.
    """

    def __init__(self, people: People, accounts: Accounts, store: Store, holder: str) -> None:
        self._people = people
        self._accounts = accounts
        self._store = store
        self._holder = holder
        self._being_claimed: set[str] = set()

    async def take_exactly(self, asked: str, *, operator: bool = False) -> Name:
        """Take the nick that a user asks for.

        :raises Refused: ``bad-nick`` or ``nick-taken``.
        """
        name = names.nick(asked, staff=operator)
        self.check_owner(name)
        if not await self.claim(name):
            raise Refused("nick-taken", f"{name} is taken, or looks like a nick that is.")
        return name

    def check_owner(self, name: Name, by: Person | None = None) -> None:
        """Check that a nick neither is, nor looks like, an account's, unless ``by`` owns that.

        :raises Refused: ``nick-taken``.
        """
        owner = self._accounts.owner(name)
        if owner is not None and (by is None or by.account != owner.name.key):
            like = "" if owner.name.key == name.key else " looks like a nick that"
            raise Refused(
                "nick-taken", f"{name}{like} is registered; /login {owner.name} if it is yours."
            )

    async def take_nearest(self, asked: str, *, operator: bool = False) -> tuple[Name, str]:
        """Take the nick that a user asks for, or a similar one.

        Return it with a sentence that says why it differs; empty if it does not, or if they asked
        for none and are a guest.
        """
        if not asked.strip():
            return await self._take_guest_nick(), ""
        try:
            wanted = names.nick(asked, staff=operator)
        except Refused as refused:
            near = names.as_nick(asked)
            if near is None:
                name = await self._take_guest_nick()
            else:
                name = await self._take_variant(near)
            return name, f"{refused.sentence} You are {name}."
        name = await self._take_variant(wanted)
        if name == wanted:
            return name, ""
        owner = self._accounts.owner(wanted)
        if owner is None:
            return name, f"{wanted} is taken; you are {name}."
        return name, f"{wanted} is registered; you are {name}. /login {owner.name} if it is yours."

    async def _take_guest_nick(self) -> Name:
        while True:
            name = self._people.guest()
            if await self.claim(name):
                return name

    async def _take_variant(self, wanted: Name) -> Name:
        """Take a nick, else its first free variant, else a guest nick."""
        if await self.claim(wanted):
            return wanted
        for name in names.variants(wanted):
            if await self.claim(name):
                return name
        return await self._take_guest_nick()

    async def claim(self, name: Name, by: Person | None = None) -> bool:
        """Claim a nick, for a person who is here already (``by``) or one who enters.

        Return False if another user has or owns the nick, or one that looks like it.
        """
        owner = self._accounts.owner(name)
        if owner is not None and (by is None or by.account != owner.name.key):
            return False
        return await self._claim(name, by, owner=owner is not None and owner.name.key == name.key)

    async def claim_own(self, name: Name, by: Person | None = None) -> bool:
        """Claim a nick for its owner, even from another server, which may be dead.

        Return False if another user on this server has it.
        """
        return await self._claim(name, by, owner=True)

    async def _claim(self, name: Name, by: Person | None, *, owner: bool) -> bool:
        if not self._people.is_free(name, by, owner=owner):
            return False
        if by is not None and by.name.key == name.key:
            return True
        looks = names.looks(name)
        if not self._being_claimed.isdisjoint(looks):
            return False
        self._being_claimed |= looks
        before = self._accounts.owner(name)
        try:
            claimed = await self._store.claim(name.key, self._holder, owner=owner)
        finally:
            self._being_claimed -= looks
        now = self._accounts.owner(name)
        if not claimed or owner or now is None:
            return claimed
        if before is None or before.name.key != now.name.key:  # an account has got it meanwhile
            self.release(name)
            return False
        return True

    async def take_over(self, name: Name) -> bool:
        """Claim the nick of a person who has moved here from another server of the cluster."""
        return await self._store.claim(name.key, self._holder, owner=True)

    def release(self, name: Name) -> None:
        """Release the claim on a nick."""
        self._store.release(name.key, self._holder)
