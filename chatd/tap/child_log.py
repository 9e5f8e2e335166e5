"""Relayed: what another process logs, read so that this one can log it.

It knows what Twisted writes as JSON, and bytes; it must not know whose they are.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import LogEvent, LogLevel, eventFromJSON

#: Bytes of one event: a traceback of many frames has some ten thousand.  What is longer is logged
#: in pieces.
EVENT_BYTES = 1024 * 1024
#: What stands before each event of ``jsonFileLogObserver``.
_BEFORE = b"\x1e"


class ChildLog:
    """Reads events, one a line; lines that are none become events of their own, at ``level``."""

    def __init__(self, level: Any = LogLevel.info) -> None:
        self._level = level
        self._data = b""

    def receive_data(self, data: bytes) -> list[LogEvent]:
        """Take bytes, and return the events that are whole now."""
        *lines, self._data = (self._data + data).split(b"\n")
        if len(self._data) > EVENT_BYTES:
            lines.append(self._data)
            self._data = b""
        return [self._event(line) for line in lines if line.strip()]

    def end(self) -> list[LogEvent]:
        """Return what has no end."""
        return self.receive_data(b"\n")

    def _event(self, line: bytes) -> LogEvent:
        text = line.removeprefix(_BEFORE).decode("utf-8", "replace").rstrip()
        try:
            event = eventFromJSON(text) if line.startswith(_BEFORE) else None
        except (ValueError, LookupError, TypeError):
            event = None
        if isinstance(event, dict):
            return event
        return {"log_level": self._level, "log_format": "{text}", "text": text}
