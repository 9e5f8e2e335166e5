"""chatd-client: rooms at a prompt, over the socket assignment's protocol."""
