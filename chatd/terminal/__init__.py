"""The terminal of a person: keys, the line being typed, the screen; no I/O."""
