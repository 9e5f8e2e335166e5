"""Floods of JSON that never logs in: objects that are refused, or that are long to parse."""

from __future__ import annotations

from tests.hostile.flood import Flood, Target
from tests.hostile.sockets import endless, flood

_OPENING = b'{"username": 1}\n'


def _deep(target: Target) -> None:
    flood(target, _OPENING, endless(b'{"a":[' * 5000))


def _wide(target: Target) -> None:
    flood(target, _OPENING, endless(b'{"a":[' + b"{}," * 4000 + b"{}]}\n"))


def _numbers(target: Target) -> None:
    flood(target, _OPENING, endless(b'{"a":[' + b"1e99999," * 1500 + b"1]}\n"))


def _small(target: Target) -> None:
    flood(target, _OPENING, endless(b"{}\n" * 20_000))


def _broken(target: Target) -> None:
    flood(target, _OPENING, endless(b"{]\n" * 20_000))


FLOODS = (
    Flood("json-deep", "JSON that is nested too deeply and never ends", _deep),
    Flood("json-wide", "JSON objects of many small objects", _wide),
    Flood("json-numbers", "JSON objects of numbers that are too large", _numbers),
    Flood("json-small", "empty JSON objects", _small),
    Flood("json-broken", "broken JSON in short lines", _broken),
)
