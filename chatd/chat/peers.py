"""Errand: the names of what one server of a cluster may ask another to do.

What each comes to is in `chatd.cluster.handlers`; whoever asks need not know that.
"""

from __future__ import annotations

from enum import StrEnum


class Errand(StrEnum):
    """What is done to somebody, or to everybody who is there, or is asked of somebody."""

    KICK = "kick"
    INVITE = "invite"
    NOTICE = "notice"
    DISCONNECT = "disconnect"
    ROLE = "role"

    ANNOUNCE = "announce"
    CLOSE = "close"

    WHISPER = "whisper"
    RENAME = "rename"
    SEEN = "seen"
