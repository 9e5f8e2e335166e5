"""Floods of those who have entered: guests of one address, ssh commands, guessed room keys."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress
from dataclasses import replace

import asyncssh

from tests.hostile.flood import Flood, Target
from tests.hostile.sockets import endless, flood

#: Guests of one address: one fewer than a server admits.
GUESTS = 99
#: Channels that one ssh connection has open at a time, which is as many as the server allows.
CHANNELS = 4

_KEYED = b"/join den\n/room key sesame\n"


def _guests(target: Target) -> None:
    everybody = replace(target, connections=GUESTS)
    flood(everybody, b"hello\n", endless(b"".join(b"flood %d\n" % n for n in range(100))))


def _room_keys(target: Target) -> None:
    address = ("127.0.0.6", 0)  # the owner of the room is no attacker
    with socket.create_connection(("127.0.0.1", target.port), 5, address) as owner:
        owner.sendall(_KEYED)
        flood(target, b"hello\n", endless(b"".join(b"/join den %d\n" % n for n in range(1000))))


async def _channels(connection: asyncssh.SSHClientConnection, command: str, until: float) -> None:
    """Run a command in a new channel as often as the server lets it."""
    while time.monotonic() < until:
        try:
            await connection.run(command, stdin=asyncssh.DEVNULL)
        except asyncssh.ChannelOpenError:
            await asyncio.sleep(0.01)


async def _connection(target: Target, command: str) -> None:
    with suppress(OSError, asyncssh.Error, asyncio.TimeoutError):
        async with asyncssh.connect(
            "127.0.0.1",
            target.port,
            username="eve+guest",  # who is let in without a key
            known_hosts=None,
            client_keys=None,
            agent_path=None,
            config=None,
        ) as connection:
            channels = (_channels(connection, command, target.until) for _ in range(CHANNELS))
            left = target.until - time.monotonic()
            await asyncio.wait_for(asyncio.gather(*channels), left)


async def _ssh(target: Target, command: str) -> None:
    connections = (_connection(target, command) for _ in range(target.connections))
    await asyncio.gather(*connections)


def _say(target: Target) -> None:
    asyncio.run(_ssh(target, "say lobby flood"))


def _search(target: Target) -> None:
    asyncio.run(_ssh(target, "search flood"))


FLOODS = (
    Flood("guests", f"{GUESTS} guests of one address who write without a pause", _guests),
    Flood("ssh-say", "ssh commands, channel after channel, that post to the lobby", _say),
    Flood("ssh-search", "ssh commands, channel after channel, that search", _search),
    Flood("room-keys", "guesses at the key of a room", _room_keys),
)
