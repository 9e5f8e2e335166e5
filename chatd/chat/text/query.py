"""Search queries: parsing them, and matching them with texts.

Case, accents and width make no difference.  A word is found by its beginning if that has at least
three letters; one or two letters have to be a whole word, as too many words begin with them.
Scripts that are written without spaces are searched character by character, so that 日本 is found
in 和日本語.  Every store compares texts by `folded`, so that all of them find the same messages.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from chatd.chat.events import Acted, KeptEvent, Refused, Said, TopicSet
from chatd.chat.limits import SEARCH_PAGES, SEARCH_WORDS
from chatd.chat.text.names import fold
from chatd.chat.text.sanitizing import cut

#: Thai, Lao, Tibetan, Burmese, Khmer, kana, Han: no spaces between words.
_UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_WORD = re.compile(f"[{_UNSPACED}]|[^\\W_{_UNSPACED}]+")
_OPTIONS = ("in", "from", "since", "until", "page")
#: The value of ``in:`` that searches every room that the user may read.
EVERYWHERE = "*"
_ACCENT = re.compile("[\u0300-\u036f]")
#: Letters with which the beginning of a word is enough; a Hangul syllable counts as the two or
#: three letters that it is composed of.
BEGINNING = 3


def folded(text: str) -> str:
    """Return the words of a text as they are compared, with one space between them."""
    if not text.isascii():
        bare = _ACCENT.sub("", unicodedata.normalize("NFKD", text))
        text = unicodedata.normalize("NFKC", bare).casefold()
    else:
        text = text.lower()
    return " ".join(_WORD.findall(text))


def begins_with(phrase: str) -> bool:
    """Whether the last word of a folded phrase is long enough to match the beginning of a word."""
    word = phrase.rpartition(" ")[2]
    return len(word) >= BEGINNING or len(unicodedata.normalize("NFD", word)) >= BEGINNING


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """The conditions of a search, all of which an event has to meet.

    ``phrases`` are folded; each has to occur in the text, and ends at the end of a word or, if
    `begins_with` says so, within one.  ``author`` is a folded nick.  Times are seconds since the
    epoch, from ``since`` up to, not including, ``until``.
    """

    phrases: tuple[str, ...] = ()
    author: str | None = None
    since: float | None = None
    until: float | None = None

    def finds(self, event: KeptEvent) -> bool:
        """Whether an event meets the conditions."""
        if self.since is not None and event.time < self.since:
            return False
        if self.until is not None and event.time >= self.until:
            return False
        if self.author is not None and fold(event.nick) != self.author:
            return False
        text = text_of(event)
        if text.isascii():
            plain = text.lower()
            return all(_within(phrase, plain) for phrase in self.phrases)
        words = f" {folded(text)} "
        return all(
            f" {phrase}" in words if begins_with(phrase) else f" {phrase} " in words
            for phrase in self.phrases
        )


def _within(phrase: str, plain: str) -> bool:
    """Whether a phrase is in a lower-case ASCII text; equivalent to comparing `folded` words."""
    if phrase.partition(" ")[0] not in plain:  # decides nearly every text, and is cheap
        return False
    return phrase.isascii() and _pattern(phrase).search(plain) is not None


@lru_cache(maxsize=256)
def _pattern(phrase: str) -> re.Pattern[str]:
    words = r"[\W_]+".join(map(re.escape, phrase.split(" ")))
    end = "" if begins_with(phrase) else r"(?![^\W_])"
    return re.compile(rf"(?<![^\W_]){words}{end}")


@dataclass(frozen=True, slots=True)
class Query:
    """A search as a user types it.

    ``room`` is a name, `EVERYWHERE`, or empty for the room with the focus; pages count from 1.
    """

    search: SearchQuery
    room: str = ""
    page: int = 1


def read_query(text: str, zone: str) -> Query:
    """Parse words, phrases in quotes and ``in:`` ``from:`` ``since:`` ``until:`` ``page:``.

    Days begin at midnight in the time zone ``zone``, and ``until`` includes its day.

    :raises Refused: ``bad-search``.
    """
    options: dict[str, str] = {}
    phrases: dict[str, None] = {}
    for quoted, word in re.findall(r'"([^"]*)"?|(\S+)', text):
        name, colon, value = word.partition(":")
        if colon and name.lower() in _OPTIONS:
            options[name.lower()] = value
        elif phrase := folded(quoted or word):
            phrases[phrase] = None
    search = SearchQuery(
        phrases=tuple(phrases)[:SEARCH_WORDS],
        author=fold(options["from"]) if "from" in options else None,
        since=midnight(options["since"], zone) if "since" in options else None,
        until=midnight(options["until"], zone, later=1) if "until" in options else None,
    )
    if search == SearchQuery():
        raise Refused("bad-search", "Search for a word, for from:NICK, or for since:DAY.")
    return Query(search, options.get("in", ""), read_page(options.get("page", "1"), SEARCH_PAGES))


def midnight(day: str, zone: str, later: int = 0) -> float:
    """Return the start of a day, or of one ``later`` days after it, in seconds since the epoch.

    :raises Refused: ``bad-search``.
    """
    try:
        date = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=ZoneInfo(zone))
        return (date + timedelta(days=later)).timestamp()
    except (ValueError, OverflowError):
        given = cut(day, 40) or "so"
        raise Refused("bad-search", f"A day is written 2030-12-31, not {given}.") from None


def read_page(text: str, most: int) -> int:
    """Parse the number of a page, at most ``most``.

    :raises Refused: ``bad-search``.
    """
    if text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= most:
        return int(text)
    raise Refused(
        "bad-search",
        f"page: takes a number, 1 to {most}, not {cut(text, 40) or 'nothing'}.",
    )


def text_of(event: KeptEvent) -> str:
    """Return the text of an event that is kept."""
    match event:
        case Said(text=text) | Acted(text=text):
            return text
        case TopicSet(topic=topic):
            return topic
