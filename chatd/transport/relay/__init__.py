"""Lending: one person with screens on two servers of a cluster has all sessions at one of them.

A connection that came to another server is *lent*: what its client sends goes over a *line* to the
server where its person is, and what that server writes comes back.  There the line is *borrowed*: a
channel like that of an ssh client, in which the same programs run.  The chat knows nothing of it.
"""
