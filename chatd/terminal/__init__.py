"""Terminal: a user's keyboard decoder, line editor and screen; no I/O."""
