"""The state of the chat: people, rooms and sessions, and permissions in rooms."""
