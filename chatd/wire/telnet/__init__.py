"""Telnet (RFC 854): framing, option negotiation and the codec."""
