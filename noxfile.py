"""The checks of chatd, each in its own environment: ``nox``, or ``nox -s lint``."""

import os
import shutil
import zipfile
from pathlib import Path

import nox

nox.options.error_on_external_run = True

GROUPS = nox.project.dependency_groups
PYPROJECT = nox.project.load_toml("pyproject.toml")
PLUGIN = "twisted/plugins/chatd_plugin.py"


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; arguments after ``--`` go to pytest."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check for common mistakes, and for formatting that differs from ruff's."""
    session.install(*GROUPS(PYPROJECT, "lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types, strictly."""
    session.install("-e", ".[test]", *GROUPS(PYPROJECT, "types"))
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """Parse every page with warnings as errors, and follow the links between them."""
    session.install(*GROUPS(PYPROJECT, "docs"))
    session.run("python", ".ci/docs.py", *sorted(str(page) for page in _pages()))


@nox.session
def packaging(session: nox.Session) -> None:
    """Build the distributions, install the wheel in a clean environment, and use it there.

    The tests themselves run in the other kind of installation, ``pip install -e``:
    tests/test_packaging.py makes the same two checks there.
    """
    session.install(*GROUPS(PYPROJECT, "packaging"))
    built = Path(session.create_tmp()).resolve() / "built"
    shutil.rmtree(built, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(built), ".", silent=True)
    (wheel,) = built.glob("*.whl")
    (sdist,) = built.glob("*.tar.gz")
    session.run("twine", "check", "--strict", str(wheel), str(sdist))
    _check_contents(session, wheel)
    _use(session, wheel)


def _pages() -> list[Path]:
    """Return every page of documentation."""
    return [*Path().glob("*.rst"), Path("bench/README.rst"), *Path("docs").rglob("*.rst")]


def _check_contents(session: nox.Session, wheel: Path) -> None:
    """Fail unless the wheel contains all of chatd and its plugin, and nothing else."""
    with zipfile.ZipFile(wheel) as opened:
        held = {name for name in opened.namelist() if ".dist-info/" not in name}
    wanted = {str(path) for path in Path("chatd").rglob("*.py")} | {"chatd/py.typed", PLUGIN}
    if held != wanted:
        session.error(
            f"the wheel lacks {sorted(wanted - held)} and holds too much: {sorted(held - wanted)}"
        )


def _use(session: nox.Session, wheel: Path) -> None:
    """Install the wheel in a fresh environment and call it from an empty directory."""
    clean = Path(session.create_tmp()).resolve() / "clean"
    empty = clean / "empty"
    session.run("python", "-m", "venv", "--clear", str(clean / "venv"))
    empty.mkdir(parents=True, exist_ok=True)
    programs = clean / "venv" / ("Scripts" if os.name == "nt" else "bin")
    session.run(str(programs / "pip"), "install", "-q", str(wheel), external=True)
    with session.chdir(empty):
        for program in ("twistd", "twist"):
            listed = session.run(str(programs / program), "--help", external=True, silent=True)
            if "One chat server" not in str(listed):
                session.error(f"{program} --help does not list chatd:\n{listed}")
            # The help option imports all of chatd: a requirement missing in setup.py shows here.
            session.run(str(programs / program), "chatd", "--help", external=True, silent=True)
