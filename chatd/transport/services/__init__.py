"""Twisted services that run alongside the ways in: shutdown, the store, the lease."""
