"""Command line of ``twistd chatd``: its options, and the service that they define."""

from chatd.tap.options import Options
from chatd.tap.server import make_server, makeService

__all__ = ["Options", "makeService", "make_server"]
