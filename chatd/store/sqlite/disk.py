"""Disk: why SQLite fails, where its own words mislead: the file system is full, or read-only."""

from __future__ import annotations

import os
from pathlib import Path

#: Bytes that SQLite needs beside a database to open it: a log and its index.
NEEDED_BYTES = 128 * 1024


def is_read_only(folder: Path) -> bool:
    """Return whether the file system of a folder is read-only, as it is mounted here."""
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def is_full(folder: Path) -> bool:
    """Return whether the file system of a folder has no space left, or no file."""
    try:
        space = os.statvfs(folder)
    except OSError:
        return False
    has_no_file = bool(space.f_files) and not space.f_favail
    return has_no_file or space.f_bavail * space.f_frsize < NEEDED_BYTES


def explained(error: Exception, folder: Path) -> str:
    """Return why SQLite failed on a database in a folder, as the end of a sentence."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")) and is_read_only(folder):
        return "the file system is read-only; SQLite needs to write beside the database"
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN")) and is_full(folder):
        return "the disk is full"
    return str(error)
