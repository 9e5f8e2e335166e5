"""Several servers as one chat: replication, remote calls and migration, on top of the chat."""
