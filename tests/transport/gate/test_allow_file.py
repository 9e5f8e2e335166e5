"""Allow file: its lines, and reading it again when it has changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from twisted.conch.ssh.keys import Key

from chatd.chat.records.server_access import AllowList
from chatd.transport.gate.allow_file import AllowFile, read_allow_list
from chatd.transport.ssh.keys.authorized_keys import AuthorizedKeysError
from chatd.transport.ssh.keys.public_keys import fingerprint
from tests.support.ssh.peer import HOST_KEY, USER_KEY


def line_of(key: Key) -> str:
    line: bytes = key.public().toString("openssh")
    return line.decode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "allow"
    text = f"# who may come in\n\n{line_of(USER_KEY)} ann@home\naccount: Ada\nACCOUNT:bob\n"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_file_has_keys_and_accounts(path: Path) -> None:
    keys = frozenset({fingerprint(USER_KEY.blob())})
    assert read_allow_list(path) == AllowList(keys, frozenset({"ada", "bob"}))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("account: no nick", "A nick has letters"),
        ("account:", "A nick needs at least one letter or digit."),
        ("ada", "no key of a type that is known."),
    ],
)
def test_a_malformed_line_is_named(path: Path, line: str, why: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    with pytest.raises(AuthorizedKeysError, match=f"allow, line 6: {why}"):
        read_allow_list(path)


def test_the_file_is_read_again_when_it_has_changed(path: Path) -> None:
    guests = AllowFile(path)
    assert "ada" in guests().accounts
    path.write_text("account: grace\n", encoding="utf-8")
    assert guests().accounts == {"grace"}
    read = guests()
    assert guests() is read
    path.write_text("nonsense\n", encoding="utf-8")
    assert guests().accounts == {"grace"}, "what it said before holds"
    path.unlink()
    assert guests().accounts == {"grace"}
    path.write_text(line_of(HOST_KEY), encoding="utf-8")
    os.utime(path, ns=(1, 1))
    assert guests().accounts == frozenset()
