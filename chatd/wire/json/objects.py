"""One JSON object whose bytes have been measured: from bytes to a value that is safe to hold.

See docs/protocol.rst, "The JSON protocol".  It knows JSON; it must not know streams, transports or
the chat.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final

#: One object as it comes in.  A message of ``LINE_BYTES`` in any script but ASCII fits with every
#: character escaped, which takes three times its bytes at most.
OBJECT_BYTES = 16 * 1024
#: Objects and arrays within each other, the outermost counted; no request needs two.
NESTING = 32
#: A number as it is written; the longest that a double or 128 bits are printed with has 40.
NUMBER_CHARACTERS = 64

_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Object:
    """One JSON object; of a key that came twice the last value counts.

    Strings are as they were sent, control characters included, but can be encoded: a surrogate
    that stands alone has become U+FFFD.
    """

    fields: dict[str, object]


@dataclass(frozen=True, slots=True)
class BadObject:
    """What came instead of an object is none, because of this."""

    sentence: str


BROKEN: Final = BadObject("That JSON is broken.")
_NOT_A_NUMBER: Final = BadObject("A number in that JSON is too large, too long or none.")


class _NumberError(ValueError):
    """A number that is not kept."""


def parsed(written: bytes) -> Object | BadObject:
    """Parse what has been measured; what is no UTF-8 becomes U+FFFD."""
    text = written.decode("utf-8", "replace")
    try:
        fields = _DECODER.decode(text)
    except _NumberError:
        return _NOT_A_NUMBER
    except ValueError:
        return BROKEN
    return Object(_without_surrogates(fields) if _SURROGATE_ESCAPE.search(text) else fields)


def _without_surrogates(value: Any) -> Any:
    """Return a parsed value with U+FFFD for what is half a character; no deeper than NESTING."""
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
