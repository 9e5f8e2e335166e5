"""Relay: a user with connections to two servers of a cluster has all sessions at one of them.

A connection that came to another server is *relayed*: this server is its edge, and passes what the
client sends over a *stream* to the server where its user is, and back what that server writes.  The
programs of a way in run there in a *remote channel*, as they do in a channel of an ssh client.  The
chat knows nothing of it.
"""
