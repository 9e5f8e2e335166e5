"""Where the options of a telnet connection stand: the Q method (RFC 1143).

It knows the words of a negotiation and the numbers of the options; what an option is good for is
its user's business.  However a peer answers, no two sides that follow it can loop, and one that
does not follow it is answered a bounded number of times.
"""

from __future__ import annotations

from dataclasses import dataclass

WILL, WONT, DO, DONT, IAC = 251, 252, 253, 254, 255

#: The options we speak: RFC 856, 857, 858, 860, 1091, 1073.
BINARY, ECHO, SGA, TIMING_MARK, TTYPE, NAWS = 0, 1, 3, 6, 24, 31

#: How often one side may be talked into an option: enough for somebody who switches 32 times
#: between their client's line and character mode, which is two options each time.
AGREEMENTS = 64


def bits(*options: int) -> int:
    """Return a set of options as bits."""
    return sum(1 << option for option in options)


@dataclass(slots=True)
class Side:
    """One direction: what is asked for and refused with ``yes`` and ``no``, and where it stands.

    Each field is a set of options as bits; an option is in at most one of ``on``, ``asked``
    (WANTYES) and ``leaving`` (WANTNO).  We never ask again for what we withdrew, so the queue bit
    of the RFC has nothing to hold.  A refusal is said once an option, and an agreement costs one of
    ``agreements``: that bounds what can be drawn out of us, for a no only follows a yes.
    """

    yes: int
    no: int
    willing: int
    on: int = 0
    asked: int = 0
    leaving: int = 0
    refused: int = 0
    agreements: int = AGREEMENTS

    def ask(self, option: int) -> bytes:
        """Ask for an option unless it is on or being talked about."""
        bit = 1 << option
        if (self.on | self.asked | self.leaving) & bit:
            return b""
        self.asked |= bit
        return bytes([IAC, self.yes, option])

    def withdraw(self, option: int) -> bytes:
        """Switch off an option that is on."""
        bit = 1 << option
        if not self.on & bit:
            return b""
        self.on ^= bit
        self.leaving |= bit
        return bytes([IAC, self.no, option])

    def hear(self, agreed: bool, option: int) -> bytes:
        """Take the peer's word on an option and return our answer, if it needs one."""
        bit = 1 << option
        if (self.asked | self.leaving) & bit:
            if agreed:
                self.on |= self.asked & bit
            self.asked &= ~bit
            self.leaving &= ~bit
            return b""
        if agreed:
            return self._agree(bit, option)
        if not self.on & bit:
            return b""
        self.on ^= bit
        return bytes([IAC, self.no, option])

    def _agree(self, bit: int, option: int) -> bytes:
        """Answer a peer that wants an option which we did not ask for."""
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
