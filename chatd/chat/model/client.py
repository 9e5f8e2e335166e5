"""Lending: a session runs on the server where its person is; another only lends its line.

The chat knows nothing of lines but this: a connection may be one that can be lent, and then there
is nothing left to do for it here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

#: Lets a server run a connection for the owner of an account, by its folded nick, who is there;
#: says whether it does.  Nothing has changed when it does not.
RelayTo = Callable[[str, str], Awaitable[bool]]


class Relayed(Exception):  # noqa: N818 - a no, not an error
    """A connection is run by another server from now on."""
