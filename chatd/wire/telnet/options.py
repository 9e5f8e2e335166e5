"""Telnet option negotiation: the Q method (RFC 1143).

It knows the verbs of a negotiation and the numbers of options, not what an option does.  Two sides
that follow it cannot loop, and a peer that does not is answered a bounded number of times.
"""

from __future__ import annotations

from dataclasses import dataclass

WILL, WONT, DO, DONT, IAC = 251, 252, 253, 254, 255

#: The supported options: RFC 856, 857, 858, 860, 1091, 1073.
BINARY, ECHO, SGA, TIMING_MARK, TTYPE, NAWS = 0, 1, 3, 6, 24, 31

#: How often a peer may turn options of one side on: enough for a user who switches the client 32
#: times between line and character mode, which is two options each time.
AGREEMENTS = 64


def bits(*options: int) -> int:
    """Return a set of options as a bit mask."""
    return sum(1 << option for option in options)


@dataclass(slots=True)
class Side:
    """The state of the options of one side: ours (WILL and WONT) or the peer's (DO and DONT).

    ``yes`` and ``no`` are the server's verbs for that side.  The other fields are sets of options
    as bit masks; an option is in at most one of ``on`` (the RFC's YES), ``asked`` (WANTYES) and
    ``leaving`` (WANTNO).  ``queued`` has those of the latter two that are to be switched the other
    way once the peer has answered (the RFC's queue bit): a password is asked for again while the
    peer has not yet answered that its echo is on.  Each option is refused only once, and an
    agreement costs one of ``agreements``: that bounds the replies that a peer can elicit, as a
    refusal only follows an agreement.
    """

    yes: int
    no: int
    willing: int
    on: int = 0
    asked: int = 0
    leaving: int = 0
    queued: int = 0
    refused: int = 0
    agreements: int = AGREEMENTS

    def ask(self, option: int) -> bytes:
        """Ask for an option, unless it is on or being negotiated; then ask later."""
        bit = 1 << option
        self.queued = self.queued | bit if self.leaving & bit else self.queued & ~bit
        if (self.on | self.asked | self.leaving) & bit:
            return b""
        self.asked |= bit
        return bytes([IAC, self.yes, option])

    def withdraw(self, option: int) -> bytes:
        """Switch off an option that is on, or will be."""
        bit = 1 << option
        self.queued = self.queued | bit if self.asked & bit else self.queued & ~bit
        if not self.on & bit:
            return b""
        self.on ^= bit
        self.leaving |= bit
        return bytes([IAC, self.no, option])

    def receive(self, agreed: bool, option: int) -> bytes:
        """Apply the peer's verb for an option; return the reply, if it needs one."""
        bit = 1 << option
        if (self.asked | self.leaving) & bit:
            return self._answered(agreed, option)
        if agreed:
            return self._agree(bit, option)
        if not self.on & bit:
            return b""
        self.on ^= bit
        return bytes([IAC, self.no, option])

    def _answered(self, agreed: bool, option: int) -> bytes:
        """Apply the peer's answer; return what was queued until then."""
        bit = 1 << option
        was_asked, was_queued = self.asked & bit, self.queued & bit
        self.asked, self.leaving = self.asked & ~bit, self.leaving & ~bit
        self.queued &= ~bit
        if was_asked:
            self.on |= bit * agreed
            return self.withdraw(option) if was_queued else b""
        return self.ask(option) if was_queued else b""

    def _agree(self, bit: int, option: int) -> bytes:
        """Return the reply to a peer that turns on an option without having been asked."""
        if self.on & bit:
            return b""
        if self.willing & bit:
            if not self.agreements:
                return b""
            self.agreements -= 1
            self.on |= bit
            return bytes([IAC, self.yes, option])
        if self.refused & bit:
            return b""
        self.refused |= bit
        return bytes([IAC, self.no, option])
