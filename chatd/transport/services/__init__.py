"""Twisted services that run beside the ways in: shutdown, the store, the lease."""
