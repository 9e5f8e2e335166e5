"""The layers of chatd: imports go down only, in no cycle, and the chat knows no Twisted.

The graph of imports is read from the source, those for the type checker and inside functions
included, and what a module brings along is derived from it.
"""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests import ROOT

#: From the ground up.  A name is a module or a folder; the longest one that fits a module is its
#: layer.  A module imports its own layer and lower lines; entries of one line do not import each
#: other.
LAYERS = (
    ("chat.limits", "chat.events"),
    ("chat.text", "chat.store_health"),
    ("chat.ratelimit", "chat.fanout", "chat.store", "chat.event_rows", "chat.believed_time"),
    ("chat.model",),
    ("chat.records", "chat.peers"),
    ("chat.delivery",),
    ("chat.entry",),
    ("chat.options",),
    ("chat.chat",),
    ("chat.actions",),
    ("chat.commands",),
    ("cluster.bus",),
    ("cluster.replication",),
    ("cluster.handlers", "cluster.migration", "cluster.records", "cluster.streams"),
    ("cluster.calls",),
    ("cluster.incoming",),
    ("cluster.cluster",),
    ("wire", "terminal.text", "store.claims", "store.threads", "store.nats.client"),
    (
        "wire.json",
        "wire.tcd",
        "wire.telnet",
        "terminal.editor",
        "terminal.screen",
        "terminal.style",
        "store.memory",
        "store.sqlite",
        "store.nats.jetstream",
    ),
    ("terminal.preferred", "terminal.pending", "store.volatile_history", "store.nats.rooms"),
    ("store.nats",),
    ("transport.net", "transport.ssh.keys", "transport.security_log"),
    ("transport.channel",),
    ("transport.relay",),
    ("transport.host", "transport.ssh.protocol"),
    ("transport.conversation",),
    ("transport.gate",),
    (
        "transport.line",
        "transport.telnet",
        "transport.tcd",
        "transport.json",
        "transport.ssh.exec",
    ),
    ("transport.ssh",),
    ("transport.ways", "transport.services"),
    ("clients", "admin"),
    ("tap",),
)
RANK_OF = {name: rank for rank, names in enumerate(LAYERS) for name in names}

#: What a folder never imports, however low the other is.
NEVER = (
    ("wire", "cluster"),
    ("terminal", "cluster"),
    ("terminal", "wire"),
    ("wire", "terminal"),
    ("store", "wire"),
    ("store", "terminal"),
    ("store", "cluster"),
    ("terminal", "chat.commands"),
    ("transport", "store"),
    ("clients", "chat"),
    ("clients", "store"),
    ("clients", "cluster"),
    ("clients", "transport"),
    ("transport.ssh.protocol", "chat"),
    ("transport.ssh", "transport.line"),
    ("transport.ssh", "transport.telnet"),
    ("transport.ssh", "transport.tcd"),
    ("transport.ssh", "transport.json"),
    ("admin", "transport"),
)
#: The store that connects servers knows what they expect of their bus.
ALLOWED = (("store.nats", "cluster.bus"),)

#: Folders that may import Twisted and what comes with it.
TWISTED_FOLDERS = ("tap", "transport", "clients")
TWISTED = ("twisted", "zope")

#: What anybody may import: the version.
ABOUT = ("chatd", "chatd.__version__")

#: Modules beside ``__init__`` that a folder has at most.
MODULES_PER_FOLDER = 12


@dataclass(frozen=True, slots=True)
class Import:
    """One name that one module imports: ``from a.b import c`` is a.b.c."""

    importer: str
    imported: str
    where: str
    at_module_level: bool
    for_types: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.importer} imports {self.imported}"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    """Return every module of chatd, by name."""
    return {module_name(path): path for path in sorted((ROOT / "chatd").rglob("*.py"))}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(name: str, path: Path, tree: ast.Module) -> list[Import]:
    """Return all that a module imports, inside functions and for the type checker too."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found = []
    for node, at_module_level, for_types in walk(tree):
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
        found += [Import(name, each, where, at_module_level, for_types) for each in imported]
    return found


def walk(
    node: ast.AST, at_module_level: bool = True, for_types: bool = False
) -> Iterator[tuple[ast.AST, bool, bool]]:
    """Go through a tree; of each node: does it run on import, is it for the type checker alone?"""
    yield node, at_module_level, for_types
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            at_module_level = False
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            for_types = True
        case _:
            pass
    for child in ast.iter_child_nodes(node):
        yield from walk(child, at_module_level, for_types)


@cache
def all_imports() -> tuple[Import, ...]:
    """Return every import in chatd."""
    return tuple(
        each for name, path in modules().items() for each in imports_of(name, path, tree_of(path))
    )


def module_of(imported: str) -> str:
    """Return the module of ours that an imported name is, or is a name of."""
    while imported and imported not in modules():
        imported = imported.rpartition(".")[0]
    return imported


def is_in(name: str, folder: str) -> bool:
    """Whether a module is a folder (or module) or in it; both without ``chatd.``."""
    return name == folder or name.startswith(f"{folder}.")


def short(name: str) -> str:
    return name.removeprefix("chatd.")


def names_pair(importer: str, imported: str, pairs: Iterable[tuple[str, str]]) -> bool:
    """Whether one of these pairs of folders is that of an import."""
    return any(is_in(importer, above) and is_in(imported, below) for above, below in pairs)


@cache
def layer_of(name: str) -> str | None:
    """Return the entry of `LAYERS` that a module belongs to; None: it may know none of ours."""
    fitting = [layer for layer in RANK_OF if is_in(short(name), layer)]
    return max(fitting, key=len, default=None)


def broken_rule(each: Import) -> str | None:
    """Return the rule that an import breaks, or None."""
    importer = short(each.importer)
    folder = importer.split(".")[0]
    if each.imported.split(".")[0] in TWISTED and folder not in TWISTED_FOLDERS:
        return f"only {', '.join(TWISTED_FOLDERS)} know Twisted"
    if each.at_module_level and each.imported.startswith("twisted.internet.reactor"):
        return "the reactor is never imported at module level"
    if each.imported.split(".")[0] != "chatd" or each.imported in ABOUT:
        return None
    return broken_layer(importer, short(each.imported))


def broken_layer(importer: str, imported: str) -> str | None:
    """Return the rule on layers that an import of ours breaks, or None."""
    upper, lower = layer_of(importer), layer_of(imported)
    if upper is None:
        return "a folder without a layer of its own imports nothing of ours"
    if lower is None:
        return f"{imported} is no module of any layer"
    if not names_pair(importer, imported, ALLOWED):
        for above, below in NEVER:
            if is_in(importer, above) and is_in(imported, below):
                return f"{above} never imports {below}"
    if upper != lower and RANK_OF[upper] <= RANK_OF[lower]:
        return f"imports go down only, and {upper} is not above {lower}"
    return None


def cycles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Return every set of nodes that reach each other, by Tarjan's algorithm."""
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = lowest[node] = len(index)
        stack.append(node)
        for other in sorted(edges.get(node, ())):
            if other not in index:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in stack:
                lowest[node] = min(lowest[node], index[other])
        if lowest[node] == index[node]:
            at = stack.index(node)
            component = stack[at:]
            del stack[at:]
            if len(component) > 1 or node in edges.get(node, ()):
                found.append(sorted(component))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return found


@cache
def graph() -> dict[str, set[str]]:
    """Return which modules each module imports."""
    edges: dict[str, set[str]] = defaultdict(set)
    for each in all_imports():
        if each.imported.split(".")[0] == "chatd":
            edges[each.importer].add(module_of(each.imported))
    return dict(edges)


@cache
def loaded_by(name: str) -> frozenset[str]:
    """Return all that is loaded when a module is imported and nothing else was: derived."""
    parents = {name.rsplit(".", count)[0] for count in range(1, name.count(".") + 1)}
    waiting, seen = {name, *parents}, set[str]()
    while waiting:
        module = waiting.pop()
        seen.add(module)
        for each in imported_at_once().get(module, ()):
            waiting |= {each} - seen
    return frozenset(seen)


@cache
def imported_at_once() -> dict[str, set[str]]:
    """Return what each module loads directly when it is imported, with the folders around it."""
    loads: dict[str, set[str]] = defaultdict(set)
    for each in all_imports():
        if each.for_types or not each.at_module_level:
            continue
        module = module_of(each.imported) or each.imported
        loads[each.importer].add(module)
        while module.startswith("chatd.") and "." in module:
            module = module.rpartition(".")[0]
            loads[each.importer].add(module)
    return dict(loads)


def test_every_import_goes_down() -> None:
    broken = [f"{each}, but {rule}" for each in all_imports() if (rule := broken_rule(each))]
    assert broken == []


def test_records_are_written_in_one_place() -> None:
    """What is confirmed is kept: `Records` waits for the store, or reports what it did not keep."""
    writers = {
        short(name)
        for name, path in modules().items()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr in ("put_all", "put_quietly")
    }
    assert {name for name in writers if not is_in(name, "store")} == {"chat.records.writing"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert cycles(graph()) == []


def test_a_circle_would_be_found() -> None:
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set[str](), "e": {"e"}}
    assert cycles(edges) == [["a", "b", "c"], ["e"]]


def test_no_folder_is_a_heap() -> None:
    folders = defaultdict(list)
    for path in modules().values():
        if path.name != "__init__.py":
            folders[path.parent.relative_to(ROOT)].append(path.name)
    heaps = {str(folder): len(names) for folder, names in folders.items()}
    assert not {folder: n for folder, n in heaps.items() if n > MODULES_PER_FOLDER}


@pytest.mark.parametrize(
    ("importer", "imported", "rule"),
    [
        ("chatd.chat.model.rules", "chatd.wire.line.Line", "imports go down only"),
        ("chatd.chat.model.rules", "twisted.internet.defer", "only tap, transport, clients know"),
        ("chatd.chat.chat", "chatd.store.memory", "imports go down only"),
        ("chatd.chat.chat", "chatd.cluster.bus.Bus", "imports go down only"),
        ("chatd.chat.model.people", "chatd.chat.records.accounts", "imports go down only"),
        ("chatd.chat.fanout.log", "chatd.chat.store.Store", "imports go down only"),
        ("chatd.chat.fanout.log", "chatd.tap", "imports go down only"),
        ("chatd.cluster.bus", "chatd.cluster.cluster", "imports go down only"),
        ("chatd.wire.line", "zope.interface.implementer", "only tap, transport, clients know"),
        ("chatd.wire.line", "chatd.terminal.editor.keys", "wire never imports terminal"),
        ("chatd.terminal.style", "chatd.chat.commands", "terminal never imports chat.commands"),
        ("chatd.store.sqlite.store", "chatd.transport.gate", "imports go down only"),
        ("chatd.store.sqlite.store", "chatd.cluster.bus", "store never imports cluster"),
        ("chatd.transport.gate.gate", "chatd.store.memory.MemoryStore", "transport never imports"),
        ("chatd.transport.gate.gate", "chatd.tap", "imports go down only"),
        ("chatd.transport.ssh.shell", "chatd.transport.line", "transport.ssh never imports"),
        ("chatd.transport.ssh.exec", "chatd.transport.line", "transport.ssh never imports"),
        ("chatd.transport.ssh.protocol.kex", "chatd.chat.events", "transport.ssh.protocol never"),
        ("chatd.transport.json", "chatd.transport.tcd", "imports go down only"),
        ("chatd.transport.gate.gate", "twisted.internet.reactor", "the reactor is never"),
        ("chatd.clients.prompt.protocol", "chatd.chat.chat", "clients never imports chat"),
        ("chatd.clients.prompt.program", "chatd.transport.tcd", "clients never imports transport"),
        ("chatd", "chatd.chat.events", "a folder without a layer"),
        ("chatd.chat", "chatd.chat.events", "a folder without a layer"),
        ("chatd.admin.export", "chatd.tap", "imports go down only"),
        ("chatd.admin.export", "chatd.clients.window", "imports go down only"),
        ("chatd.admin.export", "twisted.internet.defer", "only tap, transport, clients know"),
        ("chatd.admin.export", "chatd.store.sqlite.store", None),
        ("chatd.tap.server", "chatd.store.sqlite.store", None),
        ("chatd.clients.prompt.program", "chatd.wire.tcd", None),
        ("chatd.store.nats.bus", "chatd.cluster.bus.Bus", None),
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
    found = imports_of("chatd.transport.ssh.imagined", path, ast.parse(text))
    assert [(each.imported, each.at_module_level, each.for_types) for each in found] == [
        ("twisted.internet.reactor", True, False),
        ("typing.TYPE_CHECKING", True, False),
        ("chatd.transport.gate.Gate", True, True),
        ("chatd.transport.ssh.keys", True, False),
        ("twisted.internet.reactor", False, False),
    ]


def test_a_module_loads_only_what_its_folder_may_know() -> None:
    unwanted = []
    for name in modules():
        if short(name).split(".")[0] not in TWISTED_FOLDERS:
            unwanted += [(name, x) for x in loaded_by(name) if x.split(".")[0] in TWISTED]
        if is_in(short(name), "chat"):
            unwanted += [(name, x) for x in loaded_by(name) if is_in(short(x), "cluster")]
    assert unwanted == []


#: Imports what is named on the command line and prints what of the second list that has loaded.
LOADED = """
import importlib, sys
for name in sys.argv[1].split():
    importlib.import_module(name)
print(*(name for name in sys.modules if name.split(".")[0] in sys.argv[2].split()
        or any(name.startswith(each) for each in sys.argv[3].split())))
"""


@pytest.mark.parametrize(
    ("folders", "packages", "prefixes"),
    [
        pytest.param(
            ("chat", "cluster", "wire", "terminal", "store", "admin"),
            TWISTED,
            (),
            id="no Twisted below the transport",
        ),
        pytest.param(("chat",), (), ("chatd.cluster",), id="no cluster in a single server"),
        pytest.param(
            ("transport", "clients", "tap"),
            (),
            ("twisted.internet.reactor",),
            id="no reactor by importing",
        ),
    ],
)
def test_an_interpreter_loads_what_the_graph_says(
    folders: tuple[str, ...], packages: tuple[str, ...], prefixes: tuple[str, ...]
) -> None:
    names = [name for name in modules() if short(name).split(".")[0] in folders]
    command = [sys.executable, "-c", LOADED, *(" ".join(x) for x in (names, packages, prefixes))]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == []


def test_any_module_can_be_imported_first() -> None:
    at_once = {
        module: {other for other in loads if other in modules() and not is_in(module, other)}
        for module, loads in imported_at_once().items()
    }
    assert cycles(at_once) == []


def attributes(name: str) -> Iterator[ast.Attribute]:
    """Return every attribute that is taken in a module."""
    return (node for node in ast.walk(tree_of(modules()[name])) if isinstance(node, ast.Attribute))


def test_no_action_or_command_asks_where_somebody_is_connected() -> None:
    asked = [
        f"{name}, line {node.lineno}"
        for name in modules()
        if short(name).startswith(("chat.actions", "chat.commands"))
        for node in attributes(name)
        if node.attr == "server"
    ]
    assert asked == [], "chat.peers knows that"


def defined(tree: ast.Module) -> set[str]:
    """Return the names of all that a module defines, attributes of its classes among them."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found.add(name)
            case ast.AsyncFunctionDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                found.add(name)
            case _:
                pass
    return {name for name in found if not name.endswith("__")}


def test_nobody_takes_what_is_private_to_another_file() -> None:
    private = {
        name: {each for each in defined(tree_of(path)) if each.startswith("_")}
        for name, path in modules().items()
    }
    ours = set[str]().union(*private.values())
    taken = [
        f"{name}, line {node.lineno}: {ast.unparse(node)}"
        for name in modules()
        for node in attributes(name)
        if node.attr in ours - private[name]
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
        and ast.unparse(node.value) != "super()"
    ]
    assert taken == []
