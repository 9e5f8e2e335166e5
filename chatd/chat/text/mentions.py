"""Mentions: the nicks that a text may mention.

A nick is mentioned where the characters around it could not be part of the same nick: ``@ada``,
``ada's``, ``ada,bob``, ``ada。``.  URLs and e-mail addresses mention nobody.

Scripts that are written without spaces between words, and Hangul, whose words have suffixes, need a
rule of their own: a nick of two or more of their letters is also mentioned beside other letters, as
太郎 is in 太郎さん.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping

from chatd.chat.text.names import NICK_CHARACTERS

_HANGUL = "\uac00-\ud7a3"
#: Thai, Lao, Tibetan, Burmese, Khmer, kana, Han; Hangul.
_UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    f"\U00020000-\U0003ffff{_HANGUL}"
)
_BEGINS_UNSPACED = re.compile(f"[{_UNSPACED}]{{2}}")
_OTHER_LETTERS = re.compile(f"[^{_UNSPACED}]+")
_IS_HANGUL = re.compile(f"[{_HANGUL}]")

#: The longest pieces of a text that can be nicks, but for ``.`` and ``-`` at their ends.
_ASCII_PIECE = re.compile(r"\w[\w.\-]*", re.ASCII)
_PIECE = re.compile(rf"\w[{NICK_CHARACTERS}]*")
#: Typed dashes and dots: ``ada--see``, ``ada...see``.
_DASHES = re.compile(r"[.\-]{2,}")
_ENDS = ".-"

#: Punctuation of East Asian scripts.
_WIDE = r"\u3000-\u303f\uff01-\uff0f\uff1a-\uff20"
#: What is read as one word although it may contain nicks: URLs, e-mail addresses, and URLs without
#: a scheme.  It is found in time proportional to the text.  A URL ends before the quotes, brackets
#: and punctuation of a sentence that is written without spaces.
_ADDRESS = re.compile(
    rf"(?:(?<![a-z0-9+.\-])[a-z][a-z0-9+.\-]*+://|\bwww\.|\bmailto:)[^\s<>\"“”«»„…—{_WIDE}]+"
    r"|(?<![\w.+\-])[\w.+\-]++@[\w\-]++(?:\.[\w\-]++)++"
    r"|(?<![\w.\-])[\w\-]++(?:\.[\w\-]++)++/\S*",
    re.IGNORECASE,
)
#: A quick test that nearly every message fails.
_MAY_HAVE_ADDRESS = re.compile(r"[/@]|(?i:www\.|mailto:)")


def beginning(key: str) -> str:
    """Return the first letters of the key of a nick that may be mentioned beside other letters.

    An empty string means that it may not.
    """
    found = None if key.isascii() else _BEGINS_UNSPACED.match(key)
    return found[0] if found else ""


def mentioned_keys(text: str) -> set[str]:
    """Return the keys of all nicks that a text may mention as whole words."""
    text = _prepared(text)
    if text.isascii():
        pieces = _ASCII_PIECE.findall(text.lower())
        if not ("." in text or "-" in text):
            return set(pieces)
        return set(_whole_words(pieces))
    return set(_whole_words([piece.lower() for piece in _PIECE.findall(text)]))


def _prepared(text: str) -> str:
    """Return a text in NFC without its URLs and addresses."""
    if _MAY_HAVE_ADDRESS.search(text) is not None:
        text = _ADDRESS.sub(" ", text)
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _whole_words(pieces: list[str]) -> Iterator[str]:
    for piece in pieces:
        word = piece.rstrip(_ENDS)
        yield piece  # an account may have a nick that ends in them
        yield word
        if ".." in word or "--" in word or ".-" in word or "-." in word:
            yield from _DASHES.split(word)
        if not word.isascii() and _BEGINS_UNSPACED.search(word):
            yield from _OTHER_LETTERS.findall(word)  # letters of the two are in no nick together


def mentioned_within(
    text: str, lengths: Mapping[str, Iterable[int]], is_nick: Callable[[str], bool]
) -> Iterator[str]:
    """Yield the keys of nicks of unspaced scripts that a text mentions beside other letters.

    :param lengths: the lengths of all nicks by their `beginning`; ``is_nick`` tells whether a key
        is one of them.  The longest nick at a place counts.
    """
    text = _prepared(text).lower()
    at = 0
    while at < len(text) - 1:
        begun = lengths.get(text[at : at + 2])
        found = begun and _may_begin(text, at) and _longest(text, at, begun, is_nick)
        if found:
            yield found
            at += len(found) - 1
        at += 1


def _longest(text: str, at: int, lengths: Iterable[int], is_nick: Callable[[str], bool]) -> str:
    """Return the longest nick that is mentioned at a place, or an empty string."""
    for length in sorted(lengths, reverse=True):
        if is_nick(text[at : at + length]) and _may_end(text, at + length):
            return text[at : at + length]
    return ""


def _may_begin(text: str, at: int) -> bool:
    """Whether the character before a nick of unspaced letters cannot be part of it.

    Words of Hangul have a space before them.
    """
    before = text[at - 1 : at]
    if before in ("", "_") or before.isdigit():
        return not before
    if before in _ENDS:
        return not text[max(0, at - 2) : at - 1].isalnum()
    return not (_IS_HANGUL.match(before) and _IS_HANGUL.match(text, at))


def _may_end(text: str, at: int) -> bool:
    """Whether the character after a nick of unspaced letters cannot be part of it."""
    after = text[at : at + 1]
    if after in ("", "_") or after.isdigit():
        return not after
    if after in _ENDS:
        return not text[at + 1 : at + 2].isalnum()
    return unicodedata.category(after) not in ("Mn", "Mc")
