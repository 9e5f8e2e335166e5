"""What stands in the search index of the SQLite store for an event, and how it is asked for.

The index holds words.  Beside the folded ones of the text (`chatd.chat.text.query.folded`) there are
two marks for each event, of its room and of its author, with a sign before them that no folded text
has: so what somebody said in a room is found like a word, the newest first, without a look at
anything else.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from chatd.chat.text.query import begins_with, folded

#: Ids whose earliest and latest time are noted together.
BLOCK = 1000
#: What the marks begin with; to the index both are part of a word.
_ROOM, _AUTHOR = "§", "¶"


def indexed(room: int, author: str, text: str) -> str:
    """What the index is given of an event, by the number of its room in the tables."""
    return f"{_marks(room, author)} {folded(text)}"


@lru_cache(maxsize=4096)
def _marks(room: int, author: str) -> str:
    return f"{_room_mark(room)} {_author_mark(author)}"


def _room_mark(room: int) -> str:
    return f"{_ROOM}{room}"


def room_of_mark(term: str) -> int | None:
    """The number of the room whose mark a word of the index is."""
    return int(term[1:]) if term.startswith(_ROOM) else None


def _author_mark(author: str) -> str:
    """A mark without any of the characters at which the index would part it."""
    return f"{_AUTHOR}{author.encode('utf-8', 'replace').hex()}"


def has_phrase(phrase: str) -> str:
    """Ask for a folded phrase, as `chatd.chat.text.query.SearchQuery` means it."""
    return f'"{phrase}"*' if begins_with(phrase) else f'"{phrase}"'


def is_by(author: str) -> str:
    """Ask for a folded nick."""
    return f'"{_author_mark(author)}"'


def is_in(rooms: Iterable[int]) -> str:
    """Ask for one of some rooms."""
    return f"({' OR '.join(_quoted(room) for room in rooms)})"


def _quoted(room: int) -> str:
    return f'"{_room_mark(room)}"'
