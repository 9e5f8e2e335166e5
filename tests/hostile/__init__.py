"""Floods of a real server, and what they cost an honest client: ``python -m tests.hostile``."""
