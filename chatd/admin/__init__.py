"""``chatd-admin``: what operators do with the data beside the server, or while it is stopped."""

from chatd.admin.program import main

__all__ = ["main"]
