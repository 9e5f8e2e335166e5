"""Search index of the SQLite store: the words of an event's row, and queries.

The index (FTS5) holds words: besides the folded words of the text (`chatd.chat.text.query.folded`)
two marks for each event, of its room and of its author.  Each begins with a sign that no folded
text has.  So FTS5 intersects rooms, authors and words in the index itself and returns rowids in
descending order, the newest first, without reading the table of events.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from chatd.chat.text.query import begins_with, folded

#: Ids whose earliest and latest time are stored together (table ``span``).
BLOCK = 1000
#: First characters of the marks; to the tokenizer (``ascii``) both are part of a word.
_ROOM, _AUTHOR = "§", "¶"


def indexed(room: int, author: str, text: str) -> str:
    """Return the words of an event's index row; ``room`` is an id."""
    return f"{_marks(room, author)} {folded(text)}"


@lru_cache(maxsize=4096)
def _marks(room: int, author: str) -> str:
    return f"{_room_mark(room)} {_author_mark(author)}"


def _room_mark(room: int) -> str:
    return f"{_ROOM}{room}"


def room_of_mark(term: str) -> int | None:
    """Return the id of the room whose mark a word of the index is, or None."""
    return int(term[1:]) if term.startswith(_ROOM) else None


def _author_mark(author: str) -> str:
    """Return an author's mark, in hexadecimal: the tokenizer would split other characters."""
    return f"{_AUTHOR}{author.encode('utf-8', 'replace').hex()}"


def has_phrase(phrase: str) -> str:
    """Return the query for a folded phrase, as in `chatd.chat.text.query.SearchQuery`."""
    return f'"{phrase}"*' if begins_with(phrase) else f'"{phrase}"'


def is_by(author: str) -> str:
    """Return the query for a folded nick."""
    return f'"{_author_mark(author)}"'


def is_in(rooms: Iterable[int]) -> str:
    """Return the query for any of some rooms."""
    return f"({' OR '.join(_quoted(room) for room in rooms)})"


def _quoted(room: int) -> str:
    return f'"{_room_mark(room)}"'
