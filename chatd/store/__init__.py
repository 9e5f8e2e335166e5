"""Stores: events, records and claims on nicks, in memory, in SQLite or on NATS."""
