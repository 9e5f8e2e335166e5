"""Allow file: the keys and accounts of ``--allow``, reloaded whenever the file has changed.

It has lines as in ``authorized_keys`` (sshd(8)), for ssh clients with a key, and
lines such as ``account: ada``, for users who prove that the account is theirs.
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


def read_allow_list(path: Path) -> AllowList:
    """Read the file.

    :raises AuthorizedKeysError: when it, or a line of it, cannot be understood.
    """
    keys, accounts = set(), set()
    for number, line in lines_of(path):
        try:
            if line.lower().startswith(_ACCOUNT):
                accounts.add(names.existing(line[len(_ACCOUNT) :]).key)
            else:
                keys.add(fingerprint(read_line(line)[0]))
        except ValueError as why:
            raise AuthorizedKeysError(f"{path}, line {number}: {why}.") from None
        except Refused as refused:
            raise AuthorizedKeysError(f"{path}, line {number}: {refused.sentence}") from None
    return AllowList(frozenset(keys), frozenset(accounts))


class AllowFile:
    """The current content of an allow file; the last valid one while the file is invalid."""

    _log = Logger()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._list = read_allow_list(path)
        self._version = self._stat()

    def _stat(self) -> tuple[int, ...] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def __call__(self) -> AllowList:
        """Return the allow list; checking whether the file has changed takes some microseconds."""
        version = self._stat()
        if version != self._version:
            self._version = version
            try:
                self._list = read_allow_list(self._path)
            except AuthorizedKeysError as why:
                self._log.error("The list of who may come in stays as it was: {why}", why=why)
        return self._list
