"""A person's or a program's side of a connection."""
