"""Names of users and rooms: which are allowed, which are equal, and which look alike.

A nick is shown as it was typed and compared by its key: PRECIS UsernameCaseMapped (RFC 8265,
section 3.3).  Its skeleton (Unicode TS 39, section 4) is equal for nicks that look alike, and
its letters come from one script (TS 39, section 5, single script), so that a stranger cannot
impersonate a user who is here.

`nick` parses a nick that a user chooses, `existing` one that a user may have since earlier
versions, which refused fewer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from confusable_homoglyphs import categories
from precis_i18n import get_profile

from chatd.chat.events import Refused
from chatd.chat.limits import NICK_LENGTH, ROOM_LENGTH
from chatd.chat.text.lookalikes import bare_skeleton, skeleton
from chatd.chat.text.reserved import is_servers, is_staffs
from chatd.chat.text.sanitizing import cut, of_categories, safe

#: The characters of nicks after the first one, for a regex class.
NICK_CHARACTERS = rf"\w.\-{of_categories('Mn', 'Mc')}"
_SHAPE = re.compile(rf"\w[{NICK_CHARACTERS}]*")
#: What ends a sentence cannot end a nick: ``ada.`` mentions ada.
_ENDS = ".-"
#: The beginning of generated nicks.
GUEST = "guest"
#: Variants of a nick that are tried before the user is given a guest nick instead.
VARIANTS = 100
#: Scripts that are written together: Japanese mixes three of these, Korean two.
_WRITTEN_TOGETHER = frozenset({"HAN", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"})


@dataclass(frozen=True, slots=True)
class Name:
    """A name as it is shown, and the key by which names are compared."""

    shown: str
    key: str

    def __str__(self) -> str:
        return self.shown


def nick(text: str, *, staff: bool = False) -> Name:
    """Parse a nick that a user chooses; ``staff`` may choose one of the people who run the server.

    :raises Refused: ``bad-nick``, with a sentence that says what is wrong with it.
    """
    name = existing(text)
    if name.shown.endswith(tuple(_ENDS)):
        raise Refused("bad-nick", "A nick ends with a letter, a digit or _.")
    if not staff and is_staffs(name.shown, name.key):
        raise Refused("bad-nick", f"{name.shown} is a name that the server keeps for operators.")
    return name


def existing(text: str) -> Name:
    """Parse a nick that somebody may have, even if it can no longer be chosen.

    :raises Refused: ``bad-nick``, with a sentence that says what is wrong with it.
    """
    name = _name(text, NICK_LENGTH, "nick")
    if is_servers(name.shown, name.key):
        raise Refused("bad-nick", f"{name.shown} is a name that the server keeps for itself.")
    if not _one_script(name.shown):
        raise Refused("bad-nick", f"A nick is written in one script; {name.shown} mixes several.")
    return name


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Return the key of a nick; for text that is not a nick an empty string, which no user has."""
    try:
        return existing(text).key
    except Refused:
        return ""


def room(text: str) -> Name:
    """Parse a room's name; a ``#`` before it, as on IRC, is not part of it.

    :raises Refused: ``bad-room``, with a sentence that says what is wrong with it.
    """
    return _name(text.strip().removeprefix("#"), ROOM_LENGTH, "room")


def _name(text: str, length: int, kind: str) -> Name:
    code = f"bad-{kind}"
    text = unicodedata.normalize("NFC", text).strip()
    what = "A nick" if kind == "nick" else "A room's name"
    if not text:
        raise Refused(code, f"{what} needs at least one letter or digit.")
    if len(text) > length:
        raise Refused(code, f"{what} has at most {length} characters; that one has {len(text)}.")
    if not _SHAPE.fullmatch(text) or safe(text) != text:
        raise Refused(
            code,
            f"{what} has letters and digits, then also . - and _; "
            f"“{cut(safe(text), length)}” is something else.",
        )
    if text.isascii():  # the profiles change only the case of such names
        key = text.lower()
        return Name(text, text if text == key else key)
    try:
        shown = get_profile("UsernameCasePreserved").enforce(text)
        key = get_profile("UsernameCaseMapped").enforce(text)
        if not _SHAPE.fullmatch(shown):
            raise Refused(code, f"“{text}” is not a name once it is normalised.")
    except UnicodeEncodeError:  # precis_i18n raises it when a profile does not allow a string
        raise Refused(code, f"“{text}” has characters that a name cannot have.") from None
    return Name(shown, key)


def as_nick(text: str) -> Name | None:
    """Return the nick that is closest to some text, such as an ssh user name, or None."""
    kept = "".join(_SHAPE.findall(unicodedata.normalize("NFC", safe(text))))[:NICK_LENGTH]
    try:
        return nick(kept.rstrip(_ENDS))
    except Refused:
        return None


def variants(name: Name) -> Iterator[Name]:
    """Yield nicks to try when one is taken: ``ada2``, ``ada3``, up to ``VARIANTS`` of them.

    Those of a nick of the staff are, too: they are for the operator who asked for it.

    There may be none: European digits may not be mixed with Arabic ones (RFC 5893, section 2).
    """
    for number in range(2, 2 + VARIANTS):
        tail = str(number)
        with suppress(Refused):  # a name that was cut to make room may also be invalid
            yield nick(name.shown[: NICK_LENGTH - len(tail)] + tail, staff=True)


def skeletons(name: Name) -> frozenset[str]:
    """Return the skeletons of a nick (TS 39, section 4); look-alikes have one in common.

    One skeleton is of the nick as shown, one of its key: ``Iola`` looks like ``lola``, ``iola``
    does not.
    """
    return frozenset((skeleton(name.shown), skeleton(name.key)))


def looks(name: Name) -> frozenset[str]:
    """Return the skeletons of a nick and those without accents.

    Nicks of which one differs from the other only in accents, or not even in them, have one in
    common; a user could be mistaken for the other.
    """
    exact = skeletons(name)
    if name.shown.isascii():
        return exact
    return exact | {bare_skeleton(name.shown), bare_skeleton(name.key)}


def _one_script(text: str) -> bool:
    if text.isascii():
        return True
    scripts = set(categories.unique_aliases(text)) - {"COMMON", "INHERITED"}
    return len(scripts) <= 1 or scripts <= _WRITTEN_TOGETHER
