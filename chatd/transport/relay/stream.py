"""Stream: bytes both ways between two servers.  Ordered, flow-controlled; fails on any loss.

Messages between servers may be lost, but arrive in order otherwise.  Those of a stream are
numbered, so that a missing one is noticed and fails the stream; bytes are acknowledged once the
other end has consumed them, and at most a window of them is in flight.  A stream knows neither what
its bytes mean nor how messages are transported.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any, Protocol

from chatd.cluster.bus import State

#: Bytes in flight in one direction, as a connection has them in the kernel.
WINDOW_BYTES = 64 * 1024
#: Bytes in one message; NATS takes 1 MB of JSON.
MESSAGE_BYTES = 32 * 1024
#: Consumed bytes that are acknowledged immediately; fewer are acknowledged a moment later.
ACKNOWLEDGE_BYTES = WINDOW_BYTES // 4

#: The last control word of the edge, after its client's connection was lost.
LOST = "lost"


class StreamListener(Protocol):
    """The user of one end of a stream."""

    def received(self, data: bytes) -> None:
        """Handle bytes; `Stream.consumed` must be called for them."""

    def control(self, word: str, values: list[Any]) -> None:
        """Handle a control word of the other end, and its values."""

    def writable(self) -> None:
        """All queued bytes have been sent, and there is room for more."""

    def failed(self, dead: bool) -> None:
        """A message was lost, or the other server is certainly ``dead``: the stream is over."""

    def hang_up(self, sentence: str) -> None:
        """This server closes all streams: end this one, with a sentence for the user."""

    def silence(self) -> float:
        """Return for how many seconds the client here has owed its server an answer."""


class StreamOwner(Protocol):
    """The interface of the server that a stream belongs to."""

    def send(self, stream: Stream, message: State) -> None:
        """Send a message to the server at the other end."""

    def acknowledge_later(self, stream: Stream) -> None:
        """Call `Stream.acknowledge` in a moment."""

    def closed(self, stream: Stream) -> None:
        """Forget a stream that is over."""


class Stream:
    """One end of a stream.

    ``sent`` and ``seen`` are the numbers of the last message sent and received.  ``client_silence``
    is the seconds for which the client at the other end has owed its server an answer; ``over``
    means that nothing more is sent or received.
    """

    __slots__ = (
        "_acknowledged_in",
        "_acknowledged_out",
        "_consumed",
        "_early",
        "_last_word",
        "_listener",
        "_owner",
        "_queue",
        "_received",
        "_sent_bytes",
        "client_silence",
        "name",
        "over",
        "pending",
        "seen",
        "sent",
        "server",
    )

    def __init__(self, name: str, server: str, owner: StreamOwner) -> None:
        self.name = name
        self.server = server
        self._owner = owner
        self._listener: StreamListener | None = None
        self._early: list[State] = []
        self.sent = self.seen = 0
        self._sent_bytes = self._acknowledged_out = 0
        self._received = self._consumed = self._acknowledged_in = 0
        self._queue: list[bytes] = []
        self._last_word: tuple[str, tuple[Any, ...]] | None = None
        self.pending = 0
        self.client_silence = 0.0
        self.over = False

    # Out ------------------------------------------------------------------------------------------

    @property
    def in_flight(self) -> int:
        """Bytes that were sent and are not known to be consumed yet."""
        return self._sent_bytes - self._acknowledged_out

    @property
    def acknowledged(self) -> int:
        """Bytes that the other end is known to have consumed in all."""
        return self._acknowledged_out

    @property
    def full(self) -> bool:
        """Whether nothing would be sent immediately."""
        return self.over or bool(self._queue) or self.in_flight >= WINDOW_BYTES

    def send(self, data: bytes) -> int:
        """Send what the window has room for, and return how many bytes that was."""
        at = 0
        while at < len(data) and not self.full:
            part = data[at : at + min(MESSAGE_BYTES, WINDOW_BYTES - self.in_flight)]
            self._sent_bytes += len(part)
            self._send({"data": b64encode(part).decode("ascii")})
            at += len(part)
        return at

    def write(self, data: bytes) -> None:
        """Send what the window has room for, and queue the rest."""
        taken = self.send(data)
        if taken < len(data) and not self.over:
            self._queue.append(data[taken:])
            self.pending += len(data) - taken

    def send_word(self, word: str, *values: Any) -> None:
        """Send a control word immediately; it may overtake queued bytes."""
        if not self.over:
            self._send({"word": word, "with": values})

    def send_last_word(self, word: str, *values: Any) -> None:
        """Send a control word once all queued bytes have been sent."""
        if self._queue:
            self._last_word = (word, values)
        else:
            self.send_word(word, *values)

    def _send(self, content: State) -> None:
        self.sent += 1
        self._acknowledged_in = self._consumed
        envelope = {"line": self.name, "n": self.sent, "took": self._consumed}
        self._owner.send(self, {**envelope, **content})

    # In -------------------------------------------------------------------------------------------

    def listen(self, listener: StreamListener) -> None:
        """Pass what arrives, and what has already arrived, to a listener."""
        self._listener = listener
        early, self._early = self._early, []
        for message in early:
            self._take(listener, message)

    def take(self, message: State) -> None:
        """Handle a message of the other end."""
        if self.over:
            return
        if message["n"] != self.seen + 1:
            self.fail()
            return
        self.seen += 1
        if self._listener is None:
            self._early.append(message)
        else:
            self._take(self._listener, message)

    def _take(self, listener: StreamListener, message: State) -> None:
        if message.get("word") == LOST:  # what is queued is not sent into a connection that is gone
            self._acknowledged_out = message["took"]
        else:
            self._take_acknowledgement(message["took"])
        if "data" in message and not self.over:
            data = b64decode(message["data"])
            self._received += len(data)
            if self._received - self._consumed > WINDOW_BYTES:
                self.fail()
                return
            listener.received(data)
        elif "word" in message and not self.over:
            listener.control(message["word"], message["with"])

    def _take_acknowledgement(self, consumed: int) -> None:
        """Send what there is room for; the other end has consumed ``consumed`` bytes in all."""
        if consumed <= self._acknowledged_out or self.over:
            return
        was_full, self._acknowledged_out = self.full, consumed
        queue, self._queue, self.pending = self._queue, [], 0
        if queue:
            self.write(b"".join(queue))
        if self._last_word is not None and not self._queue:
            (word, values), self._last_word = self._last_word, None
            self.send_word(word, *values)
        if was_full and not self.full and self._listener is not None:
            self._listener.writable()

    def consumed(self, size: int) -> None:
        """Count received bytes as consumed, which widens the other end's window."""
        if self.over or not size:
            return
        self._consumed += size
        if self._consumed - self._acknowledged_in >= ACKNOWLEDGE_BYTES:
            self._send({})
        else:
            self._owner.acknowledge_later(self)

    def acknowledge(self) -> None:
        """Acknowledge the consumed bytes, unless a message has already done so."""
        if not self.over and self._consumed > self._acknowledged_in:
            self._send({})

    def silence(self) -> float:
        """Return for how many seconds the client here has owed its server an answer."""
        return self._listener.silence() if self._listener is not None else 0.0

    # The end --------------------------------------------------------------------------------------

    def fail(self, *, dead: bool = False) -> None:
        """End the stream: a message was lost, or the other server is ``dead``."""
        if not self.over:
            listener = self._listener
            self.end()
            if listener is not None:
                listener.failed(dead)

    def give_up(self, unreached: int = 0) -> None:
        """Tell the other end that the connection is gone, and end the stream.

        ``unreached`` is how many of the consumed bytes have not reached the client.
        """
        self.send_word(LOST, unreached)
        self.end()

    def end(self) -> None:
        """End the stream without telling the other end; its listener hears no more of it."""
        if not self.over:
            self.over = True
            self._listener = None
            self._queue, self._early = [], []
            self._owner.closed(self)

    def hang_up(self, sentence: str) -> None:
        """End the stream: this server is closing all of them."""
        if self._listener is not None and not self.over:
            self._listener.hang_up(sentence)
