"""JSON protocol: objects from a byte stream, requests and events."""
