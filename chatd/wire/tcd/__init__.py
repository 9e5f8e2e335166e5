"""Protocol of the socket assignment: requests, replies and events."""
