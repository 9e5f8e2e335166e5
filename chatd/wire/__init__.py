"""Codecs of the wire protocols: bytes to values and back; no transport and no chat state."""
