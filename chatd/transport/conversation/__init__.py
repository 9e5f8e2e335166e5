"""Conversations: the user's or program's side of a connection."""
