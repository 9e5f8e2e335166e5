"""The file of ``--allow``: who alone may come in, read anew whenever it has changed.

It has the lines of ``authorized_keys`` (sshd(8)), for those who come by ssh with a key, and lines
such as ``account: ada``, for whoever proves to be the owner of an account.
"""

from __future__ import annotations

from pathlib import Path

from twisted.logger import Logger

from chatd.chat.events import Refused
from chatd.chat.records.server_access import AllowList
from chatd.chat.text import names
from chatd.transport.ssh.keys.authorized_keys import AuthorizedKeysError, lines_of, read_line
from chatd.transport.ssh.keys.public_keys import fingerprint

_ACCOUNT = "account:"


def read_guest_list(path: Path) -> AllowList:
    """Read the file.

    :raises AuthorizedKeysError: when it, or a line of it, cannot be understood.
    """
    keys, accounts = set(), set()
    for number, line in lines_of(path):
        try:
            if line.lower().startswith(_ACCOUNT):
                accounts.add(names.nick(line[len(_ACCOUNT) :]).key)
            else:
                keys.add(fingerprint(read_line(line)[0]))
        except ValueError as why:
            raise AuthorizedKeysError(f"{path}, line {number}: {why}.") from None
        except Refused as refused:
            raise AuthorizedKeysError(f"{path}, line {number}: {refused.sentence}") from None
    return AllowList(frozenset(keys), frozenset(accounts))


class AllowFile:
    """A file of who is invited, as it is now.

    While it cannot be read, or makes no sense, what it said before holds.
    """

    _log = Logger()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._list = read_guest_list(path)
        self._stamp = self._look()

    def _look(self) -> tuple[int, ...] | None:
        try:
            now = self._path.stat()
        except OSError:
            return None
        return now.st_mtime_ns, now.st_size, now.st_ino

    def __call__(self) -> AllowList:
        """Who is invited; looking whether the file has changed takes some microseconds."""
        stamp = self._look()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._list = read_guest_list(self._path)
            except AuthorizedKeysError as why:
                self._log.error("The list of who may come in stays as it was: {why}", why=why)
        return self._list
