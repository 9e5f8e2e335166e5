"""Search queries: how they are parsed, and what they find."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.events import Acted, Refused, Said, TopicSet
from chatd.chat.limits import SEARCH_PAGES, SEARCH_WORDS
from chatd.chat.text.query import Query, SearchQuery, folded, read_query
from tests.support.people import Client, Server

MIDNIGHT = 1_893_456_000.0  # 2030-01-01 00:00 UTC


def finds(words: str, text: str) -> bool:
    return read_query(words, "UTC").search.finds(Said(MIDNIGHT, "ada", text))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("deploy", "The DEPLOY failed"),
        ("deploy", "deployed"),
        ("failed deploy", "The deploy failed"),
        ('"deploy fail"', "The deploy failed"),
        ('"deploy, failed', "deploy: failed"),
        ("cafe", "Café"),
        ("CAFÉ", "a cafe"),
        ("strasse", "Straße"),
        ("1134", "port:1134"),
        ("go on", "Go on!"),
        ("dep", "deploy"),
        ('"the dep', "The deploy failed"),
        ("서울", "서울에서"),
        ("日本", "これは日本語です"),
        ("ナ", "ﾅﾅ"),
        ("привет", "Привет!"),
        ("http://example.org", "see http://example.org/x"),
    ],
)
def test_a_text_that_matches_is_found(words: str, text: str) -> None:
    assert finds(words, text)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("ploy", "deploy"),
        ("deploy failed", "the deploy"),
        ('"failed deploy"', "The deploy failed"),
        ("本日", "日本"),
        ("x", ""),
        ("de", "deploy"),
        ("d", "deploy"),
        ('"the de', "The deploy failed"),
        ("é", "écrit"),
    ],
)
def test_a_text_that_does_not_match_is_not_found(words: str, text: str) -> None:
    assert not finds(words, text)


def test_a_search_is_limited_by_author_and_by_days_in_the_users_time_zone() -> None:
    query = read_query(
        "from:Ada since:2030-01-01 until:2030-01-01 in:Attic page:3", "Europe/Vienna"
    )
    hour, day = 3600, 86400
    assert query == Query(
        SearchQuery((), "ada", MIDNIGHT - hour, MIDNIGHT - hour + day), room="Attic", page=3
    )
    search = query.search
    assert search.finds(TopicSet(MIDNIGHT - hour, "ADA", "x"))
    assert search.finds(Acted(MIDNIGHT - hour + day - 1, "ada", "waves"))
    assert not search.finds(Said(MIDNIGHT - hour - 1, "ada", "x"))
    assert not search.finds(Said(MIDNIGHT - hour + day, "ada", "x"))
    assert not search.finds(Said(MIDNIGHT, "bob", "x"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "...",
        "in:attic",
        "page:2",
        "x page:0",
        f"x page:{SEARCH_PAGES + 1}",
        "x page:²",
        "x page:",
        "since:",
        "until:9999-12-31",
        "since:2030-13-01",
    ],
)
def test_an_invalid_search_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        read_query(text, "Pacific/Kiritimati")
    assert refused.value.code == "bad-search"


def test_pages_and_words_are_allowed_up_to_their_bounds() -> None:
    assert read_query(f"x page:{SEARCH_PAGES}", "UTC").page == SEARCH_PAGES
    words = " ".join(f"w{number}" for number in range(SEARCH_WORDS + 1))
    assert len(read_query(words, "UTC").search.phrases) == SEARCH_WORDS


@given(st.text())
def test_any_text_is_parsed_or_refused_and_folding_is_idempotent(text: str) -> None:
    assert folded(folded(text)) == folded(text)
    try:
        read_query(text, "UTC")
    except Refused:
        return


@given(
    st.lists(st.sampled_from(["an", "ant", "b", "3"]), min_size=1, max_size=2),
    st.text("ant b3_.-", max_size=12),
)
def test_ascii_texts_are_searched_like_all_others(words: list[str], text: str) -> None:
    phrase = " ".join(words)
    found = f" {phrase}{'' if len(words[-1]) > 2 else ' '}" in f" {folded(text)} "
    assert SearchQuery((phrase,)).finds(Said(1.0, "ada", text)) == found
    assert SearchQuery((phrase,)).finds(Said(1.0, "ada", f"{text} é")) == found


@given(st.text(max_size=30))
def test_a_text_is_found_by_its_own_words(text: str) -> None:
    if folded(text):
        assert SearchQuery((folded(text),)).finds(Said(1.0, "ada", text))


def test_ignored_users_and_private_rooms_are_left_out_of_results() -> None:
    server = Server()
    ada, bob, cy = (server.enters(nick, client=Client()) for nick in ("ada", "bob", "cy"))
    bob.types("/join vault"), bob.types("/room private on"), bob.types("a secret")
    bob.types("/focus lobby"), bob.types("a word"), cy.types("a word too")
    ada.types("/ignore bob"), ada.sees()
    ada.types("/search in:* a")
    assert ada.sees() == ["-- 1 message found:", "   13:46 [lobby] cy: a word too"]
    ada.types("/search in:vault a")
    assert ada.sees() == ["-- There is no room vault; /rooms lists them."]
    bob.types("/search in:* secret")
    assert bob.sees()[-1] == "   13:46 [vault] bob: a secret"


def test_later_pages_have_older_messages() -> None:
    server = Server()
    ada = server.enters("ada")
    for number in range(45):
        ada.types(f"line {number}")
    ada.sees(), ada.types("/search line")
    assert ada.sees()[0] == "-- 20 messages found; page:2 shows earlier ones:"
    ada.types("/search line page:3")
    shown = ada.sees()
    assert shown[0] == "-- 5 messages found, page 3:"
    assert [row.split()[-1] for row in shown[1:]] == ["0", "1", "2", "3", "4"]
