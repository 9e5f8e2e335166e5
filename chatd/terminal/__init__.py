"""Terminal: keyboard decoder, line editor and screen of a user; no I/O."""
