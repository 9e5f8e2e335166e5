"""The worker thread of a store, and the way between it and the thread that the chat runs in."""
