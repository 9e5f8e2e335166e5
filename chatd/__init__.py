"""One chat server that every client can walk into."""

__version__ = "0.1.0"
