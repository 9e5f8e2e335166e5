"""The NATS client: one connection, its servers and credentials, and pending requests."""
