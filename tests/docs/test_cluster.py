"""The NATS configuration of docs/cluster.rst: servers authenticate by their certificates."""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatd.chat.events import Edited, Joined, Said
from chatd.chat.store import Record
from chatd.chat.text.query import SearchQuery
from chatd.store.nats.client import servers
from chatd.store.nats.jetstream.layout import UnfitError
from chatd.store.nats.store import NatsStore
from tests import ROOT
from tests.support.cluster.nats import binary
from tests.support.cluster.stores import Node, said
from tests.support.main_thread import TestMainThread, wait_for
from tests.support.served import PATIENCE

DOCUMENT = ROOT / "docs" / "cluster.rst"


def block(first: str, last: str) -> str:
    """Return the part of a configuration in the document from one line to another."""
    found = re.search(rf"^ +{re.escape(first)}.*?^ +{re.escape(last)}$", TEXT, re.S | re.M)
    assert found is not None
    return textwrap.dedent(found[0])


TEXT = DOCUMENT.read_text(encoding="utf-8")


def certify(folder: Path, client: Callable[[str], str]) -> None:
    """Make the certificates, and one that NATS does not know."""
    client("openssl")
    made = block("mkdir -m 700 authority", "certify backup").replace("DNS:$name", "IP:127.0.0.1")
    for name in ("backup", "stranger"):
        made += f"\ncertify {name}; cat {name}.key >> {name}.pem"
    made += "\nmv * .."
    subprocess.run(["sh", "-e", "-c", made], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def address(tmp_path: Path, client: Callable[[str], str]) -> Iterator[str]:
    certify(tmp_path, client)
    (tmp_path / "user.template").write_text(block('{user: "CN=NAME"', "}},"))
    made = block("{ echo 'accounts", "echo 'system_account: SYS'; } > /etc/nats/users.conf")
    subprocess.run(["sh", "-c", made.replace("/etc/nats", str(tmp_path))], check=True)
    tls = block("tls {", "}").replace("/etc/nats/server", f"{tmp_path}/nats-chat1")
    configuration = tmp_path / "nats.conf"
    configuration.write_text(
        f'listen: "127.0.0.1:-1"\nports_file_dir: "{tmp_path}"\n'
        f'jetstream {{store_dir: "{tmp_path}/js"}}\n'
        f"{tls.replace('/etc/nats', str(tmp_path))}\n"
        f'include "users.conf"\n'
    )
    process = subprocess.Popen([binary(), "-c", str(configuration), "-l", str(tmp_path / "log")])
    try:
        until = time.monotonic() + PATIENCE
        while not (ports := [*tmp_path.glob("*.ports")]) or not ports[0].read_text():
            assert process.poll() is None, (tmp_path / "log").read_text()[-2000:]
            assert time.monotonic() < until
            time.sleep(0.005)
        [found] = json.loads(ports[0].read_text())["nats"]
        yield f"tls://127.0.0.1:{found.rpartition(':')[2]}"
    finally:
        process.kill()
        process.wait()


def reached(address: str, folder: Path, name: str) -> servers.Servers:
    proof = servers.tls(str(folder / "ca.pem"), str(folder / f"{name}.pem"))
    return servers.Servers((address,), tls=proof)


def test_a_server_has_the_permissions_it_needs_and_a_stranger_has_none(
    address: str, tmp_path: Path
) -> None:
    turn = TestMainThread()
    one, other = (
        Node(reached(address, tmp_path, name), turn, called=called)
        for name, called in (("chat1", "chat1"), ("chat2", "chat2/1"))
    )
    other.store.subscribe("lobby")
    other.wait_until_stored()
    one.store.post("lobby", "1", said("hello"))
    one.wait_until_stored()
    [(_, _, number, _)] = one.stored_events
    one.store.post("lobby", "2", Edited(1.0, "ada", number, "hi"))
    one.store.post("lobby", "3", Joined(1.0, "bob"))
    other.run_until(lambda: len(other.stored_events) == 3)
    assert len(wait_for(other.store.before("lobby", None, 9))) == 1
    assert wait_for(one.store.claim("ada", "x"))
    assert not wait_for(other.store.claim("ada", "y"))
    wait_for(one.store.put_all([Record("account", "ada", "1")]))
    other.run_until(lambda: other.record_changes == [("account", "ada", "1")])
    one.store.bus.broadcast("hello")
    one.store.bus.send(other.store.bus.name, "psst")
    other.run_until(lambda: len(other.bus_texts) == 2)
    assert {server for server, _ in other.bus_texts} == {one.store.bus.name}
    answer = wait_for(one.store.bus.request(other.store.bus.name, "how many"))
    assert answer == f"how many, {one.store.bus.name}? 1"
    assert wait_for(one.store.last_by("lobby", "ada")) == (
        number,
        Said(1.0, "ada", "hi", edited=True),
    )
    found = wait_for(other.store.search(["lobby"], SearchQuery(("hi",), until=1.0), 0, 9))
    assert found == []
    renewed: list[bool] = []
    one.store.renew(lambda: renewed.append(True))
    one.run_until(lambda: bool(renewed))
    one.store.drop_rooms_but(["lobby"])
    one.wait_until_stored()
    one.store.limit("lobby", 1)
    one.store.drop_room("lobby")
    one.wait_until_stored()
    for node in (one, other):
        wait_for(node.store.close())


def test_a_server_cannot_impersonate_another(address: str, tmp_path: Path) -> None:
    turn = TestMainThread()
    one, other = (
        Node(reached(address, tmp_path, name), turn, called=name) for name in ("chat1", "chat2")
    )
    other.wait_until_stored()  # by now NATS knows what it hears
    named, one.store.bus.name = one.store.bus.name, other.store.bus.name
    one.store.bus.broadcast("spoken as another")
    one.store.bus.send(other.store.bus.name, "spoken as another")
    one.store.bus.name = named
    one.store.bus.send(other.store.bus.name, "spoken as oneself")
    other.run_until(lambda: bool(other.bus_texts))
    assert other.bus_texts == [(one.store.bus.name, "spoken as oneself")]
    for node in (one, other):
        wait_for(node.store.close())


def test_a_server_with_a_wrong_name_is_told_which_permission_is_missing(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatd.store.nats.store.SET_UP_SECONDS", 1.0)
    store = NatsStore(reached(address, tmp_path, "chat1"), TestMainThread(), called="chat9")
    with pytest.raises(UnfitError, match=r"(?i)permissions violation"):
        store.begin()


def test_a_stranger_is_refused(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatd.store.nats.store.CONNECT_SECONDS", 0.5)
    store = NatsStore(reached(address, tmp_path, "stranger"), TestMainThread())
    with pytest.raises(UnfitError, match="Authorization Violation"):
        store.begin()


def test_the_backup_user_has_all_permissions_in_the_account(address: str, tmp_path: Path) -> None:
    backup = Node(reached(address, tmp_path, "backup"), TestMainThread(), called="chat9")
    wait_for(backup.store.close())
