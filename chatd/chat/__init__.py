"""The chat itself: people, rooms and what happens in them; no Twisted, no clock, no I/O."""
