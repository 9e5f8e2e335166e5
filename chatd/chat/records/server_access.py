"""Server access: the bans from the server, and the allow list of users.

The gate checks addresses alone; the entrance and ssh check the whole identity of a user.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from chatd.chat.events import Refused
from chatd.chat.limits import SERVER_BANS
from chatd.chat.model.bans import Ban, Bans, Identity
from chatd.chat.records.loading import RecordLoader
from chatd.chat.records.writing import Records

#: The kind of the records of bans from the server in the store.
KIND = "server ban"
#: Codes of refusals after which the user is not asked for another nick or password.
FINAL_REFUSALS = frozenset({"banned", "not-invited"})


@dataclass(frozen=True, slots=True)
class AllowList:
    """The only identities that are let in: fingerprints of keys, and accounts (folded nicks)."""

    keys: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()

    def __contains__(self, identity: Identity) -> bool:
        return identity.key in self.keys or identity.account in self.accounts


def everybody() -> AllowList | None:
    """Return None, for no allow list: everyone may enter."""
    return None


class ServerAccess:
    """Checks who may enter the server.

    ``allowed`` returns the allow list, or None when everyone is let in.  Only the proved parts of
    an identity are checked: the account once the user has logged in to it.  Operators are always
    let in.
    """

    def __init__(self, records: Records, allowed: Callable[[], AllowList | None]) -> None:
        self.bans = Bans(SERVER_BANS, partial(records.ban_changed, KIND, ""))
        records.register(KIND, self.bans.apply_change)
        self._allowed = allowed
        self.load = RecordLoader(records, KIND, take=self._restore).load

    def _restore(self, records: Mapping[str, str]) -> None:
        for target, value in records.items():
            self.bans.restore(Ban.decoded(target, value))

    def check(self, identity: Identity, now: float, *, operator: bool = False) -> None:
        """Check that a user may enter the server.

        :raises Refused: ``banned`` or ``not-invited``.
        """
        if operator:
            return
        ban = self.bans.covering(identity, now)
        if ban is not None:
            raise Refused("banned", f"You are banned from this server {self.bans.rest(ban, now)}.")
        invited = self._allowed()
        if invited is not None and identity not in invited:
            raise Refused(
                "not-invited",
                "This server is for invited people only; come by ssh with a key that it knows.",
            )

    def check_address(self, address: str, now: float) -> None:
        """Check that connections from an address are accepted.

        :raises Refused: ``banned``.
        """
        ban = self.bans.of_address(address, now)
        if ban is not None:
            raise Refused("banned", f"You are banned from this server {self.bans.rest(ban, now)}.")

    def check_nick(self, nick: str, now: float) -> None:
        """Check that a user who is here may change to a (folded) nick.

        :raises Refused: ``banned``.
        """
        if self.bans.covering(Identity(nick), now) is not None:
            raise Refused("banned", f"Nobody may be called {nick} here.")
