"""The floors of the house: imports run down only, and the chat knows no Twisted.

Nothing here names a module but the ways in: what is added to the tree is held to the same rules.
"""

import ast
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: From the top down.  A room may import its own modules and those of the floors below it.
FLOORS = (("tap", "admin"), ("transport", "clients"), ("wire", "terminal", "store"), ("chat",))
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

#: Rooms that may import Twisted and what comes with it.
TWISTED_ROOMS = ("tap", "transport", "clients")
TWISTED = ("twisted", "zope")

#: The ways in: modules or packages of chatd/transport, none of which knows another.
WAYS = ("line", "telnet", "ssh", "tcd", "json", "web", "irc")


@dataclass(frozen=True, slots=True)
class Import:
    """One name that one module imports: ``from a.b import c`` is a.b.c."""

    importer: str
    imported: str
    where: str
    at_module_level: bool

    def __str__(self) -> str:
        return f"{self.where}: {self.importer} imports {self.imported}"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    """Return every module of chatd, by name."""
    return {module_name(path): path for path in sorted((ROOT / "chatd").rglob("*.py"))}


def imports_of(name: str, path: Path, text: str) -> list[Import]:
    """Return all that a module imports, inside functions and for the type checker too."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found = []
    for node, at_module_level in walk(ast.parse(text), True):
        match node:
            case ast.Import(names=names):
                imported = [alias.name for alias in names]
            case ast.ImportFrom(module=module, names=names, level=level):
                above = package[: len(package) + 1 - level] if level else []
                origin = ".".join([*above, *([module] if module else [])])
                imported = [f"{origin}.{alias.name}" for alias in names]
            case _:
                continue
        where = f"{path.relative_to(ROOT)}:{node.lineno}"
        found += [Import(name, each, where, at_module_level) for each in imported]
    return found


def walk(node: ast.AST, at_module_level: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Go through a tree, saying of each node whether it runs when the module is imported."""
    yield node, at_module_level
    inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in ast.iter_child_nodes(node):
        yield from walk(child, at_module_level and not inside)


def room_of(name: str) -> str | None:
    """Return the room of one of our modules; None for chatd itself and for what is not ours."""
    top, _, rest = name.partition(".")
    room = rest.partition(".")[0]
    return room if top == "chatd" and room in FLOOR_OF else None


def way_of(name: str) -> str | None:
    """Return the way in that a module is or belongs to, if any."""
    parts = name.split(".")
    in_transport = parts[:2] == ["chatd", "transport"] and len(parts) > 2
    return parts[2] if in_transport and parts[2] in WAYS else None


def broken_rule(each: Import) -> str | None:
    """Return the rule that an import breaks, or None."""
    upper, lower = room_of(each.importer), room_of(each.imported)
    if each.imported.split(".")[0] in TWISTED and upper not in TWISTED_ROOMS:
        return f"only {', '.join(TWISTED_ROOMS)} know Twisted"
    if upper == "clients" and lower in ("chat", "store"):
        return "a client knows the server by its wire alone"
    if each.at_module_level and each.imported.startswith("twisted.internet.reactor"):
        return "the reactor is never imported at module level"
    if lower == "store" and upper not in ("store", "tap", "admin"):
        return "only chatd/tap and chatd/admin know which store it is"
    if lower and upper is None:
        return "chatd itself imports none of its rooms"
    if upper and lower and upper != lower and FLOOR_OF[upper] >= FLOOR_OF[lower]:
        return f"imports run down only, and {upper} is not above {lower}"
    leaving, entering = way_of(each.importer), way_of(each.imported)
    if leaving and entering and leaving != entering:
        return "no way in knows another"
    return None


@pytest.mark.parametrize("name", modules())
def test_every_import_keeps_to_the_floors(name: str) -> None:
    path = modules()[name]
    text = path.read_text(encoding="utf-8")
    broken = [(each, broken_rule(each)) for each in imports_of(name, path, text)]
    assert not [f"{each}, but {rule}" for each, rule in broken if rule]


@pytest.mark.parametrize("name", modules())
def test_every_module_stands_in_a_room(name: str) -> None:
    assert name == "chatd" or room_of(name), f"{name} is on no floor: add its room to FLOORS"


@pytest.mark.parametrize(
    ("importer", "imported", "rule"),
    [
        ("chatd.chat.model.room", "chatd.wire.line.Line", "imports run down only"),
        ("chatd.chat.model.room", "twisted.internet.defer", "only tap, transport, clients know"),
        ("chatd.chat.model.room", "chatd.store.memory", "only chatd/tap and"),
        ("chatd.chat.model.room", "chatd.tap", "imports run down only"),
        ("chatd.wire.line", "zope.interface.implementer", "only tap, transport, clients know"),
        ("chatd.wire.line", "chatd.terminal.editor.keys", "imports run down only"),
        ("chatd.store.sqlite.store", "chatd.transport.gate.gate", "imports run down only"),
        ("chatd.transport.gate.gate", "chatd.store.memory.MemoryStore", "only chatd/tap and"),
        ("chatd.transport.gate.gate", "chatd.tap", "imports run down only"),
        ("chatd.transport.ssh.protocol.channel", "chatd.transport.line", "no way in knows another"),
        ("chatd.transport.gate.gate", "twisted.internet.reactor", "the reactor is never"),
        ("chatd.clients.prompt.talk", "chatd.chat.chat", "a client knows the server"),
        ("chatd.clients.prompt.program", "chatd.transport.tcd", "imports run down only"),
        ("chatd", "chatd.chat.events", "chatd itself"),
        ("chatd.admin.export", "chatd.tap", "imports run down only"),
        ("chatd.admin.export", "twisted.internet.defer", "only tap, transport, clients know"),
        ("chatd.admin.export", "chatd.store.sqlite.store", None),
        ("chatd.tap", "chatd.store.sqlite.store", None),
        ("chatd.clients.prompt.program", "chatd.wire.tcd.codec", None),
        ("chatd.transport.ssh.protocol.channel", "chatd.transport.ssh.keys", None),
        ("chatd.transport.ways", "chatd.transport.line", None),
        ("chatd.transport.line", "chatd.chat.events.Said", None),
        ("chatd.store.sqlite.store", "chatd.chat.store.Store", None),
    ],
)
def test_the_rules_tell_good_imports_from_bad(
    importer: str, imported: str, rule: str | None
) -> None:
    broken = broken_rule(Import(importer, imported, "somewhere.py:1", at_module_level=True))
    assert bool(broken) == bool(rule), broken
    assert (broken or "").startswith(rule or "")


def test_imports_are_found_wherever_they_stand() -> None:
    text = """
import twisted.internet.reactor
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from ..gate import Gate
class Channel:
    from . import keys
    async def open(self):
        from twisted.internet import reactor
"""
    path = ROOT / "chatd" / "transport" / "ssh" / "imagined.py"
    found = imports_of("chatd.transport.ssh.imagined", path, text)
    assert [(each.imported, each.at_module_level) for each in found] == [
        ("twisted.internet.reactor", True),
        ("typing.TYPE_CHECKING", True),
        ("chatd.transport.gate.gate.Gate", True),
        ("chatd.transport.ssh.keys", True),
        ("twisted.internet.reactor", False),
    ]


#: Imports each module named on its command line in a process of its own (a fork costs less than
#: an interpreter), as many at once as there are cores, and prints what that brought along.
IMPORT_EACH = """
import fcntl, importlib, json, os, sys, tempfile, traceback
before = set(sys.modules)
lock, names = tempfile.TemporaryFile(), sys.argv[1:]
for started, name in enumerate(names):
    if started >= (os.cpu_count() or 1):
        os.wait()
    if os.fork() == 0:
        try:
            importlib.import_module(name)
            error = ""
        except BaseException:
            error = traceback.format_exc()
        brought = sorted(set(sys.modules) - before)
        fcntl.lockf(lock, fcntl.LOCK_EX)
        print(json.dumps({"name": name, "error": error, "brought": brought}), flush=True)
        os._exit(0)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
"""


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of importing one module: the error if it failed, and all that it brought along."""

    name: str
    error: str
    brought: list[str]


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Imported]:
    """Return for each module of chatd what importing it, and nothing else, does.

    It takes long: of the processes that run the tests one finds out, and the others read that.
    """
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with (folder / "imported").open("a+") as found:
        fcntl.flock(found, fcntl.LOCK_EX)
        found.seek(0)
        lines = found.read().splitlines()
        if not lines:
            lines = _import_each()
            found.write("\n".join(lines))
    answers = [Imported(**json.loads(line)) for line in lines]
    return {answer.name: answer for answer in answers}


def _import_each() -> list[str]:
    command = [sys.executable, "-c", IMPORT_EACH, *modules()]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


@pytest.mark.parametrize("name", modules())
def test_what_a_module_brings_along_is_what_its_room_may_know(
    name: str, imported: dict[str, Imported]
) -> None:
    assert not imported[name].error, imported[name].error
    brought = imported[name].brought
    if room_of(name) not in TWISTED_ROOMS:
        unwanted = [each for each in brought if each.split(".")[0] in TWISTED]
        assert not unwanted, f"{name} brings along {unwanted[:5]}, through what it imports"
    assert "twisted.internet.reactor" not in brought, f"importing {name} chooses a reactor"
