"""A store for several servers that are one: NATS with JetStream.

What is said in a room is a subject of a stream, and its place there is its number.  Every server
hears a room in which it has people, in one order; what it did not hear it reads after.  nats-py and
its asyncio loop live in one thread (`chatd.store.nats.client.connection`); nothing outside this package knows
of either.
"""
