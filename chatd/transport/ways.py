"""Ways in: their names, as in ``--listen``, and their implementations.

The gate asks them in this order whether they recognise the first bytes of a connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from twisted.conch.ssh.keys import Key
from twisted.internet.interfaces import IProtocol

from chatd.transport import json, line, tcd, telnet
from chatd.transport.conversation.arrival import Arrival
from chatd.transport.conversation.conversation import Conversation
from chatd.transport.gate.admission import FULL
from chatd.transport.gate.gate import Way
from chatd.transport.host import Host
from chatd.transport.ssh import shell
from chatd.wire.json.codec import recognises as is_json
from chatd.wire.tcd.codec import recognises as is_tcd

#: Lets the gate detect the protocol.
AUTO = "auto"
NAMES = (AUTO, "ssh", "telnet", "tcd", "json", "line")


def _in_a_line(sentence: str) -> bytes:
    return f"{sentence}\r\n".encode()


@dataclass(frozen=True, slots=True)
class _Way:
    recognises: Callable[[bytes], bool | None]
    protocol: Callable[[Host, Arrival, Conversation | None], IProtocol]
    proves_identity: bool = False
    full_answer: bytes = f"{FULL}\r\n".encode()
    turned_away: Callable[[str], bytes] = _in_a_line


def ways_in(host: Host, host_key: Key, join_ids: tcd.JoinIds | None = None) -> Mapping[str, Way]:
    """Return every way in, by its name."""
    ssh = shell.factory(host, host_key)
    shared, refs = join_ids or tcd.JoinIds(), tcd.room_refs(host)
    json.register_relay(host)
    return {
        "ssh": _Way(
            shell.recognises,
            lambda host, arrival, _: shell.protocol(ssh, host, arrival),
            proves_identity=True,
        ),
        "telnet": _Way(telnet.recognises, telnet.TelnetProtocol),
        "tcd": _Way(
            is_tcd,
            lambda host, arrival, _: tcd.TcdProtocol(host, arrival, shared, refs),
            full_answer=tcd.FULL_ANSWER,
            turned_away=tcd.turned_away,
        ),
        "json": _Way(
            is_json,
            lambda host, arrival, _: json.JsonProtocol(host, arrival),
            full_answer=json.FULL_ANSWER,
            turned_away=json.turned_away,
        ),
        "line": _Way(line.recognises, lambda host, arrival, _: line.LineProtocol(host, arrival)),
    }
