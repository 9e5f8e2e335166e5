"""Telnet (RFC 854): bytes, options and negotiation."""
