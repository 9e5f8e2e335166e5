"""Welcome: who may come into the server, and who not: its bans, and the list of who is invited.

The gate asks by an address alone, the entrance and ssh by all that is known of somebody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chatd.chat.events import Refused
from chatd.chat.limits import SERVER_BANS
from chatd.chat.model.bans import Ban, Bans, Identity, Target
from chatd.chat.records.loading import RecordLoader
from chatd.chat.store import Store

#: What the records of bans from the server are called in the store.
KIND = "server ban"
#: The code words with which nobody stays at the door to try again.
FINAL_REFUSALS = frozenset({"banned", "not-invited"})


@dataclass(frozen=True, slots=True)
class AllowList:
    """Who alone may come in: fingerprints of keys, and folded nicks of accounts."""

    keys: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()

    def __contains__(self, known: Identity) -> bool:
        return known.key in self.keys or known.account in self.accounts


def everybody() -> AllowList | None:
    """No list: everybody may come in."""
    return None


class ServerAccess:
    """Who may come in.  ``allowed`` gives who alone may, or None where everybody may.

    What somebody proves counts: who logs in to an account is asked for with that account.
    Operators always may.
    """

    def __init__(self, store: Store, allowed: Callable[[], AllowList | None]) -> None:
        self._store = store
        self.bans = Bans(SERVER_BANS, self._keep)
        self._allowed = allowed
        self.load = RecordLoader(store, KIND, take=self._restore).load

    def _restore(self, records: Mapping[str, str]) -> None:
        for target, value in records.items():
            self.bans.restore(Ban.decoded(target, value))

    def _keep(self, target: Target, ban: Ban | None) -> None:
        self._store.put(KIND, str(target), ban.encoded() if ban is not None else None)

    def check(self, known: Identity, now: float, *, operator: bool = False) -> None:
        """Let somebody come in.

        :raises Refused: ``banned`` or ``not-invited``.
        """
        if operator:
            return
        ban = self.bans.covering(known, now)
        if ban is not None:
            raise Refused("banned", f"You are banned from this server {ban.rest(now)}.")
        invited = self._allowed()
        if invited is not None and known not in invited:
            raise Refused(
                "not-invited",
                "This server is for invited people only; come by ssh with a key that it knows.",
            )

    def check_address(self, address: str, now: float) -> None:
        """Let a connection from an address come to the door.

        :raises Refused: ``banned``.
        """
        ban = self.bans.of_address(address, now)
        if ban is not None:
            raise Refused("banned", f"You are banned from this server {ban.rest(now)}.")

    def check_nick(self, nick: str, now: float) -> None:
        """Let somebody who is here carry another (folded) nick.

        :raises Refused: ``banned``.
        """
        if self.bans.covering(Identity(nick), now) is not None:
            raise Refused("banned", f"Nobody may be called {nick} here.")
