"""Relay: gathers all sessions of a user, whichever servers of a cluster they connect to, on one.

A connection to any other server is *relayed*: that server is its edge.  It passes the client's
input over a *stream* to the server where the user is, and that server's output back.  There the
programs of the way in run in a *remote channel*, as they do in a channel of an ssh client.  The
chat knows nothing of it.
"""
