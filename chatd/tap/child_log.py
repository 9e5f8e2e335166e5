"""Child log: parses the log of another process, so that this one can log it.

It knows bytes and Twisted's JSON log format; it must not know which process writes them.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import LogEvent, LogLevel, eventFromJSON

#: The most bytes of one event: a traceback of many frames has some ten thousand.  A longer line is
#: logged in pieces.
EVENT_BYTES = 1024 * 1024
#: The record separator of RFC 7464, which ``jsonFileLogObserver`` writes before each event.
_RECORD_SEPARATOR = b"\x1e"


class ChildLog:
    """Parses events, one per line; any other line becomes a separate event, at ``level``."""

    def __init__(self, level: Any = LogLevel.info) -> None:
        self._level = level
        self._data = b""

    def receive_data(self, data: bytes) -> list[LogEvent]:
        """Return the events that these bytes complete."""
        *lines, self._data = (self._data + data).split(b"\n")
        if len(self._data) > EVENT_BYTES:
            lines.append(self._data)
            self._data = b""
        return [self._event(line) for line in lines if line.strip()]

    def end(self) -> list[LogEvent]:
        """Return the event of the last line, which may lack its line end."""
        return self.receive_data(b"\n")

    def _event(self, line: bytes) -> LogEvent:
        text = line.removeprefix(_RECORD_SEPARATOR).decode("utf-8", "replace").rstrip()
        try:
            event = eventFromJSON(text) if line.startswith(_RECORD_SEPARATOR) else None
        except (ValueError, LookupError, TypeError):
            event = None
        if isinstance(event, dict):
            return event
        return {"log_level": self._level, "log_format": "{text}", "text": text}
