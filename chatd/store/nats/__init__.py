"""NATS store: a store for several servers that form one cluster, on NATS with JetStream.

A room is a subject of a stream, and an event's number is its sequence number there.  Every server
receives the rooms in which it has members, all in the same order, and reads missed events.  nats-py
and its asyncio loop live in one thread (`chatd.store.nats.client.connection`); nothing outside this
package uses either.
"""
