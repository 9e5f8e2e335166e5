"""Rooms on JetStream: streams, the tail cache, reading, searching and retention."""
