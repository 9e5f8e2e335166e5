"""``chatd-admin``: commands for the data of a server, while it runs or while it is stopped."""

from chatd.admin.program import main

__all__ = ["main"]
