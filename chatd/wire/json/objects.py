"""JSON objects: parses the bytes of one complete object (RFC 8259) within bounds.

See docs/protocol.rst, "The JSON protocol".  It knows JSON; it must not know streams, transports or
the chat.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final

#: The most bytes of one object.  A message of ``LINE_BYTES`` in any script but ASCII fits with
#: every character escaped, which takes three times its bytes at most.
OBJECT_BYTES = 16 * 1024
#: The deepest nesting of objects and arrays, the outermost counted; no request needs two.
NESTING = 32
#: The most characters of a number; a double or 128 bits are printed with 40 at most.
NUMBER_CHARACTERS = 64

_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Object:
    """One JSON object; the last value of a repeated key counts.

    Strings are as they were sent, control characters included, but can be encoded: a lone
    surrogate (RFC 8259, section 8.2) has become U+FFFD.
    """

    fields: dict[str, object]


@dataclass(frozen=True, slots=True)
class BadObject:
    """Bytes that are not an object, or one beyond the bounds; ``sentence`` says why."""

    sentence: str


BROKEN: Final = BadObject("That JSON is broken.")
_NOT_A_NUMBER: Final = BadObject("A number in that JSON is too large, too long or none.")


class _NumberError(ValueError):
    """A number beyond the bounds."""


def parse(data: bytes) -> Object | BadObject:
    """Parse one complete object; bytes that are not UTF-8 become U+FFFD."""
    text = data.decode("utf-8", "replace")
    try:
        fields = _DECODER.decode(text)
    except _NumberError:
        return _NOT_A_NUMBER
    except ValueError:
        return BROKEN
    return Object(_without_surrogates(fields) if _SURROGATE_ESCAPE.search(text) else fields)


def _without_surrogates(value: Any) -> Any:
    """Return a parsed value with U+FFFD for lone surrogates; recursion is bounded by NESTING."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(each) for each in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(value[key]) for key in value}
    return value


def _integer(digits: str) -> int:
    if len(digits) > NUMBER_CHARACTERS:
        raise _NumberError
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits) if len(digits) <= NUMBER_CHARACTERS else math.inf
    if math.isinf(number):
        raise _NumberError
    return number


def _no_constant(name: str) -> float:
    raise _NumberError(name)


_DECODER: Final = json.JSONDecoder(
    parse_int=_integer, parse_float=_float, parse_constant=_no_constant
)
