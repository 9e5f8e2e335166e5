"""The way of an event from its author through the store to its audience, and reading it back."""
