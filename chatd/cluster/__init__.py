"""Several servers as one: replication, calls between servers and migration, on top of the chat."""
