"""The state of the chat: people, rooms and sessions, and who may do what in a room."""
