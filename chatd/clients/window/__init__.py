"""chatd-window: the chat in a window, over the JSON protocol."""
