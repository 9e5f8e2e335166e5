"""Command line of ``chatd-admin``: its commands, their output and their exit status.

docs/operations.rst, "Looking after the data".  An error is one sentence on standard error and the
status `FAILED`, never a traceback.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

import chatd
from chatd.admin import export
from chatd.admin.check import count_messages, find_faults, plural
from chatd.admin.forget import count_messages_by, forget, has_account, scrub
from chatd.chat.text.names import fold
from chatd.store.sqlite import copies, files
from chatd.store.sqlite.store import StoreError

DONE: Final = 0
FAILED: Final = 1
#: Exit status that shells use for a program that Ctrl-C ended: 128 and the number of SIGINT.
INTERRUPTED: Final = 130

Given = argparse.Namespace


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status (argparse itself exits with 2 for bad usage)."""
    given = _parser().parse_args(arguments)
    try:
        status: int = given.run(given)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:  # such as head, which has read enough
        _silence()
        return DONE
    except StoreError as why:
        return _fail(str(why))
    except OSError as why:
        _silence()
        return _fail(f"{why.strerror or why}: {why.filename or 'standard output'}")
    except KeyboardInterrupt:
        _silence()
        return INTERRUPTED
    return status


# Output ----------------------------------------------------------------------------------


def _write(line: bytes) -> None:
    if sys.stdout is None:
        raise StoreError("there is no standard output to write to")
    sys.stdout.buffer.write(line)


def _print(sentence: str) -> None:
    _write(f"{sentence}\n".encode("utf-8", "replace"))


def _complain(sentence: str) -> None:
    if sys.stderr is not None:
        print(f"{' '.join(sentence.split()).rstrip('.')}.", file=sys.stderr)


def _fail(sentence: str) -> int:
    _complain(f"chatd-admin: {sentence}")
    return FAILED


def _silence() -> None:
    """Discard further output, including what Python flushes when it exits."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# The commands -------------------------------------------------------------------------------------


def _backup(given: Given) -> int:
    size = copies.copy(_database(given), given.file, replace=given.force)
    _print(f"{given.file}: {plural(size, 'byte')}")
    return DONE


def _rooms(given: Given) -> int:
    with files.reading(_database(given)) as database:
        rooms = export.room_summaries(database)
    width = max((len(kept.room) for kept in rooms), default=0)
    for kept in rooms:
        _write(kept.line(width, ZoneInfo(given.zone)).encode())
    return DONE


def _export(given: Given) -> int:
    since = _midnight(given.since, given.zone)
    until = _midnight(given.until, given.zone, later=1)
    with files.reading(_database(given)) as database:
        room = export.find_room(database, given.room)
        read = export.entries(database, room, since, until)
        for line in export.render(read, given.zone, json=given.json):
            _write(line)
    return DONE


def _check(given: Given) -> int:
    found = 0
    with files.reading(_database(given)) as database:
        database.execute("BEGIN")  # everything is checked in one snapshot
        for fault in find_faults(database):
            found += 1
            _complain(fault)
        if not found:
            messages, rooms = count_messages(database)
            _print(f"all is well: {plural(messages, 'message')} in {plural(rooms, 'room')}")
    return FAILED if found else DONE


def _restore(given: Given) -> int:
    path = _database(given)
    before = _contents(path)
    old = copies.restore(path, given.file, f"{datetime.now():%Y%m%d-%H%M%S}")
    _print(f"{path} is a copy of {given.file} now: {_contents(path)}")
    if old is not None:
        _print(f"before: {before}; it is called {old.name} now")
    return DONE


def _contents(path: Path) -> str:
    """Return how many messages a database has, or why that is not known."""
    try:
        with files.reading(path, any_version=True) as database:
            messages, rooms = count_messages(database)
    except StoreError as why:
        return f"not to be read ({why})"
    return f"{plural(messages, 'message')} in {plural(rooms, 'room')}"


def _upgrade(given: Given) -> int:
    before, after = files.upgrade(_database(given))
    if before == after:
        _print(f"nothing to do: the tables are of version {after}")
    else:
        _print(f"the tables were of version {before} and are of version {after} now")
    return DONE


def _forget_person(given: Given) -> int:
    nick = fold(given.nick)
    if not nick:
        raise StoreError(f"{given.nick} is no nick that anybody could have")
    path = _database(given)
    with files.locked(path), files.changing(path) as database:
        account = " and the account" * has_account(database, nick)
        what = f"{plural(count_messages_by(database, nick), 'message')}{account} of {given.nick}"
        if not (given.yes or what.startswith("0 messages of ")):
            _ask(f"Delete {what} for good?")
        forget(database, nick)
        _print(f"{what} deleted")
        try:
            scrub(database)
        except StoreError as why:
            raise StoreError(
                f"the file still has traces of what was deleted ({why}); do it once more"
            ) from None
    return DONE


def _ask(question: str) -> None:
    """Ask for confirmation at a terminal.

    :raises StoreError: when there is no terminal, or the answer is no.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise StoreError("nothing was deleted: say --yes, it cannot be undone")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise StoreError("nothing was deleted")


# The command line ---------------------------------------------------------------------------------


def _database(given: Given) -> Path:
    folder: Path = given.data or files.data_folder()
    return folder / files.DATABASE


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d")
    except ValueError:
        raise argparse.ArgumentTypeError(f"a day is written 2030-12-31, not {text}") from None


def _midnight(day: datetime | None, zone: str, later: int = 0) -> float | None:
    """Return the beginning of a day, or of the day ``later`` days later, in seconds since the
    epoch.

    :raises StoreError: when that cannot be represented.
    """
    if day is None:
        return None
    try:
        return (day.replace(tzinfo=ZoneInfo(zone)) + timedelta(days=later)).timestamp()
    except OverflowError:
        raise StoreError(f"{day:%Y-%m-%d} is too far away") from None


def _zone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (OSError, KeyError, ValueError):
        raise argparse.ArgumentTypeError(f"there is no time zone {text}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "chatd-admin",
        description="Looks after what a chatd server keeps. docs/operations.rst says more.",
        epilog="Exit status: 0 done, 1 not done (or check found something), 2 wrong usage.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"chatd {chatd.__version__}")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="the server's data folder [default: $STATE_DIRECTORY, else chatd in "
        "$XDG_STATE_HOME or ~/.local/state]",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_reading(commands)
    _add_changing(commands)
    return parser


_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add(
    commands: _Commands, name: str, run: Callable[[Given], int], what: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=what, description=what, allow_abbrev=False)
    command.set_defaults(run=run)
    return command


def _add_reading(commands: _Commands) -> None:
    """Add the commands that may be used while the server runs."""
    backup = _add(commands, "backup", _backup, "copy the database into one file")
    backup.add_argument("file", type=Path, metavar="FILE", help="what the copy is called")
    backup.add_argument("--force", action="store_true", help="replace a file that is there")
    rooms = _add(commands, "rooms", _rooms, "list rooms: messages, first and last day")
    said = _add(commands, "export", _export, "print what was said in a room")
    said.add_argument("room", metavar="ROOM")
    said.add_argument("--json", action="store_true", help="one JSON object a line")
    said.add_argument("--since", type=_day, metavar="DAY", help="from this day on, 2030-12-31")
    said.add_argument("--until", type=_day, metavar="DAY", help="up to this day, and with it")
    for each in (rooms, said):
        each.add_argument("--zone", type=_zone, default="UTC", help="time zone [default: UTC]")
    _add(commands, "check", _check, "look whether the database is whole")


def _add_changing(commands: _Commands) -> None:
    """Add the commands for which the server must be stopped."""
    _add(commands, "upgrade", _upgrade, "bring the tables of an older chatd up to date")
    restore = _add(commands, "restore", _restore, "put a backup in the place of the database")
    restore.add_argument("file", type=Path, metavar="FILE", help="the backup, which stays")
    person = _add(
        commands, "forget-person", _forget_person, "delete an account and all that its owner said"
    )
    person.add_argument("nick", metavar="NICK")
    person.add_argument("--yes", action="store_true", help="do not ask")
