"""The chat itself: people, rooms and their events; no Twisted, no clock, no I/O."""
