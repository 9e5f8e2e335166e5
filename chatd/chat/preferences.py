"""What a person may set for themselves (/set), and which values there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any
from zoneinfo import ZoneInfo

from chatd.chat.events import Refused
from chatd.chat.limits import HISTORY_SHOWN_AT_MOST
from chatd.chat.text import cut

THEMES = ("default", "mono")


@dataclass(frozen=True, slots=True)
class Preferences:
    """How one person wants to be shown what happens."""

    theme: str = "default"
    bell: bool = True
    timestamps: bool = False
    timezone: str = "UTC"
    plain: bool = False
    joins: bool = True
    replay: int = 10

    def rows(self) -> tuple[str, ...]:
        """Every preference with its value and what it means, a line each."""
        return tuple(
            f"{field.name} {as_typed(getattr(self, field.name))} — {MEANING[field.name]}"
            for field in fields(self)
        )

    def value(self, name: str) -> str:
        """One preference, as a person would type it.

        :raises Refused: ``bad-setting`` for a name that does not exist.
        """
        _reader(name)
        return as_typed(getattr(self, name))

    def changed(self, name: str, value: str) -> Preferences:
        """Return these preferences with one of them set.

        :raises Refused: ``bad-setting`` for a name or a value that does not exist.
        """
        change: dict[str, Any] = {name: _reader(name)(value)}
        return replace(self, **change)


#: Who has set nothing shares this one.
DEFAULT = Preferences()

MEANING = {
    "theme": f"colours: {' or '.join(THEMES)}",
    "bell": "ring when somebody mentions me or writes to me alone: on or off",
    "timestamps": "a time before each message: on or off",
    "timezone": "the zone of the times, such as Europe/Vienna",
    "plain": "no colours: on or off",
    "joins": "show who comes and goes: on or off",
    "replay": f"messages shown when you come into a room, 0 to {HISTORY_SHOWN_AT_MOST}",
}


def as_typed(value: object) -> str:
    """A setting's value as a person would type it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def on_or_off(value: str) -> bool:
    """Read a switch.

    :raises Refused: ``bad-setting``.
    """
    switch = {"on": True, "yes": True, "show": True, "off": False, "no": False, "hide": False}
    if value.lower() not in switch:
        raise Refused("bad-setting", f"That is on or off, not {cut(value, 40) or 'nothing'}.")
    return switch[value.lower()]


def _theme(value: str) -> str:
    if value not in THEMES:
        raise Refused(
            "bad-setting", f"There is no theme {cut(value, 40)}; there are {', '.join(THEMES)}."
        )
    return value


def _zone(value: str) -> str:
    try:
        return ZoneInfo(value).key
    except (KeyError, ValueError, OSError):
        pass
    raise Refused(
        "bad-setting", f"There is no time zone {cut(value, 40)}; try one like Europe/Vienna."
    )


def _count(value: str) -> int:
    number = int(value[:9]) if value.isascii() and value.isdigit() else -1
    if not 0 <= number <= HISTORY_SHOWN_AT_MOST:
        told = cut(value, 40) or "nothing"
        raise Refused("bad-setting", f"That is a number, 0 to {HISTORY_SHOWN_AT_MOST}, not {told}.")
    return number


_READ: dict[str, Callable[[str], str | bool | int]] = {
    "theme": _theme,
    "bell": on_or_off,
    "timestamps": on_or_off,
    "timezone": _zone,
    "plain": on_or_off,
    "joins": on_or_off,
    "replay": _count,
}


def _reader(name: str) -> Callable[[str], str | bool | int]:
    read = _READ.get(name)
    if read is None:
        known = ", ".join(_READ)
        raise Refused("bad-setting", f"There is no preference {cut(name, 40)}; there are {known}.")
    return read
