"""The JSON protocol: objects out of a stream, requests and events."""
