"""Gate: admission of connections, and detection of their protocol."""
