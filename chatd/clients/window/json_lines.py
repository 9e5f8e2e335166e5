"""JSON lines of the server: bytes to objects, one per line.

docs/protocol.rst, "The JSON protocol".  It knows lines and JSON; it must not know what an object
means, nor a transport.  `chatd.wire.json.codec.JsonCodec` does not fit, as its bound is that of a
request: an answer that lists a room's members or its history is far longer.
"""

from __future__ import annotations

from chatd.wire.json.objects import BadObject, Object, parse

#: The most bytes of one object of the server.  The longest is 200 messages of history, of 4 KiB
#: each and with every character escaped.
ANSWER_BYTES = 2 * 1024 * 1024
#: The most bytes shown of a line that is not JSON.
WORDS_BYTES = 300

_TOO_LONG = BadObject(f"The server sent more than {ANSWER_BYTES} bytes without a line end.")
_TOO_DEEP = BadObject("The server sent JSON that is nested too deep.")


class JsonLines:
    """Turns bytes into objects; holds at most one unfinished line of ``most`` bytes.

    However the bytes are split, the values are the same, and no bytes raise.
    """

    __slots__ = ("_held", "_most", "_skipping")

    def __init__(self, most: int = ANSWER_BYTES) -> None:
        self._most = most
        self._held = bytearray()
        self._skipping = False

    @property
    def held(self) -> int:
        """Return how many bytes of an unfinished line are held."""
        return len(self._held)

    def receive_data(self, data: bytes) -> list[Object | BadObject]:
        """Return the values of the lines that these bytes complete.

        A line becomes a `BadObject` as soon as it is too long, and the rest of it is skipped.
        """
        values: list[Object | BadObject] = []
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._hold(piece, values)
            if not self._skipping and (line := bytes(self._held).strip()):
                values.append(_read(line))
            self._skipping = False
            self._held.clear()
        self._hold(rest, values)
        return values

    def _hold(self, piece: bytes, values: list[Object | BadObject]) -> None:
        """Hold a piece of a line, unless the line is too long now."""
        if self._skipping:
            return
        if len(self._held) + len(piece) > self._most:
            values.append(_TOO_LONG)
            self._held.clear()
            self._skipping = True
        else:
            self._held += piece


def _read(line: bytes) -> Object | BadObject:
    """Parse one line; a server that refuses the connection answers in plain text."""
    if not line.startswith(b"{"):
        return BadObject(f"The server says: {line[:WORDS_BYTES].decode('utf-8', 'replace')}")
    try:
        return parse(line)
    except RecursionError:
        return _TOO_DEEP
