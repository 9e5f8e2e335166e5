"""Preferences: the settings of one user (/set), and their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import Any
from zoneinfo import ZoneInfo

from chatd.chat.events import Refused
from chatd.chat.limits import HISTORY_SHOWN_AT_MOST
from chatd.chat.text.sanitizing import cut

THEMES = ("default", "light", "solarized", "mono", "plain")
#: Formats of the times before messages; hh is 1 to 12, with am or pm.
TIMES = ("HH:MM", "HH:MM:SS", "hh:MM", "hh:MM:SS")
BELLS = ("on", "off", "all")
JOINS = ("on", "off", "fold")


@dataclass(frozen=True, slots=True)
class Preferences:
    """How one user wants events to be shown.  The names of fields are stored."""

    theme: str = "default"
    bell: str = "on"
    timestamps: str = "off"
    timezone: str = "UTC"
    plain: bool = False
    joins: str = "fold"
    replay: int = 10

    def rows(self) -> tuple[str, ...]:
        """Return one line per preference, with its value and its meaning."""
        return tuple(
            f"{field.name} {as_typed(getattr(self, field.name))} — {MEANING[field.name]}"
            for field in fields(self)
        )

    def value(self, name: str) -> str:
        """Return one preference, as a user would type it.

        :raises Refused: ``bad-setting`` for a name that does not exist.
        """
        _parser_of(name)
        return as_typed(getattr(self, name))

    def changed(self, name: str, value: str) -> Preferences:
        """Return these preferences with one of them set.

        :raises Refused: ``bad-setting`` for a name or a value that does not exist.
        """
        change: dict[str, Any] = {name: _parser_of(name)(value)}
        return replace(self, **change)

    def restored(self, stored: Mapping[str, object]) -> Preferences:
        """Return these with stored ones applied; preferences that no longer exist are ignored."""
        restored = self
        for name, value in stored.items():
            with suppress(Refused):
                restored = restored.changed(name, as_typed(value))
        return restored


#: The preferences of users who have set none.
DEFAULT = Preferences()


def suffixes(name: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Split a login name into a nick and preferences: ``ada+plain``, ``ada+light``.

    A suffix after a ``+`` is a theme, ``plain``, or ``guest``, which is about the login and no
    preference; no nick has a ``+``.
    """
    nick, *suffixes = name.split("+")
    words = [word for word in suffixes if word != "guest"]
    if not all(word in THEMES for word in words):
        return name, ()
    return nick, tuple(("plain", "on") if word == "plain" else ("theme", word) for word in words)


def as_typed(value: object) -> str:
    """Return a setting's value as a user would type it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def on_or_off(value: str) -> bool:
    """Parse a switch.

    :raises Refused: ``bad-setting``.
    """
    switch = {"on": True, "yes": True, "show": True, "off": False, "no": False, "hide": False}
    if value.lower() not in switch:
        raise Refused("bad-setting", f"That is on or off, not {cut(value, 40) or 'nothing'}.")
    return switch[value.lower()]


def _one_of(*choices: str) -> Callable[[str], str]:
    """Return a parser for one of these words, with yes, show, no and hide for on and off."""
    names = {choice.lower(): choice for choice in choices}
    names |= {"yes": "on", "show": "on", "no": "off", "hide": "off"}

    def read(value: str) -> str:
        if value in choices:
            return value
        if value.lower() not in names:
            given = cut(value, 40) or "nothing"
            raise Refused("bad-setting", f"That is {_listed(choices)}, not {given}.")
        return names[value.lower()]

    return read


def _listed(choices: tuple[str, ...]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"


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
        given = cut(value, 40) or "nothing"
        raise Refused(
            "bad-setting", f"That is a number, 0 to {HISTORY_SHOWN_AT_MOST}, not {given}."
        )
    return number


MEANING = {
    "theme": f"colours: {_listed(THEMES)}",
    "bell": "ring when somebody mentions me or writes to me alone: on, off or all"
    " (for every message)",
    "timestamps": f"a time before each message: on, off, {_listed(TIMES)}",
    "timezone": "the zone of the times, such as Europe/Vienna",
    "plain": "for screen readers, no colours and nothing drawn anew: on or off",
    "joins": "show who comes and goes: on, off or fold (many at once in one line)",
    "replay": f"messages shown when you come into a room, 0 to {HISTORY_SHOWN_AT_MOST}",
}

_PARSERS: dict[str, Callable[[str], str | bool | int]] = {
    "theme": _theme,
    "bell": _one_of(*BELLS),
    "timestamps": _one_of("on", "off", *TIMES),
    "timezone": _zone,
    "plain": on_or_off,
    "joins": _one_of(*JOINS),
    "replay": _count,
}


def _parser_of(name: str) -> Callable[[str], str | bool | int]:
    parser = _PARSERS.get(name)
    if parser is None:
        known = ", ".join(_PARSERS)
        raise Refused("bad-setting", f"There is no preference {cut(name, 40)}; there are {known}.")
    return parser
